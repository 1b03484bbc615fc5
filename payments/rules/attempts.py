"""How often a failed payment may be tried again: the networks' limits (CARD-07, CARD-08, ACH-09)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.refusals import Refusal, gettext_noop, refuse

# Visa allowed 15 until April 2026 and 20 since; the older and lower number stays our ceiling (CARD-07).
TRIES_IN_30_DAYS = 15
# Mastercard charges for the eleventh decline of a card within a day (CARD-08).
MASTERCARD_DECLINES_IN_24_HOURS = 10
_MONTH = timedelta(days=30)
_DAY = timedelta(hours=24)
ACH_RETRIES = 2
ACH_RETRY_PERIOD = timedelta(days=180)
ACH_RETRY_CODES = ("R01", "R09")


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """Hold a failed try with the same card or bank account, the consumer's own tries included.

    `at` is when it was known to have failed, `sent_at` when it was sent: the banks count from the first one sent.
    `grade`, `wait`, `automatic_retries` and `next_step` are those of `cards.decline`; `return_code` is a bank's.
    `same_item` is a try for the very payment that is judged now; its first one is no retry.
    """

    at: datetime
    amount_cents: int
    grade: str = ""
    wait: timedelta = timedelta()
    automatic_retries: int = 0
    return_code: str = ""
    same_item: bool = False
    next_step: str = ""
    sent_at: datetime | None = None


_SENTENCES = {
    "card_never_again": gettext_noop("This card was refused for good. Please use another way to pay."),
    "card_needs_consumer": gettext_noop("The details of this card must be checked before it is tried again."),
    "too_many_tries_month": gettext_noop("This amount was tried too often with this card in the last 30 days."),
    "too_many_tries_day": gettext_noop("This card was declined too often today. Please try again tomorrow."),
    "retry_too_soon": gettext_noop("It is too soon to try this card again."),
    "retries_used_up": gettext_noop("This payment was tried again as often as is allowed."),
    "return_not_retryable": gettext_noop("The bank's reason for returning this payment rules out another try."),
    "retry_too_late": gettext_noop("The first try is too long ago to try this payment again."),
    "retry_other_amount": gettext_noop("A returned payment can be tried again for the same amount only."),
}


def check_card_tries(
    now: datetime, amount_cents: int, brand: str, failed: Sequence[FailedAttempt], *, automatic: bool
) -> list[Refusal]:
    """List the limits that another try with this card would break.

    `automatic` is a try without the consumer present: it also waits and counts its retries.
    """
    codes = []
    month = [attempt for attempt in failed if now - attempt.at < _MONTH]
    if any(attempt.grade == "A" for attempt in failed):
        codes.append("card_never_again")
    if sum(attempt.amount_cents == amount_cents for attempt in month) >= TRIES_IN_30_DAYS:
        codes.append("too_many_tries_month")
    day = sum(now - attempt.at < _DAY for attempt in failed)
    if brand == "mastercard" and day >= MASTERCARD_DECLINES_IN_24_HOURS:
        codes.append("too_many_tries_day")
    mine = sorted((attempt for attempt in failed if attempt.same_item), key=lambda attempt: attempt.at)
    if automatic and mine:
        last = mine[-1]
        if last.grade == "B":
            codes.append("card_needs_consumer")
        elif len(mine) > last.automatic_retries and last.grade != "A":
            codes.append("retries_used_up")
        if now < last.at + last.wait:
            codes.append("retry_too_soon")
    return [refuse(_SENTENCES[code], code, field="method") for code in codes]


def check_bank_tries(now: datetime, amount_cents: int, failed: Sequence[FailedAttempt]) -> list[Refusal]:
    """List the reasons why a returned bank debit may not be sent again (ACH-09).

    Only the tries of the same payment count: a new payment needs and has its own authorization.
    """
    mine = sorted((attempt for attempt in failed if attempt.same_item), key=lambda attempt: attempt.at)
    if not mine:
        return []
    codes = []
    if mine[-1].return_code not in ACH_RETRY_CODES:
        codes.append("return_not_retryable")
    if len(mine) > ACH_RETRIES:
        codes.append("retries_used_up")
    if now - (mine[0].sent_at or mine[0].at) > ACH_RETRY_PERIOD:
        codes.append("retry_too_late")
    if mine[0].amount_cents != amount_cents:
        codes.append("retry_other_amount")
    return [refuse(_SENTENCES[code], code, field="method") for code in codes]
