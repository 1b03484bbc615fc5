"""Write many rows in one statement of arrays: three times faster than bulk_create, whose every value passes the ORM.

Row-level security holds: the statement goes through the backend like any other, and each row's agency is checked.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import Error, connection, models, transaction
from django.db.models.base import ModelState

from accounts.crypto import SealedField, sealer, unseal
from accounts.tenancy import ALL_AGENCIES, Row, acting

_AS_TEXT = re.compile(r"varchar|jsonb|inet|text")
MANY = 100
"""So many rows of one statement can change how a table is best read."""
GROWN = """
SELECT oid::regclass::text FROM pg_class
WHERE oid = ANY(%s::regclass[]) AND pg_relation_size(oid) > 4 * 8192 * greatest(relpages, 8)
"""
"""Pages of 8 kB; nothing below a quarter of a megabyte is worth a look."""


def write_rows(
    model: type[Row],
    rows: Iterable[Row],
    *,
    update: Sequence[str] = (),
    there_by: str = '("id")',
    skip_known: bool = False,
) -> int:
    """Insert rows as they stand; where the id is there already, update the named fields. Returns how many were written.

    :param there_by: the columns of another unique constraint, with its condition, by which a row is there already.
    :param skip_known: leave out rows that meet another row's unique constraint.
    """
    rows = list(rows)
    if not rows:
        return 0
    acts = acting()
    ours = UUID(acts) if acts not in ("", ALL_AGENCIES) else None
    for row in rows:
        if (row.agency_id is not ours and row.agency_id != ours) or ours is None:
            row.claim_for_acting_agency()
    values = {line.attname: _values(line, rows) for line in model._meta.concrete_fields}
    written = write_columns(model, values, update=update, there_by=there_by, skip_known=skip_known)
    for row in rows:
        row._state.adding = False
    return written


@cache
def names_of(model: type[models.Model]) -> tuple[str, ...]:
    """Name all columns of a model, by their attnames."""
    return tuple(line.attname for line in model._meta.concrete_fields)


def as_read(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list:
    """Make instances, as they are after being read, of values in the order of the names (attnames).

    Five times faster than the model's own way; no signal is sent.
    """
    made, alias = [], connection.alias
    for values in rows:
        row = model.__new__(model)
        state = row._state = ModelState()
        state.adding, state.db = False, alias
        row.__dict__.update(zip(names, values, strict=True))
        made.append(row)
    return made


def read_rows(model: type[models.Model], where: str, *params: Any, without: Sequence[str] = ()) -> list:
    """Read rows of a model by a condition of our own, a list of any length as one array (`in_one`).

    An array is one value of one statement, which is planned once; the ORM's IN is a text of its own for every length.

    :param without: columns that are left behind (attnames); Django reads them when they are asked for.
    """
    lines = [line for line in model._meta.concrete_fields if line.attname not in without]
    columns = ", ".join(connection.ops.quote_name(line.column) for line in lines)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {table} WHERE {where}", params)  # noqa: S608 - own names
        rows = cursor.fetchall()
    read = [(at, _reader(line)) for at, line in enumerate(lines) if isinstance(line, models.JSONField | SealedField)]
    if read:
        rows = [list(row) for row in rows]
        for row in rows:
            for at, way in read:
                row[at] = way(row[at])
    return as_read(model, [line.attname for line in lines], rows)


def _reader(line: models.Field) -> Callable[[Any], Any]:
    if isinstance(line, SealedField):
        return lambda text: unseal(text, context=line.context) if text else ""
    return lambda text: {} if text == "{}" else None if text is None else msgspec.json.decode(text)


def update_rows(model: type[Row], rows: Iterable[Row], names: Iterable[str]) -> None:
    """Update the named columns (attnames) of rows that are there, in one statement."""
    rows, names = list(rows), set(names)
    lines = [line for line in model._meta.concrete_fields if line.attname in names]
    if not rows or not lines:
        return
    quoted = connection.ops.quote_name
    given = _Given(model._meta.pk, [row.pk for row in rows], whole=True)
    sets = [f"{quoted(line.column)} = {given.add(line, _values(line, rows))}" for line in lines]
    table, pk = quoted(model._meta.db_table), quoted(model._meta.pk.column)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {', '.join(sets)} {given.source} WHERE {table}.{pk} = given.{pk}",  # noqa: S608 - own names
            given.params,
        )


def set_foreign(row: models.Model, name: str, other: models.Model) -> None:
    """Set a relation and its column on a row, without the descriptor's questions."""
    row.__dict__[f"{name}_id"] = other.pk
    row._state.fields_cache[name] = other


def in_one(values: Iterable[Any]) -> Any:
    """Write values as PostgreSQL reads an array: one text is parsed ten times faster than a list of literals.

    Types that have no such form here stay a list.
    """
    values = list(values)
    kinds = set(map(type, values))
    if kinds == {str}:
        text = '","'.join(values)
        if "\\" not in text and text.count('"') == 2 * (len(values) - 1):
            return '{"' + text + '"}'
    if kinds == {int}:
        return "{" + str(values)[1:-1] + "}"
    try:
        return "{" + ",".join([_WRITE[type(value)](value) for value in values]) + "}"
    except KeyError:
        return values


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


_WRITE: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: str,
    bool: lambda value: "t" if value else "f",
    UUID: lambda value: f"{value.int:032x}",
    datetime: lambda value: f'"{value.isoformat()}"',
    date: date.isoformat,
    Decimal: str,
    type(None): lambda value: "NULL",
}


