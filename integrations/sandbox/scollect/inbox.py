"""Receive the portal's events: each has its effect once, and the order per account is checked."""

import json
import math
import sqlite3
from datetime import UTC, datetime

from ..clock import moment, stamp
from ..store import Store
from .ledger import Ledger, Unacceptable, seal

TABLES = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, sequence INTEGER,
    account_sequence INTEGER, file_number TEXT, event TEXT NOT NULL, type TEXT NOT NULL,
    committed_at TEXT, received_at TEXT NOT NULL, latency_ms REAL, outcome TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '', answer TEXT, duplicates INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_account ON events (file_number);
CREATE INDEX IF NOT EXISTS events_counted ON events (outcome, duplicates);
CREATE INDEX IF NOT EXISTS events_by_type ON events (type);
CREATE TABLE IF NOT EXISTS positions (file_number TEXT PRIMARY KEY, account_sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS order_faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, file_number TEXT NOT NULL,
    expected INTEGER NOT NULL, got INTEGER NOT NULL, event_id TEXT NOT NULL, at TEXT NOT NULL);
"""

EVENTS_LIMIT = 200
# Latency is judged over the last events only, or a long night would hide a bad morning.
LATENCY_OF_LAST = 1000


class Inbox:
    def __init__(self, *, store: Store, ledger: Ledger):
        self.store = store
        self.ledger = ledger
        self.effects = {
            "PAYMENT": ledger.take_payment,
            "POSTDATE": ledger.take_postdate,
            "CANCEL REQUEST": lambda event: ledger.cancel(event.get("PostDate") or {}),
            "HOLD REQUEST": lambda event: ledger.hold(event.get("PostDate") or {}),
        }
        self.salt = store.setting("salt")

    def receive(self, batch: list, *, received_at: float) -> list[dict]:
        """Take a list of events in one transaction; answer one result for each, in order."""
        with self.store.write() as db:
            return [self.receive_one(db, event, received_at) for event in batch]

    def receive_one(self, db: sqlite3.Connection, event, received_at: float) -> dict:
        if not well_formed(event):
            event_id = event.get("EventID") if isinstance(event, dict) else None
            return {"EventID": event_id, "Outcome": "refused", "Reason": "malformed_event", "Answer": {}}
        event_id = event["EventID"]
        known = db.execute("SELECT outcome, answer FROM events WHERE event_id = ?", (event_id,)).fetchone()
        if known and known["outcome"] == "accepted":
            db.execute("UPDATE events SET duplicates = duplicates + 1 WHERE event_id = ?", (event_id,))
            answer = json.loads(known["answer"]) if known["answer"] else {}
            return {"EventID": event_id, "Outcome": "duplicate", "Reason": "", "Answer": answer}
        event = seal(event, salt=self.salt)
        effect, answer, reason = self.effects.get(event["Type"]), None, ""
        if effect:
            try:
                with self.store.savepoint():
                    answer = effect(event)
            except Unacceptable as unacceptable:
                reason = str(unacceptable)
        if not reason:
            self.check_order(db, event, received_at)
        self.keep(db, event, answer=answer, reason=reason, received_at=received_at)
        outcome = "refused" if reason else "accepted"
        return {"EventID": event_id, "Outcome": outcome, "Reason": reason, "Answer": answer or {}}

    def keep(self, db, event: dict, *, answer, reason: str, received_at: float) -> None:
        """Write the event; a refused one that comes again is judged afresh and overwritten."""
        committed_at = event.get("CommittedAt")
        try:
            latency = round((received_at - moment(committed_at).timestamp()) * 1000, 3)
        except (TypeError, ValueError):
            committed_at = latency = None
        db.execute(
            "INSERT INTO events (event_id, sequence, account_sequence, file_number, event, type,"
            " committed_at, received_at, latency_ms, outcome, reason, answer, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (event_id) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,"
            " answer = excluded.answer, body = excluded.body, duplicates = duplicates + 1",
            (
                event["EventID"],
                event.get("Sequence"),
                event.get("AccountSequence"),
                event.get("FileNumber"),
                event["Event"],
                event["Type"],
                committed_at,
                stamp(datetime.fromtimestamp(received_at, UTC)),
                latency,
                "refused" if reason else "accepted",
                reason,
                json.dumps(answer) if answer else None,
                json.dumps(event, separators=(",", ":")),
            ),
        )

    def check_order(self, db, event: dict, received_at: float) -> None:
        """Compare a first effect with the account's position: the next number, a gap, or late."""
        number, got = event.get("FileNumber"), event.get("AccountSequence")
        if number is None or got is None:
            return
        row = db.execute("SELECT account_sequence FROM positions WHERE file_number = ?", (number,)).fetchone()
        # The first event seen sets the position: the account may be older than the connection.
        expected = got if row is None else row["account_sequence"] + 1
        if got != expected:
            db.execute(
                "INSERT INTO order_faults (kind, file_number, expected, got, event_id, at) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    "gap" if got > expected else "out_of_order",
                    number,
                    expected,
                    got,
                    event["EventID"],
                    stamp(datetime.fromtimestamp(received_at, UTC)),
                ),
            )
        if got >= expected:
            db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (number, got))

    def received(self, query: dict[str, str]) -> dict:
        """List events in the order received; ?after=, limit=, FileNumber=, Type=, Event= narrow it."""
        where, values = ["number > ?"], [int(query.get("after", 0))]
        for name, column in (("FileNumber", "file_number"), ("Type", "type"), ("Event", "event")):
            if name in query:
                where.append(f"{column} = ?")
                values.append(query[name])
        limit = max(1, min(int(query.get("limit", 1000)), 10_000))
        narrowed = " AND ".join(where)
        rows = self.store.rows(
            f"SELECT * FROM events WHERE {narrowed} ORDER BY number LIMIT ?",  # noqa: S608 - names of ours
            *values,
            limit,
        )
        return {
            **self.counts(),
            "next_after": rows[-1]["number"] if len(rows) == limit else None,
            "events": [
                json.loads(row["body"])
                | {
                    "ReceivedAt": row["received_at"],
                    "LatencyMs": row["latency_ms"],
                    "Outcome": row["outcome"],
                    "Reason": row["reason"],
                    "Answer": json.loads(row["answer"]) if row["answer"] else {},
                    "Duplicates": row["duplicates"],
                }
                for row in rows
            ],
        }

    def counts(self) -> dict:
        row = self.store.row(
            "SELECT count(*) AS received, coalesce(sum(duplicates), 0) AS duplicates,"
            " coalesce(sum(outcome = 'refused'), 0) AS refused FROM events"
        )
        return dict(row)

    def by_type(self) -> dict:
        return {
            row["type"]: row["n"]
            for row in self.store.rows("SELECT type, count(*) AS n FROM events GROUP BY type ORDER BY type")
        }

    def latency(self) -> dict:
        """Answer p50, p99 and the slowest, in ms from commit to receipt, of the latest events."""
        found = sorted(
            row[0]
            for row in self.store.rows(
                "SELECT latency_ms FROM events WHERE latency_ms IS NOT NULL ORDER BY number DESC LIMIT ?",
                LATENCY_OF_LAST,
            )
        )
        if not found:
            return {"count": 0, "p50_ms": None, "p99_ms": None, "max_ms": None}
        rank = {p: found[max(0, math.ceil(p * len(found)) - 1)] for p in (0.5, 0.99)}
        return {"count": len(found), "p50_ms": rank[0.5], "p99_ms": rank[0.99], "max_ms": found[-1]}

    def order(self) -> dict:
        faults = [dict(row) for row in self.store.rows("SELECT * FROM order_faults ORDER BY id LIMIT 1000")]
        return {
            "gaps": [fault for fault in faults if fault["kind"] == "gap"],
            "out_of_order": [fault for fault in faults if fault["kind"] == "out_of_order"],
        }


def well_formed(event) -> bool:
    return (
        isinstance(event, dict)
        and all(isinstance(event.get(name), str) and event[name] for name in ("EventID", "Event", "Type"))
        and len(event["EventID"]) <= 100
        and isinstance(event.get("FileNumber"), str | None)
        and all(type(event.get(name)) in (int, type(None)) for name in ("Sequence", "AccountSequence"))
    )
