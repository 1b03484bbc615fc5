"""Cancel and hold post-dates. What the host executes is asked of the host; its answer settles it (PDC-07)."""

from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.known import known
from accounts.models import Account, Event
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import BatchItem, Postdate
from payments.services import announced, arrange, holds, incidents, items, life, replan
from payments.services.arrange import move
from payments.services.locks import lock_account
from payments.services.sign import Refused

Status = Postdate.Status
CHANGED_AT_HOST = "changed_at_host"
"""Holds what the host planned otherwise than it was signed; the incident is called the same."""
KEPT_BY_HOST = "kept_by_host"
"""The incident of a payment that another card or bank account was to take over and that its host did not let go of."""
HOLD_REFUSED = "hold_refused"
"""The incident of a payment that nobody was told of in time and that its host charges all the same."""
_SENTENCES = {
    "postdate_decided": gettext_noop("It is taken or decided already: nothing was cancelled."),
    "postdate_not_planned": gettext_noop("It is not planned any more: it was cancelled or moved before."),
    "postdate_changing": gettext_noop(
        "It is being changed. Once that is confirmed you can cancel what is planned then."
    ),
}


@known
def _account_id(postdate_id: UUID) -> QuerySet:
    return Postdate.objects.filter(pk=postdate_id).values_list("account_id", flat=True)


@known
def _to_lock(postdate_id: UUID) -> QuerySet[Postdate]:
    joined = Postdate.objects.select_related("method__processor_account", "arrangement")
    return joined.select_for_update(of=("self",)).filter(pk=postdate_id)


def _locked(postdate_id: UUID) -> tuple[Postdate, Account]:
    """Lock the account, then the post-date."""
    account = lock_account(_account_id.get(postdate_id))
    return _to_lock.get(postdate_id), account


@transaction.atomic
def request_cancel(*, postdate: Postdate, now: datetime, reason: str = "") -> Postdate:
    """Cancel a post-date for its consumer: at once if it is ours, else hold it here and ask the host.

    Asking twice is asking once.

    :raises Refused: it is decided, not planned any more or being changed; it stays what it is.
    """
    found, account = _locked(postdate.pk)
    if against := against_cancel(found):
        raise Refused(against)
    if found.status == Status.CANCEL_REQUESTED:
        return found
    # What the consumer cancels is withdrawn, whatever held it before; a host that keeps it keeps it held.
    held_for, found.held_for = found.held_for if found.status == Status.HELD else "", ""
    if found.executor != "host":
        return _cancelled(found, account, reason[:300], now)
    more = {"reason": reason[:300]} if reason else {}
    more |= {"held_for": held_for} if held_for else {}
    return move(found, account, Status.CANCEL_REQUESTED, "postdate.cancel_requested", now, **more)


def against_cancel(postdate: Postdate) -> list[Refusal]:
    """Say why a post-date cannot be cancelled; what the host lets go of for a change is planned anew by that."""
    if postdate.status in (Status.TAKEN, Status.FAILED):
        code = "postdate_decided"
    elif postdate.status == Status.CANCELLED:
        code = "postdate_not_planned"
    elif postdate.status == Status.CANCEL_REQUESTED and postdate.replacement is not None:
        code = "postdate_changing"
    else:
        return []
    return [refuse(_SENTENCES[code], code)]


@transaction.atomic
def settle_cancel(*, postdate_id: UUID, cancelled: bool, reason: str, now: datetime) -> Postdate:
    """Take the host's answer to a cancel request; a refused one is scheduled again and says why.

    It is held where it must not be charged all the same. What the host was asked for a change only is asked for again
    where the consumer withdrew it meanwhile (PDC-07).
    """
    found, account = _locked(postdate_id)
    if found.status != Status.CANCEL_REQUESTED:
        return found
    if cancelled or reason == "already_cancelled":
        return _cancelled(found, account, reason, now)
    changing, found.held_for = found.replacement, ""
    move(found, account, Status.SCHEDULED, "postdate.changed", now, cancel_refused=True, reason=reason)
    replan.follow(found, account=account, now=now)
    if changing is not None and found.arrangement.withdrawn:
        found.replacement = None
        found.save(update_fields=["replacement"])
        more = {"held_for": changing["held_for"]} if changing.get("held_for") else {}
        return move(found, account, Status.CANCEL_REQUESTED, "postdate.cancel_requested", now, **more)
    items.hold_again(found, account=account, now=now)
    replan.hold_as_before(found, changing or _last_asked(found), account=account, now=now)
    if changing is not None and changing["method"] not in (None, str(found.method_id)):
        told = {"postdate": str(found.pk), "amount_cents": found.amount_cents, "reason": reason}
        incidents.open(kind=KEPT_BY_HOST, key=str(found.pk), now=now, account=account, data=told)
    return found


