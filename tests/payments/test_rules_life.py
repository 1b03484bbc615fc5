"""How far an arrangement is: exact dates in a table, and what must hold for any schedule and any payments."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.rules.life import Due, Facts, covered, decide, due_by, owed_after_breach
from settlements.rules.offers import Breach

D1, D2, D3 = dt.date(2026, 12, 1), dt.date(2027, 1, 1), dt.date(2027, 2, 1)
DUE = (Due(D1, 100_00), Due(D2, 100_00), Due(D3, 100_00))
NO_CURE = Breach(cure_days=0)
TEN_DAYS = Breach(cure_days=10)
GRACE = Breach(cure_days=10, grace_days=5)
TWO = Breach(cure_days=10, failures=2)
SLOW = Breach(cure_days=60, failures=2)


def facts(today, paid=0, **more):
    given = {"today": today, "status": "performing", "total_cents": 300_00, "due": DUE, "breach": TEN_DAYS}
    return Facts(**given | {"counted_cents": paid, "cleared_cents": paid} | more)


def failed(*numbers, on=None):
    return tuple(replace(one, failed_on=on or one.due_on) if n in numbers else one for n, one in enumerate(DUE, 1))


day = dt.date


@pytest.mark.parametrize(
    ("given", "status", "missing"),
    [
        # Paid to date covers due to date: on the day itself there is still time.
        (facts(day(2026, 11, 30)), "performing", 0),
        (facts(day(2026, 12, 1)), "performing", 0),
        (facts(day(2026, 12, 2)), "late", 100_00),
        (facts(day(2026, 12, 2), 100_00), "performing", 0),
        (facts(day(2026, 12, 2), 99_99), "late", 1),
        # Early, in part, more than one at once: only the sums count.
        (facts(day(2027, 1, 2), 200_00), "performing", 0),
        (facts(day(2027, 1, 2), 150_00), "late", 50_00),
        (facts(day(2027, 2, 2), 250_00, planned=False), "late", 50_00),
        # Grace, on the last payment too.
        (facts(day(2026, 12, 6), breach=GRACE), "performing", 0),
        (facts(day(2026, 12, 7), breach=GRACE), "late", 100_00),
        (facts(day(2027, 2, 6), 200_00, breach=GRACE), "performing", 0),
        (facts(day(2027, 2, 7), 200_00, breach=GRACE), "late", 100_00),
        # A failed charge is missed at once, with later ones pending; with grace when that is over.
        (facts(day(2026, 12, 1), due=failed(1)), "late", 100_00),
        (facts(day(2026, 12, 5), due=failed(1), breach=GRACE), "performing", 0),
        (facts(day(2026, 12, 6), due=failed(1), breach=GRACE), "late", 100_00),
        # Ten days to make good: the 2nd is the first late day, the 12th the last one in time.
        (facts(day(2026, 12, 12)), "late", 100_00),
        (facts(day(2026, 12, 13)), "broken", 100_00),
        # No days agreed: it breaks when nothing is planned any more.
        (facts(day(2027, 1, 15), 100_00, breach=NO_CURE), "late", 100_00),
        (facts(day(2027, 2, 2), 200_00, breach=NO_CURE, planned=False), "broken", 100_00),
        # A charge that failed before its day: what was paid covers what comes before it.
        (facts(day(2026, 12, 1), 100_00, due=failed(2, on=day(2026, 12, 1))), "late", 100_00),
        (facts(day(2026, 12, 1), 200_00, due=failed(2, on=day(2026, 12, 1))), "performing", 0),
        # Two failed in a row, not two in all; one that was taken begins the count anew.
        (facts(day(2027, 1, 1), due=failed(1, 2), outcomes=(False, False), breach=TWO), "broken", 200_00),
        (facts(day(2026, 12, 1), due=failed(1), outcomes=(False,), breach=TWO), "late", 100_00),
        (facts(day(2027, 2, 1), 100_00, due=failed(1, 3), outcomes=(False, True, False), breach=SLOW), "late", 200_00),
        # Failed in a row but paid otherwise: nothing is missing, so nothing is broken.
        (facts(day(2027, 1, 1), 200_00, due=failed(1, 2), outcomes=(False, False), breach=TWO), "performing", 0),
        # Broken is made good within the days, and not after.
        (facts(day(2026, 12, 10), 100_00, status="broken", late_since=day(2026, 12, 1)), "performing", 0),
        (facts(day(2026, 12, 11), 100_00, status="broken", late_since=day(2026, 12, 1)), "performing", 0),
        (facts(day(2026, 12, 12), 100_00, status="broken", late_since=day(2026, 12, 1)), "broken", 0),
        (facts(day(2026, 12, 5), 99_99, status="broken", late_since=day(2026, 12, 1), due=failed(1)), "broken", 1),
        # All of it completes it, from any state that can still be kept; what is on its way does not yet.
        (facts(day(2026, 12, 1), 300_00), "completed", 0),
        (facts(day(2026, 12, 1), 300_00, status="late"), "completed", 0),
        (facts(day(2026, 12, 1), 300_00, status="paused"), "completed", 0),
        (facts(day(2026, 12, 1), 300_00, status="broken"), "completed", 0),
        (facts(day(2026, 12, 1), 300_00, status="broken", ended=True), "broken", 0),
        (facts(day(2026, 12, 1), 300_00, status="broken", ended=True, breach=Breach("rest")), "completed", 0),
        (facts(day(2027, 2, 5), 300_00, cleared_cents=200_00), "performing", 0),
        # The payment that completed it came back.
        (facts(day(2027, 2, 5), 200_00, status="completed"), "late", 100_00),
        # At rest nobody is late.
        (facts(day(2027, 2, 5), status="paused"), "paused", 300_00),
        (facts(day(2027, 2, 5), status="review"), "review", 300_00),
        # The consumer cancelled what was planned.
        (facts(day(2026, 12, 1), 100_00, planned=False, withdrawn=True), "cancelled", 0),
        (facts(day(2026, 12, 1), 100_00, planned=True, withdrawn=True), "performing", 0),
        (facts(day(2026, 12, 1), 300_00, planned=False, withdrawn=True), "completed", 0),
    ],
)
def test_how_far_it_is_on_a_day(given, status, missing):
    state = decide(given)
    assert (state.status, state.missing_cents) == (status, missing)


def test_the_days_to_make_good_count_from_the_first_missed_day():
    state = decide(facts(day(2026, 12, 8), breach=GRACE))
    assert (state.late_since, state.make_good_by) == (day(2026, 12, 7), day(2026, 12, 17))


def test_paying_the_oldest_moves_the_days_to_the_next_that_is_missing():
    state = decide(facts(day(2027, 1, 3), 100_00))
    assert (state.late_since, state.make_good_by) == (day(2027, 1, 2), day(2027, 1, 12))


def test_broken_by_failures_may_still_be_made_good_and_then_is_over():
    broken = facts(day(2027, 1, 1), due=failed(1, 2), outcomes=(False, False), breach=TWO)
    assert decide(broken).over is True
    fresh = failed(1, 2, on=day(2027, 1, 1))
    soon = facts(day(2027, 1, 1), due=fresh, outcomes=(False, False), breach=replace(TWO, cure_days=40))
    assert (decide(soon).status, decide(soon).over) == ("broken", False)


@pytest.mark.parametrize(
    ("reinstates", "kind", "owed"),
    [("balance", "settlement", 900_00), ("rest", "settlement", 650_00), ("balance", "plan", 900_00)],
)
def test_what_is_owed_after_a_breach_follows_the_policy_that_was_accepted(reinstates, kind, owed):
    breach = Breach(reinstates)
    found = owed_after_breach(breach=breach, kind=kind, owed_cents=900_00, total_cents=750_00, counted_cents=100_00)
    assert found == owed


schedules = st.lists(
    st.tuples(st.integers(1, 400), st.integers(1, 500_00)), min_size=1, max_size=12, unique_by=lambda line: line[0]
).map(lambda lines: tuple(Due(D1 + dt.timedelta(days=after), cents) for after, cents in sorted(lines)))
breaches = st.builds(
    Breach,
    reinstates=st.sampled_from(["balance", "rest"]),
    cure_days=st.integers(0, 30),
    grace_days=st.integers(0, 15),
    failures=st.none() | st.integers(1, 4),
)


@st.composite
def situations(draw):
    due = draw(schedules)
    total = sum(one.amount_cents for one in due)
    counted = draw(st.integers(0, total))
    return Facts(
        today=D1 + dt.timedelta(days=draw(st.integers(-5, 450))),
        status=draw(st.sampled_from(["performing", "late"])),
        total_cents=total,
        due=due,
        counted_cents=counted,
        cleared_cents=draw(st.integers(0, counted)),
        outcomes=tuple(draw(st.lists(st.booleans(), max_size=6))),
        planned=draw(st.booleans()),
        breach=draw(breaches),
    )


@settings(max_examples=2_000, deadline=None)
@given(situations())
def test_it_performs_exactly_while_paid_to_date_covers_due_to_date(given):
    state = decide(given)
    due = sum(one.amount_cents for one in given.due if (given.today - one.due_on).days > given.breach.grace_days)
    assert state.due_cents == due
    if given.cleared_cents == given.total_cents:
        assert state.status == "completed"
    elif given.counted_cents >= due:
        assert (state.status, state.missing_cents) == ("performing", 0)
    else:
        assert state.status in ("late", "broken")
        assert state.missing_cents == due - given.counted_cents
        assert state.late_since <= given.today


@settings(max_examples=2_000, deadline=None)
@given(situations(), st.integers(1, 500_00))
def test_paying_more_never_makes_it_worse(given, more):
    rank = ["completed", "performing", "late", "broken"].index
    better = replace(
        given,
        counted_cents=min(given.total_cents, given.counted_cents + more),
        cleared_cents=min(given.total_cents, given.cleared_cents + more),
    )
    assert rank(decide(better).status) <= rank(decide(given).status)


@settings(max_examples=2_000, deadline=None)
@given(situations(), st.integers(1, 60))
def test_time_alone_never_makes_it_better(given, days):
    rank = ["completed", "performing", "late", "broken"].index
    later = replace(given, today=given.today + dt.timedelta(days=days))
    assert rank(decide(later).status) >= rank(decide(given).status)


@settings(max_examples=2_000, deadline=None)
@given(situations())
def test_what_is_covered_is_paid_and_the_next_one_is_not(given):
    count = covered(given.due, given.counted_cents)
    assert sum(one.amount_cents for one in given.due[:count]) <= given.counted_cents
    assert sum(one.amount_cents for one in given.due[: count + 1]) > given.counted_cents or count == len(given.due)


@settings(max_examples=2_000, deadline=None)
@given(situations())
def test_what_is_due_never_passes_the_whole(given):
    assert 0 <= due_by(given.due, given.today, given.breach.grace_days) <= given.total_cents
