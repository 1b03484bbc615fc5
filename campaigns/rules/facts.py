"""What the rules of contact look at, and how they say no."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from campaigns.rules import packs, zones

CHANNELS = packs.ALL
PURPOSES = ("campaign", "reminder", "service", "notice", "receipt", "code", "confirmation")
"""`service`: what went wrong with something the consumer arranged; `notice`: what the law wants sent; `receipt`: what
answers a payment or an agreement; `confirmation`: of an opt-out, once (RF-08)."""

OUR_OWN = ("campaign", "reminder")
"""Sent because we want something: the strictest rules."""
COUNTED = ("campaign", "reminder", "service", "notice")
"""What counts as a contact about a debt (RF-09); what answers the consumer does not."""

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The address or number, and how it came to us."""

    value: str = ""
    bad: bool = False
    unconfirmed: bool = False
    opted_out: bool = False
    streams: frozenset[str] = frozenset()
    """The streams that must not go there any more (EML-06)."""
    typed: bool = False
    """The consumer typed it in on our own page."""
    proven: bool = False
    """A code that went there came back."""
    route: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)
    mobile: bool = True


@dataclass(frozen=True, slots=True)
class Past:
    """A contact that was made, or is reserved."""

    channel: str
    at: datetime
    conversation: bool = False


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of a weekday (0 is Monday) that do not suit the consumer (RF-04)."""

    weekday: int
    starts: time
    ends: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the agency adds: hours may only be narrower, the number of contacts a week smaller than the law's."""

    opens: time = zones.OPENS
    closes: time = zones.CLOSES
    most_in_week: int = 3
    employers: frozenset[str] = frozenset()
    texts: str = "none"
    """What the agency's text sender may do: `none`, `pending` (SMS-07), `forbidden` (SMS-06), `ready`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the rules look at; what is unknown is left at the careful side."""

    channel: str
    purpose: str
    now: datetime
    zones: tuple[str, ...]
    answers: bool = False
    """It answers what the consumer just did, who waits for it: any hour suits."""
    status: str = "open"
    disputed: bool = False
    hardship: bool = False
    point: Point | None = None
    medium_stopped: bool = False
    revoked_all: bool = False
    """A number of the consumer said stop by text, and that reaches texts and calls to all of them by now (SMS-04)."""
    quiet: tuple[Quiet, ...] = ()
    past: tuple[Past, ...] = ()
    unlicensed: bool = False
    """The agency collects only where it is licensed, and is not where the consumer lives (ST-09)."""
    state: str = ""
    zip_code: str = ""
    consented: bool = False
    consented_debt: bool = False
    """The consumer's own consent covers this debt, with the word that the address is not the employer's."""
    first_contact: bool = False
    """Nothing was ever said to the consumer about this debt, as far as we know."""
    validation_sent: bool = True
    validation_ends_on: date | None = None
    offer_expires_on: date | None = None
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Denial:
    """Say what is against it, by which rules, and until when if time alone lifts it."""

    code: str
    rules: tuple[str, ...]
    until: datetime | None = None


Found = Denial | None
