"""What can be killed, how, and who starts it again: SIGKILL without a word, and a supervisor as on any server.

It knows processes and servers, nothing of what they do: any load can run beside it, any judge come after.
"""

import contextlib
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from pathlib import Path

from portal.local import HOME, postgres, valkey
from portal.local.stack import Stack

DEATH_SECONDS = 10.0
LOOK_SECONDS = 0.05
SERVERS = ("redis", "postgres")
CHILDREN = ("web", "worker", "deliver")
"""Programs with processes of their own under them: one of those can die alone."""


def revive_server(name: str) -> None:
    """Start one of this place's own servers again and wait until it answers."""
    postgres.up() if name == "postgres" else valkey.up()


def kill_server(name: str) -> None:
    """End a server of this place with SIGKILL, all its processes at once, and see that it is dead."""
    *children, server = server_pids(name)
    for pid in children:
        kill(pid)
    kill(server)
    deadline = time.monotonic() + DEATH_SECONDS
    while any(map(lives, (*children, server))):
        assert time.monotonic() < deadline, f"{name} does not die"
        time.sleep(0.01)


def server_pids(name: str) -> list[int]:
    """Find a server of this place by its pid file, and its children: a backend outlives its postmaster for a moment."""
    file = HOME / {"postgres": "postgres/data/postmaster.pid", "redis": "valkey/valkey.pid"}[name]
    root = int(file.read_text().splitlines()[0])
    return [*children_of(root), root]


def children_of(root: int) -> list[int]:
    """Find the processes that a process has started."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(") ")[2].split()[1]) == root:
                children.append(int(stat.parent.name))
    return sorted(children)


def lives(pid: int) -> bool:
    """Say whether a process still runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    return False


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Victims:
    """Everything of a stack that can die, and the supervisor that starts again whatever is dead.

    :param stack: its processes; the two servers are those of `LOCAL_HOME`.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.lock = threading.RLock()
        self.restarts: Counter[str] = Counter()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def __enter__(self) -> "Victims":
        self._watch.start()
        return self

    def __exit__(self, *_why) -> None:
        self._over.set()
        self._watch.join(DEATH_SECONDS)

    def names(self) -> list[str]:
        """Name what can be killed: each program, one process of it alone, each server, an emptied Redis, a backend."""
        programs = sorted(self.stack.commands)
        alone = [f"{name} child" for name in CHILDREN if name in programs]
        return [*programs, *alone, *SERVERS, "redis emptied", "postgres backend"]

    def kill(self, name: str, chance: random.Random) -> bool:
        """Kill it now and see to its next life; False when there is nothing to kill at this moment."""
        program, _, part = name.partition(" ")
        if program in SERVERS:
            return self._kill_server(program, part, chance)
        with self.lock:
            process = self.stack.processes[program]
            if process.poll() is not None:
                return False
            if not part:
                self.stack.kill(program)
                self.stack.restart(program)
                return True
            children = children_of(process.pid)
            if children:
                kill(chance.choice(children))
            return bool(children)

    def _kill_server(self, name: str, part: str, chance: random.Random) -> bool:
        if part == "backend":
            backends = [pid for pid in server_pids(name)[:-1] if _serves(pid)]
            if backends:
                kill(chance.choice(backends))
            return bool(backends)
        kill_server(name)
        if part == "emptied":
            shutil.rmtree(valkey.DATA / "appendonlydir", ignore_errors=True)
        revive_server(name)
        return True

    def _supervise(self) -> None:
        """Start again what ended without us, as systemd or a container's restart policy does."""
        while not self._over.wait(LOOK_SECONDS):
            with self.lock:
                for name, process in list(self.stack.processes.items()):
                    if process.poll() is not None:
                        self.restarts[name] += 1
                        self.stack.restart(name)

    def all_up(self, seconds: float = 60.0) -> None:
        """Wait until everything answers.

        :raises CannotStart: something does not come back.
        """
        for name in SERVERS:
            revive_server(name)
        deadline = time.monotonic() + seconds
        for name in self.stack.urls:
            path, host = ("/health/ready", "localhost") if name == "web" else ("/health", "")
            self.stack.wait_for(name, path, host=host)
        while any(process.poll() is not None for process in self.stack.processes.values()):
            assert time.monotonic() < deadline, "a process does not stay up"
            time.sleep(LOOK_SECONDS)


def _serves(pid: int) -> bool:
    """Tell a backend that serves a client from the server's own helpers, by the title it gives itself."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"postgres: quittance ")
    return False
