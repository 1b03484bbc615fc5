"""Who charges and who notifies: one row per method and timing, exactly one of each (PDC-06)."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

METHODS = ("card", "ach", "mail")
TIMINGS = ("immediate", "postdated")
PARTIES = ("portal", "host")


class NoRoute(LookupError):
    """No row says who charges: refuse the payment, never guess."""


class InvalidRoutingTable(ValueError):
    """The rows are not a routing table: do not save them."""


class Route(NamedTuple):
    """Name the one party that charges and the one party that notifies the consumer."""

    executor: str
    notifier: str


class RouteKey(NamedTuple):
    """Name a row of the table."""

    method: str
    timing: str


RoutingTable = Mapping[RouteKey, Route]

# Source: the SCollect document's matrix; the portal notifies.
SCOLLECT: RoutingTable = {
    RouteKey("card", "immediate"): Route("portal", "portal"),
    RouteKey("card", "postdated"): Route("host", "portal"),
    RouteKey("ach", "immediate"): Route("host", "portal"),
    RouteKey("ach", "postdated"): Route("host", "portal"),
}


def timing_of(due_on: date, today: date) -> str:
    """Tell whether a payment is taken now or later, by the consumer's local date."""
    return "postdated" if due_on > today else "immediate"


def route(table: RoutingTable, method: str, timing: str) -> Route:
    """Find who charges and who notifies.

    :raises NoRoute: no row, so this method cannot be used now.
    """
    try:
        return table[RouteKey(method, timing)]
    except KeyError:
        raise NoRoute(f"No route for {method} {timing}.") from None


def read_table(rows: Iterable[Mapping[str, str]]) -> RoutingTable:
    """Read rows of method, timing, executor and notifier, as staff and connections store them.

    :raises InvalidRoutingTable: a word is unknown or missing, or a row is there twice.
    """
    table: dict[RouteKey, Route] = {}
    words = {"method": METHODS, "timing": TIMINGS, "executor": PARTIES, "notifier": PARTIES}
    for number, row in enumerate(rows, start=1):
        for name, known in words.items():
            if row.get(name) not in known:
                raise InvalidRoutingTable(f"Row {number}: {name} must be one of {', '.join(known)}.")
        key = RouteKey(row["method"], row["timing"])
        if key in table:
            raise InvalidRoutingTable(f"Row {number}: {key.method} {key.timing} is there twice.")
        table[key] = Route(row["executor"], row["notifier"])
    return table


def write_table(table: RoutingTable) -> list[dict[str, str]]:
    """Give the rows that `read_table` reads."""
    return [key._asdict() | value._asdict() for key, value in table.items()]
