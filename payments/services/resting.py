"""What a person asks of one arrangement: rest it, go on with it, look at it later; refused where it would not be so.

`life` rests and resumes whatever runs on an account. Here somebody means the arrangement that they saw, which may have
ended, or been replaced, since.
"""

from datetime import date, datetime

from django.db import transaction

from accounts.calendars import local_date
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Arrangement
from payments.services import life
from payments.services.locks import lock_account
from payments.services.sign import Refused
from payments.services.standstill import stands_still

__all__ = ["Refused", "look_after", "pause", "resume"]

Status = Arrangement.Status
_SENTENCES = {
    "pause_ends_in_past": gettext_noop("Write a day that is not over."),
    "arrangement_not_running": gettext_noop("This arrangement has ended."),
    "arrangement_not_paused": gettext_noop("This arrangement is not paused."),
    "collection_stands_still": gettext_noop("A dispute or a question of the consumer is open."),
}


@transaction.atomic
def pause(*, arrangement: Arrangement, until: date | None, reason: str, now: datetime) -> Arrangement:
    """Rest an arrangement until the end of a day, or until somebody resumes it.

    :raises Refused: it does not run any more, or the day is over; nothing is written.
    """
    account, status = _locked(arrangement)
    found = _ended(status)
    if until is not None and until < local_date(now, account.consumer.time_zone):
        found.append(_no("pause_ends_in_past", "until"))
    if found:
        raise Refused(found)
    return life.pause(account=account, until=until, reason=reason, now=now)


@transaction.atomic
def resume(*, arrangement: Arrangement, looked_at: bool, now: datetime) -> Arrangement:
    """Go on with an arrangement that rests.

    :param looked_at: a person looked at it, so one that waits for that goes on as well.
    :raises Refused: it does not rest, or what the consumer said stops collection (RF-32); nothing is written.
    """
    account, status = _locked(arrangement)
    rests = (Status.PAUSED, Status.REVIEW) if looked_at else (Status.PAUSED,)
    if status not in rests:
        raise Refused([_no("arrangement_not_paused")])
    if stands_still(account.pk):
        raise Refused([_no("collection_stands_still")])
    return life.resume(account=account, now=now)


@transaction.atomic
def look_after(*, arrangement: Arrangement, instalments: int | None, now: datetime) -> Arrangement:
    """Have a person look at an arrangement once so many instalments are paid; None asks for nobody any more.

    :raises Refused: it does not run any more; nothing is written.
    """
    _account, status = _locked(arrangement)
    if found := _ended(status):
        raise Refused(found)
    return life.suspend_after(arrangement=arrangement, instalments=instalments, now=now)


def _locked(arrangement: Arrangement) -> tuple[Account, str]:
    """Lock an arrangement's account and read its status: one that runs is then the account's only one."""
    account = lock_account(arrangement.account_id)
    return account, Arrangement.objects.values_list("status", flat=True).get(pk=arrangement.pk)


def _ended(status: str) -> list[Refusal]:
    return [] if status in Arrangement.LIVE else [_no("arrangement_not_running")]


def _no(code: str, field: str | None = None) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field)
