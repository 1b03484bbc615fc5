"""The creditor's books: customers, invoices, charges, payments, and what a collection agency does to them."""

import json
import sqlite3
from datetime import date, timedelta

from ..clock import Clock, stamp
from ..scollect.ledger import Unacceptable
from ..scollect.records import cents, dollars
from ..store import Store

TABLES = """
CREATE TABLE IF NOT EXISTS customers (
    customer TEXT PRIMARY KEY, body TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'CURRENT',
    flag TEXT NOT NULL DEFAULT '', warning TEXT NOT NULL DEFAULT '', as_of TEXT NOT NULL, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS invoices (
    number TEXT PRIMARY KEY, customer TEXT NOT NULL, date TEXT NOT NULL, due TEXT NOT NULL,
    amount_cents INTEGER NOT NULL, open_cents INTEGER NOT NULL, kind TEXT NOT NULL DEFAULT 'INVOICE',
    note TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS receipts (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, portal_id TEXT NOT NULL DEFAULT '', date TEXT NOT NULL,
    amount_cents INTEGER NOT NULL, method TEXT NOT NULL, status TEXT NOT NULL, updated_at TEXT NOT NULL,
    allocation TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS receipts_once ON receipts (portal_id) WHERE portal_id <> '';
CREATE TABLE IF NOT EXISTS reversals (receipt TEXT NOT NULL, amount_cents INTEGER NOT NULL, allocation TEXT NOT NULL);
"""
FLAG = "IN COLLECTIONS"


