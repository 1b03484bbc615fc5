"""How fast PostgreSQL itself takes accounts in: the same rows once more, copied set-wise, with no question asked.

They go into the real tables: the same keys, indexes, triggers and row-level security. Nothing is read, checked, linked
or sealed, and no row passes Python. Nothing of it is kept.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.stage import Stage

SAME_DAY = """
UPDATE accounts_account AS one SET balance_cents = balance_cents + 1, host_version = host_version + 1,
    as_of = as_of + interval '1 day', body_hash = reverse(body_hash), line_hash = floor.new, event_seq = event_seq + 1,
    updated_at = now()
FROM floor WHERE floor.old = one.id
"""


def copied_set_wise(stage: Stage, tables: list[tuple]) -> float:
    """Insert a copy of every row under a new id; give the seconds."""
    order = {"Consumer": 0, "Account": 1, "ContactPoint": 2, "Event": 3}
    models = sorted((model for model, _rows in tables), key=lambda model: order[model.__name__])
    own = {"reference": "one.reference || ''''", "host_consumer_id": "one.host_consumer_id || ''''", "sequence": "NULL"}
    return _took(stage, tables, [_copy(model, own) for model in models])


def changed_set_wise(stage: Stage, tables: list[tuple]) -> float:
    """Change every account and insert an event of each; give the seconds."""
    (event,) = (model for model, _rows in tables if model.__name__ == "Event")
    own = {"account_id": "one.account_id", "consumer_id": "one.consumer_id", "sequence": "NULL"}
    return _took(stage, tables, [SAME_DAY, _copy(event, own | {"account_seq": "-one.account_seq"})])


def _took(stage: Stage, tables: list[tuple], statements: list[str]) -> float:
    from django.db import connection

    with _new_ids(stage, tables), connection.cursor() as cursor:
        began = time.perf_counter()
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount >= len(tables[0][1]), (statement, cursor.rowcount)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what a commit would check
        return time.perf_counter() - began


@contextmanager
def _new_ids(stage: Stage, tables: list[tuple]) -> Iterator[None]:
    """Have a new id ready for each row, in the order of time as the product's are."""
    from django.db import connection, transaction

    from accounts.bulk import in_one
    from accounts.tenancy import acting_for, uuid7

    ids = [row.pk for _model, rows in tables for row in sorted(rows, key=lambda row: row.pk)]
    with acting_for(stage.agency), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE floor (old uuid PRIMARY KEY, new uuid) ON COMMIT DROP")
            fresh = [in_one(ids), in_one(uuid7() for _id in ids)]
            cursor.execute("INSERT INTO floor SELECT * FROM unnest(%s::uuid[], %s::uuid[])", fresh)
            cursor.execute("ANALYZE floor")
        yield
        transaction.set_rollback(True)


def _copy(model, own: dict[str, str]) -> str:
    """Write the statement that copies a table's rows, with expressions of their own for some columns."""
    table, columns = model._meta.db_table, [line.column for line in model._meta.concrete_fields]
    values, joins = {"id": "floor.new"}, ""
    for name in ("account_id", "consumer_id"):
        if name in columns and name not in own:
            values[name] = f"of_{name}.new"
            joins += f" JOIN floor AS of_{name} ON of_{name}.old = one.{name}"
    values |= own
    picks = ", ".join(values.get(name, f"one.{name}") for name in columns)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {picks} FROM {table} AS one "
        f"JOIN floor ON floor.old = one.id{joins} ORDER BY floor.new"
    )
