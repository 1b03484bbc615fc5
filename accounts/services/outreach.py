"""Ports: what hosts may ask of the floor that writes to consumers. Empty, each refuses as its contract says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from accounts.models import Account
from accounts.refusals import Refusal

HELD_FOR = timedelta(minutes=15)
"""So long a permission keeps its place among the contacts of a week, until the host says what became of it."""


class NobodyWrites(RuntimeError):
    """Answer 503: no floor above answers."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Say whether a contact may be made now, with everything that is against it."""

    id: UUID
    allowed: bool
    denials: list[dict[str, Any]]
    checked: list[str]
    ask_again_at: datetime | None
    expires_at: datetime | None
    zones: list[str]


class AskPermission(Protocol):
    """Ask the gate about one contact by a host; a permission holds its place until `expires_at`.

    Runs in the acting agency's scope and in a transaction of its own; two who ask at the same time about one account
    are answered one after the other, so both cannot get the last place.
    """

    def __call__(
        self,
        *,
        account: Account,
        channel: str,
        purpose: str,
        address: str,
        offer_expires_on: date | None,
        by: str,
        now: datetime,
    ) -> Permission: ...


ask: AskPermission | None = None
"""Port: may we contact? Empty: NobodyWrites."""

settle: Callable[..., bool] | None = None
"""Port: `settle(permission_id=, outcome=, now=)`: used, conversation or released; False when there is none open."""

start_campaign: Callable[..., "list[Refusal] | dict[str, Any]"] | None = None
"""Port: `start_campaign(name=, template=, second=, purpose=, audience=, references=, offer=, starts_at=, by=, now=)`:
draft a campaign and hand it on for approval; or everything that is against it, and nothing is written."""

campaign: Callable[[UUID], dict[str, Any] | None] | None = None
"""Port: `campaign(id)`: where it is and what became of it; None when the agency has none of this id."""

stop_campaign: Callable[..., "list[Refusal] | None"] | None = None
"""Port: `stop_campaign(campaign_id=, reason=, now=)`: None when the agency has none of this id."""

joinable: Callable[[], set[str]] | None = None
"""Port: the names of the campaigns that a host's file may name for its accounts. Empty: names are taken as they are."""

messages: Callable[..., Iterator[dict[str, Any]]] | None = None
"""Port: `messages(since=, until=, channel=, template=, status=)`: every message as `MESSAGE_COLUMNS`, a page at a time;
what is left out narrows nothing (RF-37)."""

MESSAGE_MOMENTS = ("delivered", "opened", "clicked", "bounced", "complained", "failed", "held", "unsubscribed")
MESSAGE_COLUMNS = (
    *("message", "queued_at", "sent_at", *(f"{name}_at" for name in MESSAGE_MOMENTS)),
    *("status", "reason", "denials", "channel", "stream", "template", "template_version", "campaign", "language"),
    *("to", "account", "reference", "consumer", "provider_id", "attempts", "segments", "cost_cents", "fee_cents"),
    "body_sha256",
)
