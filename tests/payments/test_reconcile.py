"""Three books of a day: the processor's list, our ledger, the host's posting; each difference is found and kept."""

import datetime as dt
import uuid
from io import StringIO

import pytest
from django.core.management import call_command

from accounts.tenancy import acting_for
from payments.models import HostItem, Incident, LedgerEntry, Payment, ProcessorAccount
from payments.services import incidents, reconcile, refunds, reversals, settle
from tests.conftest import NOW
from tests.payments.conftest import VISA_DEBIT

DAY, TONIGHT = NOW.date(), NOW + dt.timedelta(hours=12)
IN_FOUR_DAYS = NOW + dt.timedelta(days=4)


@pytest.fixture(autouse=True)
def _same_clock(processor):
    """Put the processor's clock where ours is: the days of both books must be the same ones."""
    processor.control("POST", "clock", {"now": NOW.isoformat()})
    yield
    processor.control("POST", "clock", {"now": dt.datetime.now(dt.UTC).isoformat()})


def compared(day=DAY, now=TONIGHT):
    return sorted(one.kind for one in reconcile.run(day=day, now=now))


@pytest.fixture
def paid(shop) -> Payment:
    return shop.confirm(shop.checkout())


def intent_of(shop, **more):
    return shop.merchant.v1.payment_intents.create(shop.merchant.payment(VISA_DEBIT, **more))


def test_books_that_agree_open_nothing(shop, paid):
    assert compared() == []
    refunds.carry_out(
        refund=refunds.ask(payment=paid, amount_cents=50_00, reason="Twice.", by="staff:1", now=NOW), now=NOW
    )
    assert compared() == []
    assert Incident.objects.count() == 0


def test_a_charge_that_we_do_not_know_is_found(shop, paid):
    stray = intent_of(shop)
    assert compared() == ["processor_only"]
    incident = Incident.objects.get()
    assert (incident.severity, incident.data["intent"], incident.data["processor_cents"]) == ("urgent", stray.id, 50_00)


def test_a_payment_that_was_charged_twice_is_found(shop):
    payment = shop.confirm(shop.checkout())
    other = intent_of(shop, metadata={"payment": str(payment.pk)})
    assert compared() == ["charged_twice"]
    assert set(Incident.objects.get().data["charges"]) >= {other.latest_charge}
    assert Incident.objects.get().payment == payment


def test_money_that_moved_after_a_no_is_found(shop):
    fault = {"path": "/v1/payment_intents", "mode": "drop_before", "times": 2, "account": shop.merchant.id}
    shop.program.control("POST", "faults", fault)
    payment = shop.confirm(shop.checkout())
    intent_of(shop, metadata={"payment": str(payment.pk)}, amount=125_00)
    settle.record_outcome(
        payment_id=payment.pk, outcome=settle.Outcome(status="declined", decline_code="generic_decline"), now=NOW
    )
    assert compared() == ["processor_only"]
    assert Incident.objects.get().payment == payment


def test_a_payment_in_our_ledger_alone_is_found(shop):
    fault = {"path": "/v1/payment_intents", "mode": "drop_before", "times": 2, "account": shop.merchant.id}
    shop.program.control("POST", "faults", fault)
    payment = shop.confirm(shop.checkout())
    settle.record_outcome(payment_id=payment.pk, outcome=settle.Outcome(status="succeeded"), now=NOW)
    assert compared() == ["ledger_only"]
    assert Incident.objects.get().data["booked_cents"] == 125_00


def test_another_amount_at_the_processor_is_found(shop, paid):
    for book, cents in (("debt", -1), ("processor", 1)):
        LedgerEntry.objects.create(
            payment=paid, account=shop.account, book=book, amount_cents=cents, reason="payment", at=NOW
        )
    assert compared() == ["amounts_differ"]
    data = Incident.objects.get().data
    assert (data["booked_cents"], data["processor_cents"]) == (125_01, 125_00)


@pytest.mark.parametrize("where", ["there", "here"])
def test_a_refund_in_one_book_alone_is_found(shop, paid, where):
    if where == "there":
        shop.merchant.v1.refunds.create({"payment_intent": paid.processor_ref, "amount": 10_00})
    else:
        reversals.record_refund(payment_id=paid.pk, refunded_cents=10_00, now=NOW)
    assert compared() == ["refunds_differ"]


