"""Ask a Collect!-style host for its contact plans: one when an arrangement is made, one when it is all paid.

Source: Collect!'s two SIF plan codes per form; the codes are those of the terms that were accepted. No code, no
request.
"""

from datetime import date, datetime, timedelta
from typing import Any

from accounts import events
from accounts.models import Account, Event
from payments.models import Arrangement

ARRANGEMENT, FINAL = "arrangement", "full_or_final"
_FIELDS = {ARRANGEMENT: "sif_plan_arrangement", FINAL: "sif_plan_final"}


def code_of(terms: dict[str, Any], reason: str) -> str:
    """Read the plan code that the accepted terms name for a reason; empty where they name none."""
    trace = terms.get("trace", ())
    return next((value or "" for number, *_from, value in trace if number == _FIELDS[reason]), "")


def request_at_acceptance(arrangement: Arrangement, *, account: Account, today: date, now: datetime) -> None:
    """Request plan code A, dated the consumer's today; the caller has just made the arrangement."""
    if plan := code_of(arrangement.terms, ARRANGEMENT):
        about = {"plan": plan, "reason": ARRANGEMENT, "on": today.isoformat(), "arrangement": str(arrangement.pk)}
        events.record("contact_plan.requested", account=account, now=now, data=about)


def request_when_final(
    terms: dict[str, Any], *, account: Account, paid_on: date, about: dict[str, str], now: datetime
) -> None:
    """Request plan code B for the day after the payment that was all or the last of it, once; under the account's lock.

    :param about: `{"payment": id}` of a single payment or `{"arrangement": id}`.
    """
    plan = code_of(terms, FINAL)
    if not plan:
        return
    same = {f"data__{name}": value for name, value in about.items()}
    asked = Event.objects.filter(account=account, kind="contact_plan.requested", data__reason=FINAL, **same)
    if asked.exists():
        return
    on = (paid_on + timedelta(days=1)).isoformat()
    told = {"plan": plan, "reason": FINAL, "on": on, **about}
    events.record("contact_plan.requested", account=account, now=now, data=told)
