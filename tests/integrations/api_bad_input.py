"""The table of bad input: what is sent, as whom, and the exact status, code and errors it gets."""

import gzip
import json
from typing import Any, NamedTuple

UNKNOWN = "0190c0de-0000-7000-8000-000000000000"
QUOTES, OFFERS = "accounts/{account}/quotes", "accounts/{account}/offers"
DEFAULT = {
    "enabled": True,
    "percent_bps": 80_00,
    "max_payments": 2,
    "max_days": 60,
    "minimum_payment_cents": 10_00,
}


class Row(NamedTuple):
    """One request; `errors` are some of (pointer or parameter, code), `who` is the name of a key of the cast."""

    name: str
    method: str
    path: str
    body: Any
    status: int
    code: str
    errors: tuple[tuple[str, str], ...] = ()
    who: str = "all"
    kind: str = "application/json"
    headers: dict[str, str | None] = {}


def quote(name: str, body: dict, *errors: tuple[str, str], code: str = "invalid") -> Row:
    return Row(f"quote: {name}", "POST", QUOTES, body, 422, code, errors)


def wish(name: str, more: dict, *errors: tuple[str, str], code: str = "invalid") -> Row:
    return quote(name, {"choice": "parts", "method": "card"} | more, *errors, code=code)


def raw(name: str, body: bytes, code: str = "malformed_json", status: int = 400, **headers: str) -> Row:
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    return Row(f"body: {name}", "POST", QUOTES, body, status, code, headers=sent)


def offer(name: str, body: dict, *errors: tuple[str, str], code: str = "refused") -> Row:
    return Row(f"offer: {name}", "POST", OFFERS, {"reason": "x"} | body, 422, code, errors)


def rules(name: str, body: Any, *errors: tuple[str, str], code: str = "refused") -> Row:
    return Row(f"rules: {name}", "PUT", "rule-sets/{draft}", body, 422, code, errors)


def band(**values: Any) -> dict:
    return {"bands": [{"owing_from_cents": 0, "owing_to_cents": 100_00} | values]}


def line(due_on: Any, amount_cents: Any, **more: Any) -> dict:
    return {"due_on": due_on, "amount_cents": amount_cents} | more


AMOUNTS = [
    ("zero", 0, "min_value"),
    ("negative", -100, "min_value"),
    ("above any balance", 999_999_999_01, "max_value"),
    ("over 64 bits", 2**63, "max_value"),
    ("of thirty digits", 10**30, "max_value"),
    ("a NaN in quotes", "NaN", "not_an_integer"),
    ("an amount in quotes", "100.00", "not_an_integer"),
    ("digits in quotes", "10000", "not_an_integer"),
    ("a float", 100.0, "not_an_integer"),
    ("with an exponent", 1e22, "not_an_integer"),
    ("a flag", True, "not_an_integer"),
    ("nothing", None, "null"),
    ("a list", [100], "not_an_integer"),
]
DAYS = [
    ("29 February of no leap year", "2027-02-29", "invalid_date"),
    ("30 February", "2028-02-30", "invalid_date"),
    ("without zeros", "2026-12-1", "invalid_date"),
    ("with a time", "2026-12-04T00:00:00Z", "invalid_date"),
    ("American", "12/04/2026", "invalid_date"),
    ("a week", "2026-W49-5", "invalid_date"),
    ("a number", 20261204, "invalid_date"),
    ("empty", "", "invalid_date"),
    ("the end of time", "9999-12-31", "date_out_of_range"),
    ("the beginning", "0001-01-01", "date_out_of_range"),
]

