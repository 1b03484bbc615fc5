"""Rule set fields as staff read them: a plain label, what it means, and each value in dollars, percent and months."""

from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.money import format_cents
from settlements.models import RuleSet
from settlements.rules.bands import HIGHEST_CENTS
from settlements.rules.offers import Origin


class Field(NamedTuple):
    """Describe a field: `unit` is money, percent, months, days, number, ban or choice; `nothing` says 0 or empty."""

    name: str
    label: Promise
    help: Promise | str
    unit: str
    nothing: Promise | str = ""


class Group(NamedTuple):
    """Keep fields together that staff decide together."""

    title: Promise
    fields: tuple[Field, ...]
    rare: bool = False


BALANCES = (
    Field("owing_from_cents", _("Balance from, $"), "", "money"),
    Field("owing_to_cents", _("Balance to, $"), _("Both ends belong to the band."), "money"),
)
BAND_GROUPS = (
    Group(
        _("Paying in parts"),
        (
            Field("minimum_cents", _("Smallest payment a month, $"), "", "money", _("no minimum")),
            Field(
                "minimum_bps",
                _("or percent of the balance, %"),
                _("Of the two the higher one counts."),
                "percent",
                _("no minimum"),
            ),
            Field(
                "max_months_unsettled",
                _("Longest plan, months"),
                _("12 months are 52 weekly payments. 0: no limit."),
                "months",
                _("no limit"),
            ),
            Field(
                "max_months_settled",
                _("Longest settlement in parts, months"),
                _("0: no limit."),
                "months",
                _("no limit"),
            ),
        ),
    ),
    Group(
        _("Settlement"),
        (
            Field(
                "minimum_settlement_bps",
                _("Lowest settlement, % of the balance"),
                _("Never offered below it. 0: no settlements in this band."),
                "percent",
                _("no settlements"),
            ),
            Field(
                "offered_settlement_bps",
                _("Settlement offered, %"),
                _("What consumers see. Empty: the lowest."),
                "percent",
                _("the lowest"),
            ),
            Field(
                "months_before_settlement",
                _("Opens, months after listing"),
                _("0: at once."),
                "months",
                _("at once"),
            ),
            Field(
                "months_until_settlement",
                _("Closes, months after listing"),
                _("0: never."),
                "months",
                _("never"),
            ),
        ),
    ),
    Group(
        _("Ways to pay"),
        (
            Field("card_disabled", _("Cards"), "", "ban"),
            Field("ach_disabled", _("Bank accounts"), "", "ban"),
        ),
    ),
    Group(
        _("Further limits"),
        (
            Field("max_payments", _("Most payments"), "", "number", _("no limit")),
            Field("max_days", _("Days to finish"), "", "days", _("no limit")),
            Field("down_payment_cents", _("First payment at least, $"), "", "money", _("like the others")),
            Field(
                "down_payment_bps",
                _("or percent of the amount, %"),
                _("Of the two the higher one counts."),
                "percent",
                _("like the others"),
            ),
            Field(
                "latest_first_days",
                _("Latest first payment, days from today"),
                _("0: today."),
                "days",
                _("no limit"),
            ),
            Field("grace_days", _("Days of grace when late"), "", "days", _("none")),
            Field(
                "failures_to_break",
                _("Failed payments in a row that break it"),
                _("0: never."),
                "number",
                _("never"),
            ),
        ),
        rare=True,
    ),
)
FORM_GROUPS = (
    Group(
        _("For the whole rule set"),
        (
            Field(
                "conversion",
                _("Monthly minimum of a weekly plan"),
                _("How the smallest monthly payment becomes one of a week."),
                "choice",
            ),
            Field(
                "promise_days",
                _("Days to keep a promise"),
                _("A promise is a payment on a later day without card or account. 0: no promises."),
                "days",
                _("no promises"),
            ),
            Field(
                "breach_reinstates",
                _("When a settlement breaks, owed again is"),
                _("What was paid always counts, cent for cent."),
                "choice",
            ),
            Field("breach_cure_days", _("Days to make good a missed payment"), "", "days", _("none")),
            Field(
                "max_changes",
                _("Changes a consumer may make to an arrangement"),
                _("0: none."),
                "number",
                _("no limit"),
            ),
            Field(
                "sif_plan_arrangement",
                _("Contact plan when an arrangement is made"),
                _("A code of the host. Empty: no request."),
                "text",
                _("none"),
            ),
            Field(
                "sif_plan_final",
                _("Contact plan after the full or final payment"),
                _("A code of the host, dated the day after."),
                "text",
                _("none"),
            ),
        ),
    ),
)
BAND_FIELDS = {field.name: field for group in BAND_GROUPS for field in group.fields}
FORM_FIELDS = {field.name: field for group in FORM_GROUPS for field in group.fields}
FIELDS = {field.name: field for field in BALANCES} | BAND_FIELDS | FORM_FIELDS
BANS = ("card_disabled", "ach_disabled")
CHOICES = {
    "conversion": {
        "annual": _("12 months are 52 weeks: a month x 12/52"),
        "half_month": _("weekly to semi-monthly is half a month"),
    },
    "breach_reinstates": dict(RuleSet.Breach.choices),
}
NUMBERS = {
    "amount_cents": _("Amount"),
    "max_payments": _("Most payments"),
    "max_months": _("Months"),
    "last_date": _("Last day"),
    "ends_on": _("Last day"),
    "monthly_minimum_cents": _("Smallest payment a month"),
    "minimum_payment_cents": _("Smallest payment"),
    "minimum_single_cents": _("Smallest single payment"),
    "minimum_recurring_cents": _("Smallest payment of a schedule"),
    "down_payment_cents": _("First payment at least"),
    "latest_first_on": _("Latest first payment"),
    "conversion": _("Minimum per period"),
    "breach_reinstates": _("Owed again when it breaks"),
    "breach_cure_days": _("Days to make good"),
    "grace_days": _("Days of grace"),
    "failures_to_break": _("Failed payments that break it"),
    "max_changes": _("Changes by the consumer"),
    "sif_plan_arrangement": _("Contact plan: arrangement"),
    "sif_plan_final": _("Contact plan: full or final"),
    "single_card": _("One payment by card"),
    "recurring_card": _("Schedule by card"),
    "single_ach": _("One payment from a bank account"),
    "recurring_ach": _("Schedule from a bank account"),
    "can_pay": _("Can pay at all"),
    "promise_days": _("Days to keep a promise"),
}
"""What offers are made of, by the names that traces use."""
OFFERED = {
    "full": _("In full"),
    "settlement": _("Settlement"),
    "parts": _("Settlement in parts"),
    "plan": _("Payment plan"),
    "amount": _("Single amount"),
    "promise": _("Promise"),
    "allowed": _("Ways to pay"),
}
LEVELS = {"client": _("this client"), "agency": _("the agency"), "product": _("standard"), "global": _("default offer")}


