"""The judge of events: what was committed, what we have, and what each host heard and did, one by one.

Nothing lost: what was committed is there, and its host heard of it. Nothing twice: a host knows no event that we do not
have, and posted each payment once. In order: each account's events came in their order, none left out. A finding is a
sentence; none is what we want.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from portal.local.stack import Stack, call
from tests.faults.judge import cents, database

EVENTS = """
SELECT e.id::text, a.reference, e.account_seq, e.kind, coalesce(e.data ->> 'payment', '') AS payment,
    coalesce((e.data ->> 'amount_cents')::bigint, 0) AS cents
FROM accounts_event e JOIN accounts_account a ON a.id = e.account_id
WHERE a.reference LIKE %(mine)s
"""
WAITING = """
SELECT (SELECT count(*) FROM accounts_event e JOIN accounts_account a ON a.id = e.account_id
    JOIN integrations_hostconnection c ON c.id = a.connection_id
    WHERE a.reference LIKE %(mine)s AND c.name = ANY(%(hosts)s) AND NOT EXISTS (
        SELECT FROM integrations_delivery d WHERE d.event_id = e.id AND d.status = 'delivered')) AS count
"""
LISTED_AT_ONCE = 5_000
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass
class Books:
    """What was committed, what we have of it, and what each host says."""

    committed: list[dict] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)
    told: dict[str, list[dict]] = field(default_factory=dict)
    posted: dict[str, list[dict]] = field(default_factory=dict)
    host_of: dict[str, str] = field(default_factory=dict)


def waiting(stack: Stack, name: str, hosts: list[str]) -> int:
    """Count the events of a run that these hosts have not acknowledged."""
    with database(stack) as cursor:
        cursor.execute(WAITING, {"mine": f"{name}%", "hosts": hosts})
        return cursor.fetchone()["count"]


def read(stack: Stack, *, name: str, accounts: dict[str, list[str]], log: Path) -> Books:
    """Read all books of a run: the producer's log, our events, what each host heard and posted."""
    books = Books(host_of={one: host for host, references in accounts.items() for one in references})
    names = ("id", "reference", "account_seq", "payment", "cents")
    books.committed = [dict(zip(names, json.loads(line), strict=True)) for line in log.read_text().splitlines()]
    with database(stack) as cursor:
        cursor.execute(EVENTS, {"mine": f"{name}%"})
        books.events = [dict(row) for row in cursor.fetchall()]
    for host in accounts:
        books.told[host] = [one for one in _heard(stack.urls[host]) if str(one["FileNumber"]).startswith(name)]
        listed = call(stack.urls[host], "/_sandbox/accounts", timeout=60.0)["accounts"]
        books.posted[host] = [
            item | {"reference": record["FileNumber"]}
            for record in listed
            if record["FileNumber"].startswith(name)
            for item in record["Payments"]
        ]
    return books


def _heard(url: str) -> Iterable[dict]:
    after = 0
    while after is not None:
        page = call(url, f"/_sandbox/received?after={after}&limit={LISTED_AT_ONCE}", timeout=60.0)
        yield from page["events"]
        after = page["next_after"]


def compare(books: Books) -> list[str]:
    """Compare the books of a run; give a sentence for each difference."""
    return [*_lost(books), *_doubled(books), *_disordered(books), *_effects(books)]


def _lost(books: Books) -> Iterable[str]:
    """Say what was committed and is gone, and what its host never heard of."""
    ours = {one["id"]: one for one in books.events}
    for one in books.committed:
        if one["id"] not in ours:
            yield f"lost: a committed event of {one['reference']} is gone: {one['id']}"
    heard = {
        host: {one["EventID"] for one in told if one["Outcome"] == "accepted"} for host, told in books.told.items()
    }
    for one in books.events:
        host = books.host_of[one["reference"]]
        if one["id"] not in heard[host]:
            yield f"lost: {host} never took {one['kind']} {one['account_seq']} of {one['reference']}: {one['id']}"


def _doubled(books: Books) -> Iterable[str]:
    """Say what a host took that we do not have, that was another host's, or that it took under two ids."""
    ours = {one["id"]: one for one in books.events}
    for host, told in books.told.items():
        for one in told:
            known = ours.get(one["EventID"])
            if known is None:
                yield f"doubled: {host} took an event of {one['FileNumber']} that we do not have: {one['EventID']}"
            elif books.host_of[known["reference"]] != host or known["reference"] != one["FileNumber"]:
                yield f"doubled: {host} took {one['EventID']}, which is about {known['reference']}"
        places = Counter((one["FileNumber"], one["AccountSequence"]) for one in told)
        for (reference, place), times in places.items():
            if times > 1:
                yield f"doubled: {host} took place {place} of {reference} {times} times"


def _disordered(books: Books) -> Iterable[str]:
    """Say where an account's events came in another order than they were committed in, or left one out."""
    for host, told in books.told.items():
        came: dict[str, list[int]] = defaultdict(list)
        for one in told:
            came[one["FileNumber"]].append(one["AccountSequence"])
        for reference, places in came.items():
            wrong = next((n for n, place in enumerate(places) if place != places[0] + n), None)
            if wrong is not None:
                yield f"disordered: {host} heard {places[wrong]} of {reference} after {places[wrong - 1]}"


def _effects(books: Books) -> Iterable[str]:
    """Say where a payment was not posted exactly once, with its amount, where it belongs."""
    posted = defaultdict(list)
    for host, items in books.posted.items():
        for item in items:
            if item["Status"] == "POSTED":
                posted[item["PortalID"]].append((host, item["reference"], cents(item["Amount"])))
    for one in books.events:
        if one["payment"]:
            wanted = [(books.host_of[one["reference"]], one["reference"], one["cents"])]
            if (found := posted.pop(one["payment"], [])) != wanted:
                what = f"payment {one['payment']} of {one['reference']}, {one['cents']} cents"
                yield f"effect: wrong posting of {what}: {found}"
    for payment, found in posted.items():
        yield f"effect: {found[0][0]} posted a payment that we do not have: {payment}"


def latency(books: Books, host: str) -> dict[str, float]:
    """Give how long facts took from the commit to a host, in milliseconds: median, p90, p99, the longest.

    Both ends are the machine's own clock: an event's id says when it was made, and the host when it came.
    """
    mine = {one["id"] for one in books.committed}
    took = sorted(one["LatencyMs"] for one in books.told[host] if one["EventID"] in mine)
    if not took:
        return {}
    rank = {name: took[max(0, math.ceil(share * len(took)) - 1)] for name, share in SHARES.items()}
    return {name: round(value, 1) for name, value in (rank | {"longest": took[-1]}).items()}
