"""An example for every operation that has none of its own: made of the fields, so that it fits them always."""

from collections.abc import Iterator, Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

ID = "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a01"
TEXTS = {
    "reference": "100234",
    "currency": "usd",
    "language": "en",
    "last4": "4242",
    "brand": "visa",
    "method": "card",
    "frequency": "monthly",
    "name": "Harbor Medical",
    "reason": "Asked for by telephone.",
    "note": "Checked against the file.",
    "time_zone": "America/New_York",
    "state": "NY",
    "by": "key:0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a99",
    "next": None,
}


def missing(form: Any, answers: Any, status: int, given: Sequence[OpenApiExample]) -> Iterator[OpenApiExample]:
    """Give an example of the body and of the answer where none was written by hand."""
    if _is_serializer(form) and not any(one.request_only for one in given):
        yield OpenApiExample("A request", value=of(form()), request_only=True)
    if _is_serializer(answers) and not any(one.response_only for one in given):
        yield OpenApiExample("An answer", value=of(answers()), response_only=True, status_codes=[str(status)])


def _is_serializer(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, serializers.BaseSerializer)


def of(field: serializers.Field, name: str = "") -> Any:
    """Make a value that a field would take or give."""
    match field:
        case serializers.ListSerializer():
            return [of(field.child)]
        case serializers.Serializer():
            shown = {key: part for key, part in field.fields.items() if not _left_out(field, key, part)}
            return {key: of(part, key) for key, part in shown.items()}
        case serializers.ListField():
            return [of(field.child, name)]
        case serializers.DictField() | serializers.JSONField():
            return {}
        case serializers.ChoiceField():
            return next((choice for choice in field.choices if choice), "")
        case serializers.BooleanField():
            return True
        case serializers.IntegerField():
            return _whole(field, name)
        case serializers.FloatField():
            return 41.2
    return _text(field, name)


def _left_out(form: serializers.Serializer, key: str, field: serializers.Field) -> bool:
    return key in getattr(form, "sample_without", ())


def _whole(field: serializers.IntegerField, name: str) -> int:
    value = 12500 if name.endswith("_cents") else 7500 if name.endswith("_bps") else 1
    least, most = field.min_value or value, field.max_value or value
    return min(max(value, least), most)


def _text(field: serializers.Field, name: str) -> str | None:
    match field:
        case serializers.UUIDField():
            return ID
        case serializers.DateTimeField():
            return "2026-12-01T15:00:00Z"
        case serializers.DateField():
            return "2026-12-04"
        case serializers.TimeField():
            return "09:00:00"
        case serializers.IPAddressField():
            return "203.0.113.7"
    text = TEXTS.get(name, TEXTS["by"] if name.endswith("_by") else f"A {name.replace('_', ' ')}")
    most = getattr(field, "max_length", None)
    return text[:most] if most and text else text
