"""What the consumer said that stops the collection of an account until it is answered (RF-32)."""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db.models import QuerySet

from accounts.known import known
from payments.models import CreditorRequest, Dispute


@known
def _disputed(accounts: Sequence[UUID]) -> QuerySet:
    open_ = Dispute.objects.filter(account__in=accounts, status=Dispute.Status.OPEN)
    return open_.values_list("account_id", flat=True)


def disputed(accounts: Collection[UUID]) -> set[UUID]:
    """Say which of these accounts have an open dispute, in one query."""
    return set(_disputed(list(accounts))) if accounts else set()


@known
def _still(accounts: Sequence[UUID]) -> QuerySet:
    open_ = Dispute.objects.filter(account__in=accounts, status=Dispute.Status.OPEN)
    asked = CreditorRequest.objects.filter(account__in=accounts, answered_at=None, in_validation_period=True)
    return open_.values_list("account_id", flat=True).union(asked.values_list("account_id", flat=True))


def still(accounts: Collection[UUID]) -> set[UUID]:
    """Say which of these accounts have an open dispute or such a request for the creditor, in one query."""
    return set(_still(list(accounts))) if accounts else set()


@known
def _asked(account_id: UUID) -> QuerySet[CreditorRequest]:
    return CreditorRequest.objects.filter(account=account_id, answered_at=None, in_validation_period=True)


def stands_still(account_id: UUID) -> bool:
    """Tell whether a dispute is open, or a request for the creditor made within the validation period."""
    return bool(why(account_id))


def why(account_id: UUID) -> str:
    """Say what stops collection: an open `dispute`, such a request (`oc_request`), or nothing."""
    if disputed([account_id]):
        return "dispute"
    return "oc_request" if _asked.exists(account_id) else ""
