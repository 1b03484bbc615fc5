"""Ask again what was asked before: Django makes a query's SQL once, and from then on only the values are new.

Django builds a query set, walks it into SQL and finds the columns' readers each time; of a page that was more than half
of the time. A `known` query is a function from values to a query set:

    @known
    def payment_by_key(key: UUID) -> QuerySet[Payment]:
        return Payment.objects.select_related("method").filter(idempotency_key=key)

    payment_by_key.first(checkout.pk)

It is called twice with values that nobody has, and for two agencies that nobody is. What differs in the two statements'
parameters are the values' places; all else must be the same, or the function is refused: it may hand its values on to
the database and do nothing else with them. Only None, truth values, nothing (0, "") and the length of a list are told
apart, each by a statement of its own. The acting agency is read at every asking, as everywhere (accounts.tenancy), and
PostgreSQL's policies hold beneath it.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, QuerySet
from django.db.models.query import (
    FlatValuesListIterable,
    ModelIterable,
    ValuesIterable,
    ValuesListIterable,
    get_related_populators,
)
from django.db.models.signals import post_init, pre_init
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from accounts.bulk import as_read
from accounts.ids import in_one_text
from accounts.scope import ALL_AGENCIES, NoActingAgency, acting, acting_for

Values = ParamSpec("Values")
Found = TypeVar("Found")

AGENCIES = UUID(int=0xA << 120 | 1), UUID(int=0xB << 120 | 2)
"""Nobody's: the two that a query is made for."""
LONGEST = 10
"""A list of more values that are no ids, of none, or with nothing in it (0, ""), is asked for as any other query."""
MANY = LONGEST + 1
"""So many probes stand for a list of ids of any greater length."""
ZONE = "Pacific/Auckland"
"""No query that is made may depend on where one is; nobody is here."""


class CannotBeKnown(TypeError):
    """A query that does more with its values, or with its moment, than to hand them on to the database."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Hold a query as it is sent: its SQL, where its values come from, and how its rows are read."""

    sql: str
    values: tuple[Any, ...]
    """Each parameter: itself, or a `Place`."""
    asks_agency: bool
    locks: bool
    readers: tuple[tuple[int, tuple[Callable, ...], Any], ...]
    make: Callable[[Sequence[Sequence]], list]


@dataclass(frozen=True, slots=True)
class Place:
    """Point at a value, or at an item of a list; the last value is the acting agency."""

    value: int
    item: int | None = None


NOTHING = Statement("", (), False, False, (), list)
"""What can find no row is not asked."""
AS_EVER = Statement("", (), False, False, (), list)
"""What does something else with many ids than to look for them is asked for as any other query."""


