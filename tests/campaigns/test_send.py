"""The hand-over to the provider: once, again when it must be, never blindly twice (EML-01, EML-02)."""

import datetime as dt

import pytest
from django.db import connection

from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns import tasks
from campaigns.models import MailProvider, Message
from campaigns.services import outbox, send
from tests.campaigns.conftest import run, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(acting, account, now) -> Message:
    """A message that waits: the failure of a payment, in office hours."""
    return queue(account, now)


def queue(account, now, cause="one", **values) -> Message:
    return outbox.queue(
        template="payment_failed",
        consumer=account.consumer,
        contact_point=account.consumer.contact_points.get(),
        account=account,
        cause=cause,
        language="en",
        facts={"name": "Jane", "amount": "$1.00", "outcome": "returned", "day": "December 1, 2026", "rows": []},
        now=now,
        **values,
    )


def seconds(count: float) -> dt.timedelta:
    return dt.timedelta(seconds=count)


def test_a_message_is_sent_once_and_told(message, provider, mails, now):
    assert send.drain(now=now) == 1
    assert send.drain(now=now + seconds(3600)) == 0
    message.refresh_from_db()
    assert (message.status, message.sent_at, message.attempts) == ("sent", now, 1)
    (mail,) = mails()
    assert message.provider_id == mail["message_id"] == f"<{message.pk.hex}@{provider.domain}>"
    assert told() == ["message.queued", "message.sent"]


def test_every_mail_can_be_stopped_by_one_click_and_is_marked_with_its_agency_stream_and_template(
    message, provider, mails, now
):
    send.drain(now=now)
    (mail,) = mails()
    headers = {name.lower(): value for name, value in mail["headers"]}
    assert headers["list-unsubscribe"].startswith("<http://acme.localhost")
    assert "/stop/" in headers["list-unsubscribe"]
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert headers["list-unsubscribe"].strip("<>") in mail["text"]
    assert mail["tags"] == ["notices", "payment_failed"]
    assert mail["tracking"] == {"opens": True, "clicks": "yes"}
    assert mail["variables"] == {"agency": str(message.agency_id), "message": str(message.pk)}


def test_a_sender_name_that_tells_is_left_out(message, provider, mails, now):
    MailProvider.objects.update(from_name="Acme Debt Collection")
    send.drain(now=now)
    assert mails()[0]["from"] == provider.from_address


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_provider_is_asked(message, provider, now, monkeypatch):
    seen = []
    real = send.channels.provider("mailgun").transport

    def watched(**values):
        transport = real(**values)
        sending = transport.send_messages
        transport.send_messages = lambda mails: seen.append(connection.in_atomic_block) or sending(mails)
        return transport

    monkeypatch.setattr("campaigns.channels.mailgun.transport", watched)
    send.drain(now=now)
    assert seen == [False]


def test_a_provider_that_says_not_now_is_asked_again_on_the_listed_schedule(message, provider, mails, sandbox, now):
    sandbox.fault(provider.domain, "error_429", times=2)
    send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.next_at) == ("queued", now + seconds(5))
    assert message.reason == "http_429"
    send.drain(now=now + seconds(5))
    message.refresh_from_db()
    assert message.next_at == now + seconds(35)
    send.drain(now=now + seconds(35))
    message.refresh_from_db()
    assert (message.status, message.attempts) == ("sent", 3)
    assert len(mails()) == 1


@pytest.mark.parametrize(("mode", "steps"), [("error_429", 1), ("error_500", 2)])
def test_a_provider_that_stays_in_trouble_fails_the_message_in_the_end(message, provider, sandbox, now, mode, steps):
    attempts = len(send.AGAIN_SECONDS) + 1
    sandbox.fault(provider.domain, mode, times=attempts)
    Message.objects.update(anytime_until=now + dt.timedelta(days=9))
    for _step in range(attempts * steps):
        message.refresh_from_db()
        assert message.status == "queued"
        send.drain(now=message.next_at)
    message.refresh_from_db()
    assert (message.status, message.reason, message.attempts) == ("failed", f"gave_up: http_{mode[-3:]}", attempts)
    assert told("message.failed") == ["message.failed"]


