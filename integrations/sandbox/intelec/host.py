"""The Intelec host: arrangements drive the work queues, what it executes comes in batches, an IVR takes promises.

The portal's side, with the outbound key: GET /rmex/cases/<Case>, POST /rmex/portal/activity.
Control, beside those of the SCollect host: GET /_sandbox/queues (case -> performing, late, broken, none),
GET /_sandbox/arrangements, GET /_sandbox/batches, GET /_sandbox/collectors (the cases that a collector is shown),
POST /_sandbox/ivr {"Case", "Wish": {...}} (the caller agrees: a quote is asked for and accepted by the public API).
"""

import json
import uuid
from typing import ClassVar

from ..client import NoAnswer
from ..page import badge, section, table
from ..scollect.host import ScollectHost
from ..scollect.ledger import Unacceptable
from ..seed import renumbered
from ..server import Route
from . import words

TABLES = """
CREATE TABLE IF NOT EXISTS queues (file_number TEXT PRIMARY KEY, state TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS arrangements (portal_id TEXT PRIMARY KEY, file_number TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (number INTEGER PRIMARY KEY, step TEXT NOT NULL, body TEXT NOT NULL);
"""
STATES = ("performing", "late", "broken", "none")
TONES = {"performing": "good", "late": "wait", "broken": "bad"}


class IntelecHost(ScollectHost):
    style, title = "intelec", "Intelec"
    account_path, events_path = r"/rmex/cases/([^/]+)", r"/rmex/portal/activity"
    tables = ScollectHost.tables + TABLES
    defaults: ClassVar[dict[str, object]] = ScollectHost.defaults | {"name": "Intelec", "api_key": ""}

    def __init__(self, directory):
        super().__init__(directory)
        self.inbox.effects |= {"ARRANGEMENT": self.take_arrangement, "BATCH": self.take_batch}

    def outward(self, record: dict) -> dict:
        return words.outward(record)

    def inward(self, event: dict) -> dict:
        return words.inward(event)

    def routes(self) -> list[Route]:
        return [
            *super().routes(),
            Route("GET", r"/_sandbox/queues", lambda request: {"queues": self.queues()}),
            Route("GET", r"/_sandbox/collectors", lambda request: {"cases": self.for_collectors()}),
            Route("GET", r"/_sandbox/arrangements", lambda request: {"arrangements": self.listed("arrangements")}),
            Route("GET", r"/_sandbox/batches", lambda request: {"batches": self.listed("batches")}),
            Route("POST", r"/_sandbox/ivr", self.command("ivr", self.answer_the_phone)),
        ]

    def own_accounts(self, accounts: list[dict]) -> list[dict]:
        return renumbered(accounts[:3], prefix="I-", ssn_group="98")

    # Scheduled work: only batches move what this host executes.

    def next_due(self):
        return None

    def run_due(self) -> list[dict]:
        return []

    # Activity of the portal.

    def take_arrangement(self, event: dict) -> dict:
        """Keep the arrangement and move the case to its work queue.

        :raises Unacceptable: `unknown_account`, `invalid_queue`.
        """
        number = self.ledger.account_of(event)
        state, block = event.get("WorkQueue"), event.get("Arrangement") or {}
        if state not in STATES or not block.get("PortalID"):
            raise Unacceptable("invalid_queue")
        with self.store.write() as db:
            db.execute("INSERT OR REPLACE INTO queues VALUES (?, ?, ?)", (number, state, event.get("OccurredAt") or ""))
            db.execute(
                "INSERT OR REPLACE INTO arrangements VALUES (?, ?, ?)", (block["PortalID"], number, json.dumps(block))
            )
        return {"WorkQueue": state}

    def take_batch(self, event: dict) -> dict:
        block = event.get("Batch") or {}
        if not isinstance(block.get("Number"), int):
            raise Unacceptable("invalid_batch")
        with self.store.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO batches VALUES (?, ?, ?)",
                (block["Number"], str(block.get("Step")), json.dumps(block)),
            )
        return {"Number": block["Number"]}

    # What the host's own people and its telephone do.

    def queues(self) -> dict[str, str]:
        known = {row["file_number"]: row["state"] for row in self.store.rows("SELECT * FROM queues")}
        return {number: known.get(number, "none") for number in self.records.numbers()}

    def for_collectors(self) -> list[str]:
        """List the cases that are presented to a collector: those that do not perform."""
        return [number for number, state in self.queues().items() if state != "performing"]

    def answer_the_phone(self, said: dict) -> dict:
        """Let a caller agree at the IVR: ask the portal for a quote, read it out, accept it.

        :raises ValueError: no such case, or no key of the public API is configured.
        """
        number = said.get("Case")
        if not self.records.known(number):
            raise ValueError("there is no such Case")
        if not self.setting("api_key"):
            raise ValueError("configure api_key first")
        found = self.api("GET", f"/api/v1/accounts?reference={number}")
        account = next(iter((found.get("body") or {}).get("items", [])), None)
        if account is None:
            return {"step": "find", **found}
        quote = self.api("POST", f"/api/v1/accounts/{account['id']}/quotes", said.get("Wish") or {})
        if quote["status"] != 201:
            return {"step": "quote", **quote}
        accepted = self.api("POST", f"/api/v1/quotes/{quote['body']['id']}/accept", {"language": "en"})
        return {"step": "accept", "quote": quote["body"], **accepted}

    def api(self, method: str, path: str, body: dict | None = None) -> dict:
        headers = {"Authorization": f"Bearer {self.setting('api_key')}", "Content-Type": "application/json"}
        if body is not None:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if self.setting("portal_host"):
            headers["Host"] = self.setting("portal_host")
        url = self.setting("portal_url").rstrip("/") + path
        try:
            data = None if body is None else json.dumps(body).encode()
            heard = self.client.call(method, url, headers=headers, body=data)
        except NoAnswer as silence:
            return {"status": None, "body": str(silence)}
        return {"status": heard.status, "body": heard.body}

    def listed(self, name: str) -> list[dict]:
        rows = self.store.rows(f"SELECT * FROM {name} ORDER BY rowid DESC LIMIT 200")  # noqa: S608 - names of ours
        return [json.loads(row["body"]) | {"Case": dict(row).get("file_number")} for row in rows]

    def sections(self) -> list[str]:
        lines = [
            [
                block["Case"],
                block["Form"].capitalize(),
                block["Total"],
                len(block["Lines"]),
                "linked" if block.get("Linked") else "not linked",
                badge(self.queues().get(block["Case"], "none"), TONES.get(self.queues().get(block["Case"], ""), "")),
            ]
            for block in self.listed("arrangements")[:12]
        ]
        heads = ["Case", "Form", "Total", "Payments", "Method", "Work queue"]
        arranged = table(heads, lines, empty="No arrangement yet.", numeric=(2, 3))
        batches = [
            [block["Number"], block.get("By"), block.get("Items"), block.get("Total"), block.get("Step")]
            for block in self.listed("batches")[:8]
        ]
        heads = ["Batch", "By", "Items", "Total", "Step"]
        return [
            section("arrangements", "Arrangements and work queues", arranged),
            section("batches", "Payment batches", table(heads, batches, empty="No batch yet.", numeric=(0, 2, 3))),
        ]
