"""Answer HTTP: Twilio's send request, the control calls under `/_sandbox`, the page of telephones.

Control: POST /_sandbox/accounts {"sid", "token", "number", "inbound_url", "webhook_host", "keywords"} (`portal`: STOP,
START and HELP are left to the account, else they are answered here); POST /_sandbox/reply {"from", "to", "body"}
(somebody writes to one of our numbers); GET /_sandbox/texts?to=&from=; POST /_sandbox/faults {"mode", "times"}, DELETE
clears; POST /_sandbox/behaviour {settings}.
"""

import base64
import binascii
import hmac
import re
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from urllib.parse import parse_qsl, urlencode

from .. import program
from ..program import Refused
from .store import DEFAULTS, ORDERS

LIMIT_TEXT = 1600  # Twilio's: longer ones are refused with 21617.
# Twilio's own keywords and what it answers to them.
WORDS = {
    "stop": ("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"),
    "start": ("start", "unstop", "yes"),
    "help": ("help", "info"),
}
ANSWERS = {
    "stop": "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe.",
    "start": "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP "
    "to unsubscribe. Msg&Data Rates May Apply.",
    "help": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}
FAULTS = ("error_500", "error_429", "drop_after_effect", "drop_before_effect", "garbled", "list_500")
E164 = re.compile(r"\+[1-9][0-9]{7,14}")


class Handler(program.Handler):
    server_version = "carrier-sandbox"

    def form(self):
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def said(self):
        """Read a control call: JSON, or the fields of the page's own form."""
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return self.form()
        return self.json_body()


# Twilio's API


def send_message(handler, sid):
    store = handler.store
    account = store.row("SELECT * FROM accounts WHERE sid = ?", sid)
    check_token(handler, account)
    mode = store.take_fault("send")
    if mode == "drop_before_effect":
        handler.close_connection = True
        return
    if mode == "error_500":
        raise Refused(500, "Internal error", 20500)
    if mode == "error_429":
        raise Refused(429, "Too many requests", 20429)
    form = handler.form()
    to, body = form.get("To", ""), form.get("Body", "")
    if not E164.fullmatch(to):
        raise Refused(400, "The 'To' number is not valid", 21211)
    if form.get("From") != account["number"]:
        raise Refused(400, "The 'From' number is not one of the account's", 21606)
    if not body or len(body) > LIMIT_TEXT:
        raise Refused(400, "The body is empty or longer than 1600 characters", 21617 if body else 21602)
    if store.row("SELECT 1 FROM stopped WHERE account = ? AND number = ?", sid, to):
        raise Refused(400, "Attempt to send to an unsubscribed recipient", 21610)
    key = store.add(
        account=sid,
        direction="outbound",
        sender=account["number"],
        recipient=to,
        body=body,
        status="queued",
        status_url=form.get("StatusCallback", ""),
        due=time.time() + store.setting("delivery_delay_ms") / 1000,
    )
    if mode == "drop_after_effect":
        handler.close_connection = True
        return
    if mode == "garbled":
        handler.send(b'{"sid": "SM', "application/json", 201)
        return
    said = {"sid": key, "status": "queued", "num_segments": str(segments(body)), "error_code": None}
    handler.send_json(said, 201)


def list_messages(handler, sid):
    """List an account's texts both ways, newest first, page by page, as Twilio does."""
    check_token(handler, handler.store.row("SELECT * FROM accounts WHERE sid = ?", sid))
    if handler.store.take_fault("list"):
        raise Refused(500, "Internal error", 20500)
    query = handler.query
    to, sender, size = query.get("To", ""), query.get("From", ""), int(query.get("PageSize", 50))
    since = query.get("DateSent>", "")
    at = datetime.fromisoformat(since).timestamp() if since else 0
    before = int(query.get("Before", 2**62))
    rows = handler.store.rows(
        "SELECT * FROM texts WHERE account = ? AND (? = '' OR recipient = ?) AND (? = '' OR sender = ?)"
        " AND at >= ? AND n < ? ORDER BY n DESC LIMIT ?",
        *(sid, to, to, sender, sender, at, before, min(size, 1000)),
    )
    onward = None
    if len(rows) == min(size, 1000):
        more = urlencode(query | {"Before": str(rows[-1]["n"])})
        onward = f"/2010-04-01/Accounts/{sid}/Messages.json?{more}"
    handler.send_json({"messages": [as_listed(row) for row in rows], "next_page_uri": onward})


