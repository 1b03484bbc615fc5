"""What may have happened since a checkout began: the account was paid elsewhere, or what it pays with ruled out."""

from datetime import datetime
from uuid import UUID

from django.db.models import Exists, QuerySet

from accounts.known import known
from payments.models import Checkout, Method, Payment
from payments.services.against_means import ruling_out
from payments.services.means import Means


def paid_since(checkout: Checkout) -> bool:
    """Tell whether the account was paid, or may have been, after this checkout began: two tabs, two devices."""
    return _paid_since.exists(checkout.pk, checkout.account_id, checkout.created_at)


def _paid(checkout_id: UUID, account_id: UUID, since: datetime) -> QuerySet[Payment]:
    made = Payment.objects.filter(account_id=account_id, intended_at__gte=since)
    nothing_moved = (Payment.Status.DECLINED, Payment.Status.VOIDED)
    return made.exclude(status__in=nothing_moved).exclude(idempotency_key=checkout_id)


_paid_since = known(_paid)


def paid_or_ruled_out(checkout: Checkout, means: Means | None) -> tuple[bool, bool]:
    """Ask `paid_since` and `ruled_out` in one query."""
    known = means is not None and means.method is not None and means.method.blocked_at is not None
    if means is None or known or not means.fingerprint:
        return paid_since(checkout), known
    bank = means.kind == Method.Kind.ACH
    return _both.get(checkout.pk, checkout.account_id, checkout.created_at, bank, means.fingerprint)


@known
def _both(checkout_id: UUID, account_id: UUID, since: datetime, bank: bool, fingerprint: str) -> QuerySet:
    return Checkout.objects.filter(pk=checkout_id).values_list(
        Exists(_paid(checkout_id, account_id, since)), Exists(ruling_out(bank, fingerprint))
    )
