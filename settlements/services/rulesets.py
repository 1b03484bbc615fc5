"""Which rule sets are in force, and how a new version comes about: draft, submit, publish, withdraw, roll back.

Callers check permissions. Every change of a level holds its row (the client, or the agency), so that versions of a
level are made one after the other and their numbers are in the order of publication.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from accounts import clock, events
from accounts.known import known
from accounts.models import Agency, Client
from accounts.refusals import Refusal, refuse
from accounts.services import people
from accounts.tenancy import ALL_AGENCIES, acting
from settlements.models import RuleSet
from settlements.rules import bands as rules
from settlements.rules import drafts
from settlements.rules.bands import Compiled

LATEST_EFFECTIVE = timedelta(days=5 * 366)
"""A date of effect further ahead is a mistake in the year."""
_SENTENCES = {
    "client_unknown": "There is no such client.",
    "rule_set_unknown": "There is no such rule set.",
    "draft_open": "There is a draft of these rules already: publish or discard it first.",
    "rule_set_not_open": "Version %(version)s is not a draft any more.",
    "rule_set_not_draft": "Version %(version)s waits for its second person already.",
    "rule_set_not_submitted": "Version %(version)s was changed after it was submitted: submit it again.",
    "rule_set_not_published": "Version %(version)s was never published.",
    "rule_set_withdrawn": "Version %(version)s is withdrawn already.",
    "needs_second_person": "Somebody else must publish version %(version)s: you wrote or submitted it.",
    "effective_in_past": "Rules are in force from now on or later, never from an earlier time.",
    "effective_too_late": "Rules are published at most five years ahead.",
}


class Refused(Exception):
    """Show these reasons; nothing was written."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__(", ".join(refusal.code for refusal in refusals))
        self.refusals = list(refusals)


class NeedsSecondPerson(Refused):
    """Let somebody else publish it: the agency wants two people."""


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


# What is in force ---------------------------------------------------------------------------------------------------


def in_force(*, clients: Iterable[UUID], now: datetime) -> dict[UUID, Compiled | None]:
    """Compile the rules of each client as they stand at a moment, in one query; None where none is enabled."""
    clients = set(clients)
    latest = values_in_force(clients=clients, now=now)
    return {client: rules.compile_rules(latest.get(client), latest.get(None)) for client in clients}


def values_in_force(*, clients: Iterable[UUID], now: datetime) -> dict[UUID | None, rules.RuleSet]:
    """Read what stands at a moment per client, and under None for the agency; a level without rules has no key.

    The moment may be long ago: what was published, withdrawn or planned after it does not count.
    """
    assert acting() != ALL_AGENCIES, "the agency's own rules are those of one agency"
    return {row.client_id: value(row) for row in _latest(list(set(clients)), now)}


@known
def _latest(clients: Sequence[UUID], now: datetime) -> QuerySet[RuleSet]:
    published = RuleSet.objects.filter(
        Q(client__isnull=True) | Q(client__in=clients),
        Q(withdrawn_at__isnull=True) | Q(withdrawn_at__gt=now),
        status=RuleSet.Status.PUBLISHED,
        published_at__lte=now,
        effective_at__lte=now,
    )
    return published.order_by("client_id", "-effective_at", "-version").distinct("client_id")


def value(row: RuleSet | None) -> rules.RuleSet | None:
    """Read a stored rule set as the rules take it."""
    if row is None:
        return None
    return rules.RuleSet(
        level="client" if row.client_id else "agency",
        version=row.version,
        bands=tuple(rules.Band(**band) for band in row.bands),
        enabled=row.enabled,
        is_master=row.is_master,
        replace_all=row.replace_all,
        **{name: getattr(row, name) for name in rules.FORM_FIELDS},
    )


# Drafts -------------------------------------------------------------------------------------------------------------


