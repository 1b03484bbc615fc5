"""Run benchmarks by name, all by default: `python -m tests.benchmarks [names]`; SIZE=full for the large ones."""

import argparse
import importlib
import os
import sys
import time
from datetime import UTC, datetime

NAMES = ("drain", "push", "files", "puts", "pages", "payments", "offers", "due", "campaigns", "latency")
"""In this order: the last one takes Redis away."""


def main() -> int:
    """Set the stage, run, write docs/benchmarks.md."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-write", action="store_true", help="print only")
    wanted = parser.parse_args()
    if unknown := set(wanted.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    size = os.environ.get("SIZE", "")
    from tests.benchmarks import report
    from tests.benchmarks.stage import Stage

    stage = Stage()
    began = time.monotonic()
    try:
        stage.open()
        for name in wanted.names or NAMES:
            benchmark = importlib.import_module(f"tests.benchmarks.{name}")
            load, started = os.getloadavg()[0], time.monotonic()
            section = benchmark.run(stage, rounds=wanted.rounds, full=size == "full")
            section.at, section.load = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", load
            section.seconds = time.monotonic() - started
            print(report.table(section), flush=True)
            if not wanted.no_write:  # at once: a later one may fail
                report.keep([section], rounds=wanted.rounds, size=size)
        print(f"{time.monotonic() - began:.0f} s")
    finally:
        stage.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
