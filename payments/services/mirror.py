"""Show what the host shows: its payments and post-dates as they are, and what they mean for our own (ownership).

The host's list is whole each time: an item that it no longer names is gone from the tabs. An item with our id
acknowledges our payment or post-date and moves it as the host says; the host is never told its own news again, so the
events of this module say `origin: host`.
"""

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import events
from accounts.known import known
from accounts.models import Account
from payments.models import HostItem, Method, Payment, Postdate
from payments.processors import Outcome
from payments.rules import returns
from payments.services import (
    batch_posting,
    batches,
    consequences,
    incidents,
    ledger,
    letters,
    life,
    locks,
    moves,
    reversals,
    settle,
)
from payments.services import postdates as own_postdates
from payments.services.methods import wipe_acknowledged

POSTED, DECLINED, CHARGEBACK, REVERSAL, REFUND = "POSTED", "DECLINED", "CHARGEBACK", "ACH REVERSAL", "REFUND"
FINAL = (POSTED, DECLINED, CHARGEBACK, REVERSAL, REFUND)
"""Words of a host that end a payment's wait; anything else (PROCESSED) is not posted yet."""
CANCELLED = "CANCELLED"
WON = Q(reason="reinstated")
REFUND_FAILED = Q(book="debt", reason="refund", amount_cents__lt=0)
_SHOWN = ("portal_id", "on", "amount_cents", "method", "last4", "status", "updated_at", "matched")


class HostLine(Protocol):
    """One payment or post-date in the host's own list; `portal_id` is ours, echoed, or None."""

    host_id: str
    portal_id: UUID | None
    on: date
    amount_cents: int
    method: str
    last4: str
    status: str
    updated_at: datetime


@known
def _payments(account_id: UUID, keys: Sequence[UUID]) -> QuerySet[Payment]:
    return Payment.objects.filter(account=account_id, pk__in=keys)


@known
def _postdates(account_id: UUID, keys: Sequence[UUID]) -> QuerySet[Postdate]:
    return Postdate.objects.filter(account=account_id, pk__in=keys)


@transaction.atomic
def mirror(
    *, account: Account, payments: Sequence[HostLine] | None, postdates: Sequence[HostLine] | None, now: datetime
) -> None:
    """Take over the host's list of one account, in the transaction of the intake; the same list changes nothing.

    :param payments, postdates: None where the host tells nothing of them: what stands, stands.
    """
    told = [kind for kind, lines in (("payment", payments), ("postdate", postdates)) if lines is not None]
    payments, postdates = payments or (), postdates or ()
    named = list({line.portal_id for line in (*payments, *postdates) if line.portal_id})
    if named:
        account = locks.lock_account(account.pk)
    mine = {row.pk: row for row in _payments(account.pk, named)} if named else {}
    planned = {row.pk: row for row in _postdates(account.pk, named)} if named else {}
    changed = _show(account, payments, postdates, {*mine, *planned}, told)
    if not (mine or planned):
        if not (changed and life.may_concern(account)):
            return
        account = locks.lock_account(account.pk)
    taken = _taken_of([line.portal_id for line in payments if line.portal_id in planned])
    # Most of a list is what it was: only lines that tell something are looked at one by one.
    for line in payments:
        key = line.portal_id
        if key in mine and not _told_of_payment(line, mine[key]):
            _payment(line, account, now)
        if key in planned and not _told_of_taken(line, planned[key], taken.get(key)):
            _taken_by_host(line, account, now)
    for line in postdates:
        key = line.portal_id
        if key in planned and not _told_of_plan(line, planned[key]):
            _planned_at_host(line, account, now)
    life.after_money(account=account, now=now)
    for method_id in {row.method_id for row in (*mine.values(), *planned.values()) if row.method_id}:
        wipe_acknowledged(method_id=method_id, in_batches=batches.in_files(account), now=now)


@known
def _standing(account_id: UUID, kinds: Sequence[str]) -> QuerySet[HostItem]:
    return HostItem.objects.filter(account=account_id, kind__in=kinds)


