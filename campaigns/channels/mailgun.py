"""Mailgun, spoken by anymail: one account and domain per agency; its long lists by `mailgun_lists`."""

import hashlib
import hmac
import html
import json
import re
from datetime import UTC, datetime, timedelta

import requests
from anymail.message import AnymailMessage
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from django.core.mail import get_connection
from django.http import HttpRequest

from campaigns.channels import TIMEOUT, DoesNotSay, MailReply, Many, News, NotGenuine, headers, letter

KINDS = {
    "queued": "accepted",
    "delivered": "delivered",
    "deferred": "deferred",
    "opened": "opened",
    "clicked": "clicked",
    "bounced": "bounced",
    "rejected": "bounced",
    "complained": "complained",
    "unsubscribed": "unsubscribed",
}
"""anymail's words in ours."""

SUPPRESSED = {"suppress-unsubscribe": "unsubscribed", "suppress-complaint": "complained"}
"""A permanent failure that only repeats what the person said before."""

READ = ("opened", "clicked")
"""Told of machines too; then `client-info.bot` names one: apple, gmail or generic. It is empty for people."""

LOST = ("bounced", "rejected")
BAD_ADDRESS = ("bounce", "suppress-bounce")
USUAL_API = "https://api.mailgun.net/v3"
PAGE, MOST_PAGES = 300, 8
"""Mailgun lists at most 300 events in a page; a request has at most a thousand readers."""
MOST_AT_ONCE = 100
OLDEST = timedelta(hours=24)
"""Mailgun repeats a webhook for eight hours; an older signature is a replay."""
ANSWERS = re.compile(r"(re|rv|fwd?)\s*:", re.IGNORECASE)
"""How a subject begins behind which stands ours, in English and Spanish."""


def transport(*, api_key: str, api_url: str, domain: str):
    """Make the connection of one agency's account.

    :param api_url: empty for Mailgun's own address.
    """
    address = {"api_url": api_url} if api_url else {}
    backend = "campaigns.channels.mailgun_lists.EmailBackend"
    return get_connection(backend, api_key=api_key, sender_domain=domain, timeout=TIMEOUT, **address)


def find(*, api_key: str, api_url: str, domain: str, message_id: str, since: datetime) -> dict[str, datetime]:
    """List the mails of one Message-Id that the account has taken: our own ids, and when each was accepted.

    Events come into Mailgun's list by several ways, mostly within seconds; it advises to trust what is half an hour
    old.

    :param since: it was not asked for before.
    :raises DoesNotSay: there is no answer, or none that can be read.
    """
    base = f"{(api_url or USUAL_API).rstrip('/')}/{domain}/events"
    url, query = base, {"message-id": message_id.strip("<>"), "event": "accepted", "limit": str(PAGE)}
    query |= {"begin": str(int(since.timestamp())), "ascending": "yes"}
    found: dict[str, datetime] = {}
    try:
        for _page in range(MOST_PAGES):
            # The key goes to nobody else, whatever the answer names as its next page.
            if not url.startswith(base):
                raise DoesNotSay("The next page is elsewhere.")
            answer = requests.get(url, params=query, auth=("api", api_key), timeout=TIMEOUT, allow_redirects=False)
            if answer.status_code != 200:
                raise DoesNotSay(f"http_{answer.status_code}")
            said = answer.json()
            for event in said["items"]:
                found[str(event["user-variables"]["message"])] = datetime.fromtimestamp(event["timestamp"], tz=UTC)
            if len(said["items"]) < PAGE:
                return found
            url, query = str(said["paging"]["next"]), {}
    except requests.RequestException as error:
        raise DoesNotSay(type(error).__name__) from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DoesNotSay(f"Not a list of Mailgun's events: {error!r}"[:200]) from error
    return found


def batch(many: Many) -> AnymailMessage:
    """Build one request for up to a thousand readers: Mailgun puts each reader's values into `%recipient.field%`.

    HTML gets its own values, escaped by us: Mailgun escapes nothing.
    """
    mail = letter(
        many,
        list(many.readers),
        _marks(many.subject),
        _marks(many.text),
        _marks(many.html, "h_"),
    )
    plain = tuple({*many.subject[1::2], *many.text[1::2], "stop_url", "message"})
    escaped = tuple((name, f"h_{name}") for name in dict.fromkeys(many.html[1::2]))
    # Nothing goes there that the letter does not say.
    mail.merge_data = {
        address: {name: values.get(name, "") for name in plain}
        | {mark: html.escape(values.get(name, "")) for name, mark in escaped}
        for address, values in many.readers.items()
    }
    mail.metadata = dict(many.metadata)
    mail.merge_metadata = {address: {"message": values["message"]} for address, values in many.readers.items()}
    mail.extra_headers |= headers("%recipient.stop_url%", "%recipient.message%")
    return mail


