"""Twilio's Programmable Messaging, and what speaks like it: one account and number per agency."""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urljoin
from xml.sax.saxutils import escape

import requests
from django.http import HttpRequest

from campaigns.channels import TIMEOUT, News, NotGenuine, never_connected
from campaigns.channels.texts import Capabilities, NotTaken, Reply, Taken

CAPABILITIES = Capabilities(third_party_collection=False, opt_out_handled=True)
"""Twilio's messaging policy forbids third-party debt collection."""

KINDS = {
    "accepted": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "accepted",
    "delivered": "delivered",
    "undelivered": "bounced",
    "failed": "bounced",
    "read": "opened",
}
"""Twilio's word for a text's state -> ours."""

_STOPS = ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT")
OWN_WORDS = frozenset((*_STOPS, "START", "YES", "UNSTOP", "HELP", "INFO"))
"""Answered by Twilio itself, unless it was asked to leave them to the account."""

OPTED_OUT = ("21610",)
BAD_NUMBER = ("21211", "21614", "30003", "30005", "30006")
"""Not a number, not a mobile, unreachable, unknown, a landline: no text will arrive there."""
SAY_AGAIN = ("20429", "30001", "30022")
"""Too many at once: the same text may be taken later."""

USUAL_API = "https://api.twilio.com"
MOST_PAGES = 100
"""Of a thousand texts."""


