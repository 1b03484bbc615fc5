"""What the events of payments and the calendar bring into the consumer's mailbox (EFT-02, PDC-01, EML-04)."""

import datetime as dt

import pytest
from django.db import transaction

from accounts import events
from accounts.models import ContactPoint, Event, ReaderPosition
from accounts.services import consent
from accounts.tenancy import acting_for
from campaigns.models import MailProvider, Message
from campaigns.services import fulfil
from campaigns.services.announce import announce
from payments.models import Authorization, Method, Notice, Payment, Postdate
from tests.campaigns.conftest import make_payment, make_plan, run, told

pytestmark = pytest.mark.django_db
SOON = dt.timedelta(seconds=4)
PLAN = [["2026-12-01", 125_00], ["2027-01-15", 125_00], ["2027-02-15", 125_01]]


def subjects(found: list[dict]) -> list[str]:
    return sorted(mail["subject"] for mail in found)


def test_a_payment_brings_its_receipt_and_the_copy_of_what_was_signed(pay, provider, mails, sandbox, now):
    payment = pay()
    run(now)
    run(now + SOON)
    assert subjects(mails()) == ["Your copy from Acme Recovery", "Your receipt from Acme Recovery"]
    receipt = next(mail for mail in mails() if "receipt" in mail["subject"])
    assert "$125.00" in receipt["text"]
    assert "Visa debit ending 4242" in receipt["text"]
    assert "Harbor Medical Group" in receipt["text"]
    assert [item["name"] for item in receipt["attachments"]] == [f"receipt-{payment.reference}.pdf"]
    copy = next(mail for mail in mails() if "copy" in mail["subject"])
    assert [item["name"] for item in copy["attachments"]] == ["authorization.pdf"]
    assert sandbox.paper(copy).startswith(b"%PDF")


def test_reading_the_same_events_again_sends_nothing_twice(pay, provider, mails, now):
    pay()
    run(now + SOON)
    ReaderPosition.objects.update(sequence=0)
    run(now + SOON)
    run(now + SOON * 2)
    assert len(mails()) == 2


def test_a_worker_that_meets_another_one_at_the_same_event_leaves_it_alone(pay, now):
    pay()
    with acting_for("*"):
        events.assign_sequences()
    (first, *_rest) = Event.objects.order_by("sequence")
    ReaderPosition.objects.create(reader="campaigns", sequence=first.sequence)
    assert fulfil._serve(first, at=first.sequence - 1, now=now) is False
    assert Message.objects.count() == 0


def test_the_first_payment_of_a_plan_says_what_comes_next(pay, provider, mails, now):
    payment = pay(lines=PLAN, told=False)
    make_plan(payment, now=now)
    with transaction.atomic():
        events.record("payment.succeeded", account=payment.account, now=now, data={"payment": str(payment.pk)})
    run(now)
    (mail,) = mails()
    assert mail["subject"] == "Your dates and your receipt from Acme Recovery"
    assert "2  January 15, 2027  $125.00" in mail["text"]
    assert "3  February 15, 2027  $125.01" in mail["text"]
    assert "We email you before each date" in mail["text"]


def test_a_card_declined_on_the_page_brings_no_message_at_all(pay, provider, mails, now):
    payment = pay(status="declined", told=True)
    Authorization.objects.filter(pk=payment.authorization_id).update(revoked_at=now, revoked_by="payment declined")
    run(now + SOON)
    assert mails() == []
    assert Message.objects.count() == 0
    assert told("letter.required") == []


@pytest.mark.parametrize("status", ["voided", "declined"])
def test_a_payment_that_was_decided_after_everybody_left_is_told(pay, provider, mails, now, status):
    pay(status=status, intended_at=now - dt.timedelta(minutes=16))
    run(now)
    (mail,) = [mail for mail in mails() if mail["subject"].startswith("Please")]
    assert "the payment that you confirmed on December 1, 2026 was not made. Nothing was charged for it" in mail["text"]


def test_what_was_stopped_at_once_was_told_on_the_page(pay, provider, mails, now):
    pay(status="voided", intended_at=now)
    run(now)
    assert [mail for mail in mails() if mail["subject"].startswith("Please")] == []


def test_a_copy_already_queued_stays_when_its_card_is_declined_meanwhile(pay, provider, mails, now):
    payment = pay(status="intended")
    run(now)
    Authorization.objects.filter(pk=payment.authorization_id).update(revoked_at=now, revoked_by="payment declined")
    run(now + SOON)
    assert mails() == []
    assert Message.objects.get().reason == "never_in_force"
    assert told("letter.required") == []


