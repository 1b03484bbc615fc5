"""Clients, consumers, their addresses and what they agreed to; identity in full is never shown."""

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Client, Consumer, ContactPoint
from accounts.services import clients, consent, contacts, streams, visits
from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one, page
from integrations.api.bodies import Flag, Form, Refuse, Text, Word
from integrations.api.document import operation
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing


class ClientInFull(Shown):
    id = serializers.UUIDField()
    connection = serializers.UUIDField(allow_null=True)
    number = serializers.CharField(help_text="The host's own.")
    name = serializers.CharField()
    allow_visa_credit = serializers.BooleanField(allow_null=True, help_text="Null: as the agency has it (CARD-01).")


class ClientForm(Form):
    """What the agency says about a client; name and number are the host's."""

    allow_visa_credit = Flag(allow_null=True)


class ConsumerShown(Shown):
    id = serializers.UUIDField()
    connection = serializers.UUIDField(allow_null=True)
    host_consumer_id = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    state = serializers.CharField()
    zip = serializers.CharField()
    language = serializers.CharField()
    time_zone = serializers.CharField()
    accounts = serializers.ListField(child=serializers.UUIDField())


class ContactShown(Shown):
    id = serializers.UUIDField()
    consumer = serializers.UUIDField()
    kind = serializers.ChoiceField(ContactPoint.Kind.values)
    masked = serializers.CharField(help_text="Enough to recognise it.")
    route = serializers.CharField(help_text="How it was allowed, RF-13 to RF-16; empty: nobody knows.")
    source = serializers.CharField()
    textable = serializers.BooleanField()
    opted_out_at = serializers.DateTimeField(allow_null=True)
    bad_at = serializers.DateTimeField(allow_null=True)
    removed_at = serializers.DateTimeField(allow_null=True)


class ContactQuery(PageQuery):
    """Ask for addresses."""

    kind = serializers.ChoiceField(ContactPoint.Kind.values, required=False)


class OptOutForm(Form):
    """What the consumer said."""

    scope = Word(
        ("address", "medium", "campaigns"),
        unknown="scope_unknown",
        help_text="This address; all of its kind; or of this address only offers and reminders (EML-06).",
    )
    words = Text(required=False, max_length=2000, help_text="In their own words.")


def consumer_shown(row: Consumer) -> dict:
    """Show who a consumer is, and not how they prove it."""
    return ConsumerShown.of(row, accounts=sorted(account.pk for account in row.accounts.all()))


