"""What is owed now: the host's balance less what the portal took and the host does not show yet."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum

from accounts.models import Account
from payments.models import Payment, Postdate


@dataclass(frozen=True, slots=True)
class Owed:
    """Hold what is owed, the payments that the host has not shown yet, and how old the host's picture is.

    `scheduled_cents` is what post-dates will still take; it is part of what is owed, not less of it.
    """

    cents: int
    waiting: tuple[Payment, ...]
    as_of: datetime
    waiting_cents: int
    scheduled_cents: int = 0

    @property
    def single_most_cents(self) -> int:
        """Give the most a single payment may be, so that scheduled ones never take more than is owed."""
        return max(0, self.cents - self.scheduled_cents)


def owed(account: Account) -> Owed:
    """Count own payments that the host does not show yet; a settlement paid at once leaves nothing."""
    return owed_of([account])[account.pk]


def owed_of(accounts: Sequence[Account]) -> dict[UUID, Owed]:
    """Count for several accounts at once, in two queries."""
    unposted = (
        Payment.objects.filter(account__in=accounts, status__in=Payment.COUNTED, acknowledged_at=None)
        .annotate(back_cents=Sum("entries__amount_cents", filter=Q(entries__book="debt", entries__reason="refund")))
        .order_by("intended_at", "pk")
    )
    waiting: dict[UUID, list[Payment]] = defaultdict(list)
    for payment in unposted:
        waiting[payment.account_id].append(payment)
    planned = Postdate.objects.filter(account__in=accounts, status__in=Postdate.OPEN).values("account_id")
    scheduled = dict(planned.annotate(cents=Sum("amount_cents")).values_list("account_id", "cents"))
    return {one.pk: _owed(one, waiting[one.pk], scheduled.get(one.pk, 0)) for one in accounts}


def _owed(account: Account, waiting: list[Payment], scheduled_cents: int) -> Owed:
    waiting_cents = sum(payment.amount_cents - (payment.back_cents or 0) for payment in waiting)
    settled = any(payment.purpose == "settlement" and payment.status != Payment.Status.INTENDED for payment in waiting)
    return Owed(
        cents=0 if settled else max(0, account.balance_cents - waiting_cents),
        waiting=tuple(waiting),
        as_of=account.as_of,
        waiting_cents=waiting_cents,
        scheduled_cents=scheduled_cents,
    )
