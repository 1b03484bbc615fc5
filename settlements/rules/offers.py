"""Settlement terms: one level decides as a whole, and every number says where it came from.

Source: the SCollect integration document; rules "Levels" and "Amounts and dates".
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from accounts.calendars import add_months, validation_ends_on
from accounts.money import share
from accounts.refusals import Refusal, gettext_noop, refuse

METHODS = ("card", "ach")
_WHOLE = 100_00
# A host's "no limit" is often 9999; above these bounds a value is a mistake and dates could overflow.
MOST_PAYMENTS = 9_999
MOST_DAYS = 36_525
PERIODS = {"weekly": 52, "biweekly": 26, "semimonthly": 24, "monthly": 12}
"""Payments in a year: 12 months are 52 weekly payments, 26, 24 or 12."""
SMALLEST_CENTS = 1_00
"""No payment of a schedule is smaller, whatever the rules leave open: processors refuse less than half of it."""
MOST_MONTHS = 1_200
LATEST_DATE = date(2200, 1, 1)
"""Behind it a date is a mistake: it is compared, never reckoned with."""
CURE_DAYS = 10
"""Days to cure a broken settlement where no level says anything."""


class Origin(NamedTuple):
    """Say which field of which version at which level gave a number; `value` is what that field said."""

    number: str
    level: str
    version: int | str | None
    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class GlobalOffer:
    """Offer every account of the agency the same settlement: percent, most payments, most days."""

    percent_bps: int
    max_payments: int
    max_days: int
    minimum_payment_cents: int = 0
    text: str = ""
    version: int | str | None = None


@dataclass(frozen=True, slots=True)
class HostSettlement:
    """Hold what a host, a campaign or staff said for one account, unread: a missing value is None.

    A missing `max_payments` means 1, missing date and days mean due at once, and nothing is borrowed from
    the global offer. With both an amount and a percent the amount counts; with both a date and days the
    earlier day does. Behind `expires_on`, the last day to accept it, it is as if it had not been made.
    """

    amount_cents: int | None = None
    percent_bps: int | None = None
    max_payments: int | None = None
    max_days: int | None = None
    max_date: date | None = None
    methods: tuple[str, ...] = ()
    text: str = ""
    level: str = "host"
    version: int | str | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class PaymentOptions:
    """Hold what one level allows; None says nothing. Single is one payment, recurring is a schedule."""

    can_pay: bool | None = None
    single_card: bool | None = None
    recurring_card: bool | None = None
    single_ach: bool | None = None
    recurring_ach: bool | None = None
    minimum_single_cents: int | None = None
    minimum_recurring_cents: int | None = None
    level: str = "host"
    version: int | str | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Hold what all levels together allow. A minimum of 0 is no minimum."""

    can_pay: bool = True
    single_methods: tuple[str, ...] = METHODS
    recurring_methods: tuple[str, ...] = METHODS
    minimum_single_cents: int = 0
    minimum_recurring_cents: int = 0
    trace: tuple[Origin, ...] = ()

    def methods(self, payments: int) -> tuple[str, ...]:
        """Give the methods allowed for so many payments."""
        return self.recurring_methods if payments > 1 else self.single_methods