class _Given:
    """The values of many rows as one source of a statement: an array a column, but a value that all share once."""

    def __init__(self, first: models.Field | None = None, values: Sequence[Any] = (), *, whole: bool = False) -> None:
        self.names: list[str] = []
        self.types: list[str] = []
        self.arrays: list[Any] = []
        self.shared: list[Any] = []
        if first is not None:
            self.add(first, values, whole=whole)

    def add(self, line: models.Field, values: Sequence[Any], *, whole: bool = False) -> str:
        """Take a column's values; return the expression that reads them."""
        kind, column = line.db_type(connection), connection.ops.quote_name(line.column)
        sent = "text" if _AS_TEXT.match(kind) else kind
        cast = f"::{kind}" if kind in ("jsonb", "inet") else ""
        head = values[0]
        if not whole and all(value is head for value in values):
            self.shared.append(head)
            return f"%s::{sent}{cast}"
        self.names.append(column)
        self.types.append(f"%s::{sent}[]")
        self.arrays.append(in_one(values))
        return f"given.{column}{cast}"

    @property
    def source(self) -> str:
        if not self.names:
            return ""
        return f"FROM unnest({', '.join(self.types)}) AS given({', '.join(self.names)})"

    @property
    def params(self) -> list[Any]:
        return [*self.shared, *self.arrays]


def blank(model: type[models.Model], **values: Any) -> Any:
    """Make an instance with its defaults, ten times faster than the model's own way, which looks at every keyword.

    Relations are given by attname (`consumer_id`); no signal is sent.
    """
    plain, made = _defaults(model)
    row = model.__new__(model)
    row._state = ModelState()
    row.__dict__.update(plain)
    for name, make in made:
        if name not in values:
            row.__dict__[name] = make()
    row.__dict__.update(values)
    return row


@lru_cache(maxsize=64)
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    plain, made = {}, []
    for line in model._meta.concrete_fields:
        if line.has_default() and callable(line.default):
            made.append((line.attname, line.default))
        else:
            plain[line.attname] = line.get_default()
    return plain, made


def write_columns(
    model: type[Row],
    values: Mapping[str, list[Any]],
    *,
    update: Sequence[str] = (),
    there_by: str = '("id")',
    skip_known: bool = False,
) -> int:
    """Insert rows given column by column, for callers that need no model instances; every column is given.

    Returns how many were inserted or updated. Row-level security still checks each row's agency.
    """
    quoted, given, wanted = connection.ops.quote_name, _Given(), set(update)
    lines = model._meta.concrete_fields
    picks = [given.add(line, values[line.attname]) for line in lines]
    columns = [quoted(line.column) for line in lines]
    changed = [
        f"{quoted(line.column)} = excluded.{quoted(line.column)}"
        for line in lines
        if line.name in wanted or line.attname in wanted
    ]
    sql = f"INSERT INTO {quoted(model._meta.db_table)} ({', '.join(columns)}) SELECT {', '.join(picks)} {given.source}"
    if changed:
        sql += f" ON CONFLICT {there_by} DO UPDATE SET {', '.join(changed)}"
    elif skip_known:
        sql += " ON CONFLICT DO NOTHING"
    with connection.cursor() as cursor:
        cursor.execute(sql, given.params)
        written = cursor.rowcount
    measure_when_grown(model, rows=len(values["id"]))
    return written


class _Measure:
    """What a transaction's commit measures."""

    def __init__(self) -> None:
        self.tables: set[str] = set()

    def __call__(self) -> None:
        # What was written is committed, so nothing may fail here. And whoever measures already does it for us.
        with contextlib.suppress(Error):
            with connection.cursor() as cursor:
                cursor.execute(GROWN, [sorted(self.tables)])
                grown = [name for (name,) in cursor.fetchall()]
            if grown:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '50ms'")
                    cursor.execute(f"ANALYZE {', '.join(sorted(grown))}")


def measure_when_grown(*models_: type[models.Model], rows: int = MANY) -> None:
    """After the commit, gather statistics of those tables that have grown fourfold since they were last measured.

    PostgreSQL keeps the plan of a foreign key's check for as long as a session lives. One that was made while the
    table was all but empty reads it by any index that begins with the agency, so every row of the agency for every
    check: 1.5 ms instead of 0.01 at two thousand accounts. New statistics end it; autovacuum brings them within a
    minute, in which a new portal takes in its first hundred thousand rows. A role that may not measure is warned by
    the database and goes on.

    :param rows: so many were written; fewer than a hundred are nothing to look for.
    """
    if rows < MANY:
        return
    for _sids, hook, *_rest in connection.run_on_commit:
        if isinstance(hook, _Measure):
            break
    else:
        hook = _Measure()
        transaction.on_commit(hook)
    hook.tables |= {model._meta.db_table for model in models_}


def _values(line: models.Field, rows: list[Row]) -> list:
    name = line.attname
    if getattr(line, "auto_now", False) or getattr(line, "auto_now_add", False):
        at = line.pre_save(rows[0], add=True)
        for row in rows:
            row.__dict__[name] = at
        return [at] * len(rows)
    try:
        values = [row.__dict__[name] for row in rows]
    except KeyError:
        values = [getattr(row, name) for row in rows]
    if isinstance(line, models.JSONField):
        # The same object is written once, and sent once where all rows have it.
        written = {id(value): value for value in values}
        written = {key: _json(value, line.encoder) for key, value in written.items()}
        return [written[id(value)] for value in values]
    if isinstance(line, SealedField):
        seal = sealer(line.context)
        return [seal(value) if value else "" for value in values]
    if isinstance(line, models.CharField | models.TextField) and set(map(type, values)) != {str}:
        return [str(value) for value in values]
    return values


def _json(value: Any, encoder: type | None) -> str | None:
    if value is None:
        return None
    if not value and type(value) in (dict, list):
        return "{}" if type(value) is dict else "[]"
    return json.dumps(value, cls=encoder)
