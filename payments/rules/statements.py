"""When a consumer is owed an accounting of what they paid, and the letter that nothing is owed any more.

New York, 23 NYCRR 1.5: an accounting at least quarterly while they pay (ST-03), and within twenty business days of the
last payment a letter that the debt is satisfied, with the creditor and the account (ST-04). All dates are the
consumer's; business days are those of the `strict` calendar.
"""

from datetime import date, timedelta
from typing import NamedTuple

from accounts.calendars import add_business_days, strict


class Law(NamedTuple):
    """Bound what a state asks for: so many days between accountings, so many business days for the letter."""

    state: str
    since: date
    accounting_days: int
    satisfaction_business_days: int
    rules: tuple[str, str]


LAWS = (Law("NY", date(2015, 3, 3), 90, 20, ("ST-03", "ST-04")),)
AHEAD_DAYS = 7
"""An accounting is made so many days before its last day: a letter must be printed, a bounced e-mail becomes one."""
CLEARED_BUSINESS_DAYS = 5
"""What a bank returns for want of money comes back within these; nothing is called satisfied before."""


def law_of(state: str, on: date) -> Law | None:
    """Give the law of a state that is in force on a day."""
    return next((law for law in LAWS if law.state == state and law.since <= on), None)


def accounting_due(law: Law, since: date, on: date) -> date | None:
    """Give the last day on which the accounting that follows `since` may leave; None while it is too early to write.

    :param since: the last accounting, or the day on which the plan was agreed.
    """
    send_by = since + timedelta(days=law.accounting_days)
    return send_by if on >= send_by - timedelta(days=AHEAD_DAYS) else None


def satisfaction_due(law: Law, paid_on: date, on: date) -> date | None:
    """Give the last day of the satisfaction letter; None before the last payment can be relied on."""
    if on < add_business_days(paid_on, CLEARED_BUSINESS_DAYS, strict):
        return None
    return add_business_days(paid_on, law.satisfaction_business_days, strict)
