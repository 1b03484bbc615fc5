"""Give money back: asked with a reason, approved by a second person above the limit, carried out exactly once.

Like a payment in three short steps: the approved refund is durable first, the processor is called with no transaction
open under the refund's own key, and what it says is booked by `settle`, which counts what was given back in all and so
takes the same news from the webhook, the sweep and here once. Lock order: the account, the payment, the refund.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Sum

from accounts.refusals import Refusal, gettext_noop, refuse
from accounts.services import people
from accounts.tenancy import ALL_AGENCIES, acting, acting_for
from payments import crash
from payments.models import Payment, ProcessorAccount, Refund
from payments.processors import Outcome, RefundFailure, RefundOrder, RefundOutcome
from payments.services import ledger, reversals, settle, tries
from payments.services.locks import lock_account
from payments.services.methods import adapter_of
from payments.services.sign import Refused

__all__ = ["Refused", "approve", "ask", "came_back", "carry_out", "left_cents", "limit", "reject", "sweep", "void"]

log = structlog.get_logger(__name__)

Status = Refund.Status
ASK_AFTER = timedelta(seconds=5)
"""Younger approved refunds are being carried out by whoever approved them."""
BELIEVE_NO_AFTER = timedelta(minutes=10)
"""A refusal counts as a no only when no earlier request of the same refund can still be on its way."""
SWEEP_LIMIT = 200

_SENTENCES = {
    "refund_reason_missing": gettext_noop("Say why the money goes back."),
    "refund_not_paid": gettext_noop("Only a payment that succeeded can be given back."),
    "refund_at_host": gettext_noop("The host took this payment: it is given back there."),
    "refund_too_much": gettext_noop("At most %(left_cents)s of this payment can still be given back."),
    "refund_not_positive": gettext_noop("Enter an amount above zero."),
    "key_used": gettext_noop("This was sent before and said something else: begin again."),
    "refund_open": gettext_noop("A refund of this payment is already being worked on."),
    "refund_second_person": gettext_noop("Another person than the one who asked must approve this refund."),
    "refund_limit_raised": gettext_noop("At most %(stands_cents)s: only the platform raises this limit."),
    "refund_decided": gettext_noop("This refund was decided already."),
    "void_too_late": gettext_noop("This payment is decided: give it back instead."),
    "void_at_host": gettext_noop("The host executes this payment: stop it there."),
    "void_not_possible": gettext_noop("The processor did not stop the payment, or gave no answer. Look again soon."),
}


def no(code: str, field: str | None = None, **params: object) -> Refusal:
    """Make a refusal of this module."""
    return refuse(_SENTENCES[code], code, field=field, **params)


def limit(*, merchant: ProcessorAccount, cents: int) -> int:
    """Set the sum that one person gives back alone, and return what it was.

    An agency lowers it and never raises it: whoever could, would need no second person.

    :raises Refused: the acting agency raises it.
    """
    with transaction.atomic():
        found = ProcessorAccount.objects.select_for_update().get(pk=merchant.pk)
        before, found.refund_alone_cents = found.refund_alone_cents, cents
        if cents > before and acting() != ALL_AGENCIES:
            raise Refused([no("refund_limit_raised", "cents", stands_cents=before)])
        found.save(update_fields=["refund_alone_cents"])
    return before


def left_cents(payment: Payment) -> int:
    """Give what can still be given back of a payment: what is booked, less what is being given back now."""
    on_its_way = payment.refunds.filter(status=Status.APPROVED).aggregate(cents=Sum("amount_cents"))["cents"] or 0
    return max(0, ledger.net_cents(payment) - on_its_way)


def ask(*, payment: Payment, amount_cents: int, reason: str, by: str, now: datetime, key: UUID | None = None) -> Refund:
    """Ask for a refund; up to the merchant account's limit, in all of one payment, it is approved at once.

    The caller carries an approved one out after this commits.

    :param key: of the form that was filled in, becomes the refund's id: sent again it is the same refund.
    :raises Refused: with every reason; nothing is written.
    """
    reason = " ".join(reason.split())
    with transaction.atomic(durable=True):
        found_payment = _locked(payment.pk)
        if key is not None and (known := Refund.objects.filter(pk=key).first()) is not None:
            if (known.payment_id, known.amount_cents, known.reason) != (payment.pk, amount_cents, reason[:300]):
                raise Refused([no("key_used")])
            return known
        found = [] if reason else [no("refund_reason_missing", "reason")]
        found += _impossible(found_payment, amount_cents)
        if found_payment.refunds.filter(status__in=Refund.OPEN).exists():
            found.append(no("refund_open"))
        if found:
            raise Refused(found)
        alone = _given_back(found_payment) + amount_cents <= found_payment.processor_account.refund_alone_cents
        return Refund.objects.create(
            **({"pk": key} if key is not None else {}),
            payment=found_payment,
            account_id=found_payment.account_id,
            amount_cents=amount_cents,
            reason=reason[:300],
            status=Status.APPROVED if alone else Status.ASKED,
            asked_by=by,
            asked_at=now,
            decided_by=by if alone else "",
            decided_at=now if alone else None,
        )


def approve(*, refund: Refund, by: str, now: datetime) -> Refund:
    """Approve what another person asked for; approved again it is the same refund.

    :raises Refused: the asker approves, it was rejected, or the payment cannot be given back any more.
    """
    with transaction.atomic(durable=True):
        payment, found = _both(refund.pk)
        if found.status == Status.ASKED and not people.is_another(by, found.asked_by):
            raise Refused([no("refund_second_person")])
        if found.status in (Status.APPROVED, Status.DONE):
            return found
        if found.status != Status.ASKED:
            raise Refused([no("refund_decided")])
        if refusals := _impossible(payment, found.amount_cents):
            raise Refused(refusals)
        found.status, found.decided_by, found.decided_at, found.failure = Status.APPROVED, by, now, ""
        found.save()
        return found


def reject(*, refund: Refund, reason: str, by: str, now: datetime) -> Refund:
    """Decide against a refund; no money moves.

    :raises Refused: it was decided already, or the reason is missing.
    """
    with transaction.atomic():
        _payment, found = _both(refund.pk)
        if found.status != Status.ASKED:
            raise Refused([no("refund_decided")])
        if not (reason := " ".join(reason.split())):
            raise Refused([no("refund_reason_missing", "reason")])
        found.status, found.decided_by, found.decided_at, found.failure = Status.REJECTED, by, now, reason[:300]
        found.save()
        return found


def carry_out(*, refund: Refund, now: datetime) -> Refund:
    """Ask the processor for an approved refund, with no transaction open, and book what it says.

    Called again, at the same time or after a crash, it is the one refund that its key stands for.
    """
    refund = Refund.objects.select_related("payment__processor_account").get(pk=refund.pk)
    if refund.status != Status.APPROVED:
        return refund
    crash.point("after_refund_commit")
    payment, first = refund.payment, refund.decided_at > now - ASK_AFTER
    adapter = adapter_of(payment.processor_account)
    outcome = (
        RefundOutcome(status="not_done")
        if first
        else adapter.find_refund(refund=str(refund.pk), ref=payment.processor_ref)
    )
    if outcome.status == "not_done":
        order = RefundOrder(
            refund=str(refund.pk),
            payment=str(payment.pk),
            ref=payment.processor_ref,
            amount_cents=refund.amount_cents,
        )
        outcome = adapter.refund(order)
    crash.point("after_refund")
    return record(refund_id=refund.pk, outcome=outcome, now=now)


@transaction.atomic
def record(*, refund_id: UUID, outcome: RefundOutcome, now: datetime) -> Refund:
    """Bring news of a refund; whoever comes second changes nothing."""
    payment, found = _both(refund_id)
    if found.status != Status.APPROVED:
        return found
    sure = outcome.status == "failed" or (outcome.status == "not_done" and now - found.decided_at >= BELIEVE_NO_AFTER)
    found.processor_ref = outcome.ref or found.processor_ref
    if outcome.status == "done":
        found.status, found.failure = Status.DONE, ""
        found.save()
        # A processor that does not say the sum of the charge says this refund, on top of those that are done.
        in_all = outcome.refunded_cents or _given_back(payment)
        reversals.record_refund(payment_id=payment.pk, refunded_cents=in_all, now=now)
        return found
    found.failure = outcome.reason[:300]
    if sure:
        found.status = Status.FAILED
    found.save()
    return found


@transaction.atomic
def came_back(*, payment: Payment, failure: RefundFailure, refunded_cents: int, now: datetime) -> str:
    """Record that a refund failed after it was made, ours or one that was made at the processor; return what it was.

    :param refunded_cents: what was given back of the charge in all, as the processor says now.
    """
    _locked(payment.pk)
    mine = Refund.objects.select_for_update().filter(payment=payment).exclude(processor_ref="")
    found = mine.filter(processor_ref=failure.ref).first()
    if found is not None and found.status in (Status.DONE, Status.APPROVED):
        found.status, found.failure = Status.FAILED, failure.reason[:300]
        found.save()
    reversals.record_refund_failed(payment_id=payment.pk, refunded_cents=refunded_cents, reason=failure.reason, now=now)
    return "refund failed"


def sweep(*, now: datetime, limit: int = SWEEP_LIMIT) -> int:
    """Ask again about approved refunds whose outcome is unknown (all agencies); return how many."""
    waiting = Refund.objects.filter(status=Status.APPROVED, decided_at__lte=now - ASK_AFTER).order_by("decided_at")
    asked = 0
    for agency_id, pk in waiting.values_list("agency_id", "pk")[:limit]:
        with acting_for(agency_id):
            try:
                carry_out(refund=Refund(pk=pk), now=now)
                asked += 1
            except Exception:
                log.exception("refund_sweep_failed", refund=str(pk))
    return asked


def void(*, payment: Payment, reason: str, by: str, now: datetime) -> Payment:
    """Stop a payment that is undecided: at the processor first, so that it can never succeed, then here.

    The planned item that it is a try of is held from the beginning, whatever the processor says.

    :raises Refused: it is decided, the host executes it, or the processor did not stop it.
    """
    found = Payment.objects.select_related("processor_account").get(pk=payment.pk)
    refusals = [] if reason.strip() else [no("refund_reason_missing", "reason")]
    if found.executor != "portal":
        refusals.append(no("void_at_host"))
    elif found.status != Payment.Status.INTENDED:
        refusals.append(no("void_too_late"))
    if refusals:
        raise Refused(refusals)
    # Before the processor is asked: webhook and sweep may bring the end of this try sooner than its answer does.
    tries.stop(found)
    outcome = adapter_of(found.processor_account).void(
        payment=str(found.pk),
        ref=found.processor_ref,
        amount_cents=found.amount_cents,
        currency=found.currency,
        since=found.intended_at,
    )
    if outcome.status == "voided":
        outcome = Outcome(status="voided", ref=outcome.ref, reason=f"{by}: {' '.join(reason.split())}"[:300])
    if outcome.status in ("unknown", "action"):
        found.refresh_from_db()
    else:
        found = settle.record_outcome(payment_id=found.pk, outcome=outcome, now=now)
    if found.status != Payment.Status.VOIDED:
        undecided = found.status == Payment.Status.INTENDED
        raise Refused([no("void_not_possible" if undecided else "void_too_late")])
    return found


def _impossible(payment: Payment, amount_cents: int) -> list[Refusal]:
    """Say why so much of a payment cannot be given back."""
    if payment.executor != "portal" or payment.processor_account is None:
        return [no("refund_at_host")]
    if payment.status != Payment.Status.SUCCEEDED:
        return [no("refund_not_paid")]
    if amount_cents <= 0:
        return [no("refund_not_positive", "amount_cents")]
    if amount_cents > (left := left_cents(payment)):
        return [no("refund_too_much", "amount_cents", left_cents=left)]
    return []


def _given_back(payment: Payment) -> int:
    done = payment.refunds.filter(status__in=(Status.DONE, Status.APPROVED))
    return done.aggregate(cents=Sum("amount_cents"))["cents"] or 0


def _locked(payment_id: UUID) -> Payment:
    lock_account(Payment.objects.values_list("account_id", flat=True).get(pk=payment_id))
    joined = Payment.objects.select_related("processor_account").select_for_update(of=("self",))
    return joined.get(pk=payment_id)


def _both(refund_id: UUID) -> tuple[Payment, Refund]:
    payment = _locked(Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id))
    return payment, Refund.objects.select_for_update().get(pk=refund_id)
