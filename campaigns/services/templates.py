"""Templates: drafted, held against the linter, published as versions that never change."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet

from accounts.known import known
from accounts.models import Client
from accounts.refusals import Refusal
from campaigns.library import READY
from campaigns.models import MessageTemplate, TemplateVersion
from campaigns.rules import linter
from campaigns.rules.linter import Words
from campaigns.rules.notice_words import NOTICES

Status = TemplateVersion.Status


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


@transaction.atomic
def save(*, template: MessageTemplate, words: Mapping[str, Words], by: str, now: datetime) -> TemplateVersion:
    """Keep words in the template's draft, a new one where the last version is published."""
    MessageTemplate.objects.select_for_update().get(pk=template.pk)
    draft = template.versions.filter(status=Status.DRAFT).first()
    if draft is None:
        last = template.versions.aggregate(last=Max("number"))["last"] or 0
        draft = TemplateVersion(template=template, number=last + 1)
    draft.words, draft.made_by, draft.made_at = _stored(words), by, now
    draft.save()
    return draft


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
