"""The judge of money: three books that know nothing of each other must say the same, to the cent.

The processor's own ledger, our payments and refunds, and the hosts' own lists; beside them what the consumers were
told, the order that the hosts saw, and every invariant. A finding is a sentence; none is what we want.
"""

import contextlib
import functools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import psycopg2
import psycopg2.extras
from environ import Env

from portal.local.stack import AGENCIES, CannotStart, Stack, call
from tests.faults.consumers import Told

MOST_TOLD = 12
"""So many findings of one kind are written out; the rest is counted."""
TOOK = ("succeeded", "refunded", "returned", "charged_back", "pending")
COUNTS_AT_THE_HOST = ("succeeded", "refunded", "returned", "charged_back")
TAKES = {"succeeded": TOOK, "processing": TOOK, "handed_over": TOOK, "declined": ("declined",), "voided": ("voided",)}
TAKES["given_back"] = ("refunded", "returned", "charged_back")
"""What a page said -> what may have become of the payment since."""

PAYMENTS = """
SELECT p.id::text, a.slug, c.reference, p.idempotency_key::text AS key, p.postdate_id::text AS postdate, p.status,
    p.kind, p.executor, p.amount_cents, p.processor_ref, coalesce((SELECT -sum(e.amount_cents)
        FROM payments_ledgerentry e WHERE e.payment_id = p.id AND e.book = 'debt'), 0)::bigint AS booked_cents,
    coalesce((SELECT sum(e.amount_cents) FROM payments_ledgerentry e WHERE e.payment_id = p.id AND e.book = 'debt'
        AND e.reason = 'refund'), 0)::bigint AS given_back_cents
FROM payments_payment p JOIN accounts_account c ON c.id = p.account_id JOIN accounts_agency a ON a.id = p.agency_id
"""
OPEN = {
    "payments undecided": "SELECT id::text FROM payments_payment WHERE status = 'intended'",
    "cards undecided": "SELECT id::text FROM payments_checkout WHERE setup_status = 'intended'",
    "refunds undecided": "SELECT id::text FROM payments_refund WHERE status = 'approved'",
    "bank debits of ours on their way": """
        SELECT id::text FROM payments_payment WHERE status = 'pending' AND executor = 'portal'""",
    "events that no host was told": "SELECT id::text FROM accounts_event WHERE sequence IS NULL",
    "deliveries waiting": "SELECT id::text FROM integrations_delivery WHERE status IN ('waiting', 'parked')",
    "processor's news not applied": "SELECT id::text FROM payments_processorevent WHERE applied_at IS NULL",
    "items due and not taken": """
        SELECT id::text FROM payments_postdate WHERE status = 'scheduled' AND executor = 'portal'
        AND coalesce(run_at, not_before_at) <= now() + %(ahead)s * interval '1 second' - interval '3 minutes'""",
}


@dataclass
class Books:
    """The three books, read at one quiet moment."""

    charges: list[dict] = field(default_factory=list)
    payments: list[dict] = field(default_factory=list)
    items: list[dict] = field(default_factory=list)
    accounts: dict[tuple[str, str], int] = field(default_factory=dict)
    host: dict[str, dict] = field(default_factory=dict)

    @functools.cached_property
    def ids(self) -> set[str]:
        """Give the ids by which hosts know our payments."""
        return {one["id"] for one in self.payments} | {one["postdate"] for one in self.payments}


@contextlib.contextmanager
def database(stack: Stack) -> Iterator[psycopg2.extensions.cursor]:
    """Open the product's database as an operator does, over all agencies, to read.

    :raises ConnectionError: it is away, or went away.
    """
    server = Env.db_url_config(stack.environment["DATABASE_URL"])
    try:
        connection = psycopg2.connect(
            host=server["HOST"] or None,
            port=server["PORT"] or None,
            user=server["USER"],
            password=server["PASSWORD"] or None,
            dbname=server["NAME"],
            connect_timeout=5,
        )
    except psycopg2.OperationalError as error:
        raise ConnectionError(str(error)) from error
    # Each statement is its own transaction: what is read stays readable when the server dies behind it.
    connection.autocommit = True
    with contextlib.closing(connection):
        try:
            cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
            cursor.execute("SELECT set_config('portal.agency', '*', false)")
            yield cursor
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise ConnectionError(str(error)) from error


