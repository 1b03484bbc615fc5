"""The written notice before a scheduled debit: 15 USC 1692f(2), "other payment instrument" (PDC-01).

All dates are the consumer's local dates; business days are those of the `strict` calendar (PDC-04).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from accounts.calendars import add_business_days, business_days_between, roll_back, roll_forward, strict
from accounts.refusals import Refusal, gettext_noop, refuse

# A debit further away than this needs a notice; calendar days.
NO_NOTICE_DAYS = 5
EARLIEST_BUSINESS_DAYS = 10
LATEST_BUSINESS_DAYS = 3
TARGET_BUSINESS_DAYS = 5
# Our stricter reading of the ten days for what arrives at once.
EARLIEST_DAYS = 10
# A letter leaves early enough to arrive three business days before the debit (PDC-05).
LETTER_BUSINESS_DAYS = 8


@dataclass(frozen=True, slots=True)
class Window:
    """Bound the days on which a notice may be sent, both ends included; `target` is the day to plan for."""

    earliest: date
    target: date
    latest: date

    def __contains__(self, day: date) -> bool:
        return self.earliest <= day <= self.latest


def notice_needed(created_on: date, due_on: date) -> bool:
    """Tell whether the debit is more than five calendar days after the day it was agreed (PDC-01, PD-5)."""
    return (due_on - created_on).days > NO_NOTICE_DAYS


@lru_cache(maxsize=4_096)
def predebit_window(due_on: date) -> Window:
    """Give the days for an electronic notice: from max(D-10 business days, D-10 days) to D-3 business days.

    The target is D-5 business days, moved to the next business day inside the window (PD-1 to PD-4). A
    debit on a closed day counts back from the business day before it, so that no reading finds too few.
    """
    earliest = max(_before(due_on, EARLIEST_BUSINESS_DAYS), due_on - timedelta(days=EARLIEST_DAYS))
    latest = _before(due_on, LATEST_BUSINESS_DAYS)
    target = roll_forward(max(_before(due_on, TARGET_BUSINESS_DAYS), earliest), strict)
    return Window(earliest, min(target, latest), latest)


@lru_cache(maxsize=4_096)
def letter_window(due_on: date) -> Window:
    """Give the days on which a letter may leave: from D-10 to D-8 business days (PDC-05)."""
    earliest, latest = _before(due_on, EARLIEST_BUSINESS_DAYS), letter_send_by(due_on)
    return Window(earliest, earliest, latest)


def letter_send_by(due_on: date) -> date:
    """Give the last day on which the letter may leave for a consumer without E-SIGN consent (PDC-05)."""
    return _before(due_on, LETTER_BUSINESS_DAYS)


def _before(due_on: date, business_days: int) -> date:
    return add_business_days(roll_back(due_on, strict), -business_days, strict)


_SENTENCES = {
    "notice_not_proven": gettext_noop("No notice of the payment on %(due_on)s is proven."),
    "notice_too_late": gettext_noop(
        "The notice of the payment on %(due_on)s was sent on %(sent_on)s. The last day for it was %(latest_on)s."
    ),
    "notice_too_early": gettext_noop(
        "The notice of the payment on %(due_on)s was sent on %(sent_on)s. The first day for it was %(earliest_on)s."
    ),
    "letter_too_late": gettext_noop(
        "A letter about the payment on %(due_on)s cannot arrive in time. Choose a day up to %(near_on)s or"
        " from %(far_on)s, or agree to electronic documents."
    ),
}


def check_notice(created_on: date, due_on: date, sent_on: date | None, channel: str = "email") -> list[Refusal]:
    """Say why a scheduled debit lacks its proof of notice; an empty list where none is needed or all is well.

    `sent_on` is the consumer's local date of the proven sending, `channel` is `email` or `letter`.
    """
    if not notice_needed(created_on, due_on):
        return []
    if sent_on is None:
        return [refuse(_SENTENCES["notice_not_proven"], "notice_not_proven", due_on=due_on)]
    window = letter_window(due_on) if channel == "letter" else predebit_window(due_on)
    dates: dict[str, Any] = {"due_on": due_on, "sent_on": sent_on}
    if sent_on > window.latest:
        return [refuse(_SENTENCES["notice_too_late"], "notice_too_late", latest_on=window.latest, **dates)]
    if sent_on < window.earliest:
        return [refuse(_SENTENCES["notice_too_early"], "notice_too_early", earliest_on=window.earliest, **dates)]
    return []


def check_letters(due_dates: Sequence[date], created_on: date) -> list[Refusal]:
    """Refuse the dates that are too far for no notice and too near for a letter (PDC-05).

    For a consumer without E-SIGN consent only; with consent every date can be announced in time.
    """
    near_on = created_on + timedelta(days=NO_NOTICE_DAYS)
    return [
        refuse(
            _SENTENCES["letter_too_late"],
            "letter_too_late",
            field=f"lines.{index}.due_on",
            due_on=due_on,
            near_on=near_on,
            far_on=_first_day_for_a_letter(created_on),
        )
        for index, due_on in enumerate(due_dates)
        if notice_needed(created_on, due_on) and letter_send_by(due_on) < created_on
    ]


def _first_day_for_a_letter(created_on: date) -> date:
    day = add_business_days(roll_forward(created_on, strict), LETTER_BUSINESS_DAYS, strict)
    assert business_days_between(created_on, day, strict) >= LETTER_BUSINESS_DAYS
    return day
