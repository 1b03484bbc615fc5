"""Delivery of events: signed, tried again, late, twice or backwards when asked."""
# ruff: noqa: S608 - statements are put together from this program's own words only; values are bound.

import hashlib
import hmac
import http.client
import json
import sqlite3
import threading
import time
from urllib.parse import urlsplit

from .store import Store, public

FIRST_WAIT, LONGEST_WAIT, LARGEST_TRIES = 0.5, 60.0, 40
ANSWER_SECONDS = 15
IDLE_SECONDS = 1.0


def signature(payload: str, secret: str, moment: int) -> str:
    """Return the ``Stripe-Signature`` header: HMAC-SHA256 over ``<time>.<payload>``."""
    signed = hmac.new(secret.encode(), f"{moment}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={moment},v1={signed}"


class Dispatcher:
    """Send what is due; one sender at a time per account, so that order is kept unless asked otherwise."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.signal = threading.Event()
        self.busy: set[str] = set()
        self.lock = threading.Lock()

    def wake(self) -> None:
        self.signal.set()

    def run(self) -> None:
        """Look for due deliveries, for ever."""
        while True:
            self.signal.wait(IDLE_SECONDS)
            self.signal.clear()
            for account in self.store.rows(
                """SELECT DISTINCT deliveries.account FROM deliveries JOIN accounts ON accounts.id = account
                WHERE status = 'pending' AND due <= ? AND NOT paused""",
                time.time(),
            ):
                with self.lock:
                    if account["account"] in self.busy:
                        continue
                    self.busy.add(account["account"])
                threading.Thread(target=self.drain, args=(account["account"],), daemon=True).start()

    def drain(self, account: str) -> None:
        """Send an account's due deliveries, one after the other."""
        try:
            while delivery := self._next(account):
                self._send(delivery)
        finally:
            with self.lock:
                self.busy.discard(account)
            self.wake() if self._next(account) else None

    def _next(self, account: str) -> sqlite3.Row | None:
        settings = self.store.row("SELECT paused, reversed FROM accounts WHERE id = ?", account)
        if settings is None or settings["paused"]:
            return None
        order = "DESC" if settings["reversed"] else "ASC"
        return self.store.row(
            f"""SELECT * FROM deliveries WHERE account = ? AND status = 'pending' AND due <= ?
            ORDER BY id {order} LIMIT 1""",
            account,
            time.time(),
        )

    def _send(self, delivery: sqlite3.Row) -> None:
        account = self.store.row("SELECT * FROM accounts WHERE id = ?", delivery["account"])
        event = self.store.find(delivery["account"], "event", delivery["event"])
        if account is None or event is None or not account["webhook_url"]:
            self._mark(delivery, "dropped", "no address")
            return
        payload = json.dumps(public(event), indent=2)
        for _ in range(account["copies"]):
            answer = _post(account, payload)
        tries = delivery["attempts"] + 1
        if answer.isdigit() and 200 <= int(answer) < 300:
            self._mark(delivery, "delivered", answer)
        elif tries >= LARGEST_TRIES:
            self._mark(delivery, "failed", answer)
        else:
            self._mark(delivery, "pending", answer, wait=min(FIRST_WAIT * 2**tries, LONGEST_WAIT))

    def _mark(self, delivery: sqlite3.Row, status: str, answer: str, wait: float = 0) -> None:
        self.store.rows(
            "UPDATE deliveries SET status = ?, answer = ?, attempts = attempts + 1, due = ? WHERE id = ?",
            status,
            answer,
            time.time() + wait,
            delivery["id"],
        )


def _post(account: sqlite3.Row, payload: str) -> str:
    """Send one event; return the status, or the reason why there is none."""
    target = urlsplit(account["webhook_url"])
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Quittance-Sandbox-Processor/1.0",
        # The receiver compares this with its own clock, so it is never the sandbox's moved clock.
        "Stripe-Signature": signature(payload, account["webhook_secret"] or "", int(time.time())),
    }
    if account["webhook_host"]:
        headers["Host"] = account["webhook_host"]
    try:
        connection = http.client.HTTPConnection(target.hostname or "", target.port or 80, timeout=ANSWER_SECONDS)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        connection.request("POST", path, payload.encode(), headers)
        answer = str(connection.getresponse().status)
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    return answer
