"""The books of the messages load: ours in PostgreSQL, and what the stand-ins keep on their own disks."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from portal.local.stack import AGENCIES, Stack
from tests.faults import judge_events
from tests.faults.judge import database
from tests.faults.judge_messages import Books

if TYPE_CHECKING:
    from tests.faults.messages import Messages

MESSAGES = """
SELECT m.id::text, m.channel, m.template, m.stream, m.status, m.reason, m.cause, p.value_key AS address,
    m.opened_at IS NOT NULL AS opened, m.clicked_at IS NOT NULL AS clicked
FROM campaigns_message m JOIN accounts_consumer c ON c.id = m.consumer_id
JOIN accounts_contactpoint p ON p.id = m.contact_point_id WHERE c.host_consumer_id LIKE %(mine)s
"""
HEARD_MAIL = """
SELECT e.body #>> '{event-data,id}' AS key, e.applied_at IS NOT NULL AS applied, e.outcome
FROM campaigns_mailevent e JOIN campaigns_message m ON m.id::text = e.body #>> '{event-data,user-variables,message}'
JOIN accounts_consumer c ON c.id = m.consumer_id WHERE c.host_consumer_id LIKE %(mine)s
"""
HEARD_TEXTS = """
SELECT split_part(e.external_id, ':', 2) || ' ' || split_part(e.external_id, ':', 3) AS key,
    e.applied_at IS NOT NULL AS applied, e.outcome
FROM campaigns_textevent e JOIN campaigns_message m ON m.id::text = e.message
JOIN accounts_consumer c ON c.id = m.consumer_id WHERE c.host_consumer_id LIKE %(mine)s
UNION ALL
SELECT i.external_id || ' received', true, i.outcome FROM campaigns_inboundmessage i
JOIN accounts_consumer c ON c.id = i.consumer_id WHERE c.host_consumer_id LIKE %(mine)s
"""
EVENTS = """
SELECT e.id::text, a.reference, e.account_seq, e.kind, e.data ->> 'message' AS message
FROM accounts_event e LEFT JOIN accounts_account a ON a.id = e.account_id
JOIN accounts_consumer c ON c.id = e.consumer_id WHERE c.host_consumer_id LIKE %(mine)s
"""
OPT_OUTS = """
SELECT p.value_key AS address, min(extract(epoch FROM pg_xact_commit_timestamp(s.xmin)))::float8 AS at
FROM accounts_consent s JOIN accounts_contactpoint p ON p.id = s.contact_point_id
JOIN accounts_consumer c ON c.id = s.consumer_id
WHERE c.host_consumer_id LIKE %(mine)s AND NOT s.granted GROUP BY 1
UNION ALL
SELECT i.sender, min(extract(epoch FROM pg_xact_commit_timestamp(i.xmin)))::float8 FROM campaigns_inboundmessage i
JOIN accounts_consumer c ON c.id = i.consumer_id
WHERE c.host_consumer_id LIKE %(mine)s AND i.wish IN ('stop', 'medium', 'cease', 'doubt') GROUP BY 1
"""
POINTS = """
SELECT p.value_key AS address, c.host_consumer_id AS reference, p.opted_out_at IS NOT NULL AS opted_out,
    p.bad_at IS NOT NULL AS bad
FROM accounts_contactpoint p JOIN accounts_consumer c ON c.id = p.consumer_id WHERE c.host_consumer_id LIKE %(mine)s
"""
RECIPIENTS = """
SELECT g.name AS campaign, g.status AS campaign_status, a.reference, r.status, r.reason, r.message_id::text AS message
FROM campaigns_recipient r JOIN campaigns_campaign g ON g.id = r.campaign_id
JOIN accounts_account a ON a.id = r.account_id WHERE g.name LIKE %(mine)s
"""
CHANGES = """
SELECT e.id::text, c.host_consumer_id AS reference, count(m.id) AS messages
FROM accounts_event e JOIN accounts_consumer c ON c.id = e.consumer_id
LEFT JOIN campaigns_message m ON m.agency_id = e.agency_id AND m.template = 'contact_changed'
    AND split_part(m.cause, ':', 1) = e.id::text