@pytest.mark.parametrize(("mode", "attempts"), [("error_500", 2), ("error_500_after_effect", 1)])
def test_what_broke_at_the_provider_is_asked_about_and_comes_once_whether_it_took_effect_or_not(
    message, provider, mails, sandbox, now, mode, attempts
):
    sandbox.fault(provider.domain, mode)
    send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.reason) == ("queued", "no_answer: http_500")
    later = now + send.ASK_AFTER_OTHERS
    assert send.drain(now=later - seconds(1)) == 0
    while send.drain(now=later):
        pass
    message.refresh_from_db()
    assert (message.status, message.attempts, len(mails())) == ("sent", attempts, 1)
    assert told() == ["message.queued", "message.sent"]


def test_a_wrong_key_waits_for_staff_and_loses_nothing(message, provider, mails, now):
    MailProvider.objects.filter(pk=provider.pk).update(api_key="wrong")
    send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.reason) == ("queued", "http_401")
    provider.save()
    send.drain(now=now + seconds(5))
    assert len(mails()) == 1


def test_a_provider_that_does_not_listen_is_asked_again(message, provider, now):
    MailProvider.objects.filter(pk=provider.pk).update(api_url="http://127.0.0.1:9/v3")
    send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.reason, message.attempts) == ("queued", "ConnectionError", 1)
    # There was no connection to be heard through: that is a clear no.
    assert message.next_at == now + seconds(5)


def test_a_refused_message_fails_at_once_and_is_told(message, account, provider, now):
    point = account.consumer.contact_points.get()
    type(point).objects.update(value="not an address at all")
    send.drain(now=now)
    message.refresh_from_db()
    assert message.status == "failed"
    assert told("message.failed") == ["message.failed"]


def test_an_answer_that_is_lost_is_not_followed_by_a_second_mail_before_the_provider_could_say_so(
    message, provider, mails, sandbox, now
):
    sandbox.fault(provider.domain, "drop_after_effect")
    send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.reason) == ("queued", "no_answer: ConnectionError")
    assert message.next_at == now + send.ASK_AFTER_OTHERS
    send.drain(now=now + seconds(60))
    assert len(mails()) == 1
    # The webhook "accepted" comes in meanwhile: track tells the outbox.
    outbox.sent(message_id=message.pk, provider_id="", at=now, now=now + seconds(70))
    send.drain(now=now + dt.timedelta(hours=1))
    assert len(mails()) == 1


@pytest.mark.parametrize("mode", ["drop_after_effect", "garbled"])
def test_when_answer_and_webhooks_are_lost_the_provider_is_asked_and_nobody_gets_it_twice(
    message, provider, mails, sandbox, now, mode
):
    sandbox.fault(provider.domain, mode)
    send.drain(now=now)
    later = now + send.ASK_AFTER_OTHERS
    assert send.drain(now=later - seconds(1)) == 0
    assert send.drain(now=later) == 1
    assert send.drain(now=later + dt.timedelta(hours=1)) == 0
    (mail,) = mails()
    message.refresh_from_db()
    assert (message.status, message.attempts, message.provider_id) == ("sent", 1, mail["message_id"])
    assert told() == ["message.queued", "message.sent"]


def test_a_message_that_the_provider_has_not_got_goes_out_once_more(message, provider, mails, sandbox, now):
    sandbox.fault(provider.domain, "drop_before_effect")
    send.drain(now=now)
    later = now + send.ASK_AFTER_OTHERS
    assert (send.drain(now=later), mails()) == (1, [])
    message.refresh_from_db()
    assert (message.status, message.reason, message.next_at) == ("queued", send.NOT_THERE, later)
    assert send.drain(now=later) == 1
    message.refresh_from_db()
    assert (message.status, message.attempts, len(mails())) == ("sent", 2, 1)


def test_while_the_provider_does_not_say_nothing_is_sent_and_after_a_day_it_has_failed(
    message, provider, mails, sandbox, now
):
    sandbox.fault(provider.domain, "drop_before_effect")
    sandbox.fault(provider.domain, "list_500", times=2)
    send.drain(now=now)
    later = now + send.ASK_AFTER_OTHERS
    send.drain(now=later)
    message.refresh_from_db()
    assert (message.status, message.reason) == ("queued", "no_answer: http_500")
    assert message.next_at == later + send.LEASE_OTHERS
    send.drain(now=now + outbox.ANSWERED_WITHIN + seconds(1))
    message.refresh_from_db()
    assert (message.status, message.reason, mails()) == ("failed", "no_answer", [])


