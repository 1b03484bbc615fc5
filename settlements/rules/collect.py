"""The Collect! form as a file: six bands of eleven fields and three per form, for the agency and for each client.

One CSV layout, a row per band (collect_csv), and one JSON layout (collect_json), both described in docs/rules.md.
Source: Collect!, Debtor Portal Payment Plan Rules; "Enable Overwrite" is on the client's form. Pure: texts in, forms or
faults out, and a file with a fault gives no forms.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from settlements.rules.bands import BAND_FIELDS, HIGHEST_CENTS, Band, RuleSet
from settlements.rules.drafts import BOUNDS, MOST_BANDS, check

MOST_BYTES = 8 * 2**20
MOST_LINES = 40_000
"""Six bands of more than six thousand clients: what a larger file would hold is not one agency's."""
MOST_FAULTS = 1_000

FORM_COLUMNS = {
    "client_number": "Client Number",
    "enable_rules": "Enable Rules",
    "enable_overwrite": "Enable Overwrite",
    "sif_plan_arrangement": "SIF Plan: Arrangement",
    "sif_plan_full_or_final": "SIF Plan: Full or Final",
}
BAND_COLUMNS = {
    "owing_from": "Owing From",
    "owing_to": "Owing To",
    "minimum_payment_dollar": "Minimum Payment Dollar",
    "minimum_payment_percentage": "Minimum Payment Percentage",
    "maximum_months_unsettled": "Maximum Months Unsettled",
    "minimum_months_before_offering_settlement": "Minimum Months Before Offering Settlement",
    "maximum_months_to_offer_settlement": "Maximum Months To Offer Settlement",
    "minimum_settlement_percentage": "Minimum Settlement Percentage",
    "maximum_months_settled": "Maximum Months Settled",
    "disable_cc": "Disable CC",
    "disable_ach": "Disable ACH",
}
BAND = "Band"
HEADER = (*FORM_COLUMNS.values(), BAND, *BAND_COLUMNS.values())
OURS = {
    "owing_from": "owing_from_cents",
    "owing_to": "owing_to_cents",
    "minimum_payment_dollar": "minimum_cents",
    "minimum_payment_percentage": "minimum_bps",
    "maximum_months_unsettled": "max_months_unsettled",
    "minimum_months_before_offering_settlement": "months_before_settlement",
    "maximum_months_to_offer_settlement": "months_until_settlement",
    "minimum_settlement_percentage": "minimum_settlement_bps",
    "maximum_months_settled": "max_months_settled",
    "disable_cc": "card_disabled",
    "disable_ach": "ach_disabled",
    "enable_rules": "enabled",
    "enable_overwrite": "replace_all",
    "sif_plan_arrangement": "sif_plan_arrangement",
    "sif_plan_full_or_final": "sif_plan_final",
}
"""Collect!'s names of the fields, and ours."""
FORM_FIELDS = {OURS[name] for name in FORM_COLUMNS if name in OURS}
THEIRS = {ours: theirs for theirs, ours in OURS.items()}
BEYOND = tuple(name for name in BAND_FIELDS if name not in THEIRS)
"""What a band of ours may say that the form does not know."""

SENTENCES = {
    "file_too_large": "The file is too large.",
    "too_many_lines": "The file has too many lines.",
    "too_many_errors": "There are more errors; these are the first.",
    "encoding_not_utf8": "The file is not a text in UTF-8.",
    "nul_byte": "The file has a character that no text has.",
    "file_empty": "The file is empty.",
    "csv_unreadable": "This line is not CSV: look for a quotation mark.",
    "json_unreadable": "The file is not JSON.",
    "json_key_twice": "A name is there twice in one object.",
    "not_an_object": "This is an object with names and values.",
    "not_a_list": "This is a list.",
    "column_missing": "This column is missing.",
    "column_unknown": "No column has this name.",
    "column_twice": "This column is there twice.",
    "cells_missing": "This row has fewer cells than the header.",
    "cells_too_many": "This row has more cells than the header.",
    "field_unknown": "No field has this name.",
    "field_missing": "This field is needed.",
    "amount_unreadable": "An amount is dollars with at most two decimals, like 1000.00.",
    "percent_unreadable": "A percent has at most two decimals, like 80.00.",
    "number_unreadable": "This is a whole number.",
    "flag_unreadable": "This is Y or N.",
    "code_looks_like_formula": "A code does not begin with =, +, - or @.",
    "text_unreadable": "This is a text.",
    "text_too_long": "This text is too long.",
    "text_unprintable": "This text has characters that cannot be shown.",
    "band_unknown": f"The bands are numbered from 1 to {MOST_BANDS}.",
    "band_twice": "This band of this form is there twice.",
    "band_missing": "This row has values of a band, but no number.",
    "form_differs": "This differs from the row above of the same form.",
    "form_twice": "This client's form is there twice.",
    "no_forms": "There is no form in the file.",
}
_AMOUNT = re.compile(r"-?(?:[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]{1,2})?")
_PERCENT = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,2})?%?")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_FLAGS = dict.fromkeys(("y", "yes", "true", "on", "1", "x"), True)
_FLAGS |= dict.fromkeys(("n", "no", "false", "off", "0"), False)


