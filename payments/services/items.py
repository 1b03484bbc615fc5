"""Keep the planned items of an arrangement true to what was paid: mark, trim, hold, release, stop, move behind a pause.

Items that the consumer pays by themselves are marked by what was paid; items that somebody charges are let go from the
end when more was paid than they would leave to pay. The caller holds the account's lock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice, takewhile
from typing import NamedTuple

from accounts.calendars import local_date
from accounts.models import Account, Event
from payments.models import Arrangement, Postdate
from payments.rules.life import Due, covered
from payments.services import announced, change_notices, holds, replan
from payments.services.arrange import BY_THEMSELVES, HELD_FOR_LENGTH, breach_of, hold, hold_standing, move
from payments.services.received import Received
from settlements.rules.schedules import payment_dates

Status = Postdate.Status
MOVABLE = (Status.SCHEDULED, Status.HELD)
_RESTING = (Arrangement.Status.PAUSED, Arrangement.Status.REVIEW)
_RESTS = ("arrangement.paused", "arrangement.suspended")


@dataclass(frozen=True, slots=True)
class Change:
    """Say what an item must become: `taken`, `failed` or `scheduled`; or `trimmed` to so many cents, 0 for none."""

    item: Postdate
    to: str
    cents: int = 0


def changes(row: Arrangement, planned: Sequence[Postdate], got: Received, today: date) -> list[Change]:
    """List what must change of the items, from what was paid; nothing is written."""
    if row.status in (Arrangement.Status.CANCELLED, Arrangement.Status.PAUSED):
        return []
    return _marks(row, planned, got, today) + _trims(row, planned, got, today)


def _marks(row: Arrangement, planned: Sequence[Postdate], got: Received, today: date) -> list[Change]:
    """Mark what consumers pay by themselves: paid, or missed; the oldest of the schedule is paid first."""
    lines = sorted((date.fromisoformat(on), cents) for on, cents in row.due or row.schedule)
    due = [Due(on, cents) for on, cents in lines]
    paid = {one.due_on for one in due[: covered(due, got.counted_cents)]}
    missed = {one.due_on for one in due if one.missed_from(breach_of(row.terms).grace_days) <= today} - paid
    found = []
    for item in planned:
        if item.method_id is not None or item.status == Status.CANCELLED:
            continue
        if item.due_on in paid:
            wanted = Status.TAKEN
        elif item.due_on in missed or item.status == Status.FAILED:
            wanted = Status.FAILED
        else:
            wanted = Status.SCHEDULED
        if item.status != wanted and (item.status, wanted) != (Status.HELD, Status.SCHEDULED):
            found.append(Change(item, wanted))
    return found


def _trims(row: Arrangement, planned: Sequence[Postdate], got: Received, today: date) -> list[Change]:
    """Let go of what would take more than is left to pay: first what a hold kept past its day, then the last ones."""
    # What is being planned anew counts with the lines that follow it, whatever becomes of the request.
    standing = [item for item in planned if not item.replacement and not item.extra]
    open_ = [item for item in standing if item.method_id is not None and item.status in MOVABLE]
    asked = {item.replacement["batch"]: item.replacement["lines"] for item in planned if item.replacement}
    going = sum(cents for lines in asked.values() for _on, cents in lines)
    too_much = sum(item.amount_cents for item in open_) + going - max(0, row.total_cents - got.counted_cents)
    found = []
    # What was added beside the schedule trims it once it is taken; where nothing is left for it, it goes itself.
    left_cents = max(0, row.total_cents - got.counted_cents)
    extras = [item for item in planned if item.extra and item.status in MOVABLE]
    found += [Change(item, "trimmed", 0) for item in extras if item.amount_cents > left_cents]
    past = [item for item in open_ if item.status == Status.HELD and item.due_on <= today]
    later = [item for item in reversed(open_) if item not in past]
    for item in [*past, *later]:
        if too_much <= 0:
            break
        left = max(0, item.amount_cents - too_much)
        too_much -= item.amount_cents - left
        found.append(Change(item, "trimmed", left))
    return found


def apply(change: Change, row: Arrangement, *, account: Account, now: datetime) -> None:
    """Write one change."""
    item = change.item
    if change.to != "trimmed":
        item.status = change.to
        item.decided_at = None if change.to == Status.SCHEDULED else now
        item.save(update_fields=["status", "decided_at"])
        return
    lines = []
    if change.cents:
        today = local_date(now, account.consumer.time_zone)
        on = change_notices.day_for(item, change.cents, arrangement=row, account=account, today=today)
        lines = [(on, change.cents)]
        _move_due(row, item.due_on, on)
    replan.let_go(
        [item],
        arrangement=row,
        account=account,
        lines=lines,
        reason="covered",
        now=now,
        method=item.method,
        route=replan.Route(item.executor, item.notifier),
        shifts=False,
    )


def _move_due(row: Arrangement, before: date, after: date) -> None:
    """Move a day of the schedule, so that nobody is late for a payment that waits for its notice."""
    lines = [list(line) for line in row.due or row.schedule]
    if after == before or not any(line[0] == before.isoformat() for line in lines):
        return
    next(line for line in lines if line[0] == before.isoformat())[0] = after.isoformat()
    row.due = sorted(lines)
    row.save(update_fields=["due"])


def hold_all(planned: Iterable[Postdate], reason: str, *, account: Account, now: datetime) -> None:
    """Hold what somebody would charge, and ask the host to hold what it has.

    What is held already takes on a reason that only the item knows: any other is found again when it is let go.
    """
    for item in planned:
        if item.method_id is not None and item.status == Status.SCHEDULED:
            hold(item, reason, account=account, now=now)
        elif item.status == Status.HELD and item.held_for in holds.STANDING and reason not in holds.STANDING:
            _hold_for(item, reason)


def _hold_for(item: Postdate, reason: str) -> None:
    """Write down why an item stays held; for its host nothing changes."""
    item.held_for = reason[:HELD_FOR_LENGTH]
    item.save(update_fields=["held_for"])


def release_all(planned: Iterable[Postdate], reason: str, *, account: Account, now: datetime) -> list[Postdate]:
    """Let go of the hold that had this reason, where the day has not passed; return what nobody was told of in time.

    What must be held for another reason stays held for that one. No notice is sent while a debit is held, so its window
    may have closed meanwhile: then it stays held too, since a host that executes it asks us no more (PDC-01).
    """
    today = local_date(now, account.consumer.time_zone)
    held = [one for one in planned if one.status == Status.HELD and one.held_for == reason]
    why = holds.standing(held, account=account)
    for item in held:
        if why.get(item.pk, reason) != reason:
            _hold_for(item, why[item.pk])
    free = [item for item in held if item.pk not in why and item.due_on > today]
    silent = announced.silent(free, account=account, today=today)
    for item in free:
        if item not in silent:
            item.held_for = ""
            move(item, account, Status.SCHEDULED, "postdate.hold_requested", now, reason=reason, hold=False)
    return silent


def hold_again(item: Postdate, *, account: Account, now: datetime) -> None:
    """Hold what its host did not let go of, where it must not be charged or nobody was told of it in time (PDC-01)."""
    hold_standing([item], account=account, now=now)
    announced.hold_silent([item], account=account, now=now)


def stop_all(planned: Iterable[Postdate], reason: str, row: Arrangement, *, account: Account, now: datetime) -> None:
    """Cancel everything that is still planned: ours at once, the host's by asking."""
    for item in planned:
        if item.status not in MOVABLE:
            continue
        held = {"held_for": item.held_for} if item.status == Status.HELD and item.held_for else {}
        item.held_for = reason
        if item.executor == "host":
            move(item, account, Status.CANCEL_REQUESTED, "postdate.cancel_requested", now, reason=reason, **held)
        else:
            move(item, account, Status.CANCELLED, "postdate.cancelled", now, reason=reason)


