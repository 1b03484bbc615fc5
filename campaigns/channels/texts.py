"""What every carrier module for text messages offers, and which there are. Carriers translate; they save nothing.

A module has `CAPABILITIES`, `OWN_WORDS` (keywords that the carrier answers itself where it is asked to), `send(...)`
(one text through the agency's own account), `find(...)` (has it this text? asked when its answer was lost),
`check(...)` (is this webhook from this account? It raises `NotGenuine` unless proven, also when no token is configured)
and `read(...)` (the webhook as `News` of a text of ours, or as a `Reply`). Carriers give a webhook up within seconds:
`received(...)` lists what came in since a time, `state(...)` asks for the report on one text in its webhook's words.
"""

from dataclasses import dataclass
from datetime import datetime
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Say what a carrier lets its customers do.

    `third_party_collection`: its terms allow a collector to write about another company's debt. Where they do not, an
    agency needs the carrier's written exception, and nothing is sent before it is recorded (SMS-06).
    `opt_out_handled`: the carrier answers STOP itself and lets nothing through afterwards.
    """

    third_party_collection: bool
    opt_out_handled: bool
    batch: int = 1


@dataclass(frozen=True, slots=True)
class Taken:
    """Hold the carrier's own id of a text that it took, and in how many segments it goes."""

    provider_id: str
    segments: int


class NotTaken(Exception):
    """The carrier said no, or nothing at all.

    `certain`: it has not got the text. `again`: the same text may be taken later. `opted_out`: the number said STOP to
    the carrier. `bad_number`: no text will ever arrive there.
    """

    def __init__(
        self,
        reason: str,
        *,
        certain: bool = True,
        again: bool = False,
        opted_out: bool = False,
        bad_number: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason, self.certain, self.again = reason, certain, again
        self.opted_out, self.bad_number = opted_out, bad_number


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold a text that came in: from whom, to which of our numbers, and the carrier's id of it."""

    provider_id: str
    sender: str
    to: str
    text: str
    at: datetime


def carrier(name: str) -> ModuleType:
    """Find a carrier module by the name that a TextProvider row holds.

    :raises LookupError: there is no such module.
    """
    from campaigns.channels import twilio

    known = {"twilio": twilio}
    if name not in known:
        raise LookupError(f"No carrier is called {name!r}.")
    return known[name]
