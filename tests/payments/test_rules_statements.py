"""When New York wants a consumer told what they paid, and that nothing is owed any more (ST-03, ST-04)."""

import datetime as dt

import pytest

from payments.rules.statements import accounting_due, law_of, satisfaction_due

NY = law_of("NY", dt.date(2026, 12, 1))
AGREED = dt.date(2026, 9, 1)


@pytest.mark.parametrize(
    ("state", "on", "found"),
    [
        ("NY", dt.date(2026, 12, 1), True),
        ("NY", dt.date(2015, 3, 3), True),
        ("NY", dt.date(2015, 3, 2), False),
        ("NJ", dt.date(2026, 12, 1), False),
        ("", dt.date(2026, 12, 1), False),
    ],
)
def test_only_who_lives_in_new_york_is_owed_statements_since_its_law_came(state, on, found):
    assert (law_of(state, on) is not None) is found


@pytest.mark.parametrize(
    ("days", "due"),
    [(1, False), (82, False), (83, True), (90, True), (91, True), (400, True)],
)
def test_st_03_an_accounting_is_made_a_week_before_its_ninetieth_day(days, due):
    found = accounting_due(NY, AGREED, AGREED + dt.timedelta(days=days))
    assert found == (dt.date(2026, 11, 30) if due else None)


@pytest.mark.parametrize(
    ("paid_on", "today", "send_by"),
    [
        # Five business days after a Tuesday is the next Tuesday.
        (dt.date(2026, 12, 1), dt.date(2026, 12, 7), None),
        (dt.date(2026, 12, 1), dt.date(2026, 12, 8), dt.date(2026, 12, 30)),
        # Christmas and New Year are no business days: twenty from Monday the 14th end on the 13th of January.
        (dt.date(2026, 12, 14), dt.date(2026, 12, 21), dt.date(2027, 1, 13)),
        # Paid on a Saturday: counted from the Monday.
        (dt.date(2026, 12, 5), dt.date(2026, 12, 11), dt.date(2027, 1, 5)),
    ],
)
def test_st_04_the_letter_waits_until_the_money_is_certain_and_leaves_within_twenty_business_days(
    paid_on, today, send_by
):
    assert satisfaction_due(NY, paid_on, today) == send_by
