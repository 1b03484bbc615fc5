"""How fast what is due is claimed, gated and queued: payments and events written, nothing charged."""

import json
import subprocess
import sys

from portal.local import CHECKOUT
from portal.local.stack import Stack, free_port
from tests.benchmarks.due_items import ALONE, GROUPS, PER_ACCOUNT
from tests.benchmarks.offers import drop
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import FOLDER, Stage

ITEMS, FULL = 1_000_000, 5_000_000


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Stage the items in a database of its own; then one run, two at once, and item by item, in turns."""
    count = FULL if full else ITEMS
    own = Stack(port=free_port(), database="quittance_bench_due", redis_db=1, folder=FOLDER / "due")
    own.fresh()
    staged = ask(own, "stage", count)
    found: dict[str, list[float]] = {}
    days = iter(range(GROUPS))
    for _round in range(min(rounds, GROUPS // 5)):
        for name, processes in (("run", 1), ("bare", 1), ("run", 2), ("bare", 2), ("singly", 1)):
            measured = together(own, name, next(days), processes)
            ask(own, "rest", 0)
            claimed = sum(one["claimed"] for one in measured)
            intended = sum(one["intended"] for one in measured)
            assert claimed == intended, f"{claimed - intended} of {claimed} were stopped by a gate"
            seconds = max(one["began"] + one["seconds"] for one in measured) - min(one["began"] for one in measured)
            key = f"{name} {processes}"
            found.setdefault(key, []).append(claimed / seconds)
            found.setdefault(f"{key} items", []).append(claimed)
            worked = sum(one["worked"] for one in measured)
            found.setdefault(f"{key} worked", []).append(1e6 * worked / claimed)
            served = sum(one["served"] for one in measured)
            found.setdefault(f"{key} served", []).append(1e6 * served / claimed)
    note = (
        f"{staged['items']:,.0f} payments are scheduled on {staged['accounts']:,.0f} accounts;"
        f" {found['run 1 items'][0]:,.0f} of them are due on each measured day. Staging took"
        f" {staged['seconds']:.0f} s."
    )
    drop(own.database)
    return Section("due", "7. Due run", TOLD, lines(found), [note])


TOLD = (
    f"Scheduled card payments, {PER_ACCOUNT} per account, each account with its own consumer, card, signed"
    " authorization and proven notice, staged set-wise under all constraints, keys and row-level security. A run claims"
    " what is due with SKIP LOCKED, locks the accounts, finds every gate open and writes the payment, the item and two"
    " events (three rows and two row changes each), 2,000 items in a transaction; charging is left out. One run, then"
    " two at once on another day's items. Beside it as many rows copied from known ones into the same tables, by the"
    " same claim, under the same keys, indexes and row-level security, with no fact read and no question asked: the"
    f" floor of what PostgreSQL must do. Beside both the run with one item in a transaction, {ALONE} of them."
)


def lines(found: dict[str, list[float]]) -> list[Line]:
    """Make the table."""
    unit = "items/s"
    return [
        Line("one run: claimed, gated, queued", unit, found["run 1"], target=15_000),
        Line("two runs at once", unit, found["run 2"], target=15_000),
        Line("one run", unit, found["run 1"], found["singly 1"], "an item in a transaction"),
        Line("two runs at once", unit, found["run 2"], found["run 1"], "one run"),
        Line("one run", unit, found["run 1"], found["bare 1"], "the same rows, no gates"),
        Line("two runs at once", unit, found["run 2"], found["bare 2"], "the same rows, no gates"),
        Line("the same rows, no gates, two at once", unit, found["bare 2"]),
        Line("processor time of ours per item, one run", "µs", found["run 1 worked"]),
        Line("processor time of PostgreSQL per item, one run", "µs", found["run 1 served"]),
        Line("the same, no gates", "µs", found["bare 1 served"]),
        Line("one item in a transaction", unit, found["singly 1"]),
    ]


def ask(stack: Stack, name: str, number: int) -> dict:
    """Run one part in a process of its own, and read what it measured."""
    done = start(stack, name, number)
    said, _errors = done.communicate("\n")
    assert done.returncode == 0, f"{name} failed"
    return json.loads(said.splitlines()[-1])


def together(stack: Stack, name: str, number: int, processes: int) -> list[dict]:
    """Start runs that wait for each other, let them go at once, and read what each measured."""
    running = [start(stack, name, number) for _ in range(processes)]
    for one in running:
        assert one.stdout.readline().strip() == "ready"
    for one in running:
        one.stdin.write("\n")
        one.stdin.flush()
    said = [one.communicate()[0] for one in running]
    assert all(one.returncode == 0 for one in running), f"{name} failed"
    return [json.loads(text.splitlines()[-1]) for text in said]


def start(stack: Stack, name: str, number: int) -> subprocess.Popen:
    """Start one part in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.due_items", name, str(number)],
        cwd=CHECKOUT,
        env=stack.environment | {"DJANGO_SETTINGS_MODULE": "portal.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
