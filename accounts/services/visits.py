"""Begin, follow and end a consumer's visit. The session cookie only points at the row; ending the row ends it all."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import events
from accounts.known import known
from accounts.models import Account, Consumer, Visit

SESSION_KEY = "visit"
SEEN_EVERY = timedelta(seconds=1)
"""How often a page view is written down; the idle limit is at most that much shorter."""
SEEN = "SET LOCAL synchronous_commit = off; UPDATE accounts_visit SET seen_at = %s WHERE id = %s"
"""Sent as one, which is a transaction of its own: no page waits for the disk to know that somebody is there."""


def begin(request: HttpRequest, *, account: Account, now: datetime) -> Visit:
    """Sign a consumer in at level 1 under a new session id (AUTH-08), ending what this browser had open."""
    with transaction.atomic():
        if request.visit is not None:
            end(visit=request.visit, reason="replaced", now=now)
        visit = Visit.objects.create(
            consumer_id=account.consumer_id,
            account=account,
            started_at=now,
            seen_at=now,
            language=request.LANGUAGE_CODE[:2],
            ip=request.ip,
            user_agent=request.headers.get("User-Agent", "")[:300],
        )
        with events.context(actor=f"consumer:{account.consumer_id}", request_id=request.id):
            about = {"visit": str(visit.pk), "level": visit.level, "language": visit.language}
            events.record("consumer.identified", account=account, now=now, data=about)
            events.record("session.started", account=account, now=now, data=about)
    request.session.flush()
    request.session[SESSION_KEY] = str(visit.pk)
    request.visit = visit
    return visit


@known
def _open_visit(key: UUID) -> QuerySet[Visit]:
    return Visit.objects.select_related("consumer", "account__client").filter(pk=key, ended_at__isnull=True)


def current(request: HttpRequest, *, now: datetime) -> Visit | None:
    """Return the live visit of this browser at this agency, and note that it was seen; one that was idle is ended.

    So is, as `expired`, one as long as a session may be (AUTH-08): whoever was busy all the time logs in again.
    """
    try:
        key = UUID(request.session.get(SESSION_KEY, ""))
    except ValueError:
        return None
    if (visit := _open_visit.first(key)) is None:
        return None
    visit.account.agency = request.agency
    idle = now - visit.seen_at
    if idle > timedelta(seconds=settings.IDLE_SECONDS):
        end(visit=visit, reason="idle", now=now)
        return None
    if now - visit.started_at > timedelta(seconds=settings.SESSION_COOKIE_AGE):
        end(visit=visit, reason="expired", now=now)
        del request.session[SESSION_KEY]  # the page about idle visits is not theirs
        return None
    if idle > SEEN_EVERY:
        with connection.cursor() as cursor:
            cursor.execute(SEEN, [now, key])
        visit.seen_at = now
    return visit


def step_up(*, visit: Visit, now: datetime) -> None:
    """Raise the visit to level 2 after a correct code; its session needs a new id then (AUTH-08)."""
    with transaction.atomic():
        Visit.objects.filter(pk=visit.pk).update(level=Visit.Level.CONFIRMED)
        visit.level = Visit.Level.CONFIRMED
        events.record("consumer.stepped_up", account=visit.account, now=now, data={"visit": str(visit.pk)})
        events.record("consumer.logged_in", account=visit.account, now=now, data={"visit": str(visit.pk), "level": 2})


def end(*, visit: Visit, reason: str, now: datetime) -> None:
    """End a visit once; a visit that began to pay and did not is told as abandoned."""
    with transaction.atomic():
        # Before the visit, as everywhere: its event counts on the account.
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=visit.account_id)
        ended = Visit.objects.filter(pk=visit.pk, ended_at__isnull=True).update(ended_at=now, end_reason=reason)
        if not ended:
            return
        visit = Visit.objects.select_related("account").get(pk=visit.pk)
        about = {"visit": str(visit.pk), "reason": reason}
        abandoned = visit.payment_started_at is not None and visit.payment_made_at is None
        kind = "session.abandoned" if abandoned else "session.ended"
        events.record(kind, account=visit.account, now=now, data=about | {"payment_started": abandoned})


def end_idle(*, now: datetime, limit: int = 500) -> int:
    """End every visit nobody has been seen in for the idle limit; return how many (beat, all agencies)."""
    horizon = now - timedelta(seconds=settings.IDLE_SECONDS)
    idle = Visit.objects.filter(ended_at__isnull=True, seen_at__lt=horizon).order_by("seen_at")[:limit]
    count = 0
    for visit in idle:
        end(visit=visit, reason="idle", now=now)
        count += 1
    return count


def end_all_of(*, consumer_id: UUID, reason: str, now: datetime) -> None:
    """End every open visit of a consumer: a change of linked accounts must not show in an open session (RF-11)."""
    for visit in Visit.objects.filter(consumer_id=consumer_id, ended_at__isnull=True):
        end(visit=visit, reason=reason, now=now)


def speak(*, visit: Visit, language: str, now: datetime) -> None:
    """Remember the language a consumer chose and tell the host once per change (LANG-02)."""
    with transaction.atomic():
        changed = Consumer.objects.filter(pk=visit.consumer_id).exclude(language=language).update(language=language)
        Visit.objects.filter(pk=visit.pk).update(language=language)
        if changed:
            events.record("language.set", account=visit.account, now=now, data={"language": language})


def seen_page(*, visit: Visit, account: Account, page: str, now: datetime) -> None:
    """Tell the host that a page about this account was seen."""
    with transaction.atomic():
        events.record("page.viewed", account=account, now=now, data={"page": page, "visit": str(visit.pk)})
