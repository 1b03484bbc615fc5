"""Plan payments anew: let go of what is planned, at the host by asking, and plan what follows once it is let go.

At no moment two items of one payment can both be charged: what follows is written beside the old item
(`Postdate.replacement`) and becomes an item of its own only when whoever held the old one has let it go. Items that
are let go together follow together; if one of them is not let go, the others are planned again as they were. A host
may answer late: what was signed for must still stand then, and what must not be charged by then is planned as held. So
is what nobody can be told of in time any more: a charge was agreed to on the day it was signed, whenever its host
answers, and the days until its notice count from there (PDC-01).
"""

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db.models import Max

from accounts import events
from accounts.calendars import local_date
from accounts.models import Account
from payments.models import Arrangement, Method, Postdate
from payments.services import announced, change_notices, gate, holds
from payments.services.arrange import BY_THEMSELVES, about_of, hold, move, new_postdate, schedule_postdates
from payments.services.route import Route

Status = Postdate.Status
MOVABLE = (Status.SCHEDULED, Status.HELD)


def let_go(
    items: Sequence[Postdate],
    *,
    arrangement: Arrangement,
    account: Account,
    lines: Sequence[tuple[date, int]],
    reason: str,
    now: datetime,
    method: Method | None = None,
    route: Route = BY_THEMSELVES,
    shifts: bool = True,
) -> None:
    """Let go of items and plan these lines in their place; the caller holds the account's lock.

    :param shifts: the schedule's own dates move too; without, they stay and only who takes what changes.
    """
    follows: dict[str, Any] = {
        "batch": str(uuid.uuid4()),
        "lines": [[on.isoformat(), cents] for on, cents in lines],
        "method": str(method.pk) if method else None,
        "route": list(route),
        "reason": reason,
        "shifts": shifts,
    }
    for item in items:
        item.replacement = follows | {"held_for": item.held_for if item.status == Status.HELD else ""}
        item.held_for = reason
        item.save(update_fields=["replacement"])
        if item.executor == "host":
            move(item, account, Status.CANCEL_REQUESTED, "postdate.cancel_requested", now, reason=reason)
        else:
            move(item, account, Status.CANCELLED, "postdate.cancelled", now, reason=reason)
    if items:
        follow(items[-1], account=account, now=now)


def follow(item: Postdate, *, account: Account, now: datetime) -> None:
    """Plan what follows an item that was let go, or was not, once all that were let go with it are decided."""
    batch = (item.replacement or {}).get("batch")
    if not batch:
        return
    arrangement = Arrangement.objects.select_for_update().get(pk=item.arrangement_id)
    joined = Postdate.objects.select_related("method__processor_account")
    together = list(joined.filter(arrangement=arrangement, replacement__batch=batch).order_by("due_on"))
    if any(one.status == Status.CANCEL_REQUESTED for one in together):
        return
    plan = together[0].replacement
    # Each batch is answered once.
    Postdate.objects.filter(pk__in=[one.pk for one in together]).update(replacement=None)
    if arrangement.status not in Arrangement.LIVE:
        return
    gone = [one for one in together if one.status == Status.CANCELLED]
    refused = len(gone) < len(together)
    if arrangement.withdrawn and (refused or plan["method"]):
        # What was signed for it has ended meanwhile: what was let go counts as withdrawn and nothing follows (PDC-07).
        Postdate.objects.filter(pk__in=[one.pk for one in gone]).update(held_for="")
        return
    if refused:
        _as_before(gone, arrangement=arrangement, account=account, now=now)
        told = about_of(arrangement, account, change_refused=True, reason=plan["reason"])
        events.record("arrangement.changed", account=account, now=now, data=told)
        return
    lines = [(date.fromisoformat(on), cents) for on, cents in plan["lines"]]
    if plan["shifts"]:
        _shift(arrangement, gone, lines)
    joined_methods = Method.objects.select_related("processor_account")
    method = joined_methods.get(pk=plan["method"]) if plan["method"] else None
    signed = arrangement.authorization
    agreed_at = signed.accepted_at if signed else now
    route = Route(*plan["route"])
    _plan(arrangement, gone, lines, method=method, route=route, agreed_at=agreed_at, account=account, now=now)


def _as_before(gone: Sequence[Postdate], *, arrangement: Arrangement, account: Account, now: datetime) -> None:
    for one in gone:
        route = Route(one.executor, one.notifier)
        lines = [(one.due_on, one.amount_cents)]
        # What was signed since is not what covers these: they count from the day on which all of it was agreed.
        at = arrangement.accepted_at
        (again,) = _plan(
            arrangement, [one], lines, method=one.method, route=route, agreed_at=at, account=account, now=now
        )
        hold_as_before(again, one.replacement, account=account, now=now)


def hold_as_before(item: Postdate, asked: dict[str, Any] | None, *, account: Account, now: datetime) -> None:
    """Hold an item for what only the one knew that was asked back; any other reason is found by itself.

    :param asked: what was to follow that one; a request of earlier days does not say what held it.
    """
    reason = (asked or {}).get("held_for", "")
    if not reason or reason in holds.STANDING:
        return
    if item.status == Status.SCHEDULED:
        hold(item, reason, account=account, now=now)
    elif item.status == Status.HELD:
        item.held_for = reason
        item.save(update_fields=["held_for"])


def _shift(arrangement: Arrangement, gone: Sequence[Postdate], lines: Sequence[tuple[date, int]]) -> None:
    """Move the schedule's own dates: what was let go goes out, what follows comes in."""
    left = [list(line) for line in arrangement.due or arrangement.schedule]
    for one in gone:
        on = one.due_on.isoformat()
        left.remove(next(line for line in left if line[0] == on))
    arrangement.due = sorted([*left, *([on.isoformat(), cents] for on, cents in lines)])
    arrangement.save(update_fields=["due"])


def _plan(
    arrangement: Arrangement,
    gone: Sequence[Postdate],
    lines: Sequence[tuple[date, int]],
    *,
    method: Method | None,
    route: Route,
    agreed_at: datetime,
    account: Account,
    now: datetime,
) -> list[Postdate]:
    """Make the items that follow: each takes over the number of one that went, the rest count on.

    :param agreed_at: when the consumer agreed to be charged on these days.
    """
    numbers = sorted(one.number for one in gone)
    every = Postdate.objects.filter(arrangement=arrangement)
    of = gone[0].of + len(lines) - len(gone) if len(lines) > len(gone) else gone[0].of
    last = every.aggregate(last=Max("number"))["last"]
    numbers += range(last + 1, last + 1 + max(0, len(lines) - len(gone)))
    made = []
    for number, (on, cents) in zip(numbers, lines, strict=False):
        turn = (every.filter(number=number).aggregate(last=Max("turn"))["last"] or 0) + 1
        item = new_postdate(
            arrangement,
            account=account,
            method=method,
            route=route,
            number=number,
            of=max(of, number),
            due_on=on,
            amount_cents=cents,
            now=now,
        )
        item.turn = turn if every.filter(number=number).exists() else 0
        made.append(item)
    Postdate.objects.bulk_create(made)
    zone = account.consumer.time_zone
    today, signed_on = local_date(now, zone), local_date(agreed_at, zone)
    channel = gate.channel_for(account.consumer)
    schedule_postdates(made, account=account, arrangement=arrangement, signed_on=signed_on, channel=channel, now=now)
    change_notices.owe(made, gone, account=account, arrangement=arrangement, channel=channel, today=today, now=now)
    announced.hold_silent(made, account=account, now=now)
    announced.hold_past(made, account=account, now=now)
    return made
