"""The Collect! forms as CSV: a header and a row per band, the form's own cells repeated in each row of it."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from settlements.rules import collect
from settlements.rules.collect import BAND_COLUMNS, FORM_COLUMNS, KINDS, OURS, Faults, Form, Place, Read
from settlements.rules.drafts import FORMULAS, MOST_BANDS

BAND = "Band"
TITLES = FORM_COLUMNS | {BAND: BAND} | BAND_COLUMNS
_CODES = ("client_number", "sif_plan_arrangement", "sif_plan_full_or_final")


class Row(NamedTuple):
    """Hold one row: where it begins, which band it is, what its cells say by our name of the column."""

    line: int
    number: int | None
    cells: dict[str, str]


def read_csv(body: str | bytes) -> Read:
    """Read a CSV file of forms, in the order of their first rows."""
    return collect.read(body, _read)


def _read(text: str, faults: Faults) -> list[Form]:
    rows = _rows(csv.reader(io.StringIO(text, newline=""), strict=True), faults)
    line, header = next(rows, (1, []))
    names = _columns(header, line, faults)
    forms: dict[str, list[Row]] = {}
    for line, cells in rows:
        if len(cells) != len(names):
            faults.add("cells_missing" if len(cells) < len(names) else "cells_too_many", line)
            continue
        row = dict(zip(names, (cell.strip() for cell in cells), strict=True))
        codes = {name: _code(row[name], line, name, faults) for name in _CODES}
        client = codes["client_number"]
        if client is not None:
            client = collect.client_number(client, line, TITLES["client_number"], faults)
        if client is not None:
            forms.setdefault(client, []).append(Row(line, _band_number(row, line, faults), row | codes))
    return [_form(client, found, faults) for client, found in forms.items()]


def _rows(reader: Any, faults: Faults) -> Iterator[tuple[int, list[str]]]:
    """Give each row that is not blank with the line it begins on."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            faults.stop("csv_unreadable", line)
        if any(cell.strip() for cell in cells):
            yield line, cells


def _columns(header: list[str], line: int, faults: Faults) -> list[str]:
    known = {title.lower(): name for name, title in TITLES.items()}
    titles = [" ".join(cell.split()) for cell in header]
    names = [known.get(title.lower(), "") for title in titles]
    for title, name in zip(titles, names, strict=True):
        if not name:
            faults.add("column_unknown", line, title[:60])
    for name, title in TITLES.items():
        if names.count(name) != 1:
            faults.add("column_missing" if name not in names else "column_twice", line, title)
    if faults.found:
        raise collect.Stop
    return names


def _code(cell: str, line: int, name: str, faults: Faults) -> str | None:
    """Read a code; the apostrophe that keeps a spreadsheet from running it is not part of it."""
    if cell.startswith(FORMULAS):
        return faults.add("code_looks_like_formula", line, TITLES[name])
    return cell.removeprefix("'")


def _band_number(row: dict[str, str], line: int, faults: Faults) -> int | None:
    said = row[BAND]
    if not said:
        if any(row[name] for name in BAND_COLUMNS):
            faults.add("band_missing", line, BAND)
        return None
    if not re.fullmatch(r"[0-9]{1,3}", said) or not 1 <= int(said) <= MOST_BANDS:
        return faults.add("band_unknown", line, BAND)
    return int(said)


def _form(client: str, rows: list[Row], faults: Faults) -> Form:
    first = rows[0]
    seen: set[int] = set()
    for row in rows:
        for name in FORM_COLUMNS:
            if row.cells[name] != first.cells[name]:
                faults.add("form_differs", row.line, TITLES[name])
        if row.number in seen:
            faults.add("band_twice", row.line, BAND)
        if row.number is not None:
            seen.add(row.number)
    bands = sorted((row for row in rows if row.number is not None), key=lambda row: row.number)
    place = Place(
        row_of=lambda index: first.line if index is None else bands[index].line,
        field_of=lambda _index, name: TITLES[name],
    )
    return collect.form_of_cells(client, first.cells, [row.cells for row in bands], place, faults)


def write_csv(forms: Iterable[Form]) -> str:
    """Write forms as CSV; a form without bands is one row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(TITLES.values())
    for form in forms:
        own = [_safe(form.client_number), *(_cell(form, name) for name in FORM_COLUMNS if name in OURS)]
        if not form.bands:
            writer.writerow([*own, "", *("" for _name in BAND_COLUMNS)])
        for number, band in enumerate(form.bands, start=1):
            writer.writerow([*own, number, *(_shown(KINDS[name], band.get(OURS[name])) for name in BAND_COLUMNS)])
    return text.getvalue()


def _cell(form: Form, name: str) -> str:
    value = getattr(form, OURS[name])
    return _safe(value) if name in _CODES else _shown(KINDS[name], value)


def _safe(code: str) -> str:
    """Keep a spreadsheet from running a code."""
    return f"'{code}" if code.startswith((*FORMULAS, "'")) else code


def _shown(kind: str, value: Any) -> str:
    if value is None:
        return ""
    if kind == "flag":
        return "Y" if value else "N"
    return str(value) if kind == "number" else hundredths(value)


def hundredths(value: int) -> str:
    """Write cents as dollars, or basis points as a percent: 80.00."""
    return f"{value // 100}.{value % 100:02d}"
