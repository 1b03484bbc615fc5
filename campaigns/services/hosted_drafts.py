"""Drafts of campaigns, their audiences and their steps, as hosts take them (ports of accounts/services/writing.py).

A key writes, counts, hands on, pauses and stops; it never approves: that is a person's, and another one's (AUTH-15).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.refusals import Refusal, refuse
from campaigns.models import Campaign
from campaigns.rules import audience as rules
from campaigns.services import audience, campaigns
from campaigns.services.hosted import UNKNOWN, pointed, published, shown

SHOWN = ("reference", "balance_cents", "currency", "language", "reason")
"""Of an account in a sample: nobody's name."""


def rows() -> QuerySet:
    """Give the agency's campaigns."""
    return Campaign.objects.select_related("version_a__template", "version_b__template")


def draft(
    *, values: Mapping[str, Any], references: Sequence[str] | None, by: str, now: datetime
) -> dict[str, Any] | list[Refusal]:
    """Begin a campaign: its audience can be counted at once, and nobody gets anything."""
    found, ready = _read(values)
    if found:
        return found
    with transaction.atomic():
        made = campaigns.draft(by=by, now=now, **ready)
        return _with_list(made, references)


def change(
    *, campaign_id: UUID, values: Mapping[str, Any], references: Sequence[str] | None, by: str, now: datetime
) -> dict[str, Any] | list[Refusal]:
    """Write a draft anew; a list that is not sent again stays."""
    found, ready = _read(values)
    if found:
        return found
    row = Campaign.objects.get(pk=campaign_id)
    # The mark that a list narrows it goes with the list.
    if row.audience.get("list"):
        ready["audience"] = ready["audience"] | {"list": True}
    with transaction.atomic():
        if refused := campaigns.save(campaign=row, values=ready, by=by, now=now):
            return refused
        row.refresh_from_db()
        return _with_list(row, references)


def _with_list(row: Campaign, references: Sequence[str] | None) -> dict[str, Any]:
    known = audience.set_lines(row, references) if references is not None else None
    return shown(rows().get(pk=row.pk)) | ({"references": known[0], "references_known": known[1]} if known else {})


def _read(said: Mapping[str, Any]) -> tuple[list[Refusal], dict[str, Any]]:
    """Turn what a host wrote into what a campaign holds, or say what of it cannot be."""
    found = [replace(one, field=f"/audience/{one.field}") for one in rules.check(said["audience"])]
    versions = {}
    for column, field in (("version_a", "template"), ("version_b", "second_template")):
        name = said[field]
        versions[column] = published(name, said["channel"]) if name else None
        if name and versions[column] is None:
            found.append(refuse(UNKNOWN, "template_unknown", field=f"/{field}"))
    plain = {name: said[name] for name in ("name", "purpose", "channel", "share_b", "audience", "offer", "starts_at")}
    return found, plain | versions


def chosen(*, campaign_id: UUID, reason: str, limit: int, now: datetime) -> dict[str, Any] | list[Refusal]:
    """Count whom a campaign reaches and whom not, by the reason, and give some of them; or what its filters lack."""
    row = Campaign.objects.get(pk=campaign_id)
    if found := pointed(rules.check(row.audience)):
        return found
    found = audience.count(row, now=now)
    some = audience.sample(row, now=now, reason=reason, limit=limit)
    return {
        "campaign": row.pk,
        "reaches": found.pop("", 0),
        "left_out": found,
        "sample": [{name: one[name] for name in SHOWN} | {"account": one["account_id"]} for one in some],
    }


def submit(*, campaign_id: UUID, by: str, now: datetime) -> list[Refusal]:
    """Hand a draft on for approval by a person, or list everything that is against it."""
    return pointed(campaigns.submit(campaign=Campaign.objects.get(pk=campaign_id), by=by, now=now))


def take_back(*, campaign_id: UUID, reason: str, by: str, now: datetime) -> list[Refusal]:
    """Make a waiting campaign a draft again."""
    return campaigns.take_back(campaign=Campaign.objects.get(pk=campaign_id), by=by, reason=reason, now=now)


def pause(*, campaign_id: UUID, reason: str, now: datetime) -> list[Refusal]:
    """Hand nothing over for now."""
    return campaigns.pause(campaign=Campaign.objects.get(pk=campaign_id), reason=reason, now=now)


def resume(*, campaign_id: UUID, now: datetime) -> list[Refusal]:
    """Go on where it was."""
    return campaigns.resume(campaign=Campaign.objects.get(pk=campaign_id), now=now)


def copy(*, campaign_id: UUID, by: str, now: datetime) -> dict[str, Any]:
    """Begin a draft that says the same."""
    made = campaigns.copy(campaign=Campaign.objects.get(pk=campaign_id), by=by, now=now)
    return shown(rows().get(pk=made.pk))