def hold(*, postdate: Postdate, reason: str, now: datetime) -> Postdate:
    """Hold a scheduled post-date here, and ask the host to hold it if the host executes it.

    One that is held already keeps its reason: whether its notice was given is read again when it is let go.
    """
    with transaction.atomic():
        found, account = _locked(postdate.pk)
        if found.status != Status.SCHEDULED:
            return found
        return arrange.hold(found, reason, account=account, now=now)


@transaction.atomic
def settle_hold(*, postdate_id: UUID, held: bool, reason: str, now: datetime, asked: int | None = None) -> Postdate:
    """Take the host's answer to a hold request; a refused one is scheduled again, where the host executes it.

    :param asked: the request's place in its account's events; an answer counts only until something else is asked.
    """
    found, account = _locked(postdate_id)
    if held or found.status != Status.HELD or found.executor != "host":
        return found
    if asked is not None and _asked_since(found, asked):
        return found
    if found.held_for == announced.SILENT:
        told = {"postdate": str(found.pk), "amount_cents": found.amount_cents, "reason": reason}
        incidents.open(kind=HOLD_REFUSED, key=str(found.pk), now=now, account=account, data=told)
    found.held_for = ""
    return move(found, account, Status.SCHEDULED, "postdate.changed", now, hold_refused=True, reason=reason)


def _last_asked(postdate: Postdate) -> dict | None:
    """Give what was told when the host was last asked to cancel an item: also what held it then."""
    asked = Event.objects.filter(account=postdate.account_id, kind="postdate.cancel_requested")
    mine = asked.filter(data__postdate=str(postdate.pk)).order_by("-account_seq")
    return mine.values_list("data", flat=True).first()


def _asked_since(postdate: Postdate, asked: int) -> bool:
    later = Event.objects.filter(account=postdate.account_id, kind="postdate.hold_requested", account_seq__gt=asked)
    return later.filter(data__postdate=str(postdate.pk)).exists()


def _cancelled(postdate: Postdate, account: Account, reason: str, now: datetime) -> Postdate:
    move(postdate, account, Status.CANCELLED, "postdate.cancelled", now, reason=reason)
    replan.follow(postdate, account=account, now=now)
    life.review_locked(postdate.arrangement_id, account=account, now=now)
    return postdate


def changed_by_host(postdate: Postdate, *, on: date, amount_cents: int, account: Account, now: datetime) -> Postdate:
    """Hold an item that the host planned for another day or sum; put back as it was signed, it is let go again.

    Nobody signed for that day or was told of it in time, whoever moved it (EFT-04, ACH-08, CARD-06, PDC-01). A batch
    may have moved it, by no more than it is allowed to.
    """
    if not differs_at_host(postdate, on=on, amount_cents=amount_cents):
        return postdate
    if _as_signed(postdate, on, amount_cents):
        missed = items.release_all([postdate], CHANGED_AT_HOST, account=account, now=now)
        announced.tell_missed(missed, account=account, now=now)
    elif not _moved_by_batch(postdate, on, amount_cents):
        items.hold_all([postdate], CHANGED_AT_HOST, account=account, now=now)
        told = {"postdate": str(postdate.pk), "signed_for": postdate.due_on.isoformat(), "planned_for": on.isoformat()}
        told |= {"signed_cents": postdate.amount_cents, "planned_cents": amount_cents}
        incidents.open(kind=CHANGED_AT_HOST, key=str(postdate.pk), now=now, account=account, data=told)
    return postdate


def differs_at_host(postdate: Postdate, *, on: date, amount_cents: int) -> bool:
    """Tell whether an item is not held for what the host planned otherwise, or still held for what it put back."""
    if _as_signed(postdate, on, amount_cents):
        return postdate.status == Status.HELD and postdate.held_for == CHANGED_AT_HOST
    # What is held for something that may end first would then be let go as the host has it.
    held = postdate.status == Status.HELD and postdate.held_for in holds.STANDING
    return postdate.status == Status.SCHEDULED or held


def _as_signed(postdate: Postdate, on: date, amount_cents: int) -> bool:
    return (on, amount_cents) == (postdate.due_on, postdate.amount_cents)


def _moved_by_batch(postdate: Postdate, on: date, amount_cents: int) -> bool:
    moved = BatchItem.objects.filter(postdate=postdate, on=on, removed_at=None)
    return amount_cents == postdate.amount_cents and moved.exists()


def cancelled_by_host(postdate: Postdate, *, account: Account, now: datetime) -> Postdate:
    """Cancel an item, whose account the caller has locked, because the host did."""
    move(postdate, account, Status.CANCELLED, "postdate.cancelled", now, origin="host")
    replan.follow(postdate, account=account, now=now)
    life.review_locked(postdate.arrangement_id, account=account, now=now)
    return postdate