def test_a_process_that_was_away_for_longer_than_its_claim_hands_nothing_over(message, provider, mails, now):
    with acting_for(ALL_AGENCIES):
        (claimed,), _hopeless, _touched = send._claim(now=now, limit=10)
    assert send.drain(now=now + send.LEASE_OTHERS) == 1
    with acting_for(message.agency_id):
        send._hand_over_all([claimed], now=now + send.LEASE_OTHERS)
    assert len(mails()) == 1
    assert told() == ["message.queued", "message.sent"]


def test_a_worker_that_dies_after_the_claim_leaves_a_lease_and_the_same_message_id(message, provider, mails, now):
    with acting_for(ALL_AGENCIES):
        (claimed,), _hopeless, _touched = send._claim(now=now, limit=10)
    assert send.drain(now=now + seconds(60)) == 0
    send.drain(now=now + send.LEASE_OTHERS)
    (mail,) = mails()
    assert mail["message_id"] == claimed.provider_id
    message.refresh_from_db()
    assert (message.status, message.attempts) == ("sent", 2)


def test_codes_go_first_and_a_batch_is_small(acting, account, provider, mails, now):
    for number in range(send.BATCH + 5):
        queue(account, now, cause=f"m{number}")
    security = queue(account, now, cause="last")
    Message.objects.filter(pk=security.pk).update(stream="security", cause="code:" + str(security.pk))
    assert send.drain(now=now) == send.BATCH
    security.refresh_from_db()
    assert (security.status, security.reason) == ("held", "code_expired")  # looked at first: no such code


def test_without_a_provider_messages_wait(message, now):
    run(now)
    message.refresh_from_db()
    assert (message.status, message.reason, message.attempts) == ("queued", "no_provider", 0)


def test_opting_out_after_the_queue_and_before_dispatch_holds_the_message(message, account, provider, mails, now):
    account.consumer.contact_points.update(opted_out_at=now)
    send.drain(now=now)
    assert mails() == []
    message.refresh_from_db()
    assert (message.status, message.reason) == ("held", "opted_out")


@pytest.mark.parametrize(
    ("hour", "minute", "second", "leaves"),
    [(12, 59, 59, False), (13, 0, 0, True), (1, 59, 59, True), (2, 0, 0, False)],
)
def test_messages_leave_between_eight_and_nine_where_the_consumer_lives(
    message, provider, mails, hour, minute, second, leaves
):
    moment = dt.datetime(2026, 12, 3, hour, minute, second, tzinfo=dt.UTC)
    send.drain(now=moment)
    assert bool(mails()) is leaves
    message.refresh_from_db()
    if not leaves:
        assert message.next_at == dt.datetime(2026, 12, 3, 13, 0, tzinfo=dt.UTC)


def test_one_agency_s_broken_provider_does_not_hold_the_other_s_mail(
    message, provider, others_account, other_agency, others_provider, sandbox, now
):
    MailProvider.objects.filter(pk=provider.pk).update(backend="pigeon")
    with acting_for(other_agency):
        queue(others_account, now)
    send.drain(now=now)
    assert len(sandbox.call("GET", f"/_sandbox/messages?domain={others_provider.domain}")) == 1
    message.refresh_from_db()
    assert message.status == "queued"


def test_a_nudge_never_fails_whoever_nudges(monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("no broker")

    monkeypatch.setattr(tasks._redis, "set", broken)
    tasks.wake()
    monkeypatch.setattr(tasks._redis, "set", lambda *_args, **_kwargs: True)
    monkeypatch.setattr(tasks.poll, "delay", broken)
    tasks.wake()


def test_many_nudges_ask_for_one_run(monkeypatch):
    asked, there = [], []
    monkeypatch.setattr(tasks._redis, "set", lambda *_a, **_k: not there and (there.append(1) or True))
    monkeypatch.setattr(tasks._redis, "delete", lambda *_a: there.clear())
    monkeypatch.setattr(tasks.poll, "delay", lambda: asked.append(1))
    tasks.wake()
    tasks.wake()
    assert len(asked) == 1
    tasks._awake()
    tasks.wake()
    assert len(asked) == 2


def test_the_task_does_all_of_it(message, provider, mails, monkeypatch, now):
    monkeypatch.setattr(tasks.clock, "now", lambda: now)
    tasks.poll()
    assert len(mails()) == 1
