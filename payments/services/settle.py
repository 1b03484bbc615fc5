"""The only door to a payment's outcome: status, ledger, what follows from it and its event, in one transaction.

What takes money back that was counted is in `reversals`; both write through `moves`.

Request, webhook, sweep and host may all bring the same news at once: whoever comes second changes nothing. Locks are
taken in one order everywhere: the account, then the payment.
"""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from accounts import events, statuses
from accounts.known import known
from accounts.models import Account, Visit
from payments.models import Checkout, Method, Payment
from payments.processors import Outcome
from payments.services import consequences, contact_plans, gate, ledger, life, moves, reversals, tries
from payments.services.arrange import arrange_paid
from payments.services.authority import revoke
from payments.services.owed import owed
from payments.services.status import tell_late_debit
from settlements.services import individual, offers

log = structlog.get_logger(__name__)

Status = Payment.Status
FINAL_NO = (Status.DECLINED, Status.VOIDED)
SENT_AGAIN = "sent again"
"""How the reason of an undecided payment begins for which a second request was made under its key."""


@transaction.atomic
def record_outcome(
    *, payment_id: UUID, outcome: Outcome, now: datetime, origin: str = "processor", account_id: UUID | None = None
) -> Payment:
    """Bring news of a payment; only a yes or a no of its executor changes what it is.

    :param origin: `processor`, or `host` for what the host itself executed or posted; events say which.
    :param account_id: of the payment, where the caller has read it.
    """
    payment, account = moves.lock_both(payment_id, account_id)
    return apply(payment, account=account, outcome=outcome, now=now, origin=origin)


def send_again(payment: Payment) -> bool:
    """Write down that an undecided payment is about to be sent once more; False when it was decided meanwhile.

    Two requests may be under way then. That one was refused proves nothing from here on, and whoever sent the first one
    learns it under the payment's lock, before it records its no.
    """
    undecided = Payment.objects.filter(pk=payment.pk, status=Status.INTENDED)
    return bool(undecided.update(reason=SENT_AGAIN))


def apply(payment: Payment, *, account: Account, outcome: Outcome, now: datetime, origin: str = "processor") -> Payment:
    """Move a payment, whose account and row the caller has locked, by one outcome."""
    if outcome.amount_cents not in (None, payment.amount_cents) and outcome.status in ("succeeded", "pending"):
        return moves.incident(payment, account, "amount_differs", outcome, now)
    match (payment.status, outcome.status):
        case (Status.INTENDED, "succeeded"):
            _take(payment, account, outcome, now, origin)
            _item_taken(payment, account, outcome, now)
            _paid(payment, account, now, origin)
        case (Status.INTENDED, "pending"):
            _take(payment, account, outcome, now, origin)
            moves.move(payment, account, Status.PENDING, "payment.pending", now, origin)
            _follow_up(payment, account, now)
            _item_taken(payment, account, outcome, now)
        case (Status.INTENDED, "declined"):
            _refused(payment, account, Status.DECLINED, "payment.declined", outcome, now, origin)
        case (Status.INTENDED, "not_done") if payment.reason.startswith(SENT_AGAIN):
            pass  # another request may get through, or did: that one says what became of it, or the sweep asks
        case (Status.INTENDED, "voided" | "not_done"):
            _refused(payment, account, Status.VOIDED, "payment.voided", outcome, now, origin)
        case (Status.INTENDED, "action" | "unknown"):
            _remember(payment, outcome)
        case (Status.PENDING, "succeeded"):
            _paid(payment, account, now, origin)
        case (Status.PENDING, "declined"):
            reversals.returned(payment, account, outcome, now, origin)
        case (Status.PENDING, "voided"):
            # Somebody of the agency cancelled it at the processor: no bank said anything of the account.
            reversals.returned(payment, account, outcome, now, origin, by_bank=False)
            moves.incident(payment, account, "cancelled_at_processor", outcome, now)
        case (Status.SUCCEEDED, "declined") if payment.kind == Method.Kind.ACH:
            # Its success was the host's word, or a bank sent back what had settled.
            reversals.returned(payment, account, outcome, now, origin)
        case (Status.RETURNED, "declined") if outcome.network_decline_code and reversals.untold(payment):
            reversals.explained(payment, account, outcome, now)
        case (Status.SUCCEEDED, "succeeded") if outcome.refunded_cents:
            reversals.refund(payment, account=account, refunded_cents=outcome.refunded_cents, now=now, origin=origin)
        case (Status.REFUNDED, "declined") if origin == "processor":
            moves.incident(payment, account, reversals.TWICE, outcome, now)
        case (Status.DECLINED | Status.VOIDED, "succeeded" | "pending"):
            moves.incident(payment, account, "money_moved_after_no", outcome, now)
    return payment


