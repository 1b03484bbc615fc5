"""The pages for a host's engineer are true: their tables are the code's, their examples are run, their host works."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from accounts.tenancy import acting_for
from integrations import http
from integrations.hosts import STYLES, BadRecord, adapter
from integrations.models import HostConnection
from integrations.services import receive
from integrations.services.promises import Check
from tests.conftest import NOW
from tests.contracts import host_pages

KEY = "the-key-of-the-example"
ENDPOINT = host_pages.PAGES / "endpoint.py"


def blocks(style: str) -> list:
    page = (host_pages.PAGES / f"{style}.md").read_text()
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.S)]


@pytest.mark.parametrize("style", STYLES)
def test_a_page_says_what_the_adapter_reads_and_writes_today(style):
    page = (host_pages.PAGES / f"{style}.md").read_text()
    assert page == host_pages.page(style), "python -m tests.contracts.host_pages"


@pytest.mark.parametrize("style", STYLES)
def test_the_record_of_a_page_is_taken_without_a_remark(style, agency, other_agency):
    with acting_for(agency):
        HostConnection.objects.update(style=style, **host_pages.defaults(style))
        connection = HostConnection.objects.get()
        answer = receive.take(connection=connection, records=[blocks(style)[0]], now=NOW)
    counts = {"received": 1, "accepted": 1, "unchanged": 0, "stale": 0, "refused": 0}
    assert answer == counts | {"errors": [], "unlisted_errors": 0}


@pytest.mark.parametrize("style", STYLES)
def test_a_record_without_a_field_that_a_page_calls_needed_is_refused_at_that_field(style):
    speaks = adapter(style, host_pages.words(style))
    needed = [path for path, field in host_pages.fields_of(host_pages.STYLES[style].fields) if field.required]
    assert len(needed) >= 5
    for path in needed:
        (record, *_more) = getattr(speaks, "unfold", lambda one: [one])(json.loads(json.dumps(blocks(style)[0])))
        *way, last = path.split("/")
        place = record
        for step in way:
            place = place[step]
        del place[last]
        with pytest.raises(BadRecord) as refused:
            speaks.read(record)
        assert f"/{path}" in [error.pointer for error in refused.value.errors], path


@pytest.mark.parametrize("style", STYLES)
def test_the_answer_of_a_page_is_understood(style):
    results = adapter(style, host_pages.words(style)).read_results(blocks(style)[-1])
    assert [(one.taken, one.known, one.reason) for one in results.values()] == [
        (True, False, ""),
        (True, True, ""),
        (False, False, "No such account."),
    ]


@contextmanager
def running(program: str, agency, tmp_path: Path):
    """Run a host that is written so, with the agency's connection leading to it."""
    (tmp_path / "endpoint.py").write_text(program)
    arguments = ["--port", "0", "--key", KEY, "--data", str(tmp_path / "host.sqlite")]
    command = [sys.executable, str(tmp_path / "endpoint.py"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        try:
            with acting_for(agency):
                HostConnection.objects.update(base_url=host.stdout.readline().strip(), outbound_key=KEY)
                yield HostConnection.objects.get()
        finally:
            host.kill()


def broken(connection: HostConnection) -> list[str]:
    promises = list(Check(connection=connection, reference="100234", now=NOW).promises())
    assert len(promises) == 14
    return [promise.name for promise in promises if not promise.kept]


def test_the_example_host_keeps_every_promise_also_where_its_account_is_placed_already(agency, other_agency, tmp_path):
    with running(ENDPOINT.read_text(), agency, tmp_path) as connection:
        assert broken(connection) == []
        asked = receive.adapter_for(connection).account_request("100234")
        record = receive.decode(http.ask(asked, timeout=5, answer_limit=10_000).body)
        assert receive.take(connection=connection, records=[record], now=NOW)["accepted"] == 1
        assert broken(connection) == []


def test_a_host_that_knows_no_event_again_is_told_so(agency, other_agency, tmp_path):
    forgetful = ENDPOINT.read_text().replace("INSERT OR IGNORE", "INSERT OR REPLACE")
    with running(forgetful, agency, tmp_path) as connection:
        assert broken(connection) == [
            "The same event again is known by its id",
            "So is one that is told again after later ones",
            "After an answer that was lost it is known by its id",
            "So it is after an answer that came too late",
        ]


def test_a_host_that_changes_a_record_without_its_version_is_told_so(agency, other_agency, tmp_path):
    restless = ENDPOINT.read_text().replace(
        "return self.answer(200, ACCOUNT)",
        'ACCOUNT["CurrentBalance"] = str(int(float(ACCOUNT["CurrentBalance"])) + 1)\n'
        "            return self.answer(200, ACCOUNT)",
    )
    with running(restless, agency, tmp_path) as connection:
        assert broken(connection) == ["Its record can be taken twice, and an older one is told apart"]
