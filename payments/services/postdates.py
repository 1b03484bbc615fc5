"""Cancel and hold post-dates. What the host executes is asked of the host; its answer settles it (PDC-07)."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.models import Account
from payments.models import Postdate
from payments.services import life, replan
from payments.services.arrange import move
from payments.services.locks import lock_account

Status = Postdate.Status


def _locked(postdate_id: UUID) -> tuple[Postdate, Account]:
    """Lock the account, then the post-date."""
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
    # What the consumer cancels is withdrawn, whatever held it before.
    found.held_for = ""
    if found.executor != "host":
        return _cancelled(found, account, "", now)
    return move(found, account, Status.CANCEL_REQUESTED, "postdate.cancel_requested", now)


@transaction.atomic
def settle_cancel(*, postdate_id: UUID, cancelled: bool, reason: str, now: datetime) -> Postdate:
    """Take the host's answer to a cancel request; a refused one is scheduled again and says why."""
    found, account = _locked(postdate_id)
    if found.status != Status.CANCEL_REQUESTED:
        return found
    if cancelled or reason == "already_cancelled":
        return _cancelled(found, account, reason, now)
    found.held_for = ""
    move(found, account, Status.SCHEDULED, "postdate.changed", now, cancel_refused=True, reason=reason)
    replan.follow(found, account=account, now=now)
    return found


def hold(*, postdate: Postdate, reason: str, now: datetime) -> Postdate:
    """Hold a scheduled post-date here, and ask the host to hold it if the host executes it."""
    with transaction.atomic():
        found, account = _locked(postdate.pk)
        if found.status != Status.SCHEDULED:
            return found
        found.held_for = reason[:60]
        return move(found, account, Status.HELD, "postdate.hold_requested", now, reason=reason)


@transaction.atomic
def settle_hold(*, postdate_id: UUID, held: bool, reason: str, now: datetime) -> Postdate:
    """Take the host's answer to a hold request; a refused one is scheduled again, where the host executes it."""
    found, account = _locked(postdate_id)
    if held or found.status != Status.HELD or found.executor != "host":
        return found
    found.held_for = ""
    return move(found, account, Status.SCHEDULED, "postdate.changed", now, hold_refused=True, reason=reason)


def _cancelled(postdate: Postdate, account: Account, reason: str, now: datetime) -> Postdate:
    move(postdate, account, Status.CANCELLED, "postdate.cancelled", now, reason=reason)
    replan.follow(postdate, account=account, now=now)
    life.review_locked(postdate.arrangement_id, account=account, now=now)
    return postdate


def cancelled_by_host(postdate: Postdate, *, account: Account, now: datetime) -> Postdate:
    """Cancel an item, whose account the caller has locked, because the host did."""
    move(postdate, account, Status.CANCELLED, "postdate.cancelled", now, origin="host")
    replan.follow(postdate, account=account, now=now)
    life.review_locked(postdate.arrangement_id, account=account, now=now)
    return postdate
