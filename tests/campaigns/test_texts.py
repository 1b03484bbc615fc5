"""Texts through the one outbox: once, in hours, at the carrier's pace, never blindly twice (SMS-06, SMS-07, RF-08)."""

import datetime as dt
import re

import pytest
from django.db import connection, transaction

from accounts import events
from accounts.models import Code, Consent, Event, Visit
from accounts.services import codes
from accounts.tenancy import acting_for
from campaigns.models import Message, TextEvent, TextProvider
from campaigns.services import answers, carriers, links, send, send_texts, texts
from tests.campaigns.carrier_program import MOBILE, make_text_provider, post, report
from tests.campaigns.conftest import make_mobile, run, told
from tests.conftest import make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(account, mobile, texting, now) -> Message:
    """The consumer's link, asked for just now."""
    return pay_link(account, mobile, now)


def pay_link(account, mobile, now, cause="one", template="text_pay", **values) -> Message:
    return texts.queue(
        template=template,
        consumer=account.consumer,
        contact_point=mobile,
        account=account,
        cause=cause,
        now=now,
        **{"language": "en"} | values,
    )


def seconds(count: float) -> dt.timedelta:
    return dt.timedelta(seconds=count)


def test_a_text_is_sent_once_with_its_link_which_the_row_does_not_keep(message, went, now):
    assert send.drain(now=now) == 1
    assert send.drain(now=now + seconds(3600)) == 0
    (text,) = went()
    link = re.search(r"http://acme\.localhost\S*/m/([^/\s]+)/", text["body"])
    assert text["body"] == (f"Acme Recovery: your personal link: {link[0]} Reply STOP to stop. From a debt collector.")
    message.refresh_from_db()
    assert (message.status, message.sent_at, message.attempts, message.segments) == ("sent", now, 1, 1)
    assert message.provider_id == text["sid"]
    assert message.link_hash == links.hash_of(link[1])
    assert link[1] not in message.text + str(list(Event.objects.values_list("data", flat=True)))
    assert told() == ["message.queued", "message.sent"]
    assert {event.data["channel"] for event in Event.objects.all()} == {"text"}


def test_a_personal_link_of_a_text_leads_to_its_account_until_it_is_sixty_days_old(message, account, now):
    token = links.token_of(message.pk)
    assert links.follow(token, now=now).account == account
    assert links.follow(token, now=now + dt.timedelta(days=61)) is None
    assert links.follow(links.token_of(account.pk), now=now) is None


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_carrier_is_asked(message, now, monkeypatch):
    seen = []
    real = carriers.texts.carrier("twilio").send
    monkeypatch.setattr(
        "campaigns.channels.twilio.send", lambda **values: seen.append(connection.in_atomic_block) or real(**values)
    )
    send.drain(now=now)
    assert seen == [False]


def test_texts_are_written_in_the_language_of_the_consumer(account, mobile, texting, went, now):
    pay_link(account, mobile, now, language="es")
    send.drain(now=now)
    assert re.fullmatch(
        r"Acme Recovery: su enlace personal: http\S+ Responda ALTO para parar\. De un cobrador de deudas\.",
        went()[0]["body"],
    )


def test_a_name_that_tells_stays_out(account, mobile, agency, now):
    agency.name = "Acme Debt Collection"
    agency.save()
    assert "Debt Collection" not in pay_link(account, mobile, now).text


@pytest.mark.parametrize("template", list(texts.READY))
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_ready_text_names_us_tells_no_stranger_and_fits(agency, template, language):
    facts = {"day": "31 de diciembre de 2026", "url": "https://acme.example.com/prepared/0190c0de-0000-7000-8000/"}
    text = texts.words_of(template, agency=agency, language=language, facts=facts)
    bare = text.replace(texts.COLLECTOR[language], "")
    assert texts.lint(bare) == []
    assert "Acme Recovery" in text
    assert template == "text_stopped" or re.search(r"\b(STOP|ALTO)\b", text)
    assert ("cobrador" in text) == (language == "es" and texts.READY[template].collector)
    assert len(text) < 300


