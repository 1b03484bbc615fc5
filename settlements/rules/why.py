"""Why something is offered: one plain sentence for the consumer, every number with its source for staff, and the proof.

The proof is `recompute`: from a trace, the balance and the day alone it works out the same numbers again, years later.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from accounts.calendars import add_months, format_date
from accounts.money import format_cents, share
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules.bands import HIGHEST_CENTS, LOWEST_CENTS, PROMISE_DAYS
from settlements.rules.coverage import percent
from settlements.rules.offers import MOST_DAYS, MOST_MONTHS, MOST_PAYMENTS, Origin, Terms
from settlements.rules.quotes import Offered

_SETTLEMENTS = {
    "host": gettext_noop("Your agency made this offer for your account."),
    "staff": gettext_noop("A person at your agency made this offer for your account."),
    "campaign": gettext_noop("Your agency made this offer when it wrote to you."),
    "less_is_owed": gettext_noop("You owe no more than this, so the offer asks for no more than %(amount_cents)s."),
    "global": gettext_noop("Your agency offers everyone to settle for %(percent)s%%."),
    "all": gettext_noop("Your agency offers everyone with an account like yours to settle for %(percent)s%%."),
    "up_to": gettext_noop(
        "Your agency offers everyone with a balance of up to %(to_cents)s to settle for %(percent)s%%."
    ),
    "from": gettext_noop(
        "Your agency offers everyone with a balance of %(from_cents)s or more to settle for %(percent)s%%."
    ),
    "between": gettext_noop(
        "Your agency offers everyone with a balance from %(from_cents)s to %(to_cents)s to settle for %(percent)s%%."
    ),
    "client_all": gettext_noop(
        "Your agency offers everyone with an account from the same company to settle for %(percent)s%%."
    ),
    "client_up_to": gettext_noop(
        "Your agency offers everyone with an account from the same company and a balance of up to %(to_cents)s to"
        " settle for %(percent)s%%."
    ),
    "client_from": gettext_noop(
        "Your agency offers everyone with an account from the same company and a balance of %(from_cents)s or more to"
        " settle for %(percent)s%%."
    ),
    "client_between": gettext_noop(
        "Your agency offers everyone with an account from the same company and a balance from %(from_cents)s to"
        " %(to_cents)s to settle for %(percent)s%%."
    ),
    "by_age": gettext_noop(
        "Your agency offers everyone whose balance and time with the agency are like yours to settle for %(percent)s%%."
    ),
}
_PLANS = {
    "plan": gettext_noop("Your agency lets everyone with a balance like yours pay in parts."),
    "plan_months": gettext_noop(
        "Your agency lets everyone with a balance like yours pay in parts, within %(months)s months."
    ),
    "plan_minimum": gettext_noop(
        "Your agency lets everyone with a balance like yours pay in parts of at least %(minimum_cents)s a month."
    ),
    "plan_minimum_months": gettext_noop(
        "Your agency lets everyone with a balance like yours pay in parts of at least %(minimum_cents)s a month,"
        " within %(months)s months."
    ),
}
_OTHERS = {
    "full": gettext_noop("You can always pay everything you owe at once."),
    "amount": gettext_noop("You can always pay an amount of your choice."),
    "amount_minimum": gettext_noop("You can always pay an amount of your choice from %(minimum_cents)s on."),
    "promise": gettext_noop("Your agency gives everyone up to %(days)s days for a payment on a later day."),
}


def sentence(offered: Offered, choice: str) -> Refusal:
    """Say in one plain sentence why a choice is open, or the first reason why it is not.

    It is data like a refusal: `code` is stable, `say` gives it in another language.
    """
    if choice in offered.closed:
        return offered.closed[choice][0]
    if choice in ("settlement", "parts") and offered.settlement:
        return _settlement(offered, offered.settlement)
    if choice == "plan" and offered.plan:
        return _plan(offered.plan)
    if choice == "promise":
        return refuse(_OTHERS["promise"], "why_promise", days=offered.promise_days)
    minimum = offered.allowed.minimum_single_cents
    if choice == "amount" and 0 < minimum < offered.facts.owed_cents:
        return refuse(_OTHERS["amount_minimum"], "why_amount_minimum", minimum_cents=minimum)
    return refuse(_OTHERS[choice], f"why_{choice}")


def _settlement(offered: Offered, terms: Terms) -> Refusal:
    amount = next(origin for origin in terms.trace if origin.number == "amount_cents")
    params: dict[str, Any] = {}
    if amount.level == "account":
        kind, params = "less_is_owed", {"amount_cents": terms.amount_cents}
    elif not amount.field.endswith("_bps") or amount.level not in ("global", "agency", "client"):
        kind = amount.level
    else:
        kind, params = _everyone(offered, amount)
    return refuse(_SETTLEMENTS[kind], f"why_settlement_{kind}", **params)


def _everyone(offered: Offered, amount: Origin) -> tuple[str, dict[str, Any]]:
    """Name those who are offered the same: by balance, by whose account it is, or by its age."""
    params: dict[str, Any] = {"percent": percent(amount.value)}
    governing = offered.governing
    if amount.level == "global" or governing is None:
        return "global", params
    if governing["months_before_settlement"] or governing["months_until_settlement"]:
        return "by_age", params
    from_cents, to_cents = governing.bounds.get(amount.level, (LOWEST_CENTS, HIGHEST_CENTS))
    client = "client_" if governing.level == "client" else ""
    if governing.level != amount.level:
        # The percent is the agency's own, the balances are those of the client's band within it.
        mine = governing.bounds[governing.level]
        from_cents, to_cents = max(from_cents, mine[0]), min(to_cents, mine[1])
    open_below, open_above = from_cents <= LOWEST_CENTS, to_cents >= HIGHEST_CENTS
    if open_below and open_above:
        return client + "all", params
    if open_below:
        return client + "up_to", params | {"to_cents": to_cents}
    if open_above:
        return client + "from", params | {"from_cents": from_cents}
    return client + "between", params | {"from_cents": from_cents, "to_cents": to_cents}


def _plan(terms: Terms) -> Refusal:
    kind, params = "plan", {}
    if terms.monthly_minimum_cents:
        kind, params = kind + "_minimum", {"minimum_cents": terms.monthly_minimum_cents}
    if terms.max_months:
        kind, params = kind + "_months", params | {"months": terms.max_months}
    return refuse(_PLANS[kind], f"why_{kind}", **params)


class Number(NamedTuple):
    """Say where one number comes from: `value` is the number, `said` what the field of the level's version said."""

    number: str
    value: Any
    level: str
    version: int | str | None
    field: str
    sentence: Refusal
    choice: str = ""
    said: Any = None