class Books:
    def __init__(self, *, store: Store, clock: Clock, setting):
        self.store, self.clock, self.setting = store, clock, setting

    # What the creditor's own people do.

    def save(self, customer: dict) -> None:
        """Take a customer with their invoices; an invoice that is known stays as it is.

        :raises ValueError: no Customer, or an amount or a date that is none.
        """
        number = customer.get("Customer")
        if not isinstance(number, str) or not number:
            raise ValueError("Customer is missing")
        body = {name: value for name, value in customer.items() if name not in ("Invoices", "Status")}
        with self.store.write() as db:
            db.execute(
                "INSERT INTO customers (customer, body, as_of, version) VALUES (?, ?, ?, 0)"
                " ON CONFLICT (customer) DO UPDATE SET body = excluded.body",
                (number, json.dumps(body), self.now()),
            )
            if customer.get("Status"):
                db.execute("UPDATE customers SET status = ? WHERE customer = ?", (customer["Status"], number))
            for invoice in customer.get("Invoices") or []:
                amount = cents(invoice["Amount"])
                due = date.fromisoformat(invoice["Due"])
                issued = date.fromisoformat(invoice.get("Date") or (due - timedelta(days=30)).isoformat())
                db.execute(
                    "INSERT OR IGNORE INTO invoices (number, customer, date, due, amount_cents, open_cents)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (invoice["Number"], number, issued.isoformat(), due.isoformat(), amount, amount),
                )
            self.touch(number)

    def pay_directly(self, number: str, amount_cents: int) -> dict:
        """Take a payment made to the creditor itself, over the oldest open invoices.

        :raises ValueError: no such customer, or more than is open.
        """
        with self.store.write() as db:
            left, lines = amount_cents, []
            for row in self.open_invoices(number):
                part = min(left, row["open_cents"])
                if part:
                    lines.append({"Invoice": row["number"], "Amount": dollars(part)})
                    left -= part
            if left or amount_cents <= 0:
                raise ValueError("there is no such customer, or less than that is open")
            self.apply(db, lines)
            self.receive(db, number, "", self.today(), amount_cents, "CHECK", lines)
        return {"Customer": number, "Open": dollars(self.open_cents(number)), "Allocation": lines}

    # Entries of the agency. Each answers the Answer block, or None.

    def flag(self, entry: dict) -> dict:
        number = self.customer_of(entry)
        with self.store.write() as db:
            db.execute(
                "UPDATE customers SET status = 'COLLECTIONS', flag = ?, warning = ? WHERE customer = ?",
                (FLAG, str(entry.get("Warning") or ""), number),
            )
            fee = entry.get("Fee") or {}
            if fee:
                self.charge_fee(db, number, fee, key=entry["EventID"])
            self.touch(number)
        return {"Flag": FLAG, "Fee": fee.get("Amount")}

    def charge_fee(self, db: sqlite3.Connection, number: str, fee: dict, *, key: str) -> None:
        """Post a collection fee as a charge.

        :raises Unacceptable: `fee_without_basis`.
        """
        amount = amount_of(fee)
        if not str(fee.get("Basis") or "").strip():
            raise Unacceptable("fee_without_basis")
        charge = (f"FEE-{key[-8:]}", number, self.today(), self.today(), amount, amount, "FEE", fee["Basis"])
        db.execute("INSERT OR IGNORE INTO invoices VALUES (?, ?, ?, ?, ?, ?, ?, ?)", charge)

    def clear(self, entry: dict) -> dict:
        number = self.customer_of(entry)
        with self.store.write() as db:
            db.execute("UPDATE customers SET status = 'REMOVED', flag = '', warning = '' WHERE customer = ?", (number,))
            self.touch(number)
        return {"Flag": ""}

    def take_receipt(self, entry: dict) -> dict:
        """Write a payment that the agency collected into the ledger, once, with its allocation per invoice.

        :raises Unacceptable: `credit_allocation_off`, `allocation_does_not_fit`, ...
        """
        number, amount, portal_id = self.money_of(entry)
        known = self.store.row("SELECT * FROM receipts WHERE portal_id = ?", portal_id)
        if known:
            return {"ID": known["id"], "Known": True}
        lines = self.allocation_of(entry, number, amount)
        with self.store.write() as db:
            self.apply(db, lines)
            row_id = self.receive(db, number, portal_id, str(entry.get("Date")), amount, entry.get("Method"), lines)
        return {"ID": row_id, "Known": False}

    def take_reversal(self, entry: dict) -> dict:
        """Take back of a receipt what still stands of it, and never more.

        :raises Unacceptable: `unknown_receipt`, `more_than_stands`, `allocation_does_not_fit`, ...
        """
        amount, row, lines = self.turn_of(entry)
        left, parts = self.standing(row)
        if amount > left:
            raise Unacceptable("more_than_stands")
        if any(part > parts.get(invoice, 0) for invoice, part in lines.items()) or sum(lines.values()) > amount:
            raise Unacceptable("allocation_does_not_fit")
        self.turn(row, amount, lines)
        return {"ID": row["id"]}

    def take_reinstatement(self, entry: dict) -> dict:
        """Let a receipt stand again with so much of what was taken back.

        An invoice that was paid meanwhile takes no more than is open of it; the rest goes to the oldest open ones.

        :raises Unacceptable: `unknown_receipt`, `more_than_was_taken_back`, ...
        """
        amount, row, lines = self.turn_of(entry)
        left, parts = self.standing(row)
        if amount > row["amount_cents"] - left:
            raise Unacceptable("more_than_was_taken_back")
        if not lines.keys() <= parts.keys():
            raise Unacceptable("allocation_does_not_fit")
        open_ones = {one["number"]: one["open_cents"] for one in self.open_invoices(row["customer"])}
        paid = {invoice: min(part, open_ones.get(invoice, 0)) for invoice, part in lines.items()}
        rest = sum(lines.values()) - sum(paid.values())
        for invoice, open_cents in open_ones.items():
            more = min(rest, open_cents - paid.get(invoice, 0))
            paid[invoice] = paid.get(invoice, 0) + more
            rest -= more
        self.turn(row, -amount, {invoice: -part for invoice, part in paid.items() if part})
        return {"ID": row["id"]}

    def turn_of(self, entry: dict) -> tuple[int, sqlite3.Row, dict[str, int]]:
        """Read what an entry moves of which receipt: the sum, and how much of each invoice."""
        _number, amount, portal_id = self.money_of(entry)
        row = self.store.row("SELECT * FROM receipts WHERE portal_id = ?", portal_id)
        if row is None:
            raise Unacceptable("unknown_receipt")
        return amount, row, {line["Invoice"]: cents(line["Amount"]) for line in self.lines_of(entry)}

    def standing(self, row: sqlite3.Row) -> tuple[int, dict[str, int]]:
        """Give what of a receipt was not taken back, in all and per invoice."""
        left, parts = row["amount_cents"], {}
        for line in json.loads(row["allocation"]):
            parts[line["Invoice"]] = cents(line["Amount"])
        for turn in self.store.rows("SELECT * FROM reversals WHERE receipt = ?", row["id"]):
            left -= turn["amount_cents"]
            for invoice, part in json.loads(turn["allocation"]).items():
                parts[invoice] = parts.get(invoice, 0) - part
        return left, parts

    def turn(self, row: sqlite3.Row, amount: int, lines: dict[str, int]) -> None:
        """Take back so much of a receipt, or let it stand again by a negative sum."""
        with self.store.write() as db:
            db.execute("INSERT INTO reversals VALUES (?, ?, ?)", (row["id"], amount, json.dumps(lines)))
            for invoice, part in lines.items():
                db.execute("UPDATE invoices SET open_cents = open_cents + ? WHERE number = ?", (part, invoice))
            status = "POSTED" if self.standing(row)[0] else "REFUND"
            db.execute("UPDATE receipts SET status = ?, updated_at = ? WHERE id = ?", (status, self.now(), row["id"]))
            self.touch(row["customer"])

    def money_of(self, entry: dict) -> tuple[str, int, str]:
        number, amount = self.customer_of(entry), amount_of(entry)
        if not entry.get("PortalID"):
            raise Unacceptable("portal_id_missing")
        if not self.setting("credit_allocation"):
            raise Unacceptable("credit_allocation_off")
        return number, amount, entry["PortalID"]

    def allocation_of(self, entry: dict, number: str, amount: int) -> list[dict]:
        lines = self.lines_of(entry)
        open_ones = {row["number"]: row["open_cents"] for row in self.open_invoices(number)}
        fits = all(0 < cents(line["Amount"]) <= open_ones.get(line["Invoice"], 0) for line in lines)
        if not lines or not fits or sum(cents(line["Amount"]) for line in lines) > amount:
            raise Unacceptable("allocation_does_not_fit")
        return lines

    def lines_of(self, entry: dict) -> list[dict]:
        lines = entry.get("Allocation")
        if not isinstance(lines, list) or not all(isinstance(line, dict) and line.get("Invoice") for line in lines):
            raise Unacceptable("allocation_missing")
        return lines

    def apply(self, db: sqlite3.Connection, lines: list[dict]) -> None:
        for line in lines:
            db.execute(
                "UPDATE invoices SET open_cents = open_cents - ? WHERE number = ?",
                (cents(line["Amount"]), line["Invoice"]),
            )

    def receive(self, db, number: str, portal_id: str, on: str, amount: int, method, lines: list[dict]) -> str:
        count = self.store.scalar("SELECT count(*) FROM receipts")
        row_id = f"R-{count + 1:05d}"
        db.execute(
            "INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?, 'POSTED', ?, ?)",
            (row_id, number, portal_id, on, amount, str(method or "CARD"), self.now(), json.dumps(lines)),
        )
        self.touch(number)
        return row_id

    # Reading.

    def customer_of(self, entry: dict) -> str:
        if not self.store.scalar("SELECT 1 FROM customers WHERE customer = ?", entry.get("Customer")):
            raise Unacceptable("unknown_customer")
        return entry["Customer"]

    def open_invoices(self, number: str) -> list[sqlite3.Row]:
        return self.store.rows(
            "SELECT * FROM invoices WHERE customer = ? AND open_cents > 0 ORDER BY due, number", number
        )

    def open_cents(self, number: str) -> int:
        return self.store.scalar("SELECT coalesce(sum(open_cents), 0) FROM invoices WHERE customer = ?", number)

    def past_due(self, *, min_age_days: int, min_cents: int, after: str, limit: int) -> list[dict]:
        """List customers whose oldest open invoice is overdue by so many days and who owe at least so much."""
        until = (self.clock.now().date() - timedelta(days=min_age_days)).isoformat()
        rows = self.store.rows(
            "SELECT i.customer, c.body, sum(i.open_cents) AS cents, min(i.due) AS oldest, count(*) AS n"
            " FROM invoices i JOIN customers c USING (customer)"
            " WHERE i.open_cents > 0 AND i.due <= ? AND i.customer > ? AND c.status <> 'REMOVED'"
            " GROUP BY i.customer HAVING sum(i.open_cents) >= ? ORDER BY i.customer LIMIT ?",
            until,
            after,
            min_cents,
            limit,
        )
        return [
            {
                "Customer": row["customer"],
                "Name": name_of(json.loads(row["body"])),
                "PastDue": dollars(row["cents"]),
                "OldestDue": row["oldest"],
                "Invoices": row["n"],
            }
            for row in rows
        ]

    def record(self, number: str) -> dict | None:
        with self.store.lock:
            row = self.store.row("SELECT * FROM customers WHERE customer = ?", number)
            if row is None:
                return None
            invoices = self.store.rows("SELECT * FROM invoices WHERE customer = ? ORDER BY due, number", number)
            receipts = self.store.rows("SELECT * FROM receipts WHERE customer = ? ORDER BY date, id", number)
        owed = sum(one["open_cents"] for one in invoices)
        return json.loads(row["body"]) | {
            "Customer": number,
            "Status": row["status"] if owed or row["status"] == "REMOVED" else "PAID",
            "Balance": dollars(owed),
            "AsOf": row["as_of"],
            "Version": row["version"],
            "Invoices": [
                {
                    "Number": one["number"],
                    "Date": one["date"],
                    "Due": one["due"],
                    "Amount": dollars(one["amount_cents"]),
                    "Open": dollars(one["open_cents"]),
                }
                for one in invoices
            ],
            "Payments": [
                {
                    "ID": one["id"],
                    "PortalID": one["portal_id"],
                    "Date": one["date"],
                    "Amount": dollars(one["amount_cents"]),
                    "Method": one["method"],
                    "Status": one["status"],
                    "UpdatedAt": one["updated_at"],
                }
                for one in receipts
            ],
        }

    def touch(self, number: str) -> None:
        with self.store.write() as db:
            db.execute(
                "UPDATE customers SET as_of = max(?, as_of), version = version + 1 WHERE customer = ?",
                (self.now(), number),
            )

    def now(self) -> str:
        return stamp(self.clock.now())

    def today(self) -> str:
        return self.clock.now().date().isoformat()


def amount_of(block: dict) -> int:
    try:
        amount = cents(block.get("Amount"))
    except ValueError:
        amount = 0
    if amount <= 0:
        raise Unacceptable("invalid_amount")
    return amount


def name_of(body: dict) -> str:
    contact = body.get("Contact") or {}
    return f"{contact.get('First', '')} {contact.get('Last', '')}".strip()