def _marks(pieces: tuple[str, ...], prefix: str = "") -> str:
    return "".join(piece if n % 2 == 0 else f"%recipient.{prefix}{piece}%" for n, piece in enumerate(pieces))


def check(*, request: HttpRequest, signing_key: str, now: datetime) -> list[tuple[str, dict]]:
    """Prove that a webhook is the account's own, and return its events, each with its unique token.

    A relay that collects events may post a list of them, each signed as Mailgun signed it. The signature covers
    timestamp and token only, so the caller must take each token once.

    :raises NotGenuine: one of them is not proven; a missing key proves nothing.
    """
    if not signing_key:
        raise NotGenuine("No signing key is configured.")
    if request.content_type != "application/json":
        raise NotGenuine("Only the signed JSON form is read.")
    try:
        # PostgreSQL holds no NUL in text, and nobody's webhook needs one.
        said = json.loads(request.body.replace(rb"\u0000", b""))
        found = [(_proven(one["signature"], signing_key, now), one) for one in _listed(said)]
    except NotGenuine:
        raise
    except Exception as error:
        # Whatever a stranger sends, only a proof lets it in.
        raise NotGenuine(str(error)[:200]) from error
    return found


def reply(*, request: HttpRequest, signing_key: str, now: datetime) -> MailReply:
    """Prove and read a mail that a route of the account hands in, as a form; its signature is in the form itself.

    :raises NotGenuine: it is not proven; a missing key proves nothing.
    """
    if not signing_key:
        raise NotGenuine("No signing key is configured.")
    try:
        form = {name: value.replace("\x00", "") for name, value in request.POST.dict().items()}
        token = _proven(form, signing_key, now)
        return MailReply(
            external_id=(form.get("Message-Id") or token)[:120],
            sender=form["sender"].strip().lower()[:254],
            to=form.get("recipient", "")[:254],
            answers=form.get("In-Reply-To", "").strip()[:200],
            subject="" if ANSWERS.match(subject := form.get("subject", "").strip()) else subject[:200],
            text=form.get("stripped-text") or form.get("body-plain", ""),
        )
    except NotGenuine:
        raise
    except Exception as error:
        raise NotGenuine(str(error)[:200]) from error


def _listed(said: object) -> list[dict]:
    listed = said if isinstance(said, list) else [said]
    if not 0 < len(listed) <= MOST_AT_ONCE:
        raise NotGenuine(f"From 1 to {MOST_AT_ONCE} events are taken at once.")
    return listed


def _proven(signature: dict, signing_key: str, now: datetime) -> str:
    stamp, token = str(signature["timestamp"]), str(signature["token"])
    right = hmac.new(signing_key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    if not token or not hmac.compare_digest(right.encode(), str(signature["signature"]).encode()):
        raise NotGenuine("The signature does not fit.")
    if abs(now - datetime.fromtimestamp(int(stamp), tz=UTC)) > OLDEST:
        raise NotGenuine("The signature is too old.")
    return token


def read(*, body: dict, signing_key: str) -> News:
    """Read a checked webhook.

    :raises ValueError: it lacks what every event has.
    """
    try:
        event = MailgunTrackingWebhookView(webhook_signing_key=signing_key).esp_to_anymail_event(body)
        data = body["event-data"]
        reason = str(data.get("reason") or "")
        variables = event.metadata if isinstance(event.metadata, dict) else {}
        status = data.get("delivery-status") or {}
        why = " ".join(str(part) for part in (status.get("code"), status.get("message")) if part)
        client = data.get("client-info") or {}
        return News(
            kind=SUPPRESSED.get(reason) or KINDS.get(event.event_type, "unknown"),
            at=event.timestamp,
            message=str(variables.get("message", "")),
            provider_id=event.message_id or "",
            reason=": ".join(part for part in (reason, why) if part)[:300],
            lost=event.event_type in LOST,
            bad_address=event.event_type in LOST and reason in BAD_ADDRESS,
            url=str(event.click_url or "")[:500],
            machine=event.event_type in READ and bool(client.get("bot")),
        )
    except (KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise ValueError(f"Not a Mailgun event: {error!r}") from error
