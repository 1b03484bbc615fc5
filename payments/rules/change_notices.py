"""The written notice before a debit that is not the one that was signed: another amount, or another day.

An amount that varies: ten calendar days (EFT-04, ACH-08). A day that moves: seven (ACH-08); by card seven working days
for either (CARD-06). Later than that the debit moves, never the notice. All dates are the consumer's local dates;
working days are those of the `strict` calendar.
"""

from datetime import date, timedelta

from accounts.calendars import add_business_days, roll_back, strict
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.rules.notices import Window

VARYING, DATE_CHANGE = "varying", "date_change"
KINDS = (VARYING, DATE_CHANGE)
DAYS = {VARYING: 10, DATE_CHANGE: 7}
CARD_WORKING_DAYS = 7
VARYING_TARGET_DAYS = 12
"""Two days of slack: a notice that comes back can still become a letter or another day."""
POST_BUSINESS_DAYS = 5
"""How long a letter takes, as before any other debit (PDC-05)."""
SEARCH_DAYS = 60

_SENTENCES = {
    "change_notice_not_proven": gettext_noop("No notice of the changed payment on %(due_on)s is proven."),
    "change_notice_too_late": gettext_noop(
        "The notice of the changed payment on %(due_on)s was sent on %(sent_on)s. The last day for it was"
        " %(latest_on)s."
    ),
    "change_notice_impossible": gettext_noop(
        "The consumer must be told of it %(days)s days before. Choose a day from %(first_on)s."
    ),
}


def window(kind: str, due_on: date, told_on: date, method: str) -> Window:
    """Give the days for an electronic notice of a change that is known since `told_on`.

    A moved day is told at once; an amount twelve days ahead, so that it is fresh, or at once when that is over.
    """
    latest = due_on - timedelta(days=DAYS[kind])
    if method == "card":
        latest = min(latest, add_business_days(roll_back(due_on, strict), -CARD_WORKING_DAYS, strict))
    target = told_on
    if kind == VARYING:
        day_before = add_business_days(latest, -1, strict)
        target = max(told_on, roll_back(min(day_before, due_on - timedelta(days=VARYING_TARGET_DAYS)), strict))
    return Window(told_on, target, latest)


def letter_window(kind: str, due_on: date, told_on: date, method: str) -> Window:
    """Give the days on which a letter may leave: five business days earlier, and at once."""
    latest = window(kind, due_on, told_on, method).latest
    return Window(told_on, told_on, add_business_days(roll_back(latest, strict), -POST_BUSINESS_DAYS, strict))


def of(kind: str, due_on: date, told_on: date, method: str, channel: str) -> Window:
    """Give the window of a channel: `email` or `letter`."""
    return (letter_window if channel == "letter" else window)(kind, due_on, told_on, method)


def first_day(kind: str, told_on: date, method: str, channel: str) -> date:
    """Give the first day on which a changed debit can still be announced in time."""
    days = (told_on + timedelta(days=number) for number in range(DAYS[kind], SEARCH_DAYS))
    return next(day for day in days if of(kind, day, told_on, method, channel).latest >= told_on)


def check_in_time(kind: str, due_on: date, told_on: date, method: str, channel: str) -> list[Refusal]:
    """Refuse a change that cannot be announced in time any more."""
    if of(kind, due_on, told_on, method, channel).latest >= told_on:
        return []
    first_on = first_day(kind, told_on, method, channel)
    said = {"days": DAYS[kind], "first_on": first_on}
    return [refuse(_SENTENCES["change_notice_impossible"], "change_notice_impossible", field="to_on", **said)]


def check_proof(kind: str, due_on: date, sent_on: date | None, method: str, channel: str) -> list[Refusal]:
    """Say why a changed debit lacks its proof of notice; an empty list where nothing was changed or all is well."""
    if not kind:
        return []
    if sent_on is None:
        return [refuse(_SENTENCES["change_notice_not_proven"], "change_notice_not_proven", due_on=due_on)]
    latest = of(kind, due_on, sent_on, method, channel).latest
    if sent_on > latest:
        said = {"due_on": due_on, "sent_on": sent_on, "latest_on": latest}
        return [refuse(_SENTENCES["change_notice_too_late"], "change_notice_too_late", **said)]
    return []