class Clients(Endpoint):
    """The list."""

    @operation(
        "list_clients",
        "List clients",
        scope="accounts:read",
        answers=page_of(ClientInFull),
        query=[PageQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(PageQuery, Client.objects.all(), ClientInFull.of)


class OneClient(Endpoint):
    """One of them."""

    @operation("get_client", "Read a client", scope="accounts:read", answers=ClientInFull)
    def get(self, request: Request, client_id: UUID) -> HttpResponse:
        self.asked()
        return answer(ClientInFull.of(one(Client, client_id)))

    @operation("put_client", "Change a client", scope="agency:write", form=ClientForm, answers=ClientInFull)
    def put(self, request: Request, client_id: UUID) -> HttpResponse:
        row = one(Client, client_id)
        return answer(ClientInFull.of(clients.change(client=row, **self.read(ClientForm))))


class ConsumerQuery(PageQuery):
    """Ask for consumers."""

    connection = serializers.UUIDField(required=False, source="connection_id")
    host_consumer_id = serializers.CharField(required=False, max_length=60, help_text="The host's own id of them.")


class Consumers(Endpoint):
    """The list."""

    @operation(
        "list_consumers",
        "Find consumers",
        scope="consumers:read",
        said="By the host's own id of them, by connection, or all, page by page.",
        answers=page_of(ConsumerShown),
        query=[ConsumerQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(ConsumerQuery, Consumer.objects.prefetch_related("accounts"), consumer_shown)


class OneConsumer(Endpoint):
    """One person."""

    @operation("get_consumer", "Read a consumer", scope="consumers:read", answers=ConsumerShown)
    def get(self, request: Request, consumer_id: UUID) -> HttpResponse:
        self.asked()
        return answer(consumer_shown(one(Consumer, consumer_id)))


class ContactPoints(Endpoint):
    """Their addresses."""

    @operation(
        "list_contact_points",
        "List a consumer's addresses",
        scope="consumers:read",
        said="New ones come with the account's record, or from the consumer.",
        answers=page_of(ContactShown),
        query=[ContactQuery],
    )
    def get(self, request: Request, consumer_id: UUID) -> HttpResponse:
        row = one(Consumer, consumer_id)
        return self.listed(ContactQuery, row.contact_points.all(), ContactShown.of)


class OptOut(Endpoint):
    """Stop."""

    @operation(
        "opt_out",
        "Stop writing to an address, or by its medium",
        scope="consumers:write",
        said="The consumer said so to you (RF-07). Again changes nothing; only the consumer undoes it.",
        form=OptOutForm,
        answers=ContactShown,
        once=True,
    )
    def post(self, request: Request, contact_point_id: UUID) -> HttpResponse:
        row = one(ContactPoint, contact_point_id)
        given = self.read(OptOutForm)
        said = {"contact_point": row, "source": "host", "words": given.get("words", ""), "now": self.now}
        if given["scope"] == "campaigns":
            streams.stop(stream="campaigns", **said)
        else:
            consent.opt_out(scope=given["scope"], **said)
        row.refresh_from_db()
        return answer(ContactShown.of(row))


class SuppressedShown(Shown):
    id = serializers.UUIDField(help_text="Of the address.")
    consumer = serializers.UUIDField()
    kind = serializers.ChoiceField(ContactPoint.Kind.values)
    masked = serializers.CharField()
    reason = serializers.ChoiceField(("bad_address", "opted_out", "stream_stopped"))
    every_stream = serializers.BooleanField()


class SuppressionQuery(PageQuery):
    """Whose list."""

    stream = serializers.ChoiceField(streams.STREAMS, required=False, help_text="Left out: campaigns.")


class Suppressions(Endpoint):
    """Where not to write."""

    @operation(
        "list_suppressions",
        "List the addresses that a stream must not write to",
        scope="consumers:read",
        said=(
            "Each stream has its own list; a bounce, a complaint and an opt-out of the address stand on all of them "
            "(EML-05, EML-06)."
        ),
        answers=page_of(SuppressedShown),
        query=[SuppressionQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        asked = self.asked(SuppressionQuery)
        rows = streams.listed(asked.get("stream", "campaigns"))
        limit = asked.get("limit", settings.API_PAGE)
        return answer(page(rows, after=asked.get("cursor"), limit=limit, show=_suppressed))


def _suppressed(row: ContactPoint) -> dict:
    reason = streams.why(row)
    return SuppressedShown.of(row, reason=reason, every_stream=reason != "stream_stopped")


class RemoveContact(Endpoint):
    """Take it out of use."""

    @operation(
        "remove_contact_point",
        "Take an address out of use",
        scope="consumers:write",
        answers=ContactShown,
        problems={409: "`contact_point_needed`: codes or notices could go nowhere else."},
    )
    def delete(self, request: Request, contact_point_id: UUID) -> HttpResponse:
        self.asked()
        row = one(ContactPoint, contact_point_id, "consumer")
        if row.removed_at is None:
            try:
                contacts.remove(consumer=row.consumer, contact_point=row, now=self.now)
            except contacts.Needed:
                said = "Codes, notices or the agreement to electronic documents could go nowhere else."
                raise Refuse(409, "contact_point_needed", said) from None
            row.refresh_from_db()
        return answer(ContactShown.of(row))


class WithdrawEsign(Endpoint):
    """Paper from now on."""

    @operation(
        "withdraw_esign",
        "Take back a consumer's consent to electronic documents",
        scope="consumers:write",
        said="From now on papers go by letter (ES-04); what was sent stays sent.",
        form=Nothing,
        answers=ConsumerShown,
        once=True,
        problems={409: "`esign_not_live`: there is none."},
    )
    def post(self, request: Request, consumer_id: UUID) -> HttpResponse:
        row = one(Consumer, consumer_id)
        self.read(Nothing)
        if consent.esign_live(row) is None:
            raise Refuse(409, "esign_not_live", "There is no consent to take back.")
        consent.withdraw_esign(consumer=row, source="host", ip=None, now=self.now)
        return answer(consumer_shown(row))


class EndVisits(Endpoint):
    """Sign them out."""

    @operation(
        "end_visits",
        "Sign a consumer out everywhere",
        scope="consumers:write",
        form=Nothing,
        answers=ConsumerShown,
        once=True,
    )
    def post(self, request: Request, consumer_id: UUID) -> HttpResponse:
        row = made(one(Consumer, consumer_id))
        self.read(Nothing)
        visits.end_all_of(consumer_id=row.pk, reason="host", now=self.now)
        return answer(consumer_shown(row))
