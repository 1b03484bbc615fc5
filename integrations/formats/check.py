"""Tell everything that is wrong with a mapping before anything is read by it."""

from collections.abc import Callable
from typing import Any

from integrations.formats import sources
from integrations.formats.values import KINDS
from integrations.hosts import FieldError

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
_MOST = 400


def check(mapping: Any, *, outgoing: bool = False) -> list[FieldError]:
    """Tell everything that is wrong with a mapping; empty: it can be used."""
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
    if not isinstance(delimiter := mapping.get("delimiter", ","), str) or len(delimiter) != 1:
        wrong("/delimiter", "invalid_choice", "One character.")
    _check_columns(mapping, wrong, outgoing=outgoing)
    if outgoing:
        return errors
    fields = mapping.get("fields")
    if not isinstance(fields, list) or not fields or len(fields) > _MOST:
        wrong("/fields", "required", f"A list of 1 to {_MOST} fields.")
        return errors
    for index, spec in enumerate(fields):
        _check_field(spec, f"/fields/{index}", wrong)
    targets = {spec.get("to") for spec in fields if isinstance(spec, dict)}
    if "FileNumber" not in targets:
        wrong("/fields", "required", "One of the fields goes to FileNumber.")
    for name in ("phones", "emails"):
        for index, spec in enumerate(mapping.get(name) or []):
            if not isinstance(spec, dict) or not isinstance(spec.get("from"), str):
                wrong(f"/{name}/{index}", "required", "Each says its column as “from”.")
    return errors


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


def _check_field(spec: Any, at: str, wrong: Callable) -> None:
    if not isinstance(spec, dict) or not isinstance(spec.get("to"), str) or not spec["to"]:
        wrong(at, "required", "Each field says where it goes as “to”.")
        return
    for name in sorted(set(spec) - _FIELD):
        wrong(f"{at}/{name}", "unknown_name", f"There is no {name}: known are {', '.join(sorted(_FIELD))}.")
    if "constant" not in spec and not (sources(spec) and all(isinstance(name, str) for name in sources(spec))):
        wrong(f"{at}/from", "required", "A column, a list of columns, or a constant.")
    if spec.get("as", "text") not in KINDS:
        wrong(f"{at}/as", "invalid_choice", f"One of {', '.join(KINDS)}.")
    if not isinstance(spec.get("map", {}), dict):
        wrong(f"{at}/map", "invalid_map", "Word -> value.")
    if not isinstance(spec.get("when", {}), dict):
        wrong(f"{at}/when", "invalid_map", "Column -> words.")
    if "split" in spec and not (isinstance(spec["split"], str) and spec["split"]):
        wrong(f"{at}/split", "required", "The text at which to split.")
    if not isinstance(spec.get("part", 0), int):
        wrong(f"{at}/part", "invalid_number", "A whole number; -1 is the last part.")
