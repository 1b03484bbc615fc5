"""What the consumer said that stops the collection of an account until it is answered (RF-32)."""

from collections.abc import Collection
from uuid import UUID

from payments.models import CreditorRequest, Dispute


def disputed(accounts: Collection[UUID]) -> set[UUID]:
    """Say which of these accounts have an open dispute, in one query."""
    open_ = Dispute.objects.filter(account__in=accounts, status=Dispute.Status.OPEN)
    return set(open_.values_list("account_id", flat=True)) if accounts else set()


def still(accounts: Collection[UUID]) -> set[UUID]:
    """Say which of these accounts have an open dispute or such a request for the creditor, in one query."""
    open_ = Dispute.objects.filter(account__in=accounts, status=Dispute.Status.OPEN)
    asked = CreditorRequest.objects.filter(account__in=accounts, answered_at=None, in_validation_period=True)
    both = open_.values_list("account_id", flat=True).union(asked.values_list("account_id", flat=True))
    return set(both) if accounts else set()


def stands_still(account_id: UUID) -> bool:
    """Tell whether a dispute is open, or a request for the creditor made within the validation period."""
    if disputed([account_id]):
        return True
    asked = CreditorRequest.objects.filter(account_id=account_id, answered_at=None, in_validation_period=True)
    return asked.exists()
