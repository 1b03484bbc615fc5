"""Hardship pauses: asked for, granted, ended; while one runs every channel is silent but for required notices."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts import events
from accounts.calendars import local_date
from accounts.models import Account, Consumer
from accounts.refusals import Refusal, gettext_noop, refuse
from accounts.tenancy import acting_for
from settlements.models import Hardship, HardshipPolicy

on_pause: list[Callable[[Account, date | None], None]] = []
"""Port: floors above pause what they planned for an account until the end of a day, or go on with it (None).

Called inside the transaction of the grant or the end. Empty pauses nothing: there is nothing planned then.
"""

ADVICE = (
    {
        "name": "National Foundation for Credit Counseling",
        "url": "https://www.nfcc.org/",
        "phone": "1-800-388-2227",
        "text": {
            "en": "Nonprofit counselors who look at all your bills with you.",
            "es": "Asesores sin fines de lucro que revisan con usted todas sus cuentas.",
        },
    },
    {
        "name": "211 helpline",
        "url": "https://www.211.org/",
        "phone": "211",
        "text": {
            "en": "Help near you with rent, food, power and health, at any hour.",
            "es": "Ayuda cerca de usted con alquiler, comida, luz y salud, a toda hora.",
        },
    },
    {
        "name": "Consumer Financial Protection Bureau",
        "url": "https://www.consumerfinance.gov/consumer-tools/debt-collection/",
        "phone": "1-855-411-2372",
        "text": {
            "en": "Your rights with debt collectors, in plain words.",
            "es": "Sus derechos frente a los cobradores, en palabras sencillas.",
        },
    },
)
"""Free advice where the agency names none of its own (data per agency: HardshipPolicy.advice)."""

ASKABLE_DAYS = (30, 60, 90, 180)
WORDS_LIMIT = 2_000
BATCH = 500
Status = Hardship.Status

_SENTENCES = {
    "hardship_open": gettext_noop("You have asked for a pause already."),
    "days_not_offered": gettext_noop("Choose how long the pause should be."),
    "cause_unknown": gettext_noop("Choose what comes closest."),
    "words_too_long": gettext_noop("Please use at most %(most)s characters."),
    "consent_missing": gettext_noop("Tick the box, so that we may read what you send us."),
    "hardship_not_open": gettext_noop("This request was decided already."),
    "hardship_not_running": gettext_noop("No pause is running."),
    "ends_in_past": gettext_noop("The pause must end after %(today_on)s."),
    "ends_too_late": gettext_noop("The pause must end by %(limit_on)s."),
    "review_after_end": gettext_noop("The review must be between the beginning and the end of the pause."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def policy() -> HardshipPolicy:
    """Give the acting agency's policy, or the one that holds without any: staff decide, at most 90 days."""
    return HardshipPolicy.objects.first() or HardshipPolicy()


def advice() -> list[dict[str, Any]]:
    """List where free advice is to be had."""
    return list(policy().advice or ADVICE)


def days_offered(rules: HardshipPolicy) -> list[int]:
    """List how long a pause may be asked for."""
    return [days for days in ASKABLE_DAYS if days <= rules.longest_days] or [rules.longest_days]


def active(*, consumer: Consumer, today: date) -> Hardship | None:
    """Find the pause that runs today: whoever wants to write to the consumer asks first.

    It ends with its last day, whether or not anybody has written that down yet.
    """
    running = Hardship.objects.filter(consumer=consumer, status=Status.GRANTED, starts_on__lte=today)
    return running.filter(ends_on__gte=today).first()


def latest(consumer_id: Any) -> Hardship | None:
    """Find the last request of a consumer, whatever became of it."""
    return Hardship.objects.filter(consumer_id=consumer_id).select_related("account").order_by("-asked_at").first()


