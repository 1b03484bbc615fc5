"""Cancel and hold post-dates. What the host executes is asked of the host; its answer settles it (PDC-07)."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from accounts import events
from accounts.models import Account
from payments.models import Arrangement, Payment, Postdate
from payments.services.arrange import snapshot

Status = Postdate.Status


def _locked(postdate_id: UUID) -> tuple[Postdate, Account]:
    """Lock the account, then the post-date."""
    from payments.services.settle import lock_account

    account = lock_account(Postdate.objects.values_list("account_id", flat=True).get(pk=postdate_id))
    joined = Postdate.objects.select_related("method__processor_account", "arrangement")
    return joined.select_for_update(of=("self",)).get(pk=postdate_id), account


@transaction.atomic
def request_cancel(*, postdate: Postdate, now: datetime) -> Postdate:
    """Cancel a post-date for its consumer: at once if it is ours, else hold it here and ask the host.

    Asking twice is asking once. A taken, failed or cancelled one stays what it is.
    """
    found, account = _locked(postdate.pk)
    if found.status not in (Status.SCHEDULED, Status.HELD):
        return found
    if found.executor == "portal":
        return _cancelled(found, account, "", now)
    return _move(found, account, Status.CANCEL_REQUESTED, "postdate.cancel_requested", now)


@transaction.atomic
def settle_cancel(*, postdate_id: UUID, cancelled: bool, reason: str, now: datetime) -> Postdate:
    """Take the host's answer to a cancel request; a refused one is scheduled again and says why."""
    found, account = _locked(postdate_id)
    if found.status != Status.CANCEL_REQUESTED:
        return found
    if cancelled or reason == "already_cancelled":
        return _cancelled(found, account, reason, now)
    return _move(found, account, Status.SCHEDULED, "postdate.changed", now, cancel_refused=True, reason=reason)


def hold(*, postdate: Postdate, reason: str, now: datetime) -> Postdate:
    """Hold a scheduled post-date here, and ask the host to hold it if the host executes it."""
    with transaction.atomic():
        found, account = _locked(postdate.pk)
        if found.status != Status.SCHEDULED:
            return found
        return _move(found, account, Status.HELD, "postdate.hold_requested", now, reason=reason)


@transaction.atomic
def settle_hold(*, postdate_id: UUID, held: bool, reason: str, now: datetime) -> Postdate:
    """Take the host's answer to a hold request; a refused one is scheduled again."""
    found, account = _locked(postdate_id)
    if held or found.status != Status.HELD:
        return found
    return _move(found, account, Status.SCHEDULED, "postdate.changed", now, hold_refused=True, reason=reason)


def _cancelled(postdate: Postdate, account: Account, reason: str, now: datetime) -> Postdate:
    _move(postdate, account, Status.CANCELLED, "postdate.cancelled", now, reason=reason)
    close_arrangement(postdate.arrangement_id, account=account, now=now)
    return postdate


def decide(postdate: Postdate, *, account: Account, status: str, kind: str, now: datetime, **more: object) -> Postdate:
    """Move a post-date, whose account the caller has locked, to what its executor said."""
    return _move(postdate, account, status, kind, now, **more)


def _move(postdate: Postdate, account: Account, status: str, kind: str, now: datetime, **more: object) -> Postdate:
    postdate.status = status
    postdate.decided_at = now if status not in Postdate.OPEN else None
    postdate.save(update_fields=["status", "decided_at"])
    told = snapshot(
        postdate, account=account, method=postdate.method, authorization=postdate.arrangement.authorization_id
    )
    events.record(kind, account=account, now=now, data=told | more)
    return postdate


def close_arrangement(arrangement_id: UUID, *, account: Account, now: datetime) -> None:
    """End an arrangement that has nothing planned any more: completed, cancelled or broken."""
    arrangement = (
        Arrangement.objects.select_related("authorization")
        .filter(pk=arrangement_id, status__in=Arrangement.LIVE)
        .first()
    )
    if arrangement is None or arrangement.postdates.filter(status__in=Postdate.OPEN).exists():
        return
    paid = Payment.objects.filter(arrangement=arrangement, status=Payment.Status.SUCCEEDED)
    undecided = Payment.objects.filter(
        arrangement=arrangement, status__in=(Payment.Status.PENDING, Payment.Status.INTENDED)
    )
    if undecided.exists():
        return
    paid_cents = paid.aggregate(Sum("amount_cents"))["amount_cents__sum"] or 0
    about = {
        "arrangement": str(arrangement.pk),
        "kind": arrangement.kind,
        "total_cents": arrangement.total_cents,
        "paid_cents": paid_cents,
        "currency": account.currency,
    }
    if paid_cents >= arrangement.total_cents:
        status, kind = Arrangement.Status.COMPLETED, "arrangement.completed"
    elif arrangement.postdates.filter(status=Status.CANCELLED).exists():
        status, kind = Arrangement.Status.CANCELLED, "arrangement.cancelled"
    else:
        status, kind = Arrangement.Status.BROKEN, "arrangement.broken"
    arrangement.status = status
    arrangement.save(update_fields=["status"])
    events.record(kind, account=account, now=now, data=about)
    if status == Arrangement.Status.COMPLETED and arrangement.kind == "settlement":
        events.record("settlement.completed", account=account, now=now, data=about)
