"""Pay in three short steps: intend (durable), charge with no transaction open, record the outcome.

The checkout's id is the key of everything: confirmed twice, in two tabs, by a retry after a crash, it is one payment,
one charge at the processor and one effect at the host.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.known import known
from accounts.models import Account
from payments import crash
from payments.models import Arrangement, Checkout, Method, Payment
from payments.processors import Order, Outcome, Processor
from payments.services import later, locks, moves, pay_links, settle, velocity
from payments.services.later import RESEND_WITHIN
from payments.services.methods import adapter_of
from payments.services.sign import Agreement, Refused, Signed, sign

__all__ = ["Refused", "charge", "confirm", "finish", "intend", "order_of", "resume", "send", "watched", "write_intent"]

RESUME_LOOKS, RESUME_PAUSE = 10, 0.2
"""How often and how far apart, in seconds, a repeated request looks for the answer of the one before it."""


def confirm(
    *, checkout: Checkout, text_sha256: str, ip: str | None, user_agent: str, language: str, now: datetime
) -> Payment | Arrangement | Checkout:
    """Make what the consumer agreed to: the payment taken now, or the arrangement when the first payment is later.

    Confirmed again it is the same one. When a card must be stored first and the consumer's bank has a question, says
    no, or gives no answer yet, the checkout itself comes back: its `setup_status` and `setup_secret` say which.

    :param text_sha256: of the authorization text the consumer saw.
    :raises Refused: a gate failed, the text changed, or the account was paid since.
    """
    agreement = Agreement(text_sha256=text_sha256, ip=ip, user_agent=user_agent, language=language)
    with watched(checkout, now=now):
        if later.is_later(checkout, now=now):
            return later.confirm(checkout=checkout, agreement=agreement, now=now)
        payment, fresh = intend(checkout=checkout, agreement=agreement, now=now)
    crash.point("after_intent_commit")
    return finish(payment, fresh=fresh, now=now)


@contextmanager
def watched(checkout: Checkout, *, now: datetime) -> Iterator[None]:
    """Let a refusal through and show staff when it was for too many cards (AUTH-16)."""
    try:
        yield
    except Refused as refused:
        who = {"visit_id": checkout.visit_id, "link_id": checkout.link_id}
        velocity.tell(refused.refusals, account=checkout.account, **who, now=now)
        raise


@known
def of_checkout(checkout_id: UUID) -> QuerySet[Payment]:
    joined = Payment.objects.select_related("method__processor_account", "authorization", "processor_account")
    return joined.filter(idempotency_key=checkout_id)


def resume(*, checkout: Checkout, now: datetime) -> Payment | Arrangement | Checkout:
    """Go on with a confirmed checkout, asked for again: after a crash, a lost answer, a double click.

    Another request may be charging it this very moment, so its answer is waited for a little; after that the charge is
    sent again under the same key, which the processor answers with the one charge there is.
    """
    if later.is_later(checkout, now=now):
        return later.resume(checkout=checkout, now=now)
    for _look in range(RESUME_LOOKS):
        payment = of_checkout.get(checkout.pk)
        if payment.status != Payment.Status.INTENDED:
            return payment
        time.sleep(RESUME_PAUSE)
    return finish(payment, fresh=False, now=now)


def finish(payment: Payment, *, fresh: bool, now: datetime) -> Payment:
    """Charge what is still to be charged by us and record what came of it."""
    if payment.status != Payment.Status.INTENDED or payment.executor != "portal":
        return payment
    if payment.next_action_secret or payment.expires_at <= now:
        # The consumer's bank has a question, or time is up: the sweep and the result page ask what became of it.
        return payment
    if not fresh and not settle.send_again(payment):
        return of_checkout.get(payment.idempotency_key)
    outcome = charge(payment=payment, fresh=fresh)
    crash.point("after_charge")
    payment = settle.record_outcome(payment_id=payment.pk, outcome=outcome, now=now, account_id=payment.account_id)
    crash.point("after_outcome_commit")
    return payment


@transaction.atomic(durable=True)
def intend(*, checkout: Checkout, agreement: Agreement, now: datetime) -> tuple[Payment, bool]:
    """Write down the signed authorization and the payment that is about to be charged; tell whether it is new.

    An item that the host executes is handed over here: its event is the instruction, nothing is charged by us.

    :raises Refused: with every failing gate; nothing is written.
    """
    account = locks.lock_account(checkout.account_id)
    if (before := of_checkout.first(checkout.pk)) is not None:
        return before, False
    signed = sign(checkout=checkout, account=account, agreement=agreement, now=now)
    payment = write_intent(signed, account=account, now=now)
    crash.point("before_intent_commit")
    return payment, True


def write_intent(signed: Signed, *, account: Account, now: datetime) -> Payment:
    """Write down the payment that a signature asks for now, under the caller's lock of the account."""
    assert signed.now_route is not None, "the gates refuse what has no route"
    checkout = signed.checkout
    payment = Payment.objects.create(
        account=account,
        consumer_id=checkout.consumer_id,
        method=signed.method,
        authorization=signed.authorization,
        processor_account=signed.method.processor_account if signed.now_route.executor == "portal" else None,
        idempotency_key=checkout.pk,
        group=checkout.group,
        request_hash=hashlib.sha256(
            f"{checkout.pk}:{signed.authorization.text_sha256}:{signed.method.pk}".encode()
        ).hexdigest(),
        kind=signed.method.kind,
        executor=signed.now_route.executor,
        purpose=checkout.choice,
        amount_cents=signed.lines[0].amount_cents,
        currency=account.currency,
        intended_at=now,
        expires_at=now + timedelta(seconds=settings.INTENT_LIFE),
    )
    if checkout.link_id:
        pay_links.use(checkout, account=account, now=now, payment=payment)
    events.record(
        "payment.intended", account=account, now=now, data=moves.snapshot(payment, account, now, origin="portal")
    )
    if payment.executor == "host":
        settle.apply(payment, account=account, outcome=Outcome(status="pending"), now=now)
    return payment


