"""Every message of the agency, for whoever audits what was said to consumers in its name (RF-37)."""

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from accounts.exports import saved
from accounts.services import outreach
from integrations.api.base import Endpoint
from integrations.api.bodies import Form, Moment, Refuse
from integrations.api.document import operation

CHANNELS = ("email", "text")
STATUSES = ("queued", "sent", "delivered", "bounced", "complained", "failed", "held")


class MessagesQuery(Form):
    """Which messages, and how they are written."""

    since = Moment(required=False, help_text="Queued then or later.")
    until = Moment(required=False, help_text="Queued before.")
    channel = serializers.ChoiceField(CHANNELS, required=False)
    template = serializers.CharField(max_length=40, required=False, help_text="What it is: `receipt`, `code`, ...")
    status = serializers.ChoiceField(STATUSES, required=False)
    format = serializers.ChoiceField(["ndjson", "csv"], required=False, help_text="Left out: ndjson.")


class ExportMessages(Endpoint):
    """All of them."""

    @operation(
        "export_messages",
        "Save all messages, what became of each and what it cost",
        scope="events:read",
        said=(
            "A line for every message: when it was queued, sent, delivered, opened, clicked or lost, to whom (masked), "
            "about which account, by which template, its version and campaign, why it was held with the rules' ids, "
            "and what the provider charges for it (`cost_cents`, in thousandths). Consumers are charged nothing for "
            "messages: `fee_cents` is 0 (RF-24)."
        ),
        answers={(200, "application/x-ndjson"): OpenApiTypes.STR, (200, "text/csv"): OpenApiTypes.STR},
        query=[MessagesQuery],
        found=False,
        problems={503: "`nobody_writes`."},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        asked = self.asked(MessagesQuery)
        if outreach.messages is None:
            raise Refuse(503, "nobody_writes", "Nobody writes to consumers here.")
        named = {name: asked[name] for name in ("since", "until", "channel", "template", "status") if name in asked}
        rows, csv = outreach.messages(**named), asked.get("format") == "csv"
        return saved(rows, columns=outreach.MESSAGE_COLUMNS, csv=csv, name="messages", agency_id=self.key.agency_id)
