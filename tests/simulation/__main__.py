"""Simulate a year: python -m tests.simulation [--consumers 1000] [--days 365] [--seed 7] [--in-process]."""

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from .judge import Judge
from .world import World
from .year import Year


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--consumers", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--in-process", action="store_true", help="call the processor's sandbox without HTTP")
    parser.add_argument("--report", type=Path, help="write the figures as JSON there")
    chosen = parser.parse_args()
    world, began = World(in_process=chosen.in_process), time.monotonic()
    # Ended by its parent, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {line}", flush=True)

    try:
        world.open()
        year = Year(world, seed=chosen.seed, consumers=chosen.consumers, days=chosen.days, say=say)
        say(f"{chosen.consumers} consumers, {chosen.days} days from {year.first}, seed {chosen.seed}")
        started, used = time.monotonic(), world.cpu()
        year.run()
        took, before = time.monotonic() - started, used
        shares = {name: round(now - before.get(name, 0)) for name, now in world.cpu().items()}
        used = sum(shares.values())
        say(f"the days are over: {took:.0f} s, of that {used:.0f} s of processors ({used / chosen.days:.2f} s a day)")
        judge = Judge(world, year)
        findings = judge.findings()
        report = judge.report | {"seconds": round(took), "processor_seconds": round(used), "findings": findings}
        for line in judge.lines():
            print(line)
        print(f"seconds by work: {world.took(30)}")
        print("processor seconds by program: " + ", ".join(f"{name} {share}" for name, share in sorted(shares.items())))
        print(f"{len(findings)} findings")
        for finding in findings[:60]:
            print(" -", finding)
        if chosen.report:
            chosen.report.write_text(json.dumps(report, indent=1, default=str))
        return 1 if findings else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
