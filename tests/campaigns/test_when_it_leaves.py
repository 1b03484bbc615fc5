"""The hour and the week that count are those in which a message leaves, not those in which its run began."""

import datetime as dt

import pytest
from django.db import transaction

from accounts.models import Consumer, Event
from accounts.tenancy import acting_for
from campaigns.models import Campaign, ContactDecision, Message, Recipient
from campaigns.services import audience, campaigns, handover, launch, send
from tests.campaigns.campaign_cast import approved, people, run, template
from tests.campaigns.conftest import make_mobile
from tests.campaigns.test_send import queue
from tests.campaigns.test_texts import pay_link
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
EVENING = dt.datetime(2026, 12, 2, 1, 59, 30, tzinfo=dt.UTC)
"""Half a minute before nine in New York."""
MORNING = dt.datetime(2026, 12, 2, 13, tzinfo=dt.UTC)
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


@pytest.fixture
def slow(passed, monkeypatch):
    """Every request takes a minute, to the provider of mails and to the carrier."""
    from campaigns.channels import mailgun, twilio

    def slowly(real):
        def asked(*args, **values):
            passed.seconds += 60
            return real(*args, **values)

        return asked

    def transport(real=mailgun.transport, **values):
        made = real(**values)
        made.send_messages = slowly(made.send_messages)
        return made

    monkeypatch.setattr(mailgun, "transport", transport)
    monkeypatch.setattr(twilio, "send", slowly(twilio.send))


def reminder(name="reminder", **values) -> Campaign:
    return approved(offer={}, version=template("reminder", name), **values)


def sent_at() -> list[dt.datetime]:
    return list(Message.objects.filter(status="sent").order_by("sent_at").values_list("sent_at", flat=True))


def waiting() -> list[tuple]:
    rows = Recipient.objects.filter(status="waiting")
    return list(rows.values_list("reason", "next_at", "message__status", "message__reason"))


def test_rf_01_rf_02_each_request_of_a_batch_leaves_by_the_time_it_is_by_then(
    acting, agency, provider, others_account, mails, slow, monkeypatch
):
    """The provider takes no lists, so three readers are three requests."""
    monkeypatch.delattr("campaigns.channels.mailgun.batch")
    people(agency, 3)
    campaign = reminder()
    launch.run(now=EVENING - MINUTE)
    assert sent_at() == [EVENING - MINUTE, EVENING]
    told = Event.objects.filter(kind="message.sent").order_by("data__sent_at").values_list("data__sent_at", flat=True)
    assert list(told) == [(EVENING - MINUTE).isoformat(), EVENING.isoformat()]
    assert waiting() == [("outside_hours", MORNING, "held", "outside_hours")]
    assert len(mails()) == 2
    assert run(campaign, now=MORNING).status == Campaign.Status.FINISHED
    assert (sent_at()[2], len(mails())) == (MORNING, 3)


def test_rf_01_readers_of_the_second_language_are_a_later_request_and_wait_for_the_morning(
    acting, agency, provider, others_account, mails, slow
):
    for account in people(agency, 4)[2:]:
        Consumer.objects.filter(pk=account.consumer_id).update(language="es")
    reminder()
    launch.run(now=EVENING)
    assert sent_at() == [EVENING] * 2
    assert waiting() == [("outside_hours", MORNING, "held", "outside_hours")] * 2
    assert len(mails()) == 2
    denied = ContactDecision.objects.filter(allowed=False)
    assert list(denied.values_list("at", "hold_until")) == [(EVENING + MINUTE, MORNING)] * 2


def test_rf_01_every_batch_and_every_agency_is_judged_by_the_time_it_is_by_then(
    acting, agency, other_agency, provider, others_provider, sandbox, mails, slow, monkeypatch
):
    monkeypatch.setitem(launch.send_batch.__kwdefaults__, "limit", 2)
    for number, one in enumerate((agency, other_agency)):
        with acting_for(one):
            people(one, 3)
            assert campaigns.start(campaign=reminder(), now=NOW + number * MINUTE)
    launch.run(now=EVENING)
    assert (sent_at(), waiting()) == ([EVENING] * 2, [("outside_hours", MORNING, None, None)])
    assert len(mails()) == 2
    with acting_for(other_agency):
        assert (sent_at(), waiting()) == ([], [("outside_hours", MORNING, None, None)] * 3)
    assert sandbox.call("GET", f"/_sandbox/messages?domain={others_provider.domain}") == []


