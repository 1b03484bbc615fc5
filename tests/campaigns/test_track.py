"""What providers tell: proven, stored, applied exactly once (EML-05, RF-35)."""

import datetime as dt
import hashlib
import hmac
import json

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts import clock
from accounts.models import Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.models import MailEvent, MailProvider, Message
from campaigns.services import send, track
from payments.models import Notice
from tests.campaigns.conftest import make_mail, make_plan, run, told, wait_for
from tests.campaigns.test_send import queue
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db
TOKENS = iter(range(10**6))


@pytest.fixture
def sent(acting, account, provider, now) -> Message:
    """A message that the provider took."""
    message = queue(account, now)
    send.drain(now=now)
    return message


def signed(provider, message, event, *, key=None, token=None, at=None, **more) -> dict:
    """Make a webhook as Mailgun does."""
    token = token or f"token-{next(TOKENS)}"
    stamp = str(int((at or dt.datetime.now(dt.UTC)).timestamp()))
    digest = hmac.new((key or provider.signing_key).encode(), f"{stamp}{token}".encode(), hashlib.sha256)
    return {
        "signature": {"timestamp": stamp, "token": token, "signature": digest.hexdigest()},
        "event-data": {
            "event": event,
            "id": token,
            "timestamp": 1796137200.5,
            "recipient": "jane@acme.example.com",
            "user-variables": {"message": str(message.pk), "agency": str(message.agency_id)},
            "message": {"headers": {"message-id": message.provider_id.strip("<>")}},
            **more,
        },
    }


BOUNCE = {"severity": "permanent", "reason": "bounce", "delivery-status": {"code": 550, "message": "No such user"}}


def post(provider, body, **headers):
    return Client().post(
        f"/hooks/mail/{provider.pk}",
        body if isinstance(body, bytes) else json.dumps(body),
        content_type=headers.pop("content_type", "application/json"),
        headers={"host": "localhost", **headers},
    )


def tell(provider, message, event, now, **more) -> None:
    assert post(provider, signed(provider, message, event, **more)).status_code == 200
    track.apply(now=now + dt.timedelta(hours=1))
    message.refresh_from_db()


def test_a_code_waits_for_a_second_of_news_at_most_and_each_agency_has_its_turn(
    agency, others_account, provider, others_provider, account, now, monkeypatch
):
    for one, its in ((account, provider), (others_account, others_provider)):
        with acting_for(one.agency):
            for cause in ("1", "2"):
                assert (
                    post(its, signed(its, make_mail(one, its, now=now, cause=cause), "failed", **BOUNCE)).status_code
                    == 200
                )
    seconds = iter((0, 0, 1))
    monkeypatch.setattr("accounts.clock.monotonic", lambda: next(seconds))
    assert track.apply(now=now) == 2
    with acting_for(ALL_AGENCIES):
        applied = MailEvent.objects.exclude(applied_at=None)
        assert set(applied.values_list("agency_id", flat=True)) == {account.agency_id, others_account.agency_id}
        assert MailEvent.objects.filter(applied_at=None).count() == 2


def test_a_delivered_message_is_told_once_however_often_the_webhook_comes(sent, provider, now):
    body = signed(provider, sent, "delivered")
    for _again in range(3):
        assert post(provider, body).status_code == 200
    assert MailEvent.objects.count() == 1
    for _again in range(2):
        track.apply(now=now)
    sent.refresh_from_db()
    assert sent.status == "delivered"
    assert told() == ["message.queued", "message.sent", "message.delivered"]


def test_an_event_has_the_provider_s_time_the_account_and_a_masked_address(sent, provider, account, now):
    tell(provider, sent, "delivered", now)
    event = Event.objects.get(kind="message.delivered")
    assert event.occurred_at == dt.datetime.fromtimestamp(1796137200.5, tz=dt.UTC)
    assert event.account_id == account.pk
    assert event.data["to"] == "j•••@acme.example.com"
    assert event.data["message"] == str(sent.pk)


