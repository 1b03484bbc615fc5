"""Answer the control calls under `/_sandbox`: settings, clock, faults, messages and what befalls them."""

import hashlib
import hmac
import http.client
import json
import re
import secrets
import time
from datetime import datetime
from urllib.parse import urlencode

from . import program, worker
from .mailgun import links
from .program import Refused
from .store import DEFAULTS, ORDERS, iso

LIMIT_PAGE = 500
FAULTS = ("error_500", "error_500_after_effect", "error_429", "slow")
FAULTS += ("drop_before_effect", "drop_after_effect", "garbled", "list_500")
ON_THE_PAGE = ("open", "click", "bounce", "complain", "unsubscribe", "one-click")
ACTIONS = (*ON_THE_PAGE, "reply")
BOTS = ("", "apple", "gmail", "generic")
"""Who opened or clicked, in Mailgun's words: nothing for a person."""


def health(handler):
    handler.send_json({"ok": True})


def configure_domain(handler):
    asked = handler.json_body()
    for name in ("domain", "api_key", "signing_key"):
        if not isinstance(asked.get(name), str) or not asked[name]:
            raise Refused(400, f"{name} is missing")
    handler.store.upsert_domain(
        name=asked["domain"].lower(),
        api_key=asked["api_key"],
        signing_key=asked["signing_key"],
        webhook_url=asked.get("webhook_url") or "",
        webhook_host=asked.get("webhook_host") or "",
    )
    handler.send_json({"domain": asked["domain"].lower()})


def get_clock(handler):
    handler.send_json({"now": iso(handler.store.now())})


