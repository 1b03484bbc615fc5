"""Write what an arrangement has become: its status, its events, what follows for its items, offer and account.

`life` decides when; what it is follows from the rules in payments.rules.life. The caller holds the account's lock.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts import events
from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account
from payments.models import Arrangement, Postdate
from payments.rules import life as rules
from payments.rules.life import State
from payments.services import announced, contact_plans, holds, items
from payments.services.arrange import about_of, breach_of
from payments.services.owed import owed
from payments.services.received import Received
from settlements.services import individual

Status = Arrangement.Status

ENDING = (Status.COMPLETED, Status.CANCELLED)


def write(
    row: Arrangement,
    state: State,
    got: Received,
    planned: Sequence[Postdate],
    *,
    account: Account,
    now: datetime,
    always: str = "",
) -> None:
    """Write what an arrangement has become, with its events and what follows for its items."""
    before = row.status
    status = state.status
    if status in Arrangement.LIVE and before not in Arrangement.LIVE and _another(row):
        # Something new was agreed meanwhile; the old one stays what it is.
        return
    over = state.over and row.ended_at is None
    row.status, row.failures = status, state.failures
    row.late_since = state.late_since if status in (Status.LATE, Status.BROKEN) else None
    if status in ENDING or over:
        row.ended_at = now
    elif status in Arrangement.LIVE:
        row.ended_at = None
    row.save(update_fields=["status", "failures", "late_since", "ended_at", "paused_until"])
    told = about_of(
        row,
        account,
        paid_cents=got.counted_cents,
        due_cents=state.due_cents,
        missing_cents=state.missing_cents,
        failures=state.failures,
        late_since=state.late_since.isoformat() if state.late_since else None,
        make_good_by=state.make_good_by.isoformat() if state.make_good_by else None,
    )
    if status != before or always:
        events.record(always or f"arrangement.{status}", account=account, now=now, data=told)
        if status == Status.COMPLETED:
            _completed(row, told, got, account=account, now=now)
        elif status == Status.CANCELLED:
            withdraw_offer(row, account, now)
        elif status == Status.BROKEN and not over:
            items.hold_all(planned, holds.BROKEN, account=account, now=now)
        elif before == Status.BROKEN:
            missed = items.release_all(planned, holds.BROKEN, account=account, now=now)
            announced.tell_missed(missed, account=account, now=now)
    if over and status == Status.BROKEN:
        _over(row, told, planned, account=account, now=now)


@known
def _others(arrangement_id: UUID, account_id: UUID) -> QuerySet[Arrangement]:
    return Arrangement.objects.filter(account_id=account_id, status__in=Arrangement.LIVE).exclude(pk=arrangement_id)


def _another(row: Arrangement) -> bool:
    return _others.exists(row.pk, row.account_id)


def _completed(row: Arrangement, told: dict, got: Received, *, account: Account, now: datetime) -> None:
    """Tell what a fully paid arrangement means: a settlement is settled, a promise kept, an account perhaps paid."""
    if row.kind == Arrangement.Kind.SETTLEMENT:
        individual.close(account=account, status="completed", now=now)
        events.record("settlement.completed", account=account, now=now, data=told)
    elif row.kind == Arrangement.Kind.PROMISE:
        events.record("promise.kept", account=account, now=now, data=told)
    if row.kind != Arrangement.Kind.SETTLEMENT and owed(account).cents == 0:
        events.record("account.paid_in_full", account=account, now=now, data=told)
    on = got.last_on or local_date(now, account.consumer.time_zone)
    about = {"arrangement": str(row.pk)}
    contact_plans.request_when_final(row.terms, account=account, paid_on=on, about=about, now=now)


def _over(row: Arrangement, told: dict, planned: Sequence[Postdate], *, account: Account, now: datetime) -> None:
    """Carry out the breach policy that was accepted, once nothing can be made good any more."""
    breach = breach_of(row.terms)
    due = rules.owed_after_breach(
        breach=breach,
        kind=row.kind,
        owed_cents=owed(account).cents,
        total_cents=row.total_cents,
        counted_cents=told["paid_cents"],
    )
    items.stop_all(planned, "arrangement_broken", row, account=account, now=now)
    more = {"reinstates": breach.reinstates, "owed_cents": due}
    if row.kind == Arrangement.Kind.SETTLEMENT:
        individual.close(account=account, status="broken", now=now)
        events.record("settlement.broken", account=account, now=now, data=told | more)
    elif row.kind == Arrangement.Kind.PROMISE:
        events.record("promise.broken", account=account, now=now, data=told | more)


def withdraw_offer(row: Arrangement, account: Account, now: datetime) -> None:
    """Withdraw the offer that a cancelled settlement came from."""
    if row.kind == Arrangement.Kind.SETTLEMENT:
        individual.close(account=account, status="withdrawn", now=now)
