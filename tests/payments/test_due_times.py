"""When a due item runs: on its day where the consumer lives, from eight in the morning, never before (PDC-02)."""

import datetime as dt

import pytest

from accounts.models import Account, Consumer
from payments.models import Payment, Postdate
from payments.services import due
from tests.payments.due_cast import announce, fresh, item_of, keep_bank, plan, run, told
from tests.payments.test_pay import kinds

SECOND = dt.timedelta(seconds=1)


def utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


def soon(shop, on, *, zone="America/New_York", **more):
    """Plan one payment a few days ahead, so that no notice is owed, with a balance of the day before."""
    Consumer.objects.update(time_zone=zone)
    shop.account.refresh_from_db()
    now = dt.datetime.combine(on - dt.timedelta(days=3), dt.time(20), dt.UTC)
    item = item_of(plan(shop, [(on, 125_00)], now=now, **more))
    Account.objects.update(as_of=now)
    return item


def test_midnight_in_london_is_yesterday_in_new_york_utc_1(shop):
    item = soon(shop, dt.date(2026, 12, 1))
    assert run(utc(2026, 12, 1, 0, 5)).claimed == 0
    assert run(utc(2026, 12, 1, 13, 0) - SECOND).claimed == 0
    assert shop.charged() == []
    assert run(utc(2026, 12, 1, 13, 0)).charged == 1
    assert [one["amount"] for one in shop.charged()] == [125_00]
    assert fresh(item).status == Postdate.Status.TAKEN


@pytest.mark.parametrize(
    ("early", "reason"),
    [
        (utc(2026, 12, 1, 0, 5), "not_due_yet"),
        (utc(2026, 12, 1, 12, 59, 59), "too_early_in_the_day"),
    ],
)
def test_the_gates_refuse_what_a_wrong_moment_brings_them_utc_1(shop, early, reason):
    item = soon(shop, dt.date(2026, 12, 1))
    Postdate.objects.update(run_at=early)
    ran = run(early)
    assert (ran.claimed, ran.skipped, ran.charged) == (1, 1, 0)
    (said,) = told(shop.account, "postdate.skipped")
    assert (said["reasons"], said["next_try_at"]) == ([reason], "2026-12-01T13:00:00+00:00")
    assert fresh(item).run_at == utc(2026, 12, 1, 13, 0)
    assert run(utc(2026, 12, 1, 13, 0)).charged == 1


@pytest.mark.parametrize(
    ("on", "zone", "eight"),
    [
        (dt.date(2027, 3, 13), "America/New_York", utc(2027, 3, 13, 13, 0)),
        (dt.date(2027, 3, 14), "America/New_York", utc(2027, 3, 14, 12, 0)),
        (dt.date(2027, 11, 6), "America/New_York", utc(2027, 11, 6, 12, 0)),
        (dt.date(2027, 11, 7), "America/New_York", utc(2027, 11, 7, 13, 0)),
        (dt.date(2027, 3, 14), "America/Phoenix", utc(2027, 3, 14, 15, 0)),
        (dt.date(2027, 11, 7), "America/Los_Angeles", utc(2027, 11, 7, 16, 0)),
        (dt.date(2027, 1, 4), "Pacific/Honolulu", utc(2027, 1, 4, 18, 0)),
        (dt.date(2027, 1, 4), "Pacific/Guam", utc(2027, 1, 3, 22, 0)),
    ],
)
def test_eight_o_clock_is_the_consumers_own_on_days_that_change_the_clock_cal_06(shop, on, zone, eight):
    soon(shop, on, zone=zone)
    assert run(eight - SECOND).claimed == 0
    assert run(eight).charged == 1


def test_a_consumer_who_moves_west_is_not_charged_at_the_old_places_eight_pdc_02(shop):
    item = soon(shop, dt.date(2026, 12, 1))
    Consumer.objects.update(time_zone="America/Los_Angeles")
    assert run(utc(2026, 12, 1, 13, 0)).skipped == 1
    assert fresh(item).run_at == utc(2026, 12, 1, 16, 0)
    assert run(utc(2026, 12, 1, 16, 0)).charged == 1


def test_a_card_is_charged_on_a_saturday_cal_03(shop):
    soon(shop, dt.date(2026, 12, 12))
    assert run(utc(2026, 12, 12, 13, 0)).charged == 1


@pytest.mark.parametrize(
    ("on", "sent_on"),
    [
        (dt.date(2026, 11, 26), dt.date(2026, 11, 27)),
        (dt.date(2026, 12, 25), dt.date(2026, 12, 28)),
        (dt.date(2027, 7, 3), dt.date(2027, 7, 6)),
    ],
    ids=["thanksgiving", "christmas", "independence day"],
)
def test_a_debit_on_a_closed_day_is_sent_on_the_next_banking_day_ach_1(shop, on, sent_on):
    item = soon(shop, on, method=keep_bank(shop))
    ran = run(item.not_before_at)
    assert (ran.skipped, ran.charged) == (1, 0)
    (said,) = told(shop.account, "postdate.skipped")
    assert said["reasons"] == ["not_a_banking_day"]
    eight = fresh(item).run_at
    assert (eight.date(), said["next_try_at"]) == (sent_on, eight.isoformat())
    assert run(eight - SECOND).claimed == 0
    assert run(eight).charged == 1
    assert Payment.objects.get().status == Payment.Status.PENDING
    assert fresh(item).status == Postdate.Status.TAKEN
    assert kinds(shop.account)[-1] == "payment.pending"


@pytest.mark.parametrize("on", [dt.date(2027, 12, 24), dt.date(2027, 6, 18)])
def test_a_friday_before_a_saturday_holiday_is_a_banking_day_ach_2(shop, on):
    soon(shop, on, method=keep_bank(shop))
    assert run(utc(on.year, on.month, on.day, 13, 0)).charged == 1


def test_what_several_days_brought_together_is_taken_one_by_one(shop):
    """A worker that was away: both are due, and no two tries of one account are ever undecided at the same time."""
    first, second = dt.date(2026, 12, 1), dt.date(2026, 12, 3)
    arrangement = plan(shop, [(first, 100_00), (second, 50_00)], now=utc(2026, 11, 28, 15, 0))
    later = utc(2026, 12, 4, 15, 0)
    ran = run(later)
    assert (ran.claimed, ran.intended, ran.charged) == (2, 1, 1)
    assert [one["amount"] for one in shop.charged()] == [100_00]
    left = fresh(item_of(arrangement, 2))
    assert (left.status, left.tries, left.claimed_until) == (Postdate.Status.SCHEDULED, 0, None)
    assert run(later + SECOND).charged == 1
    assert sorted(one["amount"] for one in shop.charged()) == [50_00, 100_00]


def test_batches_walk_on_from_where_the_last_one_ended(shop):
    days = [dt.date(2026, 12, 1) + dt.timedelta(days=day) for day in range(4)]
    arrangement = plan(shop, [(day, 20_00) for day in days], now=utc(2026, 11, 29, 15, 0))
    announce(arrangement)
    later = utc(2026, 12, 5, 15, 0)
    ran = run(later, limit=3)
    assert (ran.claimed, ran.intended, ran.charged) == (4, 2, 2)
    ran = run(later + SECOND, limit=1)
    assert (ran.claimed, ran.intended, ran.charged) == (2, 2, 2)
    assert [one["amount"] for one in shop.charged()] == [20_00] * 4
    assert sorted(Payment.objects.values_list("idempotency_key", flat=True)) == sorted(
        due.key_of(item_of(arrangement, number).pk, 1) for number in range(1, 5)
    )
