"""Webhook endpoints by API: made, changed, given a new secret, tested, resumed, removed."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one, page
from integrations.api.bodies import Flag, Form, Refuse, Text, Whole
from integrations.api.document import example, operation
from integrations.api.terms import Shown
from integrations.models import WebhookEndpoint
from integrations.services import endpoints
from integrations.webhooks import MOST_EVENTS


class Nothing(Form):
    """A body without fields."""


class EndpointForm(Form):
    """Where, what, how many at once."""

    name = Text(max_length=80)
    url = Text(max_length=500, help_text="https; it must not lead into a private network.")
    kinds = serializers.ListField(
        child=Text(max_length=40), required=False, max_length=300, help_text="payment.succeeded, dispute.*; empty: all."
    )
    most = Whole(
        required=False,
        min_value=1,
        max_value=MOST_EVENTS,
        help_text="Events in one request. 1: the event itself; more: always a list.",
    )


class ChangeForm(EndpointForm):
    """All of it anew."""

    is_active = Flag(required=False, help_text="False: it hears nothing, and is not told later either.")


class EndpointShown(Shown):
    id = serializers.UUIDField()
    name = serializers.CharField()
    url = serializers.CharField()
    kinds = serializers.ListField(child=serializers.CharField())
    most = serializers.IntegerField()
    is_active = serializers.BooleanField()
    unreachable_since = serializers.DateTimeField(allow_null=True, help_text="The circuit is open since.")
    suspended_at = serializers.DateTimeField(allow_null=True, help_text="Told nothing since, until it is resumed.")
    suspended_why = serializers.CharField()
    old_until = serializers.DateTimeField(allow_null=True, help_text="The secret before this one signs until.")
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()
    removed_at = serializers.DateTimeField(allow_null=True)


class EndpointPage(Shown):
    items = EndpointShown(many=True)
    next = serializers.CharField(allow_null=True)


class WithSecret(Shown):
    endpoint = EndpointShown()
    secret = serializers.CharField(help_text="whsec_...: shown this once (and to the same Idempotency-Key).")


class RotateForm(Form):
    """How long both secrets sign."""

    keep_old_hours = Whole(min_value=0, max_value=30 * 24, required=False, help_text="Left out: 24.")


class TriedShown(Shown):
    ok = serializers.BooleanField()
    status = serializers.IntegerField(help_text="HTTP status; 0: no answer.")
    reason = serializers.CharField()
    duration_ms = serializers.FloatField()


WISH = {"name": "Warehouse", "url": "https://example.com/hooks/quittance", "kinds": ["payment.*"], "most": 50}
ENDPOINT = {
    "id": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a31",
    **WISH,
    "is_active": True,
    "unreachable_since": None,
    "suspended_at": None,
    "suspended_why": "",
    "old_until": None,
    "made_at": "2026-12-01T15:00:00Z",
    "made_by": "key:0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a99",
    "removed_at": None,
}
MADE = {"endpoint": ENDPOINT, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0123456789ab"}
WRONG = "`refused`: `url_invalid`, `url_not_ascii`, `url_not_https`, `url_has_password`, `kind_unknown`."


def stored(pk: UUID) -> WebhookEndpoint:
    """Find an endpoint of the acting agency."""
    return one(WebhookEndpoint, pk)


class Endpoints(Endpoint):
    """All of them."""

    @operation(
        "list_webhook_endpoints",
        "List webhook endpoints",
        scope="webhooks:read",
        answers=EndpointPage,
        query=[PageQuery],
        found=False,
        examples=[example("One", {"items": [ENDPOINT], "next": None}, status=200)],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = self.asked(PageQuery)
        rows = WebhookEndpoint.objects.filter(removed_at=None)
        limit = asked.get("limit", settings.API_PAGE)
        return answer(page(rows, after=asked.get("cursor"), limit=limit, show=EndpointShown.of))

    @operation(
        "make_webhook_endpoint",
        "Make a webhook endpoint",
        scope="webhooks:write",
        said=(
            "It hears what happens from now on, signed by Standard Webhooks (webhook-id, webhook-timestamp, "
            "webhook-signature); what happened before comes by a redelivery."
        ),
        form=EndpointForm,
        answers=WithSecret,
        status=201,
        once=True,
        found=False,
        problems={422: WRONG, 409: "`too_many_endpoints`."},
        examples=[example("Payments", WISH), example("Its secret", MADE, status=201)],
    )
    def post(self, request: Request) -> HttpResponse:
        given = {"kinds": [], "most": 1} | self.read(EndpointForm)
        row, secret = made(endpoints.make(**given, by=self.by, now=self.now))
        body = {"endpoint": EndpointShown.of(row), "secret": secret}
        return answer(body, status=201, headers={"Location": f"/api/v1/webhook-endpoints/{row.pk}"})


class OneEndpoint(Endpoint):
    """One of them."""

    @operation(
        "get_webhook_endpoint",
        "Read a webhook endpoint",
        scope="webhooks:read",
        answers=EndpointShown,
        examples=[example("It", ENDPOINT, status=200)],
    )
    def get(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        self.asked()
        return answer(EndpointShown.of(stored(endpoint_id)))

    @operation(
        "put_webhook_endpoint",
        "Change a webhook endpoint",
        scope="webhooks:write",
        said="What waits for it goes to the new address.",
        form=ChangeForm,
        answers=EndpointShown,
        problems={422: WRONG, 409: "`endpoint_removed`."},
        examples=[example("All of it", WISH | {"is_active": True}), example("It", ENDPOINT, status=200)],
    )
    def put(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        row = stored(endpoint_id)
        given = {"kinds": [], "most": 1, "is_active": True} | self.read(ChangeForm)
        made(endpoints.change(endpoint=row, **given))
        return answer(EndpointShown.of(row))

    @operation(
        "remove_webhook_endpoint",
        "Remove a webhook endpoint",
        scope="webhooks:write",
        said="For good: its secrets are wiped and what waits for it is skipped. Again changes nothing.",
        answers=EndpointShown,
        examples=[example("Gone", ENDPOINT | {"removed_at": "2026-12-02T09:00:00Z", "is_active": False}, status=200)],
    )
    def delete(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        self.asked()
        row = stored(endpoint_id)
        endpoints.remove(endpoint=row, by=self.by, now=self.now)
        row.refresh_from_db()
        return answer(EndpointShown.of(row))


class RotateEndpoint(Endpoint):
    """A new secret."""

    @operation(
        "rotate_webhook_secret",
        "Give a webhook endpoint a new secret",
        scope="webhooks:write",
        said="Both sign every request until the old one ends, so the receiver changes over whenever it likes.",
        form=RotateForm,
        answers=WithSecret,
        once=True,
        problems={409: "`endpoint_removed`."},
        examples=[example("Two days", {"keep_old_hours": 48}), example("The new one", MADE, status=200)],
    )
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        row = stored(endpoint_id)
        hours = self.read(RotateForm).get("keep_old_hours", 24)
        secret = made(endpoints.rotate(endpoint=row, keep_old=timedelta(hours=hours), now=self.now))
        row.refresh_from_db()
        return answer({"endpoint": EndpointShown.of(row), "secret": secret})


class ResumeEndpoint(Endpoint):
    """Go on."""

    @operation(
        "resume_webhook_endpoint",
        "Tell a suspended webhook endpoint again",
        scope="webhooks:write",
        said="An endpoint that is silent for three days, or answers 410, is suspended; what it missed waits for it.",
        form=Nothing,
        answers=EndpointShown,
        once=True,
        problems={409: "`not_suspended`: it is told already, or it was removed."},
        examples=[example("Nothing to say", {}), example("It", ENDPOINT, status=200)],
    )
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        row = stored(endpoint_id)
        self.read(Nothing)
        if not endpoints.resume(endpoint=row, now=self.now):
            raise Refuse(409, "not_suspended", "It is told already, or it was removed.")
        row.refresh_from_db()
        return answer(EndpointShown.of(row))


class TryEndpoint(Endpoint):
    """Try it."""

    @operation(
        "test_webhook_endpoint",
        "Send a signed test to a webhook endpoint",
        scope="webhooks:write",
        said="`webhook.tested`, which is no event, in the form of events; the answer says what came back.",
        form=Nothing,
        answers=TriedShown,
        steps=True,
        problems={409: "`endpoint_removed`."},
        examples=[
            example("Nothing to say", {}),
            example("Fine", {"ok": True, "status": 204, "reason": "", "duration_ms": 41.2}, status=200),
        ],
    )
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        row = stored(endpoint_id)
        self.read(Nothing)
        if row.removed_at is not None:
            made([endpoints.removed()])
        return answer(endpoints.test(endpoint=row, now=self.now)._asdict())