def _show(
    account: Account,
    payments: Sequence[HostLine],
    postdates: Sequence[HostLine],
    known: set[UUID],
    told: Sequence[str],
) -> bool:
    """Make the rows of the tabs equal to the list, with as few statements as needed; tell whether any differed."""
    standing = {(item.kind, item.host_id): item for item in _standing(account.pk, told)}
    wanted = {("payment", line.host_id): line for line in payments}
    wanted |= {("postdate", line.host_id): line for line in postdates}
    made, changed = [], []
    for (kind, host_id), line in wanted.items():
        values = {
            "portal_id": line.portal_id,
            "on": line.on,
            "amount_cents": line.amount_cents,
            "method": line.method[:20],
            "last4": line.last4[-4:],
            "status": line.status[:30],
            "updated_at": line.updated_at,
            "matched": line.portal_id in known,
        }
        item = standing.pop((kind, host_id), None)
        if item is None:
            made.append(HostItem(account=account, kind=kind, host_id=host_id, **values))
        elif any(getattr(item, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(item, name, value)
            changed.append(item)
    if standing:
        HostItem.objects.filter(pk__in=[item.pk for item in standing.values()]).delete()
    if made:
        HostItem.objects.bulk_create(made)
    if changed:
        HostItem.objects.bulk_update(changed, _SHOWN)
    return bool(standing or made or changed)


@known
def _by_keys(keys: Sequence[UUID]) -> QuerySet[Payment]:
    return Payment.objects.filter(idempotency_key__in=keys)


def _taken_of(postdate_ids: Sequence[UUID]) -> dict[UUID, Payment]:
    """Find the payments that a host made of post-dates, by the post-date."""
    if not postdate_ids:
        return {}
    return {payment.idempotency_key: payment for payment in _by_keys(postdate_ids)}


def _told_of_payment(line: HostLine, payment: Payment) -> bool:
    """Tell whether we know already what the host's line says of our payment."""
    if line.status not in FINAL:
        return True
    known = payment.acknowledged_at is not None and payment.status != Payment.Status.PENDING
    return line.status == POSTED and known


def _told_of_taken(line: HostLine, postdate: Postdate, taken: Payment | None) -> bool:
    """Tell whether we know already what the host's line says of the payment it made of a post-date."""
    if line.status not in FINAL:
        return _was_seen(line, postdate)
    return line.status == POSTED and taken is not None and taken.acknowledged_at is not None


def _told_of_plan(line: HostLine, postdate: Postdate) -> bool:
    """Tell whether we know already how the host holds our post-date."""
    if not _was_seen(line, postdate) or getattr(line, "notice_sent_on", None) is not None:
        return False
    if line.status == CANCELLED:
        return postdate.status not in Postdate.OPEN
    if postdate.executor != "host":
        return True
    return not own_postdates.differs_at_host(postdate, on=line.on, amount_cents=line.amount_cents)


def _was_seen(line: HostLine, postdate: Postdate) -> bool:
    return postdate.acknowledged_at is not None and postdate.host_id == line.host_id


def _payment(line: HostLine, account: Account, now: datetime) -> None:
    """Acknowledge one of our payments and move it as the host says."""
    payment = moves.to_move.get(line.portal_id)
    if line.status not in FINAL:
        return
    first_shown = payment.acknowledged_at is None
    before = payment.status
    if first_shown:
        payment.acknowledged_at = now
        payment.save(update_fields=["acknowledged_at"])
    _move(payment, line, account, now)
    if first_shown and line.status == POSTED and payment.status == before == Payment.Status.SUCCEEDED:
        told = moves.snapshot(payment, account, now, origin="host", host_id=line.host_id)
        events.record("payment.posted", account=account, now=now, data=told)


def _move(payment: Payment, line: HostLine, account: Account, now: datetime) -> None:
    code = _return_code(line, payment.kind)
    match line.status:
        case "POSTED" if payment.status == Payment.Status.PENDING:
            settle.apply(payment, account=account, outcome=Outcome(status="succeeded"), now=now, origin="host")
        case "DECLINED" | "ACH REVERSAL" if payment.executor == "host":
            outcome = Outcome(status="declined", network_decline_code=code)
            settle.apply(payment, account=account, outcome=outcome, now=now, origin="host")
        case "CHARGEBACK" | "ACH REVERSAL" if not _is_old_news(line, payment, WON):
            reversals.record_dispute(payment_id=payment.pk, said="opened", now=now, origin="host", code=code)
        case "REFUND" if not _is_old_news(line, payment, WON | REFUND_FAILED):
            reversals.record_refund(payment_id=payment.pk, refunded_cents=line.amount_cents, now=now, origin="host")


def _return_code(line: HostLine, kind: str) -> str:
    """Read why a bank sent a debit back, where the host says so."""
    return getattr(line, "return_code", "") if kind == Method.Kind.ACH else ""


def _is_old_news(line: HostLine, payment: Payment, came_back: Q) -> bool:
    """Tell whether the money came back since the host wrote that it was gone: it says the old news with every push."""
    return payment.entries.filter(came_back, at__gte=line.updated_at).exists()


def _taken_by_host(line: HostLine, account: Account, now: datetime) -> None:
    """Record that the host took a post-date, or tried to; what it took after a cancel or hold is an incident."""
    postdate = _lock(line.portal_id)
    if line.status not in FINAL:
        _seen(postdate, line, now)
        return
    taken = _by_keys.first([postdate.pk])
    if line.status == DECLINED:
        _fail(postdate, taken, line, account, now)
        return
    if taken is None:
        stopped = postdate.status in (Postdate.Status.CANCELLED, Postdate.Status.HELD)
        taken = _take(postdate, line, account, now)
        if stopped:
            told = moves.snapshot(taken, account, now)
            incidents.open(
                kind="charged_after_stop",
                key=str(taken.pk),
                severity="urgent",
                now=now,
                account=account,
                payment=taken,
                data=told,
            )
    elif taken.acknowledged_at is None:
        # A batch posted it before the host showed it: from now on the host's balance counts it.
        Payment.objects.filter(pk=taken.pk).update(acknowledged_at=now)
    if line.status != POSTED:
        _payment_of(taken, line, account, now)


def _payment_of(taken: Payment, line: HostLine, account: Account, now: datetime) -> None:
    _move(moves.to_move.get(taken.pk), line, account, now)


def _take(postdate: Postdate, line: HostLine, account: Account, now: datetime) -> Payment:
    """Write the payment the host made of a post-date: succeeded, in the host's book, and told as posted."""
    payment = _written(postdate, line, account, postdate.pk, Payment.Status.SUCCEEDED, now)
    ledger.book(payment, cents=payment.amount_cents, against="host", reason="payment", now=now)
    if postdate.status != Postdate.Status.FAILED:
        _set(postdate, Postdate.Status.TAKEN, line, now)
    told = moves.snapshot(payment, account, now, origin="host", host_id=line.host_id, number=postdate.number)
    events.record("payment.posted", account=account, now=now, data=told)
    return payment


def _fail(postdate: Postdate, taken: Payment | None, line: HostLine, account: Account, now: datetime) -> None:
    """Write the try that failed, once for its day and code: a host may touch the line for any reason (ACH-11).

    :param taken: what a batch or the host itself said was taken: a debit whose line says no now came back.
    """
    code = _return_code(line, postdate.method.kind if postdate.method else "")
    key = uuid.uuid5(postdate.pk, f"{line.on.isoformat()} {code}")
    # Before, each was known by when its line was last touched.
    if _by_keys.exists([key, uuid.uuid5(postdate.pk, line.updated_at.isoformat())]):
        return
    # The same try, told before: by the batch that it was in, or by the host without its code.
    untold = uuid.uuid5(postdate.pk, f"{line.on.isoformat()} ")
    if (known := _by_keys.first([untold, batch_posting.key_of_no(postdate.pk)])) is not None:
        _told_again(known, key, code, account, now)
        return
    if taken is not None and taken.kind == Method.Kind.ACH and (not taken.acknowledged_at or _was_seen(line, postdate)):
        Payment.objects.filter(pk=taken.pk, acknowledged_at=None).update(acknowledged_at=now)
        _seen(postdate, line, now)
        _payment_of(taken, line, account, now)
        return
    payment = _written(postdate, line, account, key, Payment.Status.DECLINED, now, code)
    if postdate.status in (Postdate.Status.SCHEDULED, Postdate.Status.HELD, Postdate.Status.CANCEL_REQUESTED):
        _set(postdate, Postdate.Status.FAILED, line, now)
    told = moves.snapshot(payment, account, now, origin="host", host_id=line.host_id, number=postdate.number)
    events.record("payment.declined", account=account, now=now, data=told)
    if code:
        consequences.after_return(payment, account=account, now=now)


def _told_again(payment: Payment, key: uuid.UUID, code: str, account: Account, now: datetime) -> None:
    """Take a host's line for a try that is known; what its bank said of it is followed once."""
    payment.idempotency_key, payment.acknowledged_at = key, payment.acknowledged_at or now
    payment.save(update_fields=["idempotency_key", "acknowledged_at"])
    if code and code != returns.code_of(payment.network_decline_code, payment.decline_code):
        outcome = Outcome(status="declined", decline_code=payment.decline_code, network_decline_code=code)
        reversals.explained(payment, account, outcome, now)


def _written(
    postdate: Postdate, line: HostLine, account: Account, key: UUID, status: str, now: datetime, code: str = ""
) -> Payment:
    return Payment.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        method=postdate.method,
        authorization=postdate.arrangement.authorization,
        arrangement=postdate.arrangement,
        postdate=postdate,
        idempotency_key=key,
        request_hash="",
        # What the consumer pays by themselves has no method of ours.
        kind=postdate.method.kind if postdate.method else "",
        executor="host",
        purpose="parts",
        amount_cents=line.amount_cents,
        currency=account.currency,
        status=status,
        network_decline_code=code,
        intended_at=now,
        decided_at=now,
        acknowledged_at=now,
    )


def _planned_at_host(line: HostLine, account: Account, now: datetime) -> None:
    """Note that the host holds one of our post-dates, and what it cancelled or planned otherwise by itself."""
    postdate = _lock(line.portal_id)
    _seen(postdate, line, now)
    if line.status == CANCELLED and postdate.status in Postdate.OPEN:
        own_postdates.cancelled_by_host(postdate, account=account, now=now)
        return
    if (sent_on := getattr(line, "notice_sent_on", None)) is not None:
        letters.left(postdate=postdate, sent_on=sent_on, by="host", account=account, now=now)
    if line.status != CANCELLED and postdate.executor == "host":
        own_postdates.changed_by_host(postdate, on=line.on, amount_cents=line.amount_cents, account=account, now=now)


def _seen(postdate: Postdate, line: HostLine, now: datetime) -> None:
    if not _was_seen(line, postdate):
        postdate.acknowledged_at = postdate.acknowledged_at or now
        postdate.host_id = line.host_id
        postdate.save(update_fields=["acknowledged_at", "host_id"])


def _set(postdate: Postdate, status: str, line: HostLine, now: datetime) -> None:
    postdate.status, postdate.decided_at = status, now
    postdate.acknowledged_at = postdate.acknowledged_at or now
    postdate.host_id = line.host_id
    postdate.save(update_fields=["status", "decided_at", "acknowledged_at", "host_id"])


@known
def _to_lock(postdate_id: UUID) -> QuerySet[Postdate]:
    joined = Postdate.objects.select_related("method__processor_account", "arrangement__authorization")
    return joined.select_for_update(of=("self",)).filter(pk=postdate_id)


def _lock(postdate_id: UUID) -> Postdate:
    return _to_lock.get(postdate_id)
