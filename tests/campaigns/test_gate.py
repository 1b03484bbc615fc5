"""The gate over real rows: at dispatch, for hosts with a place held, and every decision written down."""

import datetime as dt
import threading
import uuid

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Consent, Consumer, ContactPoint, Event, QuietTime
from accounts.tenancy import acting_for
from campaigns.models import ContactDecision, ContactPolicy, Message
from campaigns.services import gate, send
from campaigns.services.gate import Asked
from tests.campaigns.test_send import queue
from tests.conftest import NOW, make_account, make_agency
from tests.integrations.api_caller import Caller, refusal

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
VALIDATED = dt.date(2026, 6, 1)


def asked(account, **more) -> Asked:
    point = ContactPoint.objects.filter(consumer=account.consumer, kind="email").order_by("pk").first()
    base = {"channel": "email", "purpose": "reminder", "consumer": account.consumer, "account": account}
    return Asked(**base | {"point": point} | more)


def codes(account, now=NOW, **more) -> list[str]:
    ((_facts, judgement),) = gate.judge([asked(account, **more)], now=now)
    return [denial.code for denial in judgement.denials]


@pytest.fixture
def elsewhere(acting, account):
    """The same account in Pennsylvania, where no pack adds anything."""
    Consumer.objects.update(state="PA", zip="19103")
    Account.objects.update(validation_sent_on=VALIDATED)
    account.refresh_from_db()
    account.consumer.refresh_from_db()
    return account


def test_a_message_queued_at_20_59_and_dispatched_at_21_01_waits_for_the_morning(acting, account, provider, mails):
    """RF-01, RF-02: the hour that counts is the hour of leaving."""
    evening = NOW.replace(hour=1, minute=59) + dt.timedelta(days=1)
    message = queue(account, evening)
    send.drain(now=evening + dt.timedelta(minutes=2))
    message.refresh_from_db()
    assert (message.status, message.reason, mails()) == ("queued", "outside_hours", [])
    assert message.next_at == dt.datetime(2026, 12, 2, 13, 0, tzinfo=dt.UTC)
    (row,) = ContactDecision.objects.all()
    assert (row.allowed, row.hold_until, row.zones) == (False, message.next_at, ["America/New_York"])
    send.drain(now=message.next_at)
    message.refresh_from_db()
    assert (message.status, len(mails())) == ("sent", 1)
    assert list(ContactDecision.objects.order_by("pk").values_list("allowed", "outcome")) == [
        (False, ""),
        (True, "used"),
    ]


def test_rf_03_a_telephone_number_of_another_zone_narrows_the_hours(acting, account, provider, mails):
    message = queue(account, NOW)
    ContactPoint.objects.create(consumer=account.consumer, kind="phone", value="+18085550100", value_key="+18085550100")
    send.drain(now=NOW)
    message.refresh_from_db()
    assert (message.status, message.reason) == ("queued", "outside_hours")
    assert message.next_at == dt.datetime(2026, 12, 1, 18, 0, tzinfo=dt.UTC)  # eight in Honolulu, one in New York


@pytest.mark.parametrize("mode", ["error_500", "error_429"])
def test_a_message_that_is_handed_over_twice_counts_once(elsewhere, provider, sandbox, now, mode):
    sandbox.fault(provider.domain, mode)
    message = queue(elsewhere, now)
    send.drain(now=now)
    # After a 5xx the provider is asked first, and has it not.
    for _look in range(2):
        send.drain(now=now + HOUR)
    message.refresh_from_db()
    assert (message.attempts, message.status) == (2, "sent")
    assert ContactDecision.objects.filter(message=message, allowed=True).count() == 1


