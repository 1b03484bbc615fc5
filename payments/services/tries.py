"""What the outcome of a try means for the item that was due: taken, tried again at its time, or given up.

Called by settle, in the transaction that records the outcome and under the account's lock; the payment's own event
tells it, so that each change has one event. Only items that the portal executes: a host keeps its own tries.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.known import known
from accounts.models import Account
from payments.models import Arrangement, Method, Payment, Postdate
from payments.rules import returns
from payments.rules.attempts import FailedAttempt
from payments.rules.cards import Decline, decline
from payments.rules.retries import NextTry, from_eight, next_try
from payments.services.locks import lock_account

Status = Postdate.Status
FAILED = (Payment.Status.DECLINED, Payment.Status.RETURNED)
AGAIN_AFTER = timedelta(hours=1)
"""After a try that reached nobody: the processor refused the request, or it was ended before it was charged."""
REFUSES, STOPPED = "processor_refuses", "stopped_by_staff"
PLAN_OVER = "arrangement_not_running"
REACHED_NOBODY = 5
"""So many tries of one item that reached nobody are enough: somebody must look."""
LOOK_BACK = 200


def is_due_item(payment: Payment) -> bool:
    """Tell whether a payment is the portal's own try of a planned item."""
    return payment.postdate_id is not None and payment.executor == "portal"


def attempt_of(payment: Payment, *, item: UUID | None = None, at: datetime | None = None) -> FailedAttempt:
    """Read a failed payment as the networks' and banks' limits count it; `item` is the post-date judged now.

    :param at: when it is known to have failed, where that is not written down yet.
    """
    known = {"same_item": item is not None and payment.postdate_id == item, "sent_at": payment.intended_at}
    at = at or payment.decided_at
    assert at is not None, "a failed payment was decided"
    if payment.kind == Method.Kind.ACH:
        code = returns.code_of(payment.network_decline_code, payment.decline_code)
        return FailedAttempt(at, payment.amount_cents, return_code=code, **known)
    said = explain(payment)
    return FailedAttempt(
        at,
        payment.amount_cents,
        grade=said.grade,
        wait=said.wait,
        automatic_retries=said.automatic_retries,
        next_step=said.next_step,
        **known,
    )


def explain(payment: Payment) -> Decline:
    """Say what a declined card payment means: its grade, what to tell the consumer, what to do next."""
    return decline(
        payment.decline_code,
        advice_code=payment.advice_code,
        network_advice_code=payment.network_advice_code,
        network_decline_code=payment.network_decline_code,
        brand=payment.method.brand if payment.method else "",
    )


def attempts_with(
    *, kind: str, fingerprint: str, item: UUID | None = None, but: UUID | None = None
) -> list[FailedAttempt]:
    """List the agency's failed tries with a card or bank account, the latest first (CARD-07, CARD-08).

    :param item: the post-date judged now, whose own tries are known too where there is no fingerprint.
    """
    return [attempt_of(payment, item=item) for payment in _failed(kind, fingerprint, item, but)]


@known
def _failed(kind: str, fingerprint: str, item: UUID | None, but: UUID | None) -> QuerySet[Payment]:
    same = Q(method__kind=kind, method__fingerprint=fingerprint) if fingerprint else Q(pk__in=())
    if item is not None:
        same |= Q(postdate_id=item)
    failed = Payment.objects.filter(same, status__in=FAILED, decided_at__isnull=False).exclude(pk=but)
    return failed.select_related("method").order_by("-decided_at")[:LOOK_BACK]


def taken(payment: Payment, *, now: datetime) -> bool:
    """Mark the item of a payment as taken; tell whether it had been stopped, which staff must see."""
    if not is_due_item(payment):
        return False
    item = _lock(payment.postdate_id)
    if item.status == Status.TAKEN:
        return False
    stopped = item.status in (Status.CANCELLED, Status.HELD)
    item.status, item.decided_at, item.held_for = Status.TAKEN, now, ""
    _write(item, run_at=None)
    return stopped


