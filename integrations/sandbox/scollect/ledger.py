"""What the portal's payments, post-dates and requests do to the ledger of the SCollect host."""

import hashlib
import json
import sqlite3
import time
from datetime import date

from ..clock import Clock, moment, stamp
from ..store import Store
from .records import COUNTED, Records, after_banking_days, cents

TABLES = """
CREATE TABLE IF NOT EXISTS banks (method_id TEXT PRIMARY KEY, sealed TEXT NOT NULL);
"""

POSTING_AGENT = "Agency"

# The portal's word for what it executed itself -> the status in the host's ledger.
PORTAL_OUTCOMES = {
    "APPROVED": "POSTED",
    "DECLINED": "DECLINED",
    "PENDING": "PROCESSED",
    "REFUNDED": "REFUND",
    "CHARGEBACK": "CHARGEBACK",
    "CHARGED_BACK": "CHARGEBACK",
    "ACH REVERSAL": "ACH REVERSAL",
    "RETURNED": "ACH REVERSAL",
    "VOIDED": "VOIDED",
}
# Words of the portal by which nothing moves here: a payment that is not decided, an order that is not this host's.
QUIET = ("INTENDED", "SUBMIT")
REFUND_FAILED = "REFUND FAILED"
TAKEN_BACK = ("REFUND", "CHARGEBACK", "ACH REVERSAL", "VOIDED")
# A status may follow only these; None = not in the ledger yet. A late APPROVED never undoes a refund.
MAY_FOLLOW = {
    "POSTED": {None, "PENDING", "PROCESSED", "DECLINED"},
    "DECLINED": {None, "PENDING", "PROCESSED"},
    "PROCESSED": {None, "PENDING"},
    "REFUND": {None, "POSTED"},
    "CHARGEBACK": {None, "POSTED"},
    "ACH REVERSAL": {None, "POSTED", "PROCESSED"},
    "VOIDED": {None, "POSTED", "PROCESSED"},
}
SCRIPTED = ("POSTED", "DECLINED", "CHARGEBACK", "ACH REVERSAL", "REFUND", "PROCESSED", "PENDING", "CANCELLED")


class Unacceptable(Exception):
    """The host will not take this event; the first argument is the Reason."""


