"""Ask the processor what became of payments: after a webhook, after 3-D Secure, and for all that stay undecided.

A webhook is a hint: what counts is what the processor says now, so that late, doubled or turned-round news do no
harm. No transaction is open while the network is used.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db.models import F, QuerySet

from accounts.known import known
from accounts.tenancy import acting_for
from payments import crash
from payments.models import Authorization, Checkout, Method, Payment, ProcessorAccount, ProcessorEvent
from payments.processors import BankChange, Card
from payments.services import later, refunds, returns, reversals, settle, wallet
from payments.services.methods import adapter_of, wipe_unused

log = structlog.get_logger(__name__)

ASK_AFTER = timedelta(seconds=5)
"""Younger undecided payments are being charged by the request that intended them."""
ASK_PENDING_AFTER = timedelta(days=5)
"""A bank debit of ours that is silent for longer may have lost its webhook; banks answer within four days."""
ASK_PENDING_HOURS = 6
SWEEP_LIMIT = 200
EVENTS_LIMIT = 500
GIVE_UP_AFTER = timedelta(days=3)
"""An event that cannot be applied for this long is put aside with its reason; the sweep asks about payments anyway."""
UNREADABLE = (KeyError, TypeError, AttributeError, ValueError)
"""An event of another shape than the adapter knows does not get better by waiting."""
KEEP_UNUSED_BANK = timedelta(hours=24)
"""A bank account that was typed and never signed for is wiped after this."""


@known
def _with_merchant(payment_id: UUID) -> QuerySet[Payment]:
    return Payment.objects.select_related("processor_account").filter(pk=payment_id)


def look(*, payment_id: UUID, now: datetime) -> Payment:
    """Ask what became of an undecided payment and record it; an expired one is voided first, then released."""
    payment = _with_merchant.get(payment_id)
    undecided = payment.status in (Payment.Status.INTENDED, Payment.Status.PENDING)
    if not undecided or payment.executor != "portal":
        return payment
    processor = adapter_of(payment.processor_account)
    outcome = processor.find(payment=str(payment.pk), ref=payment.processor_ref)
    crash.point("after_look")
    intended = payment.status == Payment.Status.INTENDED
    # Once its client secret was in a browser, a failed intent could be confirmed there with any other card.
    reopened = outcome.status == "declined" and payment.next_action_secret
    expired = outcome.status in ("unknown", "action") and payment.expires_at is not None and payment.expires_at <= now
    if intended and (reopened or expired):
        voided = processor.void(
            payment=str(payment.pk),
            ref=outcome.ref or payment.processor_ref,
            amount_cents=payment.amount_cents,
            currency=payment.currency,
            since=payment.intended_at,
        )
        if voided.status == "unknown" or (reopened and voided.status not in ("voided", "succeeded")):
            return payment
        outcome = outcome if reopened and voided.status == "voided" else voided
        crash.point("after_void")
    return settle.record_outcome(payment_id=payment.pk, outcome=outcome, now=now)


def apply_event(event: ProcessorEvent, *, now: datetime) -> str:
    """Apply one stored webhook and say what came of it; applied twice it changes nothing more.

    :returns: the outcome written beside the event; an empty string leaves it for the next try.
    """
    adapter = adapter_of(event.processor_account)
    if (card := adapter.renewed(event.body)) is not None:
        return _renew(event.processor_account, card, now=now)
    if (change := adapter.bank_changed(event.body)) is not None:
        return _bank_changed(event.processor_account, change, now=now)
    if ended := adapter.mandate_ended(event.body):
        return _mandate_ended(event.processor_account, ended, now=now)
    ours, ref = adapter.about(event.body)
    payment = _payment_of(event.processor_account, ours=ours, ref=ref)
    if payment is None:
        return _apply_kept(adapter.kept_for(event.body), now=now)
    if (failure := adapter.refund_failed(event.body)) is not None:
        charged = adapter.find(payment=str(payment.pk), ref=ref or payment.processor_ref)
        if charged.status != "succeeded":
            return ""
        return refunds.came_back(payment=payment, failure=failure, refunded_cents=charged.refunded_cents, now=now)
    if disputed := adapter.dispute(event.body):
        said = adapter.find_dispute(ref=disputed)
        if said.status == "unknown":
            return ""
        if payment.status == Payment.Status.INTENDED:
            look(payment_id=payment.pk, now=now)
        why = {"reason": said.reason, "code": said.code}
        found = reversals.record_dispute(payment_id=payment.pk, said=said.status, now=now, **why)
        return f"dispute {said.status}: {found.status}"
    outcome = adapter.find(payment=str(payment.pk), ref=ref or payment.processor_ref)
    if outcome.status == "unknown":
        return ""
    if outcome.status == "declined" and payment.next_action_secret:
        found = look(payment_id=payment.pk, now=now)
    else:
        found = settle.record_outcome(payment_id=payment.pk, outcome=outcome, now=now)
    return found.status


def _renew(merchant: ProcessorAccount, card: Card, *, now: datetime) -> str:
    """Take over what the network's updater says of a stored card of this merchant account (CARD-13)."""
    mine = Method.objects.filter(processor_account=merchant, processor_method=card.method, stored=True)
    changed = [
        returns.card_updated(
            method=method,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            brand=card.brand,
            funding=card.funding,
            fingerprint=card.fingerprint,
            now=now,
        )
        for method in mine
    ]
    return "card renewed" if any(changed) else "nothing new" if changed else "not ours"


