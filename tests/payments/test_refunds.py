"""Money given back: asked, approved by another person above the limit, carried out once, whatever gets lost."""

import datetime as dt
import uuid

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import LedgerEntry, Payment, ProcessorAccount, Refund
from payments.processors import RefundOrder
from payments.processors.stripe_money import refund_params
from payments.services import ledger, refunds, reversals
from payments.services.owed import owed
from tests.conftest import NOW
from tests.payments.test_pay import kinds
from tests.payments.test_processor_stripe import allowed
from tests.payments.test_settle import at_once, undecided

ANN, BEA, CLEO = "staff:1", "staff:2", "staff:3"
SOON, LATER = NOW + dt.timedelta(seconds=30), NOW + dt.timedelta(minutes=11)


@pytest.fixture
def paid(shop) -> Payment:
    return shop.confirm(shop.checkout())


def asked(payment, cents=125_00, by=ANN, reason="Paid twice."):
    return refunds.ask(payment=payment, amount_cents=cents, reason=reason, by=by, now=NOW)


def done(payment, cents, *, by=ANN, approver=BEA, now=NOW):
    refund = asked(payment, cents, by)
    if refund.status == "asked":
        refund = refunds.approve(refund=refund, by=approver, now=NOW)
    return refunds.carry_out(refund=refund, now=now)


def given_back(shop):
    return [one["amount"] for one in shop.merchant.ledger() if one["kind"] == "refund"]


def codes(call):
    with pytest.raises(refunds.Refused) as refused:
        call()
    return [one.code for one in refused.value.refusals]


def sweep(now):
    with acting_for(ALL_AGENCIES):
        return refunds.sweep(now=now)


def test_every_refund_is_a_request_the_library_knows():
    request = allowed("_refund_create_params", "RefundCreateParams")
    assert request.validate_python(refund_params(RefundOrder(refund="r", payment="p", ref="pi_1", amount_cents=1)))


def test_a_small_refund_needs_one_person_and_raises_what_is_owed(shop, paid):
    assert owed(shop.account).cents == 875_00
    refund = done(paid, 100_00)
    assert (refund.status, refund.decided_by) == ("done", ANN)
    assert refund.processor_ref.startswith("re_")
    assert given_back(shop) == [100_00]
    assert owed(shop.account).cents == 975_00
    paid.refresh_from_db()
    assert paid.status == Payment.Status.SUCCEEDED
    assert sum(LedgerEntry.objects.filter(payment=paid).values_list("amount_cents", flat=True)) == 0
    event = Event.objects.get(kind="payment.refunded")
    assert (event.data["refunded_cents"], event.data["whole"]) == (100_00, False)


def test_a_form_that_was_sent_and_now_says_something_else_is_refused(shop, paid):
    said = {"payment": paid, "reason": "Paid twice.", "by": ANN, "now": NOW, "key": uuid.uuid4()}
    first = refunds.ask(**said, amount_cents=60_00)
    assert refunds.ask(**said, amount_cents=60_00) == first
    assert codes(lambda: refunds.ask(**said, amount_cents=40_00)) == ["key_used"]
    other = shop.confirm(shop.checkout(now=LATER), now=LATER)
    assert codes(lambda: refunds.ask(**said | {"payment": other}, amount_cents=60_00)) == ["key_used"]
    assert Refund.objects.get().amount_cents == 60_00


def test_above_the_limit_the_asker_cannot_approve_and_another_person_can(shop, paid):
    refund = asked(paid, 100_01)
    assert refund.status == "asked"
    assert refunds.carry_out(refund=refund, now=NOW).status == "asked"
    assert codes(lambda: refunds.approve(refund=refund, by=ANN, now=NOW)) == ["refund_second_person"]
    assert given_back(shop) == []
    refunds.approve(refund=refund, by=BEA, now=NOW)
    assert refunds.carry_out(refund=refund, now=NOW).status == "done"
    assert given_back(shop) == [100_01]


def test_a_limit_is_not_met_by_many_small_refunds(shop, paid):
    assert done(paid, 60_00).status == "done"
    assert asked(paid, 40_01).status == "asked"


