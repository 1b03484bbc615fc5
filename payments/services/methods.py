"""Take a card's token or a bank account for a checkout: read and validated at the processor, masked, sealed."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.calendars import local_date
from accounts.crypto import blind_index
from accounts.known import known
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Authorization, Checkout, HostItem, Method, Payment, Postdate, ProcessorAccount
from payments.processors import NotReadable, Processor, Unreachable, connect
from payments.rules.bank import check_bank_account, last4, typed_digits
from payments.rules.cards import check_card
from payments.services import gate
from payments.services.locks import read_account
from payments.services.means import card_policy
from settlements.rules.schedules import as_json, roll

_SENTENCES = {
    "card_not_readable": gettext_noop("The card could not be read. Please enter it again."),
    "processor_unreachable": gettext_noop("The card processor cannot be reached. Nothing was taken. Please try again."),
    "no_processor": gettext_noop("Cards cannot be used here now. Please choose another way to pay."),
    "bank_not_verified": gettext_noop(
        "This bank account could not be verified. Check the numbers or use another account."
    ),
    "bank_payments_paused": gettext_noop("Bank payments cannot be taken now. Please choose another way to pay."),
    "holder_missing": gettext_noop("Enter the name of the account holder."),
    "method_unknown": gettext_noop("Please choose one of your saved ways to pay."),
    "step_up_required": gettext_noop("Please confirm who you are with a code before you use a saved way to pay."),
}
HOLDER_LENGTH = 120
KEPT_CARD = Q(kind=Method.Kind.CARD) & ~Q(processor_method="")
KEPT_BANK = Q(kind=Method.Kind.ACH, validated_at__isnull=False, wiped_at=None)


class Confirmed(Exception):
    """Begin a new checkout: this one was confirmed and nothing of it may change."""


class NoProcessor(LookupError):
    """Refuse cards: the agency has no active merchant account."""


def no(code: str, field: str) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field)


def change(checkout: Checkout, **values: object) -> None:
    """Write a step of a checkout, unless it was confirmed meanwhile.

    :raises Confirmed: it was; nothing is written.
    """
    if not Checkout.objects.filter(pk=checkout.pk, confirmed_at=None).update(**values):
        raise Confirmed(f"Checkout {checkout.pk} was confirmed.")
    for name, value in values.items():
        setattr(checkout, name, value)


def adapter_of(account: ProcessorAccount) -> Processor:
    """Give the adapter of a merchant account, kept for the process."""
    return connect(
        processor=account.processor,
        account_ref=account.account_ref,
        secret_key=account.secret_key,
        webhook_secret=account.webhook_secret,
        api_base=account.api_base,
        timeout=settings.PROCESSOR_TIMEOUT,
    )


@known
def _fitting(client_id: UUID) -> QuerySet[ProcessorAccount]:
    fitting = ProcessorAccount.objects.filter(Q(client=client_id) | Q(client=None), is_active=True)
    return fitting.order_by(F("client").asc(nulls_last=True))


def active_processor(account: Account) -> ProcessorAccount:
    """Find the merchant account that takes an account's money: its client's own, else the agency's for all others.

    :raises NoProcessor: there is neither.
    """
    if (found := _fitting.first(account.client_id)) is None:
        raise NoProcessor("Neither the client nor the agency has an active merchant account.")
    return found


def take_card(*, checkout: Checkout, confirmation_token: str, now: datetime) -> list[Refusal]:
    """Take the token of a new card after reading brand and funding at the processor, before any charge (CARD-01)."""
    account = _account(checkout)
    try:
        card = adapter_of(active_processor(account)).preview(confirmation_token)
    except NoProcessor:
        return [no("no_processor", "card")]
    except NotReadable:
        return [no("card_not_readable", "card")]
    except Unreachable:
        return [no("processor_unreachable", "card")]
    lines = gate.lines_of(checkout)
    allowed = gate.standing(account, now=now).allowed_of(checkout.choice)
    by_bank = "ach" in allowed.methods(len(lines) or 1)
    found = check_card(card.brand, card.funding, card_policy(account), ach_allowed=by_bank)
    found += not_for_these_lines(checkout, account, "card", now)
    if found:
        return found
    drop_unused(checkout, now)
    shown = {
        "brand": card.brand,
        "funding": card.funding,
        "last4": card.last4,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
    }
    change(checkout, confirmation_token=confirmation_token, card=shown, method=None)
    return []


def take_bank(
    *, checkout: Checkout, routing: str, number: str, account_type: str, holder: str, now: datetime
) -> list[Refusal]:
    """Take a bank account: check digits here, existence at the processor on first use (ACH-02), then seal it."""
    routing, number, holder = typed_digits(routing), typed_digits(number), " ".join(holder.split())
    found = check_bank_account(routing, number, account_type)
    if not holder:
        found.append(no("holder_missing", "holder"))
    account = _account(checkout)
    found += not_for_these_lines(checkout, account, "ach", now)
    if found:
        return found
    fingerprint = blind_index(f"{routing}:{number}", agency_id=account.agency_id, field="bank")
    values = {
        "fingerprint": fingerprint,
        "last4": last4(number),
        "holder": holder[:HOLDER_LENGTH],
        "account_type": account_type,
        "routing": routing,
        "number": number,
        "created_at": now,
    }
    try:
        merchant = active_processor(account)
        if merchant.debits_paused_at is not None:
            return [no("bank_payments_paused", "number")]
        validated = _validated(checkout, account, merchant, values, now)
    except NoProcessor:
        return [no("no_processor", "number")]
    except Unreachable:
        return [no("processor_unreachable", "number")]
    if validated is None:
        return [no("bank_not_verified", "number")]
    with transaction.atomic():
        drop_unused(checkout, now)
        method = Method.objects.create(
            consumer_id=checkout.consumer_id, kind=Method.Kind.ACH, validated_at=now, **values | validated
        )
        lines = _reaching_the_bank(checkout, account, now)
        change(checkout, method=method, confirmation_token="", card={}, lines=lines)
    return []


def _reaching_the_bank(checkout: Checkout, account: Account, now: datetime) -> list[list]:
    """Move the payments to days on which a bank works; today's is handed over today and reaches it on its next day."""
    today, lines = local_date(now, account.consumer.time_zone), gate.lines_of(checkout)
    moved = zip(lines, roll(lines, "ach"), strict=True)
    kept = [line if line.due_on == today else later for line, later in moved]
    return as_json(kept)