def _take(payment: Payment, account: Account, outcome: Outcome, now: datetime, origin: str) -> None:
    """Keep what the processor said of the card; it is charged again only as the consumer agreed (CARD-03)."""
    payment.processor_ref = outcome.ref or payment.processor_ref
    payment.next_action_secret = ""
    method, card = payment.method, outcome.card
    several = payment.authorization.kind == "schedule"
    if card is None or method.kind != Method.Kind.CARD:
        return
    if (card.brand, card.funding) != (method.brand, method.funding):
        moves.incident(payment, account, "card_differs", outcome, now)
    method.brand, method.funding, method.last4 = card.brand, card.funding, card.last4
    method.exp_month, method.exp_year = card.exp_month, card.exp_year
    method.fingerprint = card.fingerprint or method.fingerprint
    method.network_transaction_id = card.network_transaction_id
    if payment.group and card.customer:
        # For the other payments that were confirmed together; nobody agreed to keep it any longer.
        method.processor_method, method.processor_customer = card.method, card.customer
    if several and card.customer:
        added = not method.stored
        method.processor_method, method.processor_customer, method.stored = card.method, card.customer, True
        if added:
            about = {"method": str(method.pk), "kind": method.kind, "brand": method.brand, "last4": method.last4}
            events.record("method.added", account=account, now=now, data=about | {"funding": method.funding})
    method.save()


def _item_taken(payment: Payment, account: Account, outcome: Outcome, now: datetime) -> None:
    """Mark the planned item that this payment is a try of; one that was stopped meanwhile is told to staff."""
    if tries.taken(payment, now=now):
        moves.incident(payment, account, "charged_after_stop", outcome, now)


def _paid(payment: Payment, account: Account, now: datetime, origin: str) -> None:
    first = payment.status == Status.INTENDED
    ledger.book(
        payment,
        cents=payment.amount_cents,
        against="processor" if origin == "processor" else "host",
        reason="payment",
        now=now,
    )
    if statuses.of(account.status).charge == statuses.CANCEL and account.status != Account.Status.PAID:
        tell_late_debit(payment, account=account, status=account.status, now=now)
    kind = "payment.posted" if origin == "host" else "payment.succeeded"
    moves.move(payment, account, Status.SUCCEEDED, kind, now, origin)
    if first:
        _follow_up(payment, account, now)
    after_money(payment, account, now)


@known
def _checkout(key: UUID) -> QuerySet[Checkout]:
    return Checkout.objects.select_related("visit", "consumer").filter(pk=key)


