"""Host connections: how they are, how they are set up, whether they answer."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Flag, Form, Text, Word
from integrations.api.document import operation
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from integrations.models import HostConnection
from integrations.services import check, connections, health
from payments.rules.routing import PARTIES

MOST_WORDS = 500


class ConnectionShown(Shown):
    id = serializers.UUIDField()
    name = serializers.CharField()
    style = serializers.CharField()
    is_active = serializers.BooleanField()
    unreachable_since = serializers.DateTimeField(allow_null=True, help_text="The circuit is open since.")
    failures = serializers.IntegerField(help_text="In a row.")
    last_push_at = serializers.DateTimeField(allow_null=True)
    stale_pushes = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="Deliveries that wait.")
    parked = serializers.IntegerField(help_text="Dead letters.")
    oldest_waiting_at = serializers.DateTimeField(allow_null=True)


class TestedShown(Shown):
    ok = serializers.BooleanField()
    code = serializers.CharField(help_text="ok, key_refused, no_answer, unexpected, requirements_missing.")
    sentence = serializers.CharField()
    duration_ms = serializers.FloatField()


class HealthShown(Shown):
    id = serializers.UUIDField()
    is_active = serializers.BooleanField()
    unreachable_since = serializers.DateTimeField(allow_null=True, help_text="The circuit is open since.")
    waiting = serializers.IntegerField(help_text="Deliveries that wait.")
    parked = serializers.IntegerField(help_text="Dead letters.")
    oldest_at = serializers.DateTimeField(allow_null=True, help_text="Since when the oldest waits.")
    answers = serializers.IntegerField(help_text="In the last hour.")
    failures = serializers.IntegerField(help_text="Of these answers.")
    p50_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    taken = serializers.IntegerField(help_text="Delivered in the last minute.")
    added = serializers.IntegerField(help_text="New in the last minute; with fewer than `taken` the queue shrinks.")


class RouteForm(Form):
    """Who charges and who notifies."""

    executor = Word(PARTIES, unknown="party_unknown")
    notifier = Word(PARTIES, unknown="party_unknown")


class SettingsForm(Form):
    """How a connection is set up; the host's origin and the keys of both sides are staff's (behind a second factor)."""

    name = Text(max_length=80)
    is_active = Flag(help_text="Off: told nothing, executes nothing. On again: told what it missed.")
    transport = Word(HostConnection.Transport.values, unknown="transport_unknown")
    base_url = serializers.URLField(max_length=200, help_text="Of the origin that it has: another one staff write.")
    ip_allow = serializers.ListField(child=Text(max_length=50), max_length=100, help_text="Empty: any address.")
    status_map = serializers.DictField(
        child=Text(max_length=20), help_text="The host's word -> open, blocked, recalled, closed, paid, disputed ..."
    )
    vocabulary = serializers.DictField(child=Text(max_length=120), help_text="The host's own codes.")
    routing = serializers.DictField(
        child=RouteForm(), help_text="`card.immediate` and so on; empty: the style's own table (docs/hosts.md)."
    )
    cell_phone_type = Text(max_length=40)
    cell_phone_status = Text(max_length=40)
    payment_statuses = serializers.ListField(child=Text(max_length=40), max_length=50, help_text="Shown to consumers.")
    postdate_statuses = serializers.ListField(child=Text(max_length=40), max_length=50)
    fetch_at_login = Flag()
    contacts = Text(max_length=2000, allow_blank=True, help_text="One e-mail address per line.")

    def validate(self, given: dict) -> dict:
        """Bound what has names of the host's own."""
        for name in ("status_map", "vocabulary", "routing"):
            if len(given[name]) > MOST_WORDS or any(not 0 < len(word) <= 80 for word in given[name]):
                said = serializers.ErrorDetail(f"At most {MOST_WORDS} names of 1 to 80 characters.", "max_length")
                raise serializers.ValidationError({name: [said]})
        return given


class RouteShown(Shown):
    executor = serializers.CharField()
    notifier = serializers.CharField()


