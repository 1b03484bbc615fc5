"""The evidence of a payment or an arrangement in one file: shown, accepted, notified, delivered, charged (ACH-06).

A ZIP of `evidence.json` and the papers as PDF, made from rows that nobody changes: what was signed before a change of
a plan too, the consent to electronic documents with its words (ES-01, ES-02), the notice on the age of the debt that
was read (SOL-02); each text's hash is worked out anew when it is read (ES-05). Numbers are masked: of a method there
are brand, kind and last four, of an address what messages show of it.
"""

import io
import json
import zipfile
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q

from accounts.models import Account, Consent, Event
from payments.models import Arrangement, Authorization, Checkout, LedgerEntry, Method, Notice, Payment, Postdate
from payments.rules.authorization import text_sha256
from payments.services import age_notice, papers

DELIVERED = "message."
VERSION = 2
_JOINED = ("account__agency", "account__client", "consumer", "method")


def pack(*, payment: Payment | None = None, arrangement: Arrangement | None = None, now: datetime) -> bytes:
    """Gather everything about one payment, or about an arrangement with all its payments; exactly one is given.

    A payment that belongs to an arrangement comes with what was accepted and announced for it, not with its other
    payments.
    """
    assert (payment is None) != (arrangement is None), "evidence is of one thing"
    plan = arrangement or payment.arrangement or (payment.postdate.arrangement if payment.postdate else None)
    postdates = Postdate.objects.filter(arrangement=plan) if plan else Postdate.objects.none()
    if payment is not None:
        postdates = postdates.filter(pk=payment.postdate_id)
        payments = Payment.objects.filter(Q(pk=payment.pk) | Q(postdate__isnull=False, postdate=payment.postdate_id))
    else:
        payments = Payment.objects.filter(Q(arrangement=plan) | Q(postdate__arrangement=plan))
    payments = list(payments.select_related(*_JOINED).order_by("intended_at", "pk"))
    account = Account.objects.select_related("agency", "client", "consumer").get(pk=(payment or plan).account_id)
    signed = _signed(payments, plan)
    names = {one.pk: f"authorization-{number}.pdf" for number, one in enumerate(signed, 1)}
    receipts = [one for one in payments if one.status in Payment.COUNTED]
    content = {
        "version": VERSION,
        "made_at": now,
        "of": {"payment" if payment else "arrangement": str((payment or plan).pk)},
        "account": _account(account),
        "shown": _shown(payments, plan) | {"age_notices": _read(account), "consents": _consents(account)},
        "accepted": [_authorization(one) | {"file": names[one.pk]} for one in signed],
        "planned": [_postdate(one) for one in postdates.order_by("due_on", "turn", "pk")],
        "notified": [_notice(one) for one in Notice.objects.filter(postdate__in=postdates).order_by("send_by", "pk")],
        "charged": [_payment(one) for one in payments],
    }
    told = _events(account, {str(row.pk) for row in (*payments, *signed, *postdates, *([plan] if plan else []))})
    content["delivered"] = [one for one in told if one["kind"].startswith(DELIVERED)]
    content["events"] = [one for one in told if not one["kind"].startswith(DELIVERED)]
    files = {"evidence.json": _json(content)}
    files |= {names[one.pk]: papers.authorization_copy(one) for one in signed}
    files |= {f"receipt-{one.reference}.pdf": papers.receipt(one, language=_language(one)) for one in receipts}
    return _zip(files, now)


def file_name(row: Payment | Arrangement) -> str:
    """Name the file by what it is about."""
    return f"evidence-{row.reference}.zip" if isinstance(row, Payment) else f"evidence-{row.pk}.zip"


def _signed(payments: Iterable[Payment], plan: Arrangement | None) -> list[Authorization]:
    keys = {one.authorization_id for one in payments} | ({plan.authorization_id} if plan else set())
    while earlier := _replaced_by(keys):
        keys |= earlier
    rows = Authorization.objects.select_related(*_JOINED).filter(pk__in=keys - {None})
    return list(rows.order_by("accepted_at", "pk"))


def _replaced_by(keys: set[UUID | None]) -> set[UUID]:
    """Find what was signed before these, where a change of a plan had it signed anew."""
    said = Authorization.objects.filter(pk__in=keys - {None}).values_list("evidence__before", flat=True)
    return {UUID(one) for one in said if one} - keys


