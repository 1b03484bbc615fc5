"""The scheduled work of the SCollect host: charge post-dated cards, submit ACH, settle what was submitted."""

import json
import sqlite3
import threading
import time
from datetime import UTC, datetime
from urllib.parse import urlencode

from ..client import Client, NoAnswer
from ..clock import Clock, moment, stamp
from ..store import Store
from .ledger import Ledger
from .records import Records, dollars

TABLES = """
CREATE TABLE IF NOT EXISTS attempts (
    key TEXT PRIMARY KEY, host_id TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    next_try_at REAL NOT NULL DEFAULT 0, reference TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '',
    at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS attempts_by_state ON attempts (state);
"""

STRIPE_VERSION = "2026-10-28.endive"
LONGEST_PAUSE_SECONDS = 60.0
# An amount that ends like this comes back from the bank, so that a demonstration can order a return.
RETURNED_CENTS = 3

DUE = """
SELECT * FROM items WHERE status = 'PENDING' AND part = 'postdate' AND executor = 'HOST' AND held = 0
AND not_before <= ? AND NOT EXISTS (
    SELECT 1 FROM attempts WHERE attempts.host_id = items.host_id AND state IN ('started', 'unknown'))
ORDER BY not_before, rowid
"""


class Charges:
    def __init__(self, *, store: Store, clock: Clock, records: Records, ledger: Ledger, client: Client, setting):
        self.store = store
        self.clock = clock
        self.records = records
        self.ledger = ledger
        self.client = client
        self.setting = setting
        self.one_at_a_time = threading.Lock()

    def next_due(self) -> datetime | None:
        far = "9999-12-31"
        due = self.store.row(DUE + " LIMIT 1", far)
        settles = self.store.scalar("SELECT min(settles_at) FROM items WHERE status = 'PROCESSED'")
        found = [text for text in (due["not_before"] if due else None, settles) if text]
        return moment(min(found)) if found else None

    def run(self) -> list[dict]:
        """Do all that is due at the clock's present moment; answer a line for each item."""
        now = stamp(self.clock.now())
        done = []
        for item in self.store.rows(DUE, now):
            key = self.begin(item["host_id"])
            if key:
                done.append(self.execute(key))
        for item in self.store.rows("SELECT * FROM items WHERE status = 'PROCESSED' AND settles_at <= ?", now):
            done.append(self.settle(item))
        return done

    def begin(self, host_id: str) -> str | None:
        """Claim an item before anything leaves the house; a hold or cancel that came first wins."""
        with self.store.write() as db:
            item = self.records.item(host_id=host_id)
            if item["status"] != "PENDING" or item["held"]:
                return None
            key = f"host:{item['portal_id'] or item['host_id']}:{item['attempt']}"
            db.execute(
                "INSERT OR IGNORE INTO attempts (key, host_id, state, at) VALUES (?, ?, 'started', ?)",
                (key, host_id, stamp(self.clock.now())),
            )
            return key

    def execute(self, key: str) -> dict:
        """Bring one begun attempt to its end, or leave it unknown; the same key makes it safe to repeat."""
        with self.one_at_a_time:
            attempt = self.store.row("SELECT * FROM attempts WHERE key = ?", key)
            item = self.records.item(host_id=attempt["host_id"])
            if attempt["state"] not in ("started", "unknown"):
                return self.line(item, attempt)
            if item["token"]:
                state, reference, code = self.charge(key, item, tries=attempt["tries"])
            elif item["bank"] or item["method"] == "ACH":
                state, reference, code = "submitted", "", ""
            else:
                # Born in the host without a token of ours: an agent's post-date that the host takes itself.
                state, reference, code = "approved", "", ""
            return self.record_outcome(key, item, state=state, reference=reference, code=code)

    def record_outcome(self, key: str, item: sqlite3.Row, *, state: str, reference: str, code: str) -> dict:
        with self.store.write() as db:
            tries = self.store.scalar("SELECT tries FROM attempts WHERE key = ?", key) + 1
            pause = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(tries, 10))
            db.execute(
                "UPDATE attempts SET state = ?, reference = ?, code = ?, tries = ?, next_try_at = ?"
                " WHERE key = ? AND state IN ('started', 'unknown')",
                (state, reference, code, tries, time.time() + pause, key),
            )
            day = self.local_day(item)
            if state == "approved":
                item = self.ledger.move(item, "POSTED", date=day, reference=reference)
            elif state == "declined":
                item = self.ledger.move(item, "DECLINED", date=day, reference=reference, note=code)
            elif state == "submitted":
                item = self.ledger.move(item, "PROCESSED", date=day, settles_at=self.ledger.settles_at())
            if state != "unknown":
                self.ledger.push_back(item["file_number"], at_once=True)
            return self.line(item, self.store.row("SELECT * FROM attempts WHERE key = ?", key))

    def settle(self, item: sqlite3.Row) -> dict:
        """Post a submitted ACH payment, or take it as returned by the bank."""
        returned = item["amount_cents"] % 100 == RETURNED_CENTS
        with self.store.write():
            item = self.ledger.move(
                item,
                "ACH REVERSAL" if returned else "POSTED",
                settles_at=None,
                note="R01 insufficient funds" if returned else item["note"],
            )
            self.ledger.push_back(item["file_number"], at_once=True)
        return self.line(item, None)

    def retry_unknown(self) -> float:
        """Ask again about attempts whose outcome nobody knows; answer the seconds until the next."""
        for row in self.store.rows(
            "SELECT key FROM attempts WHERE state IN ('started', 'unknown') AND next_try_at <= ? AND tries > 0",
            time.time(),
        ):
            self.execute(row["key"])
        following = self.store.scalar(
            "SELECT min(next_try_at) FROM attempts WHERE state IN ('started', 'unknown') AND tries > 0"
        )
        return LONGEST_PAUSE_SECONDS if following is None else following - time.time()

    def resume(self) -> None:
        """Take up, after a start, the attempts that the last process left in the middle."""
        with self.store.write() as db:
            db.execute("UPDATE attempts SET state = 'unknown', tries = max(tries, 1) WHERE state = 'started'")

    # The sandbox processor.

    def charge(self, key: str, item: sqlite3.Row, *, tries: int) -> tuple[str, str, str]:
        """Charge the token with the host's own credential: (state, reference, code)."""
        if not self.setting("processor_url") or not self.setting("processor_key"):
            return "unknown", "", "processor_not_configured"
        token = json.loads(item["token"])
        if tries and (found := self.find_intent(key, token)):
            return found
        fields = {
            "amount": item["amount_cents"],
            "currency": "usd",
            "customer": token["Customer"],
            "payment_method": token["PaymentMethod"],
            "confirm": "true",
            "off_session": "true",
            "metadata[portal_id]": item["portal_id"],
            "metadata[host_key]": key,
        }
        try:
            heard = self.ask("POST", "/v1/payment_intents", fields, key)
        except NoAnswer:
            return "unknown", "", "no_answer"
        body = heard.body if isinstance(heard.body, dict) else {}
        error = body.get("error") if isinstance(body.get("error"), dict) else {}
        intent = error.get("payment_intent") or body
        reference = str(intent.get("id") or "")
        if heard.status == 200:
            return outcome_of(intent)
        if heard.status == 402:
            return "declined", reference, str(error.get("decline_code") or error.get("code") or "declined")
        if heard.status in (400, 404) and error.get("type") == "invalid_request_error":
            # Refused as a request: it is certain that no money moved.
            return "declined", reference, str(error.get("code") or "invalid_request")
        return "unknown", reference, f"status_{heard.status}"

    def find_intent(self, key: str, token: dict) -> tuple[str, str, str] | None:
        """Look for the intent of an earlier try: a stored 500 would be replayed for ever under its key."""
        query = urlencode({"customer": token["Customer"], "limit": 100})
        try:
            heard = self.ask("GET", f"/v1/payment_intents?{query}", None, None)
        except NoAnswer:
            return "unknown", "", "no_answer"
        listed = heard.body.get("data", []) if isinstance(heard.body, dict) else []
        for intent in listed:
            if (intent.get("metadata") or {}).get("host_key") == key:
                found = outcome_of(intent)
                return None if found[0] == "unknown" else found
        return None

    def ask(self, method: str, path: str, fields: dict | None, key: str | None):
        headers = {
            "Authorization": f"Bearer {self.setting('processor_key')}",
            "Stripe-Version": STRIPE_VERSION,
            "User-Agent": "SCollect-sandbox/1",
        }
        body = None
        if fields is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key}
            body = urlencode(fields).encode()
        url = self.setting("processor_url").rstrip("/") + path
        return self.client.call(
            method, url, headers=headers, body=body, timeout=float(self.setting("processor_timeout_seconds"))
        )

    # What is shown.

    def local_day(self, item: sqlite3.Row) -> str:
        """Name the consumer's day: NotBefore is 08:00 there, which tells the zone."""
        now = self.clock.now()
        if not item["not_before"] or not item["portal_id"]:
            return now.date().isoformat()
        eight = datetime.combine(datetime.fromisoformat(item["date"]).date(), datetime.min.time(), UTC)
        offset = moment(item["not_before"]) - eight.replace(hour=8)
        return max(item["date"], (now - offset).date().isoformat())

    def line(self, item: sqlite3.Row, attempt: sqlite3.Row | None) -> dict:
        unknown = attempt is not None and attempt["state"] in ("started", "unknown")
        balance = self.store.scalar("SELECT balance_cents FROM accounts WHERE file_number = ?", item["file_number"])
        return {
            "FileNumber": item["file_number"],
            "HostID": item["host_id"],
            "PortalID": item["portal_id"],
            "Amount": dollars(item["amount_cents"]),
            "Method": item["method"],
            "Outcome": "UNKNOWN" if unknown else item["status"],
            "IdempotencyKey": attempt["key"] if attempt else None,
            "Reference": attempt["reference"] if attempt else "",
            "Code": attempt["code"] if attempt else item["note"],
            "Balance": dollars(balance or 0),
            "At": stamp(self.clock.now()),
        }

    def held(self) -> list[dict]:
        """List the post-dates that would be due now if they were not held."""
        rows = self.store.rows(
            "SELECT * FROM items WHERE status = 'PENDING' AND held = 1 AND not_before <= ?",
            stamp(self.clock.now()),
        )
        return [self.line(row, None) | {"Outcome": "HELD"} for row in rows]

    def attempts(self) -> list[dict]:
        return [dict(row) for row in self.store.rows("SELECT * FROM attempts ORDER BY rowid DESC LIMIT 500")]


def outcome_of(intent: dict) -> tuple[str, str, str]:
    """Read an intent: only succeeded is a yes, and only a status that ended without money is a no."""
    reference, status = str(intent.get("id") or ""), intent.get("status")
    if status == "succeeded":
        return "approved", reference, ""
    if status in ("requires_payment_method", "requires_action", "canceled"):
        last = intent.get("last_payment_error") or {}
        return "declined", reference, str(last.get("decline_code") or last.get("code") or status)
    return "unknown", reference, str(status or "no_status")
