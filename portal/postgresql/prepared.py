"""Let PostgreSQL keep the plan of what a connection asks again and again: planning took most of a statement's time.

psycopg2 writes values into the statement's text, so that PostgreSQL reads and plans each anew: of a page's statements
that took four times as long as running them. Here a text that a connection has sent `PREPARE_AFTER` times before, or
another connection of this process has prepared, is prepared, and from then on only its values are sent. Each value gets
the very type that its literal would have had, so a statement means the same either way; what cannot be prepared so (a
parameter without a type, one expression in SELECT and GROUP BY) is refused when it is prepared, before any of it has
run, and goes on as it did.

PostgreSQL itself plans for the values five times and then compares (plan_cache_mode, auto); new statistics, indexes
and columns make it plan again. A type changed under a running process would be refused ("cached plan must not change
result type"): such a migration needs the processes to be started anew, as it does without this.
"""

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg2
from django.db.backends.postgresql.psycopg_any import Inet, Jsonb
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor
from psycopg2.extras import Json

from accounts.ids import Ids

PREPARE_AFTER = 4
MOST_STATEMENTS = 300
"""Prepared by one connection; each takes some ten to fifty kilobytes of its server process."""
MOST_TEXTS = 10_000
"""Remembered by their hashes: lists of values make ever new texts."""
MOST_VALUES = 60
LONGEST = 8_000
PREPARABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "(SELECT")
RUN = "EXECUTE kept_"
PLACE = re.compile(r"%(?:\((\w+)\)s|s|%)")
TYPES = {
    UUID: "uuid",
    datetime: "timestamptz",
    date: "date",
    Decimal: "numeric",
    bool: "boolean",
    timedelta: "interval",
    bytes: "bytea",
    memoryview: "bytea",
    Inet: "inet",
    Json: "unknown",
    Jsonb: "jsonb",
    type(None): "unknown",
}
LONGEST_LIST = 1_000
KNOWN: set[int] = set()
"""What some connection of this process has prepared: others need no more proof that it comes often and can be."""
NOT_PREPARABLE: set[int] = set()
"""What PostgreSQL refused to prepare in this process: no other connection asks again."""


def type_of(value: Any) -> str | None:
    """Name the type that psycopg2's literal of this value has in PostgreSQL; None where the text must stay as it is."""
    if type(value) is Ids:
        return None
    if isinstance(value, str):  # choices too
        return "unknown"
    if isinstance(value, list):
        return type_of_list(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return "integer" if -(2**31) < value < 2**31 else "bigint" if -(2**63) < value < 2**63 else None
    if (isinstance(value, Decimal) and not value.is_finite()) or (isinstance(value, datetime) and value.tzinfo is None):
        return None
    return TYPES.get(type(value))


def type_of_list(values: list) -> str | None:
    """Name the type of ARRAY[...] of these values; of none, psycopg2 writes a text that fits everything."""
    if len(values) > LONGEST_LIST or {list, type(None)}.intersection(map(type, values)):
        return None
    kinds = set(map(type_of, values))
    if kinds == {"integer", "bigint"}:
        return "bigint[]"
    kind = kinds.pop() if len(kinds) == 1 else None if kinds else ""
    return {None: None, "": "unknown", "unknown": "text[]"}.get(kind, f"{kind}[]")


class Connection(connection):
    """A connection that knows what it was asked before."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked: Counter[int] = Counter()
        self.prepared: dict[tuple, tuple[str, list[str | int]]] = {}
        self.names = itertools.count()


class Cursor(cursor):
    """Send a statement's values alone where its plan is kept."""

    connection: Connection
    first = ahead = ""
    """What is sent together with the next statement, and ahead of it; what was sent so with the last one."""

    def can_follow(self, query: Any) -> bool:
        """Tell whether something can be sent together with a statement: its own result is the last one then."""
        return self.name is None and type(query) is str and query.lstrip().startswith(PREPARABLE)

    def execute(self, query: Any, vars: Sequence[Any] | Mapping[str, Any] | None = None) -> None:
        """Run a statement, as psycopg2 does."""
        # A cursor with a name declares it on the server, which takes no prepared statement.
        if not vars or self.name is not None or type(query) is not str or len(vars) > MOST_VALUES:
            return self._send(query, vars)
        values = vars.values() if isinstance(vars, Mapping) else vars
        types = tuple(map(type_of, values))
        if None in types:
            return self._send(query, vars)
        key = (query, types, tuple(vars)) if isinstance(vars, Mapping) else (query, types)
        kept = self.connection.prepared.get(key) or self._keep(key, vars, types)
        if kept is None:
            return self._send(query, vars)
        name, places = kept
        return self._send(name, [vars[place] for place in places])

    def _send(self, query: Any, vars: Sequence[Any] | Mapping[str, Any] | None) -> None:
        self.ahead, self.first = self.first, ""
        super().execute(self.ahead + query if self.ahead else query, vars)

    def _keep(self, key: tuple, given: Sequence[Any] | Mapping[str, Any], types: tuple[str, ...]):
        """Prepare a statement that was asked often enough; give what runs it and the order of its values."""
        query, mine, text_hash = key[0], self.connection, hash(key)
        asked, known, full = mine.asked, text_hash in KNOWN, len(mine.prepared) >= MOST_STATEMENTS
        asked[text_hash] += 1
        if asked[text_hash] <= PREPARE_AFTER and not known:
            if len(asked) > MOST_TEXTS:
                asked.clear()
            return None
        if full or text_hash in NOT_PREPARABLE or len(query) > LONGEST or not query.lstrip().startswith(PREPARABLE):
            return None
        names = list(given) if isinstance(given, Mapping) else range(len(types))
        of = dict(zip(names, types, strict=True))
        text, places = numbered(query, named=isinstance(given, Mapping))
        number = next(mine.names)  # never used twice, even if something interrupts us once the server has it
        if not self._prepare(f"PREPARE kept_{number} ({', '.join(of[place] for place in places)}) AS {text}", known):
            if len(NOT_PREPARABLE) < MOST_TEXTS:
                NOT_PREPARABLE.add(text_hash)
            return None
        del asked[text_hash]
        if len(KNOWN) < MOST_TEXTS:
            KNOWN.add(text_hash)
        mine.prepared[key] = f"{RUN}{number} ({', '.join(['%s'] * len(places))})", places
        return mine.prepared[key]

    def _prepare(self, statement: str, known: bool) -> bool:
        """Prepare, in a savepoint where a transaction is open and it may fail; tell whether PostgreSQL could."""
        mine = self.connection
        if known:
            super().execute(statement)
            return True
        open_ = not mine.autocommit or mine.info.transaction_status != TRANSACTION_STATUS_IDLE
        if open_:
            super().execute("SAVEPOINT prepare")
        try:
            super().execute(statement)
        except psycopg2.ProgrammingError:  # class 42: a type it cannot tell, an expression that must be the same twice
            if open_:
                super().execute("ROLLBACK TO SAVEPOINT prepare")
            return False
        finally:
            if open_ and mine.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INTRANS:
                super().execute("RELEASE SAVEPOINT prepare")
        return True


def numbered(query: str, *, named: bool) -> tuple[str, list[str | int]]:
    """Write `%s` and `%(name)s` as `$1`, `$2`; give the place or name of the value that each number stands for."""
    places: list[str | int] = []

    def number(found: re.Match) -> str:
        if found[0] == "%%":
            return "%"
        if not named:
            places.append(len(places))
        elif found[1] not in places:
            places.append(found[1])
        return f"${places.index(found[1]) + 1 if named else len(places)}"

    return PLACE.sub(number, query), places