class Fault(NamedTuple):
    """Say where a file is wrong: the line (of CSV), the column or JSON pointer, a stable code and a sentence."""

    row: int | None
    field: str
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Form:
    """Hold one level's form, in our units; an empty client number is the agency's. None in a band says nothing.

    `unused` counts the bands of a file that were left out, all empty or zero.
    """

    client_number: str
    enabled: bool
    replace_all: bool
    sif_plan_arrangement: str
    sif_plan_final: str
    bands: tuple[dict[str, Any], ...]
    row: int | None = None
    field: str = ""
    unused: int = 0

    def used(self) -> "Form":
        """Leave out the bands that nobody filled in: Collect! shows all six, unused ones with zeros."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return Form(**said | {"bands": tuple(band for band in self.bands if any(band.values()))})

    @property
    def says(self) -> tuple:
        """Everything that the form says, to compare two of them."""
        names = ("client_number", "enabled", "replace_all", *sorted(FORM_FIELDS - {"enabled", "replace_all"}))
        return (*(getattr(self, name) for name in names), self.used().bands)


class Read(NamedTuple):
    """Give the forms of a file, or everything that is against it."""

    forms: tuple[Form, ...]
    faults: tuple[Fault, ...]


class Stop(Exception):
    """Nothing more of this file can be read."""


class Faults:
    """Collect what is wrong with a file, up to a limit."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, code: str, row: int | None = None, field: str = "", sentence: str = "") -> None:
        """Note a fault; :raises Stop: there are too many."""
        if len(self.found) >= MOST_FAULTS:
            self.found.append(Fault(None, "", "too_many_errors", SENTENCES["too_many_errors"]))
            raise Stop
        self.found.append(Fault(row, field, code, sentence or SENTENCES[code]))

    def stop(self, code: str, row: int | None = None, field: str = "") -> None:
        """Note a fault behind which nothing can be read; :raises Stop: always."""
        self.add(code, row, field)
        raise Stop


def text_of(body: str | bytes, faults: Faults) -> str:
    """Decode a file within its limits; :raises Stop: it is none that can be read."""
    if len(body) > MOST_BYTES:
        faults.stop("file_too_large")
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        text.encode("utf-8")
    except UnicodeError:
        faults.stop("encoding_not_utf8")
    text = text.removeprefix("\ufeff")
    if "\x00" in text:
        faults.stop("nul_byte", text[: text.index("\x00")].count("\n") + 1)
    if max(text.count("\n"), text.count("\r")) > MOST_LINES:
        faults.stop("too_many_lines")
    if not text.strip():
        faults.stop("file_empty")
    return text


def read(body: str | bytes, readers: Callable[[str, Faults], list[Form]]) -> Read:
    """Read a file by the reader of its layout: all its forms, or all its faults."""
    faults = Faults()
    forms: list[Form] = []
    try:
        forms = readers(text_of(body, faults), faults)
        if not forms and not faults.found:
            faults.add("no_forms")
    except Stop:
        pass
    return Read((), tuple(faults.found)) if faults.found else Read(tuple(forms), ())


def client_number(said: str, row: int | None, field: str, faults: Faults) -> str | None:
    """Take a client's number as it is written, if it can be one."""
    if len(said) > 40:
        return faults.add("text_too_long", row, field)
    if not said.isprintable():
        return faults.add("text_unprintable", row, field)
    return said


class Place(NamedTuple):
    """Name the line and the field of a cell: of the form (index None) or of a band."""

    row_of: Callable[[int | None], int | None]
    field_of: Callable[[int | None, str], str]

    def at(self, index: int | None, name: str) -> tuple[int | None, str]:
        return self.row_of(index), self.field_of(index, name)


def form_of_cells(
    client: str, said: Mapping[str, str | None], rows: Sequence[Mapping[str, str | None]], place: Place, faults: Faults
) -> Form:
    """Read the cells of one form; what cannot be read or is out of range is noted, once. None is noted already."""
    values = {OURS[name]: _value(name, said[name], None, place, faults) for name in FORM_COLUMNS if name in OURS}
    bands = [
        {OURS[name]: _value(name, row[name], index, place, faults) for name in BAND_COLUMNS}
        for index, row in enumerate(rows)
    ]
    used = [index for index, band in enumerate(bands) if any(band.values())]
    taken = [{name: value for name, value in bands[index].items() if value is not None} for index in used]
    for refusal in check(values, taken, of_client=bool(client)).refusals:
        *_bands, number, name = refusal.field.split("/")
        index = used[int(number)] if number.isdigit() else None
        faults.add(refusal.code, *place.at(index, THEIRS.get(name, "bands")), refusal.sentence)
    return Form(
        client,
        **values,
        bands=tuple(taken),
        row=place.row_of(None),
        field=place.field_of(None, "client_number"),
        unused=len(bands) - len(used),
    )