def _read(account: Account) -> list[dict[str, Any]]:
    """List the notices on the age of the debt that were read before anything was agreed, word for word."""
    rows = Event.objects.filter(account=account, kind=age_notice.KIND).order_by("account_seq")
    return [{"at": row.occurred_at, "actor": row.actor} | row.data for row in rows]


def _consents(account: Account) -> list[dict[str, Any]]:
    """List the consumer's consents to electronic documents, given and withdrawn, with the words that were shown."""
    names = ("at", "granted", "wording", "version", "language", "source", "demonstrated", "ip")
    rows = Consent.objects.filter(consumer=account.consumer, kind=Consent.Kind.ESIGN)
    return list(rows.order_by("at", "pk").values(*names))


def _account(account: Account) -> dict[str, Any]:
    return {
        "agency": account.agency.legal_name,
        "consumer": str(account.consumer),
        "reference": account.reference,
        "creditor": account.client.name,
        "original_creditor": account.original_creditor,
        "currency": account.currency,
    }


def _shown(payments: Iterable[Payment], plan: Arrangement | None) -> dict[str, Any]:
    """Give the choice and the numbers that stood on the page, as they were frozen then."""
    keys = {one.idempotency_key for one in payments} | ({plan.key} if plan else set())
    fields = ("id", "choice", "lines", "terms", "frequency", "created_at", "confirmed_at")
    shown: dict[str, Any] = {"checkouts": list(Checkout.objects.filter(pk__in=keys - {None}).values(*fields))}
    if plan is not None:
        names = ("kind", "frequency", "total_cents", "saving_cents", "schedule", "due", "terms", "trace", "accepted_at")
        shown["arrangement"] = {"id": plan.pk} | {name: getattr(plan, name) for name in names}
    return shown


def method_of(method: Method | None) -> dict[str, str] | None:
    """Give what may be known of a method: never its number, its token or its fingerprint."""
    if method is None:
        return None
    return {"kind": method.kind, "brand": method.brand, "funding": method.funding, "last4": method.last4}


def _authorization(row: Authorization) -> dict[str, Any]:
    names = "kind text text_sha256 version language total_cents lines sec_code accepted_at time_zone ip user_agent"
    more = "level evidence revoked_at revoked_by"
    about = {name: getattr(row, name) for name in f"{names} {more}".split()}
    return about | {
        "id": row.pk,
        "method": method_of(row.method),
        "text_is_unchanged": text_sha256(row.text) == row.text_sha256,
    }


def _postdate(row: Postdate) -> dict[str, Any]:
    names = "id number of turn due_on amount_cents executor notifier status held_for tries created_at decided_at"
    return {name: getattr(row, name) for name in names.split()}


def _notice(row: Notice) -> dict[str, Any]:
    names = "id postdate_id kind owner channel earliest_on target_on latest_on send_by status sent_at proof"
    return {name: getattr(row, name) for name in names.split()}


def _payment(row: Payment) -> dict[str, Any]:
    names = (
        "id reference status kind executor purpose amount_cents currency postdate_id authorization_id processor_ref "
        "idempotency_key decline_code advice_code network_decline_code network_advice_code reason intended_at "
        "decided_at acknowledged_at"
    )
    about = {name: getattr(row, name) for name in names.split()}
    entries = (
        LedgerEntry.objects.filter(payment=row).order_by("at", "pk").values("at", "book", "amount_cents", "reason")
    )
    return about | {"method": method_of(row.method), "ledger": list(entries)}


def _events(account: Account, keys: set[str]) -> list[dict[str, Any]]:
    """List the account's events that name any of these rows, and the messages of the account."""
    fields = ("account_seq", "kind", "actor", "occurred_at", "data")
    rows = Event.objects.filter(account=account).order_by("account_seq").values(*fields)
    return [row for row in rows if row["kind"].startswith(DELIVERED) or keys & set(_texts(row["data"]))]


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, str):
        yield value
    elif isinstance(value, Iterable):
        for one in value:
            yield from _texts(one)


def _language(payment: Payment) -> str:
    return payment.authorization.language if payment.authorization else "en"


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2, sort_keys=True).encode()


def _zip(files: dict[str, bytes], now: datetime) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in sorted(files.items()):
            packed.writestr(zipfile.ZipInfo(name, now.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
    return whole.getvalue()
