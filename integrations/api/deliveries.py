"""Deliveries to hosts and webhook endpoints by API: what waits, what is dead, every attempt; again, or never."""

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one, page
from integrations.api.bodies import Form, Refuse, Text, Whole
from integrations.api.document import example, operation
from integrations.api.terms import Shown
from integrations.api.webhooks import Nothing, stored
from integrations.models import Delivery, HostConnection, Redelivery
from integrations.services import endpoints, redeliver

MOST_ATTEMPTS = 100


class DeliveryShown(Shown):
    id = serializers.UUIDField()
    event = serializers.UUIDField()
    kind = serializers.CharField()
    sequence = serializers.IntegerField()
    connection = serializers.UUIDField(allow_null=True, help_text="The host connection, or")
    endpoint = serializers.UUIDField(allow_null=True, help_text="the webhook endpoint.")
    account = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(
        Delivery.Status.values, help_text="parked: a dead letter; its account's next wait."
    )
    attempts = serializers.IntegerField()
    next_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()


class DeliveryPage(Shown):
    items = DeliveryShown(many=True)
    next = serializers.CharField(allow_null=True)


class AttemptShown(Shown):
    at = serializers.DateTimeField()
    status = serializers.IntegerField(help_text="HTTP status; 0: no answer.")
    duration_ms = serializers.FloatField()
    request = serializers.JSONField(help_text="What was said of this event, redacted.")
    request_sha256 = serializers.CharField(
        help_text="Of what was really said; where that had a bank number, a hash under a key that only we have."
    )
    answer = serializers.CharField()


class DeliveryInFull(DeliveryShown):
    log = AttemptShown(many=True, help_text="The newest hundred attempts, newest first.")


class DeliveryQuery(PageQuery):
    """Ask for deliveries."""

    status = serializers.ChoiceField(Delivery.Status.values, required=False)
    connection = serializers.UUIDField(required=False)
    endpoint = serializers.UUIDField(required=False)
    account = serializers.UUIDField(required=False)


class SkipForm(Form):
    """Why."""

    reason = Text(max_length=300)


class StretchForm(Form):
    """From where to where."""

    first = Whole(min_value=1, max_value=2**63 - 1, help_text="Of the agency's sequence.")
    last = Whole(min_value=1, max_value=2**63 - 1, required=False, help_text="Left out: the newest.")


class RedeliveryShown(Shown):
    id = serializers.UUIDField()
    connection = serializers.UUIDField(allow_null=True)
    endpoint = serializers.UUIDField(allow_null=True)
    first = serializers.IntegerField()
    last = serializers.IntegerField(help_text="2**63 - 1 while a host that was off has not caught up.")
    position = serializers.IntegerField(help_text="On its way up to here.")
    told = serializers.IntegerField(help_text="Deliveries on their way so far.")
    asked_at = serializers.DateTimeField()
    asked_by = serializers.CharField()
    done_at = serializers.DateTimeField(allow_null=True, help_text="On its way since, or its endpoint is gone.")


class Again(Shown):
    count = serializers.IntegerField()


DELIVERY = {
    "id": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a41",
    "event": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a21",
    "kind": "payment.succeeded",
    "sequence": 4711,
    "connection": None,
    "endpoint": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a31",
    "account": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a01",
    "status": "parked",
    "attempts": 1,
    "next_at": "2026-12-01T15:00:00Z",
    "created_at": "2026-12-01T15:00:00Z",
    "decided_at": "2026-12-01T15:00:01Z",
    "reason": "HTTP 422",
}
ATTEMPT = {
    "at": "2026-12-01T15:00:01Z",
    "status": 422,
    "duration_ms": 41.2,
    "request": {"type": "payment.succeeded"},
    "request_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "answer": "unknown account",
}
REDELIVERY = {
    "id": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a51",
    "connection": None,
    "endpoint": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a31",
    "first": 4000,
    "last": 4711,
    "position": 3999,
    "told": 0,
    "asked_at": "2026-12-01T15:00:00Z",
    "asked_by": "key:0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a99",
    "done_at": None,
}
CONNECTION = "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a02"
REMOVED = "`endpoint_removed`."
OUT = "`refused`: `stretch_out_of_range`: the newest event is said."
AGAIN = {"count": 3}


def delivery_shown(row: Delivery) -> dict:
    """Show a delivery."""
    return DeliveryShown.of(row, kind=row.event.kind)


def deliveries():
    """Give the deliveries of the acting agency with their events."""
    return Delivery.objects.select_related("event")


