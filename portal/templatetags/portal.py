"""What the consumer pages need beside Django's own tags: money, dates, fields with their errors, icons."""

import datetime as dt

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import get_language

register = template.Library()

SYMBOLS = {"USD": "$", "CAD": "CA$", "GBP": "£", "EUR": "€"}

# Django's own English format abbreviates the month; a date that money moves on is written out.
DATE_FORMATS = {"en": "F j, Y"}
MOMENT_FORMATS = {"en": "F j, Y, g:i\u00a0A"}

# Our own drawings on a 24 by 24 grid, in strokes only.
ICONS = {
    "alert": '<path d="M12 3.5 21.5 20h-19z"/><path d="M12 10v4.5M12 17.2v.1"/>',
    "back": '<path d="M15 5 8 12l7 7"/>',
    "bank": '<path d="M3 9.5 12 4l9 5.5zM5.5 10v7.5M10 10v7.5M14 10v7.5M18.5 10v7.5M3 20.5h18"/>',
    "calendar": '<rect x="3" y="5" width="18" height="15" rx="2"/><path d="M3 10h18M8 2.8V7M16 2.8V7"/>',
    "card": '<rect x="2.5" y="5" width="19" height="14" rx="2.5"/><path d="M2.5 10h19M6.5 15h4"/>',
    "check": '<path d="m4.5 12.5 5 5 10-11"/>',
    "clock": '<circle cx="12" cy="12" r="8.8"/><path d="M12 7v5.2l3.4 2"/>',
    "document": '<path d="M6 2.8h8.5L19 7.3v13.9H6z"/><path d="M14 3v5h5M9.2 12.5h6.6M9.2 16h6.6"/>',
    "exit": '<path d="M13.5 4H5v16h8.5M10 12h11M17.5 8.2 21.3 12l-3.8 3.8"/>',
    "help": '<circle cx="12" cy="12" r="8.8"/>'
    '<path d="M9.6 9.6a2.5 2.5 0 1 1 3.5 2.3c-.8.4-1.1.9-1.1 1.8M12 16.7v.1"/>',
    "info": '<circle cx="12" cy="12" r="8.8"/><path d="M12 11v5.5M12 7.6v.1"/>',
    "language": '<circle cx="12" cy="12" r="8.8"/>'
    '<path d="M3.2 12h17.6M12 3.2c5 5.4 5 12.2 0 17.6-5-5.4-5-12.2 0-17.6z"/>',
    "lock": '<rect x="4.5" y="10.5" width="15" height="10" rx="2"/><path d="M8 10.5V7.3a4 4 0 0 1 8 0v3.2"/>',
    "mail": '<rect x="2.5" y="5" width="19" height="14" rx="2"/><path d="m3 7 9 6.5L21 7"/>',
    "phone": '<path d="M6 3.5h3l1.7 4.3-2 1.6a11.5 11.5 0 0 0 5.9 5.9l1.6-2 4.3 1.7v3c0 1.4-1.1 2.5-2.5 2.4'
    'C10.3 19.9 4.1 13.7 3.6 6A2.4 2.4 0 0 1 6 3.5z"/>',
    "undo": '<path d="M4 9.5h10.5a5 5 0 0 1 0 10H9M8 5.2 3.7 9.5 8 13.8"/>',
}


@register.filter
def money(cents: int | None, currency: str = "USD") -> str:
    """Write integer cents as a sum: 100000 -> "$1,000.00", also in US Spanish (LANG-03)."""
    if cents is None or cents == "":
        return ""
    whole, rest = divmod(abs(int(cents)), 100)
    sign = "−" if int(cents) < 0 else ""
    return f"{sign}{SYMBOLS.get(currency, currency + ' ')}{whole:,}.{rest:02d}"


@register.filter
def longdate(day: dt.date | dt.datetime | None) -> str:
    """Write a date in full: "January 1, 2023", "1 de enero de 2023"."""
    if not day:
        return ""
    if isinstance(day, dt.datetime) and timezone.is_aware(day):
        day = timezone.localtime(day)
    return date_format(day, DATE_FORMATS.get((get_language() or "en")[:2], "DATE_FORMAT"))


@register.filter
def moment(at: dt.datetime | None) -> str:
    """Write a point in time in the current zone: "January 1, 2023, 3:05 PM"."""
    if not at:
        return ""
    if timezone.is_aware(at):
        at = timezone.localtime(at)
    return date_format(at, MOMENT_FORMATS.get((get_language() or "en")[:2], "DATETIME_FORMAT"))


@register.filter
def telephone(number: str) -> str:
    """Reduce a written phone number to what a tel: link takes: "(716) 555-0134" -> "7165550134"."""
    return "".join(character for character in str(number or "") if character.isdigit() or character == "+")


@register.simple_tag
def field(bound):
    """Render one form field with its label, hint and errors tied together (templates/forms/field.html, A11Y-09)."""
    return bound.render(template_name="forms/field.html")


@register.inclusion_tag("includes/error_summary.html")
def error_summary(form=None, refusals=None):
    """List everything that is wrong on the page, each linked to where it can be put right.

    `refusals` are further `{"message": str, "code": stable code, "target": "id of the input" or ""}`.
    """
    problems = []
    if form is not None and form.is_bound:
        problems += _coded(form.non_field_errors(), "")
        for bound in form:
            # A group of radios has no input with the bare id; its first choice takes the focus.
            problems += _coded(bound.errors, bound.id_for_label or f"{bound.auto_id}_0")
    further = list(refusals or [])
    return {"problems": problems + further, "typed": bool(problems) or any(one["target"] for one in further)}


def _coded(errors, target: str) -> list[dict[str, str]]:
    return [
        {"message": message, "code": error.code or "", "target": target}
        for error in errors.as_data()
        for message in error.messages
    ]


@register.simple_tag
def icon(name: str):
    """Draw one of our icons; it is decoration, so the text beside it must say the same."""
    return format_html(
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>',
        mark_safe(ICONS[name]),
    )
