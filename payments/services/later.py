"""Confirm what begins on a later day: the authorization, the arrangement and its post-dates in one transaction.

A new card is stored at the processor first, with the consumer there (CARD-03): its one try is written down before the
request is sent, and the arrangement counts only once the processor says that the card is kept. Nothing is charged.
"""

import time
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.known import known
from accounts.models import Account
from accounts.tenancy import acting_for
from payments import crash
from payments.models import Arrangement, Checkout, Method, Payment
from payments.processors import KeepOrder, Outcome
from payments.rules.gates import PAYABLE_STATUSES
from payments.services import authority, gate, locks, meanwhile, settle
from payments.services.arrange import agreed_of, arrange
from payments.services.methods import adapter_of
from payments.services.sign import Agreement, sign

Setup = Checkout.Setup
RESEND_WITHIN = 5.0
"""Seconds: an answer lost sooner than this is asked for again at once, under the same key, while the consumer waits."""
ASK_AFTER = timedelta(seconds=5)
"""A younger try is being made by the request that wrote it down."""
LIMIT = 200


@known
def _with_consumer(checkout_id: UUID) -> QuerySet[Checkout]:
    return Checkout.objects.select_related("account__consumer").filter(pk=checkout_id)


@known
def _charged(key: UUID) -> QuerySet[Payment]:
    return Payment.objects.filter(idempotency_key=key)


def is_later(checkout: Checkout, *, now: datetime) -> bool:
    """Tell whether confirming this checkout makes an arrangement and no payment; once confirmed it stays so."""
    found = _with_consumer.get(checkout.pk)
    if found.confirmed_at is not None:
        return not _charged.exists(found.pk)
    today = gate.local_date(now, found.account.consumer.time_zone)
    return gate.starts_later(gate.lines_of(found), today)


def confirm(*, checkout: Checkout, agreement: Agreement, now: datetime) -> Arrangement | Checkout:
    """Make the arrangement that the consumer agreed to, after storing a new card; confirmed again it is the same.

    :raises Refused: a gate failed, the text changed, or the account was paid since.
    """
    found, fresh = intend(checkout=checkout, agreement=agreement, now=now)
    crash.point("after_intent_commit")
    return _finish(found, fresh=fresh, now=now)


@known
def _of_key(checkout_id: UUID) -> QuerySet[Checkout]:
    return Checkout.objects.filter(pk=checkout_id)


def resume(*, checkout: Checkout, now: datetime) -> Arrangement | Checkout:
    """Go on with a confirmed checkout, asked for again: the card is sent again under the same key."""
    return _finish(_of_key.get(checkout.pk), fresh=False, now=now)


@known
def _account_id(checkout_id: UUID) -> QuerySet:
    return Checkout.objects.filter(pk=checkout_id).values_list("account_id", flat=True)


@transaction.atomic(durable=True)
def intend(*, checkout: Checkout, agreement: Agreement, now: datetime) -> tuple[Checkout, bool]:
    """Write down what was signed; with a bank account or a card that is kept already, the arrangement too.

    :raises Refused: with every failing gate; nothing is written.
    """
    account = locks.lock_account(_account_id.get(checkout.pk))
    before = _of_key.get(checkout.pk)
    if before.confirmed_at is not None:
        return before, False
    signed = sign(checkout=checkout, account=account, agreement=agreement, now=now)
    assert signed.later_route is not None, "the gates refuse what has no route"
    found = signed.checkout
    if signed.method.kind == Method.Kind.CARD and not signed.method.stored:
        expires_at = now + timedelta(seconds=settings.INTENT_LIFE)
        _set(found, setup_status=Setup.INTENDED, setup_expires_at=expires_at)
    else:
        agreed = agreed_of(found, method=signed.method, authorization=signed.authorization, account=account)
        arrange(agreed=agreed, account=account, now=now)
    crash.point("before_intent_commit")
    return found, True


@known
def _arranged(key: UUID) -> QuerySet[Arrangement]:
    return Arrangement.objects.filter(key=key)


def _finish(checkout: Checkout, *, fresh: bool, now: datetime) -> Arrangement | Checkout:
    if checkout.setup_status == Setup.INTENDED and not checkout.setup_secret and now < checkout.setup_expires_at:
        outcome = _keep(checkout, fresh=fresh)
        crash.point("after_setup")
        checkout = record_setup(checkout_id=checkout.pk, outcome=outcome, now=now)
        crash.point("after_setup_commit")
    return _arranged.first(checkout.pk) or checkout


def _keep(checkout: Checkout, *, fresh: bool) -> Outcome:
    """Ask the processor to store the card, with no transaction open; sent twice it is stored once.

    Two requests may be under way then, so that one was refused proves nothing any more (`settle.send_again`).
    """
    undecided = Checkout.objects.filter(pk=checkout.pk, setup_status=Setup.INTENDED)
    if not fresh and not undecided.update(setup_reason=settle.SENT_AGAIN):
        return Outcome(status="unknown", reason="decided meanwhile")
    method = _method(checkout)
    processor, order = adapter_of(method.processor_account), order_of(checkout, method)
    began = time.monotonic()
    outcome = processor.keep(order)
    if outcome.status == "unknown" and time.monotonic() - began < RESEND_WITHIN:
        fresh = False
        outcome = processor.keep(order)
    if outcome.status == "not_done" and not fresh:
        return Outcome(status="unknown", reason=outcome.reason)
    return outcome


@known
def _signed_for(authorization_id: UUID) -> QuerySet[Method]:
    return Method.objects.select_related("processor_account").filter(authorizations=authorization_id)


def _method(checkout: Checkout) -> Method:
    return _signed_for.get(checkout.authorization_id)