class Rest(NamedTuple):
    """Say why an arrangement rests and since when, as it was told."""

    reason: str
    since: datetime


def rests(row: Arrangement) -> list[Rest]:
    """List the rests that were told of an arrangement since it last ran, the latest first; none while it runs."""
    kinds = [*_RESTS, *(f"arrangement.{status}" for status in Arrangement.Status if status not in _RESTING)]
    told = Event.objects.filter(account=row.account_id, kind__in=kinds, data__arrangement=str(row.pk))
    lately = told.order_by("-account_seq").values_list("kind", "data__reason", "occurred_at")
    resting = takewhile(lambda one: one[0] in _RESTS, lately)
    return [Rest(reason or holds.REVIEW, at) for _kind, reason, at in resting]


def end_pause(
    row: Arrangement, planned: Sequence[Postdate], got: Received, *, account: Account, today: date, now: datetime
) -> None:
    """Go on after a pause: what fell into it moves behind the last date, to be paid by the consumer themselves.

    So does what is too near to be announced, as no notice was sent during the pause (PDC-01). Nobody agreed to a charge
    on the new dates, so none is made; the consumer is reminded, or links a method again.
    """
    told = rests(row)
    since_on = local_date(told[-1].since, account.consumer.time_zone) if told else today
    lines = sorted((date.fromisoformat(on), cents) for on, cents in row.due or row.schedule)
    unpaid = lines[covered([Due(*line) for line in lines], got.counted_cents) :]
    silent = {
        item.due_on
        for reason in (holds.PAUSED, holds.REVIEW)
        for item in release_all(planned, reason, account=account, now=now)
    }
    fell = [line for line in unpaid if since_on <= line[0] <= today or line[0] in silent]
    last = max([today, *(on for on, _cents in lines)])
    frequency = row.frequency if row.frequency in ("weekly", "biweekly", "semimonthly", "monthly") else "monthly"
    dates = list(islice(payment_dates(last, frequency), 1, len(fell) + 1))
    for (on, cents), moved_on in zip(fell, dates, strict=True):
        # The dates move at once, so that nobody is late while the host has not answered yet.
        lines[lines.index((on, cents))] = (moved_on, cents)
        mine = [item for item in planned if item.due_on == on and item.status in (*MOVABLE, Status.FAILED)]
        held = [item for item in mine if item.status in MOVABLE]
        if held:
            replan.let_go(
                held,
                arrangement=row,
                account=account,
                lines=[(moved_on, cents)],
                reason="paused",
                now=now,
                route=BY_THEMSELVES,
                shifts=False,
            )
    if fell:
        row.due = [[on.isoformat(), cents] for on, cents in sorted(lines)]
        row.save(update_fields=["due"])
