"""The running product for the tests that break it, and the gaps in it that they hold open."""

import shutil
import threading
import time
from pathlib import Path

import pytest

from portal.local import HOME
from tests.faults import world as worlds
from tests.faults.victims import SERVERS, kill_server, revive_server


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
        if victim in SERVERS:
            kill_server(victim)
        else:
            self.stack.kill(victim)

    def revive(self, victim: str) -> None:
        """Start it again as an operator or a supervisor would."""
        if victim in SERVERS:
            revive_server(victim)
        else:
            self.stack.restart(victim)
        if victim == "web":
            self.stack.wait_for("web", "/health/ready", host="localhost")
        time.sleep(0.2)


@pytest.fixture(scope="session")
def world():
    """Start everything once; each test uses accounts of its own."""
    if HOME == worlds.CHECKOUT / ".local":
        pytest.skip("these tests kill servers: `make faults` gives them their own")
    gaps = HOME / "gaps"
    shutil.rmtree(gaps, ignore_errors=True)
    gaps.mkdir(parents=True)
    with worlds.running("quittance_faults", HOLD_IN=str(gaps)) as stack:
        yield World(stack, gaps)


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
