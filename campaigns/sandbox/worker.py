"""Deliver accepted mail after a moment, record what happens to it, and send the webhooks."""

import http.client
import json
import re
import time

from . import program
from .mailgun import event_data, links, webhook_body
from .store import ORDERS

DEFERRED_RETRY_SECONDS = 1
BATCH = 100
BOUNCED = {
    "code": 550,
    "message": "5.1.1 The email account does not exist",
    "description": "",
    "attempt-no": 1,
}
DEFERRED = {"code": 451, "message": "4.7.1 Greylisted, try again later", "description": "", "attempt-no": 1}
DELIVERED = {"code": 250, "message": "OK", "description": "", "attempt-no": 1, "session-seconds": 0.1}


def record(store, message, name, **more):
    """Store an event of a message and queue its webhook; return the `event-data` object."""
    now, domain = store.now(), store.domain(message["domain"])
    copies = store.setting("webhooks_copies")
    data = event_data(message=message, name=name, now=now, attachments=store.attachments(message), **more)
    with store.write() as db:
        event = db.execute(
            "INSERT INTO events (message, name, at, data) VALUES (?, ?, ?, ?)",
            (message["id"], name, now, json.dumps(data)),
        ).lastrowid
        if domain and domain["webhook_url"]:
            wall_now = time.time()
            body = webhook_body(data=data, signing_key=domain["signing_key"], wall_now=wall_now)
            for _ in range(copies):
                db.execute(
                    "INSERT INTO webhooks (event, url, host, body, state, due_wall) VALUES (?, ?, ?, ?, 'waiting', ?)",
                    (event, domain["webhook_url"], domain["webhook_host"], body, wall_now),
                )
    return data


def _set_state(store, message, state, *, due_wall=None):
    with store.write() as db:
        db.execute("UPDATE messages SET state = ?, due_wall = ? WHERE id = ?", (state, due_wall, message["id"]))


def _suppress(store, message, kind, tags=("*",)):
    with store.write() as db:
        for tag in tags:
            db.execute(
                "INSERT OR IGNORE INTO suppressions VALUES (?, ?, ?, ?)",
                (message["domain"], message["recipient"], kind, tag),
            )


def bounce(store, message):
    """Fail a message for good; the address gets no more mail from its domain."""
    _set_state(store, message, "bounced")
    _suppress(store, message, "bounce")
    return record(store, message, "failed", severity="permanent", reason="bounce", delivery_status=BOUNCED)


def complain(store, message):
    """Report a message as spam; the address gets no more mail from its domain."""
    _suppress(store, message, "complaint")
    return record(store, message, "complained")


def unsubscribe(store, message):
    """Take the address off the message's tags, or off everything where it has none."""
    _suppress(store, message, "unsubscribe", json.loads(message["tags"]) or ["*"])
    return record(store, message, "unsubscribed", client_info={"user-agent": "Mail sandbox"})


def opened(store, message, user_agent, bot=""):
    """Record an opening, by a person or by Mailgun's word for a machine; None where the sender did not ask for it."""
    if message["track_opens"]:
        return record(store, message, "opened", client_info={"user-agent": user_agent, "bot": bot})
    return None


def clicked(store, message, url, user_agent, bot=""):
    """Record a click likewise."""
    if message["track_clicks"] != "no":
        return record(store, message, "clicked", url=url, client_info={"user-agent": user_agent, "bot": bot})
    return None


def deliver(store, message):
    """Bring an accepted message to the mailbox, or do what its address or a suppression says.

    A local part that starts with `bounce`, `defer`, `complain`, `opens-`, `clicks-` or `leaves-` acts that out. With
    `scanned-` machines are there before any person: Apple's proxy opens the mail, a filter follows its links.
    """
    behaviour = re.match(r"bounce|defer|complain|(?:opens|clicks|leaves|scanned)-|", message["recipient"])[0]
    tags = json.loads(message["tags"])
    kind = store.suppressed(domain=message["domain"], address=message["recipient"], tags=tags)
    if kind:
        _set_state(store, message, "suppressed")
        status = {"code": 605, "message": "", "description": f"Not delivering to a {kind} address"}
        why = {"severity": "permanent", "reason": f"suppress-{kind}", "delivery_status": status}
        record(store, message, "failed", **why)
    elif behaviour == "bounce":
        bounce(store, message)
    elif behaviour == "defer" and message["state"] == "accepted":
        _set_state(store, message, "deferred", due_wall=time.time() + DEFERRED_RETRY_SECONDS)
        record(store, message, "failed", severity="temporary", reason="generic", delivery_status=DEFERRED)
    else:
        _set_state(store, message, "delivered")
        record(store, message, "delivered", delivery_status=DELIVERED)
        _act(store, message, behaviour)


