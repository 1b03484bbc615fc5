"""A campaign of kills: runs of a load, each with its kills drawn from a seed, and a journal on disk to go on from.

An interrupted campaign goes on with its next run; an interrupted run is done again from its seed. The engine takes any
load that has `prepare`, `play`, `close`, `victims`, `presses` and a `progress`, and any judge that gives sentences.
"""

import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.faults.load import Progress
from tests.faults.meter import Meter
from tests.faults.victims import Victims

ALIVE_SECONDS = 60.0


class Load(Protocol):
    progress: Progress
    presses: int

    def victims(self, names: list[str]) -> list[str]: ...
    def prepare(self) -> None: ...
    def play(self) -> list[str]: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Kill:
    """One kill: when so much of the load is done and so many seconds later, this victim."""

    after: int
    delay: float
    victim: str


def draw(chance: random.Random, *, kills: int, presses: int, names: list[str]) -> list[Kill]:
    """Draw the kills of a run: the moments anywhere in the load, the victims in turn from a shuffled deck."""
    deck: list[str] = []
    while len(deck) < kills:
        deck += chance.sample(names, len(names))
    moments = sorted(chance.randrange(1, max(2, presses)) for _kill in range(kills))
    return [
        Kill(after, round(chance.uniform(0.0, 0.5), 3), victim) for after, victim in zip(moments, deck, strict=False)
    ]


class Killer(threading.Thread):
    """Carry out the kills of a run while its load plays."""

    def __init__(self, victims: Victims, progress: Progress, kills: list[Kill], chance: random.Random) -> None:
        super().__init__(name="killer", daemon=True)
        self.victims, self.progress, self.kills, self.chance = victims, progress, kills, chance
        self.done: list[str] = []
        self.failed: list[str] = []

    def run(self) -> None:
        for kill in self.kills:
            # What the load was too short for is killed while its last effects are still on their way.
            self.progress.wait_for(kill.after)
            time.sleep(kill.delay)
            try:
                self._carry_out(kill.victim)
                self.done.append(kill.victim)
            except Exception as error:
                self.failed.append(f"{kill.victim} could not be killed or revived: {type(error).__name__}: {error}")

    def _carry_out(self, victim: str) -> None:
        """Kill it, as soon as there is something to kill: its last death may be a moment ago."""
        deadline = time.monotonic() + ALIVE_SECONDS
        while not self.victims.kill(victim, self.chance):
            if time.monotonic() > deadline:
                raise TimeoutError("it never came to life")
            time.sleep(0.05)


class Journal:
    """What a campaign has done, as lines on disk: whoever reads them knows how to go on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[dict]:
        """Read all finished runs."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines() if line.endswith("}")]

    def write(self, line: dict) -> None:
        """Add a finished run; it is on disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def run(
    victims: Victims, load: Load, *, seed: str, kills: int, judge: Callable[[], list[str]], say: Callable[[str], None]
) -> dict:
    """Do one run: place, play under fire, let everything settle, judge; give its line for the journal."""
    began, chance = time.monotonic(), random.Random(f"kills {seed}")
    with Meter(victims.stack) as meter:
        with meter.phase("prepare"):
            load.prepare()
        planned = draw(chance, kills=kills, presses=load.presses, names=load.victims(victims.names()))
        killer = Killer(victims, load.progress, planned, chance)
        with meter.phase("under fire"):
            killer.start()
            found = load.play()
            killer.join()
        with meter.phase("settle"):
            victims.all_up()
            try:
                load.close()
            except Exception as error:
                found.append(f"{type(error).__name__}: {error}")
        with meter.phase("judge"):
            found += [*killer.failed, *judge()]
    cpu = meter.cpu_seconds()
    line = {
        "seed": seed,
        "kills": len(killer.done),
        "victims": {name: killer.done.count(name) for name in sorted(set(killer.done))},
        "seconds": round(time.monotonic() - began, 1),
        "phases": meter.phases,
        "cpu_seconds": round(sum(cpu.values()), 1),
        "cpu_of": cpu,
        "load": [round(one, 1) for one in os.getloadavg()],
        "found": found,
    }
    spent = ", ".join(f"{name} {took:.0f} s" for name, (took, _cpu) in meter.phases.items())
    say(f"{len(killer.done)} kills; {spent}; {line['cpu_seconds']:.0f} s of processors: {len(found)} findings")
    return line
