"""The creditor's ledger: the portal pulls past-due customers from it and writes flags, fees and receipts into it.

The portal's side, with the outbound key: GET /v1/settings, GET /v1/customers/past-due?min_age_days=&min_amount=&after=,
GET /v1/customers?ids=, GET /v1/customers/<Customer>, POST /v1/collections/entries.
Control, under /_sandbox/, beside clock, faults and configure: customers (whole ones, a list), pay {"Customer",
"Amount"} (a payment made to the creditor itself), seed {"agency"}; to read: received, state.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import ClassVar

from ..clock import stamp
from ..host import Host
from ..page import badge, button, frame, group, section, table, tiles
from ..scollect import inbox
from ..scollect.records import cents, dollars
from ..server import Refused, Request, Route
from ..words import without_bank
from . import books

PAGE = 50
MOST_IDS = 200


class Entries(inbox.Inbox):
    """Take entries as every host takes events: each has its effect once, in order."""

    def __init__(self, *, store, books_: books.Books):
        self.store = store
        self.salt = store.setting("salt")
        self.effects = {
            "FLAG": books_.flag,
            "CLEAR": books_.clear,
            "RECEIPT": books_.take_receipt,
            "REVERSAL": books_.take_reversal,
            "REINSTATEMENT": books_.take_reinstatement,
        }


class LedgerHost(Host):
    style, title = "ledger", "Creditor's ledger"
    tables = inbox.TABLES + books.TABLES
    defaults: ClassVar[dict[str, object]] = {
        "name": "Wise Option",
        "outbound_key": "",
        "portal_url": "",
        "portal_host": "",
        "connection_id": "",
        "inbound_key": "",
        "processor_url": "",
        "processor_key": "",
        "credit_allocation": True,
        "collections_package": True,
    }

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.books = books.Books(store=self.store, clock=self.clock, setting=self.setting)
        self.inbox = Entries(store=self.store, books_=self.books)

    def routes(self) -> list[Route]:
        return [
            Route("GET", r"/v1/settings", self.show_settings, faulty=True),
            Route("GET", r"/v1/customers/past-due", self.list_past_due, faulty=True),
            Route("GET", r"/v1/customers", self.list_customers, faulty=True),
            Route("GET", r"/v1/customers/([^/]+)", self.show_customer, faulty=True),
            Route("POST", r"/v1/collections/entries", self.receive, faulty=True),
            Route("POST", r"/_sandbox/customers", self.command("customers", self.save_customers)),
            Route("GET", r"/_sandbox/customers", lambda request: {"Customers": self.everybody()}),
            Route("POST", r"/_sandbox/pay", self.command("pay", self.take_payment)),
            Route("POST", r"/_sandbox/seed", self.command("seed", self.seed)),
            Route("GET", r"/_sandbox/received", lambda request: self.inbox.received(request.query)),
            Route("GET", r"/_sandbox/state", lambda request: self.state()),
        ]

    # A ledger does nothing by itself: no scheduled work, no pushes.

    def next_due(self):
        return None

    def run_due(self) -> list[dict]:
        return []

    def work(self) -> float:
        return 60.0

    # The API for the portal.

    def admit(self, request: Request) -> None:
        if not request.bears(self.setting("outbound_key")):
            raise Refused(401, "wrong_key", "This is not the key of the agency.")

    def show_settings(self, request: Request) -> dict:
        self.admit(request)
        return {
            "CreditAllocation": bool(self.setting("credit_allocation")),
            "CollectionsPackage": bool(self.setting("collections_package")),
        }

    def list_past_due(self, request: Request) -> dict:
        self.admit(request)
        try:
            days, least = int(request.query.get("min_age_days", 0)), cents(request.query.get("min_amount", "0"))
        except ValueError:
            raise Refused(400, "invalid_query", "min_age_days is a number, min_amount an amount.") from None
        after = request.query.get("after", "")
        found = self.books.past_due(min_age_days=days, min_cents=least, after=after, limit=PAGE)
        return {"Customers": found, "Next": found[-1]["Customer"] if len(found) == PAGE else ""}

    def list_customers(self, request: Request) -> dict:
        self.admit(request)
        ids = [one for one in request.query.get("ids", "").split(",") if one][:MOST_IDS]
        return {"Customers": [record for record in map(self.books.record, ids) if record]}

    def show_customer(self, request: Request, number: str) -> dict:
        self.admit(request)
        record = self.books.record(number)
        if record is None:
            raise Refused(404, "unknown_customer", "There is no such customer.")
        return record

    def receive(self, request: Request) -> dict:
        self.admit(request)
        batch = request.json()
        if not isinstance(batch, list) or not 1 <= len(batch) <= inbox.EVENTS_LIMIT:
            raise Refused(400, "list_expected", f"The body is a list of 1 to {inbox.EVENTS_LIMIT} entries.")
        return {"results": self.inbox.receive([inward(entry) for entry in batch], received_at=request.received_at)}

    # Control calls.

    def save_customers(self, said: dict) -> dict:
        given = said.get("list") or said.get("customers") or [said]
        with self.store.write():
            for customer in given:
                self.books.save(customer)
        return {"saved": len(given)}

    def take_payment(self, said: dict) -> dict:
        return self.books.pay_directly(str(said.get("Customer")), cents(said.get("Amount")))

    def seed(self, said: dict) -> dict:
        """Load demonstration customers, dated around the clock's today."""
        if said.get("only_if_empty") and self.store.scalar("SELECT 1 FROM customers"):
            return {"saved": 0}
        return self.save_customers({"customers": demonstration(str(said.get("agency")), self.clock.now().date())})

    def everybody(self) -> list[dict]:
        rows = self.store.rows("SELECT customer, flag, warning FROM customers ORDER BY customer")
        return [self.books.record(row["customer"]) | {"Flag": row["flag"], "Warning": row["warning"]} for row in rows]

    def state(self) -> dict:
        return {
            "style": self.style,
            "name": self.setting("name"),
            "now": stamp(self.clock.now()),
            "events": {**self.inbox.counts(), "by_type": self.inbox.by_type()},
            "latency": self.inbox.latency(),
            "order": self.inbox.order(),
            "faults": self.faults.listed(),
        }

    def page(self) -> str:
        counts, latency = self.inbox.counts(), self.inbox.latency()
        p50 = latency["p50_ms"]
        summary = tiles(
            ("Entries", counts["received"], ""),
            ("Came twice", counts["duplicates"], ""),
            ("Refused", counts["refused"], "bad" if counts["refused"] else ""),
            ("p50 after commit", "-" if p50 is None else f"{p50:.0f} ms", "good"),
        )
        lines = []
        for one in self.everybody():
            pay = button("Pays $25 to the creditor", "pay", Customer=one["Customer"], Amount="25.00")
            flag = badge(one["Flag"], "bad") if one["Flag"] else ""
            open_ones = [each for each in one["Invoices"] if cents(each["Open"])]
            receipts = [each for each in one["Payments"] if each["PortalID"]]
            collected = dollars(sum(cents(each["Amount"]) for each in receipts if each["Status"] == "POSTED"))
            lines.append([one["Customer"], books.name_of(one), one["Balance"], len(open_ones), flag, collected, pay])
        heads = ["Customer", "Name", "Open", "Invoices", "Flag", "From the agency", ""]
        allocation = self.setting("credit_allocation")
        switch = button("Switch credit allocation off", "configure", tone="danger", credit_allocation="")
        if not allocation:
            switch = button("Switch credit allocation on", "configure", tone="main", credit_allocation=1)
        body = section("summary", "Received from the agency", summary)
        body += section("controls", "Controls", group("Requirements", switch))
        body += section("customers", "Customers", table(heads, lines, empty="No customers yet.", numeric=(2, 3, 5)))
        return frame(
            title=f"{self.setting('name')}: {self.title} sandbox",
            kind="Creditor's ledger sandbox",
            heading=self.setting("name"),
            clock=self.clock.now().strftime("%a %d %b %Y, %H:%M:%S"),
            body=body,
        )


