"""The embedded servers in checkouts of their own: any user, any path, any state the last run left behind."""

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import environ
import psycopg2
import pytest
import redis

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = sysconfig.get_path("purelib")
BARE = {"PATH": os.defpath, "HOME": "/nonexistent", "PYTHONPATH": PACKAGES}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@dataclass
class Checkout:
    """A folder with the code of the embedded servers and nothing else: no settings, no Django project."""

    folder: Path
    user: str | None = None

    def run(self, *command: str, **extra: str) -> subprocess.CompletedProcess:
        """Run `python -m portal.local` with these words in a bare environment."""
        return self.python("-m", "portal.local", *command, **extra)

    def python(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess:
        """Run Python in the checkout, as its user."""
        return subprocess.run(
            [interpreter(self.user), *arguments],
            cwd=self.folder,
            env=BARE | {"PGPORT": "1", "PGHOST": "nowhere.invalid"} | extra,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            user=self.user,
        )

    def up(self, **extra: str) -> None:
        """Start, and fail loudly."""
        result = self.run("up", **extra)
        assert result.returncode == 0, result.stdout + result.stderr

    @property
    def local(self) -> Path:
        return self.folder / ".local"

    @property
    def env(self) -> dict[str, str]:
        """Return what `.local/env` says."""
        return dict(line.split("=", 1) for line in (self.local / "env").read_text().splitlines())

    def database(self) -> psycopg2.extensions.connection:
        """Connect as the settings would: through django-environ."""
        parts = environ.Env.db_url_config(self.env["DATABASE_URL"])
        return psycopg2.connect(
            host=parts["HOST"],
            port=parts["PORT"],
            user=parts["USER"],
            dbname=parts["NAME"],
            connect_timeout=5,
        )

    def query(self, sql: str):
        """Return the first row of a committed statement, None when it has none."""
        with contextlib.closing(self.database()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone() if cursor.description else None

    def valkey(self) -> redis.Redis:
        """Connect as Celery would."""
        return redis.from_url(self.env["REDIS_URL"])

    def remember(self, word: str) -> None:
        """Leave a mark in both servers."""
        self.query(f"CREATE TABLE mark AS SELECT '{word}' AS word")
        self.valkey().set("mark", word)
        time.sleep(1.1)  # appendfsync everysec

    def remembered(self) -> tuple[str, str]:
        """Return the mark of both servers."""
        return self.query("SELECT word FROM mark")[0], self.valkey().get("mark").decode()

    @property
    def way(self) -> str:
        """Return how PostgreSQL runs."""
        return json.loads((self.local / "state.json").read_text())["postgres"]["way"]

    @property
    def data(self) -> Path:
        """Return PostgreSQL's cluster."""
        return Path(json.loads((self.local / "state.json").read_text())["postgres"]["home"], "data")

    def pids(self) -> list[int]:
        """Return the processes of both servers, PostgreSQL's children included."""
        server = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [server, *map(int, children), self.valkey().info()["process_id"]]


@pytest.fixture
def make_checkout():
    """Make checkouts at a path, and leave nothing running and nothing behind."""
    made: list[Checkout] = []
    parents: list[Path] = []

    def make(path: str = "checkout", *, mode: int = 0o755, user: str | None = None) -> Checkout:
        parent = Path(tempfile.mkdtemp(prefix="qt-"))
        parents.append(parent)
        folder = parent / path
        folder.mkdir(parents=True)
        fill(folder)
        if user:
            subprocess.run(["chown", "-R", user, parent], check=True)
        parent.chmod(mode)
        made.append(Checkout(folder, user))
        return made[-1]

    yield make
    for checkout in made:
        if checkout.folder.exists():
            checkout.run("erase")
    for parent in parents:
        shutil.rmtree(parent)


@functools.cache
def interpreter(user: str | None) -> str:
    """Return a Python that this user can run with our packages; skip the test when there is none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for program in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        with contextlib.suppress(OSError):
            test = [program, "-c", "import celery, psycopg2"]
            if subprocess.run(test, env=BARE, user=user, capture_output=True, check=False).returncode == 0:
                return program
    return pytest.skip(f"no Python that {user} can run")


def fill(folder: Path) -> None:
    """Put the code that `python -m portal.local` needs into a folder."""
    (folder / "portal").mkdir()
    for name in ("__init__.py", "celery.py"):
        shutil.copy(REPOSITORY / "portal" / name, folder / "portal")
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "portal" / "local", folder / "portal" / "local", ignore=without)


def mode(path: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


# Every run --------------------------------------------------------------------------------------------------
def test_a_fresh_checkout_gets_two_private_servers_and_keeps_its_keys(make_checkout):
    checkout = make_checkout()
    checkout.up()
    first = checkout.env

    version, user, database, encoding = checkout.query(
        "SELECT current_setting('server_version_num')::int, current_user, current_database(),"
        " current_setting('server_encoding')"
    )
    assert (version // 10_000, user, database, encoding) == (18, "quittance", "quittance", "UTF8")
    assert checkout.query(
        "SELECT rolcanlogin, rolcreatedb, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles"
        " WHERE rolname = current_user"
    ) == (True, True, False, False, False)
    assert checkout.query("SHOW listen_addresses") == ("",)
    assert checkout.query("SHOW fsync") == ("on",)
    assert checkout.query("SELECT upper('é'), 'b' < 'É'") == ("É", True)

    assert checkout.valkey().config_get("appendonly") == {"appendonly": "yes"}
    with pytest.raises(redis.AuthenticationError):
        redis.from_url("redis://" + checkout.env["REDIS_URL"].partition("@")[2]).ping()

    begun = time.monotonic()
    checkout.up()
    assert time.monotonic() - begun < 2
    assert checkout.env == first
    assert sorted(first) == ["DATABASE_URL", "FIELD_KEYS", "INDEX_KEY", "REDIS_URL", "SECRET_KEY"]
    assert {mode(checkout.local / name) for name in ("env", "state.json", "valkey/valkey.conf")} == {0o600}
    assert mode(checkout.local) in (0o700, 0o711)

    assert checkout.run("status").returncode == 0
    checkout.remember("kept")
    assert checkout.run("down").returncode == 0
    assert checkout.run("status").returncode == 1
    assert checkout.run("down").stdout == "postgres: was not running\nvalkey: was not running\n"
    checkout.up()
    assert checkout.remembered() == ("kept", "kept")


def test_with_both_urls_given_nothing_starts_and_only_the_keys_are_made(make_checkout):
    checkout = make_checkout()
    given = {"DATABASE_URL": "postgres://u@db/q", "REDIS_URL": "redis://cache/0", "INDEX_KEY": "given"}
    checkout.up(**given)
    assert sorted(checkout.env) == ["FIELD_KEYS", "SECRET_KEY"]
    assert not (checkout.local / "postgres").exists()
    assert not (checkout.local / "valkey").exists()
    assert "DATABASE_URL=postgres://u@db/q" in checkout.run("env", **given).stdout.splitlines()


def test_data_of_another_version_is_refused_in_one_line_and_left_alone(make_checkout):
    checkout = make_checkout()
    data = checkout.local / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("15\n")
    result = checkout.run("up")
    assert result.returncode == 1
    assert result.stderr.startswith("error: PostgreSQL cannot run here (")
    assert result.stderr.endswith("Set DATABASE_URL to a server.\n")
    assert result.stderr.count("\n") == 1
    assert (data / "PG_VERSION").read_text() == "15\n"


# The matrix -------------------------------------------------------------------------------------------------
DEEP = "/".join(["a-folder-of-some-length"] * 6)
AWKWARD = 'It\'s a "folder", of Ünusual, names + 100%'
PLACES = {"plain": "checkout", "deep": DEEP, "awkward": AWKWARD}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("parents_mode", [0o755, 0o700], ids=["open", "closed"])
@pytest.mark.parametrize("who", ["me", pytest.param("nobody", marks=ROOT_ONLY)])
def test_it_runs_anywhere_and_survives_the_death_of_everything(make_checkout, place, parents_mode, who):
    checkout = make_checkout(PLACES[place], mode=parents_mode, user=None if who == "me" else who)
    checkout.up()
    checkout.remember(place)
    kill(checkout)
    checkout.up()
    assert checkout.remembered() == (place, place)


@pytest.mark.slow
@ROOT_ONLY
@pytest.mark.parametrize("way", ["nobody", "namespace", "copy"])
def test_root_has_three_ways(make_checkout, way):
    checkout = make_checkout(mode=0o755 if way == "nobody" else 0o700)
    only = f"from portal.local import ways, __main__ as m; ways.NAMES = ['{way}']; m.sys.argv = ['', 'up']"
    assert checkout.python("-c", f"{only}; m.main()").stderr == ""
    assert checkout.way == way
    checkout.remember(way)
    kill(checkout)
    checkout.up()
    assert checkout.remembered() == (way, way)
    assert checkout.way == way
    data = checkout.data
    assert (checkout.local in data.parents) is (way != "copy")
    assert checkout.run("erase").returncode == 0
    assert not data.parent.exists()
    assert not checkout.local.exists()


@pytest.mark.slow
@ROOT_ONLY
def test_root_finds_another_way_when_the_checkout_is_closed_later(make_checkout):
    checkout = make_checkout()
    checkout.up()
    checkout.remember("before")
    checkout.run("down")
    checkout.folder.parent.chmod(0o700)
    checkout.up()
    assert checkout.remembered() == ("before", "before")


@pytest.mark.slow
def test_the_usual_ports_may_be_taken_and_our_own_stolen(make_checkout):
    checkout = make_checkout()
    with contextlib.ExitStack() as taken:
        for port in (5432, 6379):
            with contextlib.suppress(OSError):  # somebody else may have it, which is as good
                listener = taken.enter_context(socket.socket())
                listener.bind(("127.0.0.1", port))
                listener.listen()
        checkout.up()
        checkout.remember("first")
        old = checkout.valkey().connection_pool.connection_kwargs["port"]
        checkout.run("down")
        thief = taken.enter_context(socket.socket())
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", old))
        thief.listen()
        checkout.up()
        assert checkout.valkey().connection_pool.connection_kwargs["port"] != old
        assert checkout.remembered() == ("first", "first")


@pytest.mark.slow
def test_two_checkouts_start_at_once_and_never_meet(make_checkout):
    checkouts = [make_checkout(), make_checkout()]
    command = [sys.executable, "-m", "portal.local", "up"]
    quiet = {"env": BARE, "stdout": subprocess.DEVNULL}
    starting = [subprocess.Popen(command, cwd=checkout.folder, **quiet) for checkout in checkouts * 2]
    assert [process.wait(timeout=120) for process in starting] == [0, 0, 0, 0]
    for number, checkout in enumerate(checkouts):
        checkout.remember(f"mine {number}")
    assert [c.remembered() for c in checkouts] == [("mine 0", "mine 0"), ("mine 1", "mine 1")]
    checkouts[0].run("down")
    assert checkouts[1].remembered() == ("mine 1", "mine 1")


@pytest.mark.slow
def test_a_copied_checkout_has_servers_of_its_own(make_checkout):
    original = make_checkout()
    original.up()
    original.remember("original")
    copy = make_checkout("copy")
    shutil.copytree(original.local, copy.local, ignore=shutil.ignore_patterns(".s.PGSQL.5432"))
    copy.up()
    assert copy.env["DATABASE_URL"] != original.env["DATABASE_URL"]
    assert copy.env["REDIS_URL"] != original.env["REDIS_URL"]
    assert copy.env["FIELD_KEYS"] == original.env["FIELD_KEYS"]
    copy.query("UPDATE mark SET word = 'copy'")
    assert original.remembered() == ("original", "original")


def kill(checkout: Checkout) -> None:
    """Kill every process of both servers at once, as a power cut would, and do not wait for anything."""
    for pid in checkout.pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
