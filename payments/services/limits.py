"""The limits of a running arrangement, read from the terms that were accepted: they bound every later change of it."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from accounts.calendars import add_months
from payments.models import Arrangement
from payments.rules.changes import Planned
from settlements.rules.offers import METHODS, MOST_DAYS, MOST_PAYMENTS, Allowed, Terms


def limit_of(terms: dict[str, Any], number: str) -> Any:
    """Read a number of the accepted terms from their trace; None where nothing was said."""
    return next((value for name, *_from, value in terms.get("trace", ()) if name == number), None)


def last_day(row: Arrangement, planned: Sequence[Planned], today: date) -> date:
    """Give the last day that the accepted terms allow; what was moved behind it by agreement stays possible."""
    terms = row.terms
    first = date.fromisoformat(row.schedule[0][0])
    last_planned = max((one.due_on for one in planned), default=today)
    months = terms.get("max_months") or 0
    if months and not limit_of(terms, "ends_on"):
        limit = add_months(first, months)
    elif "last_on" in terms:
        limit = date.fromisoformat(terms["last_on"])
    else:
        limit = today + timedelta(days=MOST_DAYS)
    return max(limit, last_planned)


def terms_of(row: Arrangement, last_on: date) -> Terms:
    """Make the limits of the remaining payments out of what was accepted."""
    said = row.terms
    return Terms(
        balance_cents=row.total_cents,
        amount_cents=row.total_cents,
        saving_cents=0,
        max_payments=MOST_PAYMENTS,
        last_date=last_on,
        minimum_payment_cents=said.get("minimum_payment_cents", 0),
        allowed=Allowed(recurring_methods=METHODS),
        text="",
        level=said.get("level") or "",
        version=said.get("version"),
        trace=(),
        kind=row.kind,
        monthly_minimum_cents=said.get("monthly_minimum_cents", 0),
        conversion=limit_of(said, "conversion") or "annual",
    )
