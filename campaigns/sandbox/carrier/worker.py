"""Deliver accepted texts after a moment, and send the signed webhooks; one that is not taken comes once more."""

import base64
import hashlib
import hmac
import http.client
import json
import time
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from .. import program
from ..program import RETRY_AFTER_SECONDS
from .store import ORDERS

# A number that ends like this behaves like this, so that a demonstration can order a failure.
OUTCOMES = {"9001": ("undelivered", "30005"), "9002": ("undelivered", "30007"), "9003": ("failed", "30006")}


def start(store):
    """Start the threads that deliver and that report."""
    program.start(store, (deliver, _next_delivery), (report, _next_report))


def _next_delivery(store):
    return store.row("SELECT min(due) FROM texts WHERE due IS NOT NULL")[0]


def _next_report(store):
    if store.setting("webhooks_paused"):
        return None
    return store.row("SELECT min(due) FROM webhooks WHERE state = 'waiting'")[0]


def deliver(store):
    """Bring what is due to its telephone; each state is reported. Return how many there were."""
    due = store.rows("SELECT * FROM texts WHERE due IS NOT NULL AND due <= ? ORDER BY +n LIMIT 500", time.time())
    for text in due:
        status, error = OUTCOMES.get(text["recipient"][-4:], ("delivered", ""))
        with store.write() as db:
            db.execute("UPDATE texts SET status = ?, error = ?, due = NULL WHERE n = ?", (status, error, text["n"]))
            for said in ("sent", status):
                form = {
                    "MessageSid": text["sid"],
                    "MessageStatus": said,
                    "To": text["recipient"],
                    "From": text["sender"],
                    "AccountSid": text["account"],
                }
                if said == status and error:
                    form["ErrorCode"] = error
                store.queue_webhook(account=text["account"], url=text["status_url"], form=form)
    return len(due)


def report(store):
    """Send what waits; where no 2xx answers it comes again, as often as the settings say. Return how many were sent."""
    if store.setting("webhooks_paused"):
        return 0
    order = ORDERS[store.setting("webhooks_order")]
    sql = f"SELECT * FROM webhooks WHERE state = 'waiting' AND due <= ? ORDER BY {order} LIMIT 100"  # noqa: S608
    due = store.rows(sql, time.time())
    for row in due:
        account = store.row("SELECT * FROM accounts WHERE sid = ?", row["account"])
        form, heard = json.loads(row["form"]), []
        answer = post(row["url"], form, token=account["token"], host=account["webhook_host"], heard=heard.append)
        taken = answer.startswith("2")
        attempts = row["attempts"] + 1
        wait = RETRY_AFTER_SECONDS[min(attempts, len(RETRY_AFTER_SECONDS)) - 1]
        state = "taken" if taken else "waiting" if attempts < store.setting("webhooks_tries") else "given up"
        with store.write() as db:
            db.execute(
                "UPDATE webhooks SET state = ?, attempts = ?, due = ?, answer = ? WHERE n = ?",
                (state, attempts, time.time() + wait, answer, row["n"]),
            )
            if taken and form.get("SmsStatus") == "received":
                _send_answer(store, account, form["From"], heard)
    return len(due)


def _send_answer(store, account, number, heard):
    """Send what stands in the answer to a text that came in, as `<Response><Message>`; anything else is silence."""
    try:
        said = [one.text or "" for one in ElementTree.fromstring(b"".join(heard)).iter("Message")]
    except ElementTree.ParseError:
        said = []
    for body in said:
        more = {"sender": account["number"], "recipient": number, "status": "delivered"}
        store.add(account=account["sid"], direction="outbound", body=body, **more)


def post(url, form, *, token, host, heard=None):
    """Send one signed form; the signature is over the address as the receiver was told it."""
    parts = urlsplit(url)
    told = f"{parts.scheme}://{host or parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    said = told + "".join(f"{name}{form[name]}" for name in sorted(form))
    signature = base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode()
    kind = "application/x-www-form-urlencoded"
    try:
        return str(
            program.post(
                url, host=host, body=urlencode(form), content_type=kind, heard=heard, X_Twilio_Signature=signature
            )
        )
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
