"""The only door to a payment's outcome: status, ledger, what follows from it and its event, in one transaction.

Request, webhook, sweep and host may all bring the same news at once: whoever comes second changes nothing. Locks are
taken in one order everywhere: the account, then the payment.
"""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from accounts import events, statuses
from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account, Visit
from payments.models import Checkout, Method, Payment
from payments.processors import Outcome
from payments.services import consequences, contact_plans, gate, incidents, ledger, life, tries
from payments.services.arrange import arrange_paid
from payments.services.authority import revoke
from payments.services.locks import lock_account
from payments.services.owed import owed
from payments.services.status import tell_late_debit
from settlements.services import individual, offers

log = structlog.get_logger(__name__)

Status = Payment.Status
FINAL_NO = (Status.DECLINED, Status.VOIDED)
SENT_AGAIN = "sent again"
"""How the reason of an undecided payment begins for which a second request was made under its key."""


@known
def _account_id(payment_id: UUID) -> QuerySet:
    return Payment.objects.filter(pk=payment_id).values_list("account_id", flat=True)


@known
def to_settle(payment_id: UUID) -> QuerySet[Payment]:
    joined = Payment.objects.select_related("method__processor_account", "authorization")
    return joined.select_for_update(of=("self",)).filter(pk=payment_id)


@transaction.atomic
def record_outcome(
    *, payment_id: UUID, outcome: Outcome, now: datetime, origin: str = "processor", account_id: UUID | None = None
) -> Payment:
    """Bring news of a payment; only a yes or a no of its executor changes what it is.

    :param origin: `processor`, or `host` for what the host itself executed or posted; events say which.
    :param account_id: of the payment, where the caller has read it.
    """
    account = lock_account(account_id or _account_id.get(payment_id))
    payment = to_settle.get(payment_id)
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
        return _incident(payment, account, "amount_differs", outcome, now)
    match (payment.status, outcome.status):
        case (Status.INTENDED, "succeeded"):
            _take(payment, account, outcome, now, origin)
            _item_taken(payment, account, outcome, now)
            _paid(payment, account, now, origin)
        case (Status.INTENDED, "pending"):
            _take(payment, account, outcome, now, origin)
            _move(payment, account, Status.PENDING, "payment.pending", now, origin)
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
            _returned(payment, account, outcome, now, origin)
        case (Status.SUCCEEDED, "declined") if origin == "host" and payment.kind == Method.Kind.ACH:
            _returned(payment, account, outcome, now, origin)
        case (Status.SUCCEEDED, "succeeded") if outcome.refunded_cents:
            refund(payment, account=account, refunded_cents=outcome.refunded_cents, now=now, origin=origin)
        case (Status.DECLINED | Status.VOIDED, "succeeded" | "pending"):
            _incident(payment, account, "money_moved_after_no", outcome, now)
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
        _incident(payment, account, "card_differs", outcome, now)
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
        _incident(payment, account, "charged_after_stop", outcome, now)


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
    _move(payment, account, Status.SUCCEEDED, kind, now, origin)
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
            _incident(payment, account, "arrangement_failed", Outcome(status="succeeded"), now)
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
    _codes(payment, outcome)
    payment.processor_ref = outcome.ref or payment.processor_ref
    payment.next_action_secret = ""
    if tries.is_due_item(payment):
        follows = tries.ended(payment, account=account, now=now) if status == Status.VOIDED else {}
        follows = follows or (tries.failed(payment, now=now) if status == Status.DECLINED else {})
        _move(payment, account, status, kind, now, origin, **follows)
        if follows.get("gave_up") == tries.REFUSES:
            _incident(payment, account, tries.REFUSES, outcome, now)
        life.after_money(account=account, now=now)
    else:
        _move(payment, account, status, kind, now, origin)
        revoke(payment.authorization, account=account, by=f"payment {status}", now=now)
    if status == Status.DECLINED:
        consequences.after_no(payment, account=account, now=now)