def charge(*, payment: Payment, fresh: bool) -> Outcome:
    """Ask the processor for the money, with no transaction open.

    A refused request proves that nothing moved only if no earlier request of this payment can have got through.
    """
    return send(order_of(payment), processor=adapter_of(payment.processor_account), fresh=fresh)


def send(order: Order, *, processor: Processor, fresh: bool) -> Outcome:
    """Send one request, and once more under the same key when its answer is lost at once; touches no row."""
    began = time.monotonic()
    outcome = processor.charge(order)
    if outcome.status == "unknown" and time.monotonic() - began < RESEND_WITHIN:
        fresh = False
        outcome = processor.charge(order)
    if outcome.status == "not_done" and not fresh:
        return Outcome(status="unknown", reason=outcome.reason)
    return outcome


@known
def _checkout(key: UUID) -> QuerySet[Checkout]:
    return Checkout.objects.filter(pk=key)


def order_of(payment: Payment) -> Order:
    """Build the one request this payment ever makes, from rows that do not change while it is undecided."""
    checkout = _checkout.get(payment.idempotency_key)
    method, authorization = payment.method, payment.authorization
    token, store = checkout.confirmation_token, ""
    if authorization.kind == "schedule" and payment.kind == Method.Kind.CARD:
        store = "installment"
    elif token and checkout.group:
        # A token is good for one charge: the first one of the group keeps the card for the others (services.together).
        first = Checkout.objects.filter(group=checkout.group).order_by("account_id").values_list("pk", flat=True)[0]
        token, store = (token, "session") if first == checkout.pk else ("", "")
    return Order(
        payment=str(payment.pk),
        consumer=str(payment.consumer_id),
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        kind=payment.kind,
        description=f"Payment {payment.reference}",
        confirmation_token=token,
        method="" if token else method.processor_method,
        customer=method.processor_customer,
        store=store,
        ip=authorization.ip or "",
        user_agent=authorization.user_agent,
    )
