"""The page for integrators is true: its blocks are run, in order, by a shell with curl, against the portal."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import HostConnection
from integrations.services.route import route
from payments.models import Arrangement, Postdate
from settlements.models import Quote
from tests.conftest import make_account, make_agency
from tests.integrations.api_caller import Caller

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="no curl or bash here"),
]


@pytest.fixture
def routing():
    """Give events their sequence meanwhile, as the drain does."""
    over = threading.Event()

    def go_on() -> None:
        with acting_for(ALL_AGENCIES):
            while not over.wait(0.2):
                route(now=timezone.now())
        connection.close()

    running = threading.Thread(target=go_on)
    running.start()
    yield
    over.set()
    running.join()


def test_the_blocks_of_the_page_lead_from_an_account_to_an_arrangement_and_its_event(live_server, routing):
    agency = make_agency("acme")
    with acting_for(agency):
        # The agency's other system has the same number, and was here first.
        other = HostConnection.objects.create(agency=agency, name="Other host", style="scollect")
    make_account(agency, sol_status="live", as_of=timezone.now(), connection_id=other.pk)
    account = make_account(agency, sol_status="live", as_of=timezone.now())
    make_account(make_agency("birch"), sol_status="live")
    scopes = ("accounts:read", "quotes:read", "quotes:write", "events:read", "sessions:write", "payments:record")
    caller = Caller(account.agency, *scopes)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S)
    assert len(blocks) == 9
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(f"echo '# block'\n{block}" for block in blocks)],
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PORTAL": live_server.url,
            "KEY": caller.text,
            "CONNECTION": str(account.connection_id),
            "REFERENCE": account.reference,
            "no_proxy": "*",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _words, found, options, figures, accepted, replayed, heard, link, check = [
        part.strip().splitlines() for part in done.stdout.split("# block\n")[1:]
    ]
    with acting_for(account.agency):
        quote, arrangement = Quote.objects.get(), Arrangement.objects.get()
        assert Postdate.objects.count() == 3
    assert found == [f"account {account.pk}"]
    assert options[:3] == ["full 100000", "settlement 75000", "parts 75000"]
    assert options[3] == "plan ['no_plan']"
    assert figures == [
        *(f"{day} {cents}" for day, cents in quote.lines),
        "total 75000 saves 25000 if it breaks: balance",
    ]
    assert accepted == [str(arrangement.pk)]
    assert replayed == ["Idempotent-Replayed: true"]
    assert heard == ["[('arrangement.created', '100234')] True"]
    assert re.fullmatch(r"http://acme\.\S+/s/[\w-]{22}/", link[0]), link
    assert check == ["succeeded"]