def test_a_planned_payment_that_fails_is_told_with_its_date(pay, provider, mails, now):
    plan = make_plan(pay(lines=PLAN, told=False), now=now)
    postdate = plan.postdates.get(number=2)
    make_payment(postdate.account, now=now, status="declined", postdate=postdate, arrangement=plan)
    Authorization.objects.update(revoked_at=now, revoked_by="payment declined")
    run(now + SOON)
    (mail,) = mails()
    assert mail["subject"] == "Please read this message from Acme Recovery"
    assert "planned for January 15, 2027. No money was taken." in mail["text"]


@pytest.mark.parametrize("status", ["returned", "charged_back"])
def test_a_payment_that_comes_back_is_told(pay, provider, mails, now, status):
    pay(status=status)
    run(now)
    (mail,) = [mail for mail in mails() if mail["subject"].startswith("Please")]
    assert "does not count as paid any more" in mail["text"]


def test_a_bank_debit_on_its_way_is_not_called_paid(pay, provider, mails, now):
    pay(status="pending", kind="ach")
    run(now)
    (mail,) = [mail for mail in mails() if "instruction" in mail["subject"]]
    assert "on its way, not yet paid" in mail["text"]
    assert "checking account ending 4242" in mail["text"]


def test_a_debit_that_the_host_posts_brings_its_receipt_once(pay, provider, mails, now):
    payment = pay(status="pending", kind="ach", told=False)
    Payment.objects.filter(pk=payment.pk).update(status="succeeded")
    for kind in ("payment.posted", "payment.succeeded"):
        with transaction.atomic():
            events.record(kind, account=payment.account, now=now, data={"payment": str(payment.pk)})
    run(now)
    assert subjects(mails()) == ["Your receipt from Acme Recovery"]


def test_a_spanish_consumer_gets_all_of_it_in_spanish(account, provider, mails, now, acting):
    account.consumer.language = "es"
    account.consumer.save()
    make_payment(account, now=now)
    run(now)
    run(now + SOON)
    assert subjects(mails()) == ["Su copia de Acme Recovery", "Su recibo de Acme Recovery"]
    assert all("Esta comunicación es de un cobrador de deudas." in mail["text"] for mail in mails())
    receipt = next(mail for mail in mails() if "recibo" in mail["subject"])
    assert "Visa de débito terminada en 4242" in receipt["text"]
    assert receipt["attachments"][0]["name"].startswith("recibo-")


def test_a_receipt_answers_at_night_but_what_nobody_waits_for_comes_in_the_morning(pay, provider, mails, now):
    night = dt.datetime(2026, 12, 2, 4, 30, tzinfo=dt.UTC)  # 23:30 in New York
    pay(intended_at=night, decided_at=night)
    pay(status="returned", intended_at=night - dt.timedelta(days=3), told=True)
    run(night)
    assert "Please read this message from Acme Recovery" not in subjects(mails())
    assert "Your receipt from Acme Recovery" in subjects(mails())
    run(dt.datetime(2026, 12, 2, 12, 59, 59, tzinfo=dt.UTC))
    assert "Please read this message from Acme Recovery" not in subjects(mails())
    run(dt.datetime(2026, 12, 2, 13, 0, tzinfo=dt.UTC))
    assert "Please read this message from Acme Recovery" in subjects(mails())


def test_papers_for_an_opted_out_address_are_held_and_the_law_s_copy_goes_by_letter(pay, provider, mails, now):
    ContactPoint.objects.update(opted_out_at=now)
    pay()
    run(now + SOON)
    assert mails() == []
    held = Message.objects.order_by("template").values_list("template", "status", "reason")
    assert list(held) == [("authorization_copy", "held", "opted_out"), ("receipt", "held", "opted_out")]
    assert told("message.held", "letter.required") == ["message.held", "letter.required", "message.held"]
    letter = Event.objects.get(kind="letter.required")
    assert letter.data["type"] == "authorization_copy"
    assert letter.data["send_by"] == "2026-12-02"


def test_an_address_nobody_can_account_for_gets_nothing_about_a_debt(pay, provider, mails, now):
    ContactPoint.objects.update(route="")
    pay()
    run(now + SOON)
    assert mails() == []
    assert set(Message.objects.values_list("reason", flat=True)) == {"no_route"}


def test_without_any_address_the_host_is_told_and_the_copy_goes_by_letter(pay, provider, mails, now):
    ContactPoint.objects.all().delete()
    pay()
    run(now + SOON)
    assert told("message.held", "letter.required") == ["message.held", "letter.required", "message.held"]


