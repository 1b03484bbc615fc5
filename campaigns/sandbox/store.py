"""Keep what the mail sandbox knows in one SQLite file, which outlives a killed process."""

import json
import secrets
import time
from datetime import UTC, datetime

from . import program

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS domains (
    name TEXT PRIMARY KEY, api_key TEXT NOT NULL, signing_key TEXT NOT NULL,
    webhook_url TEXT NOT NULL DEFAULT '', webhook_host TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS messages (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, submission TEXT NOT NULL,
    domain TEXT NOT NULL, message_id TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL,
    shown_to TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL, html TEXT NOT NULL,
    headers TEXT NOT NULL, tags TEXT NOT NULL, variables TEXT NOT NULL,
    track_opens INTEGER NOT NULL, track_clicks TEXT NOT NULL,
    accepted_at REAL NOT NULL, deliver_at REAL NOT NULL, due_wall REAL, state TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS messages_due ON messages (due_wall) WHERE due_wall IS NOT NULL;
CREATE INDEX IF NOT EXISTS messages_by_recipient ON messages (recipient, n);
CREATE INDEX IF NOT EXISTS messages_by_message_id ON messages (message_id);
CREATE TABLE IF NOT EXISTS attachments (
    submission TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, content_type TEXT NOT NULL,
    inline INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (submission, position));
CREATE TABLE IF NOT EXISTS events (
    n INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT NOT NULL, name TEXT NOT NULL, at REAL NOT NULL,
    data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_message ON events (message);
CREATE TABLE IF NOT EXISTS webhooks (
    n INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL, url TEXT NOT NULL, host TEXT NOT NULL,
    body TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    due_wall REAL NOT NULL, answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS webhooks_waiting ON webhooks (due_wall) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS webhooks_by_event ON webhooks (event);
CREATE TABLE IF NOT EXISTS suppressions (
    domain TEXT NOT NULL, address TEXT NOT NULL, kind TEXT NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (domain, address, kind, tag));
CREATE TABLE IF NOT EXISTS faults (
    n INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT NOT NULL, mode TEXT NOT NULL, times INTEGER NOT NULL,
    seconds REAL NOT NULL);
"""

DEFAULTS = {
    "clock_offset_seconds": 0.0,
    "delivery_delay_ms": 300,
    "webhooks_paused": False,
    "webhooks_copies": 1,
    "webhooks_order": "oldest_first",
    "webhooks_at_once": 1,
}
ORDERS = {"oldest_first": "+n", "newest_first": "+n DESC", "shuffled": "random()"}
"""With a plus, so that SQLite finds what waits by its index and does not walk through all that ever was."""


def iso(timestamp):
    """Write a POSIX timestamp as UTC ISO 8601 with Z."""
    text = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class Store(program.Store):
    """Keep domains, messages, what befell them, and webhooks."""

    FILE, SCHEMA, DEFAULTS = "mail.sqlite3", SCHEMA, DEFAULTS

    def now(self):
        """Return the sandbox time as a POSIX timestamp."""
        return time.time() + self.setting("clock_offset_seconds")

    # Domains

    def upsert_domain(self, *, name, api_key, signing_key, webhook_url, webhook_host):
        with self.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO domains VALUES (?, ?, ?, ?, ?)",
                (name, api_key, signing_key, webhook_url, webhook_host),
            )

    def domain(self, name):
        return self.row("SELECT * FROM domains WHERE name = ?", name.lower())

    # Messages

    def add_submission(self, *, messages, attachments):
        """Store one mail to each recipient, and its attachments once; return the new ids."""
        submission = secrets.token_hex(8)
        due_wall = time.time() + self.setting("delivery_delay_ms") / 1000
        ids = []
        with self.write() as db:
            for message in messages:
                ids.append(secrets.token_hex(8))
                db.execute(
                    "INSERT INTO messages (id, submission, domain, message_id, sender, recipient, shown_to,"
                    " subject, text, html, headers, tags, variables, track_opens, track_clicks, accepted_at,"
                    " deliver_at, due_wall, state)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'accepted')",
                    (
                        ids[-1],
                        submission,
                        message.domain,
                        message.message_id,
                        message.sender,
                        message.recipient,
                        message.shown_to,
                        message.subject,
                        message.text,
                        message.html,
                        json.dumps(message.headers),
                        json.dumps(message.tags),
                        json.dumps(message.variables),
                        message.track_opens,
                        message.track_clicks,
                        message.accepted_at,
                        message.deliver_at,
                        None if message.test_mode else due_wall,
                    ),
                )
            for position, item in enumerate(attachments):
                db.execute(
                    "INSERT INTO attachments VALUES (?, ?, ?, ?, ?, ?)",
                    (submission, position, item.name, item.content_type, item.inline, item.content),
                )
        return ids

    def message(self, key):
        """Find a message by the sandbox's id, or the newest one with a Message-Id."""
        return self.row(
            "SELECT * FROM messages WHERE id = ? OR message_id = ? ORDER BY n DESC LIMIT 1",
            key,
            f"<{key.strip('<>')}>",
        )

    def messages(self, *, to="", domain="", tag="", limit=50, offset=0):
        """List messages, newest first."""
        asked = {
            "recipient = ?": to,
            "domain = ?": domain,
            "EXISTS (SELECT 1 FROM json_each(messages.tags) WHERE value = ?)": tag,
        }
        where = " AND ".join(["n > 0", *(sql for sql, value in asked.items() if value)])
        return self.rows(
            f"SELECT * FROM messages WHERE {where} ORDER BY n DESC LIMIT ? OFFSET ?",  # noqa: S608 - texts of ours
            *(value for value in asked.values() if value),
            *(limit, offset),
        )

    def addresses(self, *, limit):
        """List who has mail, the latest first, with the number of mails."""
        return self.rows(
            "SELECT recipient, count(*) AS mails FROM messages GROUP BY recipient ORDER BY max(n) DESC LIMIT ?",
            limit,
        )

    def attachments(self, message):
        return self.rows(
            "SELECT position, name, content_type, inline, length(content) AS size FROM attachments"
            " WHERE submission = ? ORDER BY position",
            message["submission"],
        )

    def attachment(self, message, position):
        return self.row(
            "SELECT * FROM attachments WHERE submission = ? AND position = ?", message["submission"], position
        )

    def events(self, message):
        """List a message's events in the order they happened, with the state of their webhooks."""
        return self.rows(
            "SELECT events.*, w.state AS webhook, w.attempts, w.answer FROM events"
            " LEFT JOIN webhooks w ON w.n = (SELECT max(n) FROM webhooks WHERE event = events.n)"
            " WHERE message = ? ORDER BY events.n",
            message["id"],
        )

    def event_names(self, ids):
        """Map each message id to the set of its event names."""
        names = {key: set() for key in ids}
        sql = "SELECT message, name FROM events WHERE message IN (SELECT value FROM json_each(?))"
        for row in self.rows(sql, json.dumps(list(ids))):
            names[row["message"]].add(row["name"])
        return names

    def happened(self, *, domain, message_id, name="", after=0, limit=100):
        """List what befell the mails with a Message-Id, the oldest first."""
        return self.rows(
            "SELECT events.n, events.data FROM events JOIN messages ON messages.id = events.message"
            " WHERE messages.domain = ? AND messages.message_id = ? AND (? = '' OR events.name = ?) AND events.n > ?"
            " ORDER BY events.n LIMIT ?",
            *(domain, f"<{message_id.strip('<>')}>", name, name, after, limit),
        )

    # Suppressions and faults

    def suppressed(self, *, domain, address, tags):
        """Return why an address gets no mail from a domain (`bounce`, ...), or an empty text."""
        for row in self.rows(
            "SELECT kind, tag FROM suppressions WHERE domain = ? AND address = ? ORDER BY kind",
            domain,
            address,
        ):
            if row["tag"] == "*" or row["tag"] in tags:
                return row["kind"]
        return ""

    def take_fault(self, domain, *, listing=False):
        """Use up one scripted fault of a domain in sending or in listing events, if one is left."""
        sql = "SELECT * FROM faults WHERE domain IN ('', ?) AND (mode = 'list_500') = ? ORDER BY n LIMIT 1"
        with self.write() as db:
            fault = self.row(sql, domain, listing)
            if fault:
                db.execute("UPDATE faults SET times = times - 1 WHERE n = ?", (fault["n"],))
                db.execute("DELETE FROM faults WHERE times < 1")
        return fault