def _value(name: str, said: str | None, index: int | None, place: Place, faults: Faults) -> Any:
    """Read one cell; a blank one of a band says nothing. What cannot be read stands as something harmless."""
    kind = KINDS.get(name, "text")
    harmless = {"enable_rules": True, "enable_overwrite": False, "owing_from": 0, "owing_to": HIGHEST_CENTS}.get(name)
    if said is None:
        return harmless
    if kind == "text":
        return " ".join(said.split())
    if not said:
        if name == "enable_rules":
            faults.add("field_missing", *place.at(index, name))
        return harmless if OURS[name] not in BOUNDS else None
    found = _READERS[kind](said)
    if found is None:
        faults.add(UNREADABLE[kind], *place.at(index, name))
        return harmless
    return found


def _hundredths(pattern: re.Pattern[str], said: str) -> int | None:
    if not pattern.fullmatch(said):
        return None
    whole, _point, decimals = said.rstrip("%").replace(",", "").partition(".")
    return int(whole + decimals.ljust(2, "0"))


_READERS: dict[str, Callable[[str], Any]] = {
    "amount": lambda said: _hundredths(_AMOUNT, said),
    "percent": lambda said: _hundredths(_PERCENT, said),
    "number": lambda said: int(said) if _NUMBER.fullmatch(said) else None,
    "flag": lambda said: _FLAGS.get(said.lower()),
}
KINDS = {
    "owing_from": "amount",
    "owing_to": "amount",
    "minimum_payment_dollar": "amount",
    "minimum_payment_percentage": "percent",
    "minimum_settlement_percentage": "percent",
    "disable_cc": "flag",
    "disable_ach": "flag",
    "enable_rules": "flag",
    "enable_overwrite": "flag",
} | {name: "number" for name in BAND_COLUMNS if "months" in name}
UNREADABLE = {
    "amount": "amount_unreadable",
    "percent": "percent_unreadable",
    "number": "number_unreadable",
    "flag": "flag_unreadable",
    "text": "text_unreadable",
}


def form_of_rules(client: str, rules: RuleSet) -> Form:
    """Write a rule set as a form; what the form does not know is left out, and so is a band without a range."""
    known = [name for name in OURS.values() if name not in FORM_FIELDS]
    bands = [{name: value for name in known if (value := getattr(band, name)) is not None} for band in rules.bands]
    return Form(
        client,
        enabled=rules.enabled,
        replace_all=rules.replace_all,
        sif_plan_arrangement=rules.sif_plan_arrangement or "",
        sif_plan_final=rules.sif_plan_final or "",
        bands=tuple(bands),
    ).used()


class Loss(NamedTuple):
    """Name what a band of ours says beyond the form and no band of the form keeps; `too_low`: for its new minimum."""

    band: Band
    name: str
    value: Any
    too_low: bool


def carry_over(bands: Sequence[Mapping[str, Any]], before: Sequence[Band]) -> tuple[list[dict[str, Any]], list[Loss]]:
    """Give the bands of a form with what ours have beyond it, and all that is lost.

    Each takes it from the band of ours that it has most in common with, so that nothing is lost where bounds only move.
    An offered percent below the form's minimum is none.
    """
    carried = []
    for band in bands:
        ours = max(before, key=lambda one: _likeness(band, one), default=None)
        kept = {} if ours is None or not _likeness(band, ours) else {name: getattr(ours, name) for name in BEYOND}
        carried.append({name: value for name, value in kept.items() if value is not None} | dict(band))
        if 0 < carried[-1].get("offered_settlement_bps", 0) < carried[-1].get("minimum_settlement_bps", 0):
            del carried[-1]["offered_settlement_bps"]
    lost = []
    for one in before:
        near = [band for band in carried if _likeness(band, one)]
        for name in BEYOND:
            value = getattr(one, name)
            if value is not None and all(band.get(name) != value for band in near):
                below = any(value < band.get("minimum_settlement_bps", 0) for band in near)
                lost.append(Loss(one, name, value, name == "offered_settlement_bps" and below))
    return carried, lost


def _likeness(band: Mapping[str, Any], ours: Band) -> float:
    """Give the share of balances that two bands have in common, of all that either has: 1 for the same bounds."""
    low, high = (band[name] for name in BOUNDS)
    common = min(high, ours.owing_to_cents) - max(low, ours.owing_from_cents) + 1
    either = max(high, ours.owing_to_cents) - min(low, ours.owing_from_cents) + 1
    return max(common, 0) / either
