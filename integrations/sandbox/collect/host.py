"""The Collect! host: debtors with transactions by type, and contact plans that run on their day.

The portal's side, with the outbound key: GET /api/v1/debtor/<File>, POST /api/v1/portal/events.
Control, beside those of the SCollect host: GET /_sandbox/contact_plans.
"""

from datetime import datetime, time
from typing import ClassVar

from ..clock import UTC, moment, stamp
from ..page import section, table
from ..scollect.host import ScollectHost
from ..scollect.ledger import Unacceptable
from ..seed import renumbered
from ..server import Route
from . import words

TABLES = """
CREATE TABLE IF NOT EXISTS contact_plans (
    event_id TEXT PRIMARY KEY, file_number TEXT NOT NULL, code TEXT NOT NULL, due_on TEXT NOT NULL,
    reason TEXT NOT NULL, asked_at TEXT NOT NULL, ran_at TEXT);
"""


class CollectHost(ScollectHost):
    style, title = "collect", "Collect!"
    account_path, events_path = r"/api/v1/debtor/([^/]+)", r"/api/v1/portal/events"
    tables = ScollectHost.tables + TABLES
    defaults: ClassVar[dict[str, object]] = ScollectHost.defaults | {"name": "Collect!"}

    def __init__(self, directory):
        super().__init__(directory)
        self.inbox.effects["CONTACTPLAN"] = self.ask_for_plan

    def outward(self, record: dict) -> dict:
        return words.outward(record)

    def inward(self, event: dict) -> dict:
        return words.inward(event)

    def routes(self) -> list[Route]:
        return [*super().routes(), Route("GET", r"/_sandbox/contact_plans", lambda request: {"plans": self.plans()})]

    def own_accounts(self, accounts: list[dict]) -> list[dict]:
        return renumbered(accounts[:3], prefix="C-", ssn_group="97")

    # Contact plans.

    def ask_for_plan(self, event: dict) -> dict:
        """Put a contact plan on the debtor's calendar; the same event asks once.

        :raises Unacceptable: `unknown_account`, `invalid_plan`.
        """
        plan = event.get("ContactPlan") or {}
        number = self.ledger.account_of(event)
        try:
            due_on = datetime.fromisoformat(str(plan.get("On"))).date().isoformat()
        except ValueError:
            raise Unacceptable("invalid_plan") from None
        if not plan.get("Code"):
            raise Unacceptable("invalid_plan")
        with self.store.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO contact_plans (event_id, file_number, code, due_on, reason, asked_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (event["EventID"], number, plan["Code"], due_on, str(plan.get("Reason") or ""), self.now()),
            )
        return {"Scheduled": due_on}

    def next_due(self):
        waiting = self.store.scalar("SELECT min(due_on) FROM contact_plans WHERE ran_at IS NULL")
        found = [
            super().next_due(),
            datetime.combine(datetime.fromisoformat(waiting), time(), UTC) if waiting else None,
        ]
        return min((due for due in found if due), default=None)

    def run_due(self) -> list[dict]:
        """Run what is due; a contact plan never runs before its day, so never before the payment it follows."""
        today = self.clock.now().date().isoformat()
        done = super().run_due()
        with self.store.write() as db:
            rows = db.execute("SELECT * FROM contact_plans WHERE ran_at IS NULL AND due_on <= ?", (today,)).fetchall()
            db.execute("UPDATE contact_plans SET ran_at = ? WHERE ran_at IS NULL AND due_on <= ?", (self.now(), today))
        return done + [
            {
                "FileNumber": row["file_number"],
                "Method": "PLAN",
                "Amount": row["code"],
                "Outcome": "RAN",
                "Code": row["reason"],
            }
            for row in rows
        ]

    def plans(self) -> list[dict]:
        return [dict(row) for row in self.store.rows("SELECT * FROM contact_plans ORDER BY rowid DESC LIMIT 200")]

    def now(self) -> str:
        return stamp(self.clock.now())

    def sections(self) -> list[str]:
        lines = [
            [
                row["file_number"],
                row["code"],
                row["due_on"],
                row["reason"].replace("_", " "),
                moment(row["ran_at"]).strftime("%d %b %H:%M") if row["ran_at"] else "waiting",
            ]
            for row in self.plans()[:12]
        ]
        heads = ["File", "Plan", "On", "Why", "Ran"]
        return [section("plans", "Contact plans", table(heads, lines, empty="The portal has asked for none yet."))]