def show_message(handler, sid, message):
    check_token(handler, handler.store.row("SELECT * FROM accounts WHERE sid = ?", sid))
    row = handler.store.row("SELECT * FROM texts WHERE account = ? AND sid = ?", sid, message)
    if row is None:
        raise Refused(404, "The requested resource was not found", 20404)
    handler.send_json(as_listed(row))


def as_listed(row):
    return {
        "sid": row["sid"],
        "body": row["body"],
        "to": row["recipient"],
        "from": row["sender"],
        "status": row["status"],
        "direction": "inbound" if row["direction"] == "inbound" else "outbound-api",
        "date_sent": format_datetime(datetime.fromtimestamp(row["at"], UTC)),
        "error_code": int(row["error"]) if row["error"] else None,
        "num_segments": str(segments(row["body"])),
    }


def segments(body):
    plain = all(ord(char) < 128 for char in body)
    each = (160, 153) if plain else (70, 67)
    return 1 if len(body) <= each[0] else -(-len(body) // each[1])


def check_token(handler, account):
    kind, _, encoded = handler.headers.get("Authorization", "").partition(" ")
    try:
        user, _, token = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user, token = "", ""
    good = account is not None and user == account["sid"]
    if not (kind.lower() == "basic" and good and hmac.compare_digest(token.encode(), account["token"].encode())):
        raise Refused(401, "Authenticate", 20003)


# Control


def configure_account(handler):
    said = handler.said()
    names = ("sid", "token", "number", "inbound_url", "webhook_host", "keywords")
    if not all(isinstance(said.get(name, ""), str) for name in names) or not said.get("sid"):
        raise Refused(400, f"An account has {', '.join(names)}")
    with handler.store.write() as db:
        db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?, ?)", [said.get(name, "") for name in names])
    handler.send_json({"sid": said["sid"]})


def heard(body):
    word = body.strip().lower()
    return next((kind for kind, words in WORDS.items() if word in words), "")


def reply(handler):
    """Let somebody write to one of the accounts' numbers; the carrier's own keywords are heard here too."""
    said, store = handler.said(), handler.store
    account = store.row("SELECT * FROM accounts WHERE number = ?", said.get("to", ""))
    if account is None or not E164.fullmatch(said.get("from", "")):
        raise Refused(400, "No account has that number, or the sender's is none")
    body = str(said.get("body", ""))
    with store.write() as db:
        pair = (account["sid"], said["from"])
        own = "" if account["keywords"] == "portal" else heard(body)
        if own == "stop":
            db.execute("INSERT OR IGNORE INTO stopped VALUES (?, ?)", pair)
        elif own == "start":
            db.execute("DELETE FROM stopped WHERE account = ? AND number = ?", pair)
        sid = store.add(
            account=account["sid"],
            direction="inbound",
            sender=said["from"],
            recipient=account["number"],
            body=body,
            status="received",
        )
        form = {"MessageSid": sid, "SmsStatus": "received", "From": said["from"], "To": account["number"]}
        form |= {"Body": body, "AccountSid": account["sid"], "NumSegments": "1"}
        store.queue_webhook(account=account["sid"], url=account["inbound_url"], form=form)
        if own:
            store.add(
                account=account["sid"],
                direction="outbound",
                sender=account["number"],
                recipient=said["from"],
                body=ANSWERS[own],
                status="delivered",
            )
    if handler.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return handler.redirect(f"/?number={said['from'].replace('+', '%2B')}")
    return handler.send_json({"sid": sid})


def list_texts(handler):
    to, sender = handler.query.get("to", ""), handler.query.get("from", "")
    rows = handler.store.rows(
        "SELECT * FROM texts WHERE (? = '' OR recipient = ?) AND (? = '' OR sender = ?) ORDER BY n DESC LIMIT 1000",
        *(to, to, sender, sender),
    )
    handler.send_json({"texts": [dict(row) for row in rows]})


def list_webhooks(handler):
    rows = handler.store.rows("SELECT * FROM webhooks ORDER BY n DESC LIMIT 1000")
    handler.send_json({"webhooks": [dict(row) for row in rows]})


def add_fault(handler):
    said = handler.said()
    if said.get("mode") not in FAULTS:
        raise Refused(400, f"mode is one of {', '.join(FAULTS)}")
    with handler.store.write() as db:
        db.execute("INSERT INTO faults (mode, times) VALUES (?, ?)", (said["mode"], int(said.get("times", 1))))
    handler.send_json({})


def clear_faults(handler):
    with handler.store.write() as db:
        db.execute("DELETE FROM faults")
    handler.send_json({})


