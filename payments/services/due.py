"""The due run: claim what is due, gate and intend it by the thousand, charge it, record what came of it.

One transaction per batch: items claimed with SKIP LOCKED and a lease, their accounts locked in the order of ids. Plain
items are then gated and intended by one statement (`plain`); for the others the facts are read set-wise (`ready`), the
pure gates asked for each, payments, events and items written set-wise. Then the processor is asked over several
connections with no transaction open, and every answer goes through the one door (`settle`).

Run it as often and as many at a time as you like: an item is claimed by one run, its payment has a key made of the
item and the number of the try, and what a run left behind is continued when its lease has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from accounts import events
from accounts.models import Account
from accounts.tenancy import acting_for, uuid7
from payments import crash
from payments.models import Incident, Postdate
from payments.rules.skips import Skipped, after_skip
from payments.services import charging, incidents, moves, plain, ready
from payments.services.intents import Intended, insert, key_of
from payments.services.ready import Item, Locked
from payments.services.tries import retry

__all__ = ["Ran", "key_of", "retry", "run"]

log = structlog.get_logger(__name__)

Status = Postdate.Status

BATCH = 2_000
"""Fewer would plan the same statements more often; more would hold more accounts for longer."""
LEASE = timedelta(minutes=5)
"""How long a run that died keeps its items; shorter than the life of an intent, so that they are continued in time."""
NOBODY = "00000000-0000-0000-0000-000000000000"

CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id, CASE WHEN run_at IS NULL THEN not_before_at ELSE run_at END AS at FROM payments_postdate
    WHERE status = 'scheduled' AND executor = 'portal'
        AND CASE WHEN run_at IS NULL THEN not_before_at ELSE run_at END <= %(now)s
        AND (CASE WHEN run_at IS NULL THEN not_before_at ELSE run_at END, id) > (%(after_at)s, %(after)s)
        AND (claimed_until IS NULL OR claimed_until <= %(now)s)
        AND (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s::uuid[]))
    ORDER BY CASE WHEN run_at IS NULL THEN not_before_at ELSE run_at END, id
    LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE payments_postdate SET claimed_until = %(until)s, tries = tries + 1
FROM due WHERE payments_postdate.id = due.id
RETURNING payments_postdate.id::text, payments_postdate.account_id::text, due.at, payments_postdate.tries
"""
"""Walks the index of what is due from one place to the next; says the moment as that index does."""

LEAVE = """
UPDATE payments_postdate SET tries = tries - 1, status = given.status, held_for = given.held_for,
    run_at = coalesce(given.run_at, payments_postdate.run_at), claimed_until = given.claimed_until
FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[])
    AS given(id, status, run_at, held_for, claimed_until)
WHERE payments_postdate.id = given.id
"""


@dataclass(slots=True)
class Ran:
    """Count what a run did; `left` says that it stopped before everything was looked at."""

    claimed: int = 0
    intended: int = 0
    resumed: int = 0
    skipped: int = 0
    charged: int = 0
    left: bool = False


@dataclass(slots=True)
class Batch:
    """Hold what one transaction claimed and decided; `place` is the last item, from where the next batch goes on."""

    place: tuple[datetime, str]
    claimed: list[str] = field(default_factory=list)
    intended: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    skipped: int = 0


@dataclass(slots=True, kw_only=True)
class Left:
    """Say how an item goes back: with `held_for` it is held, else it is tried at `run_at`, or when it was due."""

    pk: str
    run_at: datetime | None = None
    held_for: str = ""
    claimed_until: datetime | None = None


def run(*, now: datetime, limit: int = BATCH, charge: bool = True) -> Ran:
    """Take everything that is due, batch after batch, until nothing is left or the time of one run is over.

    :param limit: items of one batch.
    :param charge: without, payments are intended only; the next run charges them (benchmarks).
    """
    ran, deadline = Ran(), charging.deadline()
    place: tuple[datetime, str] = (datetime.min.replace(tzinfo=now.tzinfo), NOBODY)
    while (batch := _safely(now=now, after=place, limit=limit)) is not None:
        ran.claimed += len(batch.claimed)
        ran.intended += len(batch.intended)
        ran.resumed += len(batch.resumed)
        ran.skipped += batch.skipped
        place = batch.place
        crash.point("due_after_intent")
        if charge and (batch.intended or batch.resumed):
            asked = charging.charge(fresh=batch.intended, resumed=batch.resumed, now=now, deadline=deadline)
            ran.charged += asked.done
            ran.left |= asked.left
        if charging.is_over(deadline):
            ran.left = True
            break
    return ran


def _safely(*, now: datetime, after: tuple, limit: int, only: Sequence[str] | None = None) -> Batch | None:
    """Queue one batch; when one item of it cannot be worked out, the others are queued without it."""
    claimed: list[tuple] = []
    try:
        return queue(now=now, after=after, limit=limit, only=only, claimed=claimed)
    except (OperationalError, InterfaceError):
        # The database is away: no item is to blame, and the next run goes on.
        raise
    except Exception:
        if not claimed:
            raise
        if len(claimed) == 1:
            log.exception("due_item_failed", postdate=str(claimed[0][0]))
            return _put_aside(claimed[0], now)
    place = max((at, pk) for pk, _account, at, _number in claimed)
    whole, ids = Batch(place), [row[0] for row in claimed]
    for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
        part = _safely(now=now, after=after, limit=limit, only=half)
        if part is not None:
            whole.claimed += part.claimed
            whole.intended += part.intended
            whole.resumed += part.resumed
            whole.skipped += part.skipped
    return whole