def test_first_opening_and_first_click_are_told_without_the_opt_out_token(sent, provider, now):
    tell(provider, sent, "opened", now)
    tell(provider, sent, "opened", now)
    tell(provider, sent, "clicked", now, url="http://acme.localhost:8000/stop/SECRET:TOKEN/?a=b")
    tell(provider, sent, "clicked", now, url="http://acme.localhost:8000/")
    assert told("message.opened", "message.clicked") == ["message.opened", "message.clicked"]
    assert Event.objects.get(kind="message.clicked").data["url"] == "http://acme.localhost:8000/stop//"
    assert "SECRET" not in str(list(MailEvent.objects.values_list("body")))
    assert sent.opened_at is not None


@pytest.mark.parametrize("bot", ["apple", "gmail", "generic"])
@pytest.mark.parametrize("by_sets", [True, False])
def test_what_a_machine_opens_or_follows_is_kept_and_told_to_nobody_until_a_person_looks(
    agency, other_agency, account, others_account, provider, others_provider, now, bot, by_sets
):
    def read(theirs, message, by) -> Message:
        for event in ("opened", "clicked"):
            said = signed(theirs, message, event, url="http://x.localhost/", **{"client-info": {"bot": by}})
            assert post(theirs, said).status_code == 200
        if by_sets:
            track.apply(now=now + dt.timedelta(hours=1))
        for key in MailEvent.objects.filter(applied_at=None).order_by("pk").values_list("pk", flat=True):
            track._apply_once(MailEvent, key, now=now + dt.timedelta(hours=1))
        message.refresh_from_db()
        return message

    looked_at = dt.datetime.fromtimestamp(1796137200.5, tz=dt.UTC)
    for mine, of, theirs in ((agency, account, provider), (other_agency, others_account, others_provider)):
        with acting_for(mine):
            message = queue(of, now)
            send.drain(now=now)
            read(theirs, message, bot)
            assert (message.opened_at, message.clicked_at) == (None, None)
            assert told("message.opened", "message.clicked") == []
            read(theirs, message, "")
            assert (message.opened_at, message.clicked_at) == (looked_at, looked_at)
            assert told("message.opened", "message.clicked") == ["message.opened", "message.clicked"]
            kept = list(MailEvent.objects.order_by("pk").values_list("outcome", flat=True))
            assert kept == ["opened by a machine", "clicked by a machine", "opened", "clicked"]


def test_staff_see_in_the_inbox_what_a_machine_opened_and_which_message(sent, provider, agency, other_agency, now):
    tell(provider, sent, "opened", now, **{"client-info": {"bot": "apple"}})
    shown = signed_in(member(agency, "agency admin")).get("/admin/campaigns/mailevent/").content.decode()
    assert "opened by a machine" in shown
    assert f"/admin/campaigns/message/{sent.pk}/change/" in shown
    theirs = signed_in(member(other_agency, "agency admin")).get("/admin/campaigns/mailevent/").content.decode()
    assert str(sent.pk) not in theirs


@pytest.mark.parametrize(
    "change",
    [
        {"key": "sign-of-somebody-else"},
        {"at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
    ],
)
def test_a_webhook_that_proves_nothing_is_refused_and_not_stored(sent, provider, change):
    answer = post(provider, signed(provider, sent, "delivered", **change))
    assert (answer.status_code, answer.json()["code"]) == (403, "invalid_signature")
    assert MailEvent.objects.count() == 0


def test_a_signature_is_as_old_as_the_machine_says_while_the_product_s_clock_is_ahead(
    sent, provider, settings, tmp_path
):
    settings.CLOCK_FILE = str(tmp_path / "clock")
    clock.move(clock.now() + dt.timedelta(days=90))
    assert post(provider, signed(provider, sent, "delivered")).status_code == 200
    assert MailEvent.objects.get().received_at > dt.datetime.now(dt.UTC) + dt.timedelta(days=89)
    stale = signed(provider, sent, "delivered", at=dt.datetime.now(dt.UTC) - dt.timedelta(days=2))
    assert post(provider, stale).status_code == 403


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"signature": 1}', b'{"signature": {"token": "\\u00e9"}}', b"\xff"]
)
def test_rubbish_is_refused_like_a_wrong_signature(provider, body):
    assert post(provider, body).status_code == 403