def test_an_event_that_cannot_be_served_is_told_and_does_not_stop_the_others(pay, provider, mails, now):
    payment = pay(told=False)
    with transaction.atomic():
        for about in ({"payment": "no id"}, {"payment": str(payment.pk)}):
            events.record("payment.succeeded", account=payment.account, now=now, data=about)
    run(now)
    assert subjects(mails()) == ["Your receipt from Acme Recovery"]
    assert told("incident.opened") == ["incident.opened"]


def test_each_agency_s_consumers_hear_from_their_own_agency_only(
    pay, provider, others_provider, others_account, other_agency, mails, sandbox, now
):
    pay()
    with acting_for(other_agency):
        make_payment(others_account, now=now)
    run(now + SOON)
    assert {mail["to"] for mail in mails()} == {"jane@acme.example.com"}
    theirs = sandbox.call("GET", f"/_sandbox/messages?domain={others_provider.domain}")
    assert {mail["to"] for mail in theirs} == {"jane@birch.example.com"}
    assert all("Birch Recovery LLC" in mail["text"] for mail in theirs)


# Notices. Due on Friday 15 January 2027: earliest 5 Jan, target 8 Jan, latest 12 Jan.


@pytest.fixture
def notice(pay, now) -> Notice:
    make_plan(pay(lines=PLAN[:2], told=False), now=now)
    return Notice.objects.select_related("postdate").get()


def at(day: int, hour: int = 15, month: int = 1) -> dt.datetime:
    """An hour of UTC in 2027; 15 is ten in the morning in New York."""
    return dt.datetime(2027, month, day, hour, tzinfo=dt.UTC)


def test_a_notice_leaves_on_its_day_after_eight_and_is_proven(notice, agreed, provider, mails):
    assert notice.target_on == dt.date(2027, 1, 8)
    run(at(7, 20))
    run(at(8, 12))  # seven in the morning there
    assert mails() == []
    run(at(8, 13))
    (mail,) = mails()
    assert mail["subject"] == "A date to remember, from Acme Recovery"
    assert "Acme Recovery LLC will take this payment from Visa debit ending 4242 on January 15, 2027." in mail["text"]
    notice.refresh_from_db()
    assert (notice.status, notice.sent_at) == ("sent", at(8, 13))
    assert notice.proof["message"] == str(Message.objects.get().pk)
    assert notice.proof["local_date"] == "2027-01-08"
    event = Event.objects.get(kind="notice.sent")
    assert event.data["proof"]["sent_at"] == "2027-01-08T13:00:00+00:00"
    run(at(9))
    assert len(mails()) == 1


def test_notices_that_can_only_wait_take_no_place_from_one_that_can_go(pay, agreed, provider, now):
    make_plan(pay(lines=[*PLAN[:2], ["2027-01-19", 125_01]], told=False), now=now)
    Notice.objects.update(target_on=dt.date(2027, 1, 8))
    waits, goes = Notice.objects.order_by("latest_on")
    Postdate.objects.filter(pk=waits.postdate_id).update(status="held", held_for="paused")
    assert announce(now=at(8, 12), limit=1) == 0  # seven in the morning there
    assert announce(now=at(8), limit=1) == 1
    assert Message.objects.filter(cause__startswith="notice:").get().cause == f"notice:{goes.pk}"
    assert announce(now=at(12), limit=1) == 0
    assert announce(now=at(13), limit=1) == 1  # the window of the one that is held has closed
    waits.refresh_from_db()
    assert waits.proof["failed"] == "window_closed"


def test_without_consent_no_notice_goes_by_mail_and_nothing_may_be_charged(notice, provider, mails):
    run(at(8))
    assert mails() == []
    notice.refresh_from_db()
    assert (notice.status, notice.proof["failed"]) == ("failed", "no_consent")
    expected = ["notice.failed", "postdate.hold_requested", "letter.required"]
    assert told(*expected) == expected
    assert Postdate.objects.get().status == "held"


def test_an_opt_out_in_time_turns_the_notice_into_a_letter(notice, agreed, provider, mails, now):
    consent.opt_out(contact_point=agreed.contact_point, scope="address", source="link", now=now)
    run(now)
    notice.refresh_from_db()
    assert (notice.channel, notice.status, notice.send_by) == ("letter", "due", dt.date(2027, 1, 5))
    assert Event.objects.get(kind="letter.required").data["send_by"] == "2027-01-05"
    run(at(8))
    assert mails() == []