def _follow_up(payment: Payment, account: Account, now: datetime) -> None:
    """Write what only a first payment that was taken or accepted brings about: arrangement, post-dates, notices."""
    if (checkout := _checkout.first(payment.idempotency_key)) is None:
        return
    Visit.objects.filter(pk=checkout.visit_id).update(payment_made_at=now)
    if payment.authorization.kind == "schedule":
        try:
            with transaction.atomic():
                payment.arrangement = arrange_paid(payment=payment, checkout=checkout, account=account, now=now)
                payment.save(update_fields=["arrangement"])
        except Exception:
            # Money that was taken is recorded whatever else fails; staff make the plan by hand.
            log.exception("arrangement_failed", payment=str(payment.pk))
            payment.arrangement = None
            moves.incident(payment, account, "arrangement_failed", Outcome(status="succeeded"), now)
    elif checkout.choice in gate.SETTLING:
        offers.accept(account=account, terms=checkout.terms, now=now, about={"payment": str(payment.pk)})


@known
def _terms(key: UUID) -> QuerySet:
    return Checkout.objects.filter(pk=key).values_list("terms", flat=True)


def after_money(payment: Payment, account: Account, now: datetime) -> None:
    """Tell a settlement that is complete by one payment, and an account that owes nothing any more."""
    about = {"payment": str(payment.pk), "reference": payment.reference, "currency": payment.currency}
    if payment.purpose in gate.SETTLING and payment.authorization and payment.authorization.kind == "single":
        individual.close(account=account, status="completed", now=now)
        told = about | {"total_cents": payment.amount_cents}
        events.record("settlement.completed", account=account, now=now, data=told)
        terms = _terms.first(payment.idempotency_key) or {}
        paid_on = life.paid_on(payment, account=account)
        contact_plans.request_when_final(
            terms, account=account, paid_on=paid_on, about={"payment": str(payment.pk)}, now=now
        )
    elif payment.purpose in gate.SINGLE and owed(account).cents == 0:
        events.record("account.paid_in_full", account=account, now=now, data=about)
    life.after_money(account=account, now=now)


def _refused(
    payment: Payment, account: Account, status: str, kind: str, outcome: Outcome, now: datetime, origin: str
) -> None:
    """Record a no: nothing of the plan stays, and what was signed for it is revoked.

    After the try of a planned item the plan stays, and what was signed for all of it; it is tried again or given up.
    """
    moves.keep_codes(payment, outcome)
    payment.processor_ref = outcome.ref or payment.processor_ref
    payment.next_action_secret = ""
    if tries.is_due_item(payment):
        follows = tries.ended(payment, account=account, now=now) if status == Status.VOIDED else {}
        follows = follows or (tries.failed(payment, now=now) if status == Status.DECLINED else {})
        moves.move(payment, account, status, kind, now, origin, **follows)
        if (gave_up := follows.get("gave_up")) in (tries.REFUSES, tries.STOPPED):
            moves.incident(payment, account, gave_up, outcome, now)
        life.after_money(account=account, now=now)
    else:
        moves.move(payment, account, status, kind, now, origin)
        revoke(payment.authorization, account=account, by=f"payment {status}", now=now)
    if status == Status.DECLINED:
        consequences.after_no(payment, account=account, now=now)


@transaction.atomic
def record_return(*, payment_id: UUID, outcome: Outcome, now: datetime, origin: str = "processor") -> Payment:
    """Record that a bank sent a debit back, also one that was settled long ago (ACH-14); told twice it counts once."""
    payment, account = moves.lock_both(payment_id)
    if payment.kind != Method.Kind.ACH:
        return payment
    if payment.status in (Status.PENDING, Status.SUCCEEDED):
        reversals.returned(payment, account, outcome, now, origin)
        return payment
    return apply(payment, account=account, outcome=outcome, now=now, origin=origin)


def _remember(payment: Payment, outcome: Outcome) -> None:
    """Keep what helps to ask again about an undecided payment; it stays undecided."""
    payment.processor_ref = outcome.ref or payment.processor_ref
    payment.next_action_secret = outcome.client_secret or payment.next_action_secret
    again = f"{SENT_AGAIN}: " if payment.reason.startswith(SENT_AGAIN) else ""
    payment.reason = f"{again}{outcome.reason}"[:300]
    payment.save(update_fields=["processor_ref", "next_action_secret", "reason"])
