"""The accounts of the SCollect host in its own words, and the items of its ledger."""

import json
import re
import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from ..clock import Clock, add_banking_days, moment, stamp
from ..store import Store

TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
    file_number TEXT PRIMARY KEY, body TEXT NOT NULL, balance_cents INTEGER NOT NULL,
    as_of TEXT NOT NULL, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS versions (
    file_number TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (file_number, version));
CREATE TABLE IF NOT EXISTS items (
    host_id TEXT PRIMARY KEY, file_number TEXT NOT NULL, portal_id TEXT NOT NULL DEFAULT '',
    part TEXT NOT NULL, date TEXT NOT NULL, amount_cents INTEGER NOT NULL, method TEXT NOT NULL,
    last4 TEXT NOT NULL DEFAULT '', status TEXT NOT NULL, updated_at TEXT NOT NULL,
    executor TEXT NOT NULL DEFAULT 'HOST', posting_agent TEXT NOT NULL DEFAULT '',
    not_before TEXT, settles_at TEXT, token TEXT, bank TEXT, held INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 1, reference TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '',
    notice_on TEXT);
CREATE INDEX IF NOT EXISTS items_by_account ON items (file_number);
CREATE INDEX IF NOT EXISTS items_by_portal_id ON items (portal_id) WHERE portal_id <> '';
CREATE INDEX IF NOT EXISTS items_by_status ON items (status, not_before);
CREATE TABLE IF NOT EXISTS pushes (
    file_number TEXT PRIMARY KEY, due_at REAL NOT NULL, wanted_version INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, last_error TEXT NOT NULL DEFAULT '');