def _bank_changed(merchant: ProcessorAccount, change: BankChange, *, now: datetime) -> str:
    """Take over what a bank changed about a kept account, before the next debit of it (ACH-13)."""
    mine = Method.objects.filter(processor_account=merchant, processor_method=change.method, removed_at=None)
    for method in mine:
        returns.bank_changed(method=method, change=change, now=now)
    return f"bank changed: {change.code}" if mine else "not ours"


def _mandate_ended(merchant: ProcessorAccount, reference: str, *, now: datetime) -> str:
    """Revoke what was signed for a method whose agreement ended there; its planned payments end too (PDC-07)."""
    signed = Authorization.objects.filter(
        method__processor_account=merchant, method__processor_method=reference, revoked_at=None
    )
    found = list(signed.order_by("account_id", "pk"))
    for authorization in found:
        wallet.revoke(authorization=authorization, by="bank", now=now)
    return f"mandate ended: {len(found)} revoked" if found else "nothing signed"


def _apply_kept(checkout: str, *, now: datetime) -> str:
    """Look at the card that an event says was stored, or was not."""
    try:
        mine = Checkout.objects.filter(pk=UUID(checkout)).exclude(setup_status="") if checkout else None
    except ValueError:
        mine = None
    if mine is None or not mine.exists():
        return "not ours"
    found = later.look_setup(checkout_id=UUID(checkout), now=now)
    return f"card {found.setup_status}" if found.setup_status != Checkout.Setup.INTENDED else ""


@known
def _by_reference(merchant_id: UUID, ref: str) -> QuerySet[Payment]:
    return Payment.objects.filter(processor_account=merchant_id, processor_ref=ref)


@known
def _by_key(merchant_id: UUID, payment_id: UUID) -> QuerySet[Payment]:
    return Payment.objects.filter(processor_account=merchant_id, pk=payment_id)


def _payment_of(merchant: ProcessorAccount, *, ours: str, ref: str) -> Payment | None:
    """Find the payment an event is about, of this merchant account only."""
    if ref and (found := _by_reference.first(merchant.pk, ref)) is not None:
        return found
    try:
        return _by_key.first(merchant.pk, UUID(ours)) if ours else None
    except ValueError:
        return None


@known
def _waiting() -> QuerySet[ProcessorEvent]:
    joined = ProcessorEvent.objects.select_related("processor_account")
    return joined.filter(applied_at=None).order_by("id")[:EVENTS_LIMIT]


def apply_events(*, now: datetime) -> int:
    """Apply the inbox in the order it came, each event in its own agency; return how many are done."""
    done = 0
    for event in _waiting():
        with acting_for(event.agency_id):
            try:
                outcome = apply_event(event, now=now)
            except UNREADABLE as error:
                log.exception("processor_event_unreadable", row=str(event.pk), kind=event.kind)
                outcome = f"unreadable: {type(error).__name__}"
            except Exception:
                # What went wrong for one event must not hold up the others; it is tried again.
                log.exception("processor_event_failed", row=str(event.pk), kind=event.kind)
                outcome = ""
            if not outcome and now - event.received_at < GIVE_UP_AFTER:
                continue
            written = ProcessorEvent.objects.filter(pk=event.pk, applied_at=None)
            done += written.update(applied_at=now, outcome=(outcome or "given up")[:200])
    return done


@known
def _undecided(intended_by: datetime, now: datetime) -> QuerySet:
    undecided = Payment.objects.filter(status=Payment.Status.INTENDED, executor="portal", intended_at__lte=intended_by)
    # What a due run has in its hands waits for its turn there, perhaps for minutes; asked about, nobody would know it.
    undecided = undecided.exclude(postdate__claimed_until__gt=now)
    # Whoever looks at a page comes before what a due run left behind.
    waiting = undecided.order_by(F("postdate").asc(nulls_first=True), "intended_at")
    return waiting.values_list("agency_id", "pk")[:SWEEP_LIMIT]


@known
def _silent(intended_by: datetime) -> QuerySet:
    silent = Payment.objects.filter(status=Payment.Status.PENDING, executor="portal", intended_at__lte=intended_by)
    return silent.order_by("intended_at").values_list("agency_id", "pk")[:SWEEP_LIMIT]


def sweep(*, now: datetime) -> int:
    """Ask about every payment that stays undecided, void what expired, wipe what was never signed (all agencies)."""
    asked = 0
    found = _undecided(now - ASK_AFTER, now)
    hourly = now.minute == 0
    if hourly and now.hour % ASK_PENDING_HOURS == 0:
        found += _silent(now - ASK_PENDING_AFTER)
    for agency_id, payment_id in found:
        with acting_for(agency_id):
            try:
                look(payment_id=payment_id, now=now)
                asked += 1
            except Exception:
                log.exception("sweep_failed", payment=str(payment_id))
    asked += later.sweep(now=now, log=log)
    if hourly:
        wipe_unused(Method.objects.filter(created_at__lte=now - KEEP_UNUSED_BANK), now=now)
    return asked


def receive(*, merchant: ProcessorAccount, body: bytes, signature: str, now: datetime) -> ProcessorEvent | None:
    """Store a webhook after checking its signature; None when this event is known already.

    :raises WrongSignature: it is not from this merchant account's processor.
    """
    told = adapter_of(merchant).read_webhook(body=body, signature=signature)
    event, made = ProcessorEvent.objects.get_or_create(
        processor_account=merchant,
        external_id=told.id,
        defaults={"kind": told.kind, "body": told.body, "received_at": now},
    )
    return event if made else None