def test_the_limit_is_the_merchant_accounts_own(shop, paid):
    ProcessorAccount.objects.update(refund_alone_cents=0)
    assert asked(paid, 1).status == "asked"


def test_in_parts_until_nothing_is_left_and_then_the_payment_is_refunded(shop, paid):
    done(paid, 50_00)
    assert codes(lambda: asked(paid, 75_01)) == ["refund_too_much"]
    done(paid, 75_00)
    paid.refresh_from_db()
    assert paid.status == Payment.Status.REFUNDED
    assert owed(shop.account).cents == 1_000_00
    assert given_back(shop) == [50_00, 75_00]
    assert kinds(shop.account)[-2:] == ["payment.refunded", "payment.refunded"]
    assert ledger.net_cents(paid) == 0
    assert codes(lambda: asked(paid, 1)) == ["refund_not_paid"]


@pytest.mark.parametrize(
    ("cents", "reason", "expected"),
    [
        (125_01, "Paid twice.", ["refund_too_much"]),
        (0, "Paid twice.", ["refund_not_positive"]),
        (-1, "Paid twice.", ["refund_not_positive"]),
        (1, "   ", ["refund_reason_missing"]),
        (126_00, "", ["refund_reason_missing", "refund_too_much"]),
    ],
)
def test_what_cannot_be_given_back_is_refused_at_once_with_every_reason(shop, paid, cents, reason, expected):
    assert codes(lambda: asked(paid, cents, reason=reason)) == expected
    assert Refund.objects.count() == 0


def test_one_refund_of_a_payment_is_open_at_a_time_and_the_database_says_so_too(shop, paid):
    first = asked(paid, 100_01)
    assert codes(lambda: asked(paid, 1)) == ["refund_open"]
    with pytest.raises(IntegrityError, match="one_open_refund_per_payment"), transaction.atomic():
        Refund.objects.create(
            payment=paid, account=shop.account, amount_cents=1, reason="x", asked_by=ANN, asked_at=NOW
        )
    refunds.reject(refund=first, reason="Not theirs.", by=BEA, now=NOW)
    assert codes(lambda: refunds.approve(refund=first, by=BEA, now=NOW)) == ["refund_decided"]
    assert asked(paid, 1).status == "approved"
    assert given_back(shop) == []


def test_a_payment_that_the_host_took_is_given_back_there(shop):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    assert codes(lambda: asked(payment)) == ["refund_at_host"]


def test_a_dispute_between_asking_and_approving_stops_the_refund(shop, paid):
    refund = asked(paid, 125_00)
    reversals.record_dispute(payment_id=paid.pk, said="opened", now=NOW)
    assert codes(lambda: refunds.approve(refund=refund, by=BEA, now=NOW)) == ["refund_not_paid"]
    assert given_back(shop) == []


@pytest.mark.django_db(transaction=True)
def test_two_people_who_approve_at_once_give_the_money_back_once(open_shop):
    """A second refund of this amount would fit, so the processor itself would not stop it."""
    payment = open_shop.confirm(open_shop.checkout())
    ProcessorAccount.objects.update(refund_alone_cents=0)
    refund = asked(payment, 50_00)

    def decide(by):
        return refunds.carry_out(refund=refunds.approve(refund=refund, by=by, now=NOW), now=NOW)

    at_once(lambda: decide(BEA), lambda: decide(CLEO), agency=open_shop.agency)
    sweep(SOON)
    assert given_back(open_shop) == [50_00]
    refund.refresh_from_db()
    assert refund.status == "done"
    assert kinds(open_shop.account).count("payment.refunded") == 1
    assert LedgerEntry.objects.filter(reason="refund").count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_people_who_ask_at_once_open_one_refund(open_shop):
    payment = open_shop.confirm(open_shop.checkout())
    results = at_once(lambda: asked(payment, by=ANN), lambda: asked(payment, by=BEA), agency=open_shop.agency)
    assert sorted(type(one).__name__ for one in results) == ["Refund", "Refused"]