WHERE e.kind = 'consumer.contact_changed' AND c.host_consumer_id LIKE %(mine)s GROUP BY 1, 2
"""
FEEDS = """
SELECT a.slug, count(*) AS count, count(e.sequence) AS placed, coalesce(max(e.sequence), 0) AS last
FROM accounts_event e JOIN accounts_agency a ON a.id = e.agency_id GROUP BY 1
"""
UNDECIDED = {
    "messages undecided": """SELECT count(*) FROM campaigns_message m JOIN accounts_consumer c ON c.id = m.consumer_id
        WHERE c.host_consumer_id LIKE %(mine)s AND m.status = 'queued'""",
    "recipients waiting": """SELECT count(*) FROM campaigns_recipient r JOIN campaigns_campaign g
        ON g.id = r.campaign_id WHERE g.name LIKE %(mine)s AND r.status = 'waiting'""",
    "campaigns not finished": """SELECT count(*) FROM campaigns_campaign WHERE name LIKE %(mine)s
        AND status <> 'finished'""",
}
UNANSWERED = """
SELECT count(*) FROM campaigns_message m JOIN accounts_consumer c ON c.id = m.consumer_id
WHERE c.host_consumer_id LIKE %(mine)s AND m.status = 'queued'
    AND split_part(m.reason, ':', 1) IN ('with_provider', 'no_answer')
"""
IN_HAND = """
SELECT coalesce(md5(string_agg(m.id::text || m.reason || m.attempts, ',' ORDER BY m.id)), '') AS sign
FROM campaigns_message m JOIN accounts_consumer c ON c.id = m.consumer_id
WHERE c.host_consumer_id LIKE %(mine)s AND m.status = 'queued'
"""
UNTOLD = {
    "mail events not applied": "SELECT count(*) FROM campaigns_mailevent WHERE applied_at IS NULL",
    "text events not applied": "SELECT count(*) FROM campaigns_textevent WHERE applied_at IS NULL",
    "events without a place": "SELECT count(*) FROM accounts_event WHERE sequence IS NULL",
    "deliveries waiting": "SELECT count(*) FROM integrations_delivery WHERE status IN ('waiting', 'parked')",
}


@contextlib.contextmanager
def store(stack: Stack, name: str) -> Iterator[sqlite3.Connection]:
    """Open what a stand-in keeps on its disk, to read; its process may be dead just now."""
    file = {"mail": "mail/mail.sqlite3", "carrier": "carrier/carrier.sqlite3"}.get(name, f"{name}/host.sqlite3")
    found = sqlite3.connect(f"file:{quote(str(stack.folder / file))}?mode=rw", uri=True, timeout=30.0)
    with contextlib.closing(found):
        found.execute("PRAGMA query_only = 1")
        found.row_factory = sqlite3.Row
        yield found


# What is still on its way ----------------------------------------------------------------------------------------


def placed(stack: Stack, references: list[str]) -> int:
    """Count the accounts that are there."""
    with database(stack) as cursor:
        cursor.execute("SELECT count(*) FROM accounts_account WHERE reference = ANY(%s)", [references])
        return cursor.fetchone()["count"]


def undecided(stack: Stack, name: str) -> list[str]:
    """Say what of a run is not decided yet."""
    return _counted(stack, UNDECIDED, name)


def in_hand(stack: Stack, name: str) -> str:
    """Give a sign of all that is queued, which changes whenever one of them is asked for."""
    with database(stack) as cursor:
        cursor.execute(IN_HAND, {"mine": f"{name}%"})
        return cursor.fetchone()["sign"]


def unanswered(stack: Stack, name: str) -> int:
    """Count the messages of a run that a provider was asked about without an answer."""
    with database(stack) as cursor:
        cursor.execute(UNANSWERED, {"mine": f"{name}%"})
        return cursor.fetchone()["count"]


def still_open(stack: Stack, name: str) -> list[str]:
    """Say what of a run is not decided, not told, not applied or not delivered yet."""
    found = _counted(stack, UNDECIDED | UNTOLD, name)
    for provider in ("mail", "carrier"):
        with store(stack, provider) as kept:
            sql = "SELECT count(*) FROM webhooks WHERE state NOT IN ('sent', 'taken')"
            if count := kept.execute(sql).fetchone()[0]:
                found.append(f"{count} webhooks of {provider} not taken")
    return found


def _counted(stack: Stack, asked: dict[str, str], name: str) -> list[str]:
    found = []
    with database(stack) as cursor:
        for what, sql in asked.items():
            cursor.execute(sql, {"mine": f"{name}%"})
            if count := cursor.fetchone()["count"]:
                found.append(f"{count} {what}")
    return found


# Read --------------------------------------------------------------------------------------------------------------


def read(load: "Messages") -> Books:
    """Read all books of a run at a quiet moment."""
    books, mine = Books(), {"mine": f"{load.name}%"}
    with database(load.stack) as cursor:
        rows = {"messages": MESSAGES, "events": EVENTS, "opt_outs": OPT_OUTS, "points": POINTS, "feeds": FEEDS}
        rows |= {"recipients": RECIPIENTS, "changes": CHANGES}
        for name, sql in rows.items():
            cursor.execute(sql, mine)
            setattr(books, name, [dict(row) for row in cursor.fetchall()])
        for sql in (HEARD_MAIL, HEARD_TEXTS):
            cursor.execute(sql, mine)
            books.heard += [dict(row) for row in cursor.fetchall()]
    for kind, *rest in map(json.loads, load.book.read_text().splitlines()):
        if kind == "change":
            books.committed.append(rest[0])
    begun = [step for step in load.steps if step["do"] == "campaign"]
    books.asked = [(step["name"], reference) for step in begun for reference in step["references"]]
    addresses = {one["value"].lower() for people in load.people.values() for one in people}
    with store(load.stack, "mail") as mail:
        _read_mail(books, mail, addresses)
    with store(load.stack, "carrier") as carrier:
        _read_texts(books, carrier, addresses)
    books.at_hosts = _at_hosts(books, load)
    return books


TOOK_MAIL = """
SELECT m.id, m.recipient, m.variables, (SELECT min(json_extract(w.body, '$.signature.timestamp')) FROM webhooks w
    JOIN events e ON e.n = w.event WHERE e.message = m.id AND e.name = 'accepted') AS at FROM messages m