# Asking ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def request(
    *, account: Account, cause: str, words: str, days: int, consent: str, now: datetime, no_promise: str = ""
) -> list[Refusal] | Hardship:
    """Ask for a pause; where the agency's policy allows so many days it is granted at once.

    :param consent: the sentence that the consumer agreed to, empty without agreement (UK-13).
    :param no_promise: the sentence that stood beside the form (SOL-05), empty where none was shown by us.
    """
    consumer = Consumer.objects.select_for_update(no_key=True).get(pk=account.consumer_id)
    rules = policy()
    found: list[Refusal] = []
    if cause not in Hardship.Reason.values:
        found.append(_no("cause_unknown", "cause"))
    if days not in days_offered(rules):
        found.append(_no("days_not_offered", "days"))
    if len(words) > WORDS_LIMIT:
        found.append(_no("words_too_long", "words", most=WORDS_LIMIT))
    if not consent:
        found.append(_no("consent_missing", "consent"))
    if Hardship.objects.filter(consumer=consumer, status__in=Hardship.OPEN).exists():
        found.append(_no("hardship_open"))
    if found:
        return found
    row = Hardship.objects.create(
        account=account,
        consumer=consumer,
        cause=cause,
        words=words.strip(),
        consent=consent[:500],
        no_promise=no_promise,
        asked_days=days,
        asked_at=now,
    )
    # Of no cause: one that is left out when it is health would say that it is health (UK-13).
    events.record("hardship.requested", account=account, now=now, data=_about(row) | {"asked_days": days})
    if days <= rules.automatic_days:
        today = local_date(now, consumer.time_zone)
        _grant(row, ends_on=today + timedelta(days=days), review_on=None, by="system", automatic=True, now=now)
    return row


def _about(row: Hardship) -> dict[str, Any]:
    return {"hardship": str(row.pk), "reference": row.account.reference}


# Deciding -------------------------------------------------------------------------------------------------------


def _locked(hardship: Hardship) -> Hardship:
    """Lock in the order of everywhere: the consumer first, then the request."""
    Consumer.objects.select_for_update(no_key=True).only("pk").get(pk=hardship.consumer_id)
    joined = Hardship.objects.select_related("account", "consumer")
    return joined.select_for_update(of=("self",)).get(pk=hardship.pk)


@transaction.atomic
def grant(
    *, hardship: Hardship, by: str, now: datetime, ends_on: date | None = None, review_on: date | None = None
) -> list[Refusal]:
    """Grant a pause until a day, by default as long as was asked for; a granted one can be moved the same way."""
    row = _locked(hardship)
    if row.status not in Hardship.OPEN:
        return [_no("hardship_not_open")]
    today = local_date(now, row.consumer.time_zone)
    ends_on = ends_on or today + timedelta(days=row.asked_days)
    limit = (row.starts_on or today) + timedelta(days=policy().longest_days)
    found = []
    if ends_on <= today:
        found.append(_no("ends_in_past", "ends_on", today_on=today))
    if ends_on > limit:
        found.append(_no("ends_too_late", "ends_on", limit_on=limit))
    if review_on and not today <= review_on <= ends_on:
        found.append(_no("review_after_end", "review_on"))
    if not found:
        _grant(row, ends_on=ends_on, review_on=review_on, by=by, automatic=False, now=now)
        hardship.refresh_from_db()
    return found


def _grant(row: Hardship, *, ends_on: date, review_on: date | None, by: str, automatic: bool, now: datetime) -> None:
    today = local_date(now, row.consumer.time_zone)
    row.starts_on = row.starts_on or today
    row.ends_on = ends_on
    row.review_on = review_on or max(ends_on - timedelta(days=policy().review_days), today)
    row.status, row.automatic, row.decided_at, row.decided_by = Status.GRANTED, automatic, now, by
    row.reviewed_at, row.reviewed_by = None, ""
    covered = list(Account.objects.filter(consumer_id=row.consumer_id).order_by("pk"))
    row.paused = [str(account.pk) for account in covered]
    row.save()
    for account in covered:
        for hook in on_pause:
            hook(account, ends_on)
        about = {
            "starts_on": row.starts_on.isoformat(),
            "ends_on": ends_on.isoformat(),
            "review_on": row.review_on.isoformat(),
            "automatic": automatic,
        }
        events.record("hardship.granted", account=account, now=now, data=_about(row) | about)


