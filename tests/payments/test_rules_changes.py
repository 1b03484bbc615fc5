"""The pure part of changes: whatever is asked, the sum stays, the limit holds, and no day has two payments."""

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from payments.rules.changes import Planned, after_payment, move, reschedule, skip
from settlements.rules.offers import Allowed, Terms

TODAY = dt.date(2026, 12, 1)
LIMIT = dt.date(2028, 1, 31)
TERMS = Terms(
    balance_cents=0,
    amount_cents=0,
    saving_cents=0,
    max_payments=9_999,
    last_date=LIMIT,
    minimum_payment_cents=1,
    allowed=Allowed(),
    text="",
    level="agency",
    version=1,
    trace=(),
)
plans = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1_00, 500_00)), min_size=1, max_size=15, unique_by=lambda line: line[0]
).map(
    lambda lines: tuple(
        Planned(str(number), TODAY + dt.timedelta(days=after), cents)
        for number, (after, cents) in enumerate(sorted(lines))
    )
)
methods = st.sampled_from(["card", "ach"])


def after(planned, changed):
    stay = [(one.due_on, one.amount_cents) for one in planned if one.key not in changed.gone]
    return sorted([*stay, *((line.due_on, line.amount_cents) for line in changed.lines)])


def holds(planned, changed):
    found = after(planned, changed)
    assert sum(cents for _on, cents in found) == sum(one.amount_cents for one in planned)
    assert len({on for on, _cents in found}) == len(found)
    assert all(TODAY < line.due_on <= LIMIT for line in changed.lines)


@settings(max_examples=2_000, deadline=None)
@given(plans, st.integers(0, 15), st.integers(-5, 500), methods)
def test_a_moved_payment_keeps_the_sum_the_limit_and_its_own_day(planned, number, days, method):
    changed = move(planned, str(number), TODAY + dt.timedelta(days=days), today=TODAY, limit_on=LIMIT, method=method)
    assert bool(changed.refusals) != bool(changed.lines)
    holds(planned, changed)


@settings(max_examples=2_000, deadline=None)
@given(plans, st.integers(0, 15), st.sampled_from(["weekly", "biweekly", "semimonthly", "monthly", "custom"]), methods)
def test_a_skipped_payment_is_the_last_one_then(planned, number, frequency, method):
    changed = skip(planned, str(number), frequency=frequency, today=TODAY, limit_on=LIMIT, method=method)
    holds(planned, changed)
    if changed.lines:
        assert after(planned, changed)[-1][0] == changed.lines[0].due_on


@settings(max_examples=2_000, deadline=None)
@given(plans, st.sampled_from(["weekly", "biweekly", "semimonthly", "monthly"]), methods)
def test_another_rhythm_keeps_the_sum_and_never_moves_what_is_near(planned, frequency, method):
    changed = reschedule(planned, frequency, terms=TERMS, today=TODAY, limit_on=LIMIT, method=method)
    holds(planned, changed)
    near = {one.key for one in planned if one.due_on <= TODAY + dt.timedelta(days=1)}
    assert not near & set(changed.gone)


@settings(max_examples=2_000, deadline=None)
@given(plans, st.integers(-1_00, 9_000_00))
def test_what_is_paid_extra_shortens_from_the_end(planned, extra):
    left = after_payment(planned, extra)
    whole = sum(one.amount_cents for one in planned)
    assert sum(one.amount_cents for one in left) == max(0, whole - max(0, extra))
    assert [one.key for one in left] == [one.key for one in planned[: len(left)]]
    assert all(one.amount_cents == known.amount_cents for one, known in zip(left[:-1], planned, strict=False))
