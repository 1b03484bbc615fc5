"""What nobody was told of in time is charged by nobody: it is held and shown to staff (PDC-01, ACH-08, EFT-04).

The gates ask for the proof of a notice before each charge of the portal. A host asks nobody, so what it charges is held
as soon as its notice cannot be given any more.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account
from payments.models import Notice, Postdate
from payments.rules.notices import notice_needed
from payments.services import incidents
from payments.services.arrange import hold

SILENT = "notice_not_proven"
"""Holds what nobody was told of in time; the gates say the same code."""
DAY_OVER = "day_is_over"
"""Holds what was planned for a day that had passed by then: no other day of ours was agreed to."""


@known
def _notices(postdates: Sequence[UUID]) -> QuerySet:
    return Notice.objects.filter(postdate__in=postdates).values_list("postdate_id", "status", "send_by")


def silent(planned: Sequence[Postdate], *, account: Account, today: date) -> list[Postdate]:
    """List the planned charges of which a notice was not given and cannot be given any more.

    :param planned: items of the account that somebody charges.
    """
    told: dict[UUID, list[bool]] = defaultdict(list)
    for pk, status, send_by in _notices([item.pk for item in planned]) if planned else ():
        told[pk].append(status == Notice.Status.SENT or (status == Notice.Status.DUE and send_by >= today))
    zone = account.consumer.time_zone
    return [
        item
        for item in planned
        if not all(told[item.pk])
        or (not told[item.pk] and notice_needed(local_date(item.created_at, zone), item.due_on))
    ]


def hold_silent(planned: Sequence[Postdate], *, account: Account, now: datetime) -> None:
    """Hold those that are still scheduled and of which nobody can be told in time any more."""
    late = silent(_scheduled(planned), account=account, today=local_date(now, account.consumer.time_zone))
    for item in late:
        hold(item, SILENT, account=account, now=now)
    tell_missed(late, account=account, now=now)


def hold_past(planned: Sequence[Postdate], *, account: Account, now: datetime) -> None:
    """Hold those that are scheduled for a day that has passed."""
    today = local_date(now, account.consumer.time_zone)
    past = [item for item in _scheduled(planned) if item.due_on < today]
    for item in past:
        hold(item, DAY_OVER, account=account, now=now)
    tell_missed(past, account=account, now=now)


def _scheduled(planned: Sequence[Postdate]) -> list[Postdate]:
    return [item for item in planned if item.status == Postdate.Status.SCHEDULED and item.method_id is not None]


def tell_missed(missed: Sequence[Postdate], *, account: Account, now: datetime) -> None:
    """Have staff agree anew with the consumer on what a hold kept past its day, or past the day of its notice."""
    if missed:
        told = {"postdates": [str(item.pk) for item in missed], "amount_cents": sum(one.amount_cents for one in missed)}
        incidents.open(kind="held_past_its_day", key=str(account.pk), now=now, account=account, data=told)
