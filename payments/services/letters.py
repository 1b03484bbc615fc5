"""A notice by letter that left: whoever posts letters says so, and the debit that it announces may be made (PDC-05)."""

from datetime import date, datetime, time

from accounts import events
from accounts.calendars import local_date, utc_of_local
from accounts.models import Account
from payments.models import Notice, Postdate
from payments.rules import change_notices
from payments.rules.notices import letter_window
from payments.services import incidents

NOON = time(12)
"""A letter has a day and no hour."""
OUTSIDE = "letter_outside_window"


def left(*, postdate: Postdate, sent_on: date, by: str, account: Account, now: datetime) -> Notice | None:
    """Prove a notice of a post-date, whose account the caller has locked; told again it changes nothing.

    A changed payment may owe two letters, each with its window: one telling proves one of them, the most urgent that it
    fits. A letter that left outside of every window proves nothing: the notice stays due and staff are told.

    :returns: the notice; None where none is due by letter.
    """
    owed = Notice.objects.select_for_update().filter(postdate=postdate, channel="letter").order_by("send_by", "pk")
    rows = list(owed)
    waiting = [row for row in rows if row.status != Notice.Status.SENT]
    if not waiting:
        return None
    if known := [row for row in rows if row not in waiting and row.proof.get("local_date") == sent_on.isoformat()]:
        return known[0]
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


def _fits(row: Notice, sent_on: date, due_on: date) -> bool:
    """Tell whether a letter that left on a day announces what its notice is about in time."""
    if row.kind in change_notices.KINDS:
        return row.earliest_on <= sent_on <= (row.send_by or row.latest_on)
    return sent_on in letter_window(due_on)
