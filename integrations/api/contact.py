"""May we contact? Hosts ask the portal's one gate before they write, text or call, and hold a place."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.services import outreach
from integrations.api.accounts import payable
from integrations.api.base import Endpoint, answer
from integrations.api.bodies import Day, Form, Id, Refuse, Text, Word
from integrations.api.document import example, operation
from integrations.api.terms import Shown

CHANNELS = ("email", "text", "call")
PURPOSES = ("campaign", "reminder", "service", "notice", "receipt", "code")
OUTCOMES = ("used", "conversation", "released")


class PermissionForm(Form):
    """One contact that is meant to be made now."""

    account = Id()
    channel = Word(CHANNELS, unknown="channel_unknown")
    purpose = Word(PURPOSES, unknown="purpose_unknown", required=False, help_text="Left out: reminder.")
    address = Text(
        required=False,
        max_length=254,
        help_text="The e-mail address or number; a call needs none. One that we do not know is denied.",
    )
    offer_expires_on = Day(required=False, help_text="When the offer that it names ends (RF-31).")


class DenialShown(Shown):
    code = serializers.CharField()
    rules = serializers.ListField(child=serializers.CharField(), help_text="Ids of the compliance table.")
    until = serializers.DateTimeField(required=False, help_text="When time alone lifts it.")


class PermissionShown(Shown):
    id = serializers.UUIDField(help_text="Say with it what became of the contact.")
    allowed = serializers.BooleanField()
    denials = DenialShown(many=True)
    checked = serializers.ListField(child=serializers.CharField(), help_text="Every rule that was asked.")
    ask_again_at = serializers.DateTimeField(allow_null=True, help_text="Null: allowed, or no waiting helps.")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="Until then the place is held.")
    zones = serializers.ListField(child=serializers.CharField(), help_text="Every zone the consumer may be in.")


ASKED = {"account": "0190c0de-0000-7000-8000-000000000001", "channel": "call", "purpose": "reminder"}


class ContactPermission(Endpoint):
    """The gate, for hosts."""

    @operation(
        "ask_contact_permission",
        "Ask whether a consumer may be contacted now",
        scope="contact:write",
        said=(
            "The gate that the portal's own messages pass: address and consent, opt-outs, the account's status, the "
            "validation notice before a first campaign or reminder, hours in every zone the consumer may be in, times "
            "that do not suit them, and how often they were contacted over all channels. A permission holds its place "
            "for fifteen minutes; say what became of it, or it lapses. Every answer is kept as evidence."
        ),
        form=PermissionForm,
        answers=PermissionShown,
        status=201,
        once=True,
        found=True,
        problems={503: "`gate_unavailable`: do not contact; ask again."},
        examples=[example("Before a call", ASKED)],
    )
    def post(self, request: Request) -> HttpResponse:
        given = self.read(PermissionForm)
        account = payable(given["account"])
        if outreach.ask is None:
            raise Refuse(503, "gate_unavailable", "Nobody can say now: do not contact.")
        permission = outreach.ask(
            account=account,
            channel=given["channel"],
            purpose=given.get("purpose", "reminder"),
            address=given.get("address", ""),
            offer_expires_on=given.get("offer_expires_on"),
            by=self.by,
            now=self.now,
        )
        return answer({name: getattr(permission, name) for name in PermissionShown().fields}, status=201)


class OutcomeForm(Form):
    """What became of the contact."""

    outcome = Word(OUTCOMES, unknown="outcome_unknown", help_text="conversation: they spoke (RF-09).")


class OutcomeShown(Shown):
    id = serializers.UUIDField()
    outcome = serializers.ChoiceField(OUTCOMES)


class ContactOutcome(Endpoint):
    """What became of a permission."""

    @operation(
        "settle_contact_permission",
        "Say what became of a permission",
        scope="contact:write",
        said="`used` and `conversation` count among the contacts of the week, `released` gives the place back.",
        form=OutcomeForm,
        answers=OutcomeShown,
        once=True,
        examples=[example("They spoke", {"outcome": "conversation"})],
    )
    def post(self, request: Request, permission_id: UUID) -> HttpResponse:
        given = self.read(OutcomeForm)
        settle = outreach.settle
        if settle is None or not settle(permission_id=permission_id, outcome=given["outcome"], now=self.now):
            raise Refuse(404, "not_found", "There is nothing here.")
        return answer({"id": permission_id, "outcome": given["outcome"]})
