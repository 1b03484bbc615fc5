"""Answer HTTP: Mailgun's send request, the control calls under `/_sandbox`, the mailbox pages."""

import base64
import binascii
import hmac
import json
import re
import socketserver
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from . import control, mailbox, worker
from .mailgun import Refused, read_form, read_submission

LIMIT_BODY_BYTES = 30 * 1024 * 1024  # Mailgun takes 25 MB of mail; boundaries and fields come on top.
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src 'self' data:; form-action 'self'"
)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, store):
        self.store = store
        super().__init__(address, Handler)

    def server_bind(self):
        # Not HTTPServer's: that one asks the name service for this machine's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "mail-sandbox"
    disable_nagle_algorithm = True
    timeout = 120

    def log_message(self, *_):
        """Stay silent: the mailbox page shows what happened."""

    def do_GET(self):
        self._answer("GET")

    do_HEAD = do_GET

    def do_POST(self):
        self._answer("POST")

    def do_DELETE(self):
        self._answer("DELETE")

    def _answer(self, method):
        self.store = self.server.store
        parts = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            self.body = self._read_body()
            for wanted, pattern, function in ROUTES:
                found = re.fullmatch(pattern, parts.path)
                if wanted == method and found:
                    return function(self, *map(unquote, found.groups()))
            raise Refused(404, "Not found")
        except Refused as refused:
            self.send_json({"message": str(refused)}, refused.status)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:
            traceback.print_exc()
            self.close_connection = True
            self.send_json({"message": "The sandbox failed; see its log"}, 500)

    def _read_body(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > LIMIT_BODY_BYTES or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            raise Refused(413, "Message too large, or sent without a length")
        return self.rfile.read(length)

    def json_body(self):
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(400, "The body is not a JSON object")
        return found

    def send(self, content, content_type, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_json(self, value, status=200):
        self.send(json.dumps(value).encode(), "application/json", status)

    def send_page(self, text, policy=PAGE_POLICY):
        self.send(text.encode(), "text/html; charset=utf-8", Content_Security_Policy=policy)

    def redirect(self, place):
        self.send(b"", "text/plain", 303, Location=place)

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
    handler.send_json({"id": messages[0].message_id, "message": "Queued. Thank you."})


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
    ("POST", rf"/messages/([^/]+)/({'|'.join(control.ACTIONS)})", mailbox.do_from_page),
    ("GET", r"/messages/([^/]+)/attachments/(\d+)", mailbox.show_attachment),
    ("GET", r"/o/([0-9a-f]+)\.gif", mailbox.pixel),
    ("GET", r"/c/([0-9a-f]+)/(\d+)", mailbox.follow_link),
    ("GET", r"/u/([0-9a-f]+)", mailbox.unsubscribe_link),
)
