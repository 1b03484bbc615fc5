"""What a card's decline means for its credential and for what is planned from it (compliance section 5, A to D).

The grade comes from `cards.decline`; when it is tried again is said by `rules.retries`, in classes C and D only.
"""

from typing import NamedTuple

from payments.rules.cards import Decline
from payments.rules.returns import BLOCK, KEEP, PAUSE, UPDATE


class Follows(NamedTuple):
    """Say what follows: for the plan and the card as in `returns`, and whether the consumer is asked to act.

    `revoke` says that the consumer ended the authorization at their bank, as good as telling us (PDC-07).
    """

    plan: str = KEEP
    method: str = KEEP
    revoke: bool = False
    ask: bool = False


NEVER = Follows(plan=PAUSE, method=BLOCK, ask=True)
REVOKED = Follows(plan=PAUSE, method=BLOCK, revoke=True, ask=True)
MEND = Follows(method=UPDATE, ask=True)
CONFIRM = Follows(ask=True)
LATER = Follows()
UNEXPLAINED = Follows(ask=True)


def of(decline: Decline) -> Follows:
    """Say what follows from a decline: A blocks, B waits for the consumer, C is only later, D asks after one retry."""
    if decline.next_step == "authorization_revoked":
        return REVOKED
    if decline.next_step == "authenticate":
        return CONFIRM
    return {"A": NEVER, "B": MEND, "C": LATER, "D": UNEXPLAINED}[decline.grade]