@transaction.atomic
def draft(*, client: Client | None, by: str, now: datetime, copy_of: RuleSet | None = None) -> RuleSet:
    """Give the draft of a level: the open one, or a new one that begins as the version in force.

    Where none is in force it begins as the one that is planned to be.

    :param copy_of: begin as this version instead, of this level or another one.
    :raises Refused: client_unknown, rule_set_unknown; draft_open when there is a draft and a copy is asked for.
    """
    client_id = client.pk if client else None
    hold(client_id)
    versions = RuleSet.objects.filter(client=client_id)
    if standing := versions.filter(status__in=RuleSet.OPEN).first():
        if copy_of is None:
            return standing
        raise Refused(_no("draft_open"))
    return _new(client_id, _read(copy_of) if copy_of else _beginning(client_id, now), by=by, now=now)


@transaction.atomic
def save_draft(
    *, rule_set: RuleSet, values: Mapping[str, Any], bands: Sequence[Mapping[str, Any]], by: str, now: datetime
) -> list[Refusal]:
    """Write a draft's form and all its bands; what is not in `values` stays. Refusals are all at once, then nothing is.

    One that waits for its second person is a draft again: nobody publishes what changed after it was submitted.
    """
    try:
        row = _held(rule_set, *RuleSet.OPEN)
    except Refused as refused:
        return refused.refusals
    checked = drafts.check(values, bands, of_client=row.client_id is not None)
    if checked.refusals:
        return checked.refusals
    for name, said in checked.values.items():
        setattr(row, name, said)
    row.bands, row.status, row.submitted_by = checked.bands, RuleSet.Status.DRAFT, ""
    row.made_by, row.made_at = by, now
    row.save()
    rule_set.refresh_from_db()
    return []


@transaction.atomic
def submit(*, rule_set: RuleSet, by: str, now: datetime) -> RuleSet:
    """Hand a draft to the second person.

    :raises Refused: rule_set_not_open, rule_set_not_draft.
    """
    row = _held(rule_set, *RuleSet.OPEN)
    if row.status == RuleSet.Status.WAITING:
        raise Refused(_no("rule_set_not_draft", version=row.version))
    row.status, row.submitted_by = RuleSet.Status.WAITING, by
    row.save()
    return row


@transaction.atomic
def discard(*, rule_set: RuleSet, by: str, now: datetime) -> RuleSet:
    """Give a draft up; it stays readable.

    :raises Refused: rule_set_not_open.
    """
    row = _held(rule_set, *RuleSet.OPEN)
    row.status, row.withdrawn_at, row.withdrawn_by = RuleSet.Status.DISCARDED, now, by
    row.save()
    return row


# Versions -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def publish(*, rule_set: RuleSet, by: str, now: datetime, effective_at: datetime | None = None) -> RuleSet:
    """Publish a draft, in force now or from a later moment; the version before is superseded then.

    A draft that was overtaken by another publication takes the next number, so numbers tell the order.

    :raises NeedsSecondPerson: the agency wants two people and `by`, or whoever made that key, wrote or submitted it.
    :raises Refused: rule_set_not_open, rule_set_not_submitted, effective_in_past, effective_too_late.
    """
    row = _held(rule_set, *RuleSet.OPEN)
    if effective_at is not None and effective_at < now:
        raise Refused(_no("effective_in_past", "/effective_at"))
    if effective_at is not None and effective_at > now + LATEST_EFFECTIVE:
        raise Refused(_no("effective_too_late", "/effective_at"))
    if _needs_two():
        if not people.is_another(by, row.made_by, row.submitted_by):
            raise NeedsSecondPerson(_no("needs_second_person", version=row.version))
        if row.status != RuleSet.Status.WAITING:
            raise Refused(_no("rule_set_not_submitted", version=row.version))
    return _publish(row, by=by, now=now, effective_at=effective_at)


