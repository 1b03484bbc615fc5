"""Tell everything that is wrong with a mapping before anything is read by it."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from integrations.formats import sources
from integrations.formats.values import KINDS
from integrations.hosts import FieldError
from integrations.hosts.scollect import ACCOUNT, PERSON

NEEDED = tuple(one.path for one in (*ACCOUNT, *PERSON) if one.required and one.name != "as_of")
"""Of a whole account, its number first; a record without a time is as old as its file."""
SHAPES = ("csv", "fixed", "json")
ENCODINGS = ("utf-8", "cp1252", "latin-1", "ascii")
_TOP = {"shape", "delimiter", "encoding", "header", "columns", "list", "fields", "phones", "emails", "skip_when"}
_TOP |= {"only", "skip_lines"}
_FIELD = {
    "to",
    "from",
    "with",
    "constant",
    "split",
    "part",
    "map",
    "else",
    "as",
    "format",
    "when",
    "required",
    "default",
}
_FIELD |= {"optional"}
_COLUMN = ("text", "cents", "date")
_MOST = 400
_MOST_SKIPPED = 10_000
_SOME_DAY = datetime(2026, 2, 28)  # noqa: DTZ001 - a day, not a moment


def check(mapping: Any, *, outgoing: bool = False, whole: bool = False) -> list[FieldError]:
    """Tell everything that is wrong with a mapping; empty: it can be used.

    :param whole: it makes whole accounts, so all that a record must have goes somewhere.
    """
    errors: list[FieldError] = []

    def wrong(pointer: str, code: str, message: str) -> None:
        errors.append(FieldError(pointer, code, message))

    if not isinstance(mapping, dict):
        return [FieldError("", "invalid_mapping", "A mapping is a JSON object.")]
    for name in sorted(set(mapping) - _TOP):
        wrong(f"/{name}", "unknown_name", f"There is no {name}: known are {', '.join(sorted(_TOP))}.")
    if mapping.get("shape", "csv") not in SHAPES:
        wrong("/shape", "invalid_choice", f"One of {', '.join(SHAPES)}.")
    if mapping.get("encoding", "utf-8") not in ENCODINGS:
        wrong("/encoding", "invalid_choice", f"One of {', '.join(ENCODINGS)}.")
    delimiter = mapping.get("delimiter", ",")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        wrong("/delimiter", "invalid_choice", "One character, no quote and no line end.")
    if not isinstance(mapping.get("list", ""), str):
        wrong("/list", "invalid_text", "The name of a list.")
    if not _is_number(mapping.get("skip_lines", 0), _MOST_SKIPPED):
        wrong("/skip_lines", "invalid_number", f"A whole number from 0 to {_MOST_SKIPPED}.")
    if not isinstance(mapping.get("skip_when", {}), dict):
        wrong("/skip_when", "invalid_map", "Column -> words.")
    if not _are_texts(mapping.get("only", [])):
        wrong("/only", "invalid_list", "A list of events.")
    _check_columns(mapping, wrong, outgoing=outgoing)
    if outgoing:
        return errors
    fields = mapping.get("fields")
    if not isinstance(fields, list) or not fields or len(fields) > _MOST:
        wrong("/fields", "required", f"A list of 1 to {_MOST} fields.")
        return errors
    for index, spec in enumerate(fields):
        _check_field(spec, f"/fields/{index}", wrong)
    targets = _check_targets(fields, "fields", "to", wrong)
    for name in NEEDED if whole else NEEDED[:1]:
        if name not in targets:
            wrong("/fields", "required", f"One of the fields goes to {name}.")
    for name in ("phones", "emails"):
        _check_contacts(mapping.get(name, []), f"/{name}", wrong)
    return errors


def _is_number(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _check_targets(specs: list, at: str, key: str, wrong: Callable) -> set[str]:
    """Give the places that are written to; none may lie in another one, which holds a value and not a part."""
    places = [spec.get(key) if isinstance(spec, dict) else None for spec in specs]
    targets = {place for place in places if isinstance(place, str)}
    for index, place in enumerate(places):
        steps = place.split("/") if isinstance(place, str) else []
        if held := next((way for end in range(1, len(steps)) if (way := "/".join(steps[:end])) in targets), ""):
            wrong(f"/{at}/{index}/{key}", "target_conflict", f"{held} is a value here, and not a part.")
    return targets


def _check_contacts(specs: Any, at: str, wrong: Callable) -> None:
    if not isinstance(specs, list):
        wrong(at, "invalid_list", "A list of columns.")
        return
    for index, spec in enumerate(specs):
        if not isinstance(spec, dict) or not isinstance(spec.get("from"), str):
            wrong(f"{at}/{index}", "required", "Each says its column as “from”.")
        elif not isinstance(spec.get("when", {}), dict):
            wrong(f"{at}/{index}/when", "invalid_map", "Column -> words.")


def _check_format(spec: dict, at: str, wrong: Callable) -> None:
    """A date's format must read what it writes; with an amount it is the mark before its decimals."""
    said = spec.get("format", "")
    fine = isinstance(said, str)
    if fine and said and spec.get("as") == "date":
        try:
            datetime.strptime(_SOME_DAY.strftime(said), said)  # noqa: DTZ007 - a day, not a moment
        except (ValueError, re.error):
            fine = False
    if not fine:
        wrong(f"{at}/format", "invalid_format", "For a date as in %m/%d/%Y.")


