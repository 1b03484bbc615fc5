"""Templates: drafted, held against the linter, published as versions that never change."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.known import known
from accounts.models import Client
from accounts.refusals import Refusal, gettext_noop, refuse
from campaigns.library import READY
from campaigns.models import MessageTemplate, TemplateVersion
from campaigns.rules import linter
from campaigns.rules.linter import Words
from campaigns.rules.notice_words import NOTICES

Status = TemplateVersion.Status
_MOVED = gettext_noop("Somebody wrote other words meanwhile: nothing was saved. Keep yours, and load this page again.")


def words_of(version: TemplateVersion) -> dict[str, Words]:
    """Give what a version says, by language."""
    return {language: Words(**said) for language, said in version.words.items()}


def start(
    *,
    name: str,
    kind: str,
    channel: str,
    client: Client | None,
    words: Mapping[str, Words],
    by: str,
    now: datetime,
    litigation: bool = False,
) -> TemplateVersion:
    """Make a template with its first draft; what the linter has against it is said when it is to be published."""
    with transaction.atomic():
        template = MessageTemplate.objects.create(
            name=name, kind=kind, channel=channel, client=client, litigation=litigation, made_by=by, made_at=now
        )
        return TemplateVersion.objects.create(
            template=template, number=1, words=_stored(words), made_by=by, made_at=now
        )


def from_library(
    *, key: str, name: str, client: Client | None, by: str, now: datetime, litigation: bool = False
) -> TemplateVersion:
    """Start a template from a ready one.

    :raises KeyError: the library has none of this name.
    """
    ready = READY[key]
    return start(
        name=name,
        kind=ready.kind,
        channel=ready.channel,
        client=client,
        words=ready.words,
        by=by,
        now=now,
        litigation=litigation,
    )


def mark(version: TemplateVersion) -> str:
    """Name the words that somebody looked at, so that nobody writes over others unseen."""
    return f"{version.number} {version.made_at.isoformat()}"


@transaction.atomic
def save(
    *, template: MessageTemplate, words: Mapping[str, Words], by: str, now: datetime, seen: str | None = None
) -> TemplateVersion | list[Refusal]:
    """Keep words in the template's draft, a new one where the last version is published.

    :param seen: the mark of the version that they were written over; None for whoever looked at none.
    """
    MessageTemplate.objects.select_for_update().get(pk=template.pk)
    last = template.versions.order_by("-number").first()
    if seen is not None and seen != mark(last):
        return [refuse(_MOVED, "template_changed")]
    draft = last if last.status == Status.DRAFT else TemplateVersion(template=template, number=last.number + 1)
    if draft.words != (said := _stored(words)):
        draft.words, draft.made_by, draft.made_at = said, by, now
        draft.save()
    return draft


@transaction.atomic
def retire(*, template: MessageTemplate, retired: bool, now: datetime) -> MessageTemplate:
    """Take a template out of use, or into it again; what was approved with it goes on.

    While it is out, no campaign is handed on with it, nobody answers by it, and a notice says our own words.
    """
    row = MessageTemplate.objects.select_for_update().get(pk=template.pk)
    if retired != (row.retired_at is not None):
        row.retired_at = now if retired else None
        row.save(update_fields=["retired_at"])
    return row


@transaction.atomic
def publish(*, version: TemplateVersion, by: str, now: datetime) -> list[Refusal]:
    """Make a draft what campaigns may send; or list everything against it, and nothing changes."""
    template = MessageTemplate.objects.select_for_update().get(pk=version.template_id)
    row = TemplateVersion.objects.get(pk=version.pk)
    if row.status != Status.DRAFT:
        return []
    if found := linter.check(
        channel=template.channel,
        words=words_of(row),
        litigation=template.litigation,
        reply=template.kind == MessageTemplate.Kind.REPLY,
        kind=template.kind,
    ):
        return found
    template.versions.filter(status=Status.PUBLISHED).update(status=Status.SUPERSEDED)
    TemplateVersion.objects.filter(pk=row.pk).update(status=Status.PUBLISHED, published_by=by, published_at=now)
    version.refresh_from_db()
    return []


def published(*, template: MessageTemplate) -> TemplateVersion | None:
    """Give the version that campaigns send now."""
    return template.versions.filter(status=Status.PUBLISHED).first()


@known
def _own(kind: str, client_id: UUID | None) -> QuerySet[TemplateVersion]:
    mine = TemplateVersion.objects.filter(
        Q(template__client=None) | Q(template__client=client_id) if client_id else Q(template__client=None),
        status=Status.PUBLISHED,
        template__kind=kind,
        template__channel=MessageTemplate.Channel.EMAIL,
        template__retired_at=None,
    )
    return mine.order_by(F("template__client").desc(nulls_last=True), "-published_at")


def own_words(*, kind: str, client_id: UUID | None, language: str) -> Words | None:
    """Give the agency's own words for a notice: the client's before everybody's; None, our file is sent."""
    if kind not in NOTICES:
        return None
    row = _own.first(kind, client_id)
    return words_of(row).get(language) if row else None


def _stored(words: Mapping[str, Words]) -> dict[str, dict[str, str]]:
    return {language: asdict(said) for language, said in words.items() if language in linter.LANGUAGES}