"""

# Only money that the host posted lowers what is owed; PROCESSED is on its way.
COUNTED = "POSTED"
ACH_SETTLES_AFTER_BANKING_DAYS = 4
# Parts of a record that are made from columns and items, never kept in the body.
MADE = ("CurrentBalance", "AsOf", "Version", "Payments", "PostDates")
# A bank's code stands first in the note of what it sent back.
RETURN_CODE = re.compile(r"R[0-9]{2}\b")
# Versions kept for stale pushes.
VERSIONS_KEPT = 20


class Records:
    def __init__(self, *, store: Store, clock: Clock):
        self.store = store
        self.clock = clock

    def save(self, record: dict) -> bool:
        """Take a whole record, or the items named in it, into the store; false = nothing changed.

        :raises ValueError: no FileNumber, or an amount that is none.
        """
        number = record.get("FileNumber")
        if not isinstance(number, str) or not number:
            raise ValueError("FileNumber is missing")
        body = json.dumps({name: value for name, value in record.items() if name not in MADE})
        balance = cents(record.get("CurrentBalance", "0.00"))
        with self.store.write() as db:
            known = db.execute("SELECT * FROM accounts WHERE file_number = ?", (number,)).fetchone()
            changed = known is None or (known["body"], known["balance_cents"]) != (body, balance)
            if known is None:
                as_of = stamp(moment(record["AsOf"]) if record.get("AsOf") else self.clock.now())
                version = int(record.get("Version") or 1) - 1
                db.execute("INSERT INTO accounts VALUES (?, ?, ?, ?, ?)", (number, body, balance, as_of, version))
            elif changed:
                db.execute(
                    "UPDATE accounts SET body = ?, balance_cents = ? WHERE file_number = ?",
                    (body, balance, number),
                )
            for part, name in (("payment", "Payments"), ("postdate", "PostDates")):
                for item in record.get(name) or []:
                    changed = self.save_item(db, number, part, item) or changed
            if changed:
                self.touch(number)
        return changed

    def save_item(self, db: sqlite3.Connection, number: str, part: str, item: dict) -> bool:
        """Take an item as an agent would type it: without effect on the balance of the record."""
        values = {
            "portal_id": item.get("PortalID") or "",
            "part": part,
            "date": item["Date"],
            "amount_cents": cents(item["Amount"]),
            "method": item.get("Method", "CARD"),
            "last4": item.get("Last4") or "",
            "status": item["Status"],
            "notice_on": item.get("NoticeSentOn"),
        }
        known = self.item(host_id=item.get("HostID"))
        if known is None:
            not_before = f"{item['Date']}T18:00:00.000000Z" if part == "postdate" else None
            # An agent's own submission settles too, as one of ours does.
            settles_at = after_banking_days(self.clock.now()) if item["Status"] == "PROCESSED" else None
            self.add(
                file_number=number,
                host_id=item.get("HostID"),
                not_before=not_before,
                settles_at=settles_at,
                **values,
            )
            return True
        if all(known[name] == value for name, value in values.items()):
            return False
        if known["not_before"] and part == "postdate":
            # Moved by an agent: it is taken at the same hour of its new day.
            moved = date.fromisoformat(values["date"]) - date.fromisoformat(known["date"])
            values["not_before"] = stamp(moment(known["not_before"]) + moved)
        self.change(known["host_id"], **values)
        return True

    def add(self, *, host_id: str | None = None, **values) -> sqlite3.Row:
        with self.store.write() as db:
            if not host_id:
                number = self.store.setting("last_host_id", 0) + 1
                self.store.set(last_host_id=number)
                host_id = f"SC-{number:07d}"
            row = {"host_id": host_id, "updated_at": stamp(self.clock.now()), **values}
            names = ", ".join(row)
            marks = ", ".join("?" * len(row))
            sql = f"INSERT INTO items ({names}) VALUES ({marks})"  # noqa: S608 - keyword names of ours
            db.execute(sql, tuple(row.values()))
            return self.item(host_id=host_id)

    def change(self, host_id: str, **values) -> sqlite3.Row:
        with self.store.write() as db:
            row = {"updated_at": stamp(self.clock.now()), **values}
            names = ", ".join(f"{name} = ?" for name in row)
            sql = f"UPDATE items SET {names} WHERE host_id = ?"  # noqa: S608 - keyword names of ours
            db.execute(sql, (*row.values(), host_id))
            return self.item(host_id=host_id)

    def item(self, *, host_id: str | None = None, portal_id: str | None = None) -> sqlite3.Row | None:
        if host_id:
            return self.store.row("SELECT * FROM items WHERE host_id = ?", host_id)
        if portal_id:
            return self.store.row("SELECT * FROM items WHERE portal_id = ? ORDER BY rowid LIMIT 1", portal_id)
        return None

    def lower_balance(self, file_number: str, by_cents: int) -> None:
        """Lower what is owed, or raise it by a negative sum; the itemization goes on adding up to it."""
        with self.store.write() as db:
            body = json.loads(
                db.execute("SELECT body FROM accounts WHERE file_number = ?", (file_number,)).fetchone()["body"]
            )
            if body.get("Itemization"):
                paid = cents(body["Itemization"].get("Payments", "0")) + by_cents
                body["Itemization"]["Payments"] = dollars(paid)
            db.execute(
                "UPDATE accounts SET balance_cents = balance_cents - ?, body = ? WHERE file_number = ?",
                (by_cents, json.dumps(body), file_number),
            )

    def known(self, file_number: str | None) -> bool:
        return self.store.scalar("SELECT 1 FROM accounts WHERE file_number = ?", file_number) is not None

    def touch(self, file_number: str, *, push_at: float | None = None) -> None:
        """Raise AsOf and Version after a change, keep that version, and want it pushed (Unix seconds)."""
        with self.store.write() as db:
            row = db.execute("SELECT as_of, version FROM accounts WHERE file_number = ?", (file_number,)).fetchone()
            # AsOf rises even when the clock was moved back.
            as_of = max(self.clock.now(), moment(row["as_of"]) + timedelta(microseconds=1))
            version = row["version"] + 1
            db.execute(
                "UPDATE accounts SET as_of = ?, version = ? WHERE file_number = ?",
                (stamp(as_of), version, file_number),
            )
            body = json.dumps(self.record(file_number))
            db.execute("INSERT INTO versions VALUES (?, ?, ?)", (file_number, version, body))
            db.execute(
                "DELETE FROM versions WHERE file_number = ? AND version <= ?",
                (file_number, version - VERSIONS_KEPT),
            )
            if push_at is not None:
                db.execute(
                    "INSERT INTO pushes (file_number, due_at, wanted_version) VALUES (?, ?, ?)"
                    " ON CONFLICT (file_number) DO UPDATE SET wanted_version = excluded.wanted_version,"
                    " due_at = min(due_at, excluded.due_at)",
                    (file_number, push_at, version),
                )

    def record(self, file_number: str) -> dict | None:
        """Make the whole record as SCollect pushes it."""
        # While the lock is held nobody writes, so the account and its items belong together.
        with self.store.lock:
            row = self.store.row("SELECT * FROM accounts WHERE file_number = ?", file_number)
            if row is None:
                return None
            items = self.store.rows("SELECT * FROM items WHERE file_number = ? ORDER BY date, rowid", file_number)
        return {
            **json.loads(row["body"]),
            "CurrentBalance": dollars(row["balance_cents"]),
            "AsOf": row["as_of"],
            "Version": row["version"],
            "Payments": [as_item(item) for item in items if item["part"] == "payment"],
            "PostDates": [as_item(item) for item in items if item["part"] == "postdate"],
        }

    def numbers(self) -> list[str]:
        return [row[0] for row in self.store.rows("SELECT file_number FROM accounts ORDER BY rowid")]

    def older(self, file_number: str) -> dict | None:
        """Answer the version before the present one; a record with one version gets an invented past."""
        row = self.store.row(
            "SELECT body FROM versions WHERE file_number = ? ORDER BY version DESC LIMIT 1 OFFSET 1",
            file_number,
        )
        if row:
            return json.loads(row["body"])
        record = self.record(file_number)
        if record is None:
            return None
        return record | {
            "AsOf": stamp(moment(record["AsOf"]) - timedelta(hours=1)),
            "Version": record["Version"] - 1,
            "CurrentBalance": dollars(cents(record["CurrentBalance"]) + 111),
        }

    def history(self, file_number: str) -> list[dict]:
        """Answer every kept version, newest first."""
        rows = self.store.rows("SELECT body FROM versions WHERE file_number = ? ORDER BY version DESC", file_number)
        return [json.loads(row["body"]) for row in rows]


def as_item(row: sqlite3.Row) -> dict:
    told = {"NoticeSentOn": row["notice_on"]} if row["notice_on"] else {}
    if row["status"] == "ACH REVERSAL" and (code := RETURN_CODE.match(row["note"])):
        told["ReturnCode"] = code[0]
    return told | {
        "HostID": row["host_id"],
        "PortalID": row["portal_id"],
        "Date": row["date"],
        "Amount": dollars(row["amount_cents"]),
        "Method": row["method"],
        "Last4": row["last4"],
        "Status": row["status"],
        "UpdatedAt": row["updated_at"],
    }


def after_banking_days(now: datetime) -> str:
    """Name the moment at which ACH submitted now is posted: the same time of day, banking days later."""
    day = add_banking_days(now.date(), ACH_SETTLES_AFTER_BANKING_DAYS)
    return stamp(datetime.combine(day, now.time(), UTC))


def cents(amount) -> int:
    """Read dollars, written "1000.00" or 1000.0, as cents.

    :raises ValueError: not a number, or a part of a cent.
    """
    try:
        exact = Decimal(str(amount)) * 100
        if exact == int(exact):
            return int(exact)
    except (InvalidOperation, OverflowError, ValueError):
        pass
    raise ValueError(f"{amount!r} is not an amount")


def dollars(amount_cents: int) -> str:
    sign = "-" if amount_cents < 0 else ""
    return f"{sign}{abs(amount_cents) // 100}.{abs(amount_cents) % 100:02d}"
