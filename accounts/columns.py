"""What a value looks like on a staff page: amounts, rates, JSON, statuses, and links to rows."""

import json
import re
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any

from django.contrib.admin.utils import display_for_field
from django.db import models
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _

from accounts.money import format_cents

_SECRET = re.compile(r"secret|token|password|(^|_)key$|ssn|dob|account_?number|^number$|routing_number", re.I)


def sum_of(name: str, label: Any) -> Callable:
    """Make the column of an amount in cents."""

    def show(row):
        cents = getattr(row, name)
        return "-" if cents is None else format_cents(cents, getattr(row, "currency", "usd"))

    return column(show, name, label)


def percent_of(name: str, label: Any) -> Callable:
    """Make the column of a rate in basis points."""

    def show(row):
        bps = getattr(row, name)
        return "-" if bps is None else f"{bps / 100:g} %"

    return column(show, name, label)


def json_of(name: str, label: Any) -> Callable:
    """Make the column of a JSON value, without what looks like a secret in it; days with sums are read as such."""

    def show(row):
        value = getattr(row, name)
        if days := _days_with_sums(value):
            currency = getattr(row, "currency", "usd")
            said = ((date_format(day), format_cents(cents, currency)) for day, cents in days)
            return format_html_join(mark_safe("<br>"), "{}: {}", said)
        return plain_json(value) if value else "-"

    return column(show, name, label)


def text_of(name: str, label: Any) -> Callable:
    """Make the column of a long text, paragraph by paragraph as it was written."""

    def show(row):
        text = getattr(row, name)
        return format_html('<div class="staff-text">{}</div>', text) if text else "-"

    return column(show, name, label)


def _days_with_sums(value: Any) -> list[tuple[date, int]]:
    """Read `[["2026-12-01", 12500], ...]`, a chosen day behind them left out; empty where it is anything else."""
    if not isinstance(value, list):
        return []
    try:
        return [(date.fromisoformat(on), int(cents)) for on, cents, *_chosen in value]
    except (TypeError, ValueError):
        return []


def label(tone: str, text: Any) -> str:
    """Render a short coloured word; the tone is success, info, warning, danger or empty."""
    return format_html('<span class="staff-label {}">{}</span>', tone, text)


def status_of(tones: dict[str, str], *, name: str = "status") -> Callable:
    """Make the column of a status, coloured by `tones`: success, info, warning, danger."""

    def show(row):
        return label(tones.get(getattr(row, name), ""), getattr(row, f"get_{name}_display")())

    return column(show, name, _("status"))


def column(show: Callable, name: str, label: Any) -> Callable:
    show.__name__, show.short_description, show.admin_order_field = f"{name}_shown", label, name
    return show


def plain_json(value: Any) -> str:
    """Render JSON for reading; what looks like a secret by its name is hidden."""
    text = json.dumps(_hidden(value), indent=2, ensure_ascii=False, default=str)
    return format_html('<pre class="staff-json">{}</pre>', text)


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "[hidden]" if _SECRET.search(key) and isinstance(inner, str) and inner else _hidden(inner)
            for key, inner in value.items()
        }
    return [_hidden(inner) for inner in value] if isinstance(value, list) else value


@cache
def readable(model: type[models.Model], name: Any) -> Any:
    """Replace a field's name by a column that reads well: amounts, rates and JSON; the rest stays.

    The same column each time: the admin compares what is shown with what is read-only.
    """
    if not isinstance(name, str) or name not in {field.name for field in model._meta.fields}:
        return name
    field = model._meta.get_field(name)
    if name.endswith("_cents"):
        return sum_of(name, str(field.verbose_name).removesuffix(" cents"))
    if name.endswith("_bps"):
        return percent_of(name, str(field.verbose_name).removesuffix(" bps"))
    if type(field) is models.TextField:
        return text_of(name, field.verbose_name)
    return json_of(name, field.verbose_name) if isinstance(field, models.JSONField) else name


@cache
def plain(model: type[models.Model], name: str) -> Any:
    """Replace a field's name by a column without the model's help beside its title; relations keep their link."""
    shown = readable(model, name)
    if callable(shown) or name not in {field.name for field in model._meta.fields}:
        return shown
    field = model._meta.get_field(name)
    if field.is_relation:
        return name
    if name == "status" and field.choices:
        return column(lambda row: label("", row.get_status_display()), name, field.verbose_name)
    return column(lambda row: display_for_field(getattr(row, name), field, "-"), name, field.verbose_name)


@cache
def linked(model: type[models.Model], name: str) -> Callable:
    """Replace a field's name by a column that leads to the row's own page."""
    field = model._meta.get_field(name)
    place = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"

    def show(row):
        text = display_for_field(getattr(row, name), field, "-")
        return format_html('<a class="staff-link" href="{}">{}</a>', reverse(place, args=[row.pk]), text)

    return column(show, name, field.verbose_name)


def each_readable(model: type[models.Model], names: Any) -> list:
    """Replace names, also in rows of several fields."""
    return [
        tuple(readable(model, name) for name in entry) if isinstance(entry, list | tuple) else readable(model, entry)
        for entry in names
    ]


def flat(names: Any) -> list:
    """Give the entries of rows of fields in one list."""
    return [name for entry in names for name in (entry if isinstance(entry, list | tuple) else [entry])]


def silent(model: type[models.Model]) -> dict[str, str]:
    """Give empty help for every field: what a model says of itself is for those who write it, not who read facts."""
    return {field.name: "" for field in model._meta.fields}
