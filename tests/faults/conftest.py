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
        for pid in server_pids(victim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

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
    """Find the processes of this place's PostgreSQL or Valkey by their folder, children included."""
    folder = str(PLACE / {"postgres": "postgres", "redis": "valkey"}[name]).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            if folder in command and b"python" not in command:
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="session")
def world():
    """Start everything once; each test uses an account of its own."""
    os.environ["LOCAL_HOME"] = str(PLACE)
    os.environ.pop("DATABASE_URL", None)
    os.environ.pop("REDIS_URL", None)
    from portal.local import stack as stacks
    from portal.management.commands.demo import introduce

    gaps = PLACE / "gaps"
    shutil.rmtree(gaps, ignore_errors=True)
    gaps.mkdir(parents=True)
    local("up")
    stack = stacks.Stack(port=stacks.free_port(), database="quittance_faults", redis_db=1, folder=PLACE / "stack")
    stack.environment |= {"HOLD_IN": str(gaps), "LOCAL_HOME": str(PLACE)}
    try:
        introduce(stack)
        yield World(stack, gaps)
    finally:
        stack.stop()
        local("down")


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