# What the carrier and the law want first ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "standing", "denied"),
    [
        ({"permit": ""}, "forbidden", "provider_forbids"),
        ({"permit": "", "third_party": False}, "ready", ""),
        ({"approved_on": None}, "pending", "sender_not_registered"),
        ({"registration": ""}, "pending", "sender_not_registered"),
        ({"is_active": False}, "none", "no_text_sender"),
    ],
)
def test_nothing_is_sent_before_the_carrier_allows_it_and_the_sender_is_registered(
    message, texting, went, now, values, standing, denied
):
    TextProvider.objects.update(**values)
    assert carriers.standing(carriers.active()) == standing
    send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.reason) == (("held", denied) if denied else ("sent", ""))
    assert bool(went()) == (not denied)


def test_what_is_queued_at_20_59_and_dispatched_at_21_01_is_held(account, mobile, texting, went, now):
    evening = dt.datetime(2026, 12, 2, 1, 59, tzinfo=dt.UTC)  # 20:59 in New York
    message = pay_link(account, mobile, evening)
    assert send.drain(now=evening + dt.timedelta(minutes=2)) == 1
    message.refresh_from_db()
    assert (message.status, message.reason) == ("queued", "outside_hours")
    assert message.next_at == dt.datetime(2026, 12, 2, 13, 0, tzinfo=dt.UTC)
    assert went() == []
    send.drain(now=message.next_at)
    assert len(went()) == 1


def test_a_consent_older_than_sixty_days_holds_a_text_back(account, texting, went, acting, now):
    old = make_mobile(account.consumer, evidence={"consent_on": "2026-10-01"})
    message = pay_link(account, old, now)
    send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.reason, went()) == ("held", "text_consent_old", [])


def test_texts_leave_at_the_carriers_pace_and_codes_before_them(account, mobile, texting, went, now):
    TextProvider.objects.update(per_second=1)
    for number in range(7):
        pay_link(account, mobile, now, cause=f"c{number}")
    for _round in range(3):
        send.drain(now=now)
    assert len(went()) == 5  # a window of five seconds
    assert Message.objects.filter(status="queued", reason="provider_rate").count() == 2
    code = pay_link(account, mobile, now, cause="code:x", template="text_help")
    Message.objects.filter(pk=code.pk).update(stream="security", cause="none")
    send.drain(now=now + seconds(1))
    assert len(went()) == 5
    send.drain(now=now + seconds(5))
    assert len(went()) == 7


# What the carrier answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["error_429"])
def test_a_clear_no_is_asked_again_on_the_listed_schedule(message, carrier, went, now, mode):
    carrier.fault(mode, times=2)
    send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.next_at, message.reason) == ("queued", now + seconds(5), "http_429 20429")
    send.drain(now=now + seconds(5))
    send.drain(now=now + seconds(35))
    message.refresh_from_db()
    assert (message.status, message.attempts, len(went())) == ("sent", 3, 1)


@pytest.mark.parametrize(("mode", "copies"), [("drop_after_effect", 1), ("drop_before_effect", 0), ("error_500", 0)])
def test_a_lost_answer_is_asked_for_at_the_carrier_and_never_sent_twice(message, carrier, went, now, mode, copies):
    carrier.fault(mode)
    send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.reason.partition(":")[0]) == ("queued", "no_answer")
    assert message.next_at == now + send.LEASE_OTHERS
    assert send.drain(now=now + seconds(119)) == 0
    carrier.fault("list_500")
    send.drain(now=now + seconds(120))  # the carrier does not say: nothing is risked
    message.refresh_from_db()
    assert (message.status, len(went())) == ("queued", copies)
    send.drain(now=message.next_at)
    send.drain(now=message.next_at)
    message.refresh_from_db()
    assert (message.status, len(went())) == ("sent", 1)
    assert message.provider_id == went()[0]["sid"]


