"""What each status of an account lets happen: one table, asked by pages, campaigns and charges alike.

Source: compliance section 14 (STS-01 to STS-07). It stands on the lowest floor so that login, offers, charges and
messages read the same row. Pure data: no framework.
"""

from dataclasses import dataclass, fields

YES, NO = "yes", "no"
HUMAN = "human"
"""A person decides; online it is refused like NO."""
DIRECT = "direct"
"""Only for this debt by the consumer's own choice, never out of an allocation or a request of ours."""
HOLD, CANCEL = "hold", "cancel"
NEUTRAL, ESTATE, REFERRAL = "neutral", "estate", "referral"
"""Pages that name no debt, for whoever may not log in."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Say what a status allows, column by column.

    `login` is YES or the page shown instead; `balance` YES, `marked` (with what is special about it), `zero`, or NO;
    `payment` YES, DIRECT, HUMAN or NO; `charge` is a scheduled one: YES, HOLD or CANCEL.
    """

    campaign: str
    reminder: str
    login: str
    balance: str
    payment: str
    charge: str
    receipt: str


COLUMNS = tuple(field.name for field in fields(Standing))

OPEN = Standing(YES, YES, YES, YES, YES, YES, YES)
_GONE = Standing(NO, NO, REFERRAL, NO, NO, CANCEL, YES)

TABLE: dict[str, Standing] = {
    "open": OPEN,
    # Inside the validation period: nothing may overshadow the notice; the balance stands beside the dispute button.
    "validation": Standing(YES, YES, YES, "marked", YES, YES, YES),
    "disputed": Standing(NO, NO, YES, "marked", DIRECT, HOLD, YES),
    "cease": Standing(NO, NO, YES, YES, YES, HOLD, YES),
    "attorney": Standing(NO, NO, NEUTRAL, NO, HUMAN, HOLD, YES),
    "bankruptcy": Standing(NO, NO, NEUTRAL, NO, NO, CANCEL, NO),  # STS-01, STS-02
    "deceased": Standing(NO, NO, ESTATE, NO, HUMAN, CANCEL, NO),  # STS-03
    # United Kingdom; no host status means it yet.
    "breathing": Standing(NO, NO, YES, "marked", DIRECT, HOLD, YES),
    "recalled": _GONE,
    "closed": _GONE,
    "paid": Standing(NO, NO, YES, "zero", NO, CANCEL, YES),
    # STS-04, STS-05: a host flags what a person must look at first: minors, guardians, identity theft, service.
    "blocked": Standing(NO, NO, NEUTRAL, NO, HUMAN, HOLD, YES),
    # STS-06: a word that nobody mapped lets the consumer look and nothing else.
    "unmapped": Standing(NO, NO, YES, YES, NO, HOLD, YES),
}


ENDED = ("paid", "bankruptcy", "closed", "recalled")
"""Nothing is collected any more; the first two for good (RF-27)."""


def reopens(before: str, after: str) -> bool:
    """Tell whether a new status would collect a debt again that had ended."""
    return before in ENDED and of(after).charge != CANCEL


def of(status: str) -> Standing:
    """Give the row of a status; one that nobody knows is `unmapped` (STS-06)."""
    return TABLE.get(status, TABLE["unmapped"])


def may(status: str, column: str) -> bool:
    """Tell whether a status allows something plainly, without a person or a choice of its own."""
    return getattr(of(status), column) == YES


def those(column: str, *values: str) -> tuple[str, ...]:
    """List the statuses that have one of these values in a column, for queries."""
    return tuple(status for status, row in TABLE.items() if getattr(row, column) in (values or (YES,)))
