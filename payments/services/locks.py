"""The account, with all that gates and events need of it: read, or locked first, before money or plans are moved."""

from uuid import UUID

from django.db.models import QuerySet

from accounts.known import known
from accounts.models import Account


@known
def _whole(account_id: UUID) -> QuerySet[Account]:
    return Account.objects.select_related("consumer", "client", "agency").filter(pk=account_id)


@known
def _to_lock(account_id: UUID) -> QuerySet[Account]:
    joined = Account.objects.select_related("consumer", "client", "agency")
    return joined.select_for_update(of=("self",), no_key=True).filter(pk=account_id)


def read_account(account_id: UUID) -> Account:
    """Read an account, with all that gates and events need of it."""
    return _whole.get(account_id)


def lock_account(account_id: UUID) -> Account:
    """Lock an account for this transaction, with all that gates and events need of it."""
    return _to_lock.get(account_id)