def test_a_process_that_died_with_the_text_on_its_way_asks_before_it_sends(message, went, now, monkeypatch):
    def dies(*_args, **_values):
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(send_texts, "_record", dies)
        with pytest.raises(SystemExit):
            send.drain(now=now)
    message.refresh_from_db()
    assert (message.status, message.reason, len(went())) == ("queued", "handing_over", 1)
    send.drain(now=message.next_at)
    message.refresh_from_db()
    assert (message.status, message.provider_id) == ("sent", went()[0]["sid"])
    assert len(went()) == 1


def test_two_texts_with_the_same_words_are_not_taken_for_one_another(account, mobile, carrier, texting, went, now):
    first = pay_link(account, mobile, now, cause="a", template="text_help")
    send.drain(now=now)
    carrier.fault("drop_before_effect")
    second = pay_link(account, mobile, now, cause="b", template="text_help")
    send.drain(now=now)
    for wait in (120, 120):
        send.drain(now=now + seconds(wait))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("sent", "sent")
    assert first.provider_id != second.provider_id
    assert len(went()) == 2


def test_a_number_that_is_none_is_given_up(account, texting, went, acting, now):
    wrong = make_mobile(account.consumer, number="5185550199")
    message = pay_link(account, wrong, now)
    send.drain(now=now)
    message.refresh_from_db()
    wrong.refresh_from_db()
    assert (message.status, message.reason, wrong.bad_at) == ("failed", "http_400 21211", now)


def test_who_said_stop_to_the_carrier_said_it_to_us(agency, account, mobile, carrier, now):
    texting = make_text_provider(agency, carrier, keywords="carrier")
    carrier.call("POST", "/_sandbox/reply", {"from": MOBILE, "to": texting.number, "body": "Stop"})
    message = pay_link(account, mobile, now)
    send.drain(now=now)
    message.refresh_from_db()
    mobile.refresh_from_db()
    assert (message.status, message.reason) == ("held", "opted_out")
    assert mobile.opted_out_at == now
    assert Consent.objects.filter(kind="text", granted=False, source="provider").count() == 1
    assert told() == ["message.queued", "optout.address", "message.held"]


# What the carrier reports ---------------------------------------------------------------------------------------


def test_reports_are_applied_once_in_any_order_and_told(message, texting, now):
    send.drain(now=now)
    message.refresh_from_db()
    for status in ("delivered", "sent", "delivered", "queued"):
        assert report(texting, message, status).status_code == 200
    assert TextEvent.objects.count() == 3
    run(now)
    run(now)
    message.refresh_from_db()
    assert message.status == "delivered"
    assert told() == ["message.queued", "message.sent", "message.delivered"]


def test_a_report_that_comes_before_our_answer_settles_the_text(message, texting, carrier, went, now):
    carrier.fault("drop_after_effect")
    send.drain(now=now)
    sid = went()[0]["sid"]
    report(texting, message, "delivered", MessageSid=sid)
    run(now)
    message.refresh_from_db()
    assert (message.status, message.provider_id) == ("delivered", sid)
    assert send.drain(now=now + dt.timedelta(hours=1)) == 0
    assert len(went()) == 1


@pytest.mark.parametrize(("code", "bad"), [("30005", True), ("30007", False)])
def test_a_text_that_did_not_arrive_is_told_and_a_dead_number_given_up(message, mobile, texting, now, code, bad):
    send.drain(now=now)
    message.refresh_from_db()
    report(texting, message, "undelivered", ErrorCode=code)
    run(now)
    message.refresh_from_db()
    mobile.refresh_from_db()
    assert (message.status, message.reason, mobile.bad_at is not None) == ("bounced", f"undelivered {code}", bad)
    assert told()[-1] == "message.bounced"


