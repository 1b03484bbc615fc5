"""HTTP plumbing of a sandbox host: read a request, find its route, play the scripted fault, answer."""

import hmac
import json
import re
import sys
import time
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from .faults import Fault

BODY_LIMIT = 20 * 1024 * 1024
IDLE_SECONDS = 120


class Refused(Exception):
    """Answer with this status instead of the route's answer."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: object
    body: bytes
    received_at: float

    def json(self):
        """Read the body as JSON; an empty one is an empty object.

        :raises Refused: 400, the body is not JSON.
        """
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            raise Refused(400, "malformed_json", "The body is not JSON.") from None

    def control(self) -> dict:
        """Read what a control call says: a JSON object, or the fields of a button's form."""
        if self.from_a_form:
            return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}
        said = self.json()
        if not isinstance(said, dict):
            raise Refused(400, "object_expected", "The body is a JSON object.")
        return said

    @property
    def from_a_form(self) -> bool:
        """Tell a pressed button from curl, which calls any body a form unless told otherwise."""
        kind = self.headers.get("Content-Type", "")
        return kind.startswith("application/x-www-form-urlencoded") and self.body.lstrip()[:1] not in b"{["

    def bears(self, key: str | None) -> bool:
        """Compare the bearer key; a key that was never configured matches nothing."""
        given = self.headers.get("Authorization", "")
        return bool(key) and hmac.compare_digest(given.encode(), f"Bearer {key}".encode())


@dataclass
class Answer:
    body: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def payload(self) -> bytes:
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, separators=(",", ":")).encode()


@dataclass
class Route:
    """A method, a path pattern and what answers it; only the host's own API plays scripted faults."""

    method: str
    pattern: str
    answer: Callable[..., object]
    faulty: bool = False

    def __post_init__(self):
        self.regex = re.compile(self.pattern)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], *, routes: list[Route], take_fault: Callable[[str], Fault]):
        self.routes = routes
        self.take_fault = take_fault
        super().__init__(address, Handler)

    def handle_error(self, request, client_address):
        """Say nothing of a peer that hung up; print everything else."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "QuittanceSandboxHost/1"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    timeout = IDLE_SECONDS

    def do_GET(self):
        self.serve()

    do_POST = do_DELETE = do_HEAD = do_GET

    def log_message(self, format, *args):
        """Stay silent: a log line might hold what the store must not."""

    def serve(self):
        try:
            request = self.read_request()
            route, groups = self.find(request)
        except Refused as refused:
            # What was sent may be unread, so the connection cannot be used again.
            self.close_connection = True
            return self.send(Answer(refused.body, refused.status))
        fault = self.server.take_fault(request.path) if route.faulty else None
        if fault and self.spoil_before(fault):
            return None
        try:
            answer = route.answer(request, *groups)
        except Refused as refused:
            answer = Answer(refused.body, refused.status)
        except Exception:
            traceback.print_exc()
            answer = Answer({"error": {"code": "internal", "message": "The sandbox failed."}}, 500)
        if not isinstance(answer, Answer):
            answer = Answer(answer)
        if fault and self.spoil_after(fault, answer):
            return None
        return self.send(answer)

    def read_request(self) -> Request:
        url = urlsplit(self.path)
        if self.headers.get("Transfer-Encoding"):
            raise Refused(411, "length_required", "Send Content-Length.")
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal():
            raise Refused(400, "malformed_length", "Content-Length is not a number.")
        length = int(length)
        if length > BODY_LIMIT:
            raise Refused(413, "too_large", "The body is larger than 20 MB.")
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError
        received_at = time.time()
        if self.headers.get("Content-Encoding") == "gzip":
            body = unzipped(body)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        return Request(self.command, url.path, query, self.headers, body, received_at)

    def find(self, request: Request) -> tuple[Route, list[str]]:
        method = "GET" if request.method == "HEAD" else request.method
        others = False
        for route in self.server.routes:
            found = route.regex.fullmatch(request.path)
            if found and route.method == method:
                # A page of another site may not press our buttons.
                origin = request.headers.get("Origin")
                if origin and urlsplit(origin).netloc != request.headers.get("Host"):
                    raise Refused(403, "foreign_origin", "Called from a page of another site.")
                return route, [unquote(group) for group in found.groups()]
            others = others or bool(found)
        if others:
            raise Refused(405, "method_not_allowed", "This path takes another method.")
        raise Refused(404, "not_found", "There is nothing here.")

    def send(self, answer: Answer) -> None:
        payload = answer.payload()
        self.head(answer, len(payload))
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()

    def head(self, answer: Answer, length: int) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", f"{answer.content_type}; charset=utf-8")
        self.send_header("Content-Length", str(length))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def spoil_before(self, fault: Fault) -> bool:
        """Play what happens before the host works; true = the call is over."""
        if fault.mode == "outage":
            self.close_connection = True
            return True
        if fault.mode == "status":
            headers = {}
            if "retry_after" in fault.detail:
                headers["Retry-After"] = str(fault.detail["retry_after"])
            body = {"error": {"code": "scripted", "message": "A scripted fault."}}
            self.send(Answer(body, fault.detail.get("status", 500), headers))
            return True
        if fault.mode == "redirect":
            location = fault.detail.get("location", "http://127.0.0.1:9/elsewhere")
            self.send(Answer({}, 302, {"Location": location}))
            return True
        if fault.mode == "wrong_body" and not fault.detail.get("after_effect"):
            self.send(WRONG_BODY)
            return True
        if fault.mode == "slow":
            time.sleep(fault.detail.get("seconds", 1.0))
        return False

    def spoil_after(self, fault: Fault, answer: Answer) -> bool:
        """Play what happens to the answer; true = the call is over."""
        payload = answer.payload()
        if fault.mode == "drop_after_effect":
            self.close_connection = True
            return True
        if fault.mode == "wrong_body":
            self.send(WRONG_BODY)
            return True
        if fault.mode == "half_body":
            self.close_connection = True
            self.head(answer, len(payload))
            self.wfile.write(payload[: len(payload) // 2])
            self.wfile.flush()
            return True
        if fault.mode == "trickle":
            self.head(answer, len(payload))
            for byte in payload:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(fault.detail.get("seconds", 5.0) / len(payload))
            return True
        if fault.mode == "huge":
            megabytes = fault.detail.get("megabytes", 50)
            self.head(answer, megabytes * 1024 * 1024)
            for _ in range(megabytes):
                self.wfile.write(b" " * 1024 * 1024)
            self.wfile.flush()
            return True
        return False


def unzipped(body: bytes) -> bytes:
    """Undo gzip, bounded: a small body may unfold without end.

    :raises Refused: 400, not gzip; 413, larger than 20 MB.
    """
    try:
        plain = zlib.decompressobj(wbits=31).decompress(body, BODY_LIMIT + 1)
    except zlib.error:
        raise Refused(400, "malformed_gzip", "The body is not gzip.") from None
    if len(plain) > BODY_LIMIT:
        raise Refused(413, "too_large", "The body is larger than 20 MB.")
    return plain


WRONG_BODY = Answer("<html><body><h1>Please log in</h1></body></html>", content_type="text/html")