def test_the_unsigned_form_of_old_is_refused(sent, provider):
    assert post(provider, b"event=delivered", content_type="application/x-www-form-urlencoded").status_code == 403


def test_a_provider_without_a_signing_key_believes_nobody(sent, provider):
    MailProvider.objects.update(signing_key="")
    assert post(provider, signed(provider, sent, "delivered", key=" ")).status_code == 403


def test_the_other_agency_s_key_opens_no_door(sent, provider, others_provider):
    body = signed(provider, sent, "delivered", key=others_provider.signing_key)
    assert post(provider, body).status_code == 403


def test_the_other_agency_cannot_speak_about_our_message(sent, provider, others_provider, other_agency, now):
    assert post(others_provider, signed(others_provider, sent, "complained")).status_code == 200
    track.apply(now=now)
    sent.refresh_from_db()
    assert sent.status == "sent"
    with acting_for(other_agency):
        assert MailEvent.objects.get().outcome == "complained: no message of ours"


def test_an_unknown_provider_and_a_look_are_refused(provider, agency):
    assert (
        Client().post(f"/hooks/mail/{agency.pk}", b"{}", "application/json", headers={"host": "localhost"}).status_code
        == 404
    )
    assert Client().get(f"/hooks/mail/{provider.pk}", headers={"host": "localhost"}).status_code == 405


def test_a_hard_bounce_gives_the_address_up(sent, provider, account, now):
    tell(provider, sent, "failed", now, **BOUNCE)
    assert (sent.status, sent.reason) == ("bounced", "bounce: 550 No such user")
    assert account.consumer.contact_points.get().bad_at is not None
    assert Event.objects.get(kind="message.bounced").data["reason"] == "bounce: 550 No such user"
    tell(provider, sent, "delivered", now)
    assert sent.status == "bounced"


def test_a_temporary_failure_changes_nothing(sent, provider, account, now):
    tell(provider, sent, "failed", now, severity="temporary", reason="generic")
    assert sent.status == "sent"
    assert account.consumer.contact_points.get().bad_at is None


def test_a_full_mailbox_loses_the_message_but_not_the_address(sent, provider, account, now):
    tell(provider, sent, "failed", now, severity="permanent", reason="old")
    assert sent.status == "bounced"
    assert account.consumer.contact_points.get().bad_at is None


def test_a_complaint_gives_the_address_up(sent, provider, account, now):
    tell(provider, sent, "complained", now)
    assert sent.status == "complained"
    assert account.consumer.contact_points.get().bad_at is not None


@pytest.mark.parametrize("bot", ["", "generic"])
def test_unsubscribing_at_the_provider_opts_the_address_out(sent, provider, account, now, bot):
    tell(provider, sent, "unsubscribed", now, **{"client-info": {"bot": bot}})
    assert account.consumer.contact_points.get().opted_out_at is not None
    assert told("optout.address", "message.unsubscribed") == ["optout.address", "message.unsubscribed"]


def test_a_mail_refused_because_the_person_unsubscribed_is_lost_and_opts_out(sent, provider, account, now):
    tell(provider, sent, "failed", now, severity="permanent", reason="suppress-unsubscribe")
    point = account.consumer.contact_points.get()
    assert (sent.status, point.bad_at, point.opted_out_at is None) == ("bounced", None, False)


