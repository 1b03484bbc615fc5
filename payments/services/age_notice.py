"""The notice about the age of a debt: its words, and that they were read before anything is paid (SOL-02).

On the site each visit acknowledges it; whoever shows or reads it elsewhere - an IVR, an agent, the agency's own page -
does so by API, and a day counts as their session.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import strip_tags

from accounts import events
from accounts.known import known
from accounts.models import Account, Event, Visit
from accounts.refusals import Refusal, gettext_noop, refuse

KIND = "sol_notice.acknowledged"
VERSION = "23 NYCRR 1.3, 2026-11"
READ_WITHIN = timedelta(hours=24)
"""Each session asks again; without a session that is a day."""
MEDIA = ("web", "phone", "ivr", "text", "email", "letter", "in_person")
"""Where it was shown or read: the notice comes in the medium of the payment."""
_CHANGED = gettext_noop("The notice has changed since it was shown. Show it again.")


@dataclass(frozen=True, slots=True)
class Notice:
    """Hold the words, paragraphs parted by an empty line, their SHA-256 and version."""

    text: str
    sha256: str
    version: str = VERSION


def write(language: str) -> Notice:
    """Write the notice in a language (`en`, `es`)."""
    with translation.override(language):
        said = strip_tags(render_to_string("payments/_age_notice.html"))
    paragraphs = [" ".join(part.split()) for part in said.split("\n\n")]
    text = "\n\n".join(part for part in paragraphs if part)
    return Notice(text, hashlib.sha256(text.encode()).hexdigest())


@known
def _read_since(account_id: UUID, since: datetime) -> QuerySet:
    within = Event.objects.filter(account=account_id, kind=KIND, occurred_at__gt=since)
    return within.order_by("-occurred_at").values_list("occurred_at", flat=True)


def last_read(account: Account, *, now: datetime) -> datetime | None:
    """Tell when it was acknowledged last, if that still counts for what is agreed outside a visit."""
    return _read_since.first(account.pk, now - READ_WITHIN)


@transaction.atomic
def read_in_visit(*, visit: Visit, account: Account, language: str, now: datetime) -> None:
    """Record that the consumer read it in this visit."""
    notice = write(language)
    about = {"visit": str(visit.pk), "wording": " ".join(notice.text.split()), "version": notice.version}
    events.record(KIND, account=account, now=now, data=about)


@transaction.atomic
def read_elsewhere(
    *, account: Account, text_sha256: str, language: str, medium: str, note: str, by: str, now: datetime
) -> list[Refusal]:
    """Record that the consumer was given the notice outside the site and said so; refuse words that are not today's."""
    assert medium in MEDIA, medium
    notice = write(language)
    if notice.sha256 != text_sha256:
        return [refuse(_CHANGED, "notice_changed")]
    said = {"wording": " ".join(notice.text.split()), "version": notice.version, "language": language}
    events.record(KIND, account=account, now=now, data=said | {"medium": medium, "note": note[:300], "by": by})
    return []


def was_read(visit_id: object, account: Account, *, link_id: object = None) -> bool:
    """Tell whether the time-barred notice was acknowledged in this visit, or for this link; others ask again (SOL-02).

    Whoever pays by a link has no visit of their own.
    """
    by = {"data__visit": str(visit_id)} if visit_id is not None else {"data__link": str(link_id)}
    return Event.objects.filter(account=account, kind=KIND, **by).exists()
