"""Tell a webhook endpoint: what is sent, how it is signed (Standard Webhooks), what an address may be. No models."""

import base64
import json
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import msgspec
from standardwebhooks import Webhook

from accounts.events import KINDS
from integrations.hosts import Outgoing, Request, Result

PREFIX = "whsec_"
SECRET_BYTES = 32
MOST_EVENTS = 100
"""Events in one request at most; a receiver asks for fewer."""
TEST_KIND = "webhook.tested"
BATCH = UUID("0190d5a0-0000-7000-8000-000000000000")
"""Name space of the ids of lists: the same events in the same order are the same message."""
_NOUNS = frozenset(kind.partition(".")[0] for kind in KINDS)


class Endpoint:
    """Speak to one endpoint; signs with every live secret.

    A request of an endpoint that takes one event is that event; of one that takes several it is always a list, so that
    the receiver reads one shape.
    """

    executes = False

    def __init__(self, *, url: str, secrets: Sequence[str], most: int, clock: Callable[[], datetime]) -> None:
        self.url, self.most, self.clock = url, most, clock
        self.keys = [Webhook(secret) for secret in secrets]

    def write(self, event: Outgoing) -> dict[str, Any]:
        """Write one event as the feed shows it."""
        return {"type": event.kind, "timestamp": event.occurred_at, "data": shown(event)}

    def events_request(self, messages: list[bytes]) -> Request:
        """Put written events into one signed request."""
        ids = [json.loads(message)["data"]["id"] for message in messages]
        message_id = ids[0] if self.most == 1 else str(uuid5(BATCH, ",".join(ids)))
        return self.request(message_id, messages)

    def request(self, message_id: str, messages: list[bytes]) -> Request:
        """Sign what is said now; a try is signed anew, its id stays."""
        now = self.clock()
        (body,) = messages if self.most == 1 else [b'{"type":"events","data":[' + b",".join(messages) + b"]}"]
        signatures = " ".join(key.sign(message_id, now, body.decode()) for key in self.keys)
        headers = (
            "Content-Type: application/json",
            f"webhook-id: {message_id}",
            f"webhook-timestamp: {int(now.timestamp())}",
            f"webhook-signature: {signatures}",
        )
        return Request(self.url, headers, body, guarded=True, status_counts=True)

    def read_results(self, body: Any) -> dict[str, Result]:
        """Read nothing: the status is the answer (`judge.WEBHOOKS`)."""
        return {}


def shown(event: Outgoing) -> dict[str, Any]:
    """Show an event, in the feed as in a webhook."""
    return {
        "id": str(event.id),
        "sequence": event.sequence,
        "kind": event.kind,
        "occurred_at": event.occurred_at,
        "account": str(event.account_id) if event.account_id else None,
        "reference": event.reference,
        "account_sequence": event.account_sequence,
        "consumer": str(event.consumer_id) if event.consumer_id else None,
        "actor": event.actor,
        "request_id": event.request_id,
        "data": event.data,
    }


def tested(endpoint_id: UUID, now: datetime) -> bytes:
    """Write the message of a test."""
    return msgspec.json.encode({"type": TEST_KIND, "timestamp": now, "data": {"endpoint": str(endpoint_id)}})


def new_secret() -> str:
    """Make a signing secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def hears(kinds: Sequence[str], kind: str) -> bool:
    """Tell whether a list of kinds has this one; an empty list has all, `payment.*` all of payment."""
    return not kinds or kind in kinds or f"{kind.partition('.')[0]}.*" in kinds


def unknown(kinds: Sequence[str]) -> list[str]:
    """List what is no kind of ours."""
    return [kind for kind in kinds if kind not in KINDS and not (kind.endswith(".*") and kind[:-2] in _NOUNS)]


def wrong_address(url: str, *, plain_http: bool) -> str:
    """Say why an address cannot be an endpoint's: a code that begins with `url_`; or nothing.

    Where it leads is looked at when it is connected to: names change their addresses.
    """
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port != 0
    except ValueError:
        return "url_invalid"
    fine = parts.hostname and port_is_fine and url.isprintable() and " " not in url and not parts.fragment
    if not fine or parts.scheme not in ("https", "http"):
        return "url_invalid"
    if not url.isascii():
        return "url_not_ascii"
    if parts.username is not None or parts.password is not None:
        return "url_has_password"
    return "url_not_https" if parts.scheme == "http" and not plain_http else ""
