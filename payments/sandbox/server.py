"""The HTTP side: keys, idempotency, planned faults, static files."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from . import control, page, routes
from .calls import API_VERSION, Call
from .errors import ApiError, missing, refused
from .parameters import decode
from .store import Store, new_id, public
from .webhooks import Dispatcher

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
FILES = {
    "/field.js": "field.js",
    "/field": "frame.html",
    "/frame.js": "frame.js",
    "/frame.css": "frame.css",
    "/challenge": "challenge.html",
    "/challenge.js": "challenge.js",
    "/page.css": "page.css",
}
# The field runs in the merchant's page, so any page may frame it; nothing else may be loaded or reached.
FRAME_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"
LARGEST_BODY = 1_000_000
BROKEN = ApiError(500, {"type": "api_error", "message": "An unexpected error occurred."})
KEYS_KEPT = 24 * 3600
"""Seconds for which an idempotency key is known."""
BEFORE = ("drop_before", "error_500", "error_503", "rate_limit", "hang_before")


@dataclass
class Answer:
    """Hold one answer; ``closed`` means that the connection ends without it."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    closed: bool = False


def as_json(body: Any) -> bytes:
    return json.dumps(body, indent=2).encode()


def as_error(error: ApiError, request: str) -> bytes:
    return as_json({"error": {**error.error, "request_log_url": f"/_sandbox/requests/{request}"}})


