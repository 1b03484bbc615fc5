"""The Collect! forms as JSON: amounts and percents are texts with two decimals, months numbers, null says nothing."""

import json
from collections.abc import Iterable
from typing import Any

from settlements.rules import collect
from settlements.rules.collect import BAND_COLUMNS, FORM_COLUMNS, KINDS, OURS, UNREADABLE, Faults, Form, Place, Read
from settlements.rules.collect_csv import hundredths


def read_json(body: str | bytes) -> Read:
    """Read a JSON file of forms; the field of a fault is a JSON pointer like /forms/0/bands/2/owing_to."""
    return collect.read(body, _read)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise KeyError
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _read(text: str, faults: Faults) -> list[Form]:
    try:
        body = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except KeyError:
        faults.stop("json_key_twice")
    except (ValueError, RecursionError):
        faults.stop("json_unreadable")
    if not isinstance(body, dict):
        faults.stop("not_an_object")
    _unknown(body, {"forms"}, "", faults)
    if not isinstance(body.get("forms"), list):
        faults.stop("not_a_list", field="/forms")
    found = [_form(said, f"/forms/{index}", faults) for index, said in enumerate(body["forms"])]
    seen: set[str] = set()
    for form in found:
        if form and form.client_number in seen:
            faults.add("form_twice", field=form.field)
        seen |= {form.client_number} if form else set()
    return [form for form in found if form]


def _form(said: Any, at: str, faults: Faults) -> Form | None:
    if not isinstance(said, dict):
        return faults.add("not_an_object", field=at)
    _unknown(said, {*FORM_COLUMNS, "bands"}, at, faults)
    bands = said.get("bands", [])
    if not isinstance(bands, list):
        return faults.add("not_a_list", field=f"{at}/bands")
    rows = []
    for index, band in enumerate(bands):
        if not isinstance(band, dict):
            faults.add("not_an_object", field=f"{at}/bands/{index}")
            continue
        _unknown(band, set(BAND_COLUMNS), f"{at}/bands/{index}", faults)
        rows.append((index, {name: _cell(name, band, f"{at}/bands/{index}", faults) for name in BAND_COLUMNS}))
    form = {name: _cell(name, said, at, faults) for name in FORM_COLUMNS}
    if form["client_number"] is None:
        return None
    client = collect.client_number(form["client_number"], None, f"{at}/client_number", faults)
    if client is None:
        return None

    def field_of(row: int | None, name: str) -> str:
        return f"{at}/{name}" if row is None else f"{at}/bands/{rows[row][0]}/{name}"

    place = Place(row_of=lambda _row: None, field_of=field_of)
    return collect.form_of_cells(client, form, [row for _index, row in rows], place, faults)


def _unknown(said: dict[str, Any], known: set[str], at: str, faults: Faults) -> None:
    for name in said:
        if name not in known:
            shown = name[:40].encode("utf-8", "replace").decode()
            faults.add("field_unknown", field=f"{at}/{shown.replace('~', '~0').replace('/', '~1')}")


def _cell(name: str, said: dict[str, Any], at: str, faults: Faults) -> str | None:
    """Give a value as the text of a cell; None where it was of the wrong type, which is noted."""
    value, kind = said.get(name), KINDS.get(name, "text")
    if value is None:
        return ""
    if isinstance(value, bool):
        if kind == "flag":
            return "Y" if value else "N"
    elif (isinstance(value, int) and kind == "number") or (isinstance(value, str) and kind not in ("flag", "number")):
        return str(value).strip()
    return faults.add(UNREADABLE[kind], field=f"{at}/{name}")


def write_json(forms: Iterable[Form]) -> dict[str, Any]:
    """Write forms as what JSON is made of."""
    return {"forms": [_written(form) for form in forms]}


def _written(form: Form) -> dict[str, Any]:
    own = {name: getattr(form, OURS[name]) for name in FORM_COLUMNS if name in OURS}
    bands = [{name: _shown(KINDS[name], band.get(OURS[name])) for name in BAND_COLUMNS} for band in form.bands]
    return {"client_number": form.client_number or None, **own, "bands": bands}


def _shown(kind: str, value: Any) -> Any:
    return hundredths(value) if value is not None and kind in ("amount", "percent") else value
