"""The SCollect host: its API for the portal, and the control calls of the sandbox.

The portal's side, with the outbound key: GET /accounts/<FileNumber>, POST /events.
Control, under /_sandbox/: configure, clock, advance {"days", "hours", "seconds", "months"}, faults (see faults.py),
accounts (whole records), accounts/<FileNumber> (some fields), seed {"agency", "push"}, push (see pushes.py),
outcome {"PortalID" or "HostID", "Status"}; to read: received, state, charges, pushes.
"""

from pathlib import Path
from typing import ClassVar

from ..clock import stamp
from ..host import Host
from ..seed import AGENCIES
from ..server import Refused, Request, Route
from . import charges, inbox, ledger, pushes, records
from .page import render


class ScollectHost(Host):
    """SCollect; a host that says the same in other words overrides `outward`, `inward` and the two paths."""

    style = "scollect"
    title = "SCollect"
    account_path = r"/accounts/([^/]+)"
    events_path = r"/events"
    tables = records.TABLES + pushes.TABLES + ledger.TABLES + inbox.TABLES + charges.TABLES
    defaults: ClassVar[dict[str, object]] = {
        "name": "SCollect",
        "portal_url": "",
        "portal_host": "",
        "connection_id": "",
        "inbound_key": "",
        "outbound_key": "",
        "processor_url": "",
        "processor_key": "",
        "processor_timeout_seconds": 20,
        "push_delay_ms": 300,
        "push_times": 1,
        "refuse_cancels": False,
        "refuse_holds": False,
    }

    def __init__(self, directory: Path):
        super().__init__(directory)
        shared = {"store": self.store, "setting": self.setting}
        self.records = records.Records(store=self.store, clock=self.clock)
        self.pushes = pushes.Pushes(records=self.records, client=self.client, outward=self.outward, **shared)
        self.ledger = ledger.Ledger(clock=self.clock, records=self.records, **shared)
        self.inbox = inbox.Inbox(store=self.store, ledger=self.ledger)
        self.charges = charges.Charges(
            clock=self.clock, records=self.records, ledger=self.ledger, client=self.client, **shared
        )
        self.charges.resume()

    def routes(self) -> list[Route]:
        return [
            Route("GET", self.account_path, self.fetch, faulty=True),
            Route("POST", self.events_path, self.receive, faulty=True),
            Route("GET", r"/_sandbox/accounts", lambda request: self.all_accounts()),
            Route("POST", r"/_sandbox/accounts", self.command("accounts", self.save_accounts)),
            Route("POST", r"/_sandbox/accounts/([^/]+)", self.command("account", self.merge_account)),
            Route("POST", r"/_sandbox/seed", self.command("seed", self.seed)),
            Route("POST", r"/_sandbox/push", self.command("push", self.pushes.command)),
            Route("GET", r"/_sandbox/pushes", lambda request: self.show_pushes()),
            Route("POST", r"/_sandbox/outcome", self.command("outcome", self.script_outcome)),
            Route("GET", r"/_sandbox/received", lambda request: self.inbox.received(request.query)),
            Route("GET", r"/_sandbox/charges", lambda request: {"attempts": self.charges.attempts()}),
            Route("GET", r"/_sandbox/state", lambda request: self.state()),
        ]

    # What a host with other words says differently.

    def outward(self, record: dict) -> dict:
        """Put a record of the store into this host's words."""
        return record

    def inward(self, event: dict) -> dict:
        """Put an event of the portal from this host's words into those of the store."""
        return event

    def own_accounts(self, accounts: list[dict]) -> list[dict]:
        """Choose of an agency's demonstration accounts those that lie at this host."""
        return accounts

    def sections(self) -> list[str]:
        """Give the parts of the page that only this style has."""
        return []

    # The API for the portal.

    def admit(self, request: Request) -> None:
        if not request.bears(self.setting("outbound_key")):
            raise Refused(401, "wrong_key", "This is not the key of the portal.")

    def fetch(self, request: Request, file_number: str) -> dict:
        self.admit(request)
        record = self.records.record(file_number)
        if record is None:
            raise Refused(404, "unknown_account", "There is no such FileNumber.")
        return self.outward(record)

    def receive(self, request: Request) -> dict:
        self.admit(request)
        batch = request.json()
        if not isinstance(batch, list):
            raise Refused(400, "list_expected", "The body is a list of events.")
        if not 1 <= len(batch) <= inbox.EVENTS_LIMIT:
            raise Refused(400, "wrong_count", f"A list holds 1 to {inbox.EVENTS_LIMIT} events.")
        batch = [self.inward(event) if isinstance(event, dict) else event for event in batch]
        results = self.inbox.receive(batch, received_at=request.received_at)
        self.wake.set()
        return {"results": results}

    # Scheduled and background work.

    def next_due(self):
        return self.charges.next_due()

    def run_due(self) -> list[dict]:
        return self.charges.run()

    def work(self) -> float:
        return min(self.pushes.flush(), self.charges.retry_unknown())

    def moved(self, target) -> dict:
        """Move the clock, do what is due, push it back at once, and tell what happened."""
        answer = super().moved(target)
        self.pushes.flush()
        charged = [line for line in answer["done"] if line["Outcome"] == "POSTED"]
        return answer | {
            "posted": len(charged),
            "held": self.charges.held(),
            "waiting_pushes": len(self.pushes.waiting()),
        }

    # Control calls.

    def all_accounts(self) -> dict:
        return {"accounts": [self.records.record(number) for number in self.records.numbers()]}

    def save_accounts(self, said: dict) -> dict:
        """Take whole records: a list, one object, or {"accounts": [...], "push": true}."""
        given = said.get("list") or said.get("accounts") or [said]
        with self.store.write():
            changed = [self.records.save(record) for record in given]
        return self.saved([record["FileNumber"] for record in given], sum(changed), push=said.get("push"))

    def merge_account(self, said: dict, file_number: str) -> dict:
        """Change only the fields named; null removes one, as an absent Settlement does."""
        push = said.pop("push", False)
        record = self.records.record(file_number)
        if record is None:
            raise Refused(404, "unknown_account", "There is no such FileNumber.")
        # Items that are not named stay as they are.
        kept = {name: value for name, value in record.items() if name not in ("Payments", "PostDates")}
        merged = {name: value for name, value in (kept | said).items() if value is not None}
        return self.saved([file_number], int(self.records.save(merged)), push=push)

    def saved(self, numbers: list[str], changed: int, *, push) -> dict:
        answer = {"saved": len(numbers), "changed": changed}
        if push and numbers:
            answer["push"] = self.pushes.command({"FileNumbers": numbers})
        return answer

    def seed(self, said: dict) -> dict:
        """Load the demonstration accounts of an agency, dated around the clock's today."""
        agency = said.get("agency")
        if agency not in AGENCIES:
            raise ValueError(f"agency is one of {', '.join(AGENCIES)}")
        if said.get("only_if_empty") and self.records.numbers():
            return {"saved": 0, "changed": 0}
        name, accounts = AGENCIES[agency]
        self.store.set(name=name)
        given = self.own_accounts(accounts(self.clock.now().date()))
        return self.save_accounts({"accounts": given, "push": said.get("push")})

    def script_outcome(self, said: dict) -> dict:
        answer = self.ledger.script(said)
        self.pushes.flush()
        return answer

    def show_pushes(self) -> dict:
        return {"waiting": self.pushes.waiting(), "log": self.pushes.log()}

    def state(self) -> dict:
        statuses = self.store.rows(
            "SELECT part, status, count(*) AS n, sum(amount_cents) AS cents FROM items GROUP BY part, status"
        )
        return {
            "style": self.style,
            "name": self.setting("name"),
            "now": stamp(self.clock.now()),
            "salt": self.store.setting("salt"),
            "accounts": len(self.records.numbers()),
            "events": {**self.inbox.counts(), "by_type": self.inbox.by_type()},
            "latency": self.inbox.latency(),
            "order": self.inbox.order(),
            "items": [dict(row) for row in statuses],
            "held": self.charges.held(),
            "waiting_pushes": self.pushes.waiting(),
            "unknown_attempts": [
                attempt for attempt in self.charges.attempts() if attempt["state"] in ("started", "unknown")
            ],
            "faults": self.faults.listed(),
        }

    def page(self) -> str:
        return render(self)
