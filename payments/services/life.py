"""The life of an arrangement after it was agreed: reviewed after every payment and every day, paused, cancelled.

What it is follows from what was paid (rules in payments.rules.life); this module writes it down, keeps the planned
items true to it, and tells the host. Lock order: the account, then the arrangement.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account
from accounts.tenancy import acting_for
from payments.models import Arrangement, HostItem, Payment, Postdate
from payments.rules import life as rules
from payments.rules.life import Due, State
from payments.services import authority, holds, items, states
from payments.services.arrange import about_of, breach_of
from payments.services.items import Change
from payments.services.locks import lock_account
from payments.services.owed import owed
from payments.services.received import Received, received
from payments.services.standstill import stands_still
from settlements.services import hardship

log = structlog.get_logger(__name__)

Status = Arrangement.Status
WATCHED = (*Arrangement.LIVE, Status.BROKEN)
PASSING = ("hardship", "dispute", "oc_request")
"""Why a plan rests until that is over by itself; any other rest waits for its day, or for somebody."""
CHUNK = 500


def review(*, arrangement: Arrangement, now: datetime) -> Arrangement:
    """Work out anew how far an arrangement is, from what was paid, and write down what changed."""
    with transaction.atomic():
        account = lock_account(arrangement.account_id)
        return review_locked(arrangement.pk, account=account, now=now)


@known
def _to_review(arrangement_id: UUID) -> QuerySet[Arrangement]:
    joined = Arrangement.objects.select_related("authorization")
    return joined.select_for_update(of=("self",)).filter(pk=arrangement_id)


def review_locked(arrangement_id: UUID, *, account: Account, now: datetime) -> Arrangement:
    """Do the same under the caller's lock of the account."""
    row = _to_review.get(arrangement_id)
    if row.status == Status.CANCELLED:
        return row
    row.account = account
    got = received([row])[row.pk]
    planned = _items(row)
    today = local_date(now, account.consumer.time_zone)
    if _rested(row, today):
        if _waits(row) and (rest := hardship.active(consumer=account.consumer, today=today)) is not None:
            row.paused_until = rest.ends_on
            row.save(update_fields=["paused_until"])
            _tell_rest(row, "hardship", rest.ends_on, account=account, now=now)
            return row
        # First it runs again: what is let go is asked whether the plan still rests.
        row.status, row.paused_until = Status.PERFORMING, None
        row.save(update_fields=["status", "paused_until"])
        items.end_pause(row, planned, got, account=account, today=today, now=now)
        planned = _items(row)
        state = _state(row, planned, got, today)
        states.write(row, state, got, planned, account=account, now=now, always="arrangement.performing")
        return row
    if _to_be_looked_at(row, got):
        _suspend(row, planned, account=account, now=now)
        return row
    if changes := items.changes(row, planned, got, today):
        _apply(changes, row, account=account, now=now)
        planned = _items(row)
    states.write(row, _state(row, planned, got, today), got, planned, account=account, now=now)
    return row


@known
def planned_of(arrangement_id: UUID) -> QuerySet[Postdate]:
    joined = Postdate.objects.select_related("method__processor_account", "arrangement")
    return joined.filter(arrangement=arrangement_id).order_by("due_on", "number", "turn")


def _items(row: Arrangement) -> list[Postdate]:
    return planned_of(row.pk)


def _rested(row: Arrangement, today: date) -> bool:
    over = row.status == Status.PAUSED and row.paused_until is not None and row.paused_until < today
    return over and not stands_still(row.account_id)


def _to_be_looked_at(row: Arrangement, got: Received) -> bool:
    """Tell whether so many instalments were paid that a person must look at it now."""
    if row.review_after is None or row.status not in (Status.PERFORMING, Status.LATE):
        return False
    lines = [Due(date.fromisoformat(on), cents) for on, cents in sorted(row.due or row.schedule)]
    return row.review_after <= rules.covered(lines, got.cleared_cents) < len(lines)


def _suspend(row: Arrangement, planned: Sequence[Postdate], *, account: Account, now: datetime) -> None:
    """Hold what is planned until a person has looked at it; the number is asked once."""
    after, row.review_after = row.review_after, None
    row.status, row.late_since = Status.REVIEW, None
    row.save(update_fields=["status", "late_since", "review_after"])
    items.hold_all(planned, holds.REVIEW, account=account, now=now)
    events.record("arrangement.suspended", account=account, now=now, data=about_of(row, account, after=after))


@known
def _with_consumer(arrangement_id: UUID) -> QuerySet[Arrangement]:
    return Arrangement.objects.select_related("account__consumer").filter(pk=arrangement_id)


def missing_cents(arrangement: Arrangement, *, now: datetime) -> int:
    """Give what is due on an arrangement by today and was not paid."""
    row = _with_consumer.get(arrangement.pk)
    today = local_date(now, row.account.consumer.time_zone)
    return _state(row, _items(row), received([row])[row.pk], today).missing_cents


