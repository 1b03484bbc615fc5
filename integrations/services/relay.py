"""A relay on loopback between us and a host, that plays the bad days of a network on demand."""

import ipaddress
import select
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from integrations import http
from integrations.hosts import Request

HERE = (ipaddress.ip_network("127.0.0.0/8"),)
"""Where relays listen: requests to one may go there."""
TIMEOUT = 10.0
ANSWER_LIMIT = 2**20
KEPT = ("authorization", "content-type", "accept", "webhook-id", "webhook-timestamp", "webhook-signature")


class Relay:
    """Pass requests on; `script` holds what becomes of the next ones, in turn: see `Handler.relay`."""

    def __init__(self, target: str) -> None:
        self.target = target.rstrip("/")
        self.script: list[str] = []
        self.passed: list[bytes] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.relay = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def running(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()

    def next_turn(self) -> str:
        return self.script.pop(0) if self.script else "pass"


class Handler(BaseHTTPRequestHandler):
    """Relay one request as the script says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self.relay(None)

    def do_POST(self) -> None:
        self.relay(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def relay(self, body: bytes | None) -> None:
        """`pass`; `refuse` and `wait` never reach the host; `lose` reaches it and drops the answer; `down` hangs up.

        `late` reaches it and keeps the answer back until the caller has gone.
        """
        relay: Relay = self.server.relay
        turn = relay.next_turn()
        if turn == "down":
            self.close_connection = True
            return
        if turn in ("refuse", "wait"):
            self.answer(500 if turn == "refuse" else 429, b'{"error": "scripted"}', "1" if turn == "wait" else "")
            return
        headers = tuple(f"{name}: {value}" for name, value in self.headers.items() if name.lower() in KEPT)
        heard = http.ask(Request(relay.target + self.path, headers, body), timeout=TIMEOUT, answer_limit=ANSWER_LIMIT)
        if body is not None:
            relay.passed.append(body)
        if turn == "late":
            # Nobody sends more on a connection that waits: there is something to read when the caller hangs up.
            select.select([self.connection], [], [], TIMEOUT)
        if turn in ("lose", "late") or not heard.status:
            self.close_connection = True
            return
        self.answer(heard.status, heard.body, heard.retry_after)

    def answer(self, status: int, body: bytes, retry_after: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args) -> None:
        """Stay silent."""
