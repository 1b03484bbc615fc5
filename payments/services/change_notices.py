"""Owe the notice of a change that nobody signed: the amount that varies, the day that moves (EFT-04, ACH-08, CARD-06).

What the new authorization names needs none. What only the old one covers is charged after its notice is proven, and on
no other ground; what no authorization ever covered is not charged at all.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from accounts.calendars import fed, roll_forward
from accounts.models import Account
from payments.models import Arrangement, Notice, Postdate
from payments.rules import change_notices as rules
from payments.services import gate
from payments.services.arrange import tell_notice_due


def owe(
    made: Sequence[Postdate],
    gone: Sequence[Postdate],
    *,
    account: Account,
    arrangement: Arrangement,
    channel: str,
    today: date,
    now: datetime,
) -> None:
    """Write down each notice that items planned anew are owed, with its owner and window; tell the host.

    :param gone: what they replace, in the same order.
    """
    if arrangement.authorization is None:
        return
    signed = [list(line) for line in arrangement.authorization.lines]
    for item, before in zip(made, gone, strict=False):
        line = [item.due_on.isoformat(), item.amount_cents]
        was = _signed_line(before, signed)
        if item.method_id is None or line in signed or was is None:
            continue
        kind = rules.VARYING if was[1] != item.amount_cents else rules.DATE_CHANGE
        window = rules.of(kind, item.due_on, today, item.method.kind, channel)
        notice = Notice.objects.create(
            postdate=item,
            kind=kind,
            owner=item.notifier,
            channel=channel,
            earliest_on=window.earliest,
            target_on=window.target,
            latest_on=window.latest,
            send_by=window.latest,
            about={"was": was},
        )
        tell_notice_due(notice, account=account, now=now)


def day_for(item: Postdate, cents: int, *, arrangement: Arrangement, account: Account, today: date) -> date:
    """Give the day on which a smaller amount is taken: its own, or the first one that its notice still allows.

    The debit moves, never the notice (EFT-04).
    """
    signed = arrangement.authorization.lines if arrangement.authorization else []
    if [item.due_on.isoformat(), cents] in signed or item.method is None:
        return item.due_on
    kind, channel = item.method.kind, gate.channel_for(account.consumer)
    day = max(item.due_on, rules.first_day(rules.VARYING, today, kind, channel))
    return roll_forward(day, fed) if kind == "ach" else day


def _signed_line(before: Postdate, signed: Sequence[list[Any]]) -> list[Any] | None:
    """Find the line of the authorization that an item stands for, through earlier changes of it."""
    line = [before.due_on.isoformat(), before.amount_cents]
    if line in signed:
        return line
    earlier = Notice.objects.filter(postdate=before, kind__in=rules.KINDS).values_list("about", flat=True).first()
    was = (earlier or {}).get("was")
    return was if was in signed else None