"""
TOLD_MAIL = "SELECT e.message, e.name, e.data FROM events e"


def _read_mail(books: Books, mail, addresses: set[str]) -> None:
    ours = {}
    for row in mail.execute(TOOK_MAIL):
        if row["recipient"] in addresses:
            ours[row["id"]] = message = json.loads(row["variables"]).get("message", "")
            books.taken.append({"message": message, "address": row["recipient"], "at": float(row["at"])})
    for row in mail.execute(TOLD_MAIL):
        if row["message"] in ours:
            said = json.loads(row["data"])
            name = f"{row['name']} {said.get('severity', '')} {said.get('reason', '')}".strip()
            books.told.append(
                {"key": said["id"], "message": ours[row["message"]], "name": name, "address": said["recipient"]}
            )


def _read_texts(books: Books, carrier, addresses: set[str]) -> None:
    ours = {}
    for row in carrier.execute("SELECT * FROM texts ORDER BY n"):
        if row["direction"] == "outbound" and row["recipient"] in addresses:
            ours[row["sid"]] = message = row["status_url"].rpartition("/")[2]
            books.taken.append({"message": message, "address": row["recipient"], "at": row["at"]})
        elif row["direction"] == "inbound" and row["sender"] in addresses:
            key = f"{row['sid']} received"
            books.told.append({"key": key, "message": "", "name": "received", "address": row["sender"]})
    for row in carrier.execute("SELECT DISTINCT form FROM webhooks"):
        form = json.loads(row["form"])
        if form["MessageSid"] in ours and (status := form.get("MessageStatus")):
            told = {"key": f"{form['MessageSid']} {status}", "message": ours[form["MessageSid"]], "name": status}
            books.told.append(told | {"address": form["To"]})


def _at_hosts(books: Books, load: "Messages") -> judge_events.Books:
    """Put the events of accounts as the judge of events reads them."""
    found = judge_events.Books()
    found.events = [one | {"payment": "", "cents": 0} for one in books.events if one["reference"]]
    for slug in AGENCIES:
        host = f"host-{slug}"
        found.host_of |= {one["reference"]: host for one in load.people[slug]}
        with store(load.stack, host) as kept:
            sql = "SELECT event_id, file_number, account_sequence, outcome, duplicates FROM events ORDER BY number"
            found.told[host] = [
                {"EventID": one["event_id"], "FileNumber": one["file_number"], "Outcome": one["outcome"]}
                | {"AccountSequence": one["account_sequence"], "Duplicates": one["duplicates"]}
                for one in kept.execute(sql)
                if one["file_number"] in found.host_of and one["account_sequence"] is not None
            ]
        found.posted[host] = []
    # The account that theirs are like belongs to nobody.
    found.events = [one for one in found.events if one["reference"] in found.host_of]
    return found