@transaction.atomic
def decline(*, hardship: Hardship, by: str, reason: str, now: datetime) -> list[Refusal]:
    """Say no to a request, with the reason that its consumer reads."""
    row = _locked(hardship)
    if row.status != Status.REQUESTED:
        return [_no("hardship_not_open")]
    row.status, row.decided_at, row.decided_by, row.reason = Status.DECLINED, now, by, reason[:300]
    row.save(update_fields=["status", "decided_at", "decided_by", "reason"])
    events.record("hardship.declined", account=row.account, now=now, data=_about(row))
    hardship.refresh_from_db()
    return []


@transaction.atomic
def reviewed(*, hardship: Hardship, by: str, now: datetime) -> None:
    """Note that somebody looked at a pause again."""
    Hardship.objects.filter(pk=hardship.pk, reviewed_at=None).update(reviewed_at=now, reviewed_by=by)


def to_review(*, today: date):
    """Find the pauses that somebody should look at: their review day has come, or they ended unseen."""
    due = Q(status=Status.GRANTED, review_on__lte=today) | Q(status=Status.ENDED, ended_how="date")
    return Hardship.objects.filter(due, reviewed_at=None)


# Ending ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def end(*, hardship: Hardship, how: str, now: datetime) -> list[Refusal]:
    """End a pause early, or take back a request that nobody decided: by the `consumer` or by `staff`."""
    row = _locked(hardship)
    if row.status == Status.REQUESTED:
        row.status, row.ended_at, row.ended_how = Status.WITHDRAWN, now, how
        row.save(update_fields=["status", "ended_at", "ended_how"])
        about = {"how": "withdrawn", "review": False}
        events.record("hardship.ended", account=row.account, now=now, data=_about(row) | about)
    elif row.status == Status.GRANTED:
        _end(row, how=how, now=now)
    else:
        return [_no("hardship_not_running")]
    hardship.refresh_from_db()
    return []


def _end(row: Hardship, *, how: str, now: datetime) -> None:
    today = local_date(now, row.consumer.time_zone)
    row.status, row.ended_at, row.ended_how = Status.ENDED, now, how
    row.save(update_fields=["status", "ended_at", "ended_how"])
    for account in Account.objects.filter(pk__in=row.paused).order_by("pk"):
        for hook in on_pause:
            hook(account, None)
        about = {"how": how, "ended_on": today.isoformat(), "review": how == "date" and row.reviewed_at is None}
        events.record("hardship.ended", account=account, now=now, data=_about(row) | about)


def end_due(*, now: datetime, limit: int = BATCH) -> int:
    """End the pauses whose last day is over where their consumers live; return how many (all agencies)."""
    # A day more than UTC knows: some consumers live ahead of it.
    running = Hardship.objects.filter(status=Status.GRANTED, ends_on__lt=now.date() + timedelta(days=1))
    keys = list(running.order_by("ends_on", "pk").values_list("pk", "consumer_id", "agency_id")[:limit])
    count = 0
    for key, consumer_id, agency_id in keys:
        with acting_for(agency_id), transaction.atomic():
            Consumer.objects.select_for_update(no_key=True).only("pk").get(pk=consumer_id)
            joined = Hardship.objects.select_related("account", "consumer").select_for_update(of=("self",))
            row = joined.filter(pk=key, status=Status.GRANTED).first()
            if row is None or row.ends_on >= local_date(now, row.consumer.time_zone):
                continue
            _end(row, how="date", now=now)
            count += 1
    return count
