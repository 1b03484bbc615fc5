"""Add a card or a bank account without paying: agreed to in words, checked at the processor, charged by nobody.

The page's key is the row's id, so sending twice adds once. A card is read before it is stored (CARD-01), a bank account
validated before anything can be debited (ACH-02); what it is for is signed each time it is used.

Two pages may ask at once. Under the consumer's lock a card is written down before its bank is asked, so that it counts
for whoever asks next (AUTH-16), and what is kept already is not kept twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import events
from accounts.crypto import blind_index
from accounts.models import Account, Consumer, Visit
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Method, ProcessorAccount
from payments.processors import Card, KeepOrder, NotReadable, Outcome, Unreachable
from payments.rules import cards
from payments.rules.authorization import text_sha256
from payments.rules.bank import check_bank_account, last4, typed_digits
from payments.services import methods, velocity
from payments.services.means import card_policy
from payments.services.methods import HOLDER_LENGTH, NoProcessor, active_processor, adapter_of, customer_of
from payments.services.route import NoRoute, route_for

VERSION = "keep 2026-11"
OVER = ("bank_asks", "card_not_kept")
"""After these nothing more comes of what was asked under a key, and another card under it would be refused unread."""
_SENTENCES = {
    "text_changed": gettext_noop("The text you agreed to has changed. Please read it again."),
    "bank_asks": gettext_noop(
        "Your bank wants to ask you about this card. It was not kept; use it in a payment, where the bank can ask."
    ),
    "card_not_kept": gettext_noop("Your bank did not accept that this card is kept. Please use another one."),
    "not_known_yet": gettext_noop("The processor gave no answer. Nothing was charged. Please try again."),
    "method_not_routed": gettext_noop("This way to pay cannot be used for this account."),
    "added_already": gettext_noop("This was added already."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Hold how a consumer asked: the key of the page, the words they agreed to, in which visit and from where."""

    key: UUID
    text: str
    text_sha256: str
    language: str
    visit: Visit
    ip: str | None
    user_agent: str


def _no(code: str, field: str | None = None) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field)


def add_card(*, account: Account, confirmation_token: str, asked: Asked, now: datetime) -> list[Refusal]:
    """Store a card for later payments; all refusals at once, and nothing is charged in any case.

    :param account: whose merchant account keeps it and whose rules say which cards are taken.
    """
    if found := _already(asked):
        return found if found[0].code != "added_already" else []
    if stopped := _stopped(account, asked, now=now):
        return stopped
    try:
        merchant = active_processor(account)
        adapter = adapter_of(merchant)
        card = adapter.preview(confirmation_token)
    except NoProcessor:
        return [methods.no("no_processor", "card")]
    except NotReadable:
        return [methods.no("card_not_readable", "card")]
    except Unreachable:
        return [methods.no("processor_unreachable", "card")]
    if refused := cards.check_card(card.brand, card.funding, card_policy(account)):
        return refused
    values = _of_card(card, card, merchant)
    if _is_kept(account.consumer_id, values):
        return []
    if stopped := _begin(account, asked, values, now=now):
        return stopped
    order = KeepOrder(
        checkout=str(asked.key),
        consumer=str(account.consumer_id),
        confirmation_token=confirmation_token,
        customer=customer_of(account.consumer_id, merchant),
        store="unscheduled",
    )
    outcome = adapter.keep(order)
    if outcome.status == "unknown":
        outcome = adapter.keep(order)
    if outcome.status == "succeeded" and outcome.card is not None:
        _write(account, asked, _of_card(outcome.card, card, merchant), now)
        return []
    if outcome.status == "unknown":
        return [_no("not_known_yet", "card")]
    _end(account, asked, card, outcome, now)
    if outcome.status == "action":
        adapter.forget(ref=outcome.ref)
        return [_no("bank_asks", "card")]
    return [_no("card_not_kept", "card")]


def add_bank(
    *, account: Account, routing: str, number: str, account_type: str, holder: str, asked: Asked, now: datetime
) -> list[Refusal]:
    """Keep a bank account, validated at the processor before its first debit (ACH-02)."""
    if found := _already(asked):
        return found if found[0].code != "added_already" else []
    routing, number, holder = typed_digits(routing), typed_digits(number), " ".join(holder.split())
    refused = check_bank_account(routing, number, account_type)
    if not holder:
        refused.append(methods.no("holder_missing", "holder"))
    if refused:
        return refused
    try:
        merchant, by_portal = active_processor(account), route_for(account, "ach", "postdated").executor == "portal"
        if merchant.debits_paused_at is not None:
            return [methods.no("bank_payments_paused", "number")]
        check = adapter_of(merchant).validate_bank(
            key=str(asked.key),
            consumer=str(account.consumer_id),
            routing=routing,
            number=number,
            account_type=account_type,
            holder=holder,
            ip=asked.ip or "",
            user_agent=asked.user_agent,
            keep=by_portal,
        )
    except NoProcessor:
        return [methods.no("no_processor", "number")]
    except NoRoute:
        return [_no("method_not_routed", "number")]
    except Unreachable:
        return [methods.no("processor_unreachable", "number")]
    if not check.valid:
        return [methods.no("bank_not_verified", "number")]
    values = {
        "kind": Method.Kind.ACH,
        "processor_account": merchant,
        "processor_method": check.method if by_portal else "",
        "processor_customer": check.customer if by_portal else "",
        "fingerprint": blind_index(f"{routing}:{number}", agency_id=account.agency_id, field="bank"),
        "last4": last4(number),
        "holder": holder[:HOLDER_LENGTH],
        "account_type": account_type,
        "routing": routing,
        "number": number,
        "validated_at": now,
        "validation": "instant",
    }
    _write(account, asked, values, now)
    return []


