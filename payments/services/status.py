"""What a new status of an account does to what is planned on it, when it is placed (section 14, EVT-03).

The table is `accounts.statuses`; the gates ask the same one again inside each charge (STS-07).
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import statuses
from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account
from payments.models import Arrangement, Payment, Postdate
from payments.services import announced, holds, incidents, items, life
from payments.services.locks import lock_account
from payments.services.standstill import stands_still

RELEASED = (holds.BY_STATUS, "account_not_open", holds.STILL)
"""What a hold is called that ends with the status or a dispute: ours, and the gates' at a charge that came due."""


def account_status_changed(*, account: Account, before: str, after: str, now: datetime) -> None:
    """Cancel, hold or release what is planned on an account whose status changed; the same status changes nothing."""
    with transaction.atomic():
        account = lock_account(account.pk)
        was, is_now = statuses.of(before).charge, statuses.of(after).charge
        if is_now == statuses.CANCEL:
            _cancel(account, after, now)
        elif is_now == statuses.HOLD:
            hold(account=account, now=now)
        elif was != is_now:
            release(account=account, now=now)


def _cancel(account: Account, status: str, now: datetime) -> None:
    """Cancel every plan at once; a debit that is on its way is a matter for staff (STS-01)."""
    if status == Account.Status.PAID:
        # The host's list of payments comes after its status: only then is known whether a plan was completed by it.
        items_of = [item for row in _running(account) for item in _items(row)]
        for row in _running(account):
            items.stop_all(items_of, holds.BY_STATUS, row, account=account, now=now)
        transaction.on_commit(partial(_finish_paid, account.pk, now))
        return
    for row in _running(account):
        life.cancel(arrangement=row, by="system", reason=f"status_{status}", now=now)
    on_its_way = Payment.objects.filter(account=account, status__in=(Payment.Status.INTENDED, Payment.Status.PENDING))
    for payment in on_its_way:
        tell_late_debit(payment, account=account, status=status, now=now)


def tell_late_debit(payment: Payment, *, account: Account, status: str, now: datetime) -> None:
    """Have staff give back what is taken although nothing may be collected any more (STS-01)."""
    data = {"status": status, "amount_cents": payment.amount_cents, "payment_status": payment.status}
    incidents.open(
        kind="debit_after_status",
        key=str(payment.pk),
        severity="urgent",
        now=now,
        account=account,
        payment=payment,
        data=data,
    )


def _finish_paid(account_id: object, now: datetime) -> None:
    """End a plan of an account that the host calls paid and that the payments we know did not complete."""
    with transaction.atomic():
        account = lock_account(account_id)
        if account.status != Account.Status.PAID:
            return
        for row in _running(account):
            if life.review_locked(row.pk, account=account, now=now).status in life.WATCHED:
                life.cancel(arrangement=row, by="system", reason="status_paid", now=now)


def hold(*, account: Account, now: datetime, reason: str = holds.BY_STATUS) -> None:
    """Hold what is planned on an account, which the caller has locked, until a person decides or the status is over."""
    for row in _running(account):
        items.hold_all(_items(row), reason, account=account, now=now)


def release(*, account: Account, now: datetime, reasons: Iterable[str] = RELEASED) -> None:
    """Go on with what was held, where its day is still to come and its notice can still be given or was (PDC-01).

    Nothing goes on while the status or a dispute still stops collection, nor what must be held for another reason.
    """
    if statuses.of(account.status).charge != statuses.YES or stands_still(account.pk):
        return
    today = local_date(now, account.consumer.time_zone)
    missed = []
    for row in _running(account):
        held = [one for one in _items(row) if one.status == Postdate.Status.HELD and one.held_for in reasons]
        for reason in reasons:
            missed += items.release_all(held, reason, account=account, now=now)
        missed += [item for item in held if item.held_for in reasons and item.due_on <= today]
    announced.tell_missed(missed, account=account, now=now)


@known
def _watched(account_id: UUID) -> QuerySet[Arrangement]:
    return Arrangement.objects.filter(account=account_id, status__in=life.WATCHED).order_by("accepted_at", "pk")


def _running(account: Account) -> list[Arrangement]:
    return _watched(account.pk)


def _items(row: Arrangement) -> list[Postdate]:
    return life.planned_of(row.pk)
