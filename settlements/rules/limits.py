"""The limits that the rules of a balance set for a settlement and for a plan, and why one of them is not open."""

from datetime import date, timedelta

from accounts.calendars import add_months
from accounts.money import share
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules.bands import Governing
from settlements.rules.offers import (
    METHODS,
    MOST_DAYS,
    MOST_MONTHS,
    MOST_PAYMENTS,
    SMALLEST_CENTS,
    Allowed,
    Breach,
    Origin,
    PaymentOptions,
    Terms,
    narrow,
    one_payment_only,
)

_SENTENCES = {
    "no_settlement": gettext_noop("There is no settlement offer for this account now."),
    "settlement_not_yet": gettext_noop("A settlement can be offered from %(opens_on)s on."),
    "settlement_over": gettext_noop("A settlement was offered until %(closed_on)s."),
    "settlement_off_in_band": gettext_noop("No settlements are offered for a balance of %(balance_cents)s."),
    "no_band": gettext_noop("No rule covers a balance of %(balance_cents)s."),
    "listed_date_unknown": gettext_noop("The date of placement is not known, so no settlement can be offered."),
    "no_plan": gettext_noop("A payment plan cannot be set up here for this account."),
}
BREACH_FIELDS = ("breach_reinstates", "breach_cure_days", "grace_days", "failures_to_break")
FORM_NUMBERS = ("max_changes", "sif_plan_arrangement", "sif_plan_final")


def no(code: str, **params: object) -> Refusal:
    """Say why something is not open."""
    return refuse(_SENTENCES[code], code, **params)


def banned(allowed: Allowed, governing: Governing | None) -> Allowed:
    """Take away the methods that the rules of this balance disable, from every kind of offer."""
    for method in METHODS if governing else ():
        said = governing.origins[f"{method}_disabled"]
        if said.value:
            ban = {f"single_{method}": False, f"recurring_{method}": False}
            allowed = narrow(allowed, PaymentOptions(**ban, level=said.level, version=said.version))
    return allowed


def settlement(
    governing: Governing, owed_cents: int, today: date, listed_on: date | None, allowed: Allowed
) -> Terms | Refusal:
    """Give the settlement of the rules, or the reason why there is none."""
    if not governing.covered:
        return no("no_band", balance_cents=owed_cents)
    if not governing.offered_bps:
        return no("settlement_off_in_band", balance_cents=owed_cents)
    if reason := outside_window(governing, today, listed_on):
        return reason
    amount = share(owed_cents, governing.offered_bps)
    if not amount:
        return no("no_settlement")
    return _terms(governing, owed_cents, today, allowed, amount, governing.offered_from, "settlement")


def outside_window(governing: Governing, today: date, listed_on: date | None) -> Refusal | None:
    """Say why a settlement is not open by the age of the account: months count from the listed date."""
    before, until = governing["months_before_settlement"], governing["months_until_settlement"]
    if not before and not until:
        return None
    if listed_on is None:
        return no("listed_date_unknown")
    opens_on = add_months(listed_on, min(before, MOST_MONTHS))
    if today < opens_on:
        return no("settlement_not_yet", opens_on=opens_on)
    if until and today >= (closed_on := add_months(listed_on, min(until, MOST_MONTHS))):
        return no("settlement_over", closed_on=closed_on - timedelta(days=1))
    return None


def plan(governing: Governing | None, owed_cents: int, today: date, allowed: Allowed) -> Terms | Refusal:
    """Give the limits of paying the whole balance in parts; only a band of an enabled rule set opens it."""
    if governing is None or not allowed.recurring_methods:
        return no("no_plan")
    if not governing.covered:
        return no("no_band", balance_cents=owed_cents)
    whole = Origin("amount_cents", "account", None, "balance_cents", owed_cents)
    return _terms(governing, owed_cents, today, allowed, owed_cents, whole, "plan")


def breach(governing: Governing, kind: str) -> Breach:
    """Say what breaking means; a plan forgave nothing, so there is nothing to reinstate."""
    return Breach(
        reinstates=governing["breach_reinstates"] if kind == "settlement" else "rest",
        cure_days=governing["breach_cure_days"],
        grace_days=governing["grace_days"],
        failures=governing["failures_to_break"],
    )