def _apply(changes: Sequence[Change], row: Arrangement, *, account: Account, now: datetime) -> None:
    for change in changes:
        items.apply(change, row, account=account, now=now)


def _state(row: Arrangement, planned: Sequence[Postdate], got: Received, today: date) -> State:
    return rules.decide(
        rules.Facts(
            today=today,
            status=row.status,
            total_cents=row.total_cents,
            due=due_of(row, planned),
            counted_cents=got.counted_cents + got.under_way_cents(planned),
            cleared_cents=got.cleared_cents,
            outcomes=tuple(
                one.status == Postdate.Status.TAKEN
                for one in planned
                # What was added beside the schedule breaks nothing by failing.
                if not one.extra and one.status in (Postdate.Status.TAKEN, Postdate.Status.FAILED)
            ),
            planned=got.undecided
            or got.counted_cents > got.cleared_cents
            or any(one.status in Postdate.OPEN for one in planned),
            withdrawn=any(
                one.status == Postdate.Status.CANCELLED and not one.held_for and not one.extra for one in planned
            ),
            breach=breach_of(row.terms),
            late_since=row.late_since,
            ended=row.ended_at is not None,
        )
    )


def due_of(row: Arrangement, planned: Sequence[Postdate]) -> tuple[Due, ...]:
    """Read the schedule as it stands, with the day on which an executor gave up on a payment."""
    failed = {
        one.due_on: local_date(one.decided_at, row.account.consumer.time_zone)
        for one in planned
        if one.status == Postdate.Status.FAILED and one.decided_at is not None and not one.extra
    }
    lines = [(date.fromisoformat(on), cents) for on, cents in row.due or row.schedule]
    return tuple(Due(on, cents, failed.get(on)) for on, cents in sorted(lines))


@known
def _latest(account_id: UUID) -> QuerySet:
    rows = Arrangement.objects.filter(account=account_id).exclude(status=Status.CANCELLED)
    return rows.order_by("-accepted_at", "-pk").values_list("pk", flat=True)


def may_concern(account: Account) -> bool:
    """Tell whether news about an account's payments can change an arrangement."""
    return _latest.exists(account.pk)


def after_money(*, account: Account, now: datetime) -> None:
    """Review the latest arrangement of an account, which the caller has locked, after news of any payment of it."""
    if (row := _latest.first(account.pk)) is not None:
        review_locked(row, account=account, now=now)


@known
def _shown_on(account_id: UUID, ids: Sequence[UUID]) -> QuerySet:
    shown = HostItem.objects.filter(account=account_id, kind="payment", portal_id__in=ids)
    return shown.values_list("on", flat=True)


def paid_on(payment: Payment, *, account: Account) -> date:
    """Give the local day of a payment: the host's own date where it shows it, else the day it was decided."""
    on = _shown_on.first(account.pk, [one for one in (payment.pk, payment.postdate_id) if one])
    return on or local_date(payment.decided_at or payment.intended_at, account.consumer.time_zone)


def review_due(*, now: datetime) -> int:
    """Review every arrangement that time alone may have changed, all agencies; return how many did change.

    Rows are judged in sets and only those that are something else today are locked and written.
    """
    changed, last = 0, None
    watched = Arrangement.objects.filter(status__in=WATCHED).exclude(status=Status.BROKEN, ended_at__isnull=False)
    while True:
        rows = watched.filter(pk__gt=last) if last else watched
        chunk = list(rows.select_related("account__consumer").prefetch_related("postdates").order_by("pk")[:CHUNK])
        if not chunk:
            return changed
        got = received(chunk)
        for row in chunk:
            if not _differs(row, got[row.pk], now):
                continue
            with acting_for(row.agency_id):
                try:
                    review(arrangement=row, now=now)
                    changed += 1
                except Exception:
                    # One arrangement that cannot be reviewed must not hold up the others.
                    log.exception("arrangement_review_failed", arrangement=str(row.pk))
        last = chunk[-1].pk


def _differs(row: Arrangement, got: Received, now: datetime) -> bool:
    today = local_date(now, row.account.consumer.time_zone)
    planned = sorted(row.postdates.all(), key=lambda one: (one.due_on, one.number, one.turn))
    if _rested(row, today) or _to_be_looked_at(row, got) or items.changes(row, planned, got, today):
        return True
    state = _state(row, planned, got, today)
    late = state.late_since if state.status in (Status.LATE, Status.BROKEN) else None
    return (state.status, state.failures, late, state.over) != (row.status, row.failures, row.late_since, False)


