"""What holds of every offer and schedule, in whatever world: each property over thousands of generated ones.

The limits are worked out here once more, in other words than the engine's, so that a slip in one of them shows.
"""

import json
from datetime import date, timedelta
from fractions import Fraction
from itertools import islice
from math import ceil, floor

from hypothesis import HealthCheck, given, settings

from accounts.calendars import add_months, fed, is_business_day, roll_forward
from accounts.money import split_evenly
from settlements.rules.bands import BAND_FIELDS, HIGHEST_CENTS, RuleSet, band_at, compile_rules
from settlements.rules.offers import GlobalOffer, HostSettlement, PaymentOptions, payment_options, terms
from settlements.rules.portfolio import headline, headline_of
from settlements.rules.quotes import Facts, Offered, Wish, answer, frequencies_of, offered
from settlements.rules.schedules import Line, check, payment_dates, propose, roll, spread
from settlements.rules.why import lines, recompute, sentence
from settlements.rules.wishes import CHOICES
from tests.settlements import worlds

many = settings(
    max_examples=2_000,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PERIODS = {"weekly": 52, "biweekly": 26, "semimonthly": 24, "monthly": 12, "once": 12}


def smallest(limits, frequency: str) -> int:
    """The smallest payment of a frequency: the month's minimum by periods a year, up to the cent."""
    periods = PERIODS[frequency]
    if limits.conversion == "half_month" and periods > 12:
        periods = 24
    return max(ceil(Fraction(limits.monthly_minimum_cents * 12, periods)), limits.minimum_payment_cents, 1_00)


def open_ones(at: Offered) -> list[str]:
    return [choice for choice in CHOICES if choice not in at.closed]


def schedules(roll: worlds.Dice):
    """Answer a wish for each choice that is open, and give those that were accepted."""
    at = offered(worlds.facts(roll))
    # Several payments have the most to go wrong, so they are tried more often.
    for choice in [*open_ones(at), *("parts", "plan") * 2]:
        if choice in at.closed:
            continue
        limits = at.terms_of(choice)
        total = limits.amount_cents if limits else at.facts.owed_cents
        least = smallest(limits, roll.pick(("monthly", "biweekly", "weekly"))) if limits else 0
        said = worlds.wish(roll, choice, at.facts.today, total, least)
        found = answer(at, said)
        assert bool(found.lines) != bool(found.refusals), "payments, or the reasons why not"
        if found.lines:
            yield at, said, found


@many
@given(worlds.dice())
def test_schedules_sum_exactly(roll):
    for at, said, found in schedules(roll):
        total = sum(line.amount_cents for line in found.lines)
        assert total == found.total_cents
        assert all(line.amount_cents > 0 for line in found.lines)
        if said.choice in ("full", "plan"):
            assert total == at.facts.owed_cents
        elif found.terms is not None:
            assert total == found.terms.amount_cents
            assert total + found.saving_cents == at.facts.owed_cents
        else:
            assert total <= at.facts.owed_cents


@many
@given(worlds.dice())
def test_no_schedule_passes_the_most_payments_the_months_or_the_last_day(roll):
    for at, said, found in schedules(roll):
        today, first = at.facts.today, found.lines[0].planned_on or found.lines[0].due_on
        assert first >= today
        days = [line.due_on for line in found.lines]
        assert days == sorted(set(days)), "each on a later day"
        limits = found.terms
        if limits is None:
            assert len(days) == 1
            continue
        frequency = "custom" if said.lines else said.frequency
        assert len(days) <= limits.max_payments
        if limits.max_months:
            periods = PERIODS.get(frequency, 52)
            assert len(days) == 1 or len(days) <= floor(Fraction(limits.max_months * periods, 12))
            assert days[-1] <= add_months(first, limits.max_months)
        if limits.ends_on:
            assert days[-1] <= limits.ends_on
        if limits.latest_first_on:
            assert first <= limits.latest_first_on


@many
@given(worlds.dice())
def test_every_payment_reaches_the_minimum_unless_it_is_the_permitted_remainder(roll):
    for _at, said, found in schedules(roll):
        if found.terms is None or len(found.lines) == 1:
            continue
        chosen = bool(said.lines) or said.amount_cents is not None
        amounts = [line.amount_cents for line in found.lines]
        days = [line.planned_on or line.due_on for line in found.lines]
        for index, cents in enumerate(amounts[: -1 if chosen else None]):
            gap = (days[max(index, 1)] - days[max(index, 1) - 1]).days
            by_gap = "weekly" if gap <= 10 else "biweekly" if gap <= 23 else "monthly"
            assert cents >= smallest(found.terms, by_gap if said.lines else said.frequency)
        assert amounts[-1] >= 1_00
        assert amounts[0] >= found.terms.down_payment_cents


@many
@given(worlds.dice())
def test_nothing_is_open_that_accepting_refuses(roll):
    at = offered(worlds.facts(roll))
    today = at.facts.today
    for choice in open_ones(at):
        limits = at.terms_of(choice)
        several = choice in ("parts", "plan")
        frequencies = frequencies_of(at, choice) if several else ("monthly",)
        assert frequencies, "what is open in parts can be paid at some frequency"
        amount = at.facts.owed_cents if choice == "amount" else None
        for frequency in frequencies:
            methods = (
                [""]
                if not several
                else [one for one in limits.allowed.recurring_methods if frequency in frequencies_of(at, choice, one)]
            )
            for method in methods:
                found = answer(at, Wish(choice, method, frequency, amount_cents=amount))
                assert found.refusals == ()
                assert len(found.lines) > 1 or not several
                again = answer(at, Wish(choice, method, lines=found.lines))
                assert again.refusals == (), "its own payments, typed"
                assert [line.due_on for line in again.lines] == [line.due_on for line in found.lines]
                if limits is not None:
                    used = method or limits.allowed.methods(len(found.lines))[0]
                    taken = roll_lines(found.lines, used)
                    assert check(taken, limits, today, used, frequency=frequency if several else "once") == []
    for choice, reasons in at.closed.items():
        assert reasons
        found = answer(at, Wish(choice, amount_cents=1_00 if choice == "amount" else None))
        assert set(reasons) <= set(found.refusals)


def roll_lines(planned, method):
    return [line if line.planned_on else roll([line], method)[0] for line in planned]


@many
@given(worlds.dice())
def test_of_overlapping_bands_the_lower_one_always_counts(roll):
    rules = worlds.rule_set(roll, "agency")
    compiled = compile_rules(None, RuleSet("agency", 1, rules.bands))
    for balance in {*worlds.EDGES, *(edge + 1 for edge in worlds.EDGES), roll.upto(HIGHEST_CENTS)}:
        if balance > HIGHEST_CENTS:
            continue
        lower = None
        for band in rules.bands:
            if band.owing_from_cents <= balance <= band.owing_to_cents and (
                lower is None
                or band.owing_from_cents < lower.owing_from_cents
                or (band.owing_from_cents == lower.owing_from_cents and band.owing_to_cents < lower.owing_to_cents)
            ):
                lower = band
        assert band_at(rules.bands, balance) is lower
        governing = compiled.at(balance)
        assert governing.covered == (lower is not None)
        for name in BAND_FIELDS if lower else ():
            said = getattr(lower, name)
            assert governing.origins[name].level == ("product" if said is None else "agency")
            assert said is None or governing[name] == said


@many
@given(worlds.dice())
def test_the_trace_works_out_the_same_numbers_again(roll):
    at = offered(worlds.facts(roll))
    for limits in (at.settlement, at.plan):
        if limits is None:
            continue
        numbers = recompute(limits.trace, balance_cents=at.facts.owed_cents, today=at.facts.today)
        wanted = {
            "breach_reinstates": limits.breach.reinstates,
            "breach_cure_days": limits.breach.cure_days,
            "grace_days": limits.breach.grace_days,
            "failures_to_break": limits.breach.failures,
        }
        assert {"amount_cents", "saving_cents", "max_payments", "last_date", "ends_on"} <= set(numbers)
        for name, value in numbers.items():
            assert value == wanted.get(name, getattr(limits, name, None)), name
        if at.governing is not None:
            assert set(wanted) <= set(numbers)
        kept = json.loads(json.dumps(limits.trace, default=date.isoformat))
        assert recompute(kept, balance_cents=at.facts.owed_cents, today=at.facts.today) == numbers
    for one in lines(at):
        assert one.sentence.sentence
        assert "%" not in one.sentence.sentence.replace(" %", "")
    for choice in CHOICES:
        assert sentence(at, choice).sentence


@many
@given(worlds.dice())
def test_the_fast_path_of_a_portfolio_gives_the_same_headline(roll):
    given_facts = worlds.facts(roll)
    for owed in (given_facts.owed_cents, roll.upto(3_000_00), roll.upto(3_00), HIGHEST_CENTS + roll.upto(1)):
        one = Facts(
            owed,
            given_facts.today,
            given_facts.listed_on,
            given_facts.individual,
            given_facts.rules,
            given_facts.global_offer,
            given_facts.allowed,
            too_old_for_parts=roll.sometimes(),
        )
        given = (one.listed_on, one.today, one.individual, one.global_offer, one.allowed, not one.too_old_for_parts)
        fast = headline(one.rules, owed, *given)
        assert fast == headline_of(offered(one))


@many
@given(worlds.dice(40))
def test_a_proposal_is_the_longest_that_fits(roll):
    today = date(2026, 1, 1) + timedelta(days=roll.upto(900))
    allowed = payment_options(worlds.options(roll))
    said = HostSettlement(
        amount_cents=1 + roll.upto(2_000_00), max_payments=1 + roll.upto(14), max_days=roll.pick((180, 0, 7, 30, 365))
    )
    limits = terms(3_000_00, today, said, allowed=allowed)
    method, frequency = roll.pick(("card", "ach")), roll.pick(worlds.FREQUENCIES)
    if limits is None:
        return
    assert propose(limits, today, frequency, method=method) == longest(limits, today, frequency, method)


def longest(limits, first: date, frequency: str, method: str) -> tuple[Line, ...]:
    """Try every number of payments from the most on."""
    days = list(islice(payment_dates(first, frequency), limits.max_payments))
    for wanted in range(len(days), 0, -1):
        planned = [Line(*pair) for pair in zip(days, spread(limits, wanted), strict=False)]
        if not check(roll(planned, method), limits, first, method, frequency=frequency):
            return roll(planned, method)
    return ()


@many
@given(worlds.dice(40))
def test_equal_payments_differ_by_the_odd_cents_of_the_last_one_alone(roll):
    total, parts = roll.upto(999_999_999_00), 1 + roll.upto(500)
    amounts = split_evenly(total, parts)
    assert sum(amounts) == total
    assert len(amounts) == parts
    assert len(set(amounts[:-1])) <= 1
    assert 0 <= amounts[-1] - amounts[0] < parts


@many
@given(worlds.dice(40))
def test_bank_debits_are_taken_on_the_first_banking_day_and_never_early(roll):
    limits = terms(1_000_00, date(2026, 1, 1), global_offer=GlobalOffer(75_00, 12, 400), allowed=payment_options())
    first = date(2026, 1, 1) + timedelta(days=roll.upto(60))
    for line in propose(limits, first, roll.pick(worlds.FREQUENCIES), method="ach"):
        planned = line.planned_on or line.due_on
        assert line.due_on == roll_forward(planned, fed) >= planned
        assert is_business_day(line.due_on, fed)
        assert (line.planned_on is None) == (planned == line.due_on)


def test_the_fast_path_forgets_nothing_between_accounts_of_one_portfolio():
    """One set of rules, many accounts in turn: what was kept for one account must not answer for another."""
    rules = compile_rules(None, RuleSet("agency", 1, (worlds.band(worlds.Dice(b"\x00" * 40)),)))
    allowed, banned = payment_options(), payment_options(PaymentOptions(recurring_card=False, recurring_ach=False))
    today = date(2026, 6, 1)
    for owed in range(0, 2_000_00, 777):
        for listed_on in (None, today, today - timedelta(days=900)):
            for options in (allowed, banned):
                for day in (today, today + timedelta(days=5)):
                    one = Facts(owed, day, listed_on, None, rules, None, options)
                    assert headline(rules, owed, listed_on, day, None, None, options) == headline_of(offered(one))