def test_a_payment_that_the_host_does_not_post_for_days_is_found(shop, paid):
    assert compared() == []
    assert compared(day=IN_FOUR_DAYS.date(), now=IN_FOUR_DAYS) == ["host_not_posted"]
    assert Incident.objects.get().severity == "warning"


def test_a_debit_that_the_host_shows_as_on_its_way_is_not_missing_over_a_weekend(shop):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    assert payment.status == Payment.Status.PENDING
    shown(shop, portal_id=payment.pk, status="PROCESSED")
    assert compared(day=IN_FOUR_DAYS.date(), now=IN_FOUR_DAYS) == []
    HostItem.objects.all().delete()
    assert compared(day=IN_FOUR_DAYS.date(), now=IN_FOUR_DAYS) == ["host_not_posted"]


def shown(shop, *, portal_id, cents=125_00, status="POSTED", matched=True):
    return HostItem.objects.create(
        account=shop.account,
        kind="payment",
        host_id="H1",
        portal_id=portal_id,
        on=DAY,
        amount_cents=cents,
        status=status,
        updated_at=NOW,
        matched=matched,
    )


def test_another_amount_at_the_host_is_found(shop, paid):
    shown(shop, portal_id=paid.pk, cents=124_99)
    assert compared() == ["host_amount_differs"]
    assert Incident.objects.get().data["host_cents"] == 124_99


def test_a_payment_of_ours_that_only_the_host_knows_is_found(shop, paid):
    shown(shop, portal_id=uuid.uuid4(), matched=False)
    assert compared() == ["host_unknown_payment"]


@pytest.mark.parametrize("status", ["DECLINED", "CHARGEBACK", "ACH REVERSAL"])
def test_a_payment_that_the_host_took_back_and_we_did_not_is_found(shop, paid, status):
    shown(shop, portal_id=paid.pk, status=status)
    assert compared() == ["host_status_differs"]


def test_a_host_that_agrees_opens_nothing(shop, paid):
    shown(shop, portal_id=paid.pk)
    assert compared() == []


def test_what_the_host_took_with_our_token_is_not_a_stranger(shop):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    intent_of(shop, metadata={"portal_id": str(payment.pk)})
    assert compared() == []


def test_a_processor_without_an_answer_is_said_and_nothing_is_concluded(shop, paid):
    shop.program.control("POST", "faults", {"path": "/v1/charges", "mode": "error_503", "times": 5})
    assert compared() == ["processor_not_compared"]


def test_many_pages_of_charges_are_read_to_the_end(shop, paid, monkeypatch):
    monkeypatch.setattr("payments.processors.stripe_money.PAGE", 1)
    stray = intent_of(shop)
    assert compared() == ["processor_only"]
    assert Incident.objects.get().data["intent"] == stray.id


def test_a_difference_is_open_once_ages_and_is_closed_with_a_note(shop, paid):
    intent_of(shop)
    compared()
    compared(now=TONIGHT + dt.timedelta(hours=1))
    incident = Incident.objects.get()
    assert (incident.opened_at, incident.seen_at) == (TONIGHT, TONIGHT + dt.timedelta(hours=1))
    incidents.close(incident=incident, by="staff:1", note="Terminal in the office.", now=TONIGHT)
    assert Incident.objects.get().note == "Terminal in the office."


def test_each_agencys_books_are_its_own(shop, other_shop, paid):
    with acting_for(other_shop.agency):
        intent_of(other_shop)
        assert compared() == ["processor_only"]
    assert compared() == []
    assert Incident.objects.count() == 0
    with acting_for(other_shop.agency):
        assert Incident.objects.count() == 1


def test_a_clients_own_merchant_account_is_compared_too(shop, paid):
    ProcessorAccount.objects.update(is_active=False)
    assert compared() == []
    LedgerEntry.objects.bulk_create(
        LedgerEntry(payment=paid, account=shop.account, book=book, amount_cents=cents, reason="payment", at=NOW)
        for book, cents in (("debt", -1), ("processor", 1))
    )
    assert compared() == ["amounts_differ"]


def test_the_command_prints_what_is_off_for_each_agency(shop, other_shop, paid, monkeypatch):
    monkeypatch.setattr("accounts.clock.now", lambda: TONIGHT)
    with acting_for(other_shop.agency):
        stray = intent_of(other_shop)
    said = StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile", "--day", DAY.isoformat(), stdout=said)
    assert "birch processor_only" in said.getvalue()
    assert stray.id in said.getvalue()
    assert "acme" not in said.getvalue()
    assert said.getvalue().endswith("1 differences\n")