_LEVELS = {
    "client": "the client's rules",
    "agency": "the agency's rules",
    "global": "the agency's default offer",
    "host": "the host's offer for this account",
    "campaign": "a campaign's offer for this account",
    "staff": "an offer that staff made for this account",
}
_STAFF = {
    "account": "It is what is owed on the account: %(said)s.",
    "smallest": "No payment of a schedule is smaller than %(said)s, whatever the rules say.",
    "product": "No level says %(named)s, so %(said)s counts.",
    "not_said": "No level says %(named)s, so there is none.",
    "nothing_forgiven": "A plan forgives nothing, so the rest stays due when it breaks.",
    "of_months": "More than %(payments)s payments do not fit into %(months)s months, not even weekly ones.",
    "left_out": "%(level)s, version %(version)s, leaves out %(named)s, so it is once and at once.",
    "share": "%(level)s, version %(version)s: %(said)s as %(named)s of %(of_cents)s is %(amount_cents)s.",
    "said": "%(level)s, version %(version)s: %(named)s is %(said)s.",
}


def lines(offered: Offered) -> list[Number]:
    """List every number that is offered with its level, version, field and a plain sentence, for staff."""
    found: list[Number] = []
    for choice, terms in (("settlement", offered.settlement), ("plan", offered.plan)):
        if terms is not None:
            numbers = recompute(terms.trace, balance_cents=terms.balance_cents, today=offered.facts.today)
            found += [_number(one, choice, numbers.get(one.number), terms) for one in terms.trace]
    found += [_number(one, "allowed", one.value) for one in offered.allowed.trace]
    if "promise" not in offered.closed:
        silent = Origin("promise_days", "product", None, "promise_days", PROMISE_DAYS)
        said = offered.governing.origins["promise_days"] if offered.governing else silent
        found.append(_number(said, "promise", offered.promise_days))
    return found