def _check_columns(mapping: dict, wrong: Callable, *, outgoing: bool) -> None:
    columns = mapping.get("columns")
    shape, header = mapping.get("shape", "csv"), mapping.get("header", True)
    if outgoing:
        fine = isinstance(columns, list) and all(
            isinstance(one, dict) and isinstance(one.get("name"), str) and ("constant" in one or "from" in one)
            for one in columns
        )
        if not fine or not columns:
            wrong("/columns", "required", "A list of columns, each with a name and “from” or a constant.")
            return
        for index, column in enumerate(columns):
            _check_column(column, f"/columns/{index}", wrong)
        if shape == "json":
            _check_targets(columns, "columns", "name", wrong)
    if shape == "fixed":
        fine = isinstance(columns, list) and all(
            isinstance(one, dict)
            and isinstance(one.get("at"), int)
            and isinstance(one.get("to"), int)
            and 1 <= one["at"] <= one["to"] <= 10_000
            and isinstance(one.get("name"), str)
            for one in columns
        )
        if not fine or not columns:
            wrong("/columns", "required", "Each column has a name and stands at..to, counted from 1.")
    elif shape == "csv" and not header and not outgoing:
        fine = isinstance(columns, list) and columns and all(isinstance(one, str) for one in columns)
        if not fine:
            wrong("/columns", "required", "Without a header, name the columns in their order.")


def _check_column(column: dict, at: str, wrong: Callable) -> None:
    if "constant" not in column and not isinstance(column["from"], str):
        wrong(f"{at}/from", "required", "A path in the event, or a constant.")
    if column.get("as", "text") not in _COLUMN:
        wrong(f"{at}/as", "invalid_choice", f"One of {', '.join(_COLUMN)}.")
    if not isinstance(column.get("map", {}), dict):
        wrong(f"{at}/map", "invalid_map", "Word -> value.")
    if not isinstance(fill := column.get("fill", " "), str) or len(fill) != 1:
        wrong(f"{at}/fill", "invalid_choice", "One character.")
    _check_format(column, at, wrong)


def _check_field(spec: Any, at: str, wrong: Callable) -> None:
    if not isinstance(spec, dict) or not isinstance(spec.get("to"), str) or not spec["to"]:
        wrong(at, "required", "Each field says where it goes as “to”.")
        return
    for name in sorted(set(spec) - _FIELD):
        wrong(f"{at}/{name}", "unknown_name", f"There is no {name}: known are {', '.join(sorted(_FIELD))}.")
    if "constant" not in spec and not (sources(spec) and all(isinstance(name, str) for name in sources(spec))):
        wrong(f"{at}/from", "required", "A column, a list of columns, or a constant.")
    if spec.get("as", "text") not in tuple(KINDS):
        wrong(f"{at}/as", "invalid_choice", f"One of {', '.join(KINDS)}.")
    if not isinstance(spec.get("map", {}), dict):
        wrong(f"{at}/map", "invalid_map", "Word -> value.")
    if not isinstance(spec.get("when", {}), dict):
        wrong(f"{at}/when", "invalid_map", "Column -> words.")
    if not isinstance(spec.get("with", ""), str):
        wrong(f"{at}/with", "invalid_text", "The text between several columns.")
    _check_format(spec, at, wrong)
    if "split" in spec and not (isinstance(spec["split"], str) and spec["split"]):
        wrong(f"{at}/split", "required", "The text at which to split.")
    if not isinstance(spec.get("part", 0), int):
        wrong(f"{at}/part", "invalid_number", "A whole number; -1 is the last part.")
