"""What every consumer page knows: the agency's face and the visitor's state."""

from django.conf import settings
from django.utils.translation import get_language

from accounts.branding import ACCENT, BRAND, ink_on, is_colour
from accounts.calendars import local_date
from accounts.services import licences

NAMES = {"en": "English", "es": "Español"}
"""Each language in its own words (A11Y-14)."""


def colours(agency) -> dict[str, str]:
    """Give the agency's colours for its style sheet; one that is not `#rrggbb` never reaches the sheet."""
    brand = agency.brand if is_colour(agency.brand) else BRAND
    accent = agency.accent if is_colour(agency.accent) else ACCENT
    return {"colour": brand, "ink": ink_on(brand), "accent": accent}


def face(agency) -> dict:
    """Give the pages plain values of an agency, never the row."""
    return {
        "name": agency.name,
        "legal_name": agency.legal_name,
        "address_lines": agency.address_lines,
        "phone": agency.phone,
        "email": agency.email,
        "hours": agency.hours_in(get_language() or ""),
        "licence_line": agency.licences,
        "initials": "".join(word[0] for word in agency.name.split()[:2]).upper(),
        "logo_url": None,
        "brand_version": agency.branding_version,
        "languages": [{"code": code, "name": NAMES[code]} for code, _name in settings.LANGUAGES],
    }


def context(request) -> dict:
    """Add `agency` and `session` to consumer pages; staff pages have their own."""
    agency = getattr(request, "agency", None)
    if agency is None or request.path.startswith(("/admin/", "/staff/")):
        return {}
    visit = getattr(request, "visit", None)
    shown = face(agency)
    if visit is not None:
        # ST-09: where they live is said to nobody who has not identified.
        today = local_date(request.now, visit.consumer.time_zone)
        shown["state_licences"] = licences.printed(visit.consumer, agency, today)
    return {
        "agency": shown,
        "session": {
            "signed_in": visit is not None,
            "level": visit.level if visit else 0,
            "idle_seconds": settings.IDLE_SECONDS,
            "warn_seconds": settings.IDLE_WARNING_SECONDS,
        },
    }
