"""The first lock of everything that moves money or plans: the account."""

from uuid import UUID

from accounts.models import Account


def lock_account(account_id: UUID) -> Account:
    """Lock an account for this transaction, with all that gates and events need of it."""
    joined = Account.objects.select_related("consumer", "client", "agency")
    return joined.select_for_update(of=("self",), no_key=True).get(pk=account_id)