def failed(payment: Payment, *, now: datetime) -> dict:
    """Decide what follows a try that failed, whose codes are on the payment; give what its event says of it."""
    if not is_due_item(payment):
        return {}
    item = _lock(payment.postdate_id)
    if item.status not in (Status.SCHEDULED, Status.HELD, Status.TAKEN):
        return {}
    decided = retry(postdate=item, after=payment, now=now)
    again_at = decided.at.isoformat() if decided.at else None
    return {"number": item.number, "of": item.of, "try": item.tries, "next_try_at": again_at, "gave_up": decided.why}


def retry(*, postdate: Postdate, after: Payment, now: datetime) -> NextTry:
    """Plan the next try of an item whose latest one just failed, or give the item up; the caller holds the locks."""
    method = after.method
    assert method is not None, "a machine charges a method"
    if _over.exists(postdate.arrangement_id):
        # It came back after its plan had ended: nothing of that is planned any more.
        decided = NextTry(None, PLAN_OVER)
    else:
        earlier = attempts_with(kind=method.kind, fingerprint=method.fingerprint, item=postdate.pk, but=after.pk)
        decided = next_try(
            kind=after.kind,
            amount_cents=postdate.amount_cents,
            zone=after.consumer.time_zone,
            failed=[*earlier, attempt_of(after, item=postdate.pk, at=now)],
            brand=method.brand,
        )
    if decided.at is None:
        postdate.status, postdate.decided_at = Status.FAILED, now
    elif postdate.status == Status.TAKEN:
        postdate.status, postdate.decided_at = Status.SCHEDULED, None
    _write(postdate, run_at=decided.at)
    return decided


@known
def _over(arrangement_id: UUID) -> QuerySet[Arrangement]:
    broken = Q(status=Arrangement.Status.BROKEN, ended_at__isnull=False)
    ended = broken | Q(status=Arrangement.Status.CANCELLED) | Q(authorization__revoked_at__isnull=False)
    return Arrangement.objects.filter(ended, pk=arrangement_id)


@transaction.atomic
def stop(payment: Payment) -> None:
    """Hold the item of a try that a person stops, so that nothing makes it anew an hour later."""
    lock_account(payment.account_id)
    if is_due_item(payment) and (item := _lock(payment.postdate_id)).status == Status.SCHEDULED:
        item.status, item.held_for = Status.HELD, STOPPED
        _write(item, run_at=None)


def ended(payment: Payment, *, account: Account, now: datetime) -> dict:
    """Plan an item anew after a try that reached nobody: soon, and not for ever; it counts for no network's limit."""
    if not is_due_item(payment):
        return {}
    item = _lock(payment.postdate_id)
    if item.status == Status.HELD and item.held_for == STOPPED:
        return {"number": item.number, "of": item.of, "next_try_at": None, "gave_up": STOPPED}
    if item.status != Status.SCHEDULED:
        return {}
    before = Payment.objects.filter(postdate=item, status=Payment.Status.VOIDED).exclude(pk=payment.pk).count()
    if before + 1 >= REACHED_NOBODY:
        item.status, item.held_for = Status.HELD, REFUSES
        _write(item, run_at=None)
        return {"number": item.number, "of": item.of, "next_try_at": None, "gave_up": item.held_for}
    zone = account.consumer.time_zone
    at = from_eight(now + AGAIN_AFTER, zone)
    _write(item, run_at=at)
    return {"number": item.number, "of": item.of, "next_try_at": at.isoformat(), "gave_up": ""}


def _lock(postdate_id: UUID | None) -> Postdate:
    return Postdate.objects.select_for_update(no_key=True).get(pk=postdate_id)


def _write(item: Postdate, *, run_at: datetime | None) -> None:
    item.run_at, item.claimed_until = run_at, None
    item.save(update_fields=["status", "decided_at", "held_for", "run_at", "claimed_until"])


@known
def undecided(account_id: UUID) -> QuerySet:
    """Give the planned items of an account whose charge is asked for and not answered, by id."""
    asked = Payment.objects.filter(account=account_id, status=Payment.Status.INTENDED)
    return asked.values_list("postdate_id", flat=True)