def set_clock(handler):
    asked = handler.json_body()
    try:
        if "now" in asked:
            wanted = datetime.fromisoformat(asked["now"]).timestamp()
        else:
            wanted = handler.store.now() + float(asked["advance_seconds"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Refused(400, 'Send {"now": "2026-12-01T14:00:00Z"} or {"advance_seconds": 86400}') from None
    handler.store.set_settings(clock_offset_seconds=wanted - time.time())
    get_clock(handler)


def set_behaviour(handler):
    asked = handler.json_body()
    for name, value in asked.items():
        known = name in DEFAULTS and name != "clock_offset_seconds"
        if not known or type(value) is not type(DEFAULTS[name]):
            raise Refused(400, f"{name} is unknown or of the wrong type")
    if asked.get("webhooks_order", "oldest_first") not in ORDERS:
        raise Refused(400, f"webhooks_order is one of {', '.join(ORDERS)}")
    if not 1 <= asked.get("webhooks_at_once", 1) <= worker.BATCH:
        raise Refused(400, f"webhooks_at_once is from 1 to {worker.BATCH}")
    handler.store.set_settings(**asked)
    handler.send_json({name: handler.store.setting(name) for name in DEFAULTS})


def add_fault(handler):
    asked = handler.json_body()
    if asked.get("mode") not in FAULTS:
        raise Refused(400, f"mode is one of {', '.join(FAULTS)}")
    values = (
        asked.get("domain", ""),
        asked["mode"],
        int(asked.get("times", 1)),
        float(asked.get("seconds", 0)),
    )
    with handler.store.write() as db:
        db.execute("INSERT INTO faults (domain, mode, times, seconds) VALUES (?, ?, ?, ?)", values)
    handler.send_json({"mode": asked["mode"]})


def clear_faults(handler):
    with handler.store.write() as db:
        db.execute("DELETE FROM faults")
    handler.send_json({"faults": 0})


def list_suppressions(handler):
    handler.send_json([dict(row) for row in handler.store.rows("SELECT * FROM suppressions ORDER BY address")])


def clear_suppressions(handler):
    address = handler.query.get("address", "")
    with handler.store.write() as db:
        db.execute("DELETE FROM suppressions WHERE ? IN ('', address)", (address,))
    list_suppressions(handler)


def list_webhooks(handler):
    rows = handler.store.rows(
        "SELECT webhooks.*, events.name AS event_name, events.message FROM webhooks"
        " JOIN events ON events.n = webhooks.event ORDER BY webhooks.n DESC LIMIT ?",
        LIMIT_PAGE,
    )
    names = ("n", "event_name", "message", "url", "state", "attempts", "answer")
    handler.send_json([{name: row[name] for name in names} for row in rows])


def resend_webhook(handler, number):
    with handler.store.write() as db:
        done = db.execute(
            "UPDATE webhooks SET state = 'waiting', attempts = 0, due_wall = ? WHERE n = ?",
            (time.time(), number),
        )
    if not done.rowcount:
        raise Refused(404, "Webhook not found")
    handler.send_json({"n": int(number), "state": "waiting"})


def list_messages(handler):
    """List messages, newest first, at most `limit` (50) of them."""
    try:
        limit = min(int(handler.query.get("limit", 50)), LIMIT_PAGE)
        offset = int(handler.query.get("offset", 0))
    except ValueError:
        raise Refused(400, "limit and offset are numbers") from None
    found = handler.store.messages(
        to=handler.query.get("to", "").lower(),
        domain=handler.query.get("domain", ""),
        tag=handler.query.get("tag", ""),
        limit=limit,
        offset=offset,
    )
    handler.send_json([describe(handler.store, message) for message in found])


def get_message(handler, key):
    handler.send_json(describe(handler.store, handler.message(key)))


def describe(store, message):
    """Return a message as the control calls show it."""
    own = f"/messages/{message['id']}"
    return {
        "id": message["id"],
        "message_id": message["message_id"],
        "domain": message["domain"],
        "from": message["sender"],
        "to": message["recipient"],
        "subject": message["subject"],
        "text": message["text"],
        "html": message["html"],
        "links": links(message),
        "headers": json.loads(message["headers"]),
        "tags": json.loads(message["tags"]),
        "variables": json.loads(message["variables"]),
        "tracking": {"opens": bool(message["track_opens"]), "clicks": message["track_clicks"]},
        "state": message["state"],
        "accepted_at": iso(message["accepted_at"]),
        "attachments": [
            {
                "name": item["name"],
                "content_type": item["content_type"],
                "inline": bool(item["inline"]),
                "size": item["size"],
                "url": f"{own}/attachments/{item['position']}",
            }
            for item in store.attachments(message)
        ],
        "events": [
            {"event": e["name"], "at": iso(e["at"]), "webhook": e["webhook"], "answer": e["answer"]}
            for e in store.events(message)
        ],
    }


def act(handler, key, action):
    """Do what a recipient or a mail server does to a message; `event` is null where nothing was asked for."""
    message = handler.message(key)
    asked = handler.json_body()
    if action == "one-click":
        return handler.send_json({"status": one_click(message)})
    if action == "reply":
        return handler.send_json({"status": reply(handler.store, message, asked)})
    handler.send_json({"event": do(handler, message, action, asked)})


def do(handler, message, action, asked):
    agent, bot = handler.headers.get("User-Agent", ""), asked.get("bot", "")
    if bot not in BOTS:
        raise Refused(400, f"bot is one of {', '.join(BOTS)}")
    if action == "open":
        return worker.opened(handler.store, message, agent, bot)
    if action == "click":
        known = links(message)
        url = asked.get("url") or (known[0] if known else "")
        if url not in known:
            raise Refused(400, "The message has no such link")
        return worker.clicked(handler.store, message, url, agent, bot)
    work = {"bounce": worker.bounce, "complain": worker.complain, "unsubscribe": worker.unsubscribe}
    with handler.store.write():
        return work[action](handler.store, message)


def reply(store, message, asked):
    """Answer a mail as its reader does; the domain's route hands the answer in, signed. Return the status it got.

    The route is at the domain's webhook address, with `/replies` behind it.
    """
    text = asked.get("text")
    if not isinstance(text, str):
        raise Refused(400, 'Send {"text": "Please stop", "from": "..."}')
    domain = store.domain(message["domain"])
    if not domain["webhook_url"]:
        raise Refused(409, "The domain has no webhook address")
    stamp, token = str(int(time.time())), secrets.token_hex(25)
    form = {
        "recipient": f"reply@{domain['name']}",
        "sender": asked.get("from") or message["recipient"],
        "from": asked.get("from") or message["recipient"],
        "subject": f"Re: {message['subject']}",
        "body-plain": f"{text}\n\nOn Tue, Dec 1, 2026, somebody wrote:\n> {message['text'][:200]}",
        "stripped-text": text,
        "Message-Id": asked.get("message_id") or f"<{token[:20]}@mail.example.com>",
        "In-Reply-To": message["message_id"],
        "timestamp": stamp,
        "token": token,
        "signature": hmac.new(domain["signing_key"].encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest(),
    }
    kind = "application/x-www-form-urlencoded"
    try:
        return program.post(
            f"{domain['webhook_url']}/replies",
            host=domain["webhook_host"],
            body=urlencode(form),
            content_type=kind,
            User_Agent="mailgun/sandbox",
        )
    except (OSError, http.client.HTTPException) as error:
        raise Refused(409, type(error).__name__) from None


def one_click(message):
    """Unsubscribe as a mail program does with one click (RFC 8058); return the status of the answer."""
    headers = {name.lower(): value for name, value in json.loads(message["headers"])}
    found = re.search(r"<(https?://[^>]+)>", headers.get("list-unsubscribe", ""))
    body = headers.get("list-unsubscribe-post", "")
    if not found or body != "List-Unsubscribe=One-Click":
        raise Refused(409, "The message offers no one-click unsubscribe")
    try:
        kind = "application/x-www-form-urlencoded"
        return program.post(found[1], host="", body=body, content_type=kind, User_Agent="mailgun/sandbox")
    except (OSError, http.client.HTTPException) as error:
        raise Refused(502, f"No answer: {type(error).__name__}") from None
