"""Reading: lists, search, expansion."""
# ruff: noqa: S608 - statements are put together from this program's own words only; values are bound.

import json
import re
from typing import Any

from .calls import Call
from .errors import missing, refused
from .store import PREFIXES, public

LARGEST_PAGE, USUAL_PAGE = 100, 10
DEEPEST_EXPANSION = 4
URLS = {
    "payment_intent": "/v1/payment_intents",
    "setup_intent": "/v1/setup_intents",
    "payment_method": "/v1/payment_methods",
    "customer": "/v1/customers",
    "charge": "/v1/charges",
    "refund": "/v1/refunds",
    "dispute": "/v1/disputes",
    "event": "/v1/events",
    "balance_transaction": "/v1/balance_transactions",
}
CLAUSE = re.compile(
    r"""\s*(-?)(?:metadata\[["']([^"'\]]+)["']\]|(\w+))\s*(:|>=|<=|>|<|~)\s*(?:"([^"]*)"|'([^']*)'|([\w.@+-]+))\s*"""
)
SEARCHABLE = (
    "amount",
    "created",
    "currency",
    "customer",
    "email",
    "name",
    "payment_intent",
    "phone",
    "status",
)


def page_size(params: dict[str, Any]) -> int:
    """Return how many objects one answer holds.

    :raises ApiError: 400 outside 1 to 100.
    """
    limit = params.get("limit") or USUAL_PAGE
    if not 1 <= limit <= LARGEST_PAGE:
        raise refused("Invalid limit: must be between 1 and 100", param="limit", code="parameter_invalid_integer")
    return limit


def _position(call: Call, kind: str, reference: str, param: str) -> int:
    found = call.store.row(
        "SELECT seq FROM objects WHERE id = ? AND account = ? AND kind = ?", reference, call.account, kind
    )
    if not found:
        raise missing(kind, reference, param=param)
    return found["seq"]


def listing(call: Call, kind: str) -> dict[str, Any]:
    """Return a page of an account's objects, newest first."""
    given, limit = call.params, page_size(call.params)
    where, values = "account = ? AND kind = ?", list[Any]([call.account, kind])
    for name in ("customer", "payment_intent", "charge"):
        if given.get(name):
            where, values = f"{where} AND {name} = ?", [*values, given[name]]
    for name in ("type", "email", "payment_method"):
        if given.get(name):
            where, values = f"{where} AND json_extract(body, '$.{name}') = ?", [*values, given[name]]
    if given.get("types"):
        marks = ", ".join("?" * len(given["types"]))
        where, values = f"{where} AND json_extract(body, '$.type') IN ({marks})", [*values, *given["types"]]
    created = given.get("created")
    ranges = created.items() if isinstance(created, dict) else [("eq", created)] if created else []
    for name, moment in ranges:
        sign = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "="}.get(name)
        if sign is None or not str(moment).isdigit():
            raise refused("Invalid created filter", param="created", code="parameter_invalid_object")
        where, values = f"{where} AND created {sign} ?", [*values, int(moment)]
    backwards = bool(given.get("ending_before"))
    if given.get("starting_after"):
        where += " AND seq < ?"
        values.append(_position(call, kind, given["starting_after"], "starting_after"))
    if backwards:
        where += " AND seq > ?"
        values.append(_position(call, kind, given["ending_before"], "ending_before"))
    order = "ASC" if backwards else "DESC"
    rows = call.store.rows(f"SELECT body FROM objects WHERE {where} ORDER BY seq {order} LIMIT {limit + 1}", *values)
    more, rows = len(rows) > limit, rows[:limit]
    if backwards:
        rows.reverse()
    data = [public(json.loads(row["body"])) for row in rows]
    return {"object": "list", "data": data, "has_more": more, "url": URLS[kind]}


