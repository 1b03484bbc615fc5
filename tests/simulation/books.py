"""All the books of the year, read once: the processor's ledger, the hosts' lists, the mailbox, and ours."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from portal.local.stack import AGENCIES

from .world import World


class Books:
    """Hold what each of them says."""

    def __init__(self, world: World, year: Any) -> None:
        self.world, self.year = world, year
        self.end = world.now()
        self.charges = self._charges()
        self.payments = {row["id"]: row for row in self.rows(PAYMENTS)}
        self.items = {row["id"]: row for row in self.rows(ITEMS)}
        self.accounts = {row["id"]: row for row in self.rows(ACCOUNTS)}
        self.stops = self._stops()
        self.statuses = self._statuses()
        self.notices = self._notices()
        self.letters = self._letters()
        self.hosts = {slug: self._host(slug) for slug in AGENCIES}
        self.totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    # Reading ----------------------------------------------------------------------------------------------------------

    def rows(self, sql: str) -> list[dict[str, Any]]:
        from django.db import connection

        from accounts.tenancy import ALL_AGENCIES, acting_for

        with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
            cursor.execute(sql)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _charges(self) -> list[dict[str, Any]]:
        """Read the processor's ledger, oldest first, each charge with what it was for."""
        found = []
        sql = "SELECT account, body FROM objects WHERE kind = 'charge' ORDER BY created, seq"
        for account, body in self.world.rows("processor", sql):
            charge = json.loads(body)
            named = charge["metadata"]
            failed = charge["outcome"] or {}
            found.append(
                {
                    "id": charge["id"],
                    "agency": account.removeprefix("acct_"),
                    "by": charge["_"]["credential"],
                    "key": charge["_"]["idempotency_key"],
                    "for": named.get("payment") or named.get("portal_id", ""),
                    "intent": charge["payment_intent"],
                    "cents": charge["amount"],
                    "status": charge["status"],
                    "kind": "ach" if charge["id"].startswith("py_") else "card",
                    "code": failed.get("reason") or charge["failure_code"] or "",
                    "network": failed.get("network_decline_code") or "",
                    "at": datetime.fromtimestamp(charge["created"], UTC),
                }
            )
        return found

    def _stops(self) -> dict[str, list[tuple[datetime, bool]]]:
        """Read when each planned item was stopped (True) or let go on (False)."""
        found: dict[str, list] = defaultdict(list)
        for row in self.rows(STOPS):
            stopped = row["kind"] != "postdate.changed" and row["hold"] != "false"
            found[row["postdate"]].append((row["at"], stopped))
        return found

    def _statuses(self) -> dict[str, list[tuple[datetime, str]]]:
        found: dict[str, list] = defaultdict(list)
        for row in self.rows(STATUSES):
            found[row["account"]].append((row["at"], row["after"]))
        return found

    def _notices(self) -> dict[str, list[datetime]]:
        """Read from the mailbox which notices really left, and when; a bounced one told nobody."""
        sent: dict[str, datetime] = {}
        sql = "SELECT variables, accepted_at FROM messages WHERE tags LIKE '%\"predebit\"%' AND state <> 'bounced'"
        for variables, at in self.world.rows("mail", sql):
            sent[json.loads(variables)["message"]] = datetime.fromtimestamp(at, UTC)
        found: dict[str, list[datetime]] = defaultdict(list)
        for row in self.rows(NOTICES):
            if row["message"] in sent:
                found[row["postdate"]].append(sent[row["message"]])
        return found

    def _letters(self) -> dict[str, datetime]:
        """Read which letters the host was told of; it sends them, and says no more of it."""
        return {row["postdate"]: row["at"] for row in self.rows(LETTERS)}

    def _host(self, slug: str) -> dict[str, dict[str, Any]]:
        """Read a host's own list: each account's balance and items."""
        store = f"host-{slug}"
        accounts = {
            number: {"cents": cents, "items": []}
            for number, cents in self.world.rows(store, "SELECT file_number, balance_cents FROM accounts")
        }
        sql = "SELECT file_number, portal_id, part, amount_cents, method, status, executor, reference, date FROM items"
        names = ("portal_id", "part", "cents", "method", "status", "executor", "reference", "date")
        for number, *rest in self.world.rows(store, sql):
            accounts[number]["items"].append(dict(zip(names, rest, strict=True)))
        return accounts