def still_open(stack: Stack, *, ahead: float = 0.0) -> list[str]:
    """Say what is not decided, not told or not applied yet, at the processor, with us, at the hosts.

    :param ahead: seconds by which the product's clock is ahead of the database's.
    """
    found = []
    with database(stack) as cursor:
        for what, sql in OPEN.items():
            cursor.execute(sql, {"ahead": ahead})
            if rows := cursor.fetchall():
                found.append(f"{len(rows)} {what}, such as {rows[0]['id']}")
    hooks = call(stack.urls["processor"], "/_sandbox/webhooks", timeout=30.0)["counts"]
    if waiting := hooks.get("pending", 0) + hooks.get("failed", 0):
        found.append(f"{waiting} webhooks of the processor not taken")
    for slug in AGENCIES:
        state = call(stack.urls[f"host-{slug}"], "/_sandbox/state", timeout=30.0)
        if state["waiting_pushes"]:
            found.append(f"{len(state['waiting_pushes'])} pushes of {slug}'s host not taken")
        if state["unknown_attempts"]:
            found.append(f"{len(state['unknown_attempts'])} charges of {slug}'s host undecided")
    return found


def read(stack: Stack) -> Books:
    """Read the three books."""
    books = Books()
    for slug in AGENCIES:
        ledger = call(stack.urls["processor"], f"/_sandbox/ledger?account=acct_{slug}", timeout=60.0)
        books.charges += [row | {"slug": slug} for row in ledger]
        for record in call(stack.urls[f"host-{slug}"], "/_sandbox/accounts", timeout=60.0)["accounts"]:
            books.accounts[slug, record["FileNumber"]] = cents(record["CurrentBalance"])
            for item in record["Payments"]:
                books.items.append(item | {"slug": slug, "reference": record["FileNumber"]})
        books.host[slug] = call(stack.urls[f"host-{slug}"], "/_sandbox/state", timeout=30.0)
    with database(stack) as cursor:
        cursor.execute(PAYMENTS)
        books.payments = [dict(row) for row in cursor.fetchall()]
    return books


def cents(text: str) -> int:
    """Read dollars as cents."""
    whole, _, part = text.replace("-", "").partition(".")
    return (-1 if text.startswith("-") else 1) * (int(whole) * 100 + int(part or 0))


def compare(books: Books) -> list[str]:
    """Compare the three books; give a sentence for each difference."""
    return [*_at_the_processor(books), *_at_the_host(books), *_sums(books), *_as_the_hosts_saw_it(books)]


def _at_the_processor(books: Books) -> Iterable[str]:
    """What the processor took is what we say that it took, once for each payment, and the other way round."""
    taken, back = defaultdict(list), Counter()
    for row in books.charges:
        if row["kind"] == "charge" and row["status"] == "succeeded":
            about = row["metadata"].get("payment") or row["metadata"].get("portal_id")
            taken[row["slug"], row["credential"], about].append(row)
        elif row["kind"] == "refund" and row["status"] in ("succeeded", "pending"):
            back[row["charge"]] += row["amount"]
    explained = set()
    for payment in books.payments:
        credential, about = (
            ("portal", payment["id"]) if payment["executor"] == "portal" else ("host", payment["postdate"])
        )
        place = payment["slug"], credential, about
        rows = taken.get(place, [])
        explained.add(place)
        expected = payment["status"] in ("succeeded", "refunded", "charged_back")
        expected &= payment["executor"] == "portal" or payment["kind"] == "card"
        if payment["executor"] == "host" and payment["status"] == "declined":
            continue
        if payment["status"] == "returned" and payment["executor"] == "portal":
            continue
        if len(rows) != int(expected):
            yield f"processor: {len(rows)} charges of {_named(payment)}"
        for row in rows:
            if row["amount"] != payment["amount_cents"]:
                yield f"processor: took {row['amount']} cents of {_named(payment)}"
            theirs, ours = back[row["id"]], payment["given_back_cents"]
            if payment["executor"] == "portal" and theirs != ours:
                yield f"processor: gave back {theirs} cents, we {ours} of {_named(payment)}"
    for place in taken.keys() - explained:
        yield f"processor: a charge by {place[1]} of {place[0]} that we know nothing of: {place[2]}"


def _at_the_host(books: Books) -> Iterable[str]:
    """Each payment that stands is one posted item of its host, of the same amount, and nothing else is posted."""
    shown = defaultdict(list)
    for item in books.items:
        if item["PortalID"]:
            shown[item["slug"], item["PortalID"]].append(item)
    explained = set()
    for payment in books.payments:
        places = {(payment["slug"], payment["id"])}
        if payment["executor"] == "host" and payment["postdate"]:
            places = {(payment["slug"], payment["postdate"])}
        explained |= places
        items = [item for place in places for item in shown.get(place, ()) if item["Status"] == "POSTED"]
        expected = payment["status"] == "succeeded"
        if payment["executor"] == "host" and payment["status"] == "declined":
            continue
        if len(items) != int(expected):
            yield f"host: {len(items)} posted items of {_named(payment)}"
        yield from (
            f"host: posted {item['Amount']} of {_named(payment)}"
            for item in items
            if cents(item["Amount"]) != payment["amount_cents"]
        )
    for place, items in shown.items():
        if len({item["HostID"] for item in items}) != 1:
            yield f"host: {len(items)} items of {place[0]} with the id {place[1]}"
        posted = [item for item in items if item["Status"] == "POSTED"]
        if posted and place not in explained:
            yield f"host: {place[0]} posted {posted[0]['Amount']} that we know nothing of: {place[1]}"


