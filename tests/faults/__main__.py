"""`make kills [LOAD=money|events|messages] [KILLS=500] [SEED=]`: kill -9 at random moments, judge each run.

An interrupted campaign goes on where it stopped; `--again N` repeats one run of its seed; the folder stays.
"""

import argparse
import functools
import os
import platform
import secrets
import signal
import statistics
import sys
import time

from portal.local import HOME
from tests.faults import campaign, events, judge, messages, money, world
from tests.faults.victims import Victims

LOADS = {"money": money, "events": events, "messages": messages}
SIZES = {"money": 2_000, "events": 20_000, "messages": 20_000}
"""Payments of one run, events of one run, messages of one run."""
KILLS = {"money": 500, "events": 500, "messages": 300}
KILLS_A_RUN = 50
HANDS = 8
TWINS = {"money": 0, "events": 3, "messages": 0}
"""So many runs are played again with the same kills and without bad hosts; their number is negative."""


def main() -> int:
    """Do what is left of the campaign; 0 when no run has found anything."""
    # What it started ends with it, also where a shell started it in the background and ignores the one signal.
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, signal.default_int_handler)
    given = arguments()
    journal = campaign.Journal(HOME / ("kills.jsonl" if given.load == "money" else f"kills-{given.load}.jsonl"))
    seed = given.seed or last_unfinished(journal.lines(), given) or secrets.token_hex(4)
    done = clean(journal.lines(), seed)
    numbers = [given.again] if given.again else missing(done, given)
    say(f"campaign {seed}: {kills_of(done)} of {given.kills} kills done, journal {journal.path}")
    failed = 0
    began = time.monotonic()
    if numbers:
        with world.running(f"quittance_kills_{given.load}") as stack, Victims(stack) as victims:
            LOADS[given.load].furnish(stack)
            say(f"everything runs after {time.monotonic() - began:.0f} s; logs in {HOME / 'logs'}")
            for number in numbers:
                found = one(stack, victims, journal, seed=seed, number=number, given=given)
                failed += bool(found)
                if found and not given.go_on:
                    break
        world.stop_servers()
    lines = clean(journal.lines(), seed)
    count, seconds, cpu = (sum(line[name] for line in lines) for name in ("count", "seconds", "cpu_seconds"))
    took = f"{seconds / 60:.1f} minutes, {cpu / 60:.1f} of processors"
    counted = {"money": "payments"}.get(given.load, given.load)
    say(f"{kills_of(lines)} kills in {len(lines)} runs, {count} {counted}, {took}, {failed} runs with findings")
    if twins := compared(lines):
        say(twins)
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--load", choices=SIZES, default="money")
    parser.add_argument("--kills", type=int, default=0, help="in all")
    parser.add_argument("--a-run", type=int, default=KILLS_A_RUN, help="kills of one run")
    parser.add_argument("--size", type=int, default=0, help="payments, events or messages of one run")
    parser.add_argument("--hands", type=int, default=HANDS, help="consumers at once")
    parser.add_argument("--twins", type=int, default=-1, help="runs played again without bad hosts")
    parser.add_argument("--seed", default="", help="of a new campaign, or of the one to go on with")
    parser.add_argument("--again", type=int, default=0, help="do this one run of the seed again")
    parser.add_argument("--go-on", action="store_true", help="do the other runs even after a finding")
    given = parser.parse_args()
    given.kills = given.kills or KILLS[given.load]
    given.size = given.size or SIZES[given.load]
    given.twins = given.twins if given.twins >= 0 else TWINS[given.load]
    return given


def clean(lines: list[dict], seed: str) -> list[dict]:
    """Pick a campaign's runs that found nothing, each once; a run that found something is done again."""
    return list({line["run"]: line for line in lines if line["campaign"] == seed and not line["found"]}.values())


def kills_of(lines: list[dict]) -> int:
    """Count the kills of a campaign; those of the runs for comparison come on top."""
    return sum(line["kills"] for line in lines if line["run"] > 0)


def missing(done: list[dict], given: argparse.Namespace) -> list[int]:
    """Number the runs that are left to do; one that is played again, with a minus, follows at once."""
    finished = {line["run"] for line in done}
    wanted = []
    for number in range(1, -(-given.kills // given.a_run) + 1):
        wanted += [number, -number] if number <= given.twins else [number]
    return [number for number in wanted if number not in finished]


def last_unfinished(lines: list[dict], given: argparse.Namespace) -> str:
    """Name the latest campaign if it is not complete."""
    seed = lines[-1]["campaign"] if lines else ""
    return seed if seed and missing(clean(lines, seed), given) else ""


def one(stack, victims: Victims, journal: campaign.Journal, *, seed: str, number: int, given) -> list[str]:
    """Do one run, write it down, and say how to repeat it when something was found."""
    mine = f"{seed}-{abs(number)}"
    figures: dict = {}
    if given.load == "money":
        load = money.Money(stack, payments=given.size, name=f"K{number:02d}", seed=mine, hands=given.hands)
    elif given.load == "messages":
        load = messages.Messages(stack, messages=given.size, name=f"M{number:02d}", seed=mine)
    else:
        name = f"{'E' if number > 0 else 'T'}{abs(number):02d}"
        load = events.Events(stack, facts=given.size, name=name, seed=mine, bad=number > 0)
    line = campaign.run(
        victims,
        load,
        seed=mine,
        kills=given.a_run,
        judge=functools.partial(LOADS[given.load].judge, load, figures),
        say=lambda text: say(f"run {number} (seed {mine}): {text}"),
    )
    line = {"campaign": seed, "run": number, **line, "count": figures.get("count", 0), "figures": figures}
    journal.write(line | {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "ended": time.strftime("%F %T")})
    for sentence in judge.shorten(line["found"]):
        say(f"  FOUND {sentence}")
    if line["found"]:
        say(f"  again: make kills LOAD={given.load} SEED={seed} AGAIN={number}; books and logs are kept in {HOME}")
    return line["found"]


def compared(lines: list[dict]) -> str:
    """Say what the healthy host waited for with bad hosts beside it and without, under the same kills."""
    by_run = {line["run"]: line["figures"].get("healthy_ms", {}) for line in lines}
    both = [run for run in by_run if run > 0 and by_run[run] and by_run.get(-run)]
    if not both:
        return ""
    said = []
    for name in ("p50", "p90", "p99"):
        bad, good = ([by_run[sign * run].get(name, 0.0) for run in both] for sign in (1, -1))
        beside, without = statistics.median(bad), statistics.median(good)
        said.append(f"{name} {beside:.0f} ms beside bad hosts, {without:.0f} without: {beside / max(without, 0.1):.2f}")
    return f"healthy host, medians of {len(both)} rounds: {'; '.join(said)}"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
