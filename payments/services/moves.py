"""Lock a payment, move it from one status to the next with the one event that says so, tell staff what must not be.

Nothing here decides: `settle` and `reversals` do.
"""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts import events
from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account
from payments.models import Payment
from payments.processors import Outcome
from payments.services import incidents
from payments.services.locks import lock_account


@known
def _account_id(payment_id: UUID) -> QuerySet:
    return Payment.objects.filter(pk=payment_id).values_list("account_id", flat=True)


@known
def to_move(payment_id: UUID) -> QuerySet[Payment]:
    joined = Payment.objects.select_related("method__processor_account", "authorization")
    return joined.select_for_update(of=("self",)).filter(pk=payment_id)


def lock_both(payment_id: UUID, account_id: UUID | None = None) -> tuple[Payment, Account]:
    """Lock the account, then its payment.

    :param account_id: of the payment, where the caller has read it.
    """
    account = lock_account(account_id or _account_id.get(payment_id))
    return to_move.get(payment_id), account


def move(
    payment: Payment, account: Account, status: str, kind: str, now: datetime, origin: str, **more: object
) -> None:
    """Write the status and its one event."""
    payment.status, payment.decided_at = status, now
    payment.save()
    events.record(kind, account=account, now=now, data=snapshot(payment, account, now, origin=origin, **more))


def keep_codes(payment: Payment, outcome: Outcome) -> None:
    """Keep what bank, network and processor said of a no; the caller saves."""
    payment.decline_code = outcome.decline_code[:60]
    payment.advice_code = outcome.advice_code[:40]
    payment.network_decline_code = outcome.network_decline_code[:10]
    payment.network_advice_code = outcome.network_advice_code[:10]
    payment.reason = outcome.reason[:300]


def incident(payment: Payment, account: Account, what: str, outcome: Outcome, now: datetime) -> Payment:
    """Tell staff, once per payment and kind, of what must never happen."""
    said = {"said": outcome.status, "processor_ref": outcome.ref, "said_cents": outcome.amount_cents}
    told = snapshot(payment, account, now) | said
    incidents.open(
        kind=what, key=str(payment.pk), severity="urgent", now=now, account=account, payment=payment, data=told
    )
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