def set_behaviour(handler):
    said = handler.said()
    if unknown := set(said) - set(DEFAULTS):
        raise Refused(400, f"Unknown: {', '.join(sorted(unknown))}")
    if said.get("webhooks_order", "oldest_first") not in ORDERS:
        raise Refused(400, f"webhooks_order is one of {', '.join(ORDERS)}")
    handler.store.set_settings(**said)
    handler.send_json({name: handler.store.setting(name) for name in DEFAULTS})


# The page


def show_telephones(handler):
    store, chosen = handler.store, handler.query.get("number", "")
    numbers = store.rows(
        "SELECT CASE direction WHEN 'outbound' THEN recipient ELSE sender END AS number, count(*) AS count, max(n) AS n"
        " FROM texts GROUP BY 1 ORDER BY n DESC LIMIT 50"
    )
    chosen = chosen or (numbers[0]["number"] if numbers else "")
    links = "".join(
        f'<a href="/?number={escape(row["number"]).replace("+", "%2B")}"'
        f"{' class=now' if row['number'] == chosen else ''}>{escape(row['number'])} ({row['count']})</a>"
        for row in numbers
    )
    texts = store.rows(
        "SELECT * FROM texts WHERE recipient = ? OR sender = ? ORDER BY n DESC LIMIT 100", chosen, chosen
    )
    bubbles = "".join(bubble(row) for row in reversed(texts))
    other = next((row["recipient"] if row["sender"] == chosen else row["sender"] for row in texts), "")
    form = (
        f'<form method="post" action="/_sandbox/reply"><input type="hidden" name="from" value="{escape(chosen)}">'
        f'<input type="hidden" name="to" value="{escape(other)}"><input name="body" required aria-label="Answer" '
        'placeholder="Answer: STOP, HELP, PAY ..."><button>Send</button></form>'
        if other
        else ""
    )
    empty = "<p>No text has been sent yet.</p>"
    page = PAGE.format(links=links, number=escape(chosen) or "Telephones", bubbles=bubbles or empty, form=form)
    handler.send_page(page)


def bubble(row):
    at = datetime.fromtimestamp(row["at"], UTC).strftime("%d %b %H:%M:%S")
    status = f"{row['status']} {row['error']}".strip()
    text = re.sub(r"(https?://[^\s<]+)", r'<a href="\1">\1</a>', escape(row["body"]))
    return f'<div class="text {row["direction"]}"><p>{text}</p><small>{at} UTC, {escape(status)}</small></div>'


PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Carrier sandbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><style>
body{{font:16px/1.45 system-ui,sans-serif;margin:0;background:#eef1f3;color:#1d2a31}}
main{{max-width:30rem;margin:0 auto;padding:1rem}} h1{{font-size:1.1rem;margin:.5rem 0 1rem}}
nav a{{display:inline-block;margin:0 .5rem .5rem 0;padding:.3rem .6rem;background:#fff;border-radius:1rem;
color:#1f4e5f;text-decoration:none}} nav a.now{{background:#1f4e5f;color:#fff}}
.text{{max-width:85%;margin:.4rem 0;padding:.5rem .8rem;border-radius:1rem;background:#fff;overflow-wrap:anywhere}}
.text p{{margin:0;white-space:pre-wrap}} .text small{{color:#4a5a63}}
.inbound{{margin-left:auto;background:#d6ecd9}} form{{display:flex;gap:.5rem;margin-top:1rem}}
input{{flex:1;font:inherit;padding:.6rem;border:1px solid #7b8b94;border-radius:.6rem;min-width:0}}
button{{font:inherit;padding:.6rem 1rem;border:0;border-radius:.6rem;background:#1f4e5f;color:#fff}}
</style></head><body><main><nav>{links}</nav><h1>{number}</h1>{bubbles}{form}</main></body></html>"""

ROUTES = (
    ("POST", r"/2010-04-01/Accounts/([^/]+)/Messages\.json", send_message),
    ("GET", r"/2010-04-01/Accounts/([^/]+)/Messages\.json", list_messages),
    ("GET", r"/2010-04-01/Accounts/([^/]+)/Messages/([^/]+)\.json", show_message),
    ("GET", r"/health", lambda handler: handler.send_json({"ok": True})),
    ("POST", r"/_sandbox/accounts", configure_account),
    ("POST", r"/_sandbox/reply", reply),
    ("GET", r"/_sandbox/texts", list_texts),
    ("GET", r"/_sandbox/webhooks", list_webhooks),
    ("POST", r"/_sandbox/faults", add_fault),
    ("DELETE", r"/_sandbox/faults", clear_faults),
    ("POST", r"/_sandbox/behaviour", set_behaviour),
    ("GET", r"/", show_telephones),
)
Handler.ROUTES = ROUTES