def _put_aside(row: tuple, now: datetime) -> Batch:
    """Leave an item that breaks the run for an hour and tell staff."""
    pk, account_id, at, _number = row
    Postdate.objects.filter(pk=pk, status=Postdate.Status.SCHEDULED).update(run_at=now + timedelta(hours=1))
    account = Account.objects.get(pk=account_id)
    with acting_for(account.agency_id):
        incidents.open(kind="due_item_failed", key=str(pk), now=now, account=account, data={"postdate": str(pk)})
    return Batch((at, pk), claimed=[pk], skipped=1)


@transaction.atomic(durable=True)
def queue(
    *, now: datetime, after: tuple, limit: int, only: Sequence[str] | None = None, claimed: list[tuple]
) -> Batch | None:
    """Claim, gate and intend one batch in one transaction; None when nothing is due behind that place.

    :param claimed: is filled with what was claimed (id, account, moment, try), for whoever must do without it.
    """
    given = {"now": now, "until": now + LEASE, "after_at": after[0], "after": after[1], "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, given | {"only": list(only) if only is not None else None})
        claimed += cursor.fetchall()
    if not claimed:
        return None
    crash.point("due_after_claim")
    batch = Batch(max((at, pk) for pk, _account, at, _number in claimed), claimed=[row[0] for row in claimed])
    accounts = ready.lock(sorted({row[1] for row in claimed}))
    plainly = plain.intend(claimed, accounts, now=now)
    others = [row[0] for row in claimed if row[1] in accounts and row[0] not in plainly]
    items = ready.read(others, now=now) if others else []
    told: list[tuple[str, Locked, dict]] = []
    going: list[Intended] = []
    # An account that somebody works on now, or that has another item in this batch, is the next run's.
    read = {item.pk for item in items}
    left = [Left(pk=row[0]) for row in claimed if row[0] not in read and row[0] not in plainly]
    stopped: list[tuple[Item, Skipped]] = []
    busy: set[str] = set()
    for item in items:
        account = accounts[item.account_id]
        account.consumer.time_zone = item.zone
        if item.undecided_is_mine:
            # An earlier run intended it and did not come to an end; its key makes the charge the same one.
            assert item.undecided is not None
            batch.resumed.append(item.undecided)
            left.append(Left(pk=item.pk, claimed_until=now + LEASE))
        elif item.account_id in busy:
            left.append(Left(pk=item.pk))
        elif codes := ready.refusals(item, now=now):
            skipped = after_skip(codes, now=now, zone=item.zone, due_on=item.run_on, since=item.since)
            stopped.append((item, skipped))
            left.append(Left(pk=item.pk, run_at=skipped.at, held_for=skipped.held_for))
            told.append(("postdate.skipped", account, _about(item, account) | _why(codes, skipped)))
        else:
            intended = Intended(
                id=uuid7(), item=item, idempotency_key=key_of(item.pk, item.tries), currency=item.currency
            )
            going.append(intended)
            busy.add(item.account_id)
            told += [
                ("postdate.due", account, _about(item, account) | {"payment": str(intended.id), "try": item.tries}),
                ("payment.intended", account, moves.snapshot(intended, account, now, origin="portal")),
            ]
    insert(going, now)
    _leave(left)
    events.record_all(told, now=now)
    _tell_staff(stopped, now)
    batch.intended, batch.skipped = [*plainly.values(), *[str(one.id) for one in going]], len(stopped)
    return batch


def _about(item: Item, account: Locked) -> dict:
    return {
        "postdate": item.pk,
        "arrangement": item.arrangement_id,
        "number": item.number,
        "of": item.of,
        "date": item.due_on.isoformat(),
        "amount_cents": item.amount_cents,
        "currency": item.currency,
        "executor": item.executor,
    }


def _why(codes: Sequence[str], skipped: Skipped) -> dict:
    return {
        "reasons": list(codes),
        "status": Status.HELD if skipped.at is None else Status.SCHEDULED,
        "next_try_at": skipped.at.isoformat() if skipped.at else None,
    }


def _leave(left: Sequence[Left]) -> None:
    if not left:
        return
    columns = [
        [one.pk for one in left],
        [Status.HELD.value if one.held_for else Status.SCHEDULED.value for one in left],
        [one.run_at for one in left],
        [one.held_for for one in left],
        [one.claimed_until for one in left],
    ]
    with connection.cursor() as cursor:
        cursor.execute(LEAVE, columns)


def _tell_staff(stopped: Sequence[tuple[Item, Skipped]], now: datetime) -> None:
    """Open an incident for every item that is held for something that should never have come so far."""
    matters = {item.account_id: (item, skipped) for item, skipped in stopped if skipped.incident}
    for account in Account.objects.filter(pk__in=matters) if matters else ():
        item, skipped = matters[str(account.pk)]
        with acting_for(account.agency_id):
            incidents.open(
                kind=skipped.incident,
                key=item.pk,
                # Somebody expects this payment today, and only a person can put it right.
                severity=Incident.Severity.URGENT,
                now=now,
                account=account,
                data={"postdate": item.pk, "reason": skipped.held_for, "amount_cents": item.amount_cents},
            )