PAYMENTS = """
SELECT p.id::text, g.slug AS agency, p.account_id::text AS account, p.kind, p.executor, p.status,
    p.amount_cents AS cents, p.postdate_id::text AS postdate, p.decline_code AS code,
    p.network_decline_code AS network, p.decided_at, m.fingerprint
FROM payments_payment p JOIN accounts_agency g ON g.id = p.agency_id LEFT JOIN payments_method m ON m.id = p.method_id
"""
ITEMS = """
SELECT d.id::text, d.account_id::text AS account, d.due_on, d.amount_cents AS cents, d.executor, d.status, d.held_for,
    d.run_at, d.method_id IS NOT NULL AS method, c.time_zone AS zone, z.revoked_at,
    (coalesce(z.accepted_at, d.created_at) AT TIME ZONE c.time_zone)::date AS agreed_on
FROM payments_postdate d JOIN payments_arrangement a ON a.id = d.arrangement_id
JOIN accounts_consumer c ON c.id = a.consumer_id LEFT JOIN payments_authorization z ON z.id = a.authorization_id
"""
ACCOUNTS = """
SELECT a.id::text, g.slug AS agency, a.reference, a.balance_cents AS cents
FROM accounts_account a JOIN accounts_agency g ON g.id = a.agency_id
"""
STOPS = """
SELECT data ->> 'postdate' AS postdate, kind, occurred_at AS at, data ->> 'hold' AS hold FROM accounts_event
WHERE kind IN ('postdate.hold_requested', 'postdate.cancelled', 'postdate.cancel_requested', 'postdate.changed')
ORDER BY account_id, account_seq
"""
STATUSES = """
SELECT account_id::text AS account, occurred_at AS at, data ->> 'after' AS after FROM accounts_event
WHERE kind = 'account.status_changed' ORDER BY account_id, account_seq
"""
NOTICES = """
SELECT n.postdate_id::text AS postdate, m.id::text AS message FROM payments_notice n
JOIN campaigns_message m ON m.cause = 'notice:' || n.id
"""
LETTERS = """
SELECT e.data ->> 'postdate' AS postdate, min(d.decided_at) AS at FROM accounts_event e
JOIN integrations_delivery d ON d.event_id = e.id AND d.status = 'delivered'
WHERE e.kind = 'letter.required' GROUP BY 1
"""
LEDGER = """
SELECT account_id::text AS account, -sum(amount_cents)::bigint AS cents FROM payments_ledgerentry
WHERE book = 'debt' GROUP BY account_id
"""
BOOKED = """
SELECT coalesce(sum(e.amount_cents), 0)::bigint AS cents FROM payments_ledgerentry e
JOIN accounts_agency g ON g.id = e.agency_id JOIN payments_payment p ON p.id = e.payment_id
WHERE g.slug = '{slug}' AND e.book = '{book}' AND e.reason = 'payment' AND (p.kind = 'card' OR p.executor = 'portal')
"""
TOO_MUCH = """
SELECT a.id::text, a.total_cents, sum(p.amount_cents) AS cents FROM payments_arrangement a
JOIN payments_payment p ON p.arrangement_id = a.id AND p.status IN ('succeeded', 'pending')
GROUP BY a.id HAVING sum(p.amount_cents) > a.total_cents
"""
UNDECIDED = """
SELECT 'payment' AS what, id::text FROM payments_payment WHERE status = 'intended'
UNION ALL SELECT 'webhook', id::text FROM payments_processorevent WHERE applied_at IS NULL
UNION ALL SELECT 'mail event', id::text FROM campaigns_mailevent WHERE applied_at IS NULL
UNION ALL SELECT 'delivery', id::text FROM integrations_delivery WHERE status IN ('waiting', 'parked')
"""
INCIDENTS = """
SELECT kind, count(*) AS n, min(data::text) AS data FROM payments_incident GROUP BY kind ORDER BY kind
"""
ARRANGEMENTS = "SELECT kind || ' ' || status AS status, count(*) AS n FROM payments_arrangement GROUP BY 1 ORDER BY 1"
HELD = "SELECT held_for, count(*) AS n FROM payments_postdate WHERE status = 'held' GROUP BY 1 ORDER BY 1"
SKIPPED = """
SELECT reason, count(*) AS n FROM accounts_event, jsonb_array_elements_text(data -> 'reasons') AS reason
WHERE kind = 'postdate.skipped' GROUP BY 1 ORDER BY 1
"""