def test_rf_01_rf_02_each_text_of_a_batch_leaves_by_the_time_it_is_by_then(
    acting, agency, texting, others_account, went, slow
):
    for number, account in enumerate(people(agency, 3)):
        make_mobile(account.consumer, number=f"+1215555010{number}")
    campaign = approved(offer={}, version=template("reminder_text"), channel="text")
    launch.run(now=EVENING - MINUTE)
    assert (sent_at(), len(went())) == ([EVENING - MINUTE, EVENING], 2)
    assert waiting() == [("outside_hours", MORNING, "held", "outside_hours")]
    run(campaign, now=MORNING)
    assert (sent_at()[2], len(went())) == (MORNING, 3)


def test_rf_01_the_last_of_ten_mails_waits_when_those_before_it_took_until_nine_and_an_answer_does_not(
    acting, account, provider, mails, slow
):
    begins = EVENING - MINUTE
    first, second, third = (queue(account, begins, cause=f"m{number}") for number in range(3))
    answer = queue(account, begins, cause="asked for", answers=True)
    send.drain(now=begins)
    found = [Message.objects.get(pk=one.pk) for one in (first, second, answer)]
    assert [(one.status, one.sent_at) for one in found] == [
        ("sent", begins),
        ("sent", EVENING),
        ("sent", EVENING + MINUTE),
    ]
    third.refresh_from_db()
    assert (third.status, third.reason, third.attempts) == ("queued", "outside_hours", 0)
    send.drain(now=EVENING + 2 * MINUTE)
    third.refresh_from_db()
    assert (third.status, third.next_at, len(mails())) == ("queued", MORNING, 3)
    send.drain(now=MORNING)
    third.refresh_from_db()
    assert (third.status, third.sent_at, third.attempts) == ("sent", MORNING, 1)


def test_rf_01_a_text_waits_when_those_before_it_took_until_nine(account, mobile, texting, went, slow):
    begins = EVENING - MINUTE
    for number in range(3):
        pay_link(account, mobile, begins, cause=f"c{number}")
    send.drain(now=begins)
    assert (sent_at(), len(went())) == ([begins, EVENING], 2)
    left = Message.objects.get(status="queued")
    assert (left.reason, left.attempts) == ("outside_hours", 0)
    send.drain(now=EVENING + 2 * MINUTE)
    send.drain(now=MORNING)
    assert (sent_at()[2], len(went())) == (MORNING, 3)


def test_rf_09_what_was_held_for_a_week_counts_from_the_day_it_left(acting, agency, provider, others_account, mails):
    """Judged on one day and halted, it leaves eight days later where the consumer lives by then."""
    (account,) = people(agency, 1)
    campaign = reminder()
    assert campaigns.start(campaign=campaign, now=NOW)
    while audience.freeze(campaign, now=NOW):
        pass
    campaigns.frozen(campaign=campaign, now=NOW)
    begun = Campaign.objects.select_related("version_a__template", "version_b__template").get(pk=campaign.pk)
    with transaction.atomic():
        _touched, leaving = launch._prepare(begun, now=NOW, limit=launch.BATCH)
    assert campaigns.pause(campaign=campaign, reason="look", now=NOW) == []
    handover.give(begun, leaving, now=NOW)
    assert (waiting(), mails()) == ([("campaign_halted", None, "held", "campaign_halted")], [])
    Consumer.objects.filter(pk=account.consumer_id).update(zip="90012", state="CA", time_zone="America/Los_Angeles")
    left_at = dt.datetime(2026, 12, 9, 18, tzinfo=dt.UTC)
    assert campaigns.resume(campaign=campaign, now=left_at) == []
    run(campaign, now=left_at)
    permission = ContactDecision.objects.get(message=leaving[0].message.pk, allowed=True)
    assert (permission.at, permission.outcome, permission.zones) == (left_at, "used", ["America/Los_Angeles"])
    for number in (1, 2, 3):
        last = run(reminder(f"again {number}"), now=left_at + number * DAY)
    assert sent_at() == [left_at, left_at + DAY, left_at + 2 * DAY]
    (denied,) = ContactDecision.objects.filter(allowed=False)
    assert [one["code"] for one in denied.denials] == ["too_often"]
    assert waiting() == [("too_often", left_at + 7 * DAY, None, None)]
    assert (last.status, len(mails())) == (Campaign.Status.SENDING, 3)
