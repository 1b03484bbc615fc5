"""The store: everything the processor knows, in one SQLite file that survives a kill."""
# ruff: noqa: S608 - statements are put together from this program's own words only; values are bound.

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import errors

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (
    id TEXT PRIMARY KEY, publishable_key TEXT NOT NULL UNIQUE, webhook_url TEXT, webhook_host TEXT,
    webhook_secret TEXT, webhook_events TEXT, paused INTEGER NOT NULL DEFAULT 0, reversed INTEGER NOT NULL DEFAULT 0,
    copies INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS keys (secret TEXT PRIMARY KEY, account TEXT NOT NULL, credential TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, kind TEXT NOT NULL,
    created INTEGER NOT NULL, customer TEXT, payment_intent TEXT, charge TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (account, kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (customer) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_by_intent ON objects (payment_intent) WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_by_charge ON objects (charge) WHERE charge IS NOT NULL;
CREATE TABLE IF NOT EXISTS tags (
    object TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (object, name));
CREATE INDEX IF NOT EXISTS tags_by_value ON tags (account, kind, name, value);
CREATE TABLE IF NOT EXISTS used_keys (
    account TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body BLOB NOT NULL, request TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (account, key));
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, method TEXT, account TEXT, mode TEXT NOT NULL,
    remaining INTEGER NOT NULL, skip INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS cards (number TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, event TEXT NOT NULL, type TEXT NOT NULL,
    due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'pending',
    answer TEXT);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (account, due) WHERE status = 'pending';
CREATE TABLE IF NOT EXISTS due (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, kind TEXT NOT NULL, object TEXT NOT NULL,
    at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS due_at ON due (at);
"""

PREFIXES = {
    "ch": "charge",
    "cus": "customer",
    "du": "dispute",
    "mandate": "mandate",
    "pi": "payment_intent",
    "pm": "payment_method",
    "py": "charge",
    "re": "refund",
    "seti": "setup_intent",
    "txn": "balance_transaction",
}


def new_id(prefix: str) -> str:
    """Make an identifier such as ``pi_3f...``."""
    return f"{prefix}_{secrets.token_hex(12)}"


def public(body: dict[str, Any]) -> dict[str, Any]:
    """Return an object as the API shows it, without what only the processor knows."""
    return {name: value for name, value in body.items() if name != "_"}


class Store:
    """Hold every object; one lock, one connection, one transaction per request."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.connection = sqlite3.connect(
            directory / "processor.sqlite3", check_same_thread=False, isolation_level=None
        )
        self.connection.row_factory = sqlite3.Row
        # A killed process loses nothing with NORMAL in WAL mode; only a power cut could.
        self.connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        self.after_commit: Callable[[], None] = lambda: None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one write; an exception undoes it."""
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
        self.after_commit()

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Run one statement and return its rows."""
        with self.lock:
            return self.connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """Run one statement and return its first row."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def setting(self, name: str, default: str) -> str:
        found = self.row("SELECT value FROM settings WHERE name = ?", name)
        return found["value"] if found else default

    def set_setting(self, name: str, value: str) -> None:
        self.rows(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            value,
        )

    def now(self) -> int:
        """Return the sandbox's own time in epoch seconds: the wall clock plus the move asked for."""
        return int(time.time() + float(self.setting("clock_offset", "0")))

    def save(self, account: str, body: dict[str, Any]) -> None:
        """Write an object, new or changed."""
        kind = body["object"]
        self.rows(
            """INSERT INTO objects (id, account, kind, created, customer, payment_intent, charge, body)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET customer = excluded.customer,
            payment_intent = excluded.payment_intent, charge = excluded.charge, body = excluded.body""",
            body["id"],
            account,
            kind,
            body.get("created", 0),
            body.get("customer"),
            body.get("payment_intent"),
            body.get("charge"),
            json.dumps(body, separators=(",", ":")),
        )
        if kind != "event":
            self.rows("DELETE FROM tags WHERE object = ?", body["id"])
            for name, value in (body.get("metadata") or {}).items():
                self.rows("INSERT INTO tags VALUES (?, ?, ?, ?, ?)", body["id"], account, kind, name, value)

    def find(self, account: str, kind: str, reference: str) -> dict[str, Any] | None:
        """Return an object of this account, or None."""
        found = self.row("SELECT body FROM objects WHERE id = ? AND account = ? AND kind = ?", reference, account, kind)
        return json.loads(found["body"]) if found else None

    def get(self, account: str, kind: str, reference: str, *, param: str = "id") -> dict[str, Any]:
        """Return an object of this account.

        :raises ApiError: 404 when the account has no such object, also when another account has it.
        """
        body = self.find(account, kind, reference)
        if body is None:
            raise errors.missing(kind, reference, param=param)
        return body

    def every(self, account: str, kind: str, **where: str) -> list[dict[str, Any]]:
        """Return the objects of a kind, oldest first, by customer, payment_intent or charge."""
        clause = "".join(f" AND {column} = ?" for column in where)
        found = self.rows(
            f"SELECT body FROM objects WHERE account = ? AND kind = ?{clause} ORDER BY seq",
            account,
            kind,
            *where.values(),
        )
        return [json.loads(one["body"]) for one in found]

    def take_fault(self, *, path: str, method: str, account: str) -> sqlite3.Row | None:
        """Use up one planned fault that fits this request."""
        if not self.rows("SELECT 1 FROM faults WHERE remaining > 0 LIMIT 1"):
            return None
        with self.transaction():
            for fault in self.rows("SELECT * FROM faults WHERE remaining > 0 ORDER BY id"):
                if not path.startswith(fault["path"]) or fault["method"] not in (None, method):
                    continue
                if fault["account"] not in (None, account):
                    continue
                if fault["skip"]:
                    self.rows("UPDATE faults SET skip = skip - 1 WHERE id = ?", fault["id"])
                    return None
                self.rows("UPDATE faults SET remaining = remaining - 1 WHERE id = ?", fault["id"])
                return fault
        return None