def test_rf_07_a_medium_that_was_stopped_stays_stopped_for_addresses_that_come_later(elsewhere):
    assert codes(elsewhere) == []
    Consent.objects.create(consumer=elsewhere.consumer, kind="email", granted=False, version="", source="page", at=NOW)
    new = ContactPoint.objects.create(
        consumer=elsewhere.consumer, kind="email", value="b@gmail.com", value_key="b@gmail.com", route="RF-13"
    )
    assert codes(elsewhere, point=new) == ["medium_stopped"]
    Consent.objects.create(
        consumer=elsewhere.consumer,
        contact_point=new,
        kind="email",
        granted=True,
        version="1",
        source="page",
        at=NOW + HOUR,
    )
    assert codes(elsewhere, point=new) == []
    assert codes(elsewhere) == ["medium_stopped"]


def test_rf_28_nobody_is_first_about_a_debt_by_calling_it_a_reminder_and_a_notice_before_a_payment_goes(elsewhere):
    Account.objects.update(validation_sent_on=None)
    elsewhere.refresh_from_db()
    assert codes(elsewhere) == ["validation_missing"]
    assert codes(elsewhere, purpose="notice") == []
    said = queue(elsewhere, NOW)
    Message.objects.filter(pk=said.pk).update(status="sent", sent_at=NOW)
    assert codes(elsewhere) == []


def test_rf_04_times_that_the_consumer_called_inconvenient_are_kept_free(elsewhere, others_account):
    row = QuietTime.objects.create(
        consumer=elsewhere.consumer, weekday=1, starts=dt.time(9), ends=dt.time(12), source="page", at=NOW
    )
    assert codes(elsewhere) == ["inconvenient_time"]
    QuietTime.objects.filter(pk=row.pk).update(ended_at=NOW)
    assert codes(elsewhere) == []


def test_st_05_in_new_york_the_consumers_own_consent_covers_the_debts_that_were_here_by_then(acting, account):
    Account.objects.update(validation_sent_on=VALIDATED, created_at=NOW - HOUR)
    account.refresh_from_db()
    assert codes(account) == ["consent_ny"]
    point = account.consumer.contact_points.get()
    Consent.objects.create(
        consumer=account.consumer, contact_point=point, kind="email", granted=True, version="1", source="page", at=NOW
    )
    assert codes(account) == []
    later = make_account(account.agency, consumer=account.consumer, reference="2", validation_sent_on=VALIDATED)
    Account.objects.filter(pk=later.pk).update(created_at=NOW + HOUR)
    later.refresh_from_db()
    assert codes(later) == ["consent_ny"]


def test_the_agencys_policy_narrows_and_the_database_lets_it_do_nothing_else(elsewhere):
    ContactPolicy.objects.create(opens=dt.time(11), most_in_week=1)
    assert codes(elsewhere) == ["outside_hours"]
    with pytest.raises(Exception, match="contact_hours_within_the_law"), transaction.atomic():
        ContactPolicy.objects.update(opens=dt.time(7))


def test_a_batch_costs_the_same_number_of_queries_whatever_its_size(elsewhere):
    with CaptureQueriesContext(
        connection,
    ) as one:
        gate.judge([asked(elsewhere)], now=NOW)
    others = [make_account(elsewhere.agency, reference=str(number)) for number in range(5)]
    batch = [asked(account) for account in others]
    with CaptureQueriesContext(connection) as many:
        gate.judge(batch, now=NOW)
    assert len(many) <= len(one) <= 13


# For hosts ------------------------------------------------------------------------------------------------------


def ask(caller, account, **more):
    return caller.post("contact-permission", {"account": str(account.pk), "channel": "call"} | more)


def test_a_host_asks_and_holds_a_place_until_it_says_what_became_of_it(elsewhere, others_account, monkeypatch):
    caller = Caller(elsewhere.agency)
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)
    said = ask(caller, elsewhere)
    assert said.status_code == 201, said.content
    body = said.json()
    assert (body["allowed"], body["denials"], body["ask_again_at"]) == (True, [], None)
    assert body["expires_at"] == "2026-12-01T15:15:00Z"
    assert "RF-09" in body["checked"]
    done = caller.post(f"contact-permission/{body['id']}", {"outcome": "conversation"})
    assert (done.status_code, done.json()) == (200, {"id": body["id"], "outcome": "conversation"})
    again = ask(caller, elsewhere).json()
    assert [denial["code"] for denial in again["denials"]] == ["talked_this_week"]
    assert again["ask_again_at"] == "2026-12-08T15:00:00Z"
    with acting_for(others_account.agency):
        Account.objects.update(validation_sent_on=VALIDATED)
    assert ask(Caller(others_account.agency), others_account).json()["allowed"]
    assert refusal(ask(Caller(others_account.agency), elsewhere)) == (404, "not_found")
    assert ContactDecision.objects.count() == 2