class Ledger:
    def __init__(self, *, store: Store, clock: Clock, records: Records, setting):
        self.store = store
        self.clock = clock
        self.records = records
        self.setting = setting

    # Events of the portal. Each answers the Answer block, or None.

    def take_payment(self, event: dict) -> dict | None:
        block = self.block(event, "Payment")
        if block is None or event["Event"] == "payment.posted":
            # That one is the echo of our own push.
            return None
        said, executor = str(block.get("Status", "")).upper(), block.get("Executor", "PORTAL")
        if executor == "HOST":
            return self.submit(event, block) if said == "SUBMIT" else None
        if said in QUIET:
            return None
        if said == REFUND_FAILED:
            return self.stand_again(event, block)
        status = PORTAL_OUTCOMES.get(said)
        if status is None:
            raise Unacceptable("unknown_status")
        number, amount = self.account_of(event), self.amount_of(block)
        item = self.records.item(portal_id=block["PortalID"])
        if item is None and status != "DECLINED":
            item = self.planned(block)
        reinstated = block.get("Reinstated") and item and item["status"] == "CHARGEBACK"
        if (item["status"] if item else None) not in MAY_FOLLOW[status] and not reinstated:
            return {"HostID": item["host_id"], "Status": item["status"]}
        takes = status in TAKEN_BACK or reinstated
        if item and takes and amount > self.left_cents(item):
            raise Unacceptable("more_than_is_left")
        if status == "REFUND" and item and amount < item["amount_cents"]:
            item = self.give_part_back(item, block, amount)
            self.records.lower_balance(number, -amount)
        elif item:
            paid = {"date": self.words_of(block)["date"], "portal_id": block["PortalID"]}
            item = self.move(item, status, by_cents=amount if takes else None, **paid)
        else:
            item = self.records.add(
                file_number=number,
                portal_id=block["PortalID"],
                part="payment",
                status=status,
                posting_agent=POSTING_AGENT,
                executor="PORTAL",
                reference=str(block.get("ProcessorReference") or ""),
                **self.words_of(block),
            )
            if status == COUNTED:
                self.records.lower_balance(number, amount)
        self.push_back(number)
        return {"HostID": item["host_id"], "Status": item["status"]}

    def give_part_back(self, item: sqlite3.Row, block: dict, amount: int) -> sqlite3.Row:
        """Write that a part of a payment went back: the payment stays, and the refund is an item of its own."""
        return self.records.add(
            file_number=item["file_number"],
            portal_id=str(block.get("RefundID") or ""),
            part="payment",
            status="REFUND",
            posting_agent=POSTING_AGENT,
            executor="PORTAL",
            note=part_of(item),
            **self.words_of(block) | {"amount_cents": amount},
        )

    def stand_again(self, event: dict, block: dict) -> dict:
        """Take a refund that did not arrive: so much of what went back is paid again.

        :raises Unacceptable: `unknown_refund`, so much did not go back.
        """
        number, amount = self.account_of(event), self.amount_of(block)
        item = self.records.item(portal_id=block["PortalID"])
        parts = self.parts_back(item) if item else []
        if item and item["status"] == "REFUND" and amount <= (left := self.left_cents(item)):
            item = self.move(item, COUNTED, by_cents=amount)
            if left > amount:
                self.give_part_back(item, block, left - amount)
        elif item and amount <= sum(part["amount_cents"] for part in parts):
            self.records.lower_balance(number, amount)
            # The refund of this sum it was; the portal may have told several as one.
            for part in sorted(parts, key=lambda part: part["amount_cents"] != amount):
                failed = min(amount, part["amount_cents"])
                kept = part["amount_cents"] - failed
                values = {"amount_cents": kept} if kept else {"status": REFUND_FAILED}
                if failed:
                    self.records.change(part["host_id"], **values)
                amount -= failed
        else:
            raise Unacceptable("unknown_refund")
        self.push_back(number)
        return {"HostID": item["host_id"], "Status": item["status"]}

    def parts_back(self, item: sqlite3.Row) -> list[sqlite3.Row]:
        """List what of a payment went back in parts, the last first."""
        sql = "SELECT * FROM items WHERE file_number = ? AND note = ? AND status = 'REFUND' ORDER BY rowid DESC"
        return self.store.rows(sql, item["file_number"], part_of(item))

    def left_cents(self, item: sqlite3.Row) -> int:
        return item["amount_cents"] - sum(part["amount_cents"] for part in self.parts_back(item))

    def planned(self, block: dict) -> sqlite3.Row | None:
        """Find the post-date that the portal itself has just charged: it becomes the payment."""
        item = self.records.item(portal_id=str(block.get("PostDateID") or ""))
        return item if item and (item["executor"], item["status"]) == ("PORTAL", "PENDING") else None

    def submit(self, event: dict, block: dict) -> dict:
        """Take an immediate ACH payment that the host submits: PROCESSED now, posted banking days later."""
        number = self.account_of(event)
        self.amount_of(block)
        item = self.records.item(portal_id=block["PortalID"])
        if item is None:
            if block.get("Method") != "ACH":
                raise Unacceptable("unsupported_method")
            item = self.records.add(
                file_number=number,
                portal_id=block["PortalID"],
                part="payment",
                status="PROCESSED",
                posting_agent=POSTING_AGENT,
                bank=self.bank_of(event, block),
                settles_at=self.settles_at(),
                **self.words_of(block),
            )
            self.push_back(number)
        return {"HostID": item["host_id"], "Status": item["status"]}

    def take_postdate(self, event: dict) -> dict | None:
        block = self.block(event, "PostDate")
        if block is None:
            return None
        name, item = event["Event"], self.records.item(portal_id=block["PortalID"])
        if name == "postdate.cancelled":
            return self.cancel(block) if item else None
        if name not in ("postdate.scheduled", "postdate.changed"):
            return None
        if item and (name == "postdate.scheduled" or item["status"] != "PENDING" or item["part"] != "postdate"):
            return {"HostID": item["host_id"], "Status": item["status"], "Changed": False}
        number = self.account_of(event)
        self.amount_of(block)
        values = {**self.words_of(block), "executor": block.get("Executor", "HOST")}
        values["not_before"] = self.not_before(block)
        if values["executor"] == "HOST":
            self.add_means(event, block, values, item)
        if item:
            item = self.records.change(item["host_id"], **values)
        else:
            item = self.records.add(
                file_number=number,
                portal_id=block["PortalID"],
                part="postdate",
                status="PENDING",
                posting_agent=POSTING_AGENT,
                note=f"{block['Number']} of {block['Of']}" if block.get("Number") and block.get("Of") else "",
                **values,
            )
        self.push_back(number)
        return {"HostID": item["host_id"], "Status": item["status"]}

    def add_means(self, event: dict, block: dict, values: dict, item: sqlite3.Row | None) -> None:
        """Add the token or the bank account by which the host can execute; a change may leave it out.

        :raises Unacceptable: `token_needed` or `method_needed`.
        """
        if block.get("Method") == "ACH":
            if block.get("Bank") or item is None or not item["bank"]:
                values["bank"] = self.bank_of(event, block)
            return
        token = block.get("Token") or {}
        if token.get("Customer") and token.get("PaymentMethod"):
            values["token"] = json.dumps(token)
        elif item is None or not item["token"]:
            raise Unacceptable("token_needed")

    def cancel(self, block: dict) -> dict:
        reason = self.why_not(block)
        if not reason and self.setting("refuse_cancels"):
            reason = "refused_by_script"
        if reason:
            return {"Cancelled": False, "Reason": reason}
        item = self.records.item(portal_id=block["PortalID"])
        self.records.change(item["host_id"], status="CANCELLED")
        self.push_back(item["file_number"])
        return {"Cancelled": True, "Reason": ""}

    def hold(self, block: dict) -> dict:
        """Hold a post-date, or let it go again with "Hold": false."""
        wanted = block.get("Hold", True)
        reason = self.why_not(block)
        if not reason and self.setting("refuse_holds"):
            reason = "refused_by_script"
        if reason:
            return {"Held": False, "Reason": reason}
        item = self.records.item(portal_id=block["PortalID"])
        self.records.change(item["host_id"], held=int(bool(wanted)))
        self.push_back(item["file_number"])
        return {"Held": bool(wanted), "Reason": ""}

    def why_not(self, block: dict) -> str:
        item = self.records.item(portal_id=str((block or {}).get("PortalID") or ""))
        if item is None:
            return "unknown_postdate"
        if item["status"] == "CANCELLED":
            return "already_cancelled"
        if item["part"] != "postdate" or item["status"] != "PENDING":
            return "already_charged"
        if self.store.scalar(
            "SELECT 1 FROM attempts WHERE host_id = ? AND state IN ('started', 'unknown')", item["host_id"]
        ):
            return "being_charged"
        return ""

    # What the host itself decides.

    def move(self, item: sqlite3.Row, status: str, *, by_cents: int | None = None, **values) -> sqlite3.Row:
        """Give an item another status, and the balance what follows from it: so much, else all that is left of it."""
        by_cents = self.left_cents(item) if by_cents is None else by_cents
        if item["status"] != COUNTED and status == COUNTED:
            self.records.lower_balance(item["file_number"], by_cents)
        elif item["status"] == COUNTED and status != COUNTED:
            self.records.lower_balance(item["file_number"], -by_cents)
        part = "postdate" if status in ("PENDING", "CANCELLED") else "payment"
        return self.records.change(item["host_id"], status=status, part=part, **values)

    def script(self, said: dict) -> dict:
        """Give the item named by PortalID or HostID a Status, as a person at the host would, and push it.

        What its bank sent back may have the bank's ReturnCode.

        :raises ValueError: no such item, or no such status.
        """
        item = self.records.item(host_id=said.get("HostID"), portal_id=said.get("PortalID"))
        if item is None:
            raise ValueError("no such item: name it by HostID or PortalID")
        status = said.get("Status")
        if status not in SCRIPTED:
            raise ValueError(f"Status is one of {', '.join(SCRIPTED)}")
        with self.store.write() as db:
            values = {"settles_at": None}
            if status == "PROCESSED":
                values["settles_at"] = self.settles_at()
            if status == "PENDING":
                # Only what was declined may be tried again; anything else would be taken twice.
                values |= {"held": int(item["status"] != "DECLINED"), "attempt": item["attempt"] + 1}
            # A person has decided, so an attempt whose outcome nobody knew is closed.
            db.execute(
                "UPDATE attempts SET state = 'decided' WHERE host_id = ? AND state IN ('started', 'unknown')",
                (item["host_id"],),
            )
            item = self.move(item, status, note=f"{said.get('ReturnCode') or ''} by hand".strip(), **values)
            self.push_back(item["file_number"], at_once=True)
        return {"HostID": item["host_id"], "PortalID": item["portal_id"], "Status": item["status"]}

    def push_back(self, file_number: str, *, at_once: bool = False) -> None:
        delay = 0.0 if at_once else float(self.setting("push_delay_ms")) / 1000
        self.records.touch(file_number, push_at=time.time() + delay)

    def settles_at(self) -> str:
        return after_banking_days(self.clock.now())

    # Reading what the portal sent.

    def block(self, event: dict, name: str) -> dict | None:
        block = event.get(name)
        if not isinstance(block, dict):
            return None
        if not isinstance(block.get("PortalID"), str) or not block["PortalID"]:
            raise Unacceptable("portal_id_missing")
        return block

    def account_of(self, event: dict) -> str:
        if not self.records.known(event.get("FileNumber")):
            raise Unacceptable("unknown_account")
        return event["FileNumber"]

    def amount_of(self, block: dict) -> int:
        try:
            amount = cents(block.get("Amount"))
        except ValueError:
            amount = 0
        if amount <= 0:
            raise Unacceptable("invalid_amount")
        return amount

    def words_of(self, block: dict) -> dict:
        try:
            day = date.fromisoformat(str(block.get("Date") or self.clock.now().date())[:10])
        except ValueError:
            raise Unacceptable("invalid_date") from None
        return {
            "date": day.isoformat(),
            "amount_cents": self.amount_of(block),
            "method": str(block.get("Method") or "CARD"),
            "last4": str(block.get("Last4") or "")[-4:],
        }

    def not_before(self, block: dict) -> str:
        """Take the portal's moment; without one 18:00 UTC, which is 08:00 or later in all fifty states."""
        try:
            return stamp(moment(block.get("NotBefore") or f"{block.get('Date')}T18:00:00Z"))
        except ValueError:
            raise Unacceptable("invalid_date") from None

    def bank_of(self, event: dict, block: dict) -> str:
        """Answer the sealed bank account of this event, or the one known by the same method id.

        :raises Unacceptable: `method_needed`, neither is there.
        """
        bank, data = block.get("Bank") or {}, event.get("Data") or {}
        method = str(bank.get("MethodID") or block.get("MethodID") or data.get("method_id") or "")
        if bank.get("SHA256"):
            sealed = json.dumps(bank)
            if method:
                with self.store.write() as db:
                    db.execute("INSERT OR REPLACE INTO banks VALUES (?, ?)", (method, sealed))
            return sealed
        known = self.store.scalar("SELECT sealed FROM banks WHERE method_id = ?", method)
        if known is None:
            raise Unacceptable("method_needed")
        return known


def part_of(item: sqlite3.Row) -> str:
    """Say in the note of a refund of which payment it is a part."""
    return f"part of {item['host_id']}"


def seal(event: dict, *, salt: str) -> dict:
    """Keep of a bank account its last four and the SHA-256 of "salt:routing:account", nothing else."""
    for name in ("Payment", "PostDate"):
        block = event.get(name)
        if isinstance(block, dict) and isinstance(block.get("Bank"), dict):
            bank = block["Bank"]
            kept = {key: bank[key] for key in ("AccountType", "MethodID") if isinstance(bank.get(key), str)}
            if bank.get("AccountNumber"):
                account, routing = str(bank["AccountNumber"]), str(bank.get("RoutingNumber", ""))
                kept["Last4"] = account[-4:]
                kept["SHA256"] = hashlib.sha256(f"{salt}:{routing}:{account}".encode()).hexdigest()
            event = event | {name: block | {"Bank": kept}}
    return event
