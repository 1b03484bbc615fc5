"""Keep what the carrier sandbox knows in one SQLite file, which outlives a killed process."""

import json
import secrets
import time

from .. import program

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    sid TEXT PRIMARY KEY, token TEXT NOT NULL, number TEXT NOT NULL, inbound_url TEXT NOT NULL,
    webhook_host TEXT NOT NULL, keywords TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS texts (
    n INTEGER PRIMARY KEY AUTOINCREMENT, sid TEXT NOT NULL UNIQUE, account TEXT NOT NULL, direction TEXT NOT NULL,
    sender TEXT NOT NULL, recipient TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '', status_url TEXT NOT NULL DEFAULT '', at REAL NOT NULL, due REAL);
CREATE INDEX IF NOT EXISTS texts_due ON texts (due) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS webhooks (
    n INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, url TEXT NOT NULL, form TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL,
    answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS webhooks_waiting ON webhooks (due) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS stopped (account TEXT NOT NULL, number TEXT NOT NULL, PRIMARY KEY (account, number));
CREATE TABLE IF NOT EXISTS faults (n INTEGER PRIMARY KEY AUTOINCREMENT, mode TEXT NOT NULL, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
DEFAULTS = {
    "delivery_delay_ms": 300,
    "webhooks_copies": 1,
    "webhooks_order": "oldest_first",
    "webhooks_paused": False,
    "webhooks_tries": 2,  # Twilio's: a second one, and no more
}

ORDERS = {"oldest_first": "+n", "newest_first": "+n DESC", "shuffled": "random()"}
"""With a plus, so that SQLite finds what waits by its index and does not walk through all that ever was."""


class Store(program.Store):
    """Keep accounts, texts both ways, who said stop, and webhooks."""

    FILE, SCHEMA, DEFAULTS = "carrier.sqlite3", SCHEMA, DEFAULTS

    def take_fault(self, kind):
        """Use up one scripted fault of sending (`send`) or of listing (`list`), if one is left."""
        with self.write() as db:
            sql = "SELECT * FROM faults WHERE (mode LIKE 'list%') = ? ORDER BY n LIMIT 1"
            fault = self.row(sql, kind == "list")
            if fault:
                db.execute("UPDATE faults SET times = times - 1 WHERE n = ?", (fault["n"],))
                db.execute("DELETE FROM faults WHERE times < 1")
        return fault["mode"] if fault else ""

    def add(self, *, account, direction, sender, recipient, body, status, status_url="", due=None):
        sid = f"SM{secrets.token_hex(16)}"
        with self.write() as db:
            db.execute(
                "INSERT INTO texts (sid, account, direction, sender, recipient, body, status, status_url, at, due)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (sid, account, direction, sender, recipient, body, status, status_url, time.time(), due),
            )
        return sid

    def queue_webhook(self, *, account, url, form):
        if not url:
            return
        with self.write() as db:
            for _copy in range(self.setting("webhooks_copies")):
                db.execute(
                    "INSERT INTO webhooks (account, url, form, due) VALUES (?, ?, ?, ?)",
                    (account, url, json.dumps(form), time.time()),
                )