def _sums(books: Books) -> Iterable[str]:
    """To the cent, for each agency: what the processor moved for us, what our ledger says, what the host posted."""
    for slug, line in figures(books).items():
        if line["processor_cents"] != line["ledger_cents"]:
            yield f"sums: the processor moved {line['processor_cents']} cents of {slug}, we {line['ledger_cents']}"
        if line["posted_cents"] != line["booked_cents"]:
            yield f"sums: {slug}'s host posted {line['posted_cents']} cents, we have {line['booked_cents']}"


def figures(books: Books) -> dict[str, dict[str, int]]:
    """Add up each book for each agency."""
    found = {}
    for slug in AGENCIES:
        mine = [one for one in books.payments if one["slug"] == slug]
        charges = [row for row in books.charges if row["slug"] == slug and row["status"] in ("succeeded", "pending")]
        ours = {row["id"] for row in charges if row["kind"] == "charge" and row["credential"] == "portal"}
        disputed = sum(row["amount"] for row in books.charges if row["slug"] == slug and row["kind"] == "dispute")
        found[slug] = {
            "payments": len(mine),
            "charges": len([row for row in charges if row["kind"] == "charge"]),
            "processor_cents": sum(row["amount"] for row in charges if row["id"] in ours)
            - sum(row["amount"] for row in charges if row["kind"] == "refund" and row["charge"] in ours)
            - disputed,
            "ledger_cents": sum(one["booked_cents"] for one in mine if one["executor"] == "portal"),
            "given_back_cents": sum(one["given_back_cents"] for one in mine),
            "booked_cents": sum(one["booked_cents"] for one in mine if one["status"] in COUNTS_AT_THE_HOST),
            "posted_cents": sum(
                cents(item["Amount"]) * (1 if item["Status"] == "POSTED" else -1)
                for item in books.items
                if item["slug"] == slug and item["PortalID"] and _counts(item, books)
            ),
        }
    return found


def _counts(item: dict, books: Books) -> bool:
    """Tell whether an item moves the host's balance: what is posted does, and a part that went back, by its own id."""
    part = item["Status"] == "REFUND" and item["PortalID"] not in books.ids
    return item["Status"] == "POSTED" or part


def _as_the_hosts_saw_it(books: Books) -> Iterable[str]:
    """Every first effect in order, none missing, nothing refused."""
    for slug, state in books.host.items():
        for kind in ("gaps", "out_of_order"):
            yield from (f"host: {kind} at {slug}: {json.dumps(fault)}" for fault in state["order"][kind])
        if state["events"]["refused"]:
            yield f"host: {slug} refused {state['events']['refused']} events"


def told(books: Books, told: Iterable[Told]) -> list[str]:
    """Compare what people were told with what became of it: one press, one payment, and the page did not lie."""
    by_key, found = {one["key"]: one for one in books.payments}, []
    for one in told:
        payment = by_key.get(one.key)
        if payment is None:
            if one.state:
                found.append(f"told {one.state} to {one.reference} of {one.key}, and there is no payment")
            continue
        if one.state and payment["status"] not in TAKES[one.state]:
            found.append(f"told {one.state} to {one.reference}: {_named(payment)}")
        if one.cents and payment["amount_cents"] != one.cents:
            found.append(f"{one.reference} meant {one.cents} cents: {_named(payment)}")
        if (payment["slug"], payment["reference"]) != (one.slug, one.reference):
            found.append(f"{one.key} of {one.slug} {one.reference} became {_named(payment)}")
    return found


def invariants(stack: Stack) -> list[str]:
    """Run `manage.py reconcile` as operations do; its findings are on its output."""
    try:
        said = stack.manage("reconcile").strip()
    except CannotStart as error:
        said = str(error)
    if said.endswith(" 0 findings"):
        return []
    return [f"invariants: {line}" for line in said.splitlines()]


def shorten(found: list[str]) -> list[str]:
    """Write out the first findings of each kind and count the others."""
    kinds, short = Counter(), []
    for sentence in found:
        kind = " ".join(sentence.split()[:3])
        kinds[kind] += 1
        if kinds[kind] <= MOST_TOLD:
            short.append(sentence)
    return short + [f"... and {count - MOST_TOLD} more: {kind}" for kind, count in kinds.items() if count > MOST_TOLD]


def _named(payment: dict) -> str:
    return (
        f"{payment['slug']} {payment['reference']} payment {payment['id']} ({payment['status']}, {payment['kind']} by "
        f"{payment['executor']}, {payment['amount_cents']} cents, key {payment['key']})"
    )
