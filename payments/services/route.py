"""Who charges and who notifies: the connection's own table, through a port that integrations fills."""

from collections.abc import Callable, Mapping
from typing import Any

from accounts.models import Account
from payments.rules.routing import InvalidRoutingTable, NoRoute, Route, RouteKey, RoutingTable, read_table
from payments.rules.routing import route as find_route

__all__ = ["NoRoute", "Route", "route_for", "table"]

table: Callable[[Account], Any] | None = None
"""Port: the routing table of an account's host. An empty port knows no route, so nothing can be paid."""


def route_for(account: Account, method: str, timing: str) -> Route:
    """Find the executor and the notifier of a method (`card`, `ach`) and timing (`immediate`, `postdated`).

    :raises NoRoute: no table, no row or an unreadable one: refuse, never guess.
    """
    if table is None:
        raise NoRoute("No host connection gives a routing table.")
    # Asked for each method and timing of one page: the table is read once for this row in memory.
    if not hasattr(account, "routing_table"):
        account.routing_table = _read(table(account))
    return find_route(account.routing_table, method, timing)


def _read(said: Any) -> RoutingTable:
    """Read a table in either of its forms: as rules hold it, or as a connection stores it.

    The stored form is `{"card.immediate": {"executor": "portal", "notifier": "portal"}}` or the list of rows that
    `payments.rules.routing.write_table` gives.
    """
    if isinstance(said, Mapping):
        if all(isinstance(key, RouteKey) for key in said):
            return said
        rows = []
        for key, parties in said.items():
            method, _dot, timing = str(key).partition(".")
            if not isinstance(parties, Mapping):
                executor, notifier = parties
                parties = {"executor": executor, "notifier": notifier}
            rows.append({"method": method, "timing": timing, **parties})
        said = rows
    try:
        return read_table(said)
    except (InvalidRoutingTable, TypeError, ValueError) as error:
        raise NoRoute(str(error)) from error
