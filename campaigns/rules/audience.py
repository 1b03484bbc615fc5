"""Whom a campaign is for, as data that staff and hosts write; checked here, read as SQL in services/audience.py."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from accounts.refusals import Refusal, gettext_noop, refuse

LANGUAGES = ("en", "es")
MOST_DAYS = 3_650
MOST_CENTS = 999_999_999_00
_S = {
    "unknown": gettext_noop("There is no such filter: %(name)s."),
    "not_a_number": gettext_noop("Write a whole number from %(least)s to %(most)s."),
    "not_a_list": gettext_noop("Write a list."),
    "not_a_state": gettext_noop("Write states by their two letters."),
    "not_a_language": gettext_noop("The languages are en and es."),
    "not_an_id": gettext_noop("Write an id as we gave it."),
    "not_a_choice": gettext_noop("Write true or false."),
    "empty_range": gettext_noop("The range is empty."),
}
NUMBERS = {
    "balance_from_cents": MOST_CENTS,
    "balance_to_cents": MOST_CENTS,
    "listed_from_days": MOST_DAYS,
    "listed_to_days": MOST_DAYS,
    "quiet_days": MOST_DAYS,
    "abandoned_days": MOST_DAYS,
}
LISTS = ("clients", "states", "languages", "statuses")
CHOICES = ("has_offer", "list", "joined")
"""`joined`: a standing campaign, for the accounts whose host's file names it (services/joining.py)."""
IDS = ("opened_not_paid",)


def check(said: Mapping[str, Any]) -> list[Refusal]:
    """List what is wrong with a filter."""
    found: list[Refusal] = []
    for name, value in said.items():
        if name in NUMBERS:
            if type(value) is not int or not 0 <= value <= NUMBERS[name]:
                found.append(_no("not_a_number", name, least=0, most=NUMBERS[name]))
        elif name in LISTS:
            found += _list(name, value)
        elif name in CHOICES:
            found += [] if type(value) is bool else [_no("not_a_choice", name)]
        elif name in IDS:
            found += [] if _is_id(value) else [_no("not_an_id", name)]
        else:
            found.append(_no("unknown", name, name=str(name)[:40]))
    for low, high in (("balance_from_cents", "balance_to_cents"), ("listed_from_days", "listed_to_days")):
        if not found and said.get(low, 0) > said.get(high, NUMBERS[high]):
            found.append(_no("empty_range", high))
    return found


def _list(name: str, value: Any) -> list[Refusal]:
    if not isinstance(value, list | tuple) or len(value) > 1_000:
        return [_no("not_a_list", name)]
    right, code = {
        "clients": (_is_id, "not_an_id"),
        "states": (lambda one: isinstance(one, str) and re.fullmatch("[A-Z]{2}", one), "not_a_state"),
        "languages": (lambda one: one in LANGUAGES, "not_a_language"),
        "statuses": (lambda one: isinstance(one, str) and len(one) <= 12, "not_a_list"),
    }[name]
    return [] if all(right(one) for one in value) else [_no(code, name)]


def _is_id(value: Any) -> bool:
    try:
        return bool(uuid.UUID(str(value)))
    except ValueError:
        return False


def _no(code: str, field: str, **params: object) -> Refusal:
    return refuse(_S[code], code, field=field, **params)