def _number(origin: Origin, choice: str, value: Any, terms: Terms | None = None) -> Number:
    field = (
        origin.field.removesuffix("_cents").removesuffix("percent_bps").replace("_bps", " percent").replace("_", " ")
    )
    params: dict[str, Any] = {"named": field or "percent", "said": spoken(origin.field, origin.value)}
    if origin.level == "account":
        kind = "account"
        params["said"] = spoken(origin.field, origin.value)
    elif origin.level == "product":
        fixed = {"smallest_cents": "smallest", "kind": "nothing_forgiven"}.get(origin.field, "product")
        kind = fixed if origin.value else "not_said"
    else:
        level = _LEVELS.get(origin.level, origin.level)
        params |= {"level": level[0].upper() + level[1:], "version": "-" if origin.version is None else origin.version}
        kind = "left_out" if origin.value is None else "said"
        if origin.field.endswith("_bps") and terms is not None and isinstance(value, int):
            of_cents = terms.amount_cents if origin.number == "down_payment_cents" else terms.balance_cents
            kind, params = "share", params | {"of_cents": of_cents, "amount_cents": value}
    if origin.field == "max_payments" and terms is not None and terms.max_months and value != origin.value:
        kind, params = "of_months", {"payments": value, "months": terms.max_months}
    return Number(
        origin.number,
        value,
        origin.level,
        origin.version,
        origin.field,
        refuse(_STAFF[kind], f"why_number_{kind}", **params),
        choice,
        origin.value,
    )


def spoken(field: str, value: Any) -> str:
    """Say what a field said: cents as an amount, basis points as a percent."""
    if value is None or value in ("", ()):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return format_date(value)
    if field.endswith("_cents"):
        return format_cents(value)
    return f"{percent(value)} %" if field.endswith("_bps") else str(value)


def recompute(trace: Iterable[Origin | Sequence[Any]], *, balance_cents: int, today: date) -> dict[str, Any]:
    """Work out the numbers of terms again from their trace, the balance and the day of the offer alone.

    Takes a trace as it was frozen in JSON too. The names are those of `Terms`; the four of its `Breach` are the fields
    of a rule set.
    """
    said = {origin.number: _thawed(origin) for origin in (Origin(*one) for one in trace)}
    return dict(_numbers(said, balance_cents, today))


def _thawed(origin: Origin) -> Origin:
    if origin.field == "max_date" and isinstance(origin.value, str):
        return origin._replace(value=date.fromisoformat(origin.value))
    return origin


def _numbers(said: dict[str, Origin], balance_cents: int, today: date) -> Iterator[tuple[str, Any]]:
    amount_cents = _of(said["amount_cents"], balance_cents)
    yield "amount_cents", amount_cents
    yield "saving_cents", balance_cents - amount_cents
    far = today + timedelta(days=MOST_DAYS)
    most = said["max_payments"]
    if "last_date" in said:
        last = said["last_date"].value
        last_date = last if isinstance(last, date) else today + timedelta(days=last or 0)
        yield from (("last_date", last_date), ("ends_on", last_date))
        limit = most.value or 1
    else:
        months, days = said["max_months"].value, said["ends_on"].value
        ends_on = today + timedelta(days=min(days, MOST_DAYS)) if days else None
        by_months = add_months(today, min(months, MOST_MONTHS)) if months else far
        yield from (("max_months", months), ("ends_on", ends_on), ("last_date", min(far, ends_on or far, by_months)))
        limit = min(most.value or MOST_PAYMENTS, months * 52 // 12 if months else MOST_PAYMENTS)
        first = said["latest_first_on"].value
        yield "latest_first_on", None if first is None else today + timedelta(days=first)
        yield "monthly_minimum_cents", _of(said["monthly_minimum_cents"], balance_cents)
        yield "down_payment_cents", min(_of(said["down_payment_cents"], amount_cents), amount_cents)
    yield "max_payments", limit if most.field == "max_payments" else 1
    yield "minimum_payment_cents", said["minimum_payment_cents"].value if "minimum_payment_cents" in said else 0
    for name in ("conversion", "breach_reinstates", "breach_cure_days", "grace_days", "failures_to_break"):
        if name in said:
            yield name, said[name].value
    for name in ("max_changes", "sif_plan_arrangement", "sif_plan_final"):
        if name in said:
            yield name, said[name].value


def _of(origin: Origin, cents: int) -> int:
    return share(cents, origin.value) if origin.field.endswith("_bps") else origin.value
