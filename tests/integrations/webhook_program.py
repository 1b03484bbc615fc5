"""A receiver over real HTTP, of webhooks or a host of few words: keeps what it is sent, answers what the test says."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import time_machine
from standardwebhooks import Webhook


class Hook:
    """A listening receiver; `answers` are statuses to give first, then 204, and `say` gives a body to a request.

    `pages` are what a GET finds, by the beginning of its path.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict, bytes]] = []
        self.answers: list[int] = []
        self.always: int | None = None
        self.refuse = lambda body: None
        self.say = lambda body: b""
        self.pages: dict[str, object] = {}
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                status = hook.answers.pop(0) if hook.answers else hook.refuse(body) or hook.always or 204
                said = hook.say(body)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{hook.url}/elsewhere")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def do_GET(self) -> None:
                page = next((one for path, one in hook.pages.items() if self.path.startswith(path)), None)
                said = b"" if page is None else json.dumps(page).encode()
                self.send_response(404 if page is None else 200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_words) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self) -> list[dict]:
        """Give every event of every request, in the order of their coming."""
        found = []
        for _path, _headers, body in self.requests:
            said = json.loads(body)
            found += said["data"] if said["type"] == "events" else [said]
        return found

    def verified(self, secret: str, number: int = -1) -> dict:
        """Believe a request as a receiver does: with the library, at its own time."""
        _path, headers, body = self.requests[number]
        with time_machine.travel(float(headers["webhook-timestamp"]), tick=False):
            return Webhook(secret).verify(body, headers)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
