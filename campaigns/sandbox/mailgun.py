"""Speak Mailgun's formats: read a send request, write an event, sign a webhook."""

import hashlib
import hmac
import html
import json
import re
import secrets
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.utils import formatdate, getaddresses, parsedate_to_datetime
from itertools import count
from urllib.parse import parse_qsl, unquote

from .program import Refused

LIMIT_RECIPIENTS = 1000  # Mailgun's documented limit for one request.
LIMIT_TAGS = 10  # Mailgun: at most ten tags on a message.
LINK = re.compile(r"""(<a\b[^>]*?\bhref\s*=\s*)(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


@dataclass(frozen=True)
class Attachment:
    name: str
    content_type: str
    inline: bool
    content: bytes


@dataclass(frozen=True)
class Message:
    domain: str
    message_id: str
    sender: str
    recipient: str
    shown_to: str
    subject: str
    text: str
    html: str
    headers: list
    tags: list
    variables: dict
    track_opens: bool
    track_clicks: str  # "no", "yes" or "htmlonly"
    accepted_at: float
    deliver_at: float
    test_mode: bool


def read_form(content_type, body):
    """Return the (name, text) fields and (name, Attachment) files of a request body."""
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() == "application/x-www-form-urlencoded":
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True), []
    found = re.search(r'boundary="?([^";]+)"?', parameters)
    if kind.strip().lower() != "multipart/form-data" or not found:
        raise Refused(400, "Unsupported content type")
    fields, files = [], []
    mark = b"\r\n--" + found.group(1).encode()
    for part in (b"\r\n" + body).split(mark)[1:]:
        if part.startswith(b"--"):
            break
        head, divider, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not divider:
            raise Refused(400, "Malformed multipart body")
        headers = _part_headers(head)
        disposition = headers.get("content-disposition", "")
        name, filename = (_parameter(disposition, "name"), _parameter(disposition, "filename"))
        if filename is None:
            fields.append((name or "", content.decode("utf-8", "replace")))
        else:
            item_type = headers.get("content-type", "application/octet-stream")
            files.append((name, Attachment(filename, item_type, name == "inline", content)))
    return fields, files


def _part_headers(head):
    lines = head.decode("utf-8", "replace").split("\r\n")
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _parameter(disposition, name):
    extended = re.search(rf"[;\s]{name}\*=utf-8''([^;]+)", disposition, re.IGNORECASE)
    if extended:
        return unquote(extended.group(1))
    plain = re.search(rf'[;\s]{name}="((?:[^"\\]|\\.)*)"', disposition, re.IGNORECASE)
    # Browsers and urllib3 escape these three signs in a quoted name (WHATWG multipart/form-data).
    escapes = {"%22": '"', "%0D": "\r", "%0A": "\n"}
    return re.sub(r"%22|%0D|%0A", lambda m: escapes[m.group()], plain.group(1)) if plain else None


def read_submission(*, domain, fields, files, now):
    """Turn a send request into one Message per recipient, and the attachments.

    :raises Refused: with Mailgun's status and message.
    """
    data = dict(fields)
    for name in ("from", "to", "subject"):
        if not data.get(name):
            raise Refused(400, f"{name} parameter is missing")
    if data.get("template"):
        raise Refused(400, "template not found in the sandbox")
    if not (data.get("text") or data.get("html")):
        raise Refused(400, "Need at least one of 'text', 'html', 'template' or 'amp-html' parameters specified")
    sent_by = getaddresses([data["from"]])
    if not ADDRESS.fullmatch(sent_by[0][1] if sent_by else ""):
        raise Refused(400, "from parameter is not a valid address. please check documentation")
    recipients = []
    for kind in ("to", "cc", "bcc"):
        for name, address in getaddresses([value for key, value in fields if key == kind]):
            if not ADDRESS.fullmatch(address):
                raise Refused(400, f"{kind} parameter is not a valid address. please check documentation")
            recipients.append((kind, name, address.lower()))
    if len(recipients) > LIMIT_RECIPIENTS:
        raise Refused(400, f"The number of recipients exceeds the maximum of {LIMIT_RECIPIENTS}")
    tags = list(dict.fromkeys(value for key, value in fields if key == "o:tag"))
    if len(tags) > LIMIT_TAGS:
        raise Refused(400, f"A message may have at most {LIMIT_TAGS} tags")
    batch = "recipient-variables" in data
    variables = _json_object(data.get("recipient-variables") or "{}", "recipient-variables")
    variables = {address.lower(): values for address, values in variables.items()}
    message_id = data.get("h:Message-Id") or f"<{int(now)}.{secrets.token_hex(8)}@{domain}>"
    deliver_at = now
    if data.get("o:deliverytime"):
        try:
            deliver_at = max(now, parsedate_to_datetime(data["o:deliverytime"]).timestamp())
        except ValueError:
            raise Refused(400, "o:deliverytime parameter is not a valid date") from None
    tracking = data.get("o:tracking", "no").lower()
    clicks = data.get("o:tracking-clicks", tracking).lower()
    messages = []
    for kind, name, address in recipients:
        own = variables.get(address, {})

        def fill(text, own=own):
            # An unknown variable stays as it is, as at Mailgun: a mistake that a test should see.
            return re.sub(r"%recipient\.([^%]+)%", lambda m: str(own.get(m[1], m[0])), text)

        shown_to = f"{name} <{address}>" if name else address
        listed_to = shown_to if batch or kind == "bcc" else ", ".join(v for k, v in fields if k == "to")
        headers = [["From", data["from"]], ["To", listed_to]]
        if kind != "bcc" and data.get("cc") and not batch:
            headers.append(["Cc", ", ".join(v for k, v in fields if k == "cc")])
        headers += [["Subject", fill(data["subject"])], ["Date", formatdate(now)], ["Message-Id", message_id]]
        headers += [
            [key[2:], fill(value)]
            for key, value in fields
            if key.startswith("h:") and key.lower() not in ("h:message-id", "h:x-mailgun-variables")
        ]
        custom = {key[2:]: fill(value) for key, value in fields if key.startswith("v:")}
        if data.get("h:X-Mailgun-Variables"):
            custom = _json_object(data["h:X-Mailgun-Variables"], "h:X-Mailgun-Variables") | custom
        messages.append(
            Message(
                domain=domain,
                message_id=message_id,
                sender=_readable(data["from"]),
                recipient=address,
                shown_to=_readable(shown_to),
                subject=fill(data["subject"]),
                text=fill(data.get("text", "")),
                html=fill(data.get("html", "")),
                headers=headers,
                tags=tags,
                variables=custom,
                track_opens=data.get("o:tracking-opens", tracking).lower() in ("yes", "true", "htmlonly"),
                track_clicks={"true": "yes", "yes": "yes", "htmlonly": "htmlonly"}.get(clicks, "no"),
                accepted_at=now,
                deliver_at=deliver_at,
                test_mode=data.get("o:testmode", "").lower() in ("yes", "true"),
            )
        )
    return messages, [item for name, item in files if name in ("attachment", "inline")]


def _readable(header):
    try:
        return str(make_header(decode_header(header)))
    except (LookupError, UnicodeError):
        return header


def _json_object(text, name):
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused(400, f"'{name}' parameter is not a valid JSON object")
    return found


def links(message):
    """List the web addresses of a message's HTML part, in order."""
    found = [html.unescape(m[2] or m[3] or "") for m in LINK.finditer(message["html"])]
    return [url for url in found if url.startswith(("http://", "https://"))]


def tracked_html(message):
    """Return the HTML part as the recipient gets it: links and a pixel of ours only where asked for."""
    text = message["html"].replace("%unsubscribe_url%", f"/u/{message['id']}")
    if message["track_clicks"] != "no":
        position = count()

        def rewrite(found):
            url = html.unescape(found[2] or found[3] or "")
            if not url.startswith(("http://", "https://")):
                return found[0]
            return f'{found[1]}"/c/{message["id"]}/{next(position)}"'

        text = LINK.sub(rewrite, text)
    if message["track_opens"]:
        pixel = f'<img src="/o/{message["id"]}.gif" width="1" height="1" alt="">'
        before, body, after = text.rpartition("</body>")
        text = before + pixel + body + after if body else text + pixel
    return text


def event_data(*, message, name, now, attachments=(), **more):
    """Return Mailgun's `event-data` object for an event of a message.

    `more` goes in with hyphens for underscores, as `delivery_status`.
    """
    address_domain = message["recipient"].rpartition("@")[2]
    return {
        "event": name,
        "id": secrets.token_urlsafe(16),
        "timestamp": round(now, 6),
        "log-level": {"failed": "error", "complained": "warn"}.get(name, "info"),
        "recipient": message["recipient"],
        "recipient-domain": address_domain,
        "tags": json.loads(message["tags"]),
        "user-variables": json.loads(message["variables"]),
        "campaigns": [],
        "flags": {
            "is-routed": False,
            "is-authenticated": True,
            "is-system-test": False,
            "is-test-mode": False,
        },
        "envelope": {
            "transport": "smtp",
            "sender": ADDRESS.findall(message["sender"])[-1],
            "targets": message["recipient"],
        },
        "message": {
            "headers": {
                "to": message["shown_to"],
                "message-id": message["message_id"].strip("<>"),
                "from": message["sender"],
                "subject": message["subject"],
            },
            "attachments": [
                {"filename": item["name"], "content-type": item["content_type"], "size": item["size"]}
                for item in attachments
            ],
            "size": len(message["text"]) + len(message["html"]),
        },
    } | {key.replace("_", "-"): value for key, value in more.items()}


def webhook_body(*, data, signing_key, wall_now):
    """Return the signed JSON text of a webhook; a repeated delivery sends the same text again.

    The signature carries wall time, not sandbox time: a receiver compares it with its own clock.
    """
    timestamp, token = str(int(wall_now)), secrets.token_hex(25)
    signature = hmac.new(signing_key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    block = {"timestamp": timestamp, "token": token, "signature": signature}
    return json.dumps({"signature": block, "event-data": data})
