"""How many accounts a second a file brings, and how much memory that takes, beside COPY and bulk_create."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.accounts_floor import changed_set_wise, copied_set_wise
from tests.benchmarks.push import bulk_created, copied, rows_of
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import Stage

ACCOUNTS = 10_000
FULL = 1_000_000
PROGRAM = """
import json, sys, time
import django
django.setup()
from django.utils import timezone
from accounts import events
from accounts.tenancy import acting_for
from integrations.models import HostConnection, HostFile
from integrations.services import files, intake
from tests.benchmarks.memory import most_mb
events.listeners.clear()
path, kind, connection_id, agency_id = sys.argv[1:]
with acting_for(agency_id):
    connection = HostConnection.objects.get(pk=connection_id)
    with open(path, "rb") as source:
        blocks = iter(lambda: source.read(2**20), b"")
        words = {"name": path, "source": "command", "by": "bench", "now": timezone.now()}
        file, _is_new = files.receive(connection=connection, kind=kind, blocks=blocks, **words)
    base = most_mb()
began = time.perf_counter()
while not intake.work(clock=timezone.now, longest=3600):
    pass
took = time.perf_counter() - began
with acting_for(agency_id):
    file = HostFile.objects.get(pk=file.pk)
peak = most_mb()
print(json.dumps({"took": took, "peak": peak, "base": base, "state": file.state, "counts": file.counts}))
"""


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Bring new accounts, the same again, changed balances by update and as a whole; then COPY the same rows."""
    found: dict[str, list[float]] = {}
    count = FULL if full else ACCOUNTS
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            records = stage.records(count)
            path = Path(folder) / f"{number}.ndjson"
            note = found.setdefault

            def bring(name: str, lines, kind: str, verdict: str, path=path, note=note, count=count) -> None:
                with path.open("w") as out:
                    out.writelines(json.dumps(line) + "\n" for line in lines)
                said = take(stage, path, kind)
                assert said["counts"][verdict] == count, said
                note(name, []).append(count / said["took"])
                note("memory", []).append(said["peak"])
                note("grown", []).append(said["peak"] - said["base"])

            bring("new", records, "placement", "accepted")
            bring("again", [*records[1:], records[0]], "placement", "unchanged")
            bring("update", (update(record) for record in records), "update", "accepted")
            whole = (record | {"Version": 9, "CurrentBalance": "980.00"} for record in records)
            bring("changed", whole, "placement", "accepted")
            some = [record["FileNumber"] for record in records[:5_000]]
            tables = rows_of(stage, some)
            note("copy all", []).append(len(some) / copied(tables))
            note("copy account", []).append(len(some) / copied(tables[:1]))
            note("bulk all", []).append(len(some) / bulk_created(stage, tables))
            note("floor", []).append(len(some) / copied_set_wise(stage, tables))
            note("floor changed", []).append(len(some) / changed_set_wise(stage, tables))
    return Section("files", "3b. Accounts brought by a file", TOLD.format(count=count), lines(found))


TOLD = (
    "An NDJSON file of {count:,} full account records (a consumer, a phone and an e-mail address each), sealed on the"
    " disk, applied by one process in transactions of 1,000; an update names balance and version only. COPY and"
    " bulk_create as in section 3: neither reads, checks, links or seals. Nor do “the same rows, no questions”, which"
    " go into the real tables under all their keys, indexes, triggers and row-level security."
)


def update(record: dict) -> dict:
    """Name only a new balance."""
    return {
        "FileNumber": record["FileNumber"],
        "AsOf": "2026-01-02T14:00:00Z",
        "Version": 8,
        "CurrentBalance": "990.00",
    }


def take(stage: Stage, path: Path, kind: str) -> dict:
    """Apply a file in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-c", PROGRAM, str(path), kind, str(stage.connection.pk), str(stage.agency.pk)]
    done = subprocess.run(
        command, env=os.environ | stage.stack.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["state"] == "applied", said
    return said


def lines(found: dict[str, list[float]]) -> list[Line]:
    """Make the table."""
    unit = "accounts/s"
    return [
        Line(
            "changed by an update file", unit, found["update"], found["copy account"], "COPY of the account rows", 0.6
        ),
        Line("changed, whole records", unit, found["changed"], found["copy all"], "COPY of all rows", 0.6),
        Line("changed by an update file", unit, found["update"], found["floor changed"], "the same rows, no questions"),
        Line("new accounts", unit, found["new"], found["copy all"], "COPY of all rows"),
        Line("new accounts", unit, found["new"], found["floor"], "the same rows, no questions"),
        Line("new accounts", unit, found["new"], found["bulk all"], "bulk_create of all rows"),
        Line("the same lines again", unit, found["again"], found["new"], "new accounts", 3),
        Line("COPY of all rows", unit, found["copy all"]),
        Line("COPY of the account rows", unit, found["copy account"]),
        Line("bulk_create of all rows", unit, found["bulk all"]),
        Line("the same rows, no questions: new", unit, found["floor"]),
        Line("the same rows, no questions: changed", unit, found["floor changed"]),
        Line("most memory of the process", "MB", found["memory"], target=150, at_most=True),
        Line("memory beyond the idle process", "MB", found["grown"]),
    ]
