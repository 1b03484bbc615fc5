"""Worlds and wishes for property tests, read out of plain bytes: many small choices, drawn at once and shrunk well."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st

from settlements.rules.bands import BAND_FIELDS, HIGHEST_CENTS, Band, RuleSet, compile_rules
from settlements.rules.offers import GlobalOffer, HostSettlement, PaymentOptions, payment_options
from settlements.rules.quotes import Facts, Wish
from settlements.rules.schedules import Line

T = TypeVar("T")

EDGES = (0, 100_00, 1_000_00, 999_99, 1_000_01, 2_500_00, 50_00, 1, 10_000_00, HIGHEST_CENTS)
MENUS: dict[str, tuple[Any, ...]] = {
    "minimum_cents": (25_00, 0, 1, 100_00, 49_99, 1_000_00),
    "minimum_bps": (5_00, 0, 1, 3_33, 100_00),
    "max_months_unsettled": (12, 0, 1, 2, 7, 60),
    "max_months_settled": (6, 0, 1, 2, 11),
    "months_before_settlement": (0, 3, 12),
    "months_until_settlement": (0, 24, 6, 60),
    "minimum_settlement_bps": (75_00, 0, 1, 33_33, 100_00, 50_00),
    "card_disabled": (False, False, False, True),
    "ach_disabled": (False, False, False, True),
    "offered_settlement_bps": (80_00, 0, 60_00, 99_99),
    "max_payments": (6, 0, 1, 2, 13),
    "max_days": (180, 0, 7, 8, 31, 1_000),
    "down_payment_cents": (50_00, 0, 1, 500_00),
    "down_payment_bps": (10_00, 0, 33_33, 100_00),
    "latest_first_days": (14, 0, 40),
    "grace_days": (5, 0),
    "failures_to_break": (2, 0),
}
FREQUENCIES = ("monthly", "weekly", "biweekly", "semimonthly")


class Dice:
    """Read choices from bytes; used up or all zeros give the first of every menu."""

    def __init__(self, data: bytes) -> None:
        self._bytes = iter(data)

    def upto(self, most: int) -> int:
        """Give a number from 0 to `most`."""
        number = 0
        for _ in range((most.bit_length() + 7) // 8):
            number = number << 8 | next(self._bytes, 0)
        return number % (most + 1)

    def pick(self, menu: Sequence[T]) -> T:
        return menu[self.upto(len(menu) - 1)]

    def sometimes(self) -> bool:
        return self.upto(2) == 1


def dice(size: int = 240) -> st.SearchStrategy[Dice]:
    """Draw dice."""
    return st.binary(min_size=size, max_size=size).map(Dice)


def band(roll: Dice) -> Band:
    low, high = roll.pick((*(0,) * 8, *EDGES)), roll.pick((*(HIGHEST_CENTS,) * 8, *EDGES[::-1]))
    said = {name: roll.pick(MENUS[name]) for name in BAND_FIELDS if roll.upto(2) != 2}
    return Band(min(low, high), max(low, high), **said)


def rule_set(roll: Dice, level: str) -> RuleSet:
    return RuleSet(
        level=level,
        version=roll.upto(9),
        bands=tuple(band(roll) for _ in range(1 + roll.upto(2))),
        enabled=roll.upto(7) != 1,
        is_master=level == "agency" and roll.sometimes(),
        replace_all=level == "client" and roll.sometimes(),
        conversion=roll.pick((None, "annual", "half_month")),
        promise_days=roll.pick((None, 0, 10)),
        breach_reinstates=roll.pick((None, "rest", "balance")),
        max_changes=roll.pick((None, 0, 3)),
        sif_plan_final=roll.pick((None, "SIF")),
    )


def options(roll: Dice, level: str = "host") -> PaymentOptions:
    return PaymentOptions(
        can_pay=roll.upto(60) != 1,
        single_card=roll.upto(7) != 1,
        recurring_card=roll.upto(7) != 1,
        single_ach=roll.upto(7) != 1,
        recurring_ach=roll.upto(7) != 1,
        minimum_single_cents=roll.pick((None, 0, 10_00)),
        minimum_recurring_cents=roll.pick((None, 0, 30_00, 50)),
        level=level,
        version=4,
    )


def individual(roll: Dice, today: date) -> HostSettlement:
    by_amount = roll.sometimes()
    return HostSettlement(
        amount_cents=roll.upto(3_000_00) if by_amount else None,
        percent_bps=None if by_amount else roll.pick((60_00, 33_33, 0, 1, 100_00, None)),
        max_payments=roll.pick((6, None, 1, 2, 100, 0)),
        max_days=roll.pick((180, None, 0, 7, 30)),
        max_date=today + timedelta(days=roll.upto(60) - 2) if roll.sometimes() else None,
        methods=roll.pick(((), (), (), ("card",), ("ach",), ("card", "ach"))),
        level=roll.pick(("host", "staff", "campaign")),
        version="offer",
        expires_on=today + timedelta(days=roll.upto(3) - 1) if roll.sometimes() else None,
    )


def facts(roll: Dice) -> Facts:
    """Make an account with everything that may be said about it."""
    today = date(2026, 1, 1) + timedelta(days=roll.upto(1_200))
    owed = roll.pick(EDGES) + roll.upto(300) if roll.sometimes() else roll.upto(30_000_00)
    agency = rule_set(roll, "agency") if roll.upto(3) != 3 else None
    client = rule_set(roll, "client") if roll.sometimes() else None
    default = None
    if roll.upto(3) != 3:
        default = GlobalOffer(
            roll.pick((75_00, 1, 100_00)), roll.pick((6, 1, 30)), roll.pick((180, 0, 7)), 25_00, "", 3
        )
    return Facts(
        owed_cents=owed - (1 if roll.upto(40) == 1 else 0),
        today=today,
        listed_on=today - timedelta(days=roll.upto(900)) if roll.upto(5) != 5 else None,
        individual=individual(roll, today) if roll.sometimes() else None,
        rules=compile_rules(client, agency),
        global_offer=default,
        allowed=payment_options(options(roll), options(roll, "agency") if roll.sometimes() else None),
    )


def wish(roll: Dice, choice: str, today: date, total_cents: int, least_cents: int = 0) -> Wish:
    """Make a wish, sensible or not, for several payments or one; `least_cents` is a limit to come close to."""
    how = roll.upto(3)
    if choice not in ("parts", "plan"):
        how = 2 if choice == "amount" else how & 2
    first_on = today + timedelta(days=roll.upto(16) - 2) if roll.sometimes() else None
    return Wish(
        choice,
        method=roll.pick(("", "", "card", "ach")),
        frequency=roll.pick((*FREQUENCIES, *FREQUENCIES, "once", "custom")),
        parts=roll.upto(9) if how == 1 else None,
        amount_cents=max(total_cents // (1 + roll.upto(9)) + roll.upto(20_00) - 5_00, 1) if how == 2 else None,
        first_on=first_on,
        lines=own_lines(roll, first_on or today, total_cents, least_cents) if how == 3 else (),
        days=roll.pick(((1, 15), (30, 31), (5, 20), (2, 1))),
    )


def own_lines(roll: Dice, first_on: date, total_cents: int, least_cents: int) -> tuple[Line, ...]:
    """Split a total on days of one's own, most often exactly, often at the least that a payment may be or below."""
    count, day, left = 1 + roll.upto(5), first_on, total_cents + (roll.upto(9) == 1)
    lines = []
    for number in range(count, 0, -1):
        near = roll.pick((left // number + roll.upto(2_00) - 1_00, least_cents, least_cents - 1))
        cents = left if number == 1 else near
        lines.append(Line(day, cents))
        left -= cents
        day += timedelta(days=roll.pick((31, 7, 14, 28, 24, 23, 11, 10, 1, 0)))
    return tuple(lines)
