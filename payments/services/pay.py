"""Pay in three short steps: intend (durable), charge with no transaction open, record the outcome.

The checkout's id is the key of everything: confirmed twice, in two tabs, by a retry after a crash, it is one payment,
one charge at the processor and one effect at the host.
"""

import hashlib
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts import events
from accounts.models import Account, Code
from accounts.refusals import Refusal
from payments import crash
from payments.models import Authorization, Checkout, Method, Payment
from payments.processors import Order, Outcome
from payments.services import gate, settle
from payments.services.checkout import authorization_text
from payments.services.means import Means, means_of
from payments.services.methods import active_processor, adapter_of, stored_of

RESEND_WITHIN = 5.0
"""Seconds: an answer lost sooner than this is asked for again at once, under the same key, while the consumer waits."""
RESUME_LOOKS, RESUME_PAUSE = 10, 0.2
"""How often and how far apart, in seconds, a repeated request looks for the answer of the one before it."""


class Refused(Exception):
    """Show these reasons; nothing was written and nothing will be charged."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(", ".join(refusal.code for refusal in refusals))
        self.refusals = list(refusals)


def confirm(
    *, checkout: Checkout, text_sha256: str, ip: str | None, user_agent: str, language: str, now: datetime
) -> Payment:
    """Make the payment that the consumer agreed to; confirmed again it is the same payment.

    :param text_sha256: of the authorization text the consumer saw.
    :raises Refused: a gate failed, the text changed, or the account was paid since.
    """
    payment, fresh = intend(
        checkout=checkout, text_sha256=text_sha256, ip=ip, user_agent=user_agent, language=language, now=now
    )
    crash.point("after_intent_commit")
    return _finish(payment, fresh=fresh, now=now)


def resume(*, checkout: Checkout, now: datetime) -> Payment:
    """Go on with a confirmed checkout's payment, asked for again: after a crash, a lost answer, a double click.

    Another request may be charging it this very moment, so its answer is waited for a little; after that the charge is
    sent again under the same key, which the processor answers with the one charge there is.
    """
    joined = Payment.objects.select_related("method__processor_account", "authorization", "processor_account")
    for _look in range(RESUME_LOOKS):
        payment = joined.get(idempotency_key=checkout.pk)
        if payment.status != Payment.Status.INTENDED:
            return payment
        time.sleep(RESUME_PAUSE)
    return _finish(payment, fresh=False, now=now)


def _finish(payment: Payment, *, fresh: bool, now: datetime) -> Payment:
    """Charge what is still to be charged by us and record what came of it."""
    if payment.status != Payment.Status.INTENDED or payment.executor != "portal":
        return payment
    if payment.next_action_secret or payment.expires_at <= now:
        # The consumer's bank has a question, or time is up: the sweep and the result page ask what became of it.
        return payment
    outcome = charge(payment=payment, fresh=fresh)
    crash.point("after_charge")
    payment = settle.record_outcome(payment_id=payment.pk, outcome=outcome, now=now)
    crash.point("after_outcome_commit")
    return payment


@transaction.atomic(durable=True)
def intend(
    *, checkout: Checkout, text_sha256: str, ip: str | None, user_agent: str, language: str, now: datetime
) -> tuple[Payment, bool]:
    """Write down the signed authorization and the payment that is about to be charged; tell whether it is new.

    An item that the host executes is handed over here: its event is the instruction, nothing is charged by us.

    :raises Refused: with every failing gate; nothing is written.
    """
    account = settle.lock_account(Checkout.objects.values_list("account_id", flat=True).get(pk=checkout.pk))
    joined = Payment.objects.select_related("method__processor_account", "authorization", "processor_account")
    if (known := joined.filter(idempotency_key=checkout.pk).first()) is not None:
        return known, False
    checkout = (
        Checkout.objects.select_related("visit", "consumer", "method__processor_account")
        .select_for_update(of=("self",))
        .get(pk=checkout.pk)
    )
    checkout.account = account
    at = gate.standing(account, now=now)
    found = gate.refusals(checkout, at, now=now)
    means = means_of(checkout)
    if found or means is None:
        raise Refused(found)
    text, sha256, version = authorization_text(checkout, language, now=now)
    if sha256 != text_sha256:
        raise Refused([gate.no("text_changed")])
    lines = gate.lines_of(checkout)
    now_route, later_route = gate.routes(account, means.kind, lines)
    assert now_route is not None, "the gates refuse what has no route"
    method = _method(checkout, means, several=len(lines) > 1, now=now)
    authorization = Authorization.objects.create(
        consumer_id=checkout.consumer_id,
        account=account,
        method=method,
        kind="schedule" if len(lines) > 1 else "single",
        text=text,
        text_sha256=sha256,
        version=version,
        language=language[:2],
        total_cents=sum(line.amount_cents for line in lines),
        lines=checkout.lines,
        sec_code="WEB" if means.kind == Method.Kind.ACH else "",
        accepted_at=now,
        time_zone=account.consumer.time_zone,
        ip=ip,
        user_agent=user_agent[:300],
        level=checkout.visit.level,
        evidence=_evidence(checkout, account) | ({"later": list(later_route)} if later_route else {}),
    )
    payment = Payment.objects.create(
        account=account,
        consumer_id=checkout.consumer_id,
        method=method,
        authorization=authorization,
        processor_account=method.processor_account if now_route.executor == "portal" else None,
        idempotency_key=checkout.pk,
        request_hash=hashlib.sha256(f"{checkout.pk}:{sha256}:{method.pk}".encode()).hexdigest(),
        kind=means.kind,
        executor=now_route.executor,
        purpose=checkout.choice,
        amount_cents=lines[0].amount_cents,
        currency=account.currency,
        intended_at=now,
        expires_at=now + timedelta(seconds=settings.INTENT_LIFE),
    )
    Checkout.objects.filter(pk=checkout.pk).update(confirmed_at=now)
    _tell(payment, authorization, account, now)
    if payment.executor == "host":
        settle.apply(payment, account=account, outcome=Outcome(status="pending"), now=now)
    crash.point("before_intent_commit")
    return payment, True


def _method(checkout: Checkout, means: Means, *, several: bool, now: datetime) -> Method:
    """Find the bank account or stored card, or write down the new card as the server saw it."""
    if means.method is not None:
        return means.method
    merchant = active_processor()
    known = stored_of(checkout.consumer_id).filter(processor_account=merchant).exclude(processor_customer="")
    customer = known.values_list("processor_customer", flat=True).first() if several else None
    return Method.objects.create(
        consumer_id=checkout.consumer_id,
        kind=Method.Kind.CARD,
        processor_account=merchant,
        processor_customer=customer or "",
        created_at=now,
        **checkout.card,
    )


def _evidence(checkout: Checkout, account: Account) -> dict:
    """Say how the person who agreed was known: the facts given, and the masked address that got the code."""
    visit = checkout.visit
    code = Code.objects.select_related("contact_point").filter(
        visit=visit, purpose=Code.Purpose.STEP_UP, used_at__isnull=False
    )
    latest = code.order_by("-used_at").first()
    return {
        "visit": str(visit.pk),
        "visit_started_at": visit.started_at.isoformat(),
        "facts": ["reference", "last_name", account.agency.factor],
        "level": visit.level,
        "code_sent_to": latest.contact_point.masked if latest else "",
    }


def _tell(payment: Payment, authorization: Authorization, account: Account, now: datetime) -> None:
    about = {
        "authorization": str(authorization.pk),
        "kind": authorization.kind,
        "method": str(authorization.method_id),
        "text_sha256": authorization.text_sha256,
        "version": authorization.version,
        "language": authorization.language,
        "total_cents": authorization.total_cents,
        "lines": authorization.lines,
        "currency": payment.currency,
    }
    events.record("authorization.created", account=account, now=now, data=about)
    told = settle.snapshot(payment, account, now, origin="portal")
    events.record("payment.intended", account=account, now=now, data=told)


def charge(*, payment: Payment, fresh: bool) -> Outcome:
    """Ask the processor for the money, with no transaction open.

    A refused request proves that nothing moved only if no earlier request of this payment can have got through.
    """
    processor = adapter_of(payment.processor_account)
    order = order_of(payment)
    began = time.monotonic()
    outcome = processor.charge(order)
    if outcome.status == "unknown" and time.monotonic() - began < RESEND_WITHIN:
        fresh = False
        outcome = processor.charge(order)
    if outcome.status == "not_done" and not fresh:
        return Outcome(status="unknown", reason=outcome.reason)
    return outcome


def order_of(payment: Payment) -> Order:
    """Build the one request this payment ever makes, from rows that do not change while it is undecided."""
    checkout = Checkout.objects.get(pk=payment.idempotency_key)
    method, authorization = payment.method, payment.authorization
    return Order(
        payment=str(payment.pk),
        consumer=str(payment.consumer_id),
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        kind=payment.kind,
        description=f"Payment {payment.reference}",
        confirmation_token=checkout.confirmation_token,
        method="" if checkout.confirmation_token else method.processor_method,
        customer=method.processor_customer,
        store="installment" if authorization.kind == "schedule" and payment.kind == Method.Kind.CARD else "",
        ip=authorization.ip or "",
        user_agent=authorization.user_agent,
    )