class Deliveries(Endpoint):
    """The list."""

    @operation(
        "list_deliveries",
        "List deliveries",
        scope="webhooks:read",
        said="`status=parked` is the dead-letter list.",
        answers=DeliveryPage,
        query=[DeliveryQuery],
        found=False,
        examples=[example("A dead letter", {"items": [DELIVERY], "next": None}, status=200)],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = self.asked(DeliveryQuery)
        sieve = {name: asked[name] for name in ("status", "connection", "endpoint", "account") if name in asked}
        limit = asked.get("limit", settings.API_PAGE)
        return answer(page(deliveries().filter(**sieve), after=asked.get("cursor"), limit=limit, show=delivery_shown))


class OneDelivery(Endpoint):
    """One of them."""

    @operation(
        "get_delivery",
        "Read a delivery with its attempts",
        scope="webhooks:read",
        answers=DeliveryInFull,
        examples=[example("A dead letter", DELIVERY | {"log": [ATTEMPT]}, status=200)],
    )
    def get(self, request: Request, delivery_id: UUID) -> HttpResponse:
        self.asked()
        row = one(deliveries(), delivery_id)
        log = [AttemptShown.of(each) for each in row.log.order_by("-id")[:MOST_ATTEMPTS]]
        return answer(delivery_shown(row) | {"log": log})


class DeliverAgain(Endpoint):
    """Again."""

    @operation(
        "deliver_again",
        "Deliver again",
        scope="webhooks:write",
        said=(
            "The same event with the same id; what waited behind it follows. One that waits for its next try goes at "
            "once, and a receiver that is down is probed by it."
        ),
        form=Nothing,
        answers=DeliveryShown,
        once=True,
        problems={409: REMOVED},
        examples=[example("Nothing to say", {}), example("On its way", DELIVERY | {"status": "waiting"}, status=200)],
    )
    def post(self, request: Request, delivery_id: UUID) -> HttpResponse:
        row = one(deliveries(), delivery_id)
        self.read(Nothing)
        made(redeliver.replay(row, now=self.now))
        row.refresh_from_db()
        return answer(delivery_shown(row))


class SkipDelivery(Endpoint):
    """Never."""

    @operation(
        "skip_delivery",
        "Skip a delivery",
        scope="webhooks:write",
        said="The receiver never hears of it, its account's later events go on; `delivery.abandoned` says why.",
        form=SkipForm,
        answers=DeliveryShown,
        once=True,
        problems={409: "`delivery_decided`: it was delivered or skipped before."},
        examples=[
            example("Why", {"reason": "Entered by hand."}),
            example("Skipped", DELIVERY | {"status": "skipped", "reason": "Entered by hand."}, status=200),
        ],
    )
    def post(self, request: Request, delivery_id: UUID) -> HttpResponse:
        row = one(deliveries(), delivery_id)
        given = self.read(SkipForm)
        if not redeliver.skip(row, reason=given["reason"], actor=self.by, now=self.now):
            raise Refuse(409, "delivery_decided", "It was delivered or skipped before.")
        row.refresh_from_db()
        return answer(delivery_shown(row))


class _Stretch(Endpoint):
    """Ask for a stretch again."""

    def ask(self, to) -> HttpResponse:
        given = self.read(StretchForm)
        row = made(redeliver.redeliver(to=to, first=given["first"], last=given.get("last"), by=self.by, now=self.now))
        return answer(RedeliveryShown.of(row), status=201, headers={"Location": f"/api/v1/redeliveries/{row.pk}"})


class EndpointStretch(_Stretch):
    """To an endpoint."""

    @operation(
        "redeliver_to_webhook_endpoint",
        "Tell a webhook endpoint a stretch of events again",
        scope="webhooks:write",
        said="From a position to a position, or to the newest. Events that it was never told are told too.",
        form=StretchForm,
        answers=RedeliveryShown,
        status=201,
        once=True,
        problems={409: REMOVED, 422: OUT},
        examples=[example("From a position", {"first": 4000}), example("Asked", REDELIVERY, status=201)],
    )
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        return self.ask(stored(endpoint_id))


class HostStretch(_Stretch):
    """To a host."""

    @operation(
        "redeliver_to_host",
        "Tell a host a stretch of events again",
        scope="webhooks:write",
        form=StretchForm,
        answers=RedeliveryShown,
        status=201,
        once=True,
        problems={422: OUT},
        examples=[
            example("From a position", {"first": 4000}),
            example(
                "Asked",
                REDELIVERY | {"endpoint": None, "connection": CONNECTION},
                status=201,
            ),
        ],
    )
    def post(self, request: Request, connection_id: UUID) -> HttpResponse:
        return self.ask(one(HostConnection, connection_id))


class OneRedelivery(Endpoint):
    """How far it is."""

    @operation(
        "get_redelivery",
        "Read a redelivery",
        scope="webhooks:read",
        answers=RedeliveryShown,
        examples=[example("Done", REDELIVERY | {"position": 4711, "told": 700}, status=200)],
    )
    def get(self, request: Request, redelivery_id: UUID) -> HttpResponse:
        self.asked()
        return answer(RedeliveryShown.of(one(Redelivery, redelivery_id)))


class DeadLettersAgain(Endpoint):
    """All dead letters of an endpoint."""

    @operation(
        "redeliver_dead_letters",
        "Deliver all dead letters of a webhook endpoint again",
        scope="webhooks:write",
        form=Nothing,
        answers=Again,
        once=True,
        problems={409: REMOVED},
        examples=[example("Nothing to say", {}), example("On their way", AGAIN, status=200)],
    )
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        row = stored(endpoint_id)
        self.read(Nothing)
        if row.removed_at is not None:
            made([endpoints.removed()])
        return answer({"count": redeliver.replay_all(redeliver.dead_letters(row), now=self.now)})