def _stopped(account: Account, asked: Asked, *, card: str = "", now: datetime) -> list[Refusal]:
    """Ask whoever tries many cards to wait, and show staff (AUTH-16)."""
    who = {"visit_id": asked.visit.pk, "link_id": None}
    found = velocity.against(account, **who, card=card, key=asked.key, now=now)
    velocity.tell(found, account=account, **who, now=now)
    return found


@transaction.atomic
def _begin(account: Account, asked: Asked, values: Mapping[str, Any], *, now: datetime) -> list[Refusal]:
    """Write down a card that its bank is about to be asked about, unless too many were; nothing charges it."""
    _lock(account)
    if stopped := _stopped(account, asked, card=values["fingerprint"], now=now):
        return stopped
    said = {"consumer_id": account.consumer_id, "consent": _consent(asked, now), "created_at": now}
    Method.objects.get_or_create(pk=asked.key, defaults={**said, **values})
    return []


@transaction.atomic
def _end(account: Account, asked: Asked, card: Card, outcome: Outcome, now: datetime) -> None:
    """Forget a card that was not kept; what its bank said stays written."""
    Method.objects.filter(pk=asked.key, stored=False).delete()
    if outcome.status in ("action", "declined"):
        reason = velocity.ASKS if outcome.status == "action" else outcome.decline_code
        tried = {"key": asked.key, "visit_id": asked.visit.pk, "card": card, "reason": reason}
        velocity.write_refused(account, **tried, now=now)


def _already(asked: Asked) -> list[Refusal]:
    if text_sha256(asked.text) != asked.text_sha256:
        return [_no("text_changed")]
    return [_no("added_already")] if Method.objects.filter(pk=asked.key, stored=True).exists() else []


def _of_card(kept: Card, seen: Card, merchant: ProcessorAccount) -> dict[str, Any]:
    return {
        "kind": Method.Kind.CARD,
        "processor_account": merchant,
        "processor_method": kept.method,
        "processor_customer": kept.customer,
        "network_transaction_id": kept.network_transaction_id,
        "fingerprint": kept.fingerprint or seen.fingerprint,
        "brand": kept.brand,
        "funding": kept.funding,
        "last4": kept.last4,
        "exp_month": kept.exp_month,
        "exp_year": kept.exp_year,
    }


def _lock(account: Account) -> Consumer:
    return Consumer.objects.select_for_update(no_key=True).get(pk=account.consumer_id)


def _is_kept(consumer_id: UUID, values: Mapping[str, Any]) -> bool:
    """Tell whether the consumer keeps this very card or bank account here already, fit to be charged."""
    if not values["fingerprint"]:
        return False
    same = ("kind", "processor_account", "fingerprint", "exp_month", "exp_year", "account_type")
    kept = methods.stored_of(consumer_id).filter(
        update_pending__isnull=True, **{name: values[name] for name in same if name in values}
    )
    return (kept.exclude(processor_method="") if values["processor_method"] else kept).exists()


def _consent(asked: Asked, now: datetime) -> dict[str, Any]:
    said = {"text": asked.text, "sha256": asked.text_sha256, "version": VERSION, "language": asked.language}
    return said | {"at": now.isoformat(), "visit": str(asked.visit.pk), "level": asked.visit.level, "ip": asked.ip}


@transaction.atomic
def _write(account: Account, asked: Asked, values: Mapping[str, Any], now: datetime) -> None:
    """Write the row once, with the words that were agreed to and how the consumer was known."""
    consumer = _lock(account)
    if Method.objects.filter(pk=asked.key, stored=True).exists():
        return
    if _is_kept(consumer.pk, values):
        Method.objects.filter(pk=asked.key).delete()
        return
    said = {"consumer_id": consumer.pk, "consent": _consent(asked, now), "created_at": now, "stored": True}
    row, _new = Method.objects.update_or_create(pk=asked.key, defaults={**said, **values})
    about = {"method": str(row.pk), "kind": row.kind, "brand": row.brand, "funding": row.funding, "last4": row.last4}
    about |= {"text_sha256": asked.text_sha256, "version": VERSION, "without_payment": True}
    events.record("method.added", consumer=consumer, now=now, data=about)
