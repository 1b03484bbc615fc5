"""The life of a campaign: drafted, approved by another person, started, paused, stopped at any moment, finished."""

from collections.abc import Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from accounts import events
from accounts.known import known
from accounts.refusals import Refusal, gettext_noop, refuse
from accounts.services import people
from campaigns.models import AudienceLine, Campaign, MailProvider, TemplateVersion
from campaigns.rules import audience as rules
from campaigns.rules import fields
from campaigns.rules.notice_words import NOTICES
from campaigns.services import carriers
from campaigns.services.templates import words_of
from settlements.rules.offers import MOST_DAYS, MOST_PAYMENTS

Status = Campaign.Status
_S = {
    "no_template": gettext_noop("Choose a template with a published version."),
    "template_retired": gettext_noop("This template is out of use: choose another one, or use it again."),
    "template_of_client": gettext_noop("This template is one client's: choose that client's accounts only."),
    "template_is_notice": gettext_noop("This template words a notice of ours: a campaign cannot send it."),
    "templates_differ": gettext_noop("Both templates must be for the campaign's channel."),
    "share_b": gettext_noop("Write from 1 to 99 percent for the second template."),
    "offer_missing": gettext_noop("The template speaks of an offer: say which one."),
    "offer_percent": gettext_noop("Write the offer's percent from 1 to 100, in hundredths."),
    "offer_payments": gettext_noop("Write from 1 to %(most)s payments."),
    "offer_days": gettext_noop("Write from 0 to %(most)s days."),
    "offer_expires": gettext_noop("Say the last day to accept the offer: today or later."),
    "name_missing": gettext_noop("Give it a name."),
    "not_a_draft": gettext_noop("Only a draft can be changed."),
    "not_waiting": gettext_noop("It does not wait for approval."),
    "same_person": gettext_noop("Somebody else than its author must approve it."),
    "no_provider": gettext_noop("No e-mail provider is set up."),
    "carrier_none": gettext_noop("No carrier of text messages is set up."),
    "carrier_pending": gettext_noop("The carrier's registration is not approved yet (SMS-07)."),
    "carrier_forbidden": gettext_noop("The carrier's terms forbid it: record its written exception first (SMS-06)."),
    "not_running": gettext_noop("It is not running."),
    "not_paused": gettext_noop("It is not paused."),
    "already_over": gettext_noop("It is over."),
    "rates_stop": gettext_noop("Complaints stopped it: it cannot go on."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_S[code], code, field=field, **params)


def draft(*, name: str, by: str, now: datetime, **values: Any) -> Campaign:
    """Begin a campaign; nothing is checked until it is submitted."""
    return Campaign.objects.create(name=name.strip()[:120], made_by=by, made_at=now, **values)


@transaction.atomic
def save(*, campaign: Campaign, values: Mapping[str, Any], by: str, now: datetime) -> list[Refusal]:
    """Change a draft; whoever changes it last is its author."""
    held = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if held.status != Status.DRAFT:
        return [_no("not_a_draft")]
    for name, value in values.items():
        setattr(held, name, value)
    held.made_by = by
    held.save()
    return []


def check(campaign: Campaign, *, today: date) -> list[Refusal]:
    """List everything that keeps a campaign from being sent."""
    found: list[Refusal] = []
    if not campaign.name:
        found.append(_no("name_missing", "name"))
    versions = [version for version in (campaign.version_a, campaign.version_b) if version is not None]
    if campaign.version_a is None:
        found.append(_no("no_template", "version_a"))
    for name, version in (("version_a", campaign.version_a), ("version_b", campaign.version_b)):
        if version is None:
            continue
        if version.status == TemplateVersion.Status.DRAFT:
            found.append(_no("no_template", name))
        if version.template.retired_at is not None:
            found.append(_no("template_retired", name))
        if version.template.kind in NOTICES:
            found.append(_no("template_is_notice", name))
        if version.template.channel != campaign.channel:
            found.append(_no("templates_differ", name))
        if version.template.client_id and campaign.audience.get("clients") != [str(version.template.client_id)]:
            found.append(_no("template_of_client", "clients"))
    if not _between(campaign.share_b, 1, 99):
        found.append(_no("share_b", "share_b"))
    named = {one for version in versions for said in words_of(version).values() for one in fields.used(said.body)}
    if named & set(fields.OFFER_FIELDS) and not campaign.offer:
        found.append(_no("offer_missing", "offer"))
    if campaign.offer:
        found += _offer(campaign.offer, today)
    if campaign.channel == "email" and not MailProvider.objects.filter(is_active=True).exists():
        found.append(_no("no_provider"))
    if campaign.channel == "text" and (standing := carriers.standing(carriers.active())) != "ready":
        found.append(_no(f"carrier_{standing}"))
    return found + rules.check(campaign.audience)


def _offer(said: Mapping[str, Any], today: date) -> list[Refusal]:
    found = []
    if not _between(said.get("percent_bps"), 1, 100_00):
        found.append(_no("offer_percent", "percent_bps"))
    if not _between(said.get("max_payments", 1), 1, MOST_PAYMENTS):
        found.append(_no("offer_payments", "max_payments", most=MOST_PAYMENTS))
    if said.get("max_days") is not None and not _between(said["max_days"], 0, MOST_DAYS):
        found.append(_no("offer_days", "max_days", most=MOST_DAYS))
    if (ends := expires_on(said)) is None or ends < today:
        found.append(_no("offer_expires", "expires_on"))
    return found


def _between(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def expires_on(offer: Mapping[str, Any]) -> date | None:
    """Give the last day to accept a campaign's offer; None where it has none, or none that is a day."""
    try:
        return date.fromisoformat(str(offer.get("expires_on") or ""))
    except ValueError:
        return None


# Steps ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def submit(*, campaign: Campaign, by: str, now: datetime) -> list[Refusal]:
    """Hand a draft to a second person, or list everything that is against it."""
    held = _held(campaign)
    found = [_no("not_a_draft")] if held.status != Status.DRAFT else check(held, today=now.date())
    if not found:
        _move(held, Status.WAITING, submitted_by=by, submitted_at=now)
    return found


@transaction.atomic
def take_back(*, campaign: Campaign, by: str, reason: str, now: datetime) -> list[Refusal]:
    """Make a waiting campaign a draft again: its author thinks better of it, or the approver does."""
    held = _held(campaign)
    if held.status not in (Status.WAITING, Status.SCHEDULED):
        return [_no("not_waiting")]
    _move(
        held,
        Status.DRAFT,
        submitted_by="",
        submitted_at=None,
        approved_by="",
        approved_at=None,
        reason=f"{by}: {reason}"[:300] if reason else "",
    )
    return []


@transaction.atomic
def approve(*, campaign: Campaign, by: str, now: datetime) -> list[Refusal]:
    """Let a campaign go, at once or at its time; nobody approves what they wrote or submitted (AUTH-15)."""
    held = _held(campaign)
    if held.status != Status.WAITING:
        return [_no("not_waiting")]
    if not people.is_another(by, held.made_by, held.submitted_by):
        return [_no("same_person")]
    if found := check(held, today=now.date()):
        return found
    _move(held, Status.SCHEDULED, approved_by=by, approved_at=now)
    return []


@transaction.atomic
def start(*, campaign: Campaign, now: datetime) -> bool:
    """Begin to choose accounts when the time has come; False when somebody else did, or it is not yet time."""
    held = _held(campaign)
    if held.status != Status.SCHEDULED or (held.starts_at and held.starts_at > now):
        return False
    _move(held, Status.FREEZING, started_at=now)
    _tell("campaign.started", held, now)
    return True


@transaction.atomic
def frozen(*, campaign: Campaign, now: datetime) -> None:
    """Begin to send: every account was looked at."""
    if _held(campaign).status == Status.FREEZING:
        _move(campaign, Status.SENDING, frozen_at=now)


def pause(*, campaign: Campaign, reason: str, now: datetime) -> list[Refusal]:
    """Stop handing over for now; what is with the provider stays there."""
    with transaction.atomic(), _alone(campaign):
        held = _held(campaign)
        if held.status not in Campaign.RUNNING:
            return [_no("not_running")]
        _move(held, Status.PAUSED, reason=reason[:300])
    return []


@transaction.atomic
def resume(*, campaign: Campaign, now: datetime) -> list[Refusal]:
    """Go on where a paused campaign was."""
    held = _held(campaign)
    if held.status != Status.PAUSED:
        return [_no("not_paused")]
    begun = Status.SENDING if held.frozen_at else Status.FREEZING
    _move(held, begun if held.started_at else Status.SCHEDULED, reason="")
    return []


def stop(*, campaign: Campaign, reason: str, now: datetime) -> list[Refusal]:
    """End a campaign for good. When this returns, no hand-over begins any more: it waits for those that run."""
    with transaction.atomic(), _alone(campaign):
        held = _held(campaign)
        if held.status not in Campaign.MAY_STOP:
            return [_no("already_over")]
        _move(held, Status.STOPPED, ended_at=now, reason=reason[:300])
        _tell("campaign.stopped", held, now, reason=reason[:300])
    return []


@transaction.atomic
def finish(*, campaign: Campaign, now: datetime) -> None:
    """Note that nobody is left to write to."""
    held = _held(campaign)
    if held.status == Status.SENDING:
        _move(held, Status.FINISHED, ended_at=now)
        _tell("campaign.finished", held, now)


@transaction.atomic
def copy(*, campaign: Campaign, by: str, now: datetime) -> Campaign:
    """Begin a draft that says the same."""
    made = draft(
        name=f"{campaign.name} (2)",
        by=by,
        now=now,
        purpose=campaign.purpose,
        channel=campaign.channel,
        version_a=campaign.version_a,
        version_b=campaign.version_b,
        share_b=campaign.share_b,
        audience=campaign.audience,
        offer=campaign.offer,
    )
    AudienceLine.objects.bulk_create(
        [AudienceLine(campaign=made, reference_key=line.reference_key) for line in campaign.lines.all()]
    )
    return made


def _held(campaign: Campaign) -> Campaign:
    joined = Campaign.objects.select_for_update(of=("self",)).select_related(
        "version_a__template", "version_b__template"
    )
    return joined.get(pk=campaign.pk)


def _move(campaign: Campaign, status: str, **values: Any) -> None:
    campaign.status = status
    for name, value in values.items():
        setattr(campaign, name, value)
    campaign.save(update_fields=["status", *values])


def _tell(kind: str, campaign: Campaign, now: datetime, **more: Any) -> None:
    about = {"campaign": str(campaign.pk), "name": campaign.name, "channel": campaign.channel, "offer": campaign.offer}
    events.record(kind, now=now, data=about | {"by": campaign.approved_by or campaign.made_by, **more})


# Who hands over, and who stops --------------------------------------------------------------------------------------


def _key(campaign_id: UUID) -> int:
    """Name a campaign's lock: the last 63 bits of its id."""
    return campaign_id.int & (2**63 - 1)


@known
def _sending(campaign_id: UUID) -> QuerySet[Campaign]:
    return Campaign.objects.filter(pk=campaign_id, status=Status.SENDING)


@contextmanager
def handing_over(campaign_id: UUID):
    """Say whether the campaign still sends, and keep it from being stopped until the hand-over is done.

    A lock of the session, not of a transaction: none is open while the provider is asked. Hand-overs share it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [_key(campaign_id)])
        try:
            yield _sending.exists(campaign_id)
        finally:
            cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [_key(campaign_id)])


@contextmanager
def _alone(campaign: Campaign):
    """Wait for the hand-overs that run and let none begin until the transaction is over."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_key(campaign.pk)])
    yield