def pause(*, account: Account, until: date | None, reason: str, now: datetime) -> Arrangement | None:
    """Rest the running arrangement until the end of a day; nothing is charged meanwhile. None when there is none.

    A plan that waits to be looked at goes on waiting, and rests until that day afterwards. A rest that waits for
    somebody is never shortened by one that passes, and outlives it (`go_on`).
    """
    with transaction.atomic():
        account = lock_account(account.pk)
        row = Arrangement.objects.select_for_update().filter(account=account, status__in=Arrangement.LIVE).first()
        if row is None:
            return None
        row.account = account
        if row.status == Status.REVIEW:
            _rest_after_review(row, reason, until, account=account, now=now)
            return row
        again, waits, passes = row.status == Status.PAUSED, _waits(row), reason in PASSING
        if not (waits and passes):
            row.paused_until = until
        elif row.paused_until is not None and until is not None:
            row.paused_until = max(row.paused_until, until)
        row.status, row.late_since = Status.PAUSED, None
        row.save(update_fields=["status", "paused_until", "late_since"])
        items.hold_all(_items(row), holds.PAUSED, account=account, now=now)
        if not again or not (waits or passes):
            _tell_rest(row, reason, until, account=account, now=now)
        return row


def _rest_after_review(row: Arrangement, reason: str, until: date | None, *, account: Account, now: datetime) -> None:
    """Note a rest that begins while a person looks; what passes by itself is asked for when they are done."""
    if reason in PASSING:
        return
    row.paused_until = until or row.paused_until
    row.save(update_fields=["paused_until"])
    _tell_rest(row, reason, until, account=account, now=now)


def _tell_rest(row: Arrangement, reason: str, until: date | None, *, account: Account, now: datetime) -> None:
    told = about_of(row, account, until=until.isoformat() if until else None, reason=reason)
    events.record("arrangement.paused", account=account, now=now, data=told)


def _waits(row: Arrangement) -> bool:
    """Tell whether an arrangement rests until its day or until somebody ends it, whatever else passes meanwhile."""
    if row.status != Status.PAUSED:
        return row.status == Status.REVIEW
    told = items.rests(row)
    return bool(told) and told[0].reason not in PASSING


def resume(*, account: Account, now: datetime) -> Arrangement | None:
    """Go on with a paused arrangement, or one that a person looked at; None when there is none.

    What fell into the time between is due at the end. A hardship pause that still runs is a rest of its own, and so is
    a pause until a day that was asked for while a person looked at it.
    """
    with transaction.atomic():
        account = lock_account(account.pk)
        row = _resting.first(account.pk)
        if row is None:
            return None
        today = local_date(now, account.consumer.time_zone)
        if row.status == Status.REVIEW and row.paused_until is not None and row.paused_until >= today:
            row.account = account
            row.status = Status.PAUSED
            row.save(update_fields=["status"])
            # Nothing is let go: it is held now for the rest.
            items.release_all(_items(row), holds.REVIEW, account=account, now=now)
            _tell_rest(row, items.rests(row)[0].reason, row.paused_until, account=account, now=now)
            return row
        ended = today - timedelta(days=1)
        Arrangement.objects.filter(pk=row.pk).update(status=Status.PAUSED, paused_until=ended)
        return review_locked(row.pk, account=account, now=now)


def go_on(*, account: Account, now: datetime) -> Arrangement | None:
    """End the rest of a hardship pause or a dispute that is over; one that waits for its day or for somebody stays."""
    with transaction.atomic():
        account = lock_account(account.pk)
        row = _resting.first(account.pk)
        if row is not None and _waits(row):
            return review_locked(row.pk, account=account, now=now)
        return resume(account=account, now=now)


@known
def _resting(account_id: UUID) -> QuerySet[Arrangement]:
    return Arrangement.objects.filter(account=account_id, status__in=(Status.PAUSED, Status.REVIEW))


def suspend_after(*, arrangement: Arrangement, instalments: int | None, now: datetime) -> Arrangement:
    """Have a person look at it once so many instalments are paid; None asks for nobody any more."""
    with transaction.atomic():
        account = lock_account(arrangement.account_id)
        Arrangement.objects.filter(pk=arrangement.pk).update(review_after=instalments)
        return review_locked(arrangement.pk, account=account, now=now)


def cancel(*, arrangement: Arrangement, by: str, reason: str, now: datetime) -> Arrangement:
    """Cancel an arrangement for its consumer or staff: items, authorization and offer with it.

    What the host holds is held here at once and asked back (PDC-07). An ended one stays what it is.
    """
    with transaction.atomic():
        account = lock_account(arrangement.account_id)
        row = _to_review.get(arrangement.pk)
        if row.status not in WATCHED or (row.status == Status.BROKEN and row.ended_at is not None):
            return row
        row.account = account
        got = received([row])[row.pk]
        row.status, row.ended_at, row.late_since, row.paused_until = Status.CANCELLED, now, None, None
        row.save(update_fields=["status", "ended_at", "late_since", "paused_until"])
        items.stop_all(_items(row), "", row, account=account, now=now)
        authority.revoke(row.authorization, account=account, by=by, now=now)
        states.withdraw_offer(row, account, now)
        told = about_of(
            row, account, by=by, reason=reason, paid_cents=got.counted_cents, owed_cents=owed(account).cents
        )
        events.record("arrangement.cancelled", account=account, now=now, data=told)
        return row
