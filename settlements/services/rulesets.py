"""Which rule sets are in force, and how a new version comes about: draft, submit, publish, withdraw, roll back."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from settlements.models import RuleSet
from settlements.rules import bands as rules
from settlements.rules.bands import Compiled


def in_force(*, clients: Iterable[UUID], now: datetime) -> dict[UUID, Compiled | None]:
    """Compile the rules of each client as they stand at a moment, in one query; None where none is enabled."""
    clients = set(clients)
    latest = values_in_force(clients=clients, now=now)
    return {client: rules.compile_rules(latest.get(client), latest.get(None)) for client in clients}


def values_in_force(*, clients: Iterable[UUID], now: datetime) -> dict[UUID | None, rules.RuleSet]:
    """Read what stands at a moment per client, and under None for the agency; a level without rules has no key."""
    published = RuleSet.objects.filter(
        Q(client__isnull=True) | Q(client__in=clients),
        Q(withdrawn_at__isnull=True) | Q(withdrawn_at__gt=now),
        status=RuleSet.Status.PUBLISHED,
        published_at__lte=now,
        effective_at__lte=now,
    )
    latest = {row.client_id: row for row in published.order_by("client_id", "effective_at", "version")}
    return {client: value(row) for client, row in latest.items()}


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