def order_of(checkout: Checkout, method: Method) -> KeepOrder:
    """Build the one request of this try, from rows that do not change while it is undecided."""
    return KeepOrder(
        checkout=str(checkout.pk),
        consumer=str(checkout.consumer_id),
        confirmation_token=checkout.confirmation_token,
        customer=method.processor_customer,
        store="installment",
    )


@known
def _to_settle(checkout_id: UUID) -> QuerySet[Checkout]:
    joined = Checkout.objects.select_related("authorization", "visit", "consumer")
    return joined.select_for_update(of=("self",)).filter(pk=checkout_id)


@transaction.atomic
def record_setup(*, checkout_id: UUID, outcome: Outcome, now: datetime) -> Checkout:
    """Bring news of a card that is to be stored: the only door to the end of that try.

    Yes makes the arrangement, no revokes what was signed for it; whoever comes second changes nothing.
    """
    account = locks.lock_account(_account_id.get(checkout_id))
    checkout = _to_settle.get(checkout_id)
    checkout.account = account
    if checkout.setup_status != Setup.INTENDED:
        return checkout
    match outcome.status:
        case "succeeded":
            _kept(checkout, account, outcome, now)
        case "declined":
            _not_kept(checkout, account, Setup.DECLINED, outcome.decline_code, outcome, now)
        case "not_done" if checkout.setup_reason == settle.SENT_AGAIN:
            pass
        case "voided" | "not_done":
            _not_kept(checkout, account, Setup.VOIDED, outcome.reason, outcome, now)
        case _:
            secret = outcome.client_secret or checkout.setup_secret
            _set(checkout, setup_ref=outcome.ref or checkout.setup_ref, setup_secret=secret)
    return checkout


def _kept(checkout: Checkout, account: Account, outcome: Outcome, now: datetime) -> None:
    """Make the arrangement with the card that is kept now, unless what it is for has gone meanwhile."""
    if Arrangement.objects.filter(account=account, status__in=Arrangement.LIVE).exists():
        return _not_kept(checkout, account, Setup.VOIDED, "arrangement_active", outcome, now)
    if account.status not in PAYABLE_STATUSES:
        return _not_kept(checkout, account, Setup.VOIDED, "account_not_open", outcome, now)
    if meanwhile.paid_since(checkout):
        return _not_kept(checkout, account, Setup.VOIDED, "already_paid_since", outcome, now)
    method, card = _method(checkout), outcome.card
    assert card is not None, "a card that is kept is shown"
    method.brand, method.funding, method.last4 = card.brand, card.funding, card.last4
    method.exp_month, method.exp_year = card.exp_month, card.exp_year
    method.fingerprint = card.fingerprint or method.fingerprint
    method.network_transaction_id = card.network_transaction_id
    method.processor_method, method.processor_customer, method.stored = card.method, card.customer, True
    method.save()
    about = {"method": str(method.pk), "kind": method.kind, "brand": method.brand, "last4": method.last4}
    events.record("method.added", account=account, now=now, data=about | {"funding": method.funding})
    _set(checkout, setup_status=Setup.SUCCEEDED, setup_ref=outcome.ref or checkout.setup_ref, setup_secret="")
    agreed = agreed_of(checkout, method=method, authorization=checkout.authorization, account=account)
    arrange(agreed=agreed, account=account, now=now)


def _not_kept(checkout: Checkout, account: Account, status: str, reason: str, outcome: Outcome, now: datetime) -> None:
    ref = outcome.ref or checkout.setup_ref
    _set(checkout, setup_status=status, setup_ref=ref, setup_secret="", setup_reason=reason[:60])
    authority.revoke(checkout.authorization, account=account, by=f"card {status}", now=now)


def _set(checkout: Checkout, **values: object) -> None:
    for name, value in values.items():
        setattr(checkout, name, value)
    checkout.save(update_fields=list(values))


def look_setup(*, checkout_id: UUID, now: datetime) -> Checkout:
    """Ask what became of a card that was to be stored and record it; an expired try is ended at the processor first.

    A try whose answer was lost has no reference: sent again under its key it is answered with the one there is.
    """
    checkout = _with_consumer.get(checkout_id)
    if checkout.setup_status != Setup.INTENDED:
        return checkout
    processor = adapter_of(_method(checkout).processor_account)
    outcome = processor.find_kept(ref=checkout.setup_ref) if checkout.setup_ref else _keep(checkout, fresh=False)
    crash.point("after_look")
    # Once its client secret was in a browser, a failed try could be confirmed there with any other card.
    reopened = outcome.status == "declined" and checkout.setup_secret
    expired = outcome.status in ("unknown", "action") and checkout.setup_expires_at <= now
    ref = outcome.ref or checkout.setup_ref
    if reopened or (expired and ref):
        ended = processor.forget(ref=ref)
        if ended.status not in ("voided", "succeeded"):
            return checkout
        outcome = outcome if reopened and ended.status == "voided" else ended
        crash.point("after_void")
    elif expired and outcome.status == "unknown" and "InvalidRequest" in outcome.reason:
        # The request itself is refused and nothing is known under its key: nothing was stored.
        outcome = Outcome(status="voided", reason="expired")
    return record_setup(checkout_id=checkout.pk, outcome=outcome, now=now)


def sweep(*, now: datetime, log) -> int:
    """Ask about every card whose storing stays undecided (all agencies)."""
    open_ = Checkout.objects.filter(setup_status=Setup.INTENDED, confirmed_at__lte=now - ASK_AFTER)
    asked = 0
    for agency_id, checkout_id in open_.order_by("confirmed_at").values_list("agency_id", "pk")[:LIMIT]:
        with acting_for(agency_id):
            try:
                look_setup(checkout_id=checkout_id, now=now)
                asked += 1
            except Exception:
                log.exception("setup_sweep_failed", checkout=str(checkout_id))
    return asked