class Processor:
    """Answer API requests over one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.running: set[tuple[str, str]] = set()
        self.lock = threading.Lock()

    def api(self, method: str, target: str, headers: Any, body: bytes, base_url: str) -> Answer:
        """Answer one ``/v1/`` request."""
        request = new_id("req")
        address = urlsplit(target)
        path = unquote(address.path)
        try:
            account, credential = self._who(headers)
            found = routes.find(method, path)
            if found is None:
                raise refused(f"Unrecognized request URL ({method}: {path}).", status=404)
            route, ids = found
            params = decode(address.query if method in ("GET", "DELETE") else body.decode())
            if credential is None:
                self._check_browser(route, account, params, ids)
        except ApiError as error:
            return Answer(error.status, as_error(error, request), headers=(("Request-Id", request),))
        except UnicodeDecodeError:
            unreadable = refused("The body is not UTF-8.")
            return Answer(400, as_error(unreadable, request), headers=(("Request-Id", request),))
        call = Call(
            store=self.store,
            account=account,
            now=self.store.now(),
            params=params,
            credential=credential,
            idempotency_key=headers.get("Idempotency-Key") if method == "POST" else None,
            request_id=request,
            base_url=base_url,
        )
        fault = self.store.take_fault(path=path, method=method, account=account)
        return self._answer_once(route, call, ids, fault=fault, fingerprint=f"{method} {path}")

    def _who(self, headers: Any) -> tuple[str, str | None]:
        """Return the account and the credential's name; None for a publishable key."""
        scheme, _, value = (headers.get("Authorization") or "").partition(" ")
        key = value.strip()
        if scheme.lower() == "basic":
            try:
                key = base64.b64decode(key).decode().partition(":")[0]
            except ValueError:
                key = ""
        known = self.store.row("SELECT account, credential FROM keys WHERE secret = ?", key)
        if known:
            return known["account"], known["credential"]
        browser = self.store.row("SELECT id FROM accounts WHERE publishable_key = ?", key)
        if browser:
            return browser["id"], None
        message = f"Invalid API Key provided: {key[:8]}****" if key else "You did not provide an API key."
        raise refused(message, status=401)

    def _check_browser(self, route: routes.Route, account: str, params: dict[str, Any], ids: list[str]) -> None:
        if not route.in_browser:
            raise refused(
                "This API call cannot be made with a publishable API key. Please use a secret API key.",
                code="secret_key_required",
                status=401,
            )
        if ids and not str(params.get("client_secret", "")).startswith(f"{ids[0]}_secret_"):
            raise refused("Missing required param: client_secret.", param="client_secret", code="parameter_missing")
        if ids:
            kind = "setup_intent" if ids[0].startswith("seti_") else "payment_intent"
            body = self.store.get(account, kind, ids[0], param="intent")
            if body["client_secret"] != params["client_secret"]:
                raise missing(kind, ids[0], param="intent")

    def _answer_once(self, route: routes.Route, call: Call, ids: list[str], *, fault: Any, fingerprint: str) -> Answer:
        """Carry a request out unless its idempotency key was used: then the first answer, byte for byte."""
        key = call.idempotency_key
        slot = (call.account, key or call.request_id or "")
        with self.lock:
            if slot in self.running:
                message = (
                    "There is currently another in-progress request using this Idempotent Key (that probably "
                    f"means you submitted twice, and the other request is still going through): {key}."
                )
                error = ApiError(
                    409, {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": message}
                )
                return Answer(409, as_error(error, call.request_id or ""))
            self.running.add(slot)
        try:
            answer = self._before(fault) or self._carry_out(route, call, ids, fault, fingerprint)
        finally:
            with self.lock:
                self.running.discard(slot)
        return self._after(fault, answer)

    def _before(self, fault: Any) -> Answer | None:
        mode = fault["mode"] if fault else None
        if mode in ("slow", "hang_before"):
            time.sleep(fault["seconds"])
        if mode not in BEFORE:
            return None
        status = {"error_500": 500, "error_503": 503, "rate_limit": 429}.get(mode, 0)
        error = ApiError(status, {"type": "api_error", "message": "An unexpected error occurred."})
        if mode == "rate_limit":
            error = refused("Request rate limit exceeded.", code="rate_limit", status=429)
        return Answer(status, as_error(error, ""), closed=status == 0)

    def _after(self, fault: Any, answer: Answer) -> Answer:
        mode = fault["mode"] if fault else None
        if mode == "timeout":
            time.sleep(fault["seconds"])
        if mode in ("timeout", "drop_after_effect"):
            answer.closed = True
        if mode == "error_500_after_effect":
            return Answer(500, as_error(BROKEN, ""))
        return answer

    def _carry_out(self, route: routes.Route, call: Call, ids: list[str], fault: Any, fingerprint: str) -> Answer:
        mode, key = fault["mode"] if fault else None, call.idempotency_key
        headers = [("Request-Id", call.request_id or ""), ("Stripe-Version", API_VERSION)]
        if key:
            headers.append(("Idempotency-Key", key))
        asked = hashlib.sha256(f"{fingerprint} {json.dumps(call.params, sort_keys=True)}".encode()).hexdigest()
        try:
            with self.store.transaction():
                used = key and self.store.row(
                    "SELECT * FROM used_keys WHERE account = ? AND key = ? AND at > ?",
                    call.account,
                    key,
                    call.now - KEYS_KEPT,
                )
                if used and used["fingerprint"] != asked:
                    message = (
                        "Keys for idempotent requests can only be used with the same parameters they were "
                        f"first used with. Try using a key other than '{key}' if you meant to execute a "
                        "different request."
                    )
                    raise ApiError(400, {"type": "idempotency_error", "message": message})
                if used:
                    headers += [("Idempotent-Replayed", "true"), ("Original-Request", used["request"])]
                    return Answer(used["status"], used["body"], headers=tuple(headers))
                kept = mode == "error_500_kept"
                status, body = (500, as_error(BROKEN, call.request_id or "")) if kept else self._do(route, call, ids)
                if key:
                    # In the effect's own transaction: a kill leaves both, or neither.
                    self.store.rows(
                        "INSERT OR REPLACE INTO used_keys VALUES (?, ?, ?, ?, ?, ?, ?)",
                        call.account,
                        key,
                        asked,
                        status,
                        body,
                        call.request_id,
                        call.now,
                    )
                if mode == "crash_before_commit":
                    os.kill(os.getpid(), signal.SIGKILL)
        except ApiError as error:
            return Answer(error.status, as_error(error, call.request_id or ""), headers=tuple(headers))
        if mode == "crash_after_effect":
            os.kill(os.getpid(), signal.SIGKILL)
        return Answer(status, body, headers=tuple(headers))

    def _do(self, route: routes.Route, call: Call, ids: list[str]) -> tuple[int, bytes]:
        try:
            return 200, as_json(routes.carry_out(route, call, ids))
        except ApiError as error:
            if not error.keep:
                raise
            return error.status, as_error(error, call.request_id or "")

    def sandbox(self, method: str, target: str, body: bytes, base_url: str) -> Answer:
        """Answer a control call."""
        address = urlsplit(target)
        name, query = address.path.removeprefix("/_sandbox/"), dict(parse_qsl(address.query))
        try:
            with self.store.transaction():
                try:
                    return Answer(
                        200,
                        as_json(public_of(control.answer(self.store, method, name, body, query, base_url))),
                    )
                except ApiError as error:
                    if not error.keep:
                        raise
                    return Answer(error.status, as_error(error, ""))
        except ApiError as error:
            return Answer(error.status, as_error(error, ""))

    def challenge(self, body: bytes, base_url: str) -> Answer:
        """Take the consumer's answer to 3-D Secure from the processor's own dialog."""
        try:
            given = json.loads(body)
            secret = str(given["client_secret"])
            intent = secret.partition("_secret_")[0]
            found = self.store.row("SELECT body FROM objects WHERE id = ?", intent)
            if not found or json.loads(found["body"]).get("client_secret") != secret:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            return Answer(404, as_error(refused("No such payment.", status=404), ""))
        wanted = json.dumps({"intent": intent, "outcome": given.get("outcome")}).encode()
        answer = self.sandbox("POST", "/_sandbox/challenges", wanted, base_url)
        return_url = json.loads(found["body"])["_"].get("return_url")
        shown = json.loads(answer.body)
        return Answer(
            answer.status,
            as_json({**shown, "return_url": return_url, "intent": intent}),
        )

    def tick(self) -> None:
        """Do what the clock has passed, once a second."""
        while True:
            time.sleep(1)
            try:
                if self.store.row("SELECT 1 FROM due WHERE at <= ? LIMIT 1", self.store.now()):
                    with self.store.transaction():
                        control.run_due(self.store)
            except Exception as error:  # a defect of this program: say so and stay up
                print(f"defect: {type(error).__name__}: {error}", flush=True)


def public_of(body: Any) -> Any:
    return public(body) if isinstance(body, dict) else body


class Handler(http.server.BaseHTTPRequestHandler):
    """Read requests, write answers."""

    protocol_version = "HTTP/1.1"
    server_version = "QuittanceSandboxProcessor"
    disable_nagle_algorithm = True
    wbufsize = -1
    processor: Processor

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: the page and the ledger tell what happened."""

    def _serve(self) -> None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= LARGEST_BODY:
            self.close_connection = True
            self._write(Answer(413, as_json({"error": {"message": "The body is too large."}})))
            return
        answer = self._answer(self.rfile.read(length))
        if answer.closed:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._write(answer)

    def _answer(self, body: bytes) -> Answer:
        path = self.path.partition("?")[0]
        host = self.headers.get("Host") or "127.0.0.1"
        base_url = f"http://{host}"
        processor = self.processor
        try:
            if path.startswith("/v1/"):
                return processor.api(self.command, self.path, self.headers, body, base_url)
            if path.startswith("/_sandbox/"):
                return processor.sandbox(self.command, self.path, body, base_url)
            if path == "/challenge/answer" and self.command == "POST":
                return processor.challenge(body, base_url)
            if self.command == "GET":
                return self._file(path)
        except Exception as error:  # a defect of this program: say so and stay up
            print(f"defect: {type(error).__name__}: {error}", flush=True)
            failure = ApiError(
                500, {"type": "api_error", "message": f"Sandbox defect: {type(error).__name__}: {error}"}
            )
            return Answer(500, as_error(failure, ""))
        return Answer(404, as_json({"error": {"message": "Nothing is here."}}))

    def _file(self, path: str) -> Answer:
        if path == "/health":
            return Answer(200, b'{"ok": true}')
        if path == "/":
            policy = "default-src 'none'; style-src 'self'; base-uri 'none'"
            return Answer(
                200,
                page.render(self.processor.store).encode(),
                TYPES[".html"],
                (("Content-Security-Policy", policy),),
            )
        if path not in FILES:
            return Answer(404, as_json({"error": {"message": "Nothing is here."}}))
        file = STATIC / FILES[path]
        headers = [("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff")]
        if file.suffix == ".html":
            headers += [("Content-Security-Policy", FRAME_POLICY), ("Referrer-Policy", "no-referrer")]
        return Answer(200, file.read_bytes(), TYPES[file.suffix], tuple(headers))

    def _write(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(answer.body)
            self.wfile.flush()
        except OSError:
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True


def start(*, host: str, port: int, data: Path) -> Server:
    """Open the store and the port, and start the clock and the deliveries."""
    store = Store(data)
    processor, dispatcher = Processor(store), Dispatcher(store)
    store.after_commit = dispatcher.wake
    server = Server((host, port), type("BoundHandler", (Handler,), {"processor": processor}))
    threading.Thread(target=processor.tick, daemon=True).start()
    threading.Thread(target=dispatcher.run, daemon=True).start()
    return server
