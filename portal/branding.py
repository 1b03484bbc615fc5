"""What every consumer page knows: the agency's face and the visitor's state."""

from django.conf import settings

DEFAULT_FACE = {"name": "Quittance", "initials": "Q", "branding_version": 1}


def face(agency) -> dict:
    """Give the pages plain values of an agency, never the row."""
    return {
        "name": agency.name,
        "legal_name": agency.legal_name,
        "address_lines": agency.address_lines,
        "phone": agency.phone,
        "email": agency.email,
        "hours": agency.hours,
        "licence_line": agency.licences,
        "initials": "".join(word[0] for word in agency.name.split()[:2]).upper(),
        "logo_url": None,
        "branding_version": agency.branding_version,
        "factor": agency.factor,
    }


def context(request) -> dict:
    """Add `agency`, `session` and `languages` to consumer pages; staff pages have their own."""
    agency = getattr(request, "agency", None)
    if agency is None or request.path.startswith(("/admin/", "/staff/")):
        return {}
    visit = getattr(request, "visit", None)
    return {
        "agency": face(agency),
        "session": {
            "signed_in": visit is not None,
            "level": visit.level if visit else 0,
            "idle_seconds": settings.IDLE_SECONDS,
            "warning_seconds": settings.IDLE_WARNING_SECONDS,
        },
        "languages": settings.LANGUAGES,
    }