def monthly_minimum(governing: Governing, owed_cents: int) -> tuple[int, Origin]:
    """Give the higher of the two minimums of a month, and the field it comes from."""
    by_share = share(owed_cents, governing["minimum_bps"])
    higher = "minimum_bps" if by_share > governing["minimum_cents"] else "minimum_cents"
    return max(governing["minimum_cents"], by_share), governing.origins[higher]


def down_payment(governing: Governing, amount_cents: int) -> tuple[int, Origin]:
    """Give the higher of the two down payments, never more than the amount, and the field it comes from."""
    by_share = share(amount_cents, governing["down_payment_bps"])
    higher = "down_payment_bps" if by_share > governing["down_payment_cents"] else "down_payment_cents"
    return min(max(governing["down_payment_cents"], by_share), amount_cents), governing.origins[higher]


def flat_minimum(allowed: Allowed) -> Origin:
    """Give the smallest payment whatever the month says: the account's own, or the product's."""
    said = [one for one in allowed.trace if one.number == "minimum_recurring_cents" and one.value > SMALLEST_CENTS]
    smallest = Origin("minimum_payment_cents", "product", None, "smallest_cents", SMALLEST_CENTS)
    return max(said, key=lambda one: one.value, default=smallest)._replace(number="minimum_payment_cents")


def most_payments(governing: Governing, kind: str) -> int:
    """Give the most payments of any frequency: weekly ones are the most that fit into months."""
    limit = min(governing["max_payments"] or MOST_PAYMENTS, MOST_PAYMENTS)
    months = governing["max_months_settled" if kind == "settlement" else "max_months_unsettled"]
    return min(limit, months * 52 // 12) if months else limit


def ends(governing: Governing, today: date, kind: str) -> tuple[date | None, date]:
    """Give the last day by days (None: not limited so), and the last day of all for a first payment today."""
    days = governing["max_days"]
    months = governing["max_months_settled" if kind == "settlement" else "max_months_unsettled"]
    far = today + timedelta(days=MOST_DAYS)
    ends_on = today + timedelta(days=min(days, MOST_DAYS)) if days else None
    by_months = add_months(today, min(months, MOST_MONTHS)) if months else far
    return ends_on, min(far, ends_on or far, by_months)


def _terms(
    governing: Governing,
    owed_cents: int,
    today: date,
    allowed: Allowed,
    amount_cents: int,
    amount_from: Origin,
    kind: str,
) -> Terms:
    settling = kind == "settlement"
    months = governing.origins["max_months_settled" if settling else "max_months_unsettled"]
    monthly_cents, monthly = monthly_minimum(governing, owed_cents)
    down_cents, down = down_payment(governing, amount_cents)
    most, first = governing.origins["max_payments"], governing.origins["latest_first_days"]
    ends_on, last_date = ends(governing, today, kind)
    flat = flat_minimum(allowed)
    if not allowed.recurring_methods:
        most = one_payment_only(allowed)
    return Terms(
        balance_cents=owed_cents,
        amount_cents=amount_cents,
        saving_cents=owed_cents - amount_cents,
        max_payments=most_payments(governing, kind) if allowed.recurring_methods else 1,
        last_date=last_date,
        minimum_payment_cents=flat.value,
        allowed=allowed,
        text="",
        level=amount_from.level if settling else governing.level,
        version=amount_from.version if settling else governing.version,
        trace=(
            amount_from._replace(number="amount_cents"),
            months._replace(number="max_months"),
            most,
            governing.origins["max_days"]._replace(number="ends_on"),
            monthly._replace(number="monthly_minimum_cents"),
            flat,
            down._replace(number="down_payment_cents"),
            first._replace(number="latest_first_on"),
            governing.origins["conversion"],
            *said_of(governing, kind),
        ),
        kind=kind,
        max_months=min(months.value, MOST_MONTHS),
        ends_on=ends_on,
        monthly_minimum_cents=monthly_cents,
        conversion=governing["conversion"],
        down_payment_cents=down_cents,
        latest_first_on=None if first.value is None else today + timedelta(days=min(first.value, MOST_DAYS)),
        breach=breach(governing, kind),
        **{name: governing[name] for name in FORM_NUMBERS},
    )


def said_of(governing: Governing, kind: str) -> tuple[Origin, ...]:
    """Give where everything comes from that is not a number of the schedule."""
    said = tuple(governing.origins[name] for name in (*BREACH_FIELDS, *FORM_NUMBERS))
    if kind == "settlement":
        return said
    return (Origin("breach_reinstates", "product", None, "kind", "rest"), *said[1:])