def _act(store, message, behaviour):
    if behaviour == "complain":
        complain(store, message)
    elif behaviour == "leaves-":
        unsubscribe(store, message)
    elif behaviour in ("opens-", "clicks-"):
        opened(store, message, "Mail sandbox")
        if behaviour == "clicks-" and (found := links(message)):
            clicked(store, message, found[0], "Mail sandbox")
    elif behaviour == "scanned-":
        opened(store, message, "Mozilla/5.0", "apple")
        for url in links(message):
            clicked(store, message, url, "Mozilla/5.0", "generic")


def deliver_due(store):
    """Deliver what is due now; return how many."""
    due = store.rows(
        "SELECT * FROM messages WHERE due_wall <= ? AND deliver_at <= ? ORDER BY +n LIMIT ?",
        *(time.time(), store.now(), BATCH),
    )
    for message in due:
        with store.write():
            deliver(store, message)
    return len(due)


def post(webhooks):
    """Send one webhook as it is, or several of one receiver as a list, as a relay does."""
    first, bodies = webhooks[0], [webhook["body"] for webhook in webhooks]
    return program.post(
        first["url"],
        host=first["host"],
        body=bodies[0] if len(bodies) == 1 else f"[{','.join(bodies)}]",
        content_type="application/json",
        User_Agent="mailgun/sandbox",
    )


def groups(due, at_once):
    """Put together what goes in one request."""
    by_receiver = {}
    for webhook in due:
        by_receiver.setdefault((webhook["url"], webhook["host"]), []).append(webhook)
    return [found[at : at + at_once] for found in by_receiver.values() for at in range(0, len(found), at_once)]


def send_due_webhooks(store):
    """Send the webhooks that are due now; return how many."""
    if store.setting("webhooks_paused"):
        return 0
    order = ORDERS[store.setting("webhooks_order")]
    # Bodies are long, and tens of thousands may wait: they are read for the chosen ones only.
    chosen = f"SELECT n FROM webhooks WHERE state = 'waiting' AND due_wall <= ? ORDER BY {order} LIMIT ?"  # noqa: S608
    due = store.rows(
        f"SELECT * FROM webhooks WHERE n IN ({chosen}) ORDER BY {order}",  # noqa: S608
        *(time.time(), BATCH),
    )
    for together in groups(due, store.setting("webhooks_at_once")):
        try:
            status = post(together)
            answer = str(status)
        except (OSError, http.client.HTTPException) as error:
            status, answer = 0, type(error).__name__
        with store.write() as db:
            now = time.time()  # one moment for all: what was refused together comes again together
            for webhook in together:
                _answered(db, webhook, status, answer, now)
    return len(due)


def _answered(db, webhook, status, answer, now):
    attempts = webhook["attempts"] + 1
    if 200 <= status < 300:
        state = "sent"
    elif status == 406 or attempts > len(program.RETRY_AFTER_SECONDS):  # 406 asks Mailgun to stop.
        state = "gave up"
    else:
        state = "waiting"
    wait = program.RETRY_AFTER_SECONDS[min(attempts, len(program.RETRY_AFTER_SECONDS)) - 1]
    db.execute(
        "UPDATE webhooks SET state = ?, attempts = ?, answer = ?, due_wall = ? WHERE n = ?",
        (state, attempts, answer, now + wait, webhook["n"]),
    )


def _next_delivery(store):
    """Return the wall time of the next delivery, or None."""
    offset = store.setting("clock_offset_seconds")
    return store.row("SELECT min(max(due_wall, deliver_at - ?)) FROM messages WHERE due_wall IS NOT NULL", offset)[0]


def _next_webhook(store):
    """Return the wall time of the next webhook attempt, or None."""
    if store.setting("webhooks_paused"):
        return None
    return store.row("SELECT min(due_wall) FROM webhooks WHERE state = 'waiting'")[0]


def start(store):
    """Start the two background threads: mail to mailboxes, webhooks to receivers."""
    program.start(store, (deliver_due, _next_delivery), (send_due_webhooks, _next_webhook))
