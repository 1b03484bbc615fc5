"""The whole product as processes of this machine: sandboxes, web, workers, beat. No Django here.

The demonstration and the fault script run on it; every process can be killed and started again by name.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import CHECKOUT, HOME, environment, log_file

START_SECONDS = 180.0  # of everything at once, on a machine that does other things too
STOP_SECONDS = 8.0
AGENCIES = ("acme", "birch")
FURTHER_HOSTS = (("acme", "intelec"), ("acme", "ledger"), ("birch", "collect"), ("birch", "smartcollect"))
"""Hosts of other styles in the demonstration, by agency."""
PASSWORD = "demonstration only"  # noqa: S105 - of staff in the demonstration, printed on the screen


class CannotStart(Exception):
    """Say in one line what is in the way."""


def free_port() -> int:
    """Let the system choose a port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def claim_port(wanted: int | None, *, usual: int = 8000) -> socket.socket:
    """Listen on the wanted port, or on the first free one from the usual one up; nobody can take it from us then.

    :raises CannotStart: the wanted one is taken.
    """
    for port in [wanted] if wanted else range(usual, usual + 50):
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
    raise CannotStart(f"port {wanted or usual} is taken: choose another one with PORT=")


def call(
    url: str, path: str, body: object = None, *, headers: dict | None = None, method: str = "", timeout: float = 10.0
) -> dict:
    """Send JSON to a process of ours and read JSON back; an HTTP error is an OSError with the answer in it."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    with contextlib.closing(connection):
        data = None if body is None else json.dumps(body)
        verb = method or ("GET" if body is None else "POST")
        connection.request(verb, path, data, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            raise OSError(f"{verb} {path}: {answer.status} {text[:300]}")
        return json.loads(text) if text else {}


class Stack:
    """Processes by name, their logs, and the environment they share.

    :param database: name of the database they use; it is made anew by `fresh`.
    :param listener: a socket that already listens on the port; the site answers on it.
    """

    def __init__(
        self, *, port: int, database: str, redis_db: int, folder: Path, listener: socket.socket | None = None
    ) -> None:
        self.port = port
        self.listener = listener
        self.folder = folder
        self.processes: dict[str, subprocess.Popen] = {}
        self.commands: dict[str, tuple[list[str], dict[str, str]]] = {}
        self.keys: dict[str, dict] = {}
        self.urls: dict[str, str] = {"web": f"http://127.0.0.1:{port}"}
        known = environment.read() | {
            key: os.environ[key] for key in ("DATABASE_URL", "REDIS_URL") if key in os.environ
        }
        self.server_url = known["DATABASE_URL"]
        self.environment = os.environ | known
        self.environment |= {
            "DATABASE_URL": self.server_url.rpartition("/")[0] + "/" + database,
            "REDIS_URL": known["REDIS_URL"].rpartition("/")[0] + f"/{redis_db}",
            "DEMO": "1",
            "PORT": str(port),
            "PORTAL_DOMAIN": f"localhost:{port}",
            "BEAT_SCHEDULE": str(folder / "beat"),
            "STATIC_ROOT": str(folder / "static"),
            "PYTHONUNBUFFERED": "1",
        }
        self.database = database

    def fresh(self) -> None:
        """Make an empty database, empty the Redis database, migrate, collect static files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._empty_database()
        import redis

        redis.Redis.from_url(self.environment["REDIS_URL"]).flushdb()
        self.manage("migrate", "--verbosity", "0")
        self.manage("collectstatic", "--noinput", "--verbosity", "0")

    def _empty_database(self) -> None:
        from psycopg2 import sql

        with self.server() as cursor:
            name = sql.Identifier(self.database)
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(name))

    @contextlib.contextmanager
    def server(self) -> Iterator[Any]:
        """Open the server's own database, where databases are made; every statement is done at once."""
        import psycopg2
        from environ import Env

        os.environ["_SERVER_URL"] = self.server_url
        server = Env().db("_SERVER_URL")
        own = psycopg2.connect(
            host=server["HOST"] or None,
            port=server["PORT"] or None,
            user=server["USER"],
            password=server["PASSWORD"] or None,
            dbname=server["NAME"],
        )
        own.autocommit = True
        with contextlib.closing(own), own.cursor() as cursor:
            yield cursor

    def manage(self, *words: str, stdin: str | None = None) -> str:
        """Run a management command to its end and return what it printed.

        :raises CannotStart: it failed; its last lines are in the message.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=CHECKOUT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=900,
        )
        if done.returncode:
            raise CannotStart(f"manage.py {words[0]} failed:\n{done.stderr[-2000:]}")
        return done.stdout

    def start(self, name: str, command: list[str], **more: str) -> None:
        """Start a process, its output in `.local/logs/<name>.log`."""
        self.commands[name] = (command, more)
        log = log_file(f"{self.database}-{name}")
        with log.open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=CHECKOUT,
                env=self.environment | more,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self.listener.fileno(),) if self.listener else (),
            )

    def restart(self, name: str, **more: str) -> None:
        """Start a process again as it was, or with other variables."""
        command, before = self.commands[name]
        self.start(name, command, **(before | more))

    def kill(self, name: str, how: int = signal.SIGKILL) -> None:
        """End a process with all its children."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)

    def start_sandboxes(self, *, further: bool = False) -> None:
        """Start the processor, the mail provider, the carrier and one host per agency; their addresses are in `urls`.

        :param further: hosts of the other styles too.
        """
        programs = {"processor": ["payments.sandbox"], "mail": ["campaigns.sandbox"]}
        programs["carrier"] = ["campaigns.sandbox.carrier"]
        programs |= {f"host-{slug}": ["integrations.sandbox", "--seed", slug] for slug in AGENCIES}
        if further:
            programs |= {
                f"host-{slug}-{style}": ["integrations.sandbox", "--style", style, "--seed", slug]
                for slug, style in FURTHER_HOSTS
            }
        for name, words in programs.items():
            port = free_port()
            self.urls[name] = f"http://127.0.0.1:{port}"
            self.start(name, [*words, "--port", str(port), "--data", str(self.folder / name)])
        for name in programs:
            self.wait_for(name, "/health")

    def start_site(self) -> None:
        """Start web, workers and beat, and wait until the site can serve."""
        self.start_web()
        worker = ["celery", "-A", "portal", "worker", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        self.start("deliver", [*worker, "-Q", "deliver", "-c", "1", "-n", "deliver@%h"])
        self.start("worker", [*worker, "-Q", "charge,message,batch", "-c", "2", "-n", "worker@%h"])
        self.start("beat", ["celery", "-A", "portal", "beat", "--loglevel", "WARNING", "--pidfile="])
        self.wait_for("web", "/health/ready", host="localhost")
        self._wait_for_workers(2)

    def _wait_for_workers(self, count: int) -> None:
        """Wait until the workers listen: each binds its mailbox at the broker when it is ready."""
        import redis

        broker = redis.Redis.from_url(self.environment["REDIS_URL"])
        deadline = time.monotonic() + START_SECONDS
        while broker.scard("_kombu.binding.celery.pidbox") < count:
            if time.monotonic() > deadline:
                raise CannotStart("the workers did not come up; see .local/logs")
            time.sleep(0.1)

    def start_web(self, **more: str) -> None:
        """Start gunicorn."""
        bind = f"fd://{self.listener.fileno()}" if self.listener else f"127.0.0.1:{self.port}"
        words = [
            "gunicorn",
            "portal.wsgi",
            "--bind",
            bind,
            "--workers",
            "2",
            "--threads",
            "4",
            "--log-level",
            "warning",
        ]
        self.start("web", words, **more)

    def wait_for(self, name: str, path: str, *, host: str = "") -> None:
        """Wait until a process answers 200.

        :raises CannotStart: it ended or did not answer in time; its log's last lines are in the message.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                call(self.urls[name], path, headers={"Host": host} if host else None, timeout=2.0)
                return
            if self.processes[name].poll() is not None:
                break
            time.sleep(0.1)
        log = (HOME / "logs" / f"{self.database}-{name}.log").read_text(errors="replace")
        raise CannotStart(f"{name} did not start:\n{log[-2000:]}")

    def stop(self) -> None:
        """End everything, the last started first."""
        for name in reversed(list(self.processes)):
            self.kill(name, signal.SIGTERM)


def introduce(stack: Stack, *, further: bool = False) -> None:
    """Bring up an empty product and make everybody known to everybody; the accounts come from the hosts.

    :param further: with hosts of the other styles.
    """
    shutil.rmtree(stack.folder, ignore_errors=True)
    stack.fresh()
    stack.start_sandboxes(further=further)
    stack.keys = keys = json.loads(stack.manage("seed_demo", stdin=json.dumps(stack.urls)))
    domain = stack.environment["PORTAL_DOMAIN"]
    for slug in AGENCIES:
        mine = keys[slug]
        call(
            stack.urls["processor"],
            "/_sandbox/accounts",
            {
                "id": f"acct_{slug}",
                "publishable_key": f"pk_test_{slug}",
                "secret_keys": {"portal": f"sk_test_{slug}_portal", "host": f"sk_test_{slug}_host"},
                "webhook_url": f"{stack.urls['web']}/hooks/processor/{mine['processor_account']}",
                "webhook_host": domain,
                "webhook_secret": mine["webhook_secret"],
            },
        )
        call(
            stack.urls["mail"],
            "/_sandbox/domains",
            {
                "domain": mine["mail_domain"],
                "api_key": mine["mail_api_key"],
                "signing_key": mine["mail_signing_key"],
                "webhook_url": f"{stack.urls['web']}/hooks/mail/{mine['mail_provider']}",
                "webhook_host": domain,
            },
        )
        call(
            stack.urls["carrier"],
            "/_sandbox/accounts",
            {
                "sid": mine["carrier_account"],
                "token": mine["carrier_token"],
                "number": mine["carrier_number"],
                "inbound_url": f"{stack.urls['web']}/hooks/texts/{mine['text_provider']}",
                "webhook_host": domain,
                "keywords": "portal",
            },
        )
        for style, known in mine["hosts"].items():
            name = f"host-{slug}-{style}" if style != "scollect" else f"host-{slug}"
            call(
                stack.urls[name],
                "/_sandbox/configure",
                known
                | {
                    "portal_url": stack.urls["web"],
                    "portal_host": domain,
                    "processor_url": stack.urls["processor"],
                    "processor_key": f"sk_test_{slug}_host",
                },
            )
    stack.start_site()
