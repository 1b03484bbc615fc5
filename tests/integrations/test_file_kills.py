"""A file whose process is killed at any moment is finished by the next one: nothing lost, nothing doubled."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from integrations.models import HostConnection, HostFile
from tests.integrations.file_cast import change, record

ROOT = Path(__file__).parents[2]
ACCOUNTS = int(os.environ.get("FILE_KILL_ACCOUNTS", "400"))
KILLS = int(os.environ.get("FAULTS_COUNT", "3"))


def start(folder: Path, agency, kind: str, path: Path) -> subprocess.Popen:
    """Run `manage.py take_file` on the tests' database, in small chunks."""
    with acting_for(agency):
        connection_id = HostConnection.objects.values_list("pk", flat=True).get()
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    environment = os.environ | {"DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}"}
    environment |= {"FILES_DIR": str(folder), "FILE_CHUNK": "20"}
    command = [sys.executable, "manage.py", "take_file", str(connection_id), kind, str(path)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def done_line(agency) -> int:
    with acting_for(agency):
        found = HostFile.objects.order_by("-made_at").values_list("done_line", "state").first()
    return 0 if found is None else found[0]


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_killed_again_and_again_a_file_is_applied_once(agency, other_agency, tmp_path):
    chance = random.Random(7)
    placement, update = tmp_path / "placement.ndjson", tmp_path / "update.ndjson"
    numbers = [str(number) for number in range(ACCOUNTS)]
    placement.write_text("".join(json.dumps(record(number)) + "\n" for number in numbers))
    update.write_text("".join(json.dumps(change(number, CurrentBalance="5.00")) + "\n" for number in numbers))
    kills = 0
    for kind, path in (("placement", placement), ("update", update)):
        while True:
            before = done_line(agency)
            process = start(tmp_path / "vault", agency, kind, path)
            if kills < KILLS * (1 if kind == "placement" else 2):
                until = time.monotonic() + 60
                while done_line(agency) <= before and process.poll() is None and time.monotonic() < until:
                    time.sleep(0.01)
                time.sleep(chance.random() * 0.2)
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
            out, _err = process.communicate(timeout=300)
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, out
    with acting_for(agency):
        found = {file.kind: file for file in HostFile.objects.all()}
        assert [found[kind].state for kind in ("placement", "update")] == ["applied", "applied"]
        for file in found.values():
            assert (file.counts["received"], file.counts["accepted"], file.counts["refused"]) == (ACCOUNTS, ACCOUNTS, 0)
        assert Account.objects.filter(balance_cents=5_00).count() == ACCOUNTS
        for kind in ("account.placed", "balance.changed"):
            assert Event.objects.filter(kind=kind).count() == ACCOUNTS
        assert Event.objects.count() == 2 * ACCOUNTS
    with acting_for(other_agency):
        assert Account.objects.count() == Event.objects.count() == 0
    assert kills >= min(KILLS, 1)