def inward(entry) -> object:
    """Name an entry as the inbox does; what came over the wire stays beside it."""
    if not isinstance(entry, dict):
        return entry
    return entry | {
        "Type": str(entry.get("Kind") or "NOTE"),
        "FileNumber": entry.get("Customer"),
        "AccountSequence": entry.get("CustomerSequence"),
        "Wire": without_bank(entry),
    }


PEOPLE = {
    "acme": (("Vera", "Billable", "Albany", "NY", "12207"), ("Walt", "Overdue", "Troy", "NY", "12180")),
    "birch": (("Xena", "Latefee", "Madison", "WI", "53703"), ("Yuri", "Pastdue", "Milwaukee", "WI", "53202")),
}


def demonstration(agency: str, today: date) -> list[dict]:
    """Make two fictional customers of an agency's creditor, with invoices that are 20 to 120 days overdue.

    :raises ValueError: no such agency.
    """
    if agency not in PEOPLE:
        raise ValueError(f"agency is one of {', '.join(PEOPLE)}")
    made = []
    for index, (first, last, city, state, code) in enumerate(PEOPLE[agency], 1):
        number = f"W-{100 * (1 + list(PEOPLE).index(agency)) + index}"
        ends = {"acme": "com", "birch": "net"}[agency]
        made.append(
            {
                "Customer": number,
                "Company": "WISE",
                "CompanyName": "Fictional Pool & Spa Service",
                "Contact": {"First": first, "Last": last, "Street": "1 Sample Way", "City": city, "State": state}
                | {"Zip": code},
                "SSN": f"900-99-{2000 + 10 * index + list(PEOPLE).index(agency):04d}",
                "Emails": [{"Address": f"{first}.{last}@example.{ends}".lower(), "Route": "consumer"}],
                "Description": "Weekly pool service",
                "SolStatus": "live",
                "CustomerSince": (today - timedelta(days=900)).isoformat(),
                "OriginalCreditor": "Fictional Pool & Spa Service",
                "Invoices": [
                    {
                        "Number": f"{number}-{each}",
                        "Due": (today - timedelta(days=overdue)).isoformat(),
                        "Amount": f"{amount}.00",
                    }
                    for each, (overdue, amount) in enumerate(((120, 150), (90, 150), (20, 75)), 1)
                ],
            }
        )
    return made
