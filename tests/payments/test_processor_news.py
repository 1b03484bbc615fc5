"""What the processor tells later, signed: a renewed card, a changed bank account, a refund that came back."""

import datetime as dt

import pytest
from django.utils import timezone

from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Incident, Method, Payment, Postdate, ProcessorEvent, Refund
from payments.services import ask, meters, refunds
from payments.services.owed import owed
from tests.conftest import NOW
from tests.payments.conftest import today
from tests.payments.due_cast import DAY, EIGHT, announce, keep_bank, keep_card, plan, run, told
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_pay import kinds
from tests.payments.test_processor_webhook import news, post, woken, work  # noqa: F401

DAYS = (dt.date(2027, 1, 5), dt.date(2027, 2, 2))


def planned(shop, method):
    agree_to_email(shop)
    return plan(shop, tuple((day, 100_00) for day in DAYS), method=method)


def hear(shop, kind):
    """Take the processor's newest event of a kind as it comes, twice."""
    event = news(shop, kind)
    for _ in range(2):
        assert post(shop, event).status_code == 200
    work()
    return ProcessorEvent.objects.get().outcome


def test_a_renewed_card_goes_on_and_is_told_once_card_13(shop):
    card = keep_card(shop)
    planned(shop, card)
    shop.program.control(
        "POST", "updates",
        {"payment_method": card.processor_method, "last4": "1111", "exp_month": 8, "exp_year": 2031},
    )  # fmt: skip
    assert hear(shop, "payment_method.automatically_updated") == "card renewed"
    card.refresh_from_db()
    assert (card.last4, card.exp_month, card.exp_year) == ("1111", 8, 2031)
    (data,) = told(shop.account, "method.updated")
    assert (data["last4_before"], data["last4"], data["expiry"], data["by"]) == ("5556", "1111", "08/2031", "network")
    assert set(Postdate.objects.values_list("status", flat=True)) == {"scheduled"}


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ({"last4": "0001"}, "C01"),
        ({"routing_number": "021000021"}, "C02"),
        ({"last4": "0001", "routing_number": "021000021"}, "C03"),
        ({"name": "Jane Q. Doe"}, "C04"),
        ({"account_type": "savings"}, "C05"),
        ({"account_type": "savings", "last4": "0001"}, "C06"),
        ({"account_type": "savings", "last4": "0001", "routing_number": "021000021"}, "C07"),
    ],
)
def test_a_notification_of_change_is_applied_before_the_next_debit_ach_13(shop, new, code):
    bank = keep_bank(shop)
    holder = bank.holder
    planned(shop, bank)
    shop.program.control("POST", "updates", {"payment_method": bank.processor_method, **new})
    assert hear(shop, "payment_method.automatically_updated") == f"bank changed: {code}"
    bank.refresh_from_db()
    assert (bank.update_pending, bank.last4) == (None, new.get("last4", "6789"))
    assert bank.account_type == new.get("account_type", "checking")
    assert bank.holder == new.get("name", holder)
    (data,) = told(shop.account, "method.updated")
    assert (data["code"], data["by"], data["pending"]) == (code, "bank", False)
    assert set(Postdate.objects.values_list("status", flat=True)) == {"scheduled"}


def test_a_new_number_that_only_the_host_charges_is_asked_for_and_held_until_then(shop):
    bank = keep_bank(shop)
    planned(shop, bank)
    Postdate.objects.update(executor="host")
    shop.program.control("POST", "updates", {"payment_method": bank.processor_method, "last4": "0001"})
    hear(shop, "payment_method.automatically_updated")
    bank.refresh_from_db()
    assert bank.update_pending["code"] == "C01"
    assert set(Postdate.objects.values_list("status", "held_for")) == {("held", "method_update_pending")}


def test_a_mandate_that_ends_at_the_bank_ends_what_is_planned_pdc_07(shop):
    bank = keep_bank(shop)
    arrangement = planned(shop, bank)
    shop.program.control("POST", "mandates", {"payment_method": bank.processor_method})
    assert hear(shop, "mandate.updated") == "mandate ended: 1 revoked"
    arrangement.authorization.refresh_from_db()
    assert arrangement.authorization.revoked_by == "bank"
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancelled"}
    assert kinds(shop.account).count("authorization.revoked") == 1