def send(
    *, account: str, token: str, api_url: str, sender: str, to: str, text: str, status_url: str, session=requests
) -> Taken:
    """Hand one text over. Twilio knows no idempotency key: an answer that is lost is not asked for again blindly.

    :param status_url: where the carrier reports; our own message id stands in it.
    :raises NotTaken: it said no, or nothing.
    """
    url = _messages(api_url, account)
    form = {"To": to, "From": sender, "Body": text, "StatusCallback": status_url}
    try:
        answer = session.post(url, data=form, auth=(account, token), timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        reached = not never_connected(error)
        raise NotTaken(type(error).__name__ if reached else "no connection", certain=not reached, again=True) from error
    said = _json(answer)
    if answer.status_code == 201 and said.get("sid"):
        return Taken(str(said["sid"]), int(said.get("num_segments") or 1))
    code = str(said.get("code") or "")
    reason = f"http_{answer.status_code}" + (f" {code}" if code else "")
    if answer.status_code < 400 or answer.status_code >= 500:
        # Neither a yes that can be read nor a no.
        raise NotTaken(reason, certain=False, again=True)
    raise NotTaken(
        reason,
        again=answer.status_code in (401, 403, 404, 408, 429) or code in SAY_AGAIN,
        opted_out=code in OPTED_OUT,
        bad_number=code in BAD_NUMBER,
    )


def find(
    *, account: str, token: str, api_url: str, sender: str, to: str, text: str, session=requests
) -> list[tuple[str, int]]:
    """List the texts with these very words to a number that the account has, newest first: id and segments.

    :raises NotTaken: it does not say, so nobody knows.
    """
    query = {"To": to, "From": sender, "PageSize": "100"}
    rows = _asked(_messages(api_url, account), account, token, session=session, params=query).get("messages")
    if not isinstance(rows, list):
        raise NotTaken("no messages", certain=False, again=True)
    return [
        (str(row["sid"]), int(row.get("num_segments") or 1))
        for row in rows
        if isinstance(row, dict) and row.get("body") == text and row.get("to") == to and row.get("sid")
    ]


def received(
    *, account: str, token: str, api_url: str, number: str, since: datetime, session=requests
) -> Iterator[Reply]:
    """List the texts that came in to a number since then, newest first: Twilio tells each by webhook for seconds only.

    :raises NotTaken: it does not say.
    """
    url, query = _messages(api_url, account), {"To": number, "DateSent>": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
    query |= {"PageSize": "1000"}
    for _page in range(MOST_PAGES):
        said = _asked(url, account, token, session=session, params=query)
        for row in said.get("messages") or ():
            if row.get("direction") == "inbound" and row.get("from"):
                at = parsedate_to_datetime(row["date_sent"]).astimezone(UTC)
                text = str(row.get("body") or "").replace("\x00", "")
                yield Reply(str(row["sid"]), str(row["from"]), str(row.get("to") or ""), text, at)
        if not (onward := said.get("next_page_uri")):
            return
        url, query = urljoin(api_url or USUAL_API, str(onward)), {}


def state(*, account: str, token: str, api_url: str, provider_id: str, session=requests) -> dict[str, str]:
    """Ask what became of a text, in the words of its webhook.

    :raises NotTaken: it does not say.
    """
    url = _messages(api_url, account).replace("/Messages.json", f"/Messages/{quote(provider_id, safe='')}.json")
    row = _asked(url, account, token, session=session)
    code = str(row.get("error_code") or "")
    return {"MessageSid": provider_id, "MessageStatus": str(row.get("status") or "")} | (
        {"ErrorCode": code} if code else {}
    )


def _asked(url: str, account: str, token: str, *, session, params: Mapping[str, str] | None = None) -> dict:
    try:
        answer = session.get(url, params=params, auth=(account, token), timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise NotTaken(type(error).__name__, certain=False, again=True) from error
    if answer.status_code != 200:
        raise NotTaken(f"http_{answer.status_code}", certain=False, again=True)
    return _json(answer)


def _messages(api_url: str, account: str) -> str:
    return f"{(api_url or USUAL_API).rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json"


def _json(answer: requests.Response) -> dict:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def signature(*, url: str, form: Mapping[str, str], token: str) -> str:
    """Sign an address and a form as Twilio does: HMAC-SHA1 over the address and the sorted fields."""
    said = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode()


def check(*, request: HttpRequest, url: str, token: str) -> None:
    """Prove that a webhook is the account's own.

    :param url: the address that the account was told, as it was told.
    :raises NotGenuine: it is not proven; a missing token proves nothing.
    """
    if not token:
        raise NotGenuine("No token is configured.")
    given = request.headers.get("X-Twilio-Signature", "")
    wanted = signature(url=url, form=request.POST.dict(), token=token)
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise NotGenuine("The signature is not the account's.")


def answer(text: str) -> tuple[str, str]:
    """Give the body and its type that answer a webhook of a text that came in; what stands in it is sent."""
    said = f"<Message>{escape(text)}</Message>" if text else ""
    return f"<Response>{said}</Response>" if said else "<Response/>", "text/xml"


def external_id(form: Mapping[str, str]) -> str:
    """Name a webhook, so that one that comes twice is known: Twilio sends no id of its own."""
    said = f"{form.get('MessageSid', '')}:{form.get('MessageStatus') or form.get('SmsStatus') or 'received'}"
    return said[:120]


def read(*, form: Mapping[str, str], message: str, at: datetime) -> News | Reply:
    """Read a checked webhook: what became of our text, or a text that came in.

    :param message: our own id of the text, from the address; empty for what comes in.
    :param at: when it came; Twilio does not say when it happened.
    :raises ValueError: it lacks what every one has.
    """
    sid = form.get("MessageSid", "")
    if not sid:
        raise ValueError("Not a Twilio webhook: no MessageSid.")
    status = form.get("MessageStatus", "")
    if not status or status == "received":
        if not form.get("From"):
            raise ValueError("Not a Twilio webhook: neither a state nor a sender.")
        return Reply(
            sid, form["From"], form.get("To", ""), form.get("Body", "").replace("\x00", ""), at.astimezone(UTC)
        )
    code = form.get("ErrorCode", "")
    if code in OPTED_OUT:
        return News("unsubscribed", at, message=message, provider_id=sid, reason=f"{status} {code}", lost=True)
    lost = KINDS.get(status) == "bounced"
    return News(
        kind=KINDS.get(status, "unknown"),
        at=at,
        message=message,
        provider_id=sid,
        reason=f"{status} {code}".strip() if lost else "",
        lost=lost,
        bad_address=lost and code in BAD_NUMBER,
    )
