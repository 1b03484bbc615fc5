"""The rates of returned debits: alerts, the pause at the limit, and what it stops (ACH-11, ACH-12)."""

import datetime as dt
import uuid

import pytest

from accounts.models import Event
from accounts.tenancy import acting_for
from payments.models import Incident, Payment, ProcessorAccount
from payments.rules import meters as rules
from payments.services import meters, returns
from tests.conftest import NOW, make_account, make_agency
from tests.payments.test_returns import bank, codes, debit


def level(name, debits, **returned):
    return next(meter for meter in rules.read(debits, returned) if meter.name == name).level


@pytest.mark.parametrize(("unauthorized", "reached"), [(0, 0), (2, 0), (3, 60), (4, 80), (5, 100), (6, 100)])
def test_the_unauthorized_rate_of_a_thousand_debits_rate(unauthorized, reached):
    assert level("unauthorized", 1_000, R10=unauthorized) == reached


@pytest.mark.parametrize(("returned", "reached"), [(17, 0), (18, 60), (23, 60), (24, 80), (29, 80), (30, 100)])
def test_the_administrative_rate_of_a_thousand_debits_ach_11(returned, reached):
    assert level("administrative", 1_000, R02=returned - 2, R03=1, R04=1) == reached


@pytest.mark.parametrize(("returned", "reached"), [(89, 0), (90, 60), (119, 60), (120, 80), (149, 80), (150, 100)])
def test_the_overall_rate_counts_every_return_ach_11(returned, reached):
    assert level("overall", 1_000, R01=returned - 3, R16=1, R24=1, R99=1) == reached


@pytest.mark.parametrize("code", ["R05", "R07", "R10", "R29", "R51"])
def test_each_unauthorized_code_counts_ach_12(code):
    assert level("unauthorized", 1_000, **{code: 5}) == 100


def test_an_error_in_an_authorized_entry_counts_in_the_stricter_rate_only_ach_12():
    assert level("unauthorized", 1_000, R10=3, R11=2) == 60
    assert level("stricter", 1_000, R10=3, R11=2) == 100


def pausing(debits, **returned):
    return [meter.name for meter in rules.read(debits, returned) if meter.pauses]


def test_only_the_unauthorized_rate_pauses_rate():
    assert pausing(1_000, R10=4) == []
    assert pausing(1_000, R10=6) == ["unauthorized"]
    assert pausing(1_000, R01=200, R02=50, R11=50) == []


def test_one_return_of_a_young_agency_pauses_nothing():
    assert level("unauthorized", 20, R10=1) == 100
    assert pausing(20, R10=1) == []
    assert pausing(20, R10=2) == ["unauthorized"]


def test_without_debits_there_is_no_rate():
    assert [meter.level for meter in rules.read(0, {})] == [0, 0, 0, 0]


# What the rates do -----------------------------------------------------------------------------------------------


@pytest.fixture
def here(agency):
    with acting_for(agency):
        yield make_account(agency, sol_status="live", balance_cents=1_000_000_00)


def many(account, method, *, sent, code="", at=NOW):
    """Write debits that were sent, or came back with a code."""
    values = {"status": "returned", "network_decline_code": code} if code else {"status": "succeeded"}
    Payment.objects.bulk_create(
        Payment(
            agency_id=account.agency_id, account=account, consumer_id=account.consumer_id, method=method, kind="ach",
            idempotency_key=uuid.uuid4(), executor="host", purpose="amount", amount_cents=10_00, intended_at=at,
            decided_at=at, **values,
        )
        for _number in range(sent)
    )  # fmt: skip


def alerts():
    return sorted(Incident.objects.values_list("kind", "key", "severity"))


def test_four_of_a_thousand_alert_and_six_pause_new_bank_payments_rate(here):
    method, merchant = bank(here), ProcessorAccount.objects.get()
    many(here, method, sent=996)
    many(here, method, sent=4, code="R10")
    meters.check(now=NOW)
    assert alerts() == [
        ("return_rate_80", f"stricter:{merchant.pk}", "warning"),
        ("return_rate_80", f"unauthorized:{merchant.pk}", "warning"),
    ]
    assert codes(here, method) == []
    Payment.objects.filter(pk__in=Payment.objects.filter(status="succeeded")[:2]).update(
        status="returned", network_decline_code="R07"
    )
    meters.check(now=NOW)
    merchant.refresh_from_db()
    assert (merchant.debits_paused_at, merchant.debits_paused_reason) == (NOW, "unauthorized 6 of 1000")
    assert codes(here, bank(here, fingerprint="fresh")) == ["bank_payments_paused"]
    assert ("return_rate_100", f"unauthorized:{merchant.pk}", "urgent") in alerts()


def test_an_alert_is_opened_and_told_once_however_often_it_is_read(here):
    many(here, bank(here), sent=996)
    many(here, bank(here), sent=4, code="R10")
    for day in range(3):
        meters.check(now=NOW + dt.timedelta(days=day))
    assert len(alerts()) == 2
    assert Event.objects.filter(kind="incident.opened").count() == 2


def test_what_is_older_than_sixty_days_is_not_counted_ach_11(here):
    method = bank(here)
    many(here, method, sent=6, code="R10", at=NOW - dt.timedelta(days=60))
    many(here, method, sent=994)
    assert meters.check(now=NOW)[method.processor_account_id][0].returned == 0
    assert alerts() == []


def test_a_return_itself_reads_the_meters(here, django_capture_on_commit_callbacks):
    method = bank(here)
    many(here, method, sent=5, code="R05")
    with django_capture_on_commit_callbacks(execute=True):
        returns.apply_return(payment=debit(here, method), code="R10", now=NOW)
    assert ProcessorAccount.objects.get().debits_paused_at == NOW


def test_staff_take_a_pause_back_and_it_does_not_move_while_it_stands(here):
    merchant = ProcessorAccount.objects.get()
    assert meters.pause(merchant=merchant.pk, reason="x", now=NOW)
    assert not meters.pause(merchant=merchant.pk, reason="y", now=NOW + dt.timedelta(days=1))
    merchant.refresh_from_db()
    assert (merchant.debits_paused_at, merchant.debits_paused_reason) == (NOW, "x")
    assert meters.resume(merchant=merchant.pk)
    assert codes(here, bank(here)) == []


def test_another_agencys_returns_are_not_ours(here):
    birch = make_agency("birch")
    with acting_for(birch):
        theirs = make_account(birch)
        many(theirs, bank(theirs), sent=6, code="R10")
        meters.check(now=NOW)
        assert ProcessorAccount.objects.get().debits_paused_at == NOW
    assert meters.meters(now=NOW) == {}
    assert ProcessorAccount.objects.get().debits_paused_at is None


def test_no_bank_account_is_even_asked_for_while_new_bank_payments_are_paused(shop):
    meters.pause(merchant=ProcessorAccount.objects.get().pk, reason="x", now=NOW)
    (refused,) = shop.take_bank(shop.checkout(card=None))
    assert refused.code == "bank_payments_paused"
    assert shop.checkout().confirmation_token