@pytest.mark.parametrize("cents", [25_00, 125_00])
def test_a_refund_that_comes_back_is_owed_again_and_somebody_must_look(shop, cents):
    payment = shop.confirm(shop.checkout())
    before = owed(Account.objects.get()).cents
    refund = refunds.ask(payment=payment, amount_cents=cents, reason="Twice", by="staff:1", now=timezone.now())
    if refund.status == Refund.Status.ASKED:
        refund = refunds.approve(refund=refund, by="staff:2", now=timezone.now())
    refund = refunds.carry_out(refund=refund, now=timezone.now())
    assert (refund.status, owed(Account.objects.get()).cents) == ("done", before + cents)
    shop.program.control("POST", "refunds", {"refund": refund.processor_ref})
    assert hear(shop, "refund.failed") == "refund failed"
    refund.refresh_from_db()
    payment.refresh_from_db()
    assert (refund.status, refund.failure) == ("failed", "expired_or_canceled_card")
    assert payment.status == Payment.Status.SUCCEEDED
    assert sum(payment.entries.filter(book="debt").values_list("amount_cents", flat=True)) == -125_00
    assert owed(Account.objects.get()).cents == before
    (data,) = told(shop.account, "payment.refund_failed")
    assert (data["refund_cents"], data["refunded_cents"], data["reason"]) == (cents, 0, "expired_or_canceled_card")
    incident = Incident.objects.get()
    assert (incident.kind, incident.severity, incident.payment_id) == ("refund_failed", "urgent", payment.pk)
    # Late and doubled news change nothing more.
    post(shop, news(shop, "charge.refunded") | {"id": "evt_late"})
    post(shop, news(shop, "refund.updated") | {"id": "evt_later"})
    work()
    assert kinds(shop.account).count("payment.refund_failed") == 1
    assert kinds(shop.account).count("payment.refunded") == 1


def test_a_card_dispute_is_opened_won_or_lost(shop):
    won = shop.confirm(shop.checkout())
    opened = shop.program.control("POST", "disputes", {"payment_intent": won.processor_ref})
    post(shop, news(shop, "charge.dispute.created"))
    work()
    won.refresh_from_db()
    assert won.status == Payment.Status.CHARGED_BACK
    shop.program.control("POST", "disputes", {"dispute": opened["id"], "status": "won"})
    for kind in ("charge.dispute.funds_reinstated", "charge.dispute.closed"):
        post(shop, news(shop, kind))
    work()
    won.refresh_from_db()
    assert (won.status, kinds(shop.account).count("payment.succeeded")) == (Payment.Status.SUCCEEDED, 2)
    later = NOW + dt.timedelta(hours=1)
    lost = shop.confirm(shop.checkout(lines=[(today(later), 50_00)], now=later), now=later)
    opened = shop.program.control("POST", "disputes", {"payment_intent": lost.processor_ref})
    post(shop, news(shop, "charge.dispute.created"))
    shop.program.control("POST", "disputes", {"dispute": opened["id"], "status": "lost"})
    post(shop, news(shop, "charge.dispute.closed"))
    work()
    lost.refresh_from_db()
    assert lost.status == Payment.Status.CHARGED_BACK
    assert [(one.kind, one.payment_id) for one in Incident.objects.all()] == [("dispute_lost", lost.pk)]


@pytest.mark.parametrize(("status", "word"), [("won", "succeeded"), ("lost", "charged_back")])
def test_of_a_dispute_counts_what_it_is_now_however_its_events_come(shop, status, word):
    payment = shop.confirm(shop.checkout())
    opened = shop.program.control("POST", "disputes", {"payment_intent": payment.processor_ref})
    first = news(shop, "charge.dispute.created")
    shop.program.control("POST", "disputes", {"dispute": opened["id"], "status": status})
    # The last event comes first, the first one last, and each of them twice.
    for event in (news(shop, "charge.dispute.closed"), first, first):
        post(shop, event)
    work()
    payment.refresh_from_db()
    assert payment.status == word
    assert payment.entries.filter(book="debt", reason="chargeback").count() == (word == "charged_back")
    assert kinds(shop.account).count("payment.charged_back") == (word == "charged_back")


def test_a_lost_dispute_whose_opening_was_never_heard_is_booked_and_told_to_staff_once(shop):
    payment = shop.confirm(shop.checkout())
    before = owed(Account.objects.get()).cents
    opened = shop.program.control("POST", "disputes", {"payment_intent": payment.processor_ref})
    shop.program.control("POST", "disputes", {"dispute": opened["id"], "status": "lost"})
    event = news(shop, "charge.dispute.closed")
    post(shop, event)
    post(shop, event | {"id": "evt_again"})
    work()
    payment.refresh_from_db()
    assert (payment.status, owed(Account.objects.get()).cents) == (Payment.Status.CHARGED_BACK, before + 125_00)
    assert kinds(shop.account).count("payment.charged_back") == 1
    incident = Incident.objects.get()
    assert (incident.kind, incident.data["amount_cents"]) == ("dispute_lost", 125_00)


