"""Watch the rates at which an agency's bank debits come back, and stop before the network does (ACH-11, ACH-12)."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q

from payments.models import Incident, Payment, ProcessorAccount
from payments.rules import meters as rules
from payments.rules import returns
from payments.rules.meters import Meter
from payments.services import incidents

BACK = (Payment.Status.RETURNED, Payment.Status.DECLINED)
CAME_BACK = Q(network_decline_code__startswith="R") | Q(decline_code__in=returns.TABLE)
SENT = Q(status__in=(*Payment.COUNTED, Payment.Status.RETURNED))
SENT |= Q(status=Payment.Status.DECLINED, executor="host") & CAME_BACK
"""A debit of a host that failed with a bank's code was sent there."""
KINDS = {60: "return_rate_60", 80: "return_rate_80", 100: "return_rate_100"}
SEVERITIES = {60: Incident.Severity.NOTICE, 80: Incident.Severity.WARNING, 100: Incident.Severity.URGENT}


def meters(*, now: datetime) -> dict[UUID | None, tuple[Meter, ...]]:
    """Read the acting agency's rates over the last 60 days, by merchant account; one query.

    A debit belongs to the merchant account at which its bank account was validated.
    """
    since = now - timedelta(days=rules.WINDOW_DAYS)
    sent = Payment.objects.filter(SENT, kind="ach", intended_at__gt=since, intended_at__lte=now)
    rows = sent.values_list("method__processor_account", "status", "network_decline_code", "decline_code").annotate(
        number=Count("pk")
    )
    debits: Counter[UUID | None] = Counter()
    returned: dict[UUID | None, Counter[str]] = {}
    for merchant, status, network_code, decline_code, number in rows:
        debits[merchant] += number
        if status in BACK:
            returned.setdefault(merchant, Counter())[returns.code_of(network_code, decline_code)] += number
    return {merchant: rules.read(number, returned.get(merchant, {})) for merchant, number in debits.items()}


def check(*, now: datetime) -> dict[UUID | None, tuple[Meter, ...]]:
    """Alert staff at 60 and 80 percent of each limit, and pause new bank payments at the unauthorized one.

    Each alert is an incident that is open once; a pause is taken back by staff only.
    """
    found = meters(now=now)
    for merchant, readings in found.items():
        for reading in readings:
            if reading.level:
                _alert(merchant, reading, now)
            if reading.pauses and merchant is not None:
                pause(merchant=merchant, reason=f"{reading.name} {reading.returned} of {reading.debits}", now=now)
    return found


def _alert(merchant: UUID | None, reading: Meter, now: datetime) -> None:
    incidents.open(
        kind=KINDS[reading.level],
        key=f"{reading.name}:{merchant or 'host'}",
        severity=SEVERITIES[reading.level],
        now=now,
        data={
            "rate": reading.name,
            "returned": reading.returned,
            "debits": reading.debits,
            "rate_bps": reading.rate_bps,
            "limit_bps": reading.limit_bps,
            "merchant_account": str(merchant) if merchant else None,
        },
    )


@transaction.atomic
def pause(*, merchant: UUID, reason: str, now: datetime) -> bool:
    """Take no new bank payment at a merchant account from now on; tell whether that is new."""
    running = ProcessorAccount.objects.filter(pk=merchant, debits_paused_at=None)
    return bool(running.update(debits_paused_at=now, debits_paused_reason=reason[:120]))


@transaction.atomic
def resume(*, merchant: UUID) -> bool:
    """Take bank payments again, when staff say so."""
    stopped = ProcessorAccount.objects.filter(pk=merchant).exclude(debits_paused_at=None)
    return bool(stopped.update(debits_paused_at=None, debits_paused_reason=""))