def said(name: str, value: Any) -> str:
    """Say a field's value as staff read it: 2500 is $25.00, 7500 is 75 %."""
    field = FIELDS[name]
    if field.unit == "ban":
        return str(_("not offered") if value else _("offered"))
    if field.unit == "choice":
        return str(CHOICES[name].get(value, value))
    nothing_too = field.nothing and name not in ("max_changes", "latest_first_days")
    if value in (None, "") or (value == 0 and nothing_too):
        return str(field.nothing or "-")
    match field.unit:
        case "money":
            return format_cents(value)
        case "percent":
            return f"{value / 100:g} %"
        case "months":
            return str(_("1 month")) if value == 1 else _("%(n)s months") % {"n": value}
        case "days":
            return str(_("1 day")) if value == 1 else _("%(n)s days") % {"n": value}
    return str(value)


def span(from_cents: int, to_cents: int) -> str:
    """Say a range of balances."""
    if to_cents >= HIGHEST_CENTS:
        return _("%(from)s and more") % {"from": format_cents(from_cents)}
    return _("%(from)s to %(to)s") % {"from": format_cents(from_cents), "to": format_cents(to_cents)}


def source(origin: Origin) -> str:
    """Say where a value comes from."""
    level = str(LEVELS.get(origin.level, origin.level))
    return level if origin.version is None else _("%(level)s, version %(n)s") % {"level": level, "n": origin.version}


def in_short(band: dict) -> str:
    """Say a band in one line, as far as it says anything itself."""
    parts = []
    for name, words in (
        ("minimum_cents", _("at least %(value)s a month")),
        ("max_months_unsettled", _("plans up to %(value)s")),
        ("minimum_settlement_bps", _("settlements from %(value)s")),
        ("offered_settlement_bps", _("offered at %(value)s")),
    ):
        value = band.get(name)
        if value:
            parts.append(words % {"value": said(name, value)})
        elif value == 0 and name == "minimum_settlement_bps":
            parts.append(str(_("no settlements")))
    parts += [str(FIELDS[name].label) + ": " + _("not offered") for name in BANS if band.get(name)]
    return ", ".join(parts)