def test_rf_28_a_host_that_names_no_purpose_is_told_that_the_validation_notice_is_missing(
    elsewhere, others_account, monkeypatch
):
    """What it leaves out is a reminder; the other agency's account, whose notice went out, is another matter."""
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)
    Account.objects.update(validation_sent_on=None)
    with acting_for(others_account.agency):
        Account.objects.update(validation_sent_on=VALIDATED)
    said = ask(Caller(elsewhere.agency), elsewhere).json()
    assert [(denial["code"], denial["rules"]) for denial in said["denials"]] == [("validation_missing", ["RF-28"])]
    assert (said["allowed"], said["ask_again_at"]) == (False, None)
    assert ask(Caller(others_account.agency), others_account).json()["allowed"]


def test_rf_09_the_eighth_place_is_not_given_and_one_that_lapsed_is_free_again(elsewhere, monkeypatch):
    caller = Caller(elsewhere.agency)
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)
    held = [ask(caller, elsewhere).json() for _number in range(7)]
    assert all(permission["allowed"] for permission in held)
    assert [denial["code"] for denial in ask(caller, elsewhere).json()["denials"]] == ["too_many_calls"]
    caller.post(f"contact-permission/{held[0]['id']}", {"outcome": "released"})
    assert ask(caller, elsewhere).json()["allowed"]
    monkeypatch.setattr("accounts.clock.now", lambda: NOW + dt.timedelta(minutes=16))
    assert ask(caller, elsewhere).json()["allowed"]


def test_an_address_that_nobody_told_us_of_is_denied(elsewhere, monkeypatch):
    caller = Caller(elsewhere.agency)
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)
    said = ask(caller, elsewhere, channel="email", address="who@gmail.com").json()
    assert [(denial["code"], denial["rules"]) for denial in said["denials"]] == [("no_address", ["RF-12"])]
    assert ask(caller, elsewhere, channel="email", address="JANE@acme.example.com").json()["allowed"]
    assert refusal(ask(caller, elsewhere, channel="pigeon")) == (422, "invalid")


@pytest.mark.django_db(transaction=True)
def test_two_hosts_that_ask_at_once_do_not_both_get_the_last_place(db):
    agency = make_agency("acme")
    account = make_account(agency, validation_sent_on=VALIDATED)
    with acting_for(agency):
        for _number in range(6):
            ContactDecision.objects.create(
                consumer=account.consumer, account=account, channel="call", purpose="reminder", allowed=True,
                rules_version="1", asked_by="key:1", at=NOW - HOUR, outcome="used",
            )  # fmt: skip
    barrier, answers = threading.Barrier(2), []

    def run():
        from campaigns.services import permission

        try:
            with acting_for(agency):
                barrier.wait(10)
                got = permission.ask(
                    account=account, channel="call", purpose="reminder", address="", offer_expires_on=None,
                    by=f"key:{uuid.uuid4()}", now=NOW,
                )  # fmt: skip
                answers.append(got.allowed)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False, True]


def test_a_decision_is_evidence_that_nobody_deletes(elsewhere, now):
    one = asked(elsewhere)
    gate.record([one], gate.judge([one], now=now), by="message", now=now)
    with pytest.raises(Exception, match="Cannot delete"), transaction.atomic():
        ContactDecision.objects.all().delete()
    assert not Event.objects.exists()
    assert not Message.objects.exists()
