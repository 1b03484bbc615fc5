"""When a scheduled payment that failed is tried again by itself, or why it is not (section 5, ACH-09).

The limits themselves are those of `attempts`, which the gates ask again at the next try. Pure: values in, values out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from accounts.calendars import (
    add_business_days,
    fed,
    local_date,
    local_time,
    roll_forward,
    utc_of_local,
)
from payments.rules.attempts import (
    MASTERCARD_DECLINES_IN_24_HOURS,
    FailedAttempt,
    check_bank_tries,
    check_card_tries,
)

# No scheduled charge earlier where the consumer lives, a second try neither (PDC-02).
EARLIEST_TIME = time(8)
# What a bank debit that is sent again must say (ACH-09).
RETRY_DESCRIPTION = "RETRY PYMT"
# Between two tries of one bank debit, so that the money of a payday can arrive (section 4, R01).
BANKING_DAYS_APART = 3
_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NextTry:
    """Say when a machine tries again, or with `at` None why nobody does until the consumer acts.

    `why` is a code of `attempts`, or `authentication_required`: the consumer's bank wants to see them (CARD-12).
    """

    at: datetime | None
    why: str = ""


def next_try(*, kind: str, amount_cents: int, zone: str, failed: Sequence[FailedAttempt], brand: str = "") -> NextTry:
    """Say when the item whose latest try just failed is tried again.

    Cards: by class, A and B never, C at most twice, D once, after 72 hours or as the network's advice says, within
    Visa's and Mastercard's limits (CARD-07, CARD-08; our 15 tries in 30 days are below Mastercard's 35). Bank debits:
    R01 and R09 only, twice, three banking days apart, within 180 days of the first one sent, the same amount (ACH-09).

    :param failed: every failed try with this card or bank account; those of this item are marked `same_item`.
    :param zone: the consumer's, where no try begins before 08:00.
    """
    assert any(attempt.same_item for attempt in failed), "a retry follows a try of the same item"
    mine = sorted((attempt for attempt in failed if attempt.same_item), key=lambda attempt: attempt.at)
    return _bank(amount_cents, zone, mine) if kind == "ach" else _card(amount_cents, zone, brand, failed, mine[-1])


def _card(amount_cents: int, zone: str, brand: str, failed: Sequence[FailedAttempt], last: FailedAttempt) -> NextTry:
    if last.next_step == "authenticate":
        return NextTry(None, "authentication_required")
    at = from_eight(last.at + last.wait, zone)
    while codes := [one.code for one in check_card_tries(at, amount_cents, brand, failed, automatic=True)]:
        if codes != ["too_many_tries_day"]:
            return NextTry(None, next(code for code in codes if code != "too_many_tries_day"))
        # The day ends when the oldest of those that fill it is a day ago.
        day = sorted(attempt.at for attempt in failed if at - attempt.at < _DAY)
        at = from_eight(day[-MASTERCARD_DECLINES_IN_24_HOURS] + _DAY, zone)
    return NextTry(at)


def _bank(amount_cents: int, zone: str, mine: Sequence[FailedAttempt]) -> NextTry:
    returned_on = local_date(mine[-1].at, zone)
    again_on = add_business_days(returned_on, BANKING_DAYS_APART, fed)
    at = utc_of_local(again_on, EARLIEST_TIME, zone)
    codes = [one.code for one in check_bank_tries(at, amount_cents, mine)]
    return NextTry(None, codes[0]) if codes else NextTry(at)


def from_eight(at: datetime, zone: str) -> datetime:
    """Give the moment itself, or 08:00 of its day where the consumer lives if that is later (PDC-02)."""
    return at if local_time(at, zone) >= EARLIEST_TIME else utc_of_local(local_date(at, zone), EARLIEST_TIME, zone)


def run_on(due_on: date, kind: str) -> date:
    """Give the day on which an item is sent: bank debits wait for a banking day, never go before (CAL-02, CAL-03)."""
    return roll_forward(due_on, fed) if kind == "ach" else due_on
