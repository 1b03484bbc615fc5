"""Times that do not suit a consumer: said, kept free by the gate, and ended when they change (RF-04)."""

from collections.abc import Sequence
from datetime import datetime, time

from django.db import transaction

from accounts import events
from accounts.models import Consumer, QuietTime

MOST = 50
"""Live times of one consumer; more are a way of saying stop, for which there is a button."""


class TooMany(Exception):
    """End some first."""


@transaction.atomic
def add(
    *, consumer: Consumer, weekdays: Sequence[int], starts: time, ends: time, source: str, now: datetime
) -> list[QuietTime]:
    """Keep hours of these weekdays free; what is said already is not said twice.

    :raises TooMany: and nothing is written.
    """
    assert starts < ends
    Consumer.objects.select_for_update(no_key=True).only("pk").get(pk=consumer.pk)
    live = QuietTime.objects.filter(consumer=consumer, ended_at=None)
    known = set(live.filter(starts=starts, ends=ends).values_list("weekday", flat=True))
    fresh = [day for day in weekdays if day not in known]
    if live.count() + len(fresh) > MOST:
        raise TooMany
    made = [
        QuietTime.objects.create(consumer=consumer, weekday=day, starts=starts, ends=ends, source=source, at=now)
        for day in fresh
    ]
    for row in made:
        _tell(row, ended=False, now=now)
    return made


@transaction.atomic
def end(*, row: QuietTime, now: datetime) -> bool:
    """Let these hours suit again; False when they did already."""
    if not QuietTime.objects.filter(pk=row.pk, ended_at=None).update(ended_at=now):
        return False
    _tell(row, ended=True, now=now)
    return True


def _tell(row: QuietTime, *, ended: bool, now: datetime) -> None:
    """Tell the host, which keeps such times too (EVT-01)."""
    said = {"weekday": row.weekday, "starts": f"{row.starts:%H:%M}", "ends": f"{row.ends:%H:%M}", "ended": ended}
    about = {"inconvenient_time": said | {"source": row.source}}
    events.record("consumer.contact_changed", consumer=row.consumer_id, now=now, data=about)