class Known(Generic[Values, Found]):
    """A query that was made once. Called, it gives all rows as a list."""

    def __init__(self, build: Callable[Values, QuerySet]) -> None:
        self.build = build
        self.statements: dict[tuple, Statement] = {}
        update_wrapper(self, build)

    def __call__(self, *values: Values.args) -> list[Found]:
        """List what the query set would."""
        return self._ask(_all, values)

    def first(self, *values: Values.args) -> Found | None:
        """Give what `QuerySet.first` would."""
        rows = self._ask(_first, values)
        return rows[0] if rows else None

    def get(self, *values: Values.args) -> Found:
        """Give what `QuerySet.get` would.

        :raises Model.DoesNotExist: there is no such row.
        :raises Model.MultipleObjectsReturned: there are several.
        """
        rows = self._ask(_all, values)
        if len(rows) == 1:
            return rows[0]
        model = self.build(*values).model
        if not rows:
            raise model.DoesNotExist(f"{model._meta.object_name} matching query does not exist.")
        raise model.MultipleObjectsReturned(f"get() returned {len(rows)} of {model._meta.object_name}.")

    def exists(self, *values: Values.args) -> bool:
        """Tell what `QuerySet.exists` would."""
        return bool(self._ask(_exists, values))

    def _ask(self, how: Callable, values: tuple) -> list:
        agency = acting()
        shapes = tuple(map(_shape, values))
        if None in shapes:
            return how(self.build(*values))[1]()
        key = (how, agency == ALL_AGENCIES, shapes)
        if (made := self.statements.get(key)) is None:
            made = self.statements[key] = self._make(how, values, everywhere=agency == ALL_AGENCIES)
        if made is AS_EVER:
            return how(self.build(*values))[1]()
        if made.asks_agency and not agency:
            raise NoActingAgency("Name the agency first: `with acting_for(agency):`.")
        if made.locks and connection.get_autocommit():
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        if made is NOTHING:
            return []
        given = [*values, UUID(agency)] if made.asks_agency else values
        with connection.cursor() as cursor:
            cursor.execute(made.sql, [_given(one, given) if type(one) is Place else one for one in made.values])
            rows = cursor.fetchall()
        if made.readers:
            rows = [list(row) for row in rows]
            for at, ways, expression in made.readers:
                for row in rows:
                    value = row[at]
                    for way in ways:
                        value = way(value, expression, connection)
                    row[at] = value
        return made.make(rows)

    def _make(self, how: Callable, values: tuple, *, everywhere: bool) -> Statement:
        """Make the statement twice, for values and agencies that nobody has, and find their places.

        :raises CannotBeKnown: the two differ in more than that.
        """
        made = []
        for turn, agency in enumerate(AGENCIES):
            probes = tuple(_probe(value, 100 * place, turn) for place, value in enumerate(values))
            with acting_for(ALL_AGENCIES if everywhere else agency), timezone.override(ZONE if turn else UTC):
                query = how(self.build(*probes))[0]
                if any(type(one) is Word and one.compared for one in _spelled_out(probes).values()):
                    raise CannotBeKnown(f"{self.build.__qualname__}: it looks at its values.")
                compiler = query.query.get_compiler(DEFAULT_DB_ALIAS)
                try:
                    made.append((*compiler.as_sql(), _spelled_out([*probes, agency])))
                except EmptyResultSet:
                    return NOTHING
        (sql, one, mine), (same, other, theirs) = made
        if sql != same or len(one) != len(other):
            raise CannotBeKnown(f"{self.build.__qualname__}: its SQL depends on its values or on where one is.")
        pairs = {place: (value, theirs[place]) for place, value in mine.items()}
        places = [_place(self.build, pair, pairs) for pair in zip(one, other, strict=True)]
        if many := {number for number, value in enumerate(values) if _long(value)}:
            gathered = _gathered(sql, places, many)
            if gathered is None:
                return AS_EVER
            sql, places = gathered
        return Statement(
            sql=sql,
            values=tuple(places),
            asks_agency=Place(len(values)) in places,
            locks=bool(query.query.select_for_update),
            readers=tuple(
                (at, tuple(ways), expression)
                for at, (ways, expression) in compiler.get_converters(
                    [column[0] for column in compiler.select[: compiler.col_count]]
                ).items()
            ),
            make=_maker(query, compiler),
        )


def known(build: Callable[Values, QuerySet[Found]]) -> Known[Values, Found]:
    """Make a query once, from a function that makes a query set of its values; they are given by position.

    Values are ids, words, numbers, moments, days and short lists of them.
    """
    return Known(build)


def _all(query: QuerySet) -> tuple[QuerySet, Callable[[], list]]:
    return query, lambda: list(query)


def _first(query: QuerySet) -> tuple[QuerySet, Callable[[], list]]:
    one = (query if query.ordered else query.order_by("pk"))[:1]
    return one, lambda: list(one)


def _exists(query: QuerySet) -> tuple[QuerySet, Callable[[], list]]:
    asked = query._chain()
    asked.query = query.query.exists()
    asked._iterable_class, asked._fields = FlatValuesListIterable, ("a",)
    return asked, lambda: [1] if query.exists() else []


class Word(str):
    """A word that nobody says, and that notices if anyone but Django compares it with another."""

    compared = False
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        self.compared |= not sys._getframe(1).f_globals["__name__"].startswith("django.")
        return str.__eq__(self, other)


_PROBES: dict[type, Callable[[int, int], Any]] = {
    UUID: lambda number, turn: UUID(int=(0xC + turn) << 120 | number),
    str: lambda number, turn: Word(f"known {turn} {number}"),
    int: lambda number, turn: 20_000 + 5_000 * turn + number,
    datetime: lambda number, turn: datetime(1971 + turn, 2, 3, 4, 5, 6, tzinfo=UTC) + timedelta(seconds=number),
    date: lambda number, turn: date(1981 + 10 * turn, 2, 3) + timedelta(days=number),
}


def _kind(value: Any) -> type | None:
    kind = type(value)
    return kind if kind in _PROBES else str if isinstance(value, str) else None


def _shape(value: Any) -> Any:
    """Say what must be the same for a statement to fit; None where no statement is kept."""
    if value is None or value is True or value is False:
        return ("is", str(value))
    if (kind := _kind(value)) is not None:
        return kind if value else ("is", repr(value))
    if isinstance(value, list | tuple):
        kinds = set(map(_kind, value))
        if _long(value):
            return "many" if kinds == {UUID} else None
        if len(kinds) != 1 or None in kinds or not all(value):
            return None
        return kinds.pop(), len(value)
    raise CannotBeKnown(f"A {type(value).__name__} is no value of a known query.")


