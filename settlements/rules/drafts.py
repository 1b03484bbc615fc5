"""What may be written into a draft of a rule set: every field of the form and of its bands, all refusals at once.

Gaps and overlaps of bands are not refused: they have a meaning, and staff see it before they publish.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from accounts.refusals import Refusal, refuse
from settlements.rules.bands import BAND_FIELDS, CONVERSIONS, FORM_FIELDS, HIGHEST_CENTS
from settlements.rules.offers import MOST_DAYS, MOST_MONTHS, MOST_PAYMENTS

MOST_BANDS = 60
REINSTATES = ("balance", "rest")
SWITCHES = ("enabled", "is_master", "replace_all")
WRITABLE = (*SWITCHES, *FORM_FIELDS, "note")
BOUNDS = ("owing_from_cents", "owing_to_cents")

_WHOLE = 100_00
_YEAR = 365
_RANGES = {
    "max_months_unsettled": MOST_MONTHS,
    "max_months_settled": MOST_MONTHS,
    "months_before_settlement": MOST_MONTHS,
    "months_until_settlement": MOST_MONTHS,
    "max_payments": MOST_PAYMENTS,
    "max_days": MOST_DAYS,
    "latest_first_days": _YEAR,
    "grace_days": _YEAR,
    "failures_to_break": 99,
    "promise_days": _YEAR,
    "breach_cure_days": _YEAR,
    "max_changes": 99,
}
"""The most that a whole number may be; the least is 0."""
_LENGTHS = {"sif_plan_arrangement": 20, "sif_plan_final": 20, "note": 300}
_SENTENCES = {
    "field_unknown": "A rule set has no field %(name)s.",
    "field_missing": "This field is needed.",
    "not_yes_or_no": "This is yes or no.",
    "not_a_text": "This is a text.",
    "not_a_whole_number": "This is a whole number, without decimals.",
    "number_out_of_range": "This is a number from 0 to %(most)s.",
    "amount_negative": "An amount is never negative.",
    "amount_too_large": "An amount is at most %(most_cents)s.",
    "percent_out_of_range": "A percent is from 0 to 100.",
    "text_too_long": "This text has at most %(most)s characters.",
    "text_unprintable": "This text has characters that cannot be shown.",
    "code_looks_like_formula": "A contact plan's code does not begin with =, +, - or @.",
    "conversion_unknown": "The minimum per period is annual or half_month.",
    "breach_unknown": "After a broken settlement the balance or the rest is owed.",
    "replace_all_at_agency": "Only a client's rule set can replace another one.",
    "master_at_client": "Only the agency's rule set can be the master switch.",
    "bands_not_a_list": "The bands are a list.",
    "band_not_an_object": "A band has names and values.",
    "too_many_bands": "A rule set has at most %(most)s bands.",
    "band_reversed": "A band ends where it begins or above.",
    "offered_below_minimum": "The offered percent is at least the minimum settlement percent.",
    "window_never_open": "Settlements end after they begin.",
}
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""


class Draft(NamedTuple):
    """Give what may be written, or everything that is against it; `values` holds only what was said."""

    values: dict[str, Any]
    bands: list[dict[str, Any]]
    refusals: list[Refusal]


Add = Callable[..., None]


def check(values: Mapping[str, Any], bands: Sequence[Mapping[str, Any]], *, of_client: bool) -> Draft:
    """Read the fields of a form and its bands; the field of a refusal is a JSON pointer like /bands/2/owing_to_cents.

    Amounts are whole cents, percents whole basis points, None (or a field left out of a band) says nothing.
    """
    found: list[Refusal] = []

    def no(code: str, field: str, **params: Any) -> None:
        found.append(refuse(_SENTENCES[code], code, field=field, **params))

    written = {name: _read(name, value, f"/{_escaped(name)}", no) for name, value in values.items()}
    if written.get("replace_all") is True and not of_client:
        no("replace_all_at_agency", "/replace_all")
    if written.get("is_master") is True and of_client:
        no("master_at_client", "/is_master")
    if isinstance(bands, str | bytes | Mapping) or not isinstance(bands, Sequence):
        no("bands_not_a_list", "/bands")
        bands = []
    if len(bands) > MOST_BANDS:
        no("too_many_bands", "/bands", most=MOST_BANDS)
        bands = []
    rows = [_band(band, f"/bands/{index}", no) for index, band in enumerate(bands)]
    return Draft({}, [], found) if found else Draft(written, rows, [])


def _band(band: Any, at: str, no: Add) -> dict[str, Any]:
    if not isinstance(band, Mapping):
        no("band_not_an_object", at)
        return {}
    row: dict[str, Any] = {}
    for name, value in band.items():
        if name not in BOUNDS and name not in BAND_FIELDS:
            no("field_unknown", f"{at}/{_escaped(name)}", name=_shown(name))
        elif value is not None:
            row[name] = _number_or_flag(name, value, f"{at}/{name}", no)
    for name in BOUNDS:
        if name not in row:
            no("field_missing", f"{at}/{name}")

    def said(name: str) -> int:
        return row.get(name) or 0

    if all(row.get(name) is not None for name in BOUNDS) and said("owing_to_cents") < said("owing_from_cents"):
        no("band_reversed", f"{at}/owing_to_cents")
    if 0 < said("offered_settlement_bps") < said("minimum_settlement_bps"):
        no("offered_below_minimum", f"{at}/offered_settlement_bps")
    if 0 < said("months_until_settlement") <= said("months_before_settlement"):
        no("window_never_open", f"{at}/months_until_settlement")
    return row


def _read(name: str, value: Any, at: str, no: Add) -> Any:
    if name not in WRITABLE:
        return no("field_unknown", at, name=_shown(name))
    if name in SWITCHES:
        return value if isinstance(value, bool) else no("not_yes_or_no", at)
    if name in _RANGES:
        return None if value is None else _number_or_flag(name, value, at, no)
    return _text(name, "" if value is None else value, at, no)


def _text(name: str, value: Any, at: str, no: Add) -> str | None:
    if not isinstance(value, str):
        return no("not_a_text", at)
    value = " ".join(value.split())
    if name == "conversion":
        return value if value in ("", *CONVERSIONS) else no("conversion_unknown", at)
    if name == "breach_reinstates":
        return value if value in ("", *REINSTATES) else no("breach_unknown", at)
    if len(value) > _LENGTHS[name]:
        return no("text_too_long", at, most=_LENGTHS[name])
    if not value.isprintable():
        return no("text_unprintable", at)
    if name != "note" and value.startswith(FORMULAS):
        return no("code_looks_like_formula", at)
    return value


def _number_or_flag(name: str, value: Any, at: str, no: Add) -> int | bool | None:
    if name in ("card_disabled", "ach_disabled"):
        return value if isinstance(value, bool) else no("not_yes_or_no", at)
    if isinstance(value, bool) or not isinstance(value, int):
        return no("not_a_whole_number", at)
    if name.endswith("_cents"):
        if value < 0:
            return no("amount_negative", at)
        return value if value <= HIGHEST_CENTS else no("amount_too_large", at, most_cents=HIGHEST_CENTS)
    if name.endswith("_bps"):
        return value if 0 <= value <= _WHOLE else no("percent_out_of_range", at)
    return value if 0 <= value <= _RANGES[name] else no("number_out_of_range", at, most=_RANGES[name])


def _escaped(name: object) -> str:
    """Write a name as part of a JSON pointer (RFC 6901)."""
    return _shown(name).replace("~", "~0").replace("/", "~1")


def _shown(name: object) -> str:
    """Shorten an unknown name and drop what no answer could carry: half of a surrogate pair."""
    return str(name)[:40].encode("utf-8", "replace").decode()
