"""Campaigns that hosts start through the API (the ports of accounts/services/outreach.py): drafted and handed on.

Somebody of the agency approves them like any other: a key is an author, never an approver.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.refusals import Refusal, gettext_noop, refuse
from campaigns.models import Campaign, MessageTemplate, TemplateVersion
from campaigns.rules import audience as rules
from campaigns.services import audience, campaigns, results, templates

UNKNOWN = gettext_noop("There is no published template of this name.")


class _Refused(Exception):
    """Undo what was drafted: it is refused."""

    def __init__(self, found: list[Refusal]) -> None:
        super().__init__(found)
        self.found = found


def start(
    *,
    name: str,
    template: str,
    second: str,
    purpose: str,
    audience_said: Mapping[str, Any],
    references: Sequence[str] | None,
    offer: Mapping[str, Any],
    starts_at: datetime | None,
    by: str,
    now: datetime,
) -> list[Refusal] | dict[str, Any]:
    """Draft a campaign and hand it on for approval; refused, nothing is written."""
    found = [replace(one, field=f"/audience/{one.field}") for one in rules.check(audience_said)]
    versions: list[TemplateVersion | None] = []
    for field, said in (("/template", template), ("/second_template", second)):
        version = published(said) if said else None
        if said and version is None:
            found.append(refuse(UNKNOWN, "template_unknown", field=field))
        versions.append(version)
    if found:
        return found
    try:
        with transaction.atomic():
            made = campaigns.draft(
                name=name,
                by=by,
                now=now,
                purpose=purpose,
                channel=versions[0].template.channel if versions[0] else "email",
                version_a=versions[0],
                version_b=versions[1],
                audience=dict(audience_said),
                offer=dict(offer),
                starts_at=starts_at,
            )
            known = audience.set_lines(made, references) if references is not None else None
            if refused := campaigns.submit(campaign=made, by=by, now=now):
                raise _Refused(pointed(refused))
    except _Refused as refused:
        return refused.found
    made.refresh_from_db()
    return shown(made) | ({"references": known[0], "references_known": known[1]} if known else {})


def find(campaign_id: UUID) -> dict[str, Any] | None:
    """Say where a campaign is and what became of it."""
    row = Campaign.objects.filter(pk=campaign_id).first()
    return shown(row) if row else None


def stop(*, campaign_id: UUID, reason: str, now: datetime) -> list[Refusal] | None:
    """Stop a campaign of the agency."""
    row = Campaign.objects.filter(pk=campaign_id).first()
    return campaigns.stop(campaign=row, reason=reason, now=now) if row else None


def shown(row: Campaign) -> dict[str, Any]:
    """Give a campaign as the API tells it."""
    return all_shown([row])[0]


def all_shown(rows: Sequence[Campaign]) -> list[dict[str, Any]]:
    """Give campaigns as the API tells them, counted at once."""
    ids = [row.pk for row in rows]
    found = results.outcomes_of([row.pk for row in rows if row.started_at])
    progress, left_out = results.progress_of(ids), results.left_out_of(ids)
    return [_shown(row, found[row.pk], progress[row.pk], left_out[row.pk]) for row in rows]


def _shown(
    row: Campaign, found: list[results.Outcome], progress: dict[str, int], left_out: dict[str, int]
) -> dict[str, Any]:
    steps = {step: sum(outcome.steps[step] for outcome in found) for step in results.STEPS}
    return {
        "id": row.pk,
        "name": row.name,
        "status": row.status,
        "purpose": row.purpose,
        "channel": row.channel,
        "template": _name(row.version_a),
        "second_template": _name(row.version_b),
        "audience": {name: said for name, said in row.audience.items() if name != "list"},
        "listed": bool(row.audience.get("list")),
        "offer": row.offer,
        "made_by": row.made_by,
        "submitted_by": row.submitted_by,
        "approved_by": row.approved_by,
        "made_at": row.made_at,
        "starts_at": row.starts_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "reason": row.reason,
        "progress": progress,
        "left_out": left_out,
        "results": steps | {"paid_cents": sum(outcome.paid_cents for outcome in found)},
    }


def published(name: str, channel: str = "") -> TemplateVersion | None:
    """Give what a template of this name says now; without a channel, the e-mail before the text."""
    named = MessageTemplate.objects.filter(name=name, retired_at=None).order_by("channel")
    template = (named.filter(channel=channel) if channel else named).first()
    return templates.published(template=template) if template else None


PLACES = {"version_a": "/template", "version_b": "/second_template", "offer": "/offer", "name": "/name"}
PLACES |= {"share_b": "/share_b"}
PLACES |= {name: f"/offer/{name}" for name in ("percent_bps", "max_payments", "max_days", "expires_on")}


def pointed(found: Sequence[Refusal]) -> list[Refusal]:
    """Let refusals of a campaign name the fields that the API knows: the template, the offer's, the audience's."""
    return [
        replace(one, field=PLACES.get(one.field, f"/audience/{one.field}"))
        if one.field and not one.field.startswith("/")
        else one
        for one in found
    ]


def _name(version: TemplateVersion | None) -> str | None:
    return version.template.name if version else None
