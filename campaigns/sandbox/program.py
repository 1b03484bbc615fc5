"""What both stand-ins share, the mail provider and the carrier: a store in one file, a server, workers, webhooks."""

import argparse
import contextlib
import http.client
import json
import re
import socketserver
import sqlite3
import threading
import time
import traceback
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

# Providers wait minutes to hours between attempts; a sandbox has no such patience.
RETRY_AFTER_SECONDS = (0.5, 1, 2, 5, 10, 30, 60, 60, 300, 300)
WEBHOOK_TIMEOUT_SECONDS = 10


class Refused(Exception):
    """Answer with this status, and with the provider's own code where it has one."""

    def __init__(self, status, message, code=None):
        super().__init__(message)
        self.status, self.code = status, code


# What is kept


class Store:
    """Hold one SQLite connection behind one lock; `changed` wakes the workers after a write.

    The file outlives a killed process. A program gives `FILE`, `SCHEMA` (with a table `settings`) and `DEFAULTS`.
    """

    FILE, SCHEMA, DEFAULTS = "", "", {}

    def __init__(self, directory):
        path = Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path / self.FILE, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(self.SCHEMA)
        self._lock = threading.RLock()
        self._writing = False
        self.changed = threading.Condition()

    @contextmanager
    def write(self):
        """Run the block in one transaction and wake the workers when it is stored; may be nested."""
        with self._lock:
            if self._writing:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._writing = True
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._writing = False
        # Outside the lock: a worker holds `changed` while it reads.
        with self.changed:
            self.changed.notify_all()

    def rows(self, sql, *values):
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def row(self, sql, *values):
        with self._lock:
            return self._db.execute(sql, values).fetchone()

    def setting(self, name):
        found = self.row("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(found["value"]) if found else self.DEFAULTS[name]

    def set_settings(self, **values):
        with self.write() as db:
            for name, value in values.items():
                assert name in self.DEFAULTS, name
                db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))


# What is answered


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, store, handler):
        self.store = store
        super().__init__(address, handler)

    def server_bind(self):
        # Not HTTPServer's: that one asks the name service for this machine's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class Handler(BaseHTTPRequestHandler):
    """Answer by `ROUTES`: method, pattern of the path, function of the handler and the pattern's groups."""

    ROUTES = ()
    LIMIT_BODY_BYTES = 256 * 1024
    PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; img-src data:"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def log_message(self, *_):
        """Stay silent: the page shows what happened."""

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
            for wanted, pattern, function in self.ROUTES:
                if wanted == method and (found := re.fullmatch(pattern, parts.path)):
                    return function(self, *map(unquote, found.groups()))
            raise Refused(404, "Not found")
        except Refused as refused:
            code = {} if refused.code is None else {"code": refused.code, "status": refused.status}
            self.send_json({"message": str(refused), **code}, refused.status)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:
            traceback.print_exc()
            self.close_connection = True
            self.send_json({"message": "The sandbox failed; see its log"}, 500)

    def _read_body(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > self.LIMIT_BODY_BYTES or self.headers.get("Transfer-Encoding"):
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

    def send_page(self, text, policy=""):
        self.send(text.encode(), "text/html; charset=utf-8", Content_Security_Policy=policy or self.PAGE_POLICY)

    def redirect(self, place):
        self.send(b"", "text/plain", 303, Location=place)


# What is done in the background


def forever(store, work, next_due):
    """Do `work(store)` again and again; sleep until `next_due(store)` (wall time, None: nothing waits) or a change."""
    while True:
        try:
            if work(store):
                continue
        except Exception:
            # A sandbox must go on; what failed stays in the store and is tried again.
            traceback.print_exc()
            time.sleep(1)
        with store.changed:
            due = next_due(store)
            store.changed.wait(None if due is None else max(0.01, due - time.time()))


def start(store, *jobs):
    """Start a background thread for each job (work, next_due)."""
    for job in jobs:
        threading.Thread(target=forever, args=(store, *job), daemon=True).start()


def post(url, *, host, body, content_type, heard=None, **headers):
    """POST to a server on this machine and return its status; the name in `url` is never resolved.

    :param heard: called with the body of the answer.
    :raises OSError, http.client.HTTPException: no readable answer.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=WEBHOOK_TIMEOUT_SECONDS)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(
            "POST", path, body.encode(), {"Host": host or parts.netloc, "Content-Type": content_type} | own
        )
        answer = connection.getresponse()
        said = answer.read()
        if heard is not None:
            heard(said)
        return answer.status
    finally:
        connection.close()


def main(*, name, text, port, store, handler, begin):
    """Run a sandbox: `python -m NAME --port PORT --data DIR`.

    :param text: what it is, in one line.
    :param store: makes the store of a folder.
    :param begin: starts the workers of a store.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=text)
    parser.add_argument("--port", type=int, default=port, help="0 picks a free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--data", required=True, help="folder for the store")
    options = parser.parse_args()
    made = store(options.data)
    server = Server((options.host, options.port), made, handler)
    begin(made)
    print(f"listening on http://{options.host}:{server.server_port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
