"""What every e-mail provider module offers, and which there are. Providers translate; they save nothing.

A module may have `batch(many)` too: one request for many readers. Without it each gets a request of their own.
A module has `transport(...)` (a Django e-mail connection of one agency's own account), `find(...)` (which mails with
this Message-Id has the account taken, and when? Asked when an answer was lost; raises `DoesNotSay`), `check(...)` (is
this webhook from this account? It gives its events, each with an id that comes once, and raises `NotGenuine` unless
proven, also when no key is configured) and `read(...)` (one event as `News`).
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType

import requests
from anymail.message import AnymailMessage
from urllib3.exceptions import NewConnectionError

TIMEOUT = (3.05, 10.0)
"""Seconds to connect and to wait for the provider's answer; then the outcome is unknown."""


class NotGenuine(Exception):
    """Refuse the webhook: it is not proven to come from the agency's own provider account."""


class DoesNotSay(Exception):
    """Ask again later: the provider did not say whether it has a message, so nobody knows."""


def never_connected(error: BaseException | None) -> bool:
    """Tell whether a request had no connection to go through: its receiver has nothing of it for certain."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    why = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    return isinstance(getattr(why, "reason", None), NewConnectionError)


@dataclass(frozen=True, slots=True)
class MailReply:
    """Hold a mail that came in: the provider's own id of it, from whom, to what it answers, and what was written."""

    external_id: str
    sender: str
    to: str
    answers: str
    """The Message-Id of the mail that it answers, as it stands in our row; empty where it says none."""
    subject: str
    """Of their own; empty where it only repeats ours."""
    text: str


@dataclass(frozen=True, slots=True)
class News:
    """Say what became of a message.

    `kind` is accepted, delivered, deferred, opened, clicked, bounced (for good), complained, unsubscribed or unknown.
    `lost` says that this message did not arrive and will not; `bad_address` that none will. `message` is our own id.
    `machine` says of an opening or a click that a proxy or a filter made it: nobody read.
    """

    kind: str
    at: datetime
    message: str = ""
    provider_id: str = ""
    reason: str = ""
    lost: bool = False
    bad_address: bool = False
    url: str = ""
    machine: bool = False

    @property
    def outcome(self) -> str:
        """Say in the inbox what it was."""
        return f"{self.kind} by a machine" if self.machine else self.kind


@dataclass(frozen=True, slots=True)
class Many:
    """Hold one letter for many readers: its pieces (literal, field, literal ...) and what each reader's fields say.

    `readers` is by address; every one has the fields of the letter, `stop_url` and the `message` id. `message_id` is
    the Message-Id of the request, by which the provider is asked about it when its answer is lost.
    """

    subject: tuple[str, ...]
    text: tuple[str, ...]
    html: tuple[str, ...]
    from_email: str
    reply_to: str
    tags: tuple[str, ...]
    metadata: Mapping[str, str]
    readers: Mapping[str, Mapping[str, str]]
    message_id: str


def single(many: Many, address: str) -> AnymailMessage:
    """Build the letter for one of its readers, for providers that take no lists."""
    values = many.readers[address]
    safe = {name: html.escape(value) for name, value in values.items()}
    mail = letter(many, [address], *(_fill(part, values) for part in (many.subject, many.text)), _fill(many.html, safe))
    mail.metadata = {**many.metadata, "message": values["message"]}
    mail.extra_headers |= headers(values["stop_url"], values["message"])
    return mail


def headers(stop: str, message: str) -> dict[str, str]:
    """Give the headers that every message of ours has (RFC 8058)."""
    return {
        "X-Quittance-Message": message,
        "List-Unsubscribe": f"<{stop}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def letter(many: Many, to: list[str], subject: str, text: str, page: str) -> AnymailMessage:
    mail = AnymailMessage(
        subject=subject,
        body=text,
        from_email=many.from_email,
        to=to,
        reply_to=[many.reply_to] if many.reply_to else None,
        tags=list(many.tags),
        track_opens=True,
        track_clicks=True,
        headers={"Message-Id": many.message_id},
    )
    mail.attach_alternative(page, "text/html")
    return mail


def _fill(pieces: tuple[str, ...], values: Mapping[str, str]) -> str:
    return "".join(piece if number % 2 == 0 else values.get(piece, "") for number, piece in enumerate(pieces))


def provider(name: str) -> ModuleType:
    """Find a provider module by the name that a MailProvider row holds.

    :raises LookupError: there is no such module.
    """
    from campaigns.channels import mailgun

    known = {"mailgun": mailgun}
    if name not in known:
        raise LookupError(f"No e-mail provider is called {name!r}.")
    return known[name]
