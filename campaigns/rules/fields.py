"""What a template may say about the one who reads it: typed fields, and how each is written in both languages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from accounts.calendars import format_date
from accounts.money import format_cents

FIELD = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Field:
    """Say of what type a field is and whether a stranger who reads it learns of a debt (RF-11)."""

    kind: str
    tells: bool
    sample: object
    offer: bool = False
    """It is there only where the campaign makes an offer."""


FIELDS: Mapping[str, Field] = {
    "first_name": Field("text", False, "Jane"),
    "agency": Field("text", False, "Acme Recovery"),
    "agency_phone": Field("text", False, "518-555-0100"),
    "agency_hours": Field("text", False, "Mon to Fri, 8 am to 6 pm ET"),
    "creditor": Field("text", True, "Harbor Medical Group"),
    "reference": Field("text", True, "100234"),
    "description": Field("text", True, "Emergency room visit"),
    "balance": Field("cents", True, 1_000_00),
    "offer_amount": Field("cents", True, 600_00, offer=True),
    "offer_saving": Field("cents", True, 400_00, offer=True),
    "offer_payments": Field("number", True, 3, offer=True),
    "offer_expires": Field("date", True, date(2026, 12, 31), offer=True),
    "link": Field("url", False, "https://acme.example.com/m/0000"),
    "check_code": Field("text", False, "QK7M-2RXD"),
}
OFFER_FIELDS = tuple(name for name, known in FIELDS.items() if known.offer)


def used(text: str) -> tuple[str, ...]:
    """List the fields a text names, each once, known or not."""
    return tuple(dict.fromkeys(FIELD.findall(text)))


def written(name: str, value: object, *, currency: str, language: str) -> str:
    """Write a value as its type is written in the language; an empty value is empty."""
    if value is None:
        return ""
    match FIELDS[name].kind:
        case "cents":
            return format_cents(int(value), currency, language)
        case "date":
            return format_date(value, language)
    return str(value)


def samples(language: str, *, currency: str = "usd") -> dict[str, str]:
    """Give a value for every field, for previews without an account."""
    return {name: written(name, known.sample, currency=currency, language=language) for name, known in FIELDS.items()}
