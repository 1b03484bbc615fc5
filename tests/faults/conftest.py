"""A whole product of its own to break: own servers, own ports, own folder, so that nobody else is hurt."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from portal.local import HOME
from portal.local import stack as stacks

CHECKOUT = Path(__file__).resolve().parents[2]
PLACE = CHECKOUT / ".local" / "faults"


def local(*words: str) -> None:
    """Run the embedded servers' own command on the servers of this place."""
    subprocess.run(
        [sys.executable, "-m", "portal.local", *words],
        cwd=CHECKOUT,
        env={key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")},
        check=True,
        capture_output=True,
        timeout=120,
    )


class World:
    """The running product, its gaps, and what can be killed."""

    def __init__(self, stack, folder: Path) -> None:
        self.stack, self.folder = stack, folder

    def hold(self, gap: str) -> None:
        """Make the next process that comes to the gap wait there."""
        for ending in ("hold", "reached", "go"):
            (self.folder / f"{gap}.{ending}").unlink(missing_ok=True)
        (self.folder / f"{gap}.hold").touch()

    def wait_in(self, gap: str) -> None:
        """Wait until a process stands in the gap."""
        deadline = time.monotonic() + 20
        while not (self.folder / f"{gap}.reached").exists():
            assert time.monotonic() < deadline, f"nobody came to {gap}"
            time.sleep(0.01)

    def release(self, gap: str) -> None:
        """Let whoever still stands in the gap go on."""
        (self.folder / f"{gap}.hold").unlink(missing_ok=True)
        (self.folder / f"{gap}.go").touch()

    def kill(self, victim: str) -> None:
        """End a part of the product with SIGKILL, all its processes at once."""
        if victim in self.stack.processes:
            self.stack.kill(victim)
            return
        *children, server = server_pids(victim)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.kill(server, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(map(lives, (*children, server))):
            assert time.monotonic() < deadline, f"{victim} does not die"
            time.sleep(0.01)

    def revive(self, victim: str) -> None:
        """Start it again as an operator or a supervisor would."""
        if victim in self.stack.commands:
            self.stack.restart(victim)
        else:
            local("up")
        if victim == "web":
            self.stack.wait_for("web", "/health/ready", host="localhost")
        time.sleep(0.2)


def server_pids(name: str) -> list[int]:
    """Find a server of this place by its pid file, and its children: a backend outlives its postmaster for a moment."""
    file = PLACE / {"postgres": "postgres/data/postmaster.pid", "redis": "valkey/valkey.pid"}[name]
    root = int(file.read_text().splitlines()[0])
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(") ")[2].split()[1]) == root:
                children.append(int(stat.parent.name))
    return [*children, root]


def lives(pid: int) -> bool:
    """Say whether a process still runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    return False


@pytest.fixture(scope="session")
def world():
    """Start everything once; each test uses an account of its own."""
    if HOME != PLACE:
        pytest.skip("these tests kill servers: `make faults` gives them their own")
    gaps = PLACE / "gaps"
    shutil.rmtree(gaps, ignore_errors=True)
    gaps.mkdir(parents=True)
    stack = stacks.Stack(port=stacks.free_port(), database="quittance_faults", redis_db=1, folder=PLACE / "stack")
    stack.environment |= {"HOLD_IN": str(gaps)}
    try:
        stacks.introduce(stack)
        yield World(stack, gaps)
    finally:
        stack.stop()


class Later(threading.Thread):
    """Run something that may hang or fail while its server is killed; keep what came of it."""

    def __init__(self, work) -> None:
        super().__init__(daemon=True)
        self.work, self.result, self.error = work, None, None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.work()
        except Exception as error:
            self.error = error