@pytest.mark.parametrize("mode", ["drop_after_effect", "error_500_after_effect"])
def test_an_answer_lost_after_the_effect_is_found_by_the_sweep_as_one_refund(shop, paid, mode):
    shop.program.control("POST", "faults", {"path": "/v1/refunds", "mode": mode, "account": shop.merchant.id})
    refund = done(paid, 100_00)
    assert refund.status == "approved"
    assert owed(shop.account).cents == 875_00
    assert sweep(SOON) == 1
    refund.refresh_from_db()
    assert refund.status == "done"
    assert given_back(shop) == [100_00]
    assert owed(shop.account).cents == 975_00
    assert sweep(LATER) == 0


def test_a_request_that_never_arrived_is_sent_again_by_the_sweep(shop, paid):
    fault = {"path": "/v1/refunds", "mode": "drop_before", "account": shop.merchant.id}
    shop.program.control("POST", "faults", fault)
    assert done(paid, 100_00).status == "approved"
    sweep(SOON)
    assert given_back(shop) == [100_00]
    assert Refund.objects.get().status == "done"


def test_a_refusal_of_the_processor_is_believed_when_nothing_can_be_on_its_way(shop, paid):
    """A no right after the request proves nothing: an earlier request of it may still arrive."""
    shop.program.control("POST", "disputes", {"payment_intent": paid.processor_ref})
    assert done(paid, 100_00).status == "approved"
    sweep(SOON)
    assert Refund.objects.get().status == "approved"
    sweep(LATER)
    refund = Refund.objects.get()
    assert (refund.status, bool(refund.failure)) == ("failed", True)
    assert given_back(shop) == []
    assert LedgerEntry.objects.filter(reason="refund").count() == 0


def test_the_webhook_and_the_refund_itself_book_the_same_money_once(shop, paid):
    refund = asked(paid, 100_00)
    reversals.record_refund(payment_id=paid.pk, refunded_cents=100_00, now=NOW)
    refunds.carry_out(refund=refund, now=NOW)
    assert owed(shop.account).cents == 975_00
    assert kinds(shop.account).count("payment.refunded") == 1


def test_a_refund_of_another_agency_moves_nothing_here(shop, other_shop, paid):
    with acting_for(other_shop.agency):
        theirs = other_shop.confirm(other_shop.checkout())
        done(theirs, 100_00)
    assert given_back(other_shop) == [100_00]
    assert given_back(shop) == []
    assert Refund.objects.count() == 0
    with acting_for(other_shop.agency), pytest.raises(Payment.DoesNotExist):
        asked(paid, 1)


def test_an_undecided_payment_is_voided_at_the_processor_first(shop):
    payment = undecided(shop, mode="drop_before")
    found = refunds.void(payment=payment, reason="Typed wrongly.", by=ANN, now=NOW)
    assert (found.status, found.reason) == ("voided", "staff:1: Typed wrongly.")
    assert shop.merchant.ledger() == []
    assert owed(shop.account).cents == 1_000_00
    assert kinds(shop.account)[-2:] == ["payment.voided", "authorization.revoked"]


def test_a_void_that_comes_too_late_records_the_money_that_moved(shop):
    payment = undecided(shop)
    assert codes(lambda: refunds.void(payment=payment, reason="Typed wrongly.", by=ANN, now=NOW)) == ["void_too_late"]
    payment.refresh_from_db()
    assert payment.status == Payment.Status.SUCCEEDED
    assert len(shop.charged()) == 1


def test_a_void_without_an_answer_changes_nothing(shop):
    payment = undecided(shop, mode="drop_before")
    shop.program.control("POST", "faults", {"path": "/v1/", "mode": "error_503", "times": 50})
    assert codes(lambda: refunds.void(payment=payment, reason="x", by=ANN, now=NOW)) == ["void_not_possible"]
    assert codes(lambda: refunds.void(payment=payment, reason=" ", by=ANN, now=NOW)) == ["refund_reason_missing"]
    payment.refresh_from_db()
    assert payment.status == Payment.Status.INTENDED
