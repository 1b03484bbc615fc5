"""Refuse to run in production with a setting that is only safe in the demonstration."""

from django.conf import settings
from django.core.checks import Error, Tags, register
from django.db import connection


@register(Tags.security, deploy=True)
def production_is_strict(**_kwargs) -> list[Error]:
    """Fail `check --deploy` for each demonstration switch."""
    wrong = {
        "E001": (settings.DEMO, "DEMO=1: sandboxes and plain http. Never in production."),
        "E002": (
            not settings.STAFF_SECOND_FACTOR,
            "STAFF_SECOND_FACTOR=0: staff must have a second factor (PCI-08).",
        ),
        "E003": (not settings.TLS, "TLS=0: consumers' pages must be https only (PCI-07)."),
        "E004": (settings.DEBUG, "DEBUG=1 shows the inside of the house."),
        "E005": (settings.PORTAL_DOMAIN.startswith("localhost"), "PORTAL_DOMAIN is still localhost."),
        "E008": (bool(settings.CLOCK_FILE), "CLOCK_FILE moves the clock: never where money is real."),
        "E006": (len(settings.SECRET_KEY) < 40, "SECRET_KEY is too short."),
    }
    return [Error(text, id=f"portal.{code}") for code, (bad, text) in wrong.items() if bad]


@register(Tags.database, deploy=False)
def the_role_obeys_row_level_security(databases=None, **_kwargs) -> list[Error]:
    """Refuse a database role that row-level security does not bind."""
    if not databases:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        bypasses = cursor.fetchone()[0]
    return [Error("The database role bypasses row-level security.", id="portal.E007")] if bypasses else []
