"""Whoever is told events, as the drain drives it: a host's adapter or a webhook endpoint, and how it is treated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.known import known
from accounts.tenancy import acting_for
from integrations import webhooks
from integrations.hosts import Receiver as Speaker
from integrations.http import Heard
from integrations.models import HostConnection, Receiver, WebhookEndpoint
from integrations.services import judge
from integrations.services.judge import Policy
from integrations.services.receive import adapter_for

EVENTS_PER_REQUEST = 200
REQUESTS_AT_ONCE = 4
"""Requests in flight to one receiver; Little's law gives its share of a slow one."""
Clock = Callable[[], datetime]


@dataclass(slots=True)
class Line:
    """What the drain knows of one receiver while it runs."""

    row: Receiver
    adapter: Speaker
    policy: Policy
    most: int
    """Events in one request."""
    answer_limit: int
    flying: int = 0
    heads: dict[tuple, None] = field(default_factory=dict)
    """Chains whose first delivery may go, in the order they became so."""

    def blocked(self, now: datetime) -> bool:
        down = self.row.unreachable_since is not None and (self.row.probe_at or now) > now
        return down or not self.row.is_active or getattr(self.row, "suspended_at", None) is not None

    @property
    def room(self) -> int:
        if self.row.unreachable_since is not None:
            return 1 - self.flying
        return REQUESTS_AT_ONCE - self.flying


def line_to(row: Receiver, clock: Clock) -> Line:
    """Make the line to a receiver from its row."""
    if isinstance(row, WebhookEndpoint):
        return Line(row, endpoint_of(row, clock), judge.WEBHOOKS, row.most, settings.WEBHOOK_ANSWER_LIMIT)
    return Line(row, adapter_for(row), judge.HOSTS, EVENTS_PER_REQUEST, settings.HOST_ANSWER_LIMIT)


def endpoint_of(row: WebhookEndpoint, clock: Clock) -> webhooks.Endpoint:
    """Make what speaks to an endpoint; both secrets sign while the old one lives."""
    old = row.old_secret if row.old_until is not None and row.old_until > clock() else ""
    return webhooks.Endpoint(
        url=row.url, secrets=[secret for secret in (row.secret, old) if secret], most=row.most, clock=clock
    )


@known
def _hosts(ids: Sequence[UUID] | None) -> QuerySet[HostConnection]:
    hosts = HostConnection.objects.all()
    return hosts if ids is None else hosts.filter(pk__in=ids)


@known
def _endpoints(ids: Sequence[UUID] | None) -> QuerySet[WebhookEndpoint]:
    endpoints = WebhookEndpoint.objects.all()
    return endpoints if ids is None else endpoints.filter(pk__in=ids)


def look_up(clock: Clock, ids: set[UUID] | None = None) -> dict[UUID, Line]:
    """Read all receivers, or some."""
    these = None if ids is None else list(ids)
    return {row.pk: line_to(row, clock) for row in [*_hosts(these), *_endpoints(these)]}


# Circuit --------------------------------------------------------------------------------------------------------


def failed(line: Line, heard: Heard, judged: judge.Judgement, *, now: datetime) -> bool:
    """Count a failure; tell whether the circuit is open. The fact and its event commit at once."""
    row, policy, reason = line.row, line.policy, judged.verdicts[0].reason
    about = {"reason": reason}
    row.failures += 1
    if not (judged.locked_out or row.failures >= judge.FAILURES_TO_OPEN or row.unreachable_since):
        _tell(row, "", about, now)
        return False
    kind = "unreachable" if row.unreachable_since is None else ""
    row.unreachable_since = row.unreachable_since or now
    row.probe_at = judge.probe_at(now, failures=row.failures, retry_after=heard.retry_after, policy=policy)
    long_down = policy.suspend_after is not None and now - row.unreachable_since >= policy.suspend_after
    _tell(row, kind, about, now)
    if isinstance(row, WebhookEndpoint) and (judged.gone or long_down):
        row.suspended_at, row.suspended_why = now, reason[:300]
        _tell(row, "suspended", about, now)
    return True


def succeeded(line: Line, *, now: datetime) -> bool:
    """Close the circuit if it was open; tell whether anything changed."""
    row = line.row
    if not row.failures and row.unreachable_since is None:
        return False
    since, row.unreachable_since, row.probe_at, row.failures = row.unreachable_since, None, None, 0
    about = {"seconds": int((now - since).total_seconds())} if since else {}
    _tell(row, "recovered" if since else "", about, now)
    return True


def _tell(row: Receiver, what: str, about: dict, now: datetime) -> None:
    names = ["unreachable_since", "probe_at", "failures"]
    noun, said = "host", "connection"
    if isinstance(row, WebhookEndpoint):
        noun, said = "webhook", "endpoint"
        names += ["suspended_at", "suspended_why"] if what == "suspended" else []
    with acting_for(row.agency_id), transaction.atomic():
        type(row).objects.filter(pk=row.pk).update(**{name: getattr(row, name) for name in names})
        if what:
            events.record(f"{noun}.{what}", now=now, data={said: str(row.pk), "name": row.name} | about)