def test_only_the_account_itself_reports(message, agency, other_agency, carrier, texting, now):
    theirs = make_text_provider(other_agency, carrier)
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    assert post(texting, form, message=message, key="wrong").status_code == 403
    assert post(texting, form, message=message, key="sign-birch").status_code == 403
    TextProvider.objects.filter(pk=texting.pk).update(signing_key="")
    assert TextEvent.objects.count() == 0
    # The other agency's own signature is good, and says nothing about our text.
    assert report(theirs, message, "delivered").status_code == 200
    run(now)
    message.refresh_from_db()
    assert message.status == "sent"
    with acting_for(other_agency):
        assert TextEvent.objects.get().outcome == "delivered: no message of ours"


# A payment that an agent prepared -------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "by_text"), [(True, True), (False, False)])
def test_a_prepared_payment_is_told_by_text_where_the_consumer_may_be_texted(
    account, acting, texting, went, now, number, by_text
):
    if number:
        make_mobile(account.consumer)
    key = "0190c0de-0000-7000-8000-000000000001"
    data = {"link": key, "expires_at": "2026-12-08T15:00:00+00:00", "mail": False, "text": True}
    with transaction.atomic():
        event = events.record("pay_link.made", account=account, now=now, data=data)
    answers.prepared(event, now)
    message = Message.objects.get()
    assert (message.channel, message.template) == (
        ("text", "text_prepared") if by_text else ("email", "payment_prepared")
    )
    send.drain(now=now)
    assert [text["body"] for text in went()] == (
        [
            "Acme Recovery: as we discussed, it waits for you until December 8, 2026: "
            f"http://acme.localhost:8000/prepared/{key}/ Reply STOP to stop. From a debt collector."
        ]
        if by_text
        else []
    )


# Codes by text --------------------------------------------------------------------------------------------------


@pytest.fixture
def visit(account, now) -> Visit:
    return Visit.objects.create(account=account, consumer=account.consumer, started_at=now, seen_at=now)


def test_a_code_goes_to_the_consumers_mobile_and_stands_nowhere_else(
    account, mobile, texting, went, now, visit, django_capture_on_commit_callbacks
):
    assert mobile in codes.places(account.consumer, now=now)
    with django_capture_on_commit_callbacks(execute=True):
        code = codes.send(visit=visit, contact_point=mobile, purpose=Code.Purpose.STEP_UP, now=now)
    send.drain(now=now)
    body = went()[0]["body"]
    digits = re.match(r"\d{6}", body)[0]
    assert body == (
        f"{digits} is your code from Acme Recovery. It works for 10 minutes. Give it to nobody. Reply STOP to stop.\n"
        f"@acme.localhost #{digits}"
    )
    message = Message.objects.get()
    assert digits not in message.text + str(list(Event.objects.values_list("data", flat=True)))
    code.refresh_from_db()
    assert code.sealed_code == ""
    assert (
        codes.check(visit=visit, purpose=Code.Purpose.STEP_UP, text=digits, now=now, then=lambda _code: None).used_at
        == now
    )


@pytest.mark.parametrize(
    "values",
    [{"opted_out_at": dt.datetime(2026, 12, 1, tzinfo=dt.UTC)}, {"route": "RF-14"}, {"textable": False},
     {"evidence": {"consent_on": "2026-01-01"}}, {"source": "consumer", "route": ""}],
)  # fmt: skip
def test_no_code_is_offered_to_a_number_that_may_not_be_texted(account, mobile, texting, now, values):
    type(mobile).objects.filter(pk=mobile.pk).update(**values)
    assert mobile not in codes.places(account.consumer, now=now)


def test_without_a_carrier_codes_go_by_mail_only(account, mobile, now):
    assert [point.kind for point in codes.places(account.consumer, now=now)] == ["email"]


def test_two_agencies_text_the_same_number_from_their_own(account, mobile, texting, carrier, other_agency, went, now):
    theirs = make_text_provider(other_agency, carrier)
    with acting_for(other_agency):
        others = make_account(other_agency)
        pay_link(others, make_mobile(others.consumer), now)
    pay_link(account, mobile, now)
    send.drain(now=now)
    assert len(went()) == 1
    (text,) = carrier.texts(sender=theirs.number)
    assert "Birch Recovery" in text["body"]
