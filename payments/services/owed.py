"""What is owed now: the host's balance less what the portal took and the host does not show yet."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, Sum

from accounts.models import Account
from payments.models import Arrangement, Dispute, Payment, Postdate

LOOKS = 3
"""A host that posts faster than we read three times is believed as it is; a charge looks again under the lock."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Hold what is owed, the payments that the host has not shown yet, and how old the host's picture is.

    `scheduled_cents` is what post-dates will still take; it is part of what is owed, not less of it. `arranged` tells
    that an arrangement runs, `plan_left_cents` what is left of one that somebody charges; `disputed` that a dispute is
    open.
    """

    cents: int
    waiting: tuple[Payment, ...]
    as_of: datetime
    waiting_cents: int
    scheduled_cents: int = 0
    arranged: bool = False
    plan_left_cents: int | None = None
    disputed: bool = False

    @property
    def single_most_cents(self) -> int:
        """Give the most a single payment may be, so that no more than is owed is ever taken.

        While an arrangement is charged by somebody, what is paid extra shortens it from its end: so all that is left
        of it can be paid, but for what is on its way today or tomorrow (`plan_left_cents`).
        """
        if self.plan_left_cents is not None:
            return max(0, min(self.cents, self.plan_left_cents))
        return max(0, self.cents - self.scheduled_cents)


def owed(account: Account) -> Owed:
    """Count own payments that the host does not show yet; a settlement paid at once leaves nothing."""
    return owed_of([account])[account.pk]


def owed_of(accounts: Sequence[Account]) -> dict[UUID, Owed]:
    """Count for several accounts at once, in two queries.

    A host may post while we read: a balance from before and a payment list from after would count a payment never.
    So the balance is read again after the list, and both once more if it moved; the given accounts show it then.
    """
    for _look in range(LOOKS):
        waiting = _waiting(accounts)
        scheduled, moved = _read_again(accounts)
        if not moved:
            break
    return {one.pk: _owed(one, waiting[one.pk], *scheduled[one.pk]) for one in accounts}


def _waiting(accounts: Sequence[Account]) -> dict[UUID, list[Payment]]:
    unposted = (
        Payment.objects.filter(account__in=accounts, status__in=Payment.COUNTED, acknowledged_at=None)
        .annotate(back_cents=Sum("entries__amount_cents", filter=Q(entries__book="debt", entries__reason="refund")))
        .order_by("intended_at", "pk")
    )
    waiting: dict[UUID, list[Payment]] = defaultdict(list)
    for payment in unposted:
        waiting[payment.account_id].append(payment)
    return waiting


def _read_again(accounts: Sequence[Account]) -> tuple[dict[UUID, tuple[int, bool, bool]], bool]:
    """Return what post-dates will take and whether an arrangement runs, and whether a host changed an account.

    Its new balance is taken over.
    """
    # What the consumer pays by themselves is in nobody's way: paying is how it is kept.
    taken = Q(postdates__status__in=Postdate.OPEN, postdates__method__isnull=False)
    planned = Sum("postdates__amount_cents", filter=taken)
    live = Exists(Arrangement.objects.filter(account=OuterRef("pk"), status__in=Arrangement.LIVE))
    rows = Account.objects.filter(pk__in=[one.pk for one in accounts]).annotate(planned_cents=planned, arranged=live)
    rows = rows.annotate(disputed=Exists(Dispute.objects.filter(account=OuterRef("pk"), status=Dispute.Status.OPEN)))
    columns = ("pk", "planned_cents", "arranged", "disputed", "balance_cents", "as_of")
    said = {pk: rest for pk, *rest in rows.values_list(*columns)}
    moved = [one for one in accounts if said[one.pk][3:] != [one.balance_cents, one.as_of]]
    for one in moved:
        one.balance_cents, one.as_of = said[one.pk][3:]
    return {pk: (cents or 0, *flags) for pk, (cents, *flags, _balance, _as_of) in said.items()}, bool(moved)


def _owed(account: Account, waiting: list[Payment], scheduled_cents: int, arranged: bool, disputed: bool) -> Owed:
    waiting_cents = sum(payment.amount_cents - (payment.back_cents or 0) for payment in waiting)
    settled = any(payment.purpose == "settlement" and payment.status != Payment.Status.INTENDED for payment in waiting)
    return Owed(
        cents=0 if settled else max(0, account.balance_cents - waiting_cents),
        waiting=tuple(waiting),
        as_of=account.as_of,
        waiting_cents=waiting_cents,
        scheduled_cents=scheduled_cents,
        arranged=arranged,
        disputed=disputed,
    )
