"""The examples of account records in our own document and pages are taken as they stand."""

import json
import re

import pytest

from accounts.tenancy import acting_for
from integrations import formats
from integrations.api.hosts import RECORD as PUSHED
from integrations.api.placing import RECORD as PLACED
from integrations.formats.check import check
from integrations.lines import Limits
from integrations.models import HostConnection
from integrations.services import receive
from tests.conftest import NOW
from tests.contracts.host_pages import PAGES

COUNTS = {"received": 1, "accepted": 1, "unchanged": 0, "stale": 0, "refused": 0}


@pytest.mark.parametrize("record", [PUSHED, PLACED], ids=["push_accounts", "place_accounts"])
def test_the_records_of_the_api_document_are_taken(record, agency, other_agency):
    with acting_for(agency):
        answer = receive.take(connection=HostConnection.objects.get(), records=[record], now=NOW)
    assert answer == COUNTS | {"errors": [], "unlisted_errors": 0}


def test_the_mapping_on_the_page_of_files_makes_accounts_that_are_taken(agency, other_agency):
    (text,) = re.findall(r"```json\n(.*?)```", (PAGES.parent / "files.md").read_text(), re.S)
    mapping = json.loads(text)
    assert check(mapping, whole=True) == []
    body = "Ref;Bal;Placed;Name;St;Cell;CellOk;Type\n4711;100000;11/30/2026;Byron, Ada;A;2125550142;Y;D\n;;;;;;;T\n"
    (line,) = formats.preview(mapping, body.encode("cp1252"), limits=Limits(10_000, 10_000, 10))
    assert line["errors"] == []
    with acting_for(agency):
        record = line["record"] | {"AsOf": "2026-12-01T14:00:00Z"}
        answer = receive.take(connection=HostConnection.objects.get(), records=[record], now=NOW)
    assert answer == COUNTS | {"errors": [], "unlisted_errors": 0}


@pytest.mark.parametrize("name", ["FileNumber", "Status", "ClientNumber", "CurrentBalance", "LastName"])
def test_a_mapping_of_placements_that_leaves_out_what_an_account_must_have_is_not_kept(name):
    (text,) = re.findall(r"```json\n(.*?)```", (PAGES.parent / "files.md").read_text(), re.S)
    mapping = json.loads(text)
    mapping["fields"] = [field for field in mapping["fields"] if field["to"] != name]
    said = [(error.pointer, error.code, name in error.message) for error in check(mapping, whole=True)]
    assert said == [("/fields", "required", True)]
    assert (check(mapping) == []) is (name != "FileNumber")
