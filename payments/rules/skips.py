"""What happens to a due item that a gate stopped: it waits for a moment, or it is held for somebody. Pure.

Waiting is for what mends itself within days; everything else is held, with its reason, until the consumer or staff act.
What nobody was told of is not charged on another day of our choosing: that day was never authorized (PDC-01).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from accounts.calendars import utc_of_local
from payments.rules.retries import EARLIEST_TIME, from_eight

PATIENCE = timedelta(days=3)
"""What has not mended itself by then after the item could first have been charged is held."""

_WAITS = {
    # The host's next push or feed brings a new balance (STS-07).
    "balance_not_fresh": timedelta(hours=1),
    # An undecided payment is decided or voided within a quarter of an hour.
    "attempt_undecided": timedelta(minutes=15),
    "too_many_tries_day": timedelta(hours=24),
    "retry_too_soon": timedelta(hours=24),
    # Staff lift the pause of a merchant account; a notification of change is applied (ACH-11, ACH-13).
    "bank_payments_paused": timedelta(hours=24),
    "method_update_pending": timedelta(hours=24),
    "not_due_yet": timedelta(),
    "not_a_banking_day": timedelta(),
    "too_early_in_the_day": timedelta(),
}
_INCIDENTS = {
    "notice_not_proven": "charge_without_notice",
    "notice_too_late": "charge_without_notice",
    "notice_too_early": "charge_without_notice",
    "change_notice_not_proven": "charge_without_notice",
    "change_notice_too_late": "charge_without_notice",
    "authorization_missing": "charge_without_authorization",
    "authorization_not_covering": "charge_without_authorization",
    "stored_credential_missing": "charge_without_authorization",
    "balance_not_fresh": "balance_not_fresh",
    "card_disclosures_missing": "card_disclosures_missing",
    "more_than_owed": "more_planned_than_owed",
    "bank_not_validated": "bank_not_validated",
    "not_licensed": "not_licensed",
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """Say what becomes of a skipped item: it waits until `at`, or is held for `held_for`; `incident` is for staff."""

    at: datetime | None
    held_for: str = ""
    incident: str = ""


def after_skip(codes: Sequence[str], *, now: datetime, zone: str, due_on: date, since: datetime) -> Skipped:
    """Decide by the codes of the gates that stopped an item.

    :param due_on: the day it may be sent, rolled for bank debits.
    :param since: when this try could first have been made.
    """
    assert codes, "a skipped item has its reason"
    lasting = [code for code in codes if code not in _WAITS]
    late = now - since >= PATIENCE and {"balance_not_fresh", "method_update_pending", "bank_payments_paused"} & {*codes}
    if lasting or late:
        held_for = next((code for code in lasting if code in _INCIDENTS), (lasting or list(codes))[0])
        return Skipped(None, held_for, _INCIDENTS.get(held_for, ""))
    first = max(now, utc_of_local(due_on, EARLIEST_TIME, zone))
    return Skipped(from_eight(max(first, max(now + _WAITS[code] for code in codes)), zone))
