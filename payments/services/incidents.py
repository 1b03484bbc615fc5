"""The exception queue: what staff must look at and close. The same matter is open once, however often it is found."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts import events
from accounts.known import known
from accounts.models import Account
from payments.models import Incident, Payment


def open(
    *,
    kind: str,
    key: str,
    now: datetime,
    severity: str = Incident.Severity.WARNING,
    account: Account | None = None,
    payment: Payment | None = None,
    data: dict[str, Any] | None = None,
) -> Incident:
    """Open a matter and tell it, or note that an open one was seen again; nothing is told twice.

    :param key: names the matter among those of its kind: a payment's id, a day, a merchant account.
    :param data: amounts in cents; never a number of a card or bank account. The event tells it flat.
    """
    told = data or {}
    with transaction.atomic():
        if (known := _seen(kind, key, now)) is not None:
            return known
        values = {"severity": severity, "account": account, "payment": payment, "data": told}
        try:
            with transaction.atomic():
                row = Incident.objects.create(kind=kind, key=key, opened_at=now, seen_at=now, **values)
        except IntegrityError:
            # Somebody else opened it in the same moment.
            if (known := _seen(kind, key, now)) is None:
                raise
            return known
        about = {"incident": str(row.pk), "what": kind, "key": key, "severity": severity}
        if payment is not None:
            about["payment"] = str(payment.pk)
        events.record("incident.opened", account=account, now=now, data=told | about)
    return row


@known
def _open(kind: str, key: str) -> QuerySet[Incident]:
    return Incident.objects.filter(kind=kind, key=key, closed_at=None)


def _seen(kind: str, key: str, now: datetime) -> Incident | None:
    row = _open.first(kind, key)
    if row is not None and row.seen_at < now:
        row.seen_at = now
        row.save(update_fields=["seen_at"])
    return row


def close(*, incident: Incident, by: str, note: str, now: datetime) -> Incident:
    """Close a matter with who did it and why; a closed one stays as it was closed."""
    still = Incident.objects.filter(pk=incident.pk, closed_at=None)
    still.update(closed_at=now, closed_by=by[:80], note=note[:300])
    return Incident.objects.get(pk=incident.pk)
