"""A notice by letter that left: whoever posts letters says so, and the debit that it announces may be made (PDC-05)."""

from datetime import date, datetime, time
from uuid import UUID

from django.db import transaction

from accounts import events
from accounts.calendars import local_date, utc_of_local
from accounts.models import Account, Event
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Notice, Postdate
from payments.rules import change_notices
from payments.rules.notices import letter_window
from payments.services import incidents
from payments.services.locks import lock_account

NOON = time(12)
"""A letter has a day and no hour."""
OUTSIDE = "letter_outside_window"
_SENTENCES = {
    "no_letter_due": gettext_noop("No letter about this payment is due."),
    "sent_in_the_future": gettext_noop("A letter cannot have left on a day that is not here yet."),
    "sent_too_early": gettext_noop("A letter cannot have left before it was asked for."),
    OUTSIDE: gettext_noop(
        "A letter about the payment on %(due_on)s must leave from %(first_on)s to %(last_on)s; one that left on "
        "another day proves nothing."
    ),
}


@transaction.atomic
def left_by_post(*, postdate_id: UUID, sent_on: date, by: str, now: datetime) -> Notice | list[Refusal]:
    """Record that a letter about a post-date left, told by whoever posted it; told again it changes nothing.

    A day that proves nothing is refused, and nothing is written.

    :raises Postdate.DoesNotExist: the acting agency has no such post-date.
    """
    account = lock_account(Postdate.objects.values_list("account_id", flat=True).get(pk=postdate_id))
    postdate = Postdate.objects.get(pk=postdate_id)
    rows, waiting, known = _letters(postdate, sent_on)
    if not rows:
        return [_no("no_letter_due")]
    if known or not waiting:
        return known or rows[-1]
    zone = account.consumer.time_zone
    if sent_on > local_date(now, zone):
        return [_no("sent_in_the_future", "sent_on")]
    asked = Event.objects.filter(account=account, kind="letter.required", data__postdate=str(postdate.pk))
    asked_at = asked.order_by("account_seq").values_list("occurred_at", flat=True).first()
    if asked_at is not None and sent_on < local_date(asked_at, zone):
        return [_no("sent_too_early", "sent_on")]
    if not any(_fits(row, sent_on, postdate.due_on) for row in waiting):
        first_on, last_on = _window(waiting[0], postdate.due_on)
        return [_no(OUTSIDE, "sent_on", due_on=postdate.due_on, first_on=first_on, last_on=last_on)]
    return left(postdate=postdate, sent_on=sent_on, by=by, account=account, now=now)


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def left(*, postdate: Postdate, sent_on: date, by: str, account: Account, now: datetime) -> Notice | None:
    """Prove a notice of a post-date, whose account the caller has locked; told again it changes nothing.

    A changed payment may owe two letters, each with its window: one telling proves one of them, the most urgent that it
    fits. A letter that left outside of every window proves nothing: the notice stays due and staff are told.

    :returns: the notice; None where none is due by letter.
    """
    _rows, waiting, known = _letters(postdate, sent_on)
    if known or not waiting:
        return known
    zone = account.consumer.time_zone
    came = sent_on <= local_date(now, zone)
    row = next((one for one in waiting if came and _fits(one, sent_on, postdate.due_on)), None)
    about = {
        "notice": str((row or waiting[0]).pk),
        "postdate": str(postdate.pk),
        "sent_on": sent_on.isoformat(),
        "by": by,
    }
    if row is None:
        incidents.open(kind=OUTSIDE, key=str(waiting[0].pk), now=now, account=account, data=about)
        return waiting[0]
    row.status, row.sent_at = Notice.Status.SENT, utc_of_local(sent_on, NOON, zone)
    row.proof = row.proof | {"local_date": sent_on.isoformat(), "time_zone": zone, "by": by}
    row.save(update_fields=["status", "sent_at", "proof"])
    told = {"kind": row.kind, "channel": row.channel, "owner": row.owner, "due_on": postdate.due_on.isoformat()}
    events.record("notice.sent", account=account, now=now, data=about | told | {"proof": row.proof})
    return row


def _letters(postdate: Postdate, sent_on: date) -> tuple[list[Notice], list[Notice], Notice | None]:
    """Lock the notices by letter about a post-date: all, those not proven yet, and the one that this day proved."""
    owed = Notice.objects.select_for_update().filter(postdate=postdate, channel="letter").order_by("send_by", "pk")
    rows = list(owed)
    waiting = [row for row in rows if row.status != Notice.Status.SENT]
    known = [row for row in rows if row not in waiting and row.proof.get("local_date") == sent_on.isoformat()]
    return rows, waiting, next(iter(known), None)


def _fits(row: Notice, sent_on: date, due_on: date) -> bool:
    """Tell whether a letter that left on a day announces what its notice is about in time."""
    first_on, last_on = _window(row, due_on)
    return first_on <= sent_on <= last_on


def _window(row: Notice, due_on: date) -> tuple[date, date]:
    if row.kind in change_notices.KINDS:
        return row.earliest_on, row.send_by or row.latest_on
    window = letter_window(due_on)
    return window.earliest, window.latest
