"""Times that do not suit a consumer, as they told the agency (RF-04)."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Consumer, QuietTime
from accounts.services import quiet
from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, one
from integrations.api.bodies import Form, Hour, Refuse, Whole
from integrations.api.document import example, operation
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing

SAID = {"weekdays": [0, 1, 2, 3, 4], "starts": "09:00", "ends": "12:00"}


class QuietForm(Form):
    """Which hours of which days."""

    weekdays = serializers.ListField(
        child=Whole(min_value=0, max_value=6), min_length=1, max_length=7, help_text="0 is Monday."
    )
    starts = Hour()
    ends = Hour(help_text="Later than the start; a night is two times.")

    def validate(self, given: dict) -> dict:
        """Refuse hours that end before they begin."""
        if given["starts"] >= given["ends"]:
            said = serializers.ErrorDetail("Write a later hour than the first.", "ends_too_early")
            raise serializers.ValidationError({"ends": [said]})
        return given


class QuietShown(Shown):
    id = serializers.UUIDField()
    consumer = serializers.UUIDField()
    weekday = serializers.IntegerField(help_text="0 is Monday.")
    starts = serializers.TimeField(help_text="In every zone the consumer may be in.")
    ends = serializers.TimeField()
    source = serializers.CharField(help_text="page, host, staff.")
    at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class QuietMade(Shown):
    items = QuietShown(many=True, help_text="Those that were not said before.")


class QuietTimes(Endpoint):
    """All of them."""

    @operation(
        "list_quiet_times",
        "List the times that do not suit a consumer",
        scope="consumers:read",
        answers=page_of(QuietShown),
        query=[PageQuery],
    )
    def get(self, request: Request, consumer_id: UUID) -> HttpResponse:
        row = one(Consumer, consumer_id)
        return self.listed(PageQuery, row.quiet_times.all(), QuietShown.of)

    @operation(
        "add_quiet_times",
        "Keep times free that do not suit a consumer",
        scope="consumers:write",
        said="Nobody writes, texts or calls then: the gate of `ask_contact_permission` says no.",
        form=QuietForm,
        answers=QuietMade,
        status=201,
        once=True,
        problems={409: f"`too_many_quiet_times`: {quiet.MOST} are said already."},
        examples=[example("Mornings at work", SAID)],
    )
    def post(self, request: Request, consumer_id: UUID) -> HttpResponse:
        row = one(Consumer, consumer_id)
        given = self.read(QuietForm)
        try:
            made = quiet.add(consumer=row, **given, source="host", now=self.now)
        except quiet.TooMany:
            said = "These are many times: end some first, or stop messages altogether."
            raise Refuse(409, "too_many_quiet_times", said) from None
        return answer({"items": [QuietShown.of(each) for each in made]}, status=201)


class EndQuietTime(Endpoint):
    """They suit again."""

    @operation(
        "end_quiet_time",
        "Let a time suit again",
        scope="consumers:write",
        said="Again changes nothing.",
        form=Nothing,
        answers=QuietShown,
        once=True,
    )
    def post(self, request: Request, quiet_time_id: UUID) -> HttpResponse:
        row = one(QuietTime, quiet_time_id)
        self.read(Nothing)
        quiet.end(row=row, now=self.now)
        row.refresh_from_db()
        return answer(QuietShown.of(row))