def search(call: Call, kind: str) -> dict[str, Any]:
    """Return the objects that fit a query such as ``metadata['payment']:'1' AND status:'succeeded'``.

    :raises ApiError: 400 for a query that cannot be read.
    """
    query, limit = call.params.get("query") or "", page_size(call.params)
    clauses, glue, rest = [], set(), query
    while True:
        found = CLAUSE.match(rest)
        if not found:
            raise refused(f"We were unable to parse your search query: {query}", param="query")
        clauses.append(_clause(call, kind, found))
        rest = rest[found.end() :]
        if not rest:
            break
        word = re.match(r"(AND|OR)\b", rest, re.IGNORECASE)
        glue.add(word[1].upper() if word else "AND")
        rest = rest[word.end() :] if word else rest
    if len(glue) > 1:
        raise refused("You cannot combine AND and OR in one query.", param="query")
    joined = (" OR " if glue == {"OR"} else " AND ").join(sql for sql, _ in clauses)
    values = [value for _, more in clauses for value in more]
    before = call.params.get("page")
    position = int(before) if before and before.isdigit() else 2**62
    rows = call.store.rows(
        f"SELECT seq, body FROM objects WHERE account = ? AND kind = ? AND seq < ? AND ({joined})"
        f" ORDER BY seq DESC LIMIT {limit + 1}",
        call.account,
        kind,
        position,
        *values,
    )
    more, rows = len(rows) > limit, rows[:limit]
    return {
        "object": "search_result",
        "data": [public(json.loads(row["body"])) for row in rows],
        "has_more": more,
        "next_page": str(rows[-1]["seq"]) if more else None,
        "url": f"{URLS[kind]}/search",
    }


def _clause(call: Call, kind: str, found: re.Match[str]) -> tuple[str, list[Any]]:
    negated, tag, field, sign, *texts = found.groups()
    value = next(text for text in texts if text is not None)
    negate = "NOT " if negated else ""
    if tag:
        wanted = "= ?" if sign == ":" else "LIKE '%' || ? || '%'"
        return (
            f"{negate}id IN (SELECT object FROM tags WHERE account = ? AND kind = ? AND name = ? AND value {wanted})",
            [call.account, kind, tag, value],
        )
    if field not in SEARCHABLE:
        raise refused(f"Field `{field}` is an unsupported search field for resource `{kind}s`.", param="query")
    if sign == "~":
        return f"{negate}json_extract(body, '$.{field}') LIKE '%' || ? || '%'", [value]
    if field in ("amount", "created"):
        if not value.isdigit():
            raise refused(f"Field `{field}` needs a number.", param="query")
        return f"{negate}json_extract(body, '$.{field}') {'=' if sign == ':' else sign} ?", [int(value)]
    return f"{negate}json_extract(body, '$.{field}') = ?", [value]


def expand(call: Call, body: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """Replace the ids that a request asked to expand by the objects.

    :raises ApiError: 400 for what cannot be expanded.
    """
    for path in paths:
        parts = path.split(".")
        if len(parts) > DEEPEST_EXPANSION:
            raise refused("You cannot expand more than 4 levels of a property.", param="expand")
        _expand(call, body, parts, path)
    return body


def _expand(call: Call, node: Any, parts: list[str], path: str) -> None:
    if isinstance(node, list):
        for one in node:
            _expand(call, one, parts, path)
        return
    if not parts or node is None:
        return
    name, *rest = parts
    if name == "refunds" and node.get("object") == "charge" and "refunds" not in node:
        refunds = [public(one) for one in reversed(call.store.every(call.account, "refund", charge=node["id"]))]
        node[name] = {"object": "list", "data": refunds, "has_more": False, "url": URLS["refund"]}
    if name not in node:
        raise refused(f"This property cannot be expanded ({path}).", param="expand")
    value = node[name]
    if isinstance(value, str):
        kind = PREFIXES.get(value.partition("_")[0])
        if kind is None:
            raise refused(f"This property cannot be expanded ({path}).", param="expand")
        found = call.find(kind, value)
        node[name] = public(found) if found else value
    _expand(call, node[name] if not isinstance(node[name], str) else None, rest, path)
