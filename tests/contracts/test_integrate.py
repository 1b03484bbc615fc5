"""The page for integrators is true: its blocks are run, in order, by a shell with curl, against the portal."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.tenancy import acting_for
from payments.models import Arrangement, Postdate
from settlements.models import Quote
from tests.conftest import make_account, make_agency
from tests.integrations.api_caller import Caller

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="no curl or bash here"),
]


def test_the_blocks_of_the_page_lead_from_an_account_to_an_arrangement(live_server):
    account = make_account(make_agency("acme"), sol_status="live", as_of=timezone.now())
    make_account(make_agency("birch"), sol_status="live")
    caller = Caller(account.agency, "accounts:read", "quotes:read", "quotes:write")
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S)
    assert len(blocks) == 6
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(f"echo '# block'\n{block}" for block in blocks)],
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PORTAL": live_server.url,
            "KEY": caller.text,
            "REFERENCE": account.reference,
            "no_proxy": "*",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _words, found, options, figures, accepted, replayed = [
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
