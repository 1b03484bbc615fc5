"""Which of the host's statuses a consumer sees, and under which tab: the connection's own lists, through a port."""

from collections.abc import Callable
from typing import NamedTuple

from accounts.models import Account


class Visible(NamedTuple):
    """Hold the statuses of the Payments tab and of the Post Dates tab, in the host's own words."""

    payments: tuple[str, ...] = ("POSTED", "DECLINED", "CHARGEBACK", "ACH REVERSAL", "REFUND")
    postdates: tuple[str, ...] = ("PENDING",)


of_connection: Callable[[Account], Visible | None] | None = None
"""Port: the lists of an account's connection; None or an empty port means the default above."""


def statuses(account: Account) -> Visible:
    """Give the statuses that the tabs of this account show."""
    return (of_connection(account) if of_connection is not None else None) or Visible()
