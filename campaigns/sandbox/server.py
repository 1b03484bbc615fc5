"""Answer HTTP: Mailgun's send request, the control calls under `/_sandbox`, the mailbox pages."""

import base64
import binascii
import hmac
import json
import time
from urllib.parse import urlencode

from . import control, mailbox, program, worker
from .mailgun import read_form, read_submission
from .program import Refused

LIMIT_BODY_BYTES = 30 * 1024 * 1024  # Mailgun takes 25 MB of mail; boundaries and fields come on top.
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src 'self' data:; form-action 'self'"
)


class Handler(program.Handler):
    LIMIT_BODY_BYTES = LIMIT_BODY_BYTES
    PAGE_POLICY = PAGE_POLICY
    server_version = "mail-sandbox"

    def message(self, key):
        found = self.store.message(key)
        if not found:
            raise Refused(404, "Message not found")
        return found


# Mailgun's API


def send_message(handler, domain_name):
    domain = handler.store.domain(domain_name)
    if not domain:
        raise Refused(404, f"Domain not found: {domain_name}")
    _check_key(handler, domain)
    fault = handler.store.take_fault(domain["name"])
    mode = fault["mode"] if fault else ""
    if mode == "error_500":
        raise Refused(500, "Internal Server Error")
    if mode == "error_429":
        raise Refused(429, "Too many requests")
    if mode == "slow":
        time.sleep(fault["seconds"])
    if mode == "drop_before_effect":
        return _drop(handler, fault)
    fields, files = read_form(handler.headers.get("Content-Type", ""), handler.body)
    messages, attachments = read_submission(domain=domain["name"], fields=fields, files=files, now=handler.store.now())
    with handler.store.write():
        for key in handler.store.add_submission(messages=messages, attachments=attachments):
            worker.record(handler.store, handler.store.message(key), "accepted")
    if mode == "drop_after_effect":
        return _drop(handler, fault)
    if mode == "error_500_after_effect":
        raise Refused(500, "Internal Server Error")
    if mode == "garbled":
        # It came through something on the way that broke it.
        return handler.send(b'{"id": "<', "application/json")
    handler.send_json({"id": messages[0].message_id, "message": "Queued. Thank you."})


def list_events(handler, domain_name, after="0"):
    """List events as Mailgun does: some in a page, each with the address of the next, which is empty at the end."""
    domain = handler.store.domain(domain_name)
    if not domain:
        raise Refused(404, f"Domain not found: {domain_name}")
    _check_key(handler, domain)
    if handler.store.take_fault(domain["name"], listing=True):
        raise Refused(500, "Internal Server Error")
    asked = handler.query
    if not asked.get("message-id"):
        raise Refused(400, "The sandbox lists by message-id only")
    if asked.get("ascending") != "yes" or not asked.get("begin", "").isdecimal():
        raise Refused(400, "A range is given by begin and ascending=yes")
    limit = max(1, min(int(asked.get("limit", 100)), 300))
    found = handler.store.happened(
        domain=domain["name"],
        message_id=asked["message-id"],
        name=asked.get("event", ""),
        after=int(after),
        limit=limit,
    )
    last = found[-1]["n"] if found else after
    here = f"http://{handler.headers['Host']}/v3/{domain['name']}/events/{last}?{urlencode(asked)}"
    handler.send_json({"items": [json.loads(row["data"]) for row in found], "paging": {"next": here}})


def _check_key(handler, domain):
    kind, _, encoded = handler.headers.get("Authorization", "").partition(" ")
    try:
        user, _, key = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user, key = "", ""
    good = hmac.compare_digest(key.encode(), domain["api_key"].encode())
    if not (kind.lower() == "basic" and user == "api" and good):
        raise Refused(401, "Invalid private key")


def _drop(handler, fault):
    time.sleep(fault["seconds"])
    handler.close_connection = True


ROUTES = (
    ("POST", r"/v3/([^/]+)/messages", send_message),
    ("GET", r"/v3/([^/]+)/events", list_events),
    ("GET", r"/v3/([^/]+)/events/(\d+)", list_events),
    ("GET", r"/health", control.health),
    ("POST", r"/_sandbox/domains", control.configure_domain),
    ("GET", r"/_sandbox/clock", control.get_clock),
    ("POST", r"/_sandbox/clock", control.set_clock),
    ("POST", r"/_sandbox/behaviour", control.set_behaviour),
    ("POST", r"/_sandbox/faults", control.add_fault),
    ("DELETE", r"/_sandbox/faults", control.clear_faults),
    ("GET", r"/_sandbox/suppressions", control.list_suppressions),
    ("DELETE", r"/_sandbox/suppressions", control.clear_suppressions),
    ("GET", r"/_sandbox/webhooks", control.list_webhooks),
    ("POST", r"/_sandbox/webhooks/(\d+)/resend", control.resend_webhook),
    ("GET", r"/_sandbox/messages", control.list_messages),
    ("GET", r"/_sandbox/messages/([^/]+)", control.get_message),
    ("POST", rf"/_sandbox/messages/([^/]+)/({'|'.join(control.ACTIONS)})", control.act),
    ("GET", r"/", mailbox.show_mailbox),
    ("GET", r"/messages/([^/]+)", mailbox.show_message),
    ("GET", r"/messages/([^/]+)/html", mailbox.show_html),
    ("POST", rf"/messages/([^/]+)/({'|'.join(control.ON_THE_PAGE)})", mailbox.do_from_page),
    ("GET", r"/messages/([^/]+)/attachments/(\d+)", mailbox.show_attachment),
    ("GET", r"/o/([0-9a-f]+)\.gif", mailbox.pixel),
    ("GET", r"/c/([0-9a-f]+)/(\d+)", mailbox.follow_link),
    ("GET", r"/u/([0-9a-f]+)", mailbox.unsubscribe_link),
)
Handler.ROUTES = ROUTES
