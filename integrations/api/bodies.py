"""What callers send, read strictly: nothing is guessed, rounded, dropped or taken twice."""

import datetime as dt
import json
import re
import uuid
import zlib
from decimal import Decimal
from typing import Any, NoReturn

from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.exceptions import APIException, ParseError

from settlements.rules.bands import HIGHEST_CENTS

LENGTH_REQUIRED = "`length_required`: the body came in chunks; send it whole, with its Content-Length."
"""What the edge answers (portal/middleware.py), for the document."""
LATEST_YEAR = 2199
"""A later date is a typing error, and months counted from it could leave the calendar."""


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Refuse(APIException):
    """Refuse a request: HTTP status, stable code, one sentence, and errors as [{pointer, code, message}]."""

    def __init__(
        self, status: int, code: str, detail: str, *, errors: list[dict] | None = None, wait: int | None = None
    ) -> None:
        super().__init__(detail, code)
        self.status_code, self.errors, self.wait = status, errors, wait


def read_body(request: HttpRequest, *, limit: int, advice: str = "Send less at once.") -> bytes:
    """Read the body, unpacked if it is gzip, and never more than `limit` bytes.

    :raises Refuse: 413, longer, packed or unpacked.
    :raises ParseError: not gzip although it says so.
    """
    too_large = Refuse(413, "too_large", f"The body is too large. {advice}")
    if int(request.META.get("CONTENT_LENGTH") or 0) > limit:
        raise too_large
    body = request.read(limit + 1)
    match request.headers.get("Content-Encoding", "").strip().lower():
        case "" | "identity":
            pass
        case "gzip":
            body = unpack(body, limit=limit)
        case other:
            raise ParseError(f"Content-Encoding {other[:20]} is not known: send gzip or none.")
    if len(body) > limit:
        raise too_large
    return body


def unpack(packed: bytes, *, limit: int) -> bytes:
    """Undo gzip up to one byte over the limit: a small body may unfold without end."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        body = unpacking.decompress(packed, limit + 1)
    except zlib.error:
        raise ParseError("The body is not gzip.") from None
    if not unpacking.eof and len(body) <= limit:
        raise ParseError("The gzip body ends too early.")
    return body


def decode(body: bytes) -> Any:
    """Read JSON as RFC 8259 has it, and stricter: no name twice, no NaN, no half of a character.

    Numbers with a point or an exponent become Decimal, which no amount or count takes.

    :raises ParseError: not that.
    :raises Refuse: 400 `duplicate_field`.
    """
    try:
        said = json.loads(body.decode(), object_pairs_hook=_once_each, parse_constant=_no_constant, parse_float=Decimal)
        json.dumps(said, ensure_ascii=False, default=str).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise ParseError(f"The body is not JSON: {str(error)[:200]}") from None
    return said


def _once_each(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refuse(400, "duplicate_field", f"{twice[:60]!a} stands twice in one object.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON.")


class Form(serializers.Serializer):
    """A body whose every field is known and of its own type; all that is wrong is said at once."""

    def to_internal_value(self, data):
        errors: dict[str, Any] = {}
        value: dict = {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail)
        if isinstance(data, dict):
            for name in data.keys() - self.fields.keys():
                said = "There is no such field."
                errors[str(name)] = [serializers.ErrorDetail(said, "unknown_field")]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class _Strict:
    """Take a value of one JSON type only: "12" is no number, true is not 1."""

    takes: type | tuple[type, ...]
    wrong: tuple[str, str]

    def to_internal_value(self, data):
        if type(data) is not self.takes:
            code, sentence = self.wrong
            raise serializers.ValidationError(sentence, code)
        return super().to_internal_value(data)


class Whole(_Strict, serializers.IntegerField):
    """Take a whole number."""

    takes, wrong = int, ("not_an_integer", "Write a whole number, without quotes, point or exponent.")


class Cents(Whole):
    """Take an amount in cents, more than nothing and no more than any balance."""

    def __init__(self, **kwargs) -> None:
        kwargs.setdefault("min_value", 1)
        super().__init__(max_value=HIGHEST_CENTS, **kwargs)


class Text(_Strict, serializers.CharField):
    """Take a text of a known length."""

    takes, wrong = str, ("not_text", "Write a text in quotes.")


class Flag(_Strict, serializers.BooleanField):
    """Take true or false."""

    takes, wrong = bool, ("not_a_boolean", "Write true or false.")


class Day(_Strict, serializers.DateField):
    """Take a date as 2026-12-01, of a year that a debt may still see."""

    takes, wrong = str, ("invalid_date", "Write a date that exists as YYYY-MM-DD.")

    def to_internal_value(self, data):
        try:
            # fromisoformat takes weeks (2026-W49-5) and days without hyphens too.
            day = dt.date.fromisoformat(data if type(data) is str and _DAY.fullmatch(data) else "")
        except ValueError:
            raise serializers.ValidationError(self.wrong[1], self.wrong[0]) from None
        if not 1900 <= day.year <= LATEST_YEAR:
            raise serializers.ValidationError(f"Write a year from 1900 to {LATEST_YEAR}.", "date_out_of_range")
        return day


class Hour(_Strict, serializers.TimeField):
    """Take a time of day as 09:30, without seconds and zone."""

    takes, wrong = str, ("invalid_hour", "Write a time of day as 09:30.")

    def to_internal_value(self, data):
        if type(data) is not str or not _HOUR.fullmatch(data):
            raise serializers.ValidationError(self.wrong[1], self.wrong[0])
        return dt.time.fromisoformat(data)


class Moment(_Strict, serializers.DateTimeField):
    """Take an instant as 2026-12-01T15:00:00Z, with its zone."""

    takes, wrong = str, ("invalid_time", "Write a time as 2026-12-01T15:00:00Z, with its zone.")

    def to_internal_value(self, data):
        try:
            at = dt.datetime.fromisoformat(data) if type(data) is str and "T" in data else None
            at = at.astimezone(dt.UTC) if at is not None and at.tzinfo is not None else None
        except (ValueError, OverflowError):
            at = None
        if at is None or not 1900 <= at.year <= LATEST_YEAR:
            raise serializers.ValidationError(self.wrong[1], self.wrong[0])
        return at


class Id(_Strict, serializers.UUIDField):
    """Take one of our ids."""

    takes, wrong = str, ("invalid_id", "Write an id as we gave it.")

    def to_internal_value(self, data):
        try:
            return uuid.UUID(data) if type(data) is str and len(data) == 36 else self._no()
        except ValueError:
            return self._no()

    def _no(self) -> NoReturn:
        raise serializers.ValidationError(self.wrong[1], self.wrong[0])


class Word(serializers.ChoiceField):
    """Take one of a few words; another one has the code of its own field."""

    def __init__(self, choices, *, unknown: str, **kwargs) -> None:
        super().__init__(choices, **kwargs)
        self.unknown = unknown

    def to_internal_value(self, data):
        if type(data) is not str or (data not in self.choices and not (data == "" and self.allow_blank)):
            raise serializers.ValidationError(f"Write one of {', '.join(filter(None, self.choices))}.", self.unknown)
        return data
