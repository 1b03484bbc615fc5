"""What the law wants in writing: sent inside its window, proven, or turned into a letter (PDC-01, ST-03, ST-04)."""

from datetime import date, datetime, time
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.calendars import add_business_days, local_date, strict, utc_of_local
from accounts.known import known
from accounts.models import Account, Consumer
from campaigns.models import Message
from payments.models import Notice, Postdate, Statement
from payments.rules import change_notices
from payments.rules.notices import letter_send_by
from payments.services import postdates, statements

OPENS, CLOSES = time(8), time(21)
"""RF-01, where the consumer lives."""


def in_hours(*, zone: str, now: datetime) -> bool:
    """Tell whether an electronic message may leave now."""
    day = local_date(now, zone)
    return utc_of_local(day, OPENS, zone) <= now < utc_of_local(day, CLOSES, zone)


def next_opening(*, zone: str, now: datetime) -> datetime:
    """Give the next moment at which messages may leave."""
    day = local_date(now, zone)
    opens = utc_of_local(day, OPENS, zone)
    return opens if now < opens else utc_of_local(date.fromordinal(day.toordinal() + 1), OPENS, zone)


def next_business_day(*, consumer: Consumer, now: datetime) -> date:
    """Give the consumer's next business day."""
    return add_business_days(local_date(now, consumer.time_zone), 1, strict)


@known
def _notice(key: UUID) -> QuerySet[Notice]:
    return Notice.objects.select_related("postdate__account__consumer", "postdate__method").filter(pk=key)


def of(message: Message) -> Notice | None:
    """Give the notice that a message is, if it is one."""
    kind, _colon, key = message.cause.partition(":")
    return _notice.first(UUID(key)) if kind == "notice" else None


def proven(*, notice: Notice, message: Message, now: datetime) -> None:
    """Write the proof of sending on the notice, and tell the host."""
    notice.status = Notice.Status.SENT
    notice.sent_at = message.sent_at
    notice.proof = _proof(message, notice.postdate.account.consumer)
    notice.save(update_fields=["status", "sent_at", "proof"])
    _tell("notice.sent", notice, now=now, proof=notice.proof)


def not_delivered(*, notice: Notice, message: Message, reason: str, now: datetime) -> None:
    """Take the proof back while it still counts, and ask for a letter.

    After the last day of the window a sent notice stays proven: it was sent in time; the letter is for courtesy.
    """
    today = local_date(now, notice.postdate.account.consumer.time_zone)
    if notice.status == Notice.Status.DUE or today <= notice.latest_on:
        as_letter(notice=notice, reason=reason, now=now, was=str(message.pk))
    else:
        _require_letter(notice, reason=reason, now=now)


def as_letter(*, notice: Notice, reason: str, now: datetime, was: str = "") -> None:
    """Change an e-mail notice to a letter; one that a letter can no longer meet has failed, so nothing is charged."""
    today = local_date(now, notice.postdate.account.consumer.time_zone)
    send_by = _letter_by(notice, today)
    if today <= send_by:
        notice.channel, notice.send_by, notice.status = "letter", send_by, Notice.Status.DUE
        notice.sent_at = None
    else:
        notice.status = Notice.Status.FAILED
    notice.proof = notice.proof | {"failed": reason, "failed_at": now.isoformat()}
    notice.save(update_fields=["channel", "send_by", "status", "sent_at", "proof"])
    if notice.status == Notice.Status.FAILED:
        _tell("notice.failed", notice, now=now, reason=reason, message=was)
        # Without the notice there is no charge, whoever would make it: the host is asked to hold what it executes.
        postdates.hold(postdate=notice.postdate, reason="notice_failed", now=now)
    _require_letter(notice, reason=reason, now=now)


def statement_of(message: Message) -> Statement | None:
    """Give the statement that a message is, if it is one."""
    kind, _colon, key = message.cause.partition(":")
    return statements.find(key) if kind == "statement" else None


def statement_proven(*, row: Statement, message: Message, now: datetime) -> None:
    """Write the proof of sending on the statement."""
    proof = _proof(message, row.account.consumer)
    statements.proven(row=row, sent_at=message.sent_at, proof=proof, now=now)


def _proof(message: Message, consumer: Consumer) -> dict[str, str]:
    return {
        "message": str(message.pk),
        "provider_id": message.provider_id,
        "sent_at": message.sent_at.isoformat(),
        "local_date": local_date(message.sent_at, consumer.time_zone).isoformat(),
        "time_zone": consumer.time_zone,
        "to": message.contact_point.masked,
    }


def _letter_by(notice: Notice, today: date) -> date:
    """Give the last day on which a letter in place of this notice may leave."""
    postdate = notice.postdate
    if notice.kind == "predebit":
        return letter_send_by(postdate.due_on)
    return change_notices.letter_window(notice.kind, postdate.due_on, today, postdate.method.kind).latest


def letters_instead(*, consumer_id: UUID, reason: str, now: datetime) -> int:
    """Turn every e-mail notice still due to a consumer into a letter: e-mail no longer reaches them in writing."""
    with transaction.atomic():
        # Accounts first, in one order: everybody who moves a notice holds its account's lock.
        locked = Account.objects.select_for_update(no_key=True).filter(consumer_id=consumer_id).order_by("pk")
        accounts = [account.pk for account in locked.only("pk")]
        found = list(
            Notice.objects.select_related("postdate__account__consumer", "postdate__method")
            .select_for_update(of=("self",))
            .filter(
                postdate__account__in=accounts,
                postdate__status__in=Postdate.OPEN,
                status=Notice.Status.DUE,
                owner="portal",
                channel="email",
            )
            .order_by("postdate__due_on", "pk")
        )
        for notice in found:
            as_letter(notice=notice, reason=reason, now=now)
    return len(found)


def _require_letter(notice: Notice, *, reason: str, now: datetime) -> None:
    about = {"type": notice.kind, "send_by": notice.send_by.isoformat(), "reason": reason}
    _tell("letter.required", notice, now=now, **about)


def _tell(kind: str, notice: Notice, *, now: datetime, **more) -> None:
    about = {"notice": str(notice.pk), "postdate": str(notice.postdate_id), "kind": notice.kind}
    about |= {"channel": notice.channel, "owner": notice.owner, "due_on": notice.postdate.due_on.isoformat()}
    events.record(kind, account=notice.postdate.account, now=now, data=about | more)
