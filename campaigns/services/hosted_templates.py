"""Templates as hosts see and write them through the API (the ports of accounts/services/writing.py)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.models import Account, Client
from accounts.refusals import Refusal, gettext_noop, refuse
from campaigns.library import READY
from campaigns.models import MessageTemplate, TemplateVersion
from campaigns.rules.linter import Words
from campaigns.services import previews, templates

_S = {
    "name_taken": gettext_noop("There is a template of this name."),
    "ready_unknown": gettext_noop("The library has no template of this key."),
    "client_unknown": gettext_noop("There is no client of this id."),
    "nothing_to_publish": gettext_noop("There is no draft: what it says is published already."),
    "version_unknown": gettext_noop("There is no version of this number."),
    "account_unknown": gettext_noop("There is no account of this id."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_S[code], code, field=field, **params)


def rows() -> QuerySet:
    """Give the agency's templates."""
    return MessageTemplate.objects.prefetch_related("versions")


def shown(row: MessageTemplate) -> dict[str, Any]:
    """Give a template with its versions, the newest first."""
    versions = sorted(row.versions.all(), key=lambda one: -one.number)
    said = {name: getattr(row, name) for name in ("name", "kind", "channel", "litigation", "made_by", "made_at")}
    live = next((one.number for one in versions if one.status == TemplateVersion.Status.PUBLISHED), None)
    more = {"client": row.client_id, "retired_at": row.retired_at, "published": live}
    return {"id": row.pk} | said | more | {"versions": [version_shown(one) for one in versions]}


def version_shown(row: TemplateVersion) -> dict[str, Any]:
    """Give a version and what it says."""
    names = ("number", "status", "words", "made_by", "made_at", "published_by", "published_at")
    return {name: getattr(row, name) for name in names}


def ready() -> list[dict[str, Any]]:
    """Give the library."""
    return [
        {
            "key": key,
            "name": one.name,
            "kind": one.kind,
            "channel": one.channel,
            "words": {language: _words(said) for language, said in one.words.items()},
        }
        for key, one in READY.items()
    ]


def _words(said: Words) -> dict[str, str]:
    return {"subject": said.subject, "preheader": said.preheader, "body": said.body}


def make(
    *,
    name: str,
    ready: str,
    kind: str,
    channel: str,
    words: Mapping[str, Mapping[str, str]],
    client: UUID | None,
    litigation: bool,
    by: str,
    now: datetime,
) -> dict[str, Any] | list[Refusal]:
    """Begin a template with its first draft; what the linter has against it is said when it is to be published."""
    whose = Client.objects.filter(pk=client).first() if client else None
    found = [_no("client_unknown", "/client")] if client and whose is None else []
    if ready and ready not in READY:
        found.append(_no("ready_unknown", "/ready"))
    if found:
        return found
    about = {"name": name, "client": whose, "litigation": litigation, "by": by, "now": now}
    try:
        with transaction.atomic():
            if ready:
                version = templates.from_library(key=ready, **about)
            else:
                version = templates.start(kind=kind, channel=channel, words=_said(words), **about)
    except IntegrityError:
        return [_no("name_taken", "/name")]
    return shown(version.template)


def save(
    *, template_id: UUID, words: Mapping[str, Mapping[str, str]], by: str, now: datetime
) -> dict[str, Any] | list[Refusal]:
    """Keep words in the template's draft."""
    row = MessageTemplate.objects.get(pk=template_id)
    return version_shown(templates.save(template=row, words=_said(words), by=by, now=now))


def publish(*, template_id: UUID, by: str, now: datetime) -> dict[str, Any] | list[Refusal]:
    """Make the draft what is sent; or all that the linter has against it, each with its rule and its place."""
    draft = TemplateVersion.objects.filter(template=template_id, status=TemplateVersion.Status.DRAFT).first()
    if draft is None:
        return [_no("nothing_to_publish")]
    if found := templates.publish(version=draft, by=by, now=now):
        # A list of refusals is a 422 that names fields; one without a field speaks of the draft as a whole.
        return [refuse(one.template, one.code, field=f"words.{one.field}", **one.params) for one in found]
    return version_shown(draft)


def retire(*, template_id: UUID, retired: bool, now: datetime) -> dict[str, Any]:
    """Take a template out of use, or into it again."""
    row = MessageTemplate.objects.get(pk=template_id)
    return shown(templates.retire(template=row, retired=retired, now=now))


def preview(
    *, template_id: UUID, number: int | None, language: str, account: UUID | None
) -> dict[str, Any] | list[Refusal]:
    """Write a version with a real account's values, or with samples."""
    versions = TemplateVersion.objects.select_related("template").filter(template=template_id).order_by("-number")
    version = (versions.filter(number=number) if number is not None else versions).first()
    if version is None:
        return [_no("version_unknown", "version")]
    whose = None
    if account is not None:
        whose = Account.objects.select_related("consumer", "client", "agency").filter(pk=account).first()
        if whose is None:
            return [_no("account_unknown", "account")]
    said = previews.preview(version, language, whose)
    if "error" in said:
        return [Refusal("not_written", said["error"])]
    length = said.get("length")
    return {
        "version": version.number,
        "language": language,
        "subject": said.get("subject", ""),
        "preheader": said.get("preheader", ""),
        "text": said["text"],
        "html": said.get("html", ""),
        "segments": length.segments if length else None,
    }


def _said(words: Mapping[str, Mapping[str, str]]) -> dict[str, Words]:
    return {
        language: Words(**{part: text.replace("\r\n", "\n").strip() for part, text in said.items()})
        for language, said in words.items()
    }
