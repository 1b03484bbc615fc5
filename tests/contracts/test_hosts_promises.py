"""The connector kit: every sandbox host keeps every promise, and a host that does not is told which one."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import hosts
from integrations.models import Delivery, HostConnection
from integrations.services.promises import Check
from tests.conftest import NOW
from tests.integrations.host_program import HostProgram
from tests.integrations.styles import PERSON

STYLES = list(hosts.STYLES)
CUSTOMER = {
    "Customer": "100234",
    "Company": "C1",
    "Contact": {"First": "Jane", "Last": "Doe", "State": "NY", "Zip": "12207"},
    "Invoices": [{"Number": "V-1", "Due": "2026-08-01", "Amount": "150.00"}],
}


@pytest.fixture
def host(agency, other_agency, style, tmp_path):
    program = HostProgram(tmp_path, style)
    with acting_for(agency):
        row = HostConnection.objects.get()
        HostConnection.objects.update(style=style, base_url=program.url, name="Theirs", **hosts.defaults(style))
    with acting_for(other_agency):
        HostConnection.objects.update(name="Another")
    program.call("/_sandbox/configure", {"outbound_key": row.outbound_key})
    if style == "ledger":
        program.call("/_sandbox/customers", [CUSTOMER])
    else:
        record = {"FileNumber": "100234", "Status": "ACTIVE", "CurrentBalance": "150.00", **PERSON}
        program.call("/_sandbox/accounts", [record])
    yield program
    program.close()


def broken(agency) -> list[tuple[str, str]]:
    with acting_for(agency):
        check = Check(connection=HostConnection.objects.get(), reference="100234", now=NOW)
        return [(promise.name, promise.seen) for promise in check.promises() if not promise.kept]


@pytest.mark.parametrize("style", STYLES)
def test_the_sandbox_host_of_a_style_keeps_every_promise_and_nothing_is_left_behind(host, style):
    said = io.StringIO()
    call_command("check_host", "Theirs", reference="100234", stdout=said)
    lines = said.getvalue().splitlines()
    assert (len(lines), lines[-1]) == (15, "Every promise was kept.")
    assert all(line.startswith("kept") for line in lines[:-1])
    with acting_for(ALL_AGENCIES):
        assert (Account.objects.count(), Event.objects.count(), Delivery.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize("style", ["scollect"])
@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ({"mode": "wrong_body", "path": "/events"}, 11),
        ({"mode": "status", "status": 500, "path": "/accounts"}, 4),
    ],
)
def test_a_host_that_breaks_promises_is_told_which(host, style, agency, fault, names):
    host.call("/_sandbox/faults", fault | {"times": 10_000})
    assert len(broken(agency)) == names
    with pytest.raises(CommandError, match=f"{names} promises are broken"):
        call_command("check_host", "Theirs", reference="100234", stdout=io.StringIO())


@pytest.mark.parametrize("style", ["scollect"])
def test_a_host_that_takes_any_key_is_found_out(host, style, agency, monkeypatch):
    with acting_for(agency):
        HostConnection.objects.update(outbound_key="not-the-key")
    host.call("/_sandbox/configure", {"outbound_key": "not-the-key"})
    assert ("A wrong key is refused", "answered HTTP 200 to a wrong key") in broken(agency)


def test_a_connection_that_is_not_there_is_an_error(db, agency):
    with pytest.raises(CommandError, match="no such connection"):
        call_command("check_host", "Nobody", reference="1", stdout=io.StringIO())