def _charged_here(checkout: Checkout, account: Account, now: datetime) -> bool:
    """Tell whether the portal debits any of it, so that the processor must know the account."""
    today = local_date(now, account.consumer.time_zone)
    routes, _complete = gate.routes(account, "ach", gate.lines_of(checkout), today)
    return any(route is not None and route.executor == "portal" for route in routes)


def _validated(
    checkout: Checkout, account: Account, merchant: ProcessorAccount, values: dict, now: datetime
) -> dict | None:
    """Validate the account at the processor unless this consumer used it before; None: it cannot be debited."""
    charged_here = _charged_here(checkout, account, now)
    known = Method.objects.filter(
        consumer_id=checkout.consumer_id,
        kind=Method.Kind.ACH,
        fingerprint=values["fingerprint"],
        account_type=values["account_type"],
        validated_at__isnull=False,
        removed_at=None,
        processor_account=merchant,
        payments__isnull=False,
    )
    if charged_here:
        known = known.exclude(processor_method="")
    if (used := known.order_by("-created_at").first()) is not None:
        return {
            "validation": "known",
            "processor_account": merchant,
            "processor_method": used.processor_method,
            "processor_customer": used.processor_customer,
        }
    check = adapter_of(merchant).validate_bank(
        key=f"{checkout.pk}:{values['fingerprint'][:16]}:{values['account_type']}",
        consumer=str(checkout.consumer_id),
        routing=values["routing"],
        number=values["number"],
        account_type=values["account_type"],
        holder=values["holder"],
        ip=checkout.visit.ip or "",
        user_agent=checkout.visit.user_agent,
        keep=charged_here,
    )
    if not check.valid:
        return None
    kept = {"processor_method": check.method, "processor_customer": check.customer} if charged_here else {}
    return {"validation": "instant", "processor_account": merchant, **kept}


@known
def _kept_at(consumer_id: UUID, merchant_id: UUID, method_id: UUID) -> QuerySet[Method]:
    return stored_of(consumer_id).filter(processor_account=merchant_id, pk=method_id)


def _usable(account: Account, method_id: UUID) -> Method | None:
    try:
        return _kept_at.first(account.consumer_id, active_processor(account).pk, method_id)
    except NoProcessor:
        return None


def take_stored(*, checkout: Checkout, method_id: UUID, now: datetime) -> list[Refusal]:
    """Take a card or a bank account that the consumer agreed to keep; needs a confirmed visit (AUTH-02)."""
    if checkout.visit.level < checkout.visit.Level.CONFIRMED:
        return [no("step_up_required", "method")]
    account = _account(checkout)
    method = _usable(account, method_id)
    if method is None:
        return [no("method_unknown", "method")]
    by_bank = method.kind == Method.Kind.ACH
    found = [] if by_bank else check_card(method.brand, method.funding, card_policy(account))
    if by_bank and method.processor_account.debits_paused_at is not None:
        found.append(no("bank_payments_paused", "method"))
    found += not_for_these_lines(checkout, account, method.kind, now)
    if by_bank and not method.processor_method and _charged_here(checkout, account, now):
        found.append(gate.no("method_not_routed", "method"))
    if found:
        return found
    drop_unused(checkout, now)
    lines = {"lines": _reaching_the_bank(checkout, account, now)} if by_bank else {}
    change(checkout, method=method, confirmation_token="", card={}, **lines)
    return []