class SettingsShown(Shown):
    id = serializers.UUIDField()
    style = serializers.CharField()
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    transport = serializers.CharField()
    base_url = serializers.CharField()
    ip_allow = serializers.ListField(child=serializers.CharField())
    status_map = serializers.DictField(child=serializers.CharField())
    vocabulary = serializers.DictField(child=serializers.CharField())
    routing = serializers.DictField(child=RouteShown())
    cell_phone_type = serializers.CharField()
    cell_phone_status = serializers.CharField()
    payment_statuses = serializers.ListField(child=serializers.CharField())
    postdate_statuses = serializers.ListField(child=serializers.CharField())
    fetch_at_login = serializers.BooleanField()
    contacts = serializers.CharField()


class Connections(Endpoint):
    """The list."""

    @operation(
        "list_connections",
        "List host connections and how they are",
        scope="agency:read",
        answers=page_of(ConnectionShown),
        query=[PageQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(PageQuery, HostConnection.objects.all(), connection_shown)


def connection_shown(row: HostConnection) -> dict:
    """Show a connection with its queue."""
    waiting = row.deliveries.filter(status="waiting")
    return ConnectionShown.of(
        row,
        waiting=waiting.count(),
        parked=row.deliveries.filter(status="parked").count(),
        oldest_waiting_at=waiting.order_by("created_at").values_list("created_at", flat=True).first(),
    )


class OneConnection(Endpoint):
    """One of them."""

    @operation("get_connection", "Read a host connection", scope="agency:read", answers=ConnectionShown)
    def get(self, request: Request, connection_id: UUID) -> HttpResponse:
        self.asked()
        return answer(connection_shown(one(HostConnection, connection_id)))


class TryConnection(Endpoint):
    """Does it answer?"""

    @operation(
        "test_connection",
        "Test a host connection",
        scope="agency:write",
        said="The host is asked, with our key, for an account that does not exist. Nothing is changed.",
        form=Nothing,
        answers=TestedShown,
        steps=True,
    )
    def post(self, request: Request, connection_id: UUID) -> HttpResponse:
        row = one(HostConnection, connection_id)
        self.read(Nothing)
        return answer(check.test_connection(row)._asdict())


class ConnectionHealth(Endpoint):
    """How is it?"""

    @operation(
        "get_connection_health",
        "See how a host connection is",
        scope="agency:read",
        said="Its queue, and its answers of the last hour in milliseconds.",
        answers=HealthShown,
    )
    def get(self, request: Request, connection_id: UUID) -> HttpResponse:
        self.asked()
        row = one(HostConnection, connection_id)
        found = next(each for each in health.of_all() if each.receiver.pk == row.pk)
        about = {name: getattr(row, name) for name in ("is_active", "unreachable_since")}
        return answer({"id": row.pk, **about, **{k: v for k, v in found._asdict().items() if k != "receiver"}})


class ConnectionSettings(Endpoint):
    """How is it set up?"""

    @operation("get_connection_settings", "Read a connection's settings", scope="agency:read", answers=SettingsShown)
    def get(self, request: Request, connection_id: UUID) -> HttpResponse:
        self.asked()
        return answer(SettingsShown.of(one(HostConnection, connection_id)))

    @operation(
        "put_connection_settings",
        "Change a connection's settings",
        scope="agency:write",
        said="All of them: what is left out is missed. Style and keys stay, and the origin of the address.",
        form=SettingsForm,
        answers=SettingsShown,
        problems={
            409: "`address_by_staff_only`: the address is of another origin than the one that staff wrote.",
            422: "`refused`: `url_not_ascii`, `network_invalid`, `status_unknown`, `route_unknown`.",
        },
    )
    def put(self, request: Request, connection_id: UUID) -> HttpResponse:
        row = one(HostConnection, connection_id)
        values = self.read(SettingsForm)
        values["routing"] = {name: dict(way) for name, way in values["routing"].items()}
        return answer(
            SettingsShown.of(made(connections.change(connection=row, values=values, by=self.by, now=self.now)))
        )
