"""How many accounts a second a host can push in one request, beside COPY and bulk_create of the same rows."""

import copy
import io
import json
import time

from tests.benchmarks import posts
from tests.benchmarks.accounts_floor import changed_set_wise, copied_set_wise
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import Stage

ACCOUNTS = 5_000
"""What one request may carry (settings.PUSH_LIMIT)."""
SMALLER = 500


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Push new accounts, the same again, changed balances; then write the same rows without the product."""
    found: dict[str, list[float]] = {}
    with stage.web() as web:
        for _round in range(rounds):
            records = stage.records(ACCOUNTS)
            changed = [record | {"Version": 8, "CurrentBalance": "990.00"} for record in records]
            for name, some, verdict in (
                ("new", records, "accepted"),
                ("unchanged", records, "unchanged"),
                ("changed", changed, "accepted"),
            ):
                found.setdefault(name, []).append(push(stage, web, [some], verdict))
            lists = [stage.records(SMALLER) for _ in range(4)]
            found.setdefault("smaller", []).append(push(stage, web, lists, "accepted"))
            tables = rows_of(stage, [record["FileNumber"] for record in records])
            found.setdefault("rows", []).append(sum(len(rows) for _model, rows in tables) / ACCOUNTS)
            found.setdefault("copy account", []).append(ACCOUNTS / copied(tables[:1]))
            found.setdefault("copy all", []).append(ACCOUNTS / copied(tables))
            found.setdefault("bulk account", []).append(ACCOUNTS / bulk_created(stage, tables[:1]))
            found.setdefault("bulk all", []).append(ACCOUNTS / bulk_created(stage, tables))
            found.setdefault("floor", []).append(ACCOUNTS / copied_set_wise(stage, tables))
            found.setdefault("floor changed", []).append(ACCOUNTS / changed_set_wise(stage, tables))
    return Section("push", "3. Accounts pushed by a host", TOLD, lines(found))


TOLD = (
    f"One POST of {ACCOUNTS:,} full account records (a consumer, a phone and an e-mail address each) over HTTP to the"
    " web server; all rows of a push are the account, its consumer, contact points and event. COPY writes the same"
    " rows as text into tables of the same shape and indexes, without row-level security, foreign keys or triggers;"
    " bulk_create writes them by the ORM into the real tables. Neither of them reads, checks, links or seals."
    " “The same rows, no questions” copies them set-wise from the ones that are there into the real tables, by INSERT"
    " ... SELECT under the same keys, indexes, triggers and row-level security: PostgreSQL takes in no more."
)


def lines(found: dict[str, list[float]]) -> list[Line]:
    """Make the table."""
    new, unit = found["new"], "accounts/s"
    return [
        Line("new accounts, 5,000 in one request", unit, new, found["copy all"], "COPY of all rows of the push", 0.6),
        Line("new accounts, 5,000 in one request", unit, new, found["bulk all"], "bulk_create of all rows"),
        Line("new accounts, 5,000 in one request", unit, new, found["copy account"], "COPY of the account rows alone"),
        Line("new accounts, 5,000 in one request", unit, new, found["floor"], "the same rows, no questions"),
        Line("new accounts, 500 in a request", unit, found["smaller"], target=10_000),
        Line("the same push again, unchanged", unit, found["unchanged"], new, "new accounts", 3),
        Line("every balance changed", unit, found["changed"], new, "new accounts"),
        Line("every balance changed", unit, found["changed"], found["floor changed"], "the same rows, no questions"),
        Line("COPY of all rows", unit, found["copy all"]),
        Line("COPY of the account rows", unit, found["copy account"]),
        Line("the same rows, no questions: new", unit, found["floor"]),
        Line("the same rows, no questions: changed", unit, found["floor changed"]),
        Line("bulk_create of all rows", unit, found["bulk all"]),
        Line("bulk_create of the account rows", unit, found["bulk account"]),
        Line("rows that one account makes", "rows", found["rows"]),
    ]


def push(stage: Stage, web: str, lists: list[list[dict]], verdict: str) -> float:
    """Post lists one after another; give accounts a second."""
    import pycurl

    headers = (
        f"Host: {stage.stack.environment['PORTAL_DOMAIN']}",
        f"Authorization: Bearer {stage.inbound_key}",
        "Content-Type: application/json",
    )
    url = f"{web}/api/v1/hosts/{stage.connection.pk}/accounts"
    asks = [posts.Ask(url, headers, json.dumps(some).encode()) for some in lists]
    easy, answers = posts.handle(), []
    easy.setopt(pycurl.WRITEFUNCTION, answers.append)
    began = time.perf_counter()
    for ask in asks:
        posts.prepare(easy, ask)
        easy.perform()
    whole = time.perf_counter() - began
    easy.close()
    said = json.loads(answers[-1])
    assert said.get(verdict) == len(lists[-1]), str(said)[:500]
    return sum(map(len, lists)) / whole


def rows_of(stage: Stage, references: list[str]) -> list[tuple]:
    """Read every row that the push made, table by table, accounts first."""
    from accounts.models import Account, Consumer, ContactPoint, Event
    from accounts.tenancy import acting_for

    with acting_for(stage.agency):
        accounts = list(Account.objects.filter(reference__in=references))
        consumers = [account.consumer_id for account in accounts]
        return [
            (Account, accounts),
            (Consumer, list(Consumer.objects.filter(pk__in=consumers))),
            (ContactPoint, list(ContactPoint.objects.filter(consumer__in=consumers))),
            (Event, list(Event.objects.filter(account__in=accounts, kind="account.placed"))),
        ]


def copied(tables: list[tuple]) -> float:
    """COPY the rows into fresh tables of the same shape and commit; give the seconds."""
    from django.db import connection

    prepared = []
    with connection.cursor() as cursor:
        for model, rows in tables:
            table = model._meta.db_table
            cursor.execute(f"DROP TABLE IF EXISTS bench_{table}")
            cursor.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
            columns = ", ".join(f'"{line.column}"' for line in model._meta.concrete_fields)
            prepared.append((f"bench_{table} ({columns})", as_text(model, rows)))
    raw = connection.connection
    began = time.perf_counter()
    raw.autocommit = False
    with raw.cursor() as cursor:
        for table, text in prepared:
            cursor.copy_expert(f"COPY {table} FROM STDIN", text)
    raw.commit()
    took = time.perf_counter() - began
    raw.autocommit = True
    return took


def as_text(model, rows: list) -> io.StringIO:
    """Write rows as COPY reads them, values as the ORM would send them."""
    from django.db import connection
    from psycopg2.extras import Json

    escapes = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
    text = io.StringIO()
    for row in rows:
        cells = []
        for line in model._meta.concrete_fields:
            value = line.get_db_prep_save(getattr(row, line.attname), connection)
            value = getattr(value, "adapted", value) if not isinstance(value, Json) else value.dumps(value.adapted)
            value = json.dumps(value) if isinstance(value, dict | list) else value
            cells.append("\\N" if value is None else str(value).translate(escapes))
        text.write("\t".join(cells) + "\n")
    text.seek(0)
    return text


def bulk_created(stage: Stage, tables: list[tuple]) -> float:
    """Write copies of the rows by bulk_create in one transaction; give the seconds. Nothing of it is kept."""
    from django.db import transaction

    from accounts.tenancy import acting_for, uuid7

    keys: dict = {}
    copies = []
    for model, rows in tables:
        made = [copy.copy(row) for row in rows]
        for row in made:
            row.pk = keys.setdefault(row.pk, uuid7())
            row._state = type(row._state)()
            for name in ("reference", "host_consumer_id", "value_key"):
                if getattr(row, name, ""):
                    setattr(row, name, f"{getattr(row, name)}'")
            if hasattr(row, "sequence"):
                row.sequence = None
        copies.append((model, made))
    for _model, made in copies:
        for row in made:
            for name in ("consumer_id", "account_id"):
                if hasattr(row, name):
                    setattr(row, name, keys.get(getattr(row, name), getattr(row, name)))
    order = {"Consumer": 0, "Account": 1, "ContactPoint": 2, "Event": 3}
    copies.sort(key=lambda pair: order[pair[0].__name__])
    began = time.perf_counter()
    with acting_for(stage.agency), transaction.atomic():
        for model, made in copies:
            model.objects.bulk_create(made, batch_size=1_000)
        took = time.perf_counter() - began
        transaction.set_rollback(True)
    return took