TABLE = [
    # What is wished -------------------------------------------------------------------------------------------------
    quote("nothing at all", {}, ("/choice", "required")),
    quote("no choice", {"choice": None}, ("/choice", "null")),
    quote("an unknown choice", {"choice": "gift"}, ("/choice", "choice_unknown")),
    quote("a choice that is no text", {"choice": 7}, ("/choice", "choice_unknown")),
    wish("an unknown method", {"method": "cash"}, ("/method", "method_unknown")),
    wish("an empty method", {"method": ""}, ("/method", "method_unknown")),
    wish("an unknown frequency", {"frequency": "yearly"}, ("/frequency", "frequency_unknown")),
    wish("an unknown field", {"colour": "red"}, ("/colour", "unknown_field")),
    wish("a field of Python's", {"__class__": "x"}, ("/__class__", "unknown_field")),
    wish(
        "everything wrong at once",
        {"choice": "x", "method": "x", "frequency": "x", "parts": 0, "first_on": "x", "y": 1},
        ("/choice", "choice_unknown"),
        ("/method", "method_unknown"),
        ("/frequency", "frequency_unknown"),
        ("/parts", "min_value"),
        ("/first_on", "invalid_date"),
        ("/y", "unknown_field"),
    ),
    *(wish(f"an amount {name}", {"amount_cents": value}, ("/amount_cents", code)) for name, value, code in AMOUNTS),
    wish("no parts", {"parts": 0}, ("/parts", "min_value")),
    wish("negative parts", {"parts": -3}, ("/parts", "min_value")),
    wish("ten thousand parts", {"parts": 10_000}, ("/parts", "max_value")),
    wish("parts in quotes", {"parts": "3"}, ("/parts", "not_an_integer")),
    wish("parts as a float", {"parts": 3.0}, ("/parts", "not_an_integer")),
    wish("more parts than the offer has", {"parts": 7}, ("/parts", "too_many_payments"), code="refused"),
    wish("payments below the least", {"amount_cents": 24_99}, code="refused"),
    wish("parts and an amount", {"parts": 2, "amount_cents": 1}, ("/amount_cents", "only_one_of")),
    wish("parts and lines", {"parts": 1, "lines": [line("2026-12-04", 1)]}, ("/lines", "only_one_of")),
    wish(
        "lines and a first day",
        {"first_on": "2026-12-04", "lines": [line("2026-12-04", 750_00)]},
        ("/first_on", "only_one_of"),
    ),
    wish("dates of one's own without dates", {"frequency": "custom"}, ("/lines", "required")),
    wish(
        "lines that are monthly",
        {"frequency": "monthly", "lines": [line("2026-12-04", 750_00)]},
        ("/frequency", "not_for_this_choice"),
    ),
    quote("in full, in parts", {"choice": "full", "parts": 2}, ("/parts", "not_for_this_choice")),
    quote("in full, weekly", {"choice": "full", "frequency": "weekly"}, ("/frequency", "not_for_this_choice")),
    quote(
        "a settlement of one's own",
        {"choice": "settlement", "amount_cents": 1},
        ("/amount_cents", "not_for_this_choice"),
    ),
    quote("an amount without one", {"choice": "amount"}, ("/amount_cents", "required")),
    quote(
        "more than is owed",
        {"choice": "amount", "amount_cents": 1_000_01},
        ("/amount_cents", "more_than_owed"),
        code="refused",
    ),
    quote("a plan where there is none", {"choice": "plan"}, ("", "no_plan"), code="refused"),
    # When -----------------------------------------------------------------------------------------------------------
    *(wish(f"a day {name}", {"first_on": value}, ("/first_on", code)) for name, value, code in DAYS),
    quote("yesterday", {"choice": "full", "first_on": "2026-11-30"}, code="refused"),
    wish("parts from yesterday", {"first_on": "2026-11-30"}, code="refused"),
    quote("a promise for a leap day", {"choice": "promise", "first_on": "2028-02-29"}, code="refused"),
    wish("no lines", {"lines": []}, ("/lines", "min_length")),
    wish("lines that are none", {"lines": {}}, ("/lines", "not_a_list")),
    wish("a line that is none", {"lines": [7]}, ("/lines/0", "invalid")),
    wish("a line without a day", {"lines": [{"amount_cents": 1}]}, ("/lines/0/due_on", "required")),
    wish("a line of more", {"lines": [line("2026-12-04", 1, x=1)]}, ("/lines/0/x", "unknown_field")),
    wish(
        "a second line of nothing",
        {"lines": [line("2026-12-04", 1), line("2027-01-04", 0)]},
        ("/lines/1/amount_cents", "min_value"),
    ),
    wish("more lines than weeks", {"lines": [line("2026-12-04", 1)] * 601}, ("/lines", "max_length")),
    wish("a wrong sum", {"lines": [line("2026-12-04", 749_99)]}, ("/lines", "sum_not_exact"), code="refused"),
    wish(
        "days backwards",
        {"lines": [line("2027-01-04", 375_00), line("2026-12-04", 375_00)]},
        ("/lines/1/due_on", "dates_not_rising"),
        code="refused",
    ),
    wish(
        "the same day twice",
        {"lines": [line("2026-12-04", 375_00)] * 2},
        ("/lines/1/due_on", "dates_not_rising"),
        code="refused",
    ),
    # How it is written ----------------------------------------------------------------------------------------------
    raw("not JSON", b"{"),
    raw("a comma too many", b'{"choice": "full",}'),
    raw("single quotes", b"{'choice': 'full'}"),
    raw("two values", b'{"choice": "full"} {}'),
    raw("NaN", b'{"choice": "amount", "amount_cents": NaN}'),
    raw("Infinity", b'{"choice": "amount", "amount_cents": Infinity}'),
    raw("minus Infinity", b'{"choice": "amount", "amount_cents": -Infinity}'),
    raw("an endless number", b'{"choice": "amount", "amount_cents": ' + b"9" * 5_000 + b"}"),
    raw("a name twice", b'{"choice": "full", "choice": "full"}', "duplicate_field"),
    raw("a name twice inside", b'{"lines": [{"due_on": "x", "due_on": "y"}]}', "duplicate_field"),
    raw("a hundred thousand brackets", b"[" * 100_000),
    raw("half a character", b'{"choice": "\\ud800"}'),
    raw("no UTF-8", b'{"choice": "\xff"}'),
    raw("UTF-16", '{"choice": "full"}'.encode("utf-16")),
    raw("a byte order mark", b'\xef\xbb\xbf{"choice": "full"}'),
    raw("a list", b"[]", "invalid", 422),
    raw("a text", b'"full"', "invalid", 422),
    raw("null", b"null", "invalid", 422),
    raw("too large", b'{"choice": "' + b"x" * 2**20 + b'"}', "too_large", 413),
    raw("too large unpacked", gzip.compress(b" " * 2**21), "too_large", 413, Content_Encoding="gzip"),
    raw("not gzip", b"{}", Content_Encoding="gzip"),
    raw("packed otherwise", b"{}", Content_Encoding="br"),
    Row(
        "body: a form",
        "POST",
        QUOTES,
        b"choice=full",
        415,
        "unsupported_media_type",
        kind="application/x-www-form-urlencoded",
    ),
    Row("body: text", "POST", QUOTES, b"{}", 415, "unsupported_media_type", kind="text/plain"),
    # Whose ----------------------------------------------------------------------------------------------------------
    Row("account: another agency's", "POST", "accounts/{their_account}/quotes", {"choice": "full"}, 404, "not_found"),
    Row("account: nobody's", "POST", f"accounts/{UNKNOWN}/quotes", {"choice": "full"}, 404, "not_found"),
    Row("account: no id", "POST", "accounts/100234/quotes", {"choice": "full"}, 404, "not_found"),
    Row("account: another agency's options", "GET", "accounts/{their_account}/options", None, 404, "not_found"),
    Row("quote: another agency's", "POST", "quotes/{their_quote}/accept", {}, 404, "not_found"),
    Row("quote: another agency's to read", "GET", "quotes/{their_quote}", None, 404, "not_found"),
    Row("offer: another agency's", "POST", "offers/{their_offer}/withdraw", {"reason": "x"}, 404, "not_found"),
    Row("rules: another agency's", "PUT", "rule-sets/{their_draft}", {"bands": []}, 404, "not_found"),
    Row("rules: another agency's to publish", "POST", "rule-sets/{their_draft}/publish", {}, 404, "not_found"),
    Row("rules: another agency's client", "POST", "rule-sets", {"client": "{their_client}"}, 404, "not_found"),
    Row("rules: a copy of another agency's", "POST", "rule-sets", {"copy_of": "{their_draft}"}, 404, "not_found"),
    # What was quoted ------------------------------------------------------------------------------------------------
    Row("quote: expired", "POST", "quotes/{expired}/accept", {}, 409, "quote_expired"),
    Row(
        "quote: of another world", "POST", "quotes/{changed}/accept", {}, 409, "quote_changed", (("", "quote_changed"),)
    ),
    Row(
        "quote: accepted with more",
        "POST",
        "quotes/{open}/accept",
        {"x": 1},
        422,
        "invalid",
        (("/x", "unknown_field"),),
    ),
    Row(
        "quote: in Latin",
        "POST",
        "quotes/{open}/accept",
        {"language": "la"},
        422,
        "invalid",
        (("/language", "language_unknown"),),
    ),
    Row(
        "quote: from nowhere",
        "POST",
        "quotes/{open}/accept",
        {"ip": "300.1.1.1"},
        422,
        "invalid",
        (("/ip", "invalid"),),
    ),
    # Who asks -------------------------------------------------------------------------------------------------------
    Row("key: none", "POST", QUOTES, {"choice": "full"}, 401, "key_missing", headers={"Authorization": None}),
    Row(
        "key: another word",
        "POST",
        QUOTES,
        {"choice": "full"},
        401,
        "invalid_credentials",
        headers={"Authorization": "Bearer x"},
    ),
    Row("key: expired", "POST", QUOTES, {"choice": "full"}, 401, "key_expired", who="expired"),
    Row("key: revoked", "POST", QUOTES, {"choice": "full"}, 401, "key_revoked", who="revoked"),
    Row("key: from elsewhere", "POST", QUOTES, {"choice": "full"}, 403, "address_not_allowed", who="far"),
    Row("key: without the scope", "POST", QUOTES, {"choice": "full"}, 403, "scope_missing", who="reader"),
    Row("key: with a scope nobody knows", "POST", QUOTES, {"choice": "full"}, 403, "scope_missing", who="odd"),
    Row(
        "again: no key",
        "POST",
        QUOTES,
        {"choice": "full"},
        400,
        "idempotency_key_missing",
        headers={"Idempotency-Key": None},
    ),
    Row(
        "again: too long a key",
        "POST",
        QUOTES,
        {"choice": "full"},
        400,
        "idempotency_key_invalid",
        headers={"Idempotency-Key": "x" * 256},
    ),
    Row(
        "again: another body",
        "POST",
        QUOTES,
        {"choice": "full"},
        422,
        "idempotency_mismatch",
        headers={"Idempotency-Key": "used"},
    ),
    Row("method: none such", "DELETE", "accounts/{account}/quotes", None, 405, "method_not_allowed"),
    # Offers ---------------------------------------------------------------------------------------------------------
    offer("neither amount nor percent", {}, ("/amount_cents", "required"), code="invalid"),
    offer(
        "amount and percent", {"amount_cents": 1, "percent_bps": 1}, ("/amount_cents", "only_one_of"), code="invalid"
    ),
    offer("more than everything", {"percent_bps": 100_01}, ("/percent_bps", "max_value"), code="invalid"),
    offer("above the balance", {"amount_cents": 1_000_01}, ("/amount_cents", "offer_above_balance")),
    offer("below the rules", {"percent_bps": 10_00}, ("/percent_bps", "offer_below_minimum")),
    offer("paid in the past", {"percent_bps": 80_00, "max_on": "2026-11-30"}, ("/max_on", "last_day_in_past")),
    offer("expired", {"percent_bps": 80_00, "expires_on": "2026-11-30"}, ("/expires_on", "expires_in_past")),
    offer(
        "by a method nobody has",
        {"percent_bps": 80_00, "methods": ["gold"]},
        ("/methods/0", "method_unknown"),
        code="invalid",
    ),
    offer("with too long a text", {"percent_bps": 80_00, "text": "x" * 501}, ("/text", "max_length"), code="invalid"),
    offer(
        "with a null in it",
        {"percent_bps": 80_00, "text": "a\0b"},
        ("/text", "null_characters_not_allowed"),
        code="invalid",
    ),
    Row(
        "offer: beyond the scope",
        "POST",
        OFFERS,
        {"percent_bps": 10_00, "exceed": True, "reason": "x"},
        403,
        "scope_missing",
        who="writer",
    ),
    *(
        Row(f"default: {name}", "PUT", "default-offer", DEFAULT | more, 422, "invalid", (error,))
        for name, more, error in [
            ("nothing", {"percent_bps": 0}, ("/percent_bps", "min_value")),
            ("more than all", {"percent_bps": 100_01}, ("/percent_bps", "max_value")),
            ("a float", {"percent_bps": 75.5}, ("/percent_bps", "not_an_integer")),
            ("no payments", {"max_payments": 0}, ("/max_payments", "min_value")),
            ("a century of days", {"max_days": 36_526}, ("/max_days", "max_value")),
            ("perhaps", {"enabled": "yes"}, ("/enabled", "not_a_boolean")),
            ("a negative least", {"minimum_payment_cents": -1}, ("/minimum_payment_cents", "min_value")),
        ]
    ),
    # Rules ----------------------------------------------------------------------------------------------------------
    rules("a band backwards", band(owing_from_cents=100_01), ("/bands/0/owing_to_cents", "band_reversed")),
    rules("a band below zero", band(owing_from_cents=-1), ("/bands/0/owing_from_cents", "amount_negative")),
    rules("a band to the moon", band(owing_to_cents=10**15), ("/bands/0/owing_to_cents", "amount_too_large")),
    rules("a band without an end", {"bands": [{"owing_from_cents": 0}]}, ("/bands/0/owing_to_cents", "field_missing")),
    rules("a band of half cents", band(minimum_cents=0.5), ("/bands/0/minimum_cents", "not_a_whole_number")),
    rules("a percent above all", band(minimum_bps=100_01), ("/bands/0/minimum_bps", "percent_out_of_range")),
    rules("a field nobody knows", band(colour=1), ("/bands/0/colour", "unknown_field")),
    rules("a band that is none", {"bands": [7]}, ("/bands/0", "band_not_an_object")),
    rules("bands that are none", {"bands": {}}, ("/bands", "bands_not_a_list")),
    rules("an unknown conversion", {"bands": [], "conversion": "moon"}, ("/conversion", "conversion_unknown")),
    rules("an unknown end", {"bands": [], "breach_reinstates": "all"}, ("/breach_reinstates", "breach_unknown")),
    rules(
        "a master at a client's place", {"bands": [], "replace_all": True}, ("/replace_all", "replace_all_at_agency")
    ),
    Row("rules: no object", "PUT", "rule-sets/{draft}", [], 400, "malformed_json"),
    Row("rules: published already", "PUT", "rule-sets/{published}", {"bands": []}, 409, "rule_set_not_open"),
    Row("rules: published twice", "POST", "rule-sets/{published}/publish", {}, 409, "rule_set_not_open"),
    Row("rules: a draft withdrawn", "POST", "rule-sets/{draft}/withdraw", {}, 409, "rule_set_not_published"),
    Row("rules: a draft rolled back to", "POST", "rule-sets/{draft}/roll-back", {}, 409, "rule_set_not_published"),
    Row("rules: a second draft", "POST", "rule-sets", {}, 409, "draft_open"),
    Row(
        "rules: a client that is no id",
        "POST",
        "rule-sets",
        {"client": "C1"},
        422,
        "invalid",
        (("/client", "invalid_id"),),
    ),
    Row(
        "rules: in force yesterday",
        "POST",
        "rule-sets/{draft}/publish",
        {"effective_at": "2026-11-30T00:00:00Z"},
        422,
        "refused",
        (("/effective_at", "effective_in_past"),),
    ),
    Row(
        "rules: in force somewhere",
        "POST",
        "rule-sets/{draft}/publish",
        {"effective_at": "2027-01-01T00:00:00"},
        422,
        "invalid",
        (("/effective_at", "invalid_time"),),
    ),
    Row("rules: simulated when published", "POST", "rule-sets/{published}/simulations", {}, 409, "not_a_draft"),
    Row("rules: a file of nothing", "POST", "rule-sets/import", b"\n", 422, "file_refused", kind="text/csv"),
    Row("rules: a file of noise", "POST", "rule-sets/import", b"\x00\xff\x00", 422, "file_refused", kind="text/csv"),
    Row("rules: a file of another form", "POST", "rule-sets/import", {"a": 1}, 422, "file_refused"),
    Row("rules: a picture", "POST", "rule-sets/import", b"GIF89a", 415, "unsupported_media_type", kind="image/gif"),
    # Questions ------------------------------------------------------------------------------------------------------
    *(
        Row(f"query: {path}", "GET", path, None, 400, "invalid_parameter", (error,))
        for path, error in [
            ("accounts?limit=0", ("limit", "min_value")),
            ("accounts?limit=201", ("limit", "max_value")),
            ("accounts?limit=ten", ("limit", "invalid")),
            ("accounts?cursor=x", ("cursor", "invalid_cursor")),
            ("accounts?cursor=%00", ("cursor", "null_characters_not_allowed")),
            ("accounts?connection=7", ("connection", "invalid")),
            ("accounts?colour=red", ("colour", "unknown_field")),
            ("accounts?limit=1&limit=2", ("limit", "duplicate_parameter")),
            ("rule-sets?status=opened", ("status", "invalid_choice")),
            ("rule-sets?client=C1", ("client", "invalid_id")),
            ("rule-sets/export?format=xml", ("format", "invalid_choice")),
            ("rule-sets/export?client=C1", ("client", "invalid_id")),
            ("accounts/{account}/options?today=2027-01-01", ("today", "unknown_field")),
        ]
    ),
]


def filled(value: Any, things: dict[str, str]) -> Any:
    """Put ids into an address or a body."""
    for name, pk in things.items():
        text = value if isinstance(value, str) else json.dumps(value)
        value = (
            text.replace(f"{{{name}}}", pk) if isinstance(value, str) else json.loads(text.replace(f"{{{name}}}", pk))
        )
    return value