def _returned(payment: Payment, account: Account, outcome: Outcome, now: datetime, origin: str) -> None:
    """Record that a bank sent a debit back; what was counted is counted no more."""
    _codes(payment, outcome)
    was_settled = payment.status == Status.SUCCEEDED
    if was_settled:
        ledger.book(payment, cents=-ledger.net_cents(payment), reason="return", now=now)
    follows = tries.failed(payment, now=now)
    _move(payment, account, Status.RETURNED, "payment.returned", now, origin, **follows)
    life.after_money(account=account, now=now)
    if was_settled:
        _reopen(payment, account, now)
    consequences.after_return(payment, account=account, now=now)


def _reopen(payment: Payment, account: Account, now: datetime) -> None:
    """Tell that a settlement paid at once is none after all: all of the debt is owed again (ACH-14)."""
    if payment.purpose in gate.SETTLING and payment.authorization and payment.authorization.kind == "single":
        told = {"payment": str(payment.pk), "reference": payment.reference, "currency": payment.currency}
        told |= {"reason": "returned", "reinstates": "balance", "owed_cents": owed(account).cents}
        events.record("settlement.broken", account=account, now=now, data=told)


@transaction.atomic
def record_return(*, payment_id: UUID, outcome: Outcome, now: datetime, origin: str = "processor") -> Payment:
    """Record that a bank sent a debit back, also one that was settled long ago (ACH-14); told twice it counts once."""
    payment, account = _both(payment_id)
    if payment.kind != Method.Kind.ACH:
        return payment
    if payment.status in (Status.PENDING, Status.SUCCEEDED):
        _returned(payment, account, outcome, now, origin)
        return payment
    return apply(payment, account=account, outcome=outcome, now=now, origin=origin)


@transaction.atomic
def record_dispute(*, payment_id: UUID, said: str, now: datetime, origin: str = "processor") -> Payment:
    """Record a dispute: `opened` takes the money away, `won` brings it back, `lost` makes it final.

    A lost one that was never heard of before takes the money away too; staff look at it once.
    """
    payment, account = _both(payment_id)
    if said in ("opened", "lost") and payment.status == Status.SUCCEEDED:
        if payment.kind == Method.Kind.ACH:
            # A bank's dispute means unauthorized; a host that says only `reversal` may mean any return.
            said_by_bank = "disputed" if origin == "processor" else ""
            _returned(payment, account, Outcome(status="declined", decline_code=said_by_bank), now, origin)
        else:
            ledger.book(
                payment,
                cents=-ledger.net_cents(payment),
                reason="chargeback",
                now=now,
            )
            _move(payment, account, Status.CHARGED_BACK, "payment.charged_back", now, origin)
            life.after_money(account=account, now=now)
    elif said == "won" and payment.status == Status.CHARGED_BACK:
        lost = -sum(payment.entries.filter(book="debt", reason="chargeback").values_list("amount_cents", flat=True))
        ledger.book(payment, cents=-lost, reason="reinstated", now=now)
        _move(payment, account, Status.SUCCEEDED, "payment.succeeded", now, origin, reinstated=True)
        life.after_money(account=account, now=now)
    if said == "lost" and payment.status == Status.CHARGED_BACK:
        incidents.open(
            kind="dispute_lost",
            key=str(payment.pk),
            now=now,
            account=account,
            payment=payment,
            data={"reference": payment.reference, "amount_cents": payment.amount_cents},
        )
    return payment


@transaction.atomic
def record_refund(*, payment_id: UUID, refunded_cents: int, now: datetime, origin: str = "processor") -> Payment:
    """Record that so many cents were given back in all; told twice, or out of order, it counts once."""
    payment, account = _both(payment_id)
    if payment.status == Status.SUCCEEDED:
        refund(payment, account=account, refunded_cents=refunded_cents, now=now, origin=origin)
    return payment


def refund(payment: Payment, *, account: Account, refunded_cents: int, now: datetime, origin: str) -> None:
    """Book what was given back beyond what is booked; the caller holds the locks."""
    booked = sum(payment.entries.filter(book="debt", reason="refund").values_list("amount_cents", flat=True))
    more = min(refunded_cents, payment.amount_cents) - booked
    if more <= 0:
        return
    ledger.book(payment, cents=-more, reason="refund", now=now)
    whole = booked + more == payment.amount_cents
    status = Status.REFUNDED if whole else Status.SUCCEEDED
    _move(payment, account, status, "payment.refunded", now, origin, refunded_cents=more, whole=whole)
    life.after_money(account=account, now=now)


