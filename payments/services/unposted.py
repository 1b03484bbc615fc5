"""Own payments that hosts had not shown at a moment, for whole ranges of accounts: what a portfolio owes less."""

from datetime import datetime

from django.db.models import Q, Sum, TextField
from django.db.models.functions import Cast

from accounts.models import Event
from payments.models import Payment


def unposted(*, after: str | None, upto: str | None, at: datetime) -> dict[str, tuple[int, bool]]:
    """Sum up per account, by its id as text; True where a settlement was paid, so that nothing is owed.

    Says of the present what `payments.services.owed` says account by account. `after` and `upto` are account ids.
    """
    waiting = Payment.objects.filter(
        Q(status__in=Payment.COUNTED) | Q(decided_at__gt=at),
        Q(acknowledged_at=None) | Q(acknowledged_at__gt=at),
        intended_at__lte=at,
    )
    if after is not None:
        waiting = waiting.filter(account__gt=after)
    if upto is not None:
        waiting = waiting.filter(account__lte=upto)
    refunds = Q(entries__book="debt", entries__reason="refund", entries__at__lte=at)
    columns = ("pk", "amount_cents", "purpose", "status", "decided_at")
    rows = waiting.annotate(
        key=Cast("account_id", TextField()), back_cents=Sum("entries__amount_cents", filter=refunds)
    )
    rows = list(rows.values_list("key", "back_cents", *columns))
    moved = {str(row[2]): row[0] for row in rows if row[-1] and row[-1] > at}
    taken = _taken(moved, at) if moved else set()
    found: dict[str, tuple[int, bool]] = {}
    for key, back_cents, pk, amount_cents, purpose, status, _decided_at in rows:
        cents, settled = found.get(key, (0, False))
        decided = str(pk) in taken if str(pk) in moved else status != Payment.Status.INTENDED
        found[key] = (cents + amount_cents - (back_cents or 0), settled or (purpose == "settlement" and decided))
    return found


def _taken(moved: dict[str, str], at: datetime) -> set[str]:
    """Find which of these payments were on their way or taken at the moment; the events kept it.

    :param moved: payments that were decided later, and their accounts.
    """
    kinds = ("payment.pending", "payment.succeeded", "payment.posted")
    told = Event.objects.filter(account__in=set(moved.values()), kind__in=kinds, occurred_at__lte=at)
    return set(told.values_list("data__payment", flat=True)) & moved.keys()
