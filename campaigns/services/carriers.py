"""The agency's carrier of texts: which one, what it may send, how fast, and who else holds a number just now."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from accounts.known import known
from accounts.tenancy import acting
from campaigns.channels import texts
from campaigns.models import Message, TextProvider

WINDOW = timedelta(seconds=5)
"""The rate is kept over so long: carriers queue a burst of this size, and the worker comes by every two seconds."""


@known
def _active() -> QuerySet[TextProvider]:
    return TextProvider.objects.filter(is_active=True)


def active() -> TextProvider | None:
    """Give the acting agency's carrier, if one is in use."""
    return _active.first()


def standing(provider: TextProvider | None) -> str:
    """Say what the gate asks: `none`, `forbidden` (SMS-06), `pending` (SMS-07, SMS-11), `ready`."""
    if provider is None:
        return "none"
    try:
        capabilities = texts.carrier(provider.backend).CAPABILITIES
    except LookupError:
        return "none"
    if provider.third_party and not capabilities.third_party_collection and not provider.permit:
        return "forbidden"
    return "ready" if provider.registration and provider.approved_on else "pending"


def confirms(provider: TextProvider, text: str) -> bool:
    """Tell whether the carrier answers this keyword itself, so that we must not (RF-08)."""
    module = texts.carrier(provider.backend)
    own = provider.keywords == TextProvider.Keywords.CARRIER and module.CAPABILITIES.opt_out_handled
    return own and text.strip().upper() in module.OWN_WORDS


def hook_url(provider: TextProvider, message: Message | None = None) -> str:
    """Give the address that the carrier is told: of reports on a text, or of texts that come in.

    The signature is over this address, so it is made here for both sides.
    """
    scheme = "https" if settings.TLS else "http"
    tail = f"/{message.pk}" if message is not None else ""
    return f"{scheme}://{settings.PORTAL_DOMAIN}/hooks/texts/{provider.pk}{tail}"


def room(provider: TextProvider, *, now: datetime) -> int:
    """Say how many texts the carrier's rate takes now."""
    provider.refresh_from_db(fields=["window_at", "window_used"])
    most = int(provider.per_second * WINDOW.total_seconds())
    fresh = provider.window_at is None or not timedelta(0) <= now - provider.window_at < WINDOW
    return most if fresh else max(0, most - provider.window_used)


@known
def _to_lock(key: UUID) -> QuerySet[TextProvider]:
    return TextProvider.objects.select_for_update().filter(pk=key)


@transaction.atomic
def take(provider: TextProvider, wanted: int, *, now: datetime, urgent: int = 0) -> int:
    """Take places of the carrier's rate in this window; what is urgent is counted and never refused."""
    row = _to_lock.get(provider.pk)
    if row.window_at is None or not timedelta(0) <= now - row.window_at < WINDOW:
        row.window_at, row.window_used = now, 0
    most = int(row.per_second * WINDOW.total_seconds())
    given = max(urgent, min(wanted, most - row.window_used))
    row.window_used += given
    row.save(update_fields=["window_at", "window_used"])
    return given


def _key(number: str) -> int:
    """Name a number's lock within the acting agency: 63 bits."""
    return int.from_bytes(hashlib.sha256(f"{acting()}:{number}".encode()).digest()[:8]) >> 1


@contextmanager
def handing_over(number: str) -> Iterator[None]:
    """Hold back whoever hears this number until the hand-over is done; hand-overs share it.

    A lock of the session: no transaction is open while the carrier is asked.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [_key(number)])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [_key(number)])


def hear_alone(number: str) -> None:
    """Wait for hand-overs to a number and let none begin until this transaction is over (SMS-02)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_key(number)])
