"""The levels of rules as staff see them: the agency and its clients, each with what is in force, next and in draft."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from settlements.admin import words
from settlements.admin.words import BAND_GROUPS, FORM_GROUPS
from settlements.models import RuleSet
from settlements.rules.bands import Band, Compiled
from settlements.rules.bands import RuleSet as Rules
from settlements.services import rulesets


def title(rule_set: RuleSet) -> str:
    """Name a version: whose rules, and which."""
    whose = str(rule_set.client) if rule_set.client_id else _("the agency")
    return _("Rules of %(whose)s, version %(n)s") % {"whose": whose, "n": rule_set.version}


def read(now: datetime) -> list[dict[str, Any]]:
    """Give every level that has rules, the agency first; the agency is there without rules too."""
    rows = RuleSet.objects.exclude(status=RuleSet.Status.DISCARDED).select_related("client")
    by_level: dict[Any, list[RuleSet]] = {None: []}
    for row in rows.order_by("version"):
        by_level.setdefault(row.client_id, []).append(row)
    found = [_level(client_id, of, now) for client_id, of in by_level.items()]
    return sorted(found, key=lambda level: (level["client"] is not None, str(level["client"] or "").lower()))


def _level(client_id: Any, rows: list[RuleSet], now: datetime) -> dict[str, Any]:
    live = [
        row
        for row in rows
        if row.status == RuleSet.Status.PUBLISHED and not (row.withdrawn_at and row.withdrawn_at <= now)
    ]
    now_in = max((row for row in live if row.effective_at <= now), key=_order, default=None)
    return {
        "client_id": client_id,
        "client": rows[0].client if client_id else None,
        "in_force": now_in,
        "next": min((row for row in live if row.effective_at > now), key=_order, default=None),
        "draft": next((row for row in rows if row.status in RuleSet.OPEN), None),
        "last": rows[-1] if rows else None,
    }


def _order(row: RuleSet) -> tuple:
    return row.effective_at, row.version


def above(rule_set: RuleSet, now: datetime) -> Rules | None:
    """Give the rules that stand over a client's version, enabled or not: the agency's. The agency has none above."""
    return rulesets.values_in_force(clients=(), now=now).get(None) if rule_set.client_id else None


def inherited(rule_set: RuleSet, now: datetime) -> Rules | None:
    """Give the rules that a client's version inherits from; what is not enabled is as if it did not exist."""
    found = above(rule_set, now)
    return found if found is not None and found.enabled else None


def needs_two(rule_set: RuleSet) -> bool:
    """Tell whether the agency wants a second person."""
    return rule_set.agency.rules_need_two_people


def changes(rule_set: RuleSet, now: datetime) -> list[dict[str, str]] | None:
    """Say what a draft changes against the version in force at its level; None when there is none."""
    chapters = rulesets.history(client=rule_set.client, now=now)
    standing = next((one.rule_set for one in chapters if one.state == "in_force"), None)
    if standing is None or standing.pk == rule_set.pk:
        return None
    return spoken(rulesets.diff(standing, rule_set))


def spoken(found: Iterable[rulesets.Change]) -> list[dict[str, str]]:
    """Give changes as a table reads them."""
    return [
        {
            "where": words.span(*one.band) if one.band else _("Rule set"),
            "field": _label(one.field),
            "before": _value(one.field, one.before),
            "after": _value(one.field, one.after),
        }
        for one in found
    ]


_SWITCHES = {"enabled": "Enabled", "is_master": "Master switch", "replace_all": "Replace everything"}


def _label(name: str) -> str:
    if name == "band":
        return _("Band")
    return (
        str(words.FIELDS[name].label).removesuffix(", $").removesuffix(", %")
        if name in words.FIELDS
        else _(_SWITCHES[name])
    )


def _value(name: str, value: Any) -> str:
    if name == "band":
        return _("none") if value is None else (words.in_short(value) or _("says nothing of its own"))
    if name in _SWITCHES:
        return _("yes") if value else _("no")
    return _("as inherited") if value in (None, "") else words.said(name, value)


def table(rule_set: RuleSet, now: datetime) -> dict[str, Any]:
    """Give a version for reading: a row per field, a column per band, what is inherited named as such."""
    own = rulesets.value(rule_set)
    rules = Compiled(own, inherited(rule_set, now)) if rule_set.client_id else Compiled(None, own)
    columns = [(band, _governing(rules, band)) for band in own.bands]
    return {
        "spans": [words.span(band.owing_from_cents, band.owing_to_cents) for band in own.bands],
        "groups": [
            {
                "title": group.title,
                "rows": [
                    {"label": _label(field.name), "cells": [_cell(field.name, band, at) for band, at in columns]}
                    for field in group.fields
                ],
            }
            for group in BAND_GROUPS
        ],
        "form": [
            {"label": str(field.label), **_form_cell(field.name, own, rules)}
            for group in FORM_GROUPS
            for field in group.fields
        ],
    }


def _governing(rules: Compiled, band: Band):
    return rules.at(band.owing_from_cents)


def _cell(name: str, band: Band, governing: Any) -> dict[str, Any]:
    own = getattr(band, name)
    if own is not None:
        return {"value": words.said(name, own), "own": True}
    origin = governing.origins[name]
    return {"value": words.said(name, origin.value), "own": False, "source": words.source(origin)}


def _form_cell(name: str, own: Rules, rules: Compiled) -> dict[str, Any]:
    origin = rules.segments[0].governing.origins[name]
    mine = getattr(own, name) not in (None, "")
    return {"value": words.said(name, origin.value), "own": mine, "source": words.source(origin)}