def stored_of(consumer_id: UUID):
    """List the cards and bank accounts a consumer agreed to keep that still can be charged here."""
    return Method.objects.filter(
        KEPT_CARD | KEPT_BANK,
        consumer_id=consumer_id,
        stored=True,
        removed_at=None,
        blocked_at=None,
        processor_account__is_active=True,
    ).select_related("processor_account")


def usable_for(account: Account):
    """List what is kept and can pay this account: it is known to one merchant account only."""
    try:
        merchant = active_processor(account)
    except NoProcessor:
        return Method.objects.none()
    return stored_of(account.consumer_id).filter(processor_account=merchant)


def kept_for(account: Account, method: Method) -> bool:
    """Tell whether a card or bank account is known where the money of this account goes; nowhere else is it charged."""
    try:
        return method.processor_account_id == active_processor(account).pk
    except NoProcessor:
        return False


@known
def _customers(consumer_id: UUID, merchant_id: UUID) -> QuerySet:
    mine = stored_of(consumer_id).filter(processor_account=merchant_id).exclude(processor_customer="")
    return mine.values_list("processor_customer", flat=True)


def customer_of(consumer_id: UUID, merchant: ProcessorAccount) -> str:
    """Give the name under which a processor keeps a consumer's cards and bank accounts; empty where it keeps none."""
    return _customers.first(consumer_id, merchant.pk) or ""


def _account(checkout: Checkout) -> Account:
    return read_account(checkout.account_id)


def not_for_these_lines(checkout: Checkout, account: Account, kind: str, now: datetime) -> list[Refusal]:
    """Refuse a method that cannot pay the lines chosen: not allowed, not routed, or its rolled dates are too late."""
    lines = gate.lines_of(checkout)
    today = local_date(now, account.consumer.time_zone)
    if not gate.routes(account, kind, lines, today)[1]:
        return [gate.no("method_not_routed", "method")]
    if not lines:
        return []
    return gate.check_lines(gate.standing(account, now=now), checkout.choice, lines, method=kind)


def drop_unused(checkout: Checkout, now: datetime) -> None:
    """Wipe the bank account that this checkout had before and that nothing was signed for."""
    if checkout.method_id:
        wipe_unused(Method.objects.filter(pk=checkout.method_id), now=now)


def wipe_unused(methods, *, now: datetime) -> int:
    """Wipe bank accounts among these methods that nobody signed for; return how many."""
    never = methods.filter(kind=Method.Kind.ACH, wiped_at=None, stored=False).exclude(
        pk__in=Authorization.objects.values("method_id")
    )
    return never.update(routing="", number="", wiped_at=now, removed_at=now)


@known
def _to_wipe(method_id: UUID) -> QuerySet[Method]:
    return Method.objects.filter(pk=method_id, kind=Method.Kind.ACH, wiped_at=None, stored=False)


def _unposted(method_id: UUID) -> QuerySet[Payment]:
    return Payment.objects.filter(method_id=method_id, status__in=Payment.COUNTED, acknowledged_at=None)


def _planned(method_id: UUID) -> QuerySet[Postdate]:
    return Postdate.objects.filter(method_id=method_id, status__in=Postdate.OPEN)


def _shown() -> QuerySet:
    return HostItem.objects.filter(matched=True, portal_id__isnull=False).values("portal_id")


@known
def _unposted_not_shown(method_id: UUID) -> QuerySet[Payment]:
    return _unposted(method_id).exclude(pk__in=_shown())


@known
def _planned_not_shown(method_id: UUID) -> QuerySet[Postdate]:
    return _planned(method_id).exclude(pk__in=_shown())


def wipe_acknowledged(*, method_id: UUID, now: datetime, in_batches: bool = False) -> bool:
    """Wipe a bank account once its executor shows everything it was signed for; one that the consumer keeps stays.

    :param in_batches: the executor gets it in files: what is shown and not yet executed needs the number still.
    """
    if not _to_wipe.exists(method_id):
        return False
    pending = _unposted(method_id).filter(status=Payment.Status.PENDING)
    if in_batches and (_planned(method_id).exists() or pending.exists()):
        return False
    if _unposted_not_shown.exists(method_id) or _planned_not_shown.exists(method_id):
        return False
    return bool(Method.objects.filter(pk=method_id).update(routing="", number="", wiped_at=now))
