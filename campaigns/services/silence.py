"""Who asked for silence: read for many numbers at once, written into the ledger as widely as the words go."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts import events
from accounts.known import known
from accounts.models import ContactPoint
from accounts.services import consent, contacts
from campaigns.models import InboundMessage
from campaigns.rules import revocation

OF_MAIL = re.compile(r"e ?mail|correo", re.IGNORECASE)
STARTED = "started"
"""The outcome of a START that opened a number again."""


@known
def _said(numbers: Sequence[str]) -> QuerySet:
    said = InboundMessage.objects.filter(
        Q(wish__in=revocation.SILENCING) | Q(wish=revocation.START, outcome=STARTED), sender__in=numbers, channel="text"
    )
    return said.order_by("received_at", "id").values_list("sender", "wish", "received_at")


def since(numbers: Collection[str]) -> dict[str, datetime]:
    """Say which numbers asked for silence and when; a START that was allowed ended it.

    Whose number it was then does not matter: all texts of the agency to that number stop (SMS-04).
    """
    if not numbers:
        return {}
    found: dict[str, datetime] = {}
    for number, wish, at in _said(list(numbers)):
        if wish == revocation.START:
            found.pop(number, None)
        else:
            found[number] = at
    return found


@known
def _numbers(asked: Sequence[UUID]) -> QuerySet:
    rows = ContactPoint.objects.filter(consumer__in=asked, kind=ContactPoint.Kind.PHONE)
    return rows.values_list("consumer_id", "value_key")


def consumers(asked: Collection[UUID]) -> set[UUID]:
    """Say which consumers have a number that asked for silence and was not opened again (SMS-04)."""
    numbers = _numbers(list(asked)) if asked else []
    silent = since({number for _consumer, number in numbers})
    return {consumer for consumer, number in numbers if number in silent}


def write_all(*, points: Iterable[ContactPoint], wish: str, words: str, source: str, now: datetime) -> bool:
    """Write a revocation down for everyone who has the address it came from; False when everything was so already."""
    written = [_write(point, wish=wish, words=words, source=source, now=now) for point in points]
    return any(written)


def _write(point: ContactPoint, *, wish: str, words: str, source: str, now: datetime) -> bool:
    """Write it into the ledger as widely as its words go."""
    whole = wish in (revocation.MEDIUM, revocation.CEASE)
    new = consent.opt_out(
        contact_point=point, scope="medium" if whole else "address", source=source, words=words, now=now
    )
    if wish == revocation.CEASE or (wish == revocation.MEDIUM and OF_MAIL.search(words)):
        for mail in contacts.emails(point.consumer)[:1]:
            new |= consent.opt_out(contact_point=mail, scope="medium", source=source, words=words, now=now)
    if wish == revocation.CEASE:
        about = {"contact_point": str(point.pk), "to": point.masked, "source": source}
        events.record("cease.received", consumer=point.consumer_id, now=now, data=about)
    return new
