"""RF-37: every message of an agency can be saved, with when, to whom, why not and at what cost; of one agency only."""

import csv
import datetime as dt
import json
from io import StringIO

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Consumer, ContactPoint
from accounts.tenancy import acting_for
from campaigns.models import MailProvider, Message
from campaigns.services import audit, outbox, texts
from tests.campaigns import campaign_cast as cast
from tests.campaigns.conftest import make_mobile, run
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, refusal
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db
LATER = NOW + dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


def notice(account, *, cause: str, now=NOW) -> Message:
    return outbox.queue(
        template="payment_failed", consumer=account.consumer, account=account, cause=cause, language="en",
        contact_point=account.consumer.contact_points.get(kind="email"), now=now,
        facts={"name": "Jane", "outcome": "declined", "amount": "$1", "rows": []},
    )  # fmt: skip


@pytest.fixture
def written(acting, agency, account, provider, texting, others_account, others_provider) -> set[str]:
    """A campaign with somebody left out, a notice, a text, what nobody may be sent; a notice of the other agency."""
    MailProvider.objects.update(cents_per_thousand=80)
    crowd = cast.people(agency, 3)
    Consumer.objects.filter(pk=crowd[2].consumer_id).update(state="NY", zip="12207")
    cast.run(cast.approved())
    notice(account, cause="one")
    number = make_mobile(account.consumer)
    texts.queue(
        template="text_help", consumer=account.consumer, contact_point=number, account=account, cause="two",
        language="en", answers=True, now=NOW,
    )  # fmt: skip
    run(NOW)
    ContactPoint.objects.filter(consumer=account.consumer, kind="email").update(bad_at=NOW)
    notice(account, cause="three", now=LATER)
    with acting_for(others_account.agency):
        notice(others_account, cause="one")
    return {str(key) for key in Message.objects.values_list("pk", flat=True)}


def lines(answer) -> list[dict]:
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.getvalue().splitlines()]


def test_rf_37_the_export_holds_every_message_id_of_the_agency_and_none_of_the_other(
    written, agency, other_agency, monkeypatch
):
    monkeypatch.setattr(audit, "CHUNK", 2)
    found = lines(Caller(agency).get("messages/export"))
    assert len(found) == len(written) == 5
    assert {one["message"] for one in found} == written
    with acting_for(other_agency):
        theirs = {str(key) for key in Message.objects.values_list("pk", flat=True)}
    assert {one["message"] for one in lines(Caller(other_agency).get("messages/export"))} == theirs
    assert len(theirs) == 1
    assert theirs & written == set()


def test_a_line_says_when_to_whom_about_what_and_at_what_cost(written, account, agency, sandbox, provider):
    found = lines(Caller(agency).get("messages/export"))
    campaign = [one for one in found if one["campaign"]]
    assert {(one["campaign"], one["template"], one["template_version"]) for one in campaign} == {
        ("December", "settlement_offer", "1")
    }
    assert all(len(one["body_sha256"]) == 64 for one in campaign)
    (mail,) = [one for one in found if one["template"] == "payment_failed" and one["status"] != "held"]
    assert (mail["to"], mail["reference"], mail["cost_cents"], mail["fee_cents"]) == (
        "j•••@acme.example.com",
        "100234",
        "0.080",
        0,
    )
    assert mail["sent_at"] == NOW.isoformat()
    (held,) = [one for one in found if one["status"] == "held"]
    assert (held["reason"], held["sent_at"], held["cost_cents"]) == ("bad_address", "", "0.000")
    assert held["held_at"] == LATER.isoformat()
    message = Message.objects.get(pk=mail["message"])
    outbox.tell("message.delivered", message, now=LATER)
    (again,) = [one for one in lines(Caller(agency).get("messages/export")) if one["message"] == mail["message"]]
    assert again["delivered_at"] == LATER.isoformat()


def test_what_the_gate_held_carries_its_reasons_with_the_rules(acting, account, provider, agency):
    notice(account, cause="one")
    ContactPoint.objects.update(opted_out_at=NOW)
    run(NOW)
    (line,) = lines(Caller(agency).get("messages/export"))
    assert (line["status"], line["reason"]) == ("held", "opted_out")
    assert {"code": "opted_out", "rules": ["RF-07", "EML-04"]} in line["denials"]


def test_it_is_narrowed_by_time_kind_channel_and_status_and_written_as_a_table(written, agency):
    caller = Caller(agency)
    assert [one["channel"] for one in lines(caller.get("messages/export?channel=text"))] == ["text"]
    assert {one["template"] for one in lines(caller.get("messages/export?template=payment_failed"))} == {
        "payment_failed"
    }
    until = LATER.isoformat().replace("+00:00", "Z")
    assert len(lines(caller.get(f"messages/export?until={until}"))) == 4
    assert [one["status"] for one in lines(caller.get(f"messages/export?since={until}"))] == ["held"]
    table = caller.get("messages/export?format=csv")
    assert table["Content-Disposition"] == 'attachment; filename="messages.csv"'
    rows = list(csv.DictReader(StringIO(table.getvalue().decode())))
    assert {row["message"] for row in rows} == written
    assert refusal(caller.get("messages/export?status=lost")) == (400, "invalid_parameter")


def test_an_auditor_saves_it_on_the_staff_page_and_nobody_of_the_other_agency_gets_it(written, agency, other_agency):
    page = reverse("admin:campaigns_message_audit")
    browser = signed_in(member(agency, "auditor"))
    assert "what it cost" in browser.get(page).content.decode()
    asked = {"since": "", "until": "", "channel": "", "status": "", "format": "ndjson"}
    found = lines(browser.post(page, asked))
    assert {one["message"] for one in found} == written
    theirs = lines(signed_in(member(other_agency, "auditor")).post(page, asked))
    assert {one["message"] for one in theirs} & written == set()