def test_a_withdrawn_consent_turns_notices_into_letters(notice, agreed, now):
    consent.withdraw_esign(consumer=agreed.consumer, source="page", ip=None, now=now + SOON)
    run(now + SOON)
    notice.refresh_from_db()
    assert notice.channel == "letter"


def test_a_new_address_is_told_to_the_old_one_and_not_to_itself(acting, account, provider, mails, now):
    consumer = account.consumer
    new = ContactPoint.objects.create(
        consumer=consumer, kind="email", value="k@x.example.com", value_key="k@x.example.com", route="consumer"
    )
    about = {"change": "email_added", "contact_point": str(new.pk), "new": new.masked, "address": new.value}
    with transaction.atomic():
        events.record("consumer.contact_changed", consumer=consumer, now=now, data=about)
    run(now)
    (mail,) = mails()
    assert (mail["to"], mail["subject"]) == ("jane@acme.example.com", "A change of your details with Acme Recovery")
    assert "the email address k•••@x.example.com was added on our site." in mail["text"]
    assert new.value not in mail["text"]


def test_a_cancelled_payment_is_not_announced(notice, agreed, provider, mails):
    Postdate.objects.update(status="cancelled")
    run(at(8))
    assert mails() == []


def test_a_payment_cancelled_between_queue_and_dispatch_is_not_announced(notice, agreed, provider, mails):
    MailProvider.objects.update(is_active=False)
    run(at(8))
    Postdate.objects.update(status="cancelled")
    MailProvider.objects.update(is_active=True)
    run(at(8, 16))
    assert mails() == []
    assert Message.objects.get().reason == "not_due_any_more"


def test_a_window_that_closes_without_a_notice_is_told(notice, agreed, provider, mails):
    MailProvider.objects.update(is_active=False)
    run(at(8))
    MailProvider.objects.update(is_active=True)
    run(at(13))
    assert mails() == []
    notice.refresh_from_db()
    assert notice.status == "failed"
    assert Message.objects.get().reason == "too_late"
    assert told("notice.failed") == ["notice.failed"]


def test_a_moved_day_is_told_by_mail_and_proven(notice, agreed, provider, mails):
    Notice.objects.filter(pk=notice.pk).update(kind="date_change", about={"was": ["2027-01-02", 125_00]})
    run(at(8))
    (mail,) = mails()
    assert mail["subject"] == "A change to note, from Acme Recovery"
    assert "you agreed to this payment on January 2, 2027" in mail["text"]
    assert "on January 15, 2027 instead" in mail["text"]
    notice.refresh_from_db()
    assert (notice.status, notice.proof["local_date"]) == ("sent", "2027-01-08")


def test_a_change_that_cannot_be_mailed_becomes_a_letter_or_fails(notice, provider, mails):
    about = {"was": ["2027-01-15", 150_00]}
    Notice.objects.filter(pk=notice.pk).update(kind="varying", about=about)
    run(at(8))
    assert mails() == []
    notice.refresh_from_db()
    # Ten days before Friday, 2027-01-15, are over: no letter can meet it, so nothing is charged.
    assert notice.status == "failed"
    assert Postdate.objects.get(pk=notice.postdate_id).status == "held"
    assert told("notice.failed", "letter.required", "postdate.hold_requested") == [
        "notice.failed",
        "postdate.hold_requested",
        "letter.required",
    ]


def test_a_renewed_card_and_a_refund_that_came_back_are_told(pay, provider, mails, now):
    payment = pay(told=False)
    Method.objects.filter(pk=payment.method_id).update(stored=True, last4="1111", exp_month=8, exp_year=2031)
    renewed = {"method": str(payment.method_id), "by": "network", "pending": False, "last4_before": "4242"}
    failed = {"payment": str(payment.pk), "refund_cents": 25_00, "currency": "usd"}
    with transaction.atomic():
        events.record("method.updated", account=payment.account, now=now, data=renewed)
        events.record("method.updated", account=payment.account, now=now, data=renewed | {"by": "staff:1"})
        events.record("payment.refund_failed", account=payment.account, now=now, data=failed)
    run(now)
    by_subject = {mail["subject"]: mail["text"] for mail in mails()}
    assert len(by_subject) == 2
    assert "ending 1111" in by_subject["A detail that you keep with Acme Recovery has changed"]
    assert "the card ended in 4242" in by_subject["A detail that you keep with Acme Recovery has changed"]
    assert "$25.00" in by_subject["Please read this message from Acme Recovery"]
