"""What stands out among bank debits, and when the yearly look at fraud is due (ACH-03). Values in, values out.

A debt is paid by one or two people from one account a few times a month. More is not proof of anything: a person looks.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

WINDOW = timedelta(days=30)
SHARED_BY = 3
"""So many different consumers who pay from one bank account within the window."""
BUSY_DAY, A_DAY = 5, timedelta(hours=24)
"""So many debits from one bank account within a day."""
REVIEW_EVERY = timedelta(days=365)


class Debit(NamedTuple):
    """One bank debit that was asked for, by the account it came from and who gave it."""

    fingerprint: str
    consumer: str
    at: datetime


class Unusual(NamedTuple):
    """Name what stands out: `bank_account_shared` or `bank_account_busy`, whose account, and how many."""

    kind: str
    fingerprint: str
    count: int


def unusual(debits: Iterable[Debit], *, now: datetime) -> list[Unusual]:
    """List the bank accounts that stand out in the window; each kind once for each."""
    by_account: dict[str, list[Debit]] = {}
    for debit in debits:
        if debit.fingerprint and now - WINDOW < debit.at <= now:
            by_account.setdefault(debit.fingerprint, []).append(debit)
    found = []
    for fingerprint, own in sorted(by_account.items()):
        people = len({debit.consumer for debit in own})
        if people >= SHARED_BY:
            found.append(Unusual("bank_account_shared", fingerprint, people))
        moments = sorted(debit.at for debit in own)
        most = max(sum(first <= at < first + A_DAY for at in moments) for first in moments)
        if most >= BUSY_DAY:
            found.append(Unusual("bank_account_busy", fingerprint, most))
    return found


def review_due(*, last: datetime | None, since: datetime | None, now: datetime) -> bool:
    """Tell whether the yearly review is overdue: counted from the last one, or from the first bank debit."""
    start = last or since
    return start is not None and now - start > REVIEW_EVERY