@transaction.atomic
def record_refund_failed(
    *, payment_id: UUID, refunded_cents: int, reason: str, now: datetime, origin: str = "processor"
) -> Payment:
    """Record that less was given back than is booked, because a refund came back; told twice it counts once.

    The money is the agency's again and owed to the consumer: staff find another way, and the host hears of it.

    :param refunded_cents: what was given back of the charge in all, as the processor says now.
    """
    payment, account = _both(payment_id)
    booked = sum(payment.entries.filter(book="debt", reason="refund").values_list("amount_cents", flat=True))
    back = booked - refunded_cents
    if back <= 0 or payment.status not in (Status.SUCCEEDED, Status.REFUNDED):
        return payment
    ledger.book(payment, cents=back, reason="refund", now=now)
    more = {"refund_cents": back, "refunded_cents": refunded_cents, "reason": reason[:60]}
    _move(payment, account, Status.SUCCEEDED, "payment.refund_failed", now, origin, **more)
    incidents.open(
        kind="refund_failed",
        key=f"{payment.pk}:{booked}",
        severity="urgent",
        now=now,
        account=account,
        payment=payment,
        data=more,
    )
    life.after_money(account=account, now=now)
    return payment


def snapshot(payment: Payment, account: Account, now: datetime, **more: object) -> dict:
    """Tell a payment as events do: amounts in cents, the method by id and last four."""
    method = payment.method
    return {
        "payment": str(payment.pk),
        "reference": payment.reference,
        "amount_cents": payment.amount_cents,
        "currency": payment.currency,
        "kind": payment.kind,
        "executor": payment.executor,
        "purpose": payment.purpose,
        "status": payment.status,
        "method": str(payment.method_id) if payment.method_id else None,
        "brand": method.brand if method else "",
        "funding": method.funding if method else "",
        "last4": method.last4 if method else "",
        "authorization": str(payment.authorization_id) if payment.authorization_id else None,
        "processor": "stripe" if payment.executor == "portal" else "",
        "processor_ref": payment.processor_ref,
        "decline_code": payment.decline_code,
        "advice_code": payment.advice_code,
        "network_decline_code": payment.network_decline_code,
        "network_advice_code": payment.network_advice_code,
        "date": local_date(now, account.consumer.time_zone).isoformat(),
        "arrangement": str(payment.arrangement_id) if payment.arrangement_id else None,
        "postdate": str(payment.postdate_id) if payment.postdate_id else None,
        **more,
    }


def _both(payment_id: UUID) -> tuple[Payment, Account]:
    account = lock_account(_account_id.get(payment_id))
    return to_settle.get(payment_id), account


def _move(
    payment: Payment, account: Account, status: str, kind: str, now: datetime, origin: str, **more: object
) -> None:
    """Write the status and its one event."""
    payment.status, payment.decided_at = status, now
    payment.save()
    events.record(kind, account=account, now=now, data=snapshot(payment, account, now, origin=origin, **more))


def _remember(payment: Payment, outcome: Outcome) -> None:
    """Keep what helps to ask again about an undecided payment; it stays undecided."""
    payment.processor_ref = outcome.ref or payment.processor_ref
    payment.next_action_secret = outcome.client_secret or payment.next_action_secret
    again = f"{SENT_AGAIN}: " if payment.reason.startswith(SENT_AGAIN) else ""
    payment.reason = f"{again}{outcome.reason}"[:300]
    payment.save(update_fields=["processor_ref", "next_action_secret", "reason"])


def _codes(payment: Payment, outcome: Outcome) -> None:
    payment.decline_code = outcome.decline_code[:60]
    payment.advice_code = outcome.advice_code[:40]
    payment.network_decline_code = outcome.network_decline_code[:10]
    payment.network_advice_code = outcome.network_advice_code[:10]
    payment.reason = outcome.reason[:300]


def _incident(payment: Payment, account: Account, what: str, outcome: Outcome, now: datetime) -> Payment:
    """Tell staff, once per payment and kind, of what must never happen."""
    said = {"said": outcome.status, "processor_ref": outcome.ref, "said_cents": outcome.amount_cents}
    told = snapshot(payment, account, now) | said
    incidents.open(
        kind=what, key=str(payment.pk), severity="urgent", now=now, account=account, payment=payment, data=told
    )
    return payment