@dataclass(frozen=True, slots=True)
class Breach:
    """Say what a broken arrangement means, before anyone accepts it; what was paid always counts in full.

    `reinstates` is `balance` (what the settlement forgave is owed again) or `rest` (the rest of it stays due).
    `failures` failed payments in a row break it, 0 or None for never by failures; `cure_days` are left to make good.
    """

    reinstates: str = "balance"
    cure_days: int = CURE_DAYS
    grace_days: int = 0
    failures: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """Hold a settlement or a plan as the consumer may accept it today; the limits bind every change they make.

    `last_date` is for a first payment today; ask `last_for` for another first day, `most_for` and `minimum_for` for
    a frequency. A single payment of all has `allowed.minimum_single_cents`. `text` is what the offer's maker wrote.
    The `sif_plan_*` codes are contact plans that a Collect!-style host is asked to run; empty asks nothing.
    """

    balance_cents: int
    amount_cents: int
    saving_cents: int
    max_payments: int
    last_date: date
    minimum_payment_cents: int
    allowed: Allowed
    text: str
    level: str
    version: int | str | None
    trace: tuple[Origin, ...]
    kind: str = "settlement"
    max_months: int = 0
    ends_on: date | None = None
    monthly_minimum_cents: int = 0
    conversion: str = "annual"
    down_payment_cents: int = 0
    latest_first_on: date | None = None
    breach: Breach = Breach()
    max_changes: int | None = None
    sif_plan_arrangement: str = ""
    sif_plan_final: str = ""

    @property
    def methods(self) -> tuple[str, ...]:
        """Give every method that can pay it, in one payment or in several."""
        several = self.allowed.recurring_methods if self.max_payments > 1 else ()
        return tuple(method for method in METHODS if method in (*self.allowed.single_methods, *several))

    @property
    def open_ended(self) -> bool:
        """Tell whether nothing limits the last day."""
        return self.ends_on is None and not self.max_months

    def last_for(self, first_date: date) -> date:
        """Give the last day for a payment when the first one is on this day: months count from it."""
        limits = [self.ends_on] if self.ends_on else []
        if self.max_months:
            limits.append(add_months(min(first_date, LATEST_DATE), self.max_months))
        return min(limits, default=self.last_date)

    def most_for(self, frequency: str) -> int:
        """Give the most payments: months, not payments, are limited, so 12 months are 52 weekly ones.

        A list of dates of one's own (`custom`) counts as weekly.
        """
        if frequency == "once":
            return 1
        if not self.max_months:
            return self.max_payments
        return max(min(self.max_payments, self.max_months * PERIODS.get(frequency, 52) // 12), 1)

    def minimum_for(self, frequency: str) -> int:
        """Give the smallest payment of a frequency: the monthly minimum converted, or the flat one if higher."""
        converted = per_period(self.monthly_minimum_cents, frequency, self.conversion)
        return max(self.minimum_payment_cents, converted, SMALLEST_CENTS)


def per_period(monthly_cents: int, frequency: str, conversion: str = "annual") -> int:
    """Convert a monthly minimum to a frequency, rounded up to the cent.

    `annual`: weekly x 12/52, bi-weekly x 12/26, semi-monthly / 2. `half_month`, the only example of the Collect!
    document ($100 a month is $50 on a weekly plan): all three are half a month. Once and monthly are the whole.
    """
    periods = PERIODS.get(frequency, 12)
    if conversion == "half_month" and periods > 12:
        periods = 24
    return -(-monthly_cents * 12 // periods)


def payment_options(*levels: PaymentOptions | None) -> Allowed:
    """Join what the levels allow: one "no" is no, the higher minimum counts, the trace names who said it."""
    said = [level for level in levels if level is not None]
    trace: list[Origin] = []

    def allows(field: str) -> bool:
        for level in said:
            if getattr(level, field) is False:
                trace.append(Origin(field, level.level, level.version, field, False))
                return False
        return True

    def minimum(field: str) -> int:
        minimums = [(getattr(level, field), level) for level in said if getattr(level, field)]
        if not minimums:
            return 0
        cents, level = max(minimums, key=lambda pair: pair[0])
        trace.append(Origin(field, level.level, level.version, field, cents))
        return cents

    can_pay = allows("can_pay")
    single = tuple(method for method in METHODS if allows(f"single_{method}"))
    recurring = tuple(method for method in METHODS if allows(f"recurring_{method}"))
    return Allowed(
        can_pay=can_pay,
        single_methods=single if can_pay else (),
        recurring_methods=recurring if can_pay else (),
        minimum_single_cents=minimum("minimum_single_cents"),
        minimum_recurring_cents=minimum("minimum_recurring_cents"),
        trace=tuple(trace),
    )


def narrow(allowed: Allowed, ban: PaymentOptions) -> Allowed:
    """Take away what one more level does not allow; nothing that was taken away comes back."""
    more = payment_options(ban)
    return Allowed(
        can_pay=allowed.can_pay and more.can_pay,
        single_methods=tuple(one for one in allowed.single_methods if one in more.single_methods),
        recurring_methods=tuple(one for one in allowed.recurring_methods if one in more.recurring_methods),
        minimum_single_cents=max(allowed.minimum_single_cents, more.minimum_single_cents),
        minimum_recurring_cents=max(allowed.minimum_recurring_cents, more.minimum_recurring_cents),
        trace=allowed.trace + more.trace,
    )


_SENTENCES = {
    "settlement_without_amount": gettext_noop("A settlement needs an amount or a percent."),
    "settlement_amount_not_positive": gettext_noop("The settlement amount must be more than zero."),
    "settlement_percent_out_of_range": gettext_noop("The settlement percent must be more than 0 and at most 100."),
    "settlement_payments_out_of_range": gettext_noop("The number of payments must be from 1 to %(most)s."),
    "settlement_days_out_of_range": gettext_noop("The number of days must be from 0 to %(most)s."),
    "settlement_ends_in_validation": gettext_noop("The last day must be %(ends_on)s or later."),
}


def check_settlement(settlement: HostSettlement, *, validation_sent_on: date | None = None) -> list[Refusal]:
    """Say why a settlement is a row error; an unusable one makes no offer and hides the global one.

    :param validation_sent_on: no offer ends within the validation period that began with it (RF-31).
    """
    found: list[Refusal] = []

    def no(code: str, field: str, **params: Any) -> None:
        found.append(refuse(_SENTENCES[code], code, field=field, **params))

    if settlement.amount_cents is None and settlement.percent_bps is None:
        no("settlement_without_amount", "Amount")
    if settlement.amount_cents is not None and settlement.amount_cents <= 0:
        no("settlement_amount_not_positive", "Amount")
    if settlement.percent_bps is not None and not 0 < settlement.percent_bps <= _WHOLE:
        no("settlement_percent_out_of_range", "Percent")
    if settlement.max_payments is not None and not 1 <= settlement.max_payments <= MOST_PAYMENTS:
        no("settlement_payments_out_of_range", "MaxPayments", most=MOST_PAYMENTS)
    if settlement.max_days is not None and not 0 <= settlement.max_days <= MOST_DAYS:
        no("settlement_days_out_of_range", "MaxDays", most=MOST_DAYS)
    if settlement.max_date is not None and validation_sent_on is not None and validation_sent_on < LATEST_DATE:
        ends_on = validation_ends_on(validation_sent_on)
        if settlement.max_date < ends_on:
            no("settlement_ends_in_validation", "MaxDate", ends_on=ends_on)
    return found


def terms(
    balance_cents: int,
    today: date,
    individual: HostSettlement | None = None,
    global_offer: GlobalOffer | None = None,
    allowed: Allowed | None = None,
) -> Terms | None:
    """Give the settlement that an account is offered today, or None when there is none.

    `today` is the consumer's local date. An individual settlement decides alone: unusable
    (`check_settlement`) or past its date it makes no offer at all. The amount is rounded half-up once
    (SET-1, SET-2) and is never more than the balance.
    """
    allowed = allowed or Allowed()
    if balance_cents <= 0 or not allowed.can_pay:
        return None
    minimums = [origin for origin in allowed.trace if origin.number == "minimum_recurring_cents"]
    if individual is not None:
        said = individual
    elif global_offer is not None:
        said = said_by_global(global_offer)
        field, cents = "minimum_payment_cents", global_offer.minimum_payment_cents
        if cents:
            minimums.append(Origin(field, said.level, said.version, field, cents))
    else:
        return None
    if check_settlement(said):
        return None
    if said.methods:
        ban = {
            f"{timing}_{one}": False for timing in ("single", "recurring") for one in METHODS if one not in said.methods
        }
        allowed = narrow(allowed, PaymentOptions(**ban, level=said.level, version=said.version))
        if not allowed.single_methods and not allowed.recurring_methods:
            return None

    amount_cents, amount_from = _amount(balance_cents, said)
    max_payments, payments_from = _max_payments(said, allowed)
    last_date, last_date_from = _last_date(today, said)
    if amount_cents == 0 or last_date < today:
        return None
    minimum = max(minimums, key=lambda origin: origin.value, default=None)
    return Terms(
        balance_cents=balance_cents,
        amount_cents=amount_cents,
        saving_cents=balance_cents - amount_cents,
        max_payments=max_payments,
        last_date=last_date,
        minimum_payment_cents=minimum.value if minimum else 0,
        allowed=allowed,
        text=said.text,
        level=said.level,
        version=said.version,
        ends_on=last_date,
        trace=(amount_from, payments_from, last_date_from)
        + ((minimum._replace(number="minimum_payment_cents"),) if minimum else ()),
    )


def said_by_global(offer: GlobalOffer) -> HostSettlement:
    """Read the default offer as if it had been made for one account."""
    return HostSettlement(
        percent_bps=offer.percent_bps,
        max_payments=offer.max_payments,
        max_days=offer.max_days,
        text=offer.text,
        level="global",
        version=offer.version,
    )


def _amount(balance_cents: int, said: HostSettlement) -> tuple[int, Origin]:
    if said.amount_cents is None:
        cents, field, value = share(balance_cents, said.percent_bps or 0), "percent_bps", said.percent_bps
    else:
        cents, field, value = said.amount_cents, "amount_cents", said.amount_cents
    if cents > balance_cents:
        # The host set an amount and the consumer has paid since: what is owed is the ceiling.
        return balance_cents, Origin("amount_cents", "account", None, "balance_cents", balance_cents)
    return cents, Origin("amount_cents", said.level, said.version, field, value)


def _max_payments(said: HostSettlement, allowed: Allowed) -> tuple[int, Origin]:
    limit = said.max_payments or 1
    if limit > 1 and not allowed.recurring_methods:
        return 1, one_payment_only(allowed)
    return limit, Origin("max_payments", said.level, said.version, "max_payments", said.max_payments)


def one_payment_only(allowed: Allowed) -> Origin:
    """Name the ban that leaves one payment where no method may be used for several."""
    ban = Origin("", "account", None, "recurring_methods", ())
    ban = next((origin for origin in allowed.trace if origin.number.startswith("recurring_")), ban)
    return ban._replace(number="max_payments")


def _last_date(today: date, said: HostSettlement) -> tuple[date, Origin]:
    days = said.max_days
    if days is None and said.max_date is None:
        return today, Origin("last_date", said.level, said.version, "max_days", None)
    limits: list[tuple[date, str, object]] = []
    if days is not None:
        limits.append((today + timedelta(days=days), "max_days", days))
    if said.max_date is not None:
        limits.append((said.max_date, "max_date", said.max_date))
    last_date, field, value = min(limits, key=lambda limit: limit[0])
    return last_date, Origin("last_date", said.level, said.version, field, value)