def test_a_bank_that_only_asks_about_a_charge_has_taken_nothing(shop):
    payment = shop.confirm(shop.checkout())
    shop.program.control("POST", "disputes", {"payment_intent": payment.processor_ref, "inquiry": True})
    post(shop, news(shop, "charge.dispute.created"))
    work()
    payment.refresh_from_db()
    assert payment.status == Payment.Status.SUCCEEDED
    assert not Incident.objects.exists()


def disputed(shop, **about):
    """Have a debit of the due run succeed and come back as a dispute ten days later; give its plan and bank account."""
    bank = keep_bank(shop)
    agree_to_email(shop)
    arrangement = plan(shop, ((DAY, 100_00), (DAY + dt.timedelta(days=28), 100_00)), method=bank)
    announce(arrangement)
    run(EIGHT)
    payment = Payment.objects.get()
    shop.program.control("POST", "settle", {"payment_intent": payment.processor_ref, "outcome": "succeeded"})
    assert ask.look(payment_id=payment.pk, now=EIGHT + dt.timedelta(days=4)).status == Payment.Status.SUCCEEDED
    shop.program.control("POST", "disputes", {"payment_intent": payment.processor_ref, **about})
    for kind in ("charge.dispute.created", "charge.dispute.closed"):
        post(shop, news(shop, kind))
    with acting_for(ALL_AGENCIES):
        ask.apply_events(now=EIGHT + dt.timedelta(days=10))
    for row in (bank, arrangement, payment):
        row.refresh_from_db()
    assert payment.status == Payment.Status.RETURNED
    assert owed(Account.objects.get()).cents == 1_000_00
    return arrangement, bank


def planned_now():
    return list(Postdate.objects.order_by("number").values_list("status", "held_for"))


def unauthorized():
    (readings,) = meters.meters(now=EIGHT + dt.timedelta(days=10)).values()
    return readings[0].returned


def test_a_debit_that_failed_for_want_of_funds_after_it_had_succeeded_is_tried_again_and_stops_nothing_r01(shop):
    arrangement, bank = disputed(shop, reason="insufficient_funds")
    assert (arrangement.authorization.revoked_at, bank.blocked_at, bank.removed_at) == (None, None, None)
    assert planned_now() == [("scheduled", ""), ("scheduled", "")]
    (data,) = told(shop.account, "payment.returned")
    # Three banking days after Christmas, when it came.
    assert (data["decline_code"], data["next_try_at"]) == ("insufficient_funds", "2026-12-30T13:00:00+00:00")
    assert (Incident.objects.count(), unauthorized()) == (0, 0)


@pytest.mark.parametrize(
    ("about", "items", "incident", "counted"),
    [
        ({"reason": "debit_not_authorized"}, "cancelled", "unauthorized_return", 1),
        ({"reason": "fraudulent"}, "cancelled", "unauthorized_return", 1),
        ({"reason": "bank_cannot_process"}, "held", "return_unknown", 0),
        ({"reason": "incorrect_account_details"}, "held", None, 0),
        ({"reason": "general", "network_reason_code": "R11"}, "held", "debit_not_per_terms", 0),
    ],
)
def test_a_banks_dispute_is_not_authorized_unless_it_names_another_reason_ach_19(shop, about, items, incident, counted):
    _arrangement, bank = disputed(shop, **about)
    assert planned_now()[1][0] == items
    assert list(Incident.objects.filter(severity__in=("urgent", "warning")).values_list("kind", flat=True)) == (
        [incident] if incident else []
    )
    assert unauthorized() == counted
    assert bool(bank.blocked_at) == (items == "cancelled" or about["reason"] == "incorrect_account_details")


def test_the_other_agencys_news_touch_nothing_of_ours(shop, other_shop):
    card = keep_card(shop)
    planned(shop, card)
    shop.program.control("POST", "updates", {"payment_method": card.processor_method, "last4": "1111"})
    event = news(shop, "payment_method.automatically_updated")
    assert post(other_shop, event).status_code == 200
    work()
    with acting_for(other_shop.agency):
        assert ProcessorEvent.objects.get().outcome == "not ours"
    assert Method.objects.get(pk=card.pk).last4 == "5556"
    assert not Event.objects.filter(kind="method.updated").exists()
