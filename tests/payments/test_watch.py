"""What stands out among bank debits, and the yearly look at it (ACH-03)."""

import datetime as dt
import uuid

import pytest

from accounts.tenancy import acting_for
from payments.models import Incident, Method, Payment
from payments.rules.watch import Debit, Unusual, review_due, unusual
from payments.services import incidents, watch
from tests.conftest import NOW, make_account

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def test_a_bank_account_that_three_people_pay_from_within_a_month_stands_out_ach_03():
    debits = [Debit("one", f"c{number}", NOW - number * DAY) for number in range(3)]
    assert unusual(debits, now=NOW) == [Unusual("bank_account_shared", "one", 3)]
    assert unusual(debits[:2], now=NOW) == []
    assert unusual([*debits[:2], Debit("one", "c9", NOW - 30 * DAY)], now=NOW) == []
    assert unusual([*debits[:2], Debit("two", "c9", NOW)], now=NOW) == []
    assert unusual([Debit("", f"c{number}", NOW) for number in range(9)], now=NOW) == []


def test_five_debits_from_one_bank_account_within_a_day_stand_out_ach_03():
    debits = [Debit("one", "c1", NOW - number * 6 * HOUR) for number in range(5)]
    assert unusual(debits, now=NOW) == []
    assert unusual([*debits, Debit("one", "c1", NOW - HOUR)], now=NOW) == [Unusual("bank_account_busy", "one", 5)]


@pytest.mark.parametrize(
    ("last", "since", "due"),
    [
        (None, None, False),
        (None, NOW - 365 * DAY, False),
        (None, NOW - 366 * DAY, True),
        (NOW - 365 * DAY, NOW - 900 * DAY, False),
        (NOW - 366 * DAY, NOW - 900 * DAY, True),
    ],
)
def test_the_review_is_due_a_year_after_the_last_one_or_the_first_debit_ach_03(last, since, due):
    assert review_due(last=last, since=since, now=NOW) is due


def debit(account, *, fingerprint="bank-1", at=NOW):
    method = Method.objects.create(
        consumer_id=account.consumer_id, kind="ach", last4="6789", fingerprint=fingerprint, created_at=at
    )
    return Payment.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        method=method,
        idempotency_key=uuid.uuid4(),
        request_hash="",
        kind="ach",
        executor="host",
        purpose="amount",
        amount_cents=50_00,
        currency="USD",
        status="succeeded",
        intended_at=at,
        decided_at=at,
    )


def test_what_stands_out_is_one_open_matter_for_staff_and_the_other_agency_s_debits_are_not_ours(agency, other_agency):
    with acting_for(other_agency):
        theirs = make_account(other_agency)
        for _ in range(9):
            debit(theirs)
    with acting_for(agency):
        account = make_account(agency)
        for _ in range(4):
            debit(account)
        assert watch.run(now=NOW) == []
        debit(account)
        for _ in range(2):
            assert watch.run(now=NOW) == [Unusual("bank_account_busy", "bank-1", 5)]
        row = Incident.objects.get()
        assert (row.kind, row.data) == ("bank_account_busy", {"count": 5, "bank_account": "bank-1"})


def test_the_yearly_review_is_a_matter_whose_closing_is_the_review_ach_03(acting, account):
    debit(account, at=NOW - 366 * DAY)
    watch.run(now=NOW)
    watch.run(now=NOW + DAY)
    row = Incident.objects.get()
    assert (row.kind, row.data) == ("fraud_review", {"last_reviewed_at": None})
    incidents.close(incident=row, by="admin", note="Looked through the rules and the returns.", now=NOW + 2 * DAY)
    watch.run(now=NOW + 300 * DAY)
    assert Incident.objects.count() == 1
    watch.run(now=NOW + 368 * DAY)
    again = Incident.objects.get(closed_at=None)
    assert again.data["last_reviewed_at"] == (NOW + 2 * DAY).isoformat()
