"""A host's operational contacts get a mail when its circuit opened, and one when it closed again."""

import datetime as dt

import pytest

from accounts import events
from accounts.models import ReaderPosition
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.models import MailProvider
from integrations.http import Heard
from integrations.models import HostConnection
from integrations.services import receivers
from integrations.services.judge import Fate, Judgement, Verdict
from portal import host_contacts
from tests.campaigns.conftest import make_provider, sandbox  # noqa: F401 - fixture
from tests.conftest import NOW

MINUTE = dt.timedelta(minutes=1)
LOCKED_OUT = Judgement([Verdict(Fate.AGAIN, "no such key, said Jane Doe")], host_failed=True, locked_out=True)
HEARD = Heard(401, b"", "", "", 1.0)
pytestmark = pytest.mark.django_db


def watched(agency, sandbox) -> HostConnection:  # noqa: F811 - fixture
    """Give an agency a mail account, and its host two contacts and a line that is none."""
    make_provider(agency, sandbox)
    contacts = f"ops@{agency.slug}.example.com\nnobody at all\nit@{agency.slug}.example.com"
    with acting_for(agency):
        HostConnection.objects.update(name="Main host", contacts=contacts)
        return HostConnection.objects.get()


@pytest.fixture
def host(agency, other_agency, sandbox) -> HostConnection:  # noqa: F811 - fixture
    watched(other_agency, sandbox)
    row = watched(agency, sandbox)
    for one in (agency, other_agency):
        with acting_for(one):
            ReaderPosition.objects.create(reader=host_contacts.READER)
    return row


def goes_down(host, *, at=NOW) -> None:
    receivers.failed(receivers.line_to(host, lambda: at), HEARD, LOCKED_OUT, now=at)


def comes_back(host, *, at=NOW) -> None:
    receivers.succeeded(receivers.line_to(host, lambda: at), now=at)


def look() -> int:
    with acting_for(ALL_AGENCIES):
        events.assign_sequences()
    return host_contacts.tell()


@pytest.fixture
def mails(sandbox, host):  # noqa: F811 - fixture
    with acting_for(host.agency_id):
        domain = MailProvider.objects.get().domain

    def listed(to: str = "ops@acme.example.com") -> list[str]:
        return [mail["subject"] for mail in sandbox.mails(to) if mail["domain"] == domain]

    return listed


def test_one_mail_when_it_goes_down_and_one_when_it_is_back(host, mails, sandbox):  # noqa: F811 - fixture
    assert look() == 0
    goes_down(host)
    assert (look(), look()) == (1, 0)
    goes_down(host, at=NOW + MINUTE)  # still: no change
    assert look() == 0
    comes_back(host, at=NOW + 90 * MINUTE)
    assert (look(), look()) == (1, 0)
    said = ["Main host can be reached again", "Main host cannot be reached"]
    assert mails() == mails("it@acme.example.com") == said
    assert mails("ops@birch.example.com") == []
    back, down = (mail["text"] for mail in sandbox.mails("ops@acme.example.com")[:2])
    assert "since 2026-12-01 10:00 EST" in down
    assert "after 90 min" in back
    assert "Jane" not in down + back
    assert "Doe" not in down + back


def test_an_outage_that_is_over_by_the_next_look_and_a_host_that_flaps_are_not_told_each_time(host, mails):
    goes_down(host)
    comes_back(host)
    assert look() == 0
    for _time in range(3):
        goes_down(host)
        comes_back(host)
    goes_down(host)
    assert look() == 1
    assert mails() == ["Main host cannot be reached"]


def test_a_mail_that_the_provider_did_not_take_goes_with_the_next_look(host, mails, sandbox):  # noqa: F811 - fixture
    goes_down(host)
    with acting_for(host.agency_id):
        sandbox.fault(MailProvider.objects.get().domain, "error_500")
    assert (look(), mails()) == (0, [])
    assert (look(), mails()) == (1, ["Main host cannot be reached"])


def test_an_agency_whose_mail_account_is_of_a_kind_that_nobody_knows_keeps_no_other_from_being_told(
    host, other_agency, mails
):
    for one in (host.agency, other_agency):
        with acting_for(one):
            goes_down(HostConnection.objects.get())
    with acting_for(other_agency):
        MailProvider.objects.update(backend="pigeon")
    assert (look(), mails()) == (1, ["Main host cannot be reached"])


@pytest.mark.parametrize(
    "change", [{"contacts": ""}, {"contacts": "not an address"}, {"is_active": False}], ids=["none", "bad", "off"]
)
def test_who_has_no_contacts_and_what_is_switched_off_writes_to_nobody(host, mails, change):
    goes_down(host)
    with acting_for(host.agency_id):
        HostConnection.objects.update(**change)
    assert (look(), mails()) == (0, [])


def test_what_was_before_the_first_look_is_told_to_nobody(host, mails):
    with acting_for(host.agency_id):
        ReaderPosition.objects.filter(reader=host_contacts.READER).delete()
    goes_down(host)
    assert (look(), mails()) == (0, [])
    comes_back(host)
    assert (look(), mails()) == (1, ["Main host can be reached again"])