def _probe(value: Any, number: int, turn: int) -> Any:
    """Make a value of this shape that nobody has, another one in each turn."""
    if isinstance(value, list | tuple):
        return [_probe(one, number + place, turn) for place, one in enumerate(value[:MANY])]
    kind = _kind(value)
    return _PROBES[kind](number, turn) if kind is not None and value else value


def _spelled_out(values: Sequence) -> dict[Place, Any]:
    """List all values by their places, lists item by item."""
    found: dict[Place, Any] = {}
    for number, value in enumerate(values):
        if isinstance(value, list | tuple):
            found |= {Place(number, item): one for item, one in enumerate(value)}
        else:
            found[Place(number)] = value
    return found


def _long(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > LONGEST


def _given(place: Place, values: Sequence) -> Any:
    """Read the value at a place; a whole list is one of many ids."""
    value = values[place.value]
    if place.item is not None:
        return value[place.item]
    return in_one_text(value) if isinstance(value, list | tuple) else value


def _gathered(sql: str, places: list[Any], many: set[int]) -> tuple[str, list[Any]] | None:
    """Ask for many ids by one array: `IN (%s, %s, ...)` becomes `= ANY(%s)`, once for lists of all lengths.

    :param many: which values are lists of many ids.
    :returns: None where one of them stands anywhere else than in a list that is looked through.
    """
    text, *pieces = sql.split("%s")
    if "%%" in sql or len(pieces) != len(places):
        return None  # not every %s is a place then
    kept: list[Any] = []
    rest = list(zip(places, pieces, strict=True))
    while rest:
        (place, after), *others = rest
        if type(place) is Place and place.value in many:
            listed, others = [one for one, _piece in rest[:MANY]], rest[MANY:]
            *between, after = [piece for _one, piece in rest[:MANY]]
            whole = listed == [Place(place.value, item) for item in range(MANY)]
            if not (whole and text.endswith("IN (") and set(between) == {", "} and after.startswith(")")):
                return None
            text, place, after = text.removesuffix("IN (") + "= ANY(", Place(place.value), f"::uuid[]{after}"
        text, rest = f"{text}%s{after}", others
        kept.append(place)
    return text, kept


def _place(build: Callable, pair: tuple, pairs: dict[Place, tuple]) -> Any:
    """Find the value that a parameter is."""
    if pair[0] == pair[1]:
        return pair[0]
    for place, known_pair in pairs.items():
        if known_pair == pair:
            return place
    raise CannotBeKnown(f"{build.__qualname__}: {pair[0]!r} is neither fixed nor one of its values.")


def _maker(query: QuerySet, compiler: Any) -> Callable[[Sequence[Sequence]], list]:
    """Make what turns rows into what the query set gives, its models as Django makes them (ModelIterable)."""
    kind = query._iterable_class
    if kind is FlatValuesListIterable:
        return lambda rows: [row[0] for row in rows]
    if kind is ValuesListIterable:
        return lambda rows: [tuple(row) for row in rows]
    if kind is ValuesIterable:
        names = list(query.query.selected or (*query.query.values_select, *query.query.annotation_select))
        return lambda rows: [dict(zip(names, row, strict=True)) for row in rows]
    if kind is not ModelIterable or query._prefetch_related_lookups or query._known_related_objects:
        raise CannotBeKnown(f"Rows of {query.model.__name__} are read in a way that is not known.")
    model: type[Model] = compiler.klass_info["model"]
    columns = compiler.klass_info["select_fields"]
    begin, end = columns[0], columns[-1] + 1
    names = [column[0].target.attname for column in compiler.select[begin:end]]
    related = get_related_populators(compiler.klass_info, compiler.select, DEFAULT_DB_ALIAS)
    added = list((compiler.annotation_col_map or {}).items())

    # A row that nobody listens for is filled at once, instead of by the setter of each column.
    quick = model.from_db.__func__ is Model.from_db.__func__ and model.__init__ is Model.__init__
    quick = quick and not (pre_init.has_listeners(model) or post_init.has_listeners(model))

    def read(values: Sequence) -> Model:
        return as_read(model, names, [values])[0] if quick else model.from_db(DEFAULT_DB_ALIAS, names, values)

    def make(rows: Sequence[Sequence]) -> list:
        if quick and not related and not added:
            return as_read(model, names, rows)
        made = []
        for row in rows:
            one = read(row[begin:end])
            for populator in related:
                populator.populate(row, one)
            for name, at in added:
                setattr(one, name, row[at])
            made.append(one)
        return made

    return make