def test_a_mail_refused_because_of_an_earlier_complaint_is_lost_and_no_second_complaint(sent, provider, account, now):
    tell(provider, sent, "failed", now, severity="permanent", reason="suppress-complaint")
    point = account.consumer.contact_points.get()
    assert (sent.status, point.bad_at is None) == ("bounced", False)
    assert told("message.bounced", "message.complained") == ["message.bounced"]


def test_news_of_a_message_whose_answer_was_lost_says_that_it_was_sent(acting, account, provider, sandbox, now):
    message = queue(account, now)
    sandbox.fault(provider.domain, "drop_after_effect")
    send.drain(now=now)
    tell(provider, message, "accepted", now)
    assert message.status == "sent"
    assert told() == ["message.queued", "message.sent"]


def test_an_unreadable_event_is_kept_with_its_reason(sent, provider, now):
    body = signed(provider, sent, "delivered")
    del body["event-data"]["event"]
    assert post(provider, body).status_code == 200
    track.apply(now=now)
    assert MailEvent.objects.get().outcome.startswith("unreadable")


def test_the_inbox_cannot_be_emptied(sent, provider):
    post(provider, signed(provider, sent, "delivered"))
    with pytest.raises(Exception, match="Cannot delete"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM campaigns_mailevent")


def test_a_notice_that_bounces_in_its_window_loses_its_proof_and_becomes_a_letter(
    pay, agreed, provider, sandbox, mails, now
):
    make_plan(pay(lines=[["2026-12-01", 100], ["2027-01-15", 100]], told=False), now=now)
    day = dt.datetime(2027, 1, 8, 15, tzinfo=dt.UTC)
    run(day)
    message = Message.objects.get(template="predebit")
    assert Notice.objects.get().status == "sent"
    tell(provider, message, "failed", day, **BOUNCE)
    notice = Notice.objects.get()
    assert (notice.status, notice.proof["failed"]) == ("failed", "bounced")
    assert told("notice.sent", "notice.failed", "letter.required") == [
        "notice.sent",
        "notice.failed",
        "letter.required",
    ]


def test_a_bounced_copy_of_an_authorization_goes_by_letter(pay, provider, now):
    pay()
    run(now)
    run(now + dt.timedelta(seconds=4))
    copy = Message.objects.get(template="authorization_copy")
    tell(provider, copy, "failed", now, **BOUNCE)
    letter = Event.objects.get(kind="letter.required")
    assert (letter.data["type"], letter.data["reason"]) == ("authorization_copy", "bounced")


@pytest.mark.django_db(transaction=True)
def test_the_real_provider_s_webhooks_come_through_the_real_door(
    acting, account, provider, sandbox, mails, live_server, now
):
    sandbox.call(
        "POST",
        "/_sandbox/domains",
        {
            "domain": provider.domain,
            "api_key": provider.api_key,
            "signing_key": provider.signing_key,
            "webhook_url": f"{live_server.url}/hooks/mail/{provider.pk}",
            "webhook_host": "localhost",
        },
    )
    message = queue(account, now)
    send.drain(now=now)
    sandbox.act(mails()[0], "open")
    sandbox.act(mails()[0], "click")
    wait_for(lambda: MailEvent.objects.count() == 4)
    track.apply(now=now)
    message.refresh_from_db()
    assert message.status == "delivered"
    assert sorted(told()) == sorted(
        ["message.queued", "message.sent", "message.delivered", "message.opened", "message.clicked"]
    )


def test_the_inbox_tells_how_many_of_a_list_are_new(agency, provider, now):
    with acting_for(agency):
        first = [("a", {"event": "opened"}), ("b", {"event": "opened"})]
        assert track.store(provider=provider, told=first, now=now) == 2
        assert track.store(provider=provider, told=[*first, ("c", {"event": "clicked"})], now=now) == 1
        assert track.store(provider=provider, told=first, now=now) == 0
        assert track.store(provider=provider, told=[], now=now) == 0
        assert MailEvent.objects.count() == 3
