"""What a run costs: processor seconds by program, whatever dies meanwhile, and seconds of the clock by phase."""

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from portal.local import HOME
from portal.local.stack import Stack

LOOK_SECONDS = 0.5
SERVERS = {"postgres": "postgres/data/postmaster.pid", "redis": "valkey/valkey.pid"}


class Meter:
    """Look twice a second at all processes of a stack; what one used in its last half second is lost."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.used: Counter[str] = Counter()
        self.phases: dict[str, tuple[float, float]] = {}
        """Of each phase: seconds by the clock, processor seconds."""
        self._seen: dict[tuple[int, str], int] = {}
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look_on, name="meter", daemon=True)

    def __enter__(self) -> "Meter":
        self._look(first=True)
        self._watch.start()
        return self

    def __exit__(self, *_why) -> None:
        self._over.set()
        self._watch.join()
        self._look()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a phase."""
        began, used = time.monotonic(), sum(self.used.values())
        try:
            yield
        finally:
            spent = (sum(self.used.values()) - used) / os.sysconf("SC_CLK_TCK")
            self.phases[name] = (round(time.monotonic() - began, 1), round(spent, 1))

    def cpu_seconds(self) -> dict[str, float]:
        """Give what was used so far, the most first."""
        return {name: round(ticks / os.sysconf("SC_CLK_TCK"), 1) for name, ticks in self.used.most_common()}

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._look()

    def _look(self, *, first: bool = False) -> None:
        sessions = {process.pid: name for name, process in list(self.stack.processes.items())}
        roots = {os.getpid(): "load and judge"}
        nursery = getattr(self.stack, "nursery", None)
        forked = {nursery.process.pid: "commands"} if nursery else {}
        for name, file in SERVERS.items():
            with contextlib.suppress(OSError, ValueError, IndexError):
                roots[int((HOME / file).read_text().split()[0])] = name
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, IndexError):
                said = stat.read_text().rpartition(") ")[2].split()
                pid, parent, session = int(stat.parent.name), int(said[1]), int(said[3])
                name = sessions.get(session) or roots.get(pid) or roots.get(parent) or forked.get(parent)
                if name:
                    self._count(name, (pid, said[19]), int(said[11]) + int(said[12]), first=first)

    def _count(self, name: str, process: tuple[int, str], ticks: int, *, first: bool) -> None:
        # What is older than the run has used its seconds for another one.
        before = self._seen.get(process, ticks if first else 0)
        self._seen[process] = ticks
        if not first:
            self.used[name] += ticks - before
