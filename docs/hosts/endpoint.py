"""A host in a page of Python, SCollect style: what the portal asks of yours, kept in SQLite. Not for production.

    python endpoint.py --port 9000 --key "the key you gave to the portal" --data host.sqlite

`manage.py check_host <connection> --reference 100234` finds every promise kept; `tests/contracts` runs it so.
"""

import argparse
import hmac
import json
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCOUNT = {
    "FileNumber": "100234",
    "Status": "ACTIVE",
    "ClientNumber": "C-10",
    "ClientName": "Mercy Hospital",
    "FirstName": "Ada",
    "LastName": "Byron",
    "CurrentBalance": "150.00",
    "AsOf": "2026-12-01T14:00:00Z",
    "Version": 7,
}


class Host(BaseHTTPRequestHandler):
    """Answer GET /accounts/<number> and POST /events."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.has_key():
            return self.answer(401, {"error": "wrong key"})
        if self.path == f"/accounts/{ACCOUNT['FileNumber']}":
            return self.answer(200, ACCOUNT)
        return self.answer(404, {"error": "no such account"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.has_key():
            return self.answer(401, {"error": "wrong key"})
        if self.path != "/events":
            return self.answer(404, {"error": "nothing is here"})
        with sqlite3.connect(self.server.data) as db:  # one transaction: the events and that they are known
            results = [self.take(db, event) for event in json.loads(body)]
        return self.answer(200, {"results": results})  # only after the commit

    def take(self, db: sqlite3.Connection, event: dict) -> dict:
        """Take an event once, whatever came of the answer to it the first time."""
        result = {"EventID": event.get("EventID")}
        if event.get("FileNumber") != ACCOUNT["FileNumber"]:
            return result | {"Outcome": "refused", "Reason": "There is no such account."}
        new = db.execute("INSERT OR IGNORE INTO events VALUES (?, ?)", (event["EventID"], json.dumps(event))).rowcount
        if not new:
            return result | {"Outcome": "duplicate"}
        match event.get("Type"):
            case "PAYMENT":
                pass  # post event["Payment"]: its Status says what happened, PortalID which payment it is
            case "POSTDATE":
                pass  # keep event["PostDate"]; charge it on its Date if its Executor is HOST
            case "CANCEL REQUEST":
                result["Answer"] = {"Cancelled": True}  # or False with a "Reason": it is too late
            case "HOLD REQUEST":
                result["Answer"] = {"Held": True}
            case _:
                pass  # a line of the account's history
        return result | {"Outcome": "accepted"}

    def has_key(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self.server.key.encode())

    def answer(self, status: int, said: dict) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args) -> None:
        """Stay silent: what comes in is about people."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--key", required=True)
    parser.add_argument("--data", default="host.sqlite")
    given = parser.parse_args()
    with sqlite3.connect(given.data) as db:
        db.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, body TEXT NOT NULL)")
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Host)
    server.key, server.data = given.key, given.data
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