@transaction.atomic
def withdraw(*, rule_set: RuleSet, by: str, now: datetime, reason: str = "") -> RuleSet:
    """Take a published version back: the version before it is in force again. One person may always do that.

    :raises Refused: rule_set_not_published, rule_set_withdrawn.
    """
    row = _held(rule_set)
    if row.status != RuleSet.Status.PUBLISHED:
        raise Refused(_no("rule_set_not_published", version=row.version))
    if row.withdrawn_at:
        raise Refused(_no("rule_set_withdrawn", version=row.version))
    row.withdrawn_at, row.withdrawn_by = max(now, row.published_at), by
    row.save(update_fields=["withdrawn_at", "withdrawn_by"])
    events.record("rule_set.withdrawn", now=now, data=_about(row) | {"by": by, "reason": reason[:300]})
    return row


@transaction.atomic
def roll_back(*, to: RuleSet, by: str, now: datetime) -> RuleSet:
    """Publish a copy of an old version as a new one; where the agency wants two people the copy waits for the second.

    :raises Refused: rule_set_not_published; draft_open where the copy would have to wait beside a draft.
    """
    old = _held(to)
    if old.status != RuleSet.Status.PUBLISHED:
        raise Refused(_no("rule_set_not_published", version=old.version))
    if not _needs_two():
        return _publish(_new(old.client_id, old, by=by, now=now, saved=False), by=by, now=now)
    if RuleSet.objects.filter(client=old.client_id, status__in=RuleSet.OPEN).exists():
        raise Refused(_no("draft_open"))
    waiting = _new(old.client_id, old, by=by, now=now, saved=False)
    waiting.status, waiting.submitted_by = RuleSet.Status.WAITING, by
    waiting.save()
    return waiting


def _publish(row: RuleSet, *, by: str, now: datetime, effective_at: datetime | None = None) -> RuleSet:
    others = RuleSet.objects.filter(client=row.client_id).exclude(pk=row.pk)
    top = others.aggregate(
        last=Max("version"),
        published=Max("version", filter=Q(status=RuleSet.Status.PUBLISHED)),
        at=Max("published_at"),
    )
    if (top["published"] or 0) > row.version:
        row.version = top["last"] + 1
    # Whoever read the clock first may publish last: what is published last counts, so its time is never earlier.
    row.published_at = max(now, top["at"] or now)
    row.effective_at = max(effective_at or row.published_at, row.published_at)
    row.status, row.published_by = RuleSet.Status.PUBLISHED, by
    row.save()
    events.record("rule_set.published", now=now, data=_about(row) | {"by": by, "copied_from": row.copied_from})
    return row


def _about(row: RuleSet) -> dict[str, Any]:
    return {
        "rule_set": str(row.pk),
        "level": "client" if row.client_id else "agency",
        "client": row.client.number if row.client_id else None,
        "version": row.version,
        "enabled": row.enabled,
        "effective_at": row.effective_at.isoformat(),
    }


# What was, and what changed -----------------------------------------------------------------------------------------


class Chapter(NamedTuple):
    """Give one version with what became of it: `state` draft, waiting, discarded, withdrawn, scheduled, in_force or
    superseded; `ended_at` is when it stopped being in force, or will. Who, when and why are fields of the version."""

    rule_set: RuleSet
    state: str
    ended_at: datetime | None


def history(*, client: Client | None, now: datetime | None = None) -> list[Chapter]:
    """Tell the versions of a level, the newest first."""
    now = now or clock.now()
    rows = list(RuleSet.objects.filter(client=client.pk if client else None).order_by("-version"))
    published = [row for row in rows if row.status == RuleSet.Status.PUBLISHED]
    return [_chapter(row, published, now) for row in rows]


def _chapter(row: RuleSet, published: list[RuleSet], now: datetime) -> Chapter:
    if row.status != RuleSet.Status.PUBLISHED:
        return Chapter(row, row.status, row.withdrawn_at)
    after = [
        other.effective_at
        for other in published
        if (other.effective_at, other.version) > (row.effective_at, row.version)
        and not (other.withdrawn_at and other.withdrawn_at <= now)
    ]
    ended_at = min([*after, *([row.withdrawn_at] if row.withdrawn_at else [])], default=None)
    if row.withdrawn_at and row.withdrawn_at <= now:
        return Chapter(row, "withdrawn", ended_at)
    if row.effective_at > now:
        return Chapter(row, "scheduled", ended_at)
    return Chapter(row, "superseded" if ended_at and ended_at <= now else "in_force", ended_at)


