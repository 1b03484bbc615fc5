"""A whole product of its own to break: own servers, own ports, own folder, so that nobody else is hurt."""

import contextlib
import os
import signal
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import redis
from psycopg2 import sql

from portal.local import HOME, environment, log_file, postgres, valkey
from portal.local import stack as stacks
from portal.local.stack import Stack
from tests.faults.warm import Child, Nursery

CHECKOUT = Path(__file__).resolve().parents[2]
PLACE = CHECKOUT / ".local" / "faults"


WARM = ("celery", "gunicorn")
MANAGE_SECONDS = 1_200.0
"""Of one command; migrating an empty database is the longest, on a machine that does other things too."""


class Prepared(Stack):
    """A stack whose empty, migrated database is copied from the last one of the same migrations.

    Its programs of ours are forked (`tests/faults/warm.py`), so that a death costs no imports.
    """

    nursery: Nursery | None = None
    forked = 0

    def fresh(self) -> None:
        """Do as any stack does, without migrating again what was migrated before."""
        blank = f"quittance_blank_{migrations()}"
        with self.server() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [blank])
            known = cursor.fetchone() is not None
        if not known:
            super().fresh()
            self._copy(self.database, blank)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._copy(blank, self.database)
        redis.Redis.from_url(self.environment["REDIS_URL"]).flushdb()
        self.manage("collectstatic", "--noinput", "--verbosity", "0")

    def start(self, name: str, command: list[str], **more: str) -> None:
        """Fork a program of ours; the sandboxes, which import nothing of it, start as they are."""
        if more or command[0] not in WARM:
            return super().start(name, command, **more)
        self.commands[name] = (command, more)
        self.processes[name] = self._nursery().start(command, output=log_file(f"{self.database}-{name}"))
        return None

    def manage(self, *words: str, stdin: str | None = None) -> str:
        """Run a management command as any stack does, forked."""
        return self.run("manage", *words, stdin=stdin)

    def run(self, *words: str, stdin: str | None = None) -> str:
        """Fork `python -m words` and return what it printed.

        :raises CannotStart: it failed; its last lines are in the message.
        """
        child = self.fork(*words, stdin=stdin)
        code = child.wait(MANAGE_SECONDS)
        said = child.output.read_text(errors="replace")
        if code:
            raise stacks.CannotStart(f"{' '.join(words)[:80]} failed:\n{said[-2000:]}")
        return said

    def fork(self, *words: str, stdin: str | None = None) -> Child:
        """Fork `python -m words`, its input and output in files of this run."""
        self.forked += 1
        given = self.folder / f"command-{self.forked}"
        given.write_text(stdin or "")
        return self._nursery().start(list(words), output=given.with_suffix(".output"), given=given)

    def _nursery(self) -> Nursery:
        if self.nursery is None:
            self.nursery = Nursery(self.environment)
        return self.nursery

    def close(self) -> None:
        """End every process of it."""
        for name in reversed(list(self.processes)):
            self.kill(name, signal.SIGKILL)
        if self.nursery is not None:
            self.nursery.close()

    def _copy(self, source: str, target: str) -> None:
        with self.server() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(target)))
            made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            cursor.execute(made.format(sql.Identifier(target), sql.Identifier(source)))


def migrations() -> str:
    """Name the migrations of this checkout by what they say."""
    said = sha256()
    for file in sorted(CHECKOUT.glob("*/migrations/*.py")):
        said.update(file.read_bytes())
    return said.hexdigest()[:12]


def start_servers() -> None:
    """Start PostgreSQL and Valkey of this place and write down where they are.

    :raises RuntimeError: these are the servers that the checkout works with.
    """
    if HOME == CHECKOUT / ".local":
        raise RuntimeError("Faults kill servers: give them their own with LOCAL_HOME.")
    (HOME / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
    ours = {"DATABASE_URL": postgres.up(), "REDIS_URL": valkey.up()}
    _spare_the_disk()
    environment.write(ours)
    # Under pytest the settings have read them from this very place; anybody else's server is not ours to kill.
    if any(os.environ.get(name, url) != url for name, url in ours.items()):
        raise RuntimeError("Faults kill servers of their own: unset DATABASE_URL and REDIS_URL.")


def _spare_the_disk() -> None:
    """Let PostgreSQL leave its pages to the kernel, and remember when each transaction committed.

    What a process wrote outlives its SIGKILL either way; only a power cut, which nobody plays here, would tell. Else
    each recovery asks the disk about every file of the cluster, half a minute where the disk is shared.
    """
    facts = environment.remembered("postgres")
    with contextlib.closing(postgres.connect(Path(facts["socket"]), user="postgres", database="postgres")) as server:
        server.autocommit = True
        with server.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET fsync = off")
            cursor.execute("ALTER SYSTEM SET track_commit_timestamp = on")
            cursor.execute("SELECT pg_reload_conf()")
            cursor.execute("SHOW track_commit_timestamp")
            (tracks,) = cursor.fetchone()
    if tracks == "off":
        # Only a start turns it on; the judge of messages asks what came after an opt-out had committed.
        postgres.down()
        postgres.up()


def stop_servers() -> None:
    """Stop both; a server that was just killed is no reason to complain."""
    for server in (postgres, valkey):
        with contextlib.suppress(Exception):
            server.down()


@contextlib.contextmanager
def running(database: str, **variables: str) -> Iterator[Stack]:
    """Bring up an empty product on this place's servers; everything of it ends with the block."""
    start_servers()
    stack = Prepared(port=stacks.free_port(), database=database, redis_db=1, folder=HOME / database)
    (HOME / "clock").unlink(missing_ok=True)
    stack.environment |= {"CLOCK_FILE": str(HOME / "clock"), **variables}
    try:
        stacks.introduce(stack)
        yield stack
    finally:
        stack.close()
