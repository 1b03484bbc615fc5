"""How fast offers are worked out: one account at a time, and a draft beside the live rules over a whole portfolio."""

import json
import subprocess
import sys

from portal.local import CHECKOUT
from portal.local.stack import Stack, free_port
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import FOLDER, Stage

ACCOUNTS, FULL = 200_000, 1_000_000
ENGINE, LOOP = 20_000, 500
"""Accounts whose facts the pure functions are asked about, and that the ORM loop walks over."""


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Stage the portfolio in a database of its own; then engine, reading, simulator and loop in turns."""
    count = FULL if full else ACCOUNTS
    own = Stack(port=free_port(), database="quittance_bench_offers", redis_db=1, folder=FOLDER / "offers")
    own.fresh()
    staged = ask(own, "stage", count)
    found: dict[str, list[float]] = {}
    for _round in range(rounds):
        for name, some in (("engine", ENGINE), ("read", count), ("simulate", count), ("loop", LOOP)):
            for label, value in ask(own, name, some).items():
                found.setdefault(f"{name} {label}", []).append(value)
    assert len(set(found["simulate done"])) == len(set(found["simulate changed"])) == 1, found
    note = (
        f"{found['simulate done'][0]:,.0f} of the {count:,} accounts are open with a balance;"
        f" {found['simulate changed'][0]:,.0f} would be offered something else. Staging took"
        f" {staged['seconds']:.0f} s. Processor time leaves out what other processes took of the cores."
    )
    drop(own.database)
    return Section("offers", "6. Offers over a portfolio", TOLD.format(count=count), lines(found), [note])


TOLD = (
    "{count:,} accounts of one agency with 30 clients: six bands of the agency, 20 clients with rules of their own, a"
    " draft of the agency that changes every percent, closes one band and bans bank debits in the others; 5 % of the"
    " accounts have an offer of their own, 1 % a payment that the host does not show yet. The simulator runs as the"
    " worker runs it, in a fresh process: reading, computing live beside draft, adding up, saving after every 20,000."
    " The ORM loop walks over model instances with the rules compiled once, asks what is owed and what was offered,"
    " and calls the whole engine twice."
)


def lines(found: dict[str, list[float]]) -> list[Line]:
    """Make the table."""
    unit, simulated, loop = "accounts/s", found["simulate rate"], found["loop rate"]
    return [
        Line("headline, computed", unit, found["engine headline"], target=100_000),
        Line("headline, by its own processor time", unit, found["engine headline of processor"]),
        Line("headline, live beside draft", unit, found["engine beside"]),
        Line("everything open to an account (`offered`)", "quotes/s", found["engine offered"]),
        Line("a settlement with its schedule (`answer`)", "quotes/s", found["engine answer settlement"]),
        Line("a plan with its schedule (`answer`)", "quotes/s", found["engine answer plan"]),
        Line("simulation, live beside draft", unit, simulated, target=50_000),
        Line("simulation, live beside draft", unit, simulated, loop, "ORM loop"),
        Line("simulation, live beside draft", unit, simulated, found["read rate"], "reading the same rows alone"),
        Line("simulation, by its own processor time", unit, found["simulate of processor"]),
        Line("simulation of the portfolio", "s", found["simulate seconds"]),
        Line("peak memory of the process", "MB", found["simulate after"]),
        Line("of it before the simulation", "MB", found["simulate before"]),
        Line("reading alone", unit, found["read rate"]),
        Line("ORM loop", unit, loop),
    ]


def drop(database: str) -> None:
    """Give the space back."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{database}" WITH (FORCE)')


def ask(stack: Stack, name: str, count: int) -> dict:
    """Run one part in a process of its own, and read what it measured."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.portfolio", name, str(count)],
        cwd=CHECKOUT,
        env=stack.environment | {"DJANGO_SETTINGS_MODULE": "portal.settings"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout)