class Change(NamedTuple):
    """Say what one field was and is; `band` gives its bounds in cents. A band that came or went is one change."""

    field: str
    band: tuple[int, int] | None
    before: Any
    after: Any


def diff(before: RuleSet, after: RuleSet) -> list[Change]:
    """Compare two versions field by field; a band is the same one while it has the same bounds."""
    found = [
        Change(name, None, getattr(before, name), getattr(after, name))
        for name in (*drafts.SWITCHES, *rules.FORM_FIELDS)
        if getattr(before, name) != getattr(after, name)
    ]
    then, now = _by_bounds(before), _by_bounds(after)
    for key in sorted(then.keys() | now.keys()):
        old, new = then.get(key), now.get(key)
        if old is None or new is None:
            found.append(Change("band", key[:2], old, new))
            continue
        found += [
            Change(name, key[:2], old.get(name), new.get(name))
            for name in rules.BAND_FIELDS
            if old.get(name) != new.get(name)
        ]
    return found


def _by_bounds(row: RuleSet) -> dict[tuple[int, int, int], dict[str, Any]]:
    """Key bands by their bounds; of several with the same ones by their order too."""
    keyed: dict[tuple[int, int, int], dict[str, Any]] = {}
    for band in row.bands:
        bounds = band["owing_from_cents"], band["owing_to_cents"]
        keyed[(*bounds, sum(key[:2] == bounds for key in keyed))] = band
    return keyed


# ---------------------------------------------------------------------------------------------------------------------

_COPIED = ("enabled", "is_master", "replace_all", *rules.FORM_FIELDS, "bands", "note")


def _new(client_id: UUID | None, like: RuleSet | None, *, by: str, now: datetime, saved: bool = True) -> RuleSet:
    top = RuleSet.objects.filter(client=client_id).aggregate(top=Max("version"))["top"] or 0
    row = RuleSet(client_id=client_id, version=top + 1, made_by=by, made_at=now)
    for name in _COPIED if like else ():
        setattr(row, name, getattr(like, name))
    row.is_master = row.is_master and client_id is None
    row.replace_all = row.replace_all and client_id is not None
    row.copied_from = like.version if like and like.client_id == client_id else None
    if saved:
        row.save()
    return row


def _beginning(client_id: UUID | None, now: datetime) -> RuleSet | None:
    """Find what a new draft begins as: what is planned for later was not what anybody meant to change."""
    standing = _latest([client_id] if client_id else [], now)
    if in_force := next((row for row in standing if row.client_id == client_id), None):
        return in_force
    published = RuleSet.objects.filter(client=client_id, status=RuleSet.Status.PUBLISHED, withdrawn_at=None)
    return published.order_by("-effective_at", "-version").first()


def _needs_two() -> bool:
    return Agency.objects.values_list("rules_need_two_people", flat=True).get(pk=acting())


def hold(client_id: UUID | None) -> None:
    """Lock one level, the agency's or a client's, until the transaction ends.

    :raises Refused: client_unknown.
    """
    level = Agency.objects.filter(pk=acting()) if client_id is None else Client.objects.filter(pk=client_id)
    if level.select_for_update(no_key=True).values_list("pk").first() is None:
        raise Refused(_no("client_unknown"))


def _read(rule_set: RuleSet) -> RuleSet:
    if row := RuleSet.objects.filter(pk=rule_set.pk).first():
        return row
    raise Refused(_no("rule_set_unknown"))


def _held(rule_set: RuleSet, *statuses: str) -> RuleSet:
    """Lock the level of a rule set, then read it as it is now."""
    hold(_read(rule_set).client_id)
    row = _read(rule_set)
    if statuses and row.status not in statuses:
        raise Refused(_no("rule_set_not_open", version=row.version))
    return row
