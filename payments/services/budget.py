"""What budgets read of payments: fills the port of settlements.services.affordability."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import QuerySet

from accounts.known import known
from accounts.models import Account
from payments.models import Arrangement
from payments.services.owed import owed_of
from settlements.services.affordability import Stand


@known
def _arranged(accounts: Sequence[UUID]) -> QuerySet:
    running = Arrangement.objects.filter(account__in=accounts, status__in=Arrangement.LIVE)
    return running.values_list("account_id", flat=True)


def stands(accounts: Sequence[Account]) -> dict[UUID, Stand]:
    """Say what each account owes after our own payments, and whether an arrangement runs."""
    due = owed_of(accounts)
    arranged = set(_arranged([one.pk for one in accounts]))
    return {one.pk: Stand(due[one.pk].cents, arranged=one.pk in arranged) for one in accounts}
