"""Campaigns that a host starts: an audience or its own list, a template of the agency, an offer; staff approve."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.services import outreach, writing
from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, refused
from integrations.api.bodies import Cents, Day, Flag, Form, Id, Moment, Refuse, Text, Whole, Word
from integrations.api.document import example, operation
from integrations.api.terms import Shown, page_of

_WHOLE_BPS = 100_00
_DAYS = 3_650


def _port(slot):
    """Give what fills a port.

    :raises Refuse: 503, nothing does.
    """
    if slot is None:
        raise Refuse(503, "campaigns_unavailable", "Nobody sends campaigns here.")
    return slot


class AudienceForm(Form):
    """Whom it is for; every filter narrows."""

    clients = serializers.ListField(child=Id(), required=False, max_length=1000)
    states = serializers.ListField(child=Text(max_length=2), required=False, max_length=60)
    languages = serializers.ListField(child=Text(max_length=2), required=False, max_length=2, help_text="en, es.")
    statuses = serializers.ListField(child=Text(max_length=12), required=False, max_length=20)
    balance_from_cents = Cents(required=False)
    balance_to_cents = Cents(required=False)
    listed_from_days = Whole(min_value=0, max_value=_DAYS, required=False, help_text="At least so many days ago.")
    listed_to_days = Whole(min_value=0, max_value=_DAYS, required=False, help_text="At most so many days ago.")
    quiet_days = Whole(min_value=0, max_value=_DAYS, required=False, help_text="No message for so many days.")
    abandoned_days = Whole(min_value=0, max_value=_DAYS, required=False, help_text="Began to pay and left since.")
    has_offer = Flag(required=False, help_text="An open individual offer.")
    opened_not_paid = Id(required=False, help_text="A campaign: read it and did not pay.")
    joined = Flag(
        required=False,
        help_text="A standing campaign: those whose account's record in a host's file names it. It goes on until it is "
        "stopped.",
    )


class CampaignOfferForm(Form):
    """What each account is offered, held to its rules; it ends with `expires_on`."""

    percent_bps = Whole(min_value=1, max_value=_WHOLE_BPS, help_text="8000 is 80 % of the balance.")
    max_payments = Whole(min_value=1, max_value=1000, required=False, help_text="Left out: one.")
    max_days = Whole(min_value=0, max_value=_DAYS, required=False, help_text="Left out: paid at once.")
    expires_on = Day(help_text="The last day to accept it.")


class CampaignForm(Form):
    """A campaign to be approved by the agency's staff."""

    name = Text(max_length=120)
    template = Text(max_length=80, help_text="The name of a published template.")
    second_template = Text(max_length=80, required=False, help_text="To compare two.")
    purpose = Word(("campaign", "reminder"), unknown="purpose_unknown", required=False)
    audience = AudienceForm(required=False)
    references = serializers.ListField(
        child=Text(max_length=60), required=False, max_length=50_000, help_text="The host's own list of accounts."
    )
    offer = CampaignOfferForm(required=False)
    starts_at = Moment(required=False, help_text="Left out: when it is approved.")


class ProgressShown(Shown):
    waiting = serializers.IntegerField()
    left_out = serializers.IntegerField()
    leaving = serializers.IntegerField()


class ResultsShown(Shown):
    chosen = serializers.IntegerField()
    sent = serializers.IntegerField()
    delivered = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    identified = serializers.IntegerField()
    offer_seen = serializers.IntegerField()
    paid = serializers.IntegerField()
    paid_cents = serializers.IntegerField()


class CampaignShown(Shown):
    id = serializers.UUIDField()
    name = serializers.CharField()
    status = serializers.CharField(
        help_text="draft, waiting, scheduled, freezing, sending, paused, stopped or finished."
    )
    purpose = serializers.CharField()
    channel = serializers.CharField()
    template = serializers.CharField(allow_null=True, help_text="Its name.")
    second_template = serializers.CharField(allow_null=True)
    audience = serializers.JSONField(help_text="The filters, as they were sent.")
    listed = serializers.BooleanField(help_text="A list of references narrows it too.")
    offer = serializers.JSONField(help_text="As it was sent; empty: none.")
    made_by = serializers.CharField()
    submitted_by = serializers.CharField(allow_blank=True)
    approved_by = serializers.CharField(allow_blank=True)
    made_at = serializers.DateTimeField()
    starts_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    progress = ProgressShown()
    left_out = serializers.DictField(child=serializers.IntegerField(), help_text="Accounts by the reason.")
    results = ResultsShown()
    references = serializers.IntegerField(required=False, help_text="In the list that was sent.")
    references_known = serializers.IntegerField(required=False)


SAID = {
    "name": "December offers",
    "template": "Settlement offer",
    "references": ["100234", "100235"],
    "offer": {"percent_bps": 8000, "max_payments": 3, "max_days": 90, "expires_on": "2026-12-31"},
}


STATUSES = ("draft", "waiting", "scheduled", "freezing", "sending", "paused", "stopped", "finished")


class CampaignQuery(PageQuery):
    """Ask for campaigns."""

    status = serializers.ChoiceField(STATUSES, required=False)


class Campaigns(Endpoint):
    """The list, and a whole one at once."""

    @operation(
        "list_campaigns",
        "List campaigns",
        scope="campaigns:read",
        answers=page_of(CampaignShown),
        query=[CampaignQuery],
        found=False,
        problems={503: "`campaigns_unavailable`."},
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(CampaignQuery, _port(writing.campaigns)(), show_all=_port(writing.all_campaigns))

    @operation(
        "start_campaign",
        "Start a campaign",
        scope="campaigns:write",
        said=(
            "It waits until somebody of the agency's staff approves it. Each account is judged by the gate when its "
            "message leaves; who is left out, and why, stands in the campaign."
        ),
        form=CampaignForm,
        answers=CampaignShown,
        status=201,
        once=True,
        found=False,
        problems={422: "`refused`: every reason with its own code.", 503: "`campaigns_unavailable`."},
        examples=[example("An offer to a list", SAID)],
    )
    def post(self, request: Request) -> HttpResponse:
        given = self.read(CampaignForm)
        said = dict(given.get("audience", {}))
        if "clients" in said:
            said["clients"] = [str(one) for one in said["clients"]]
        if "opened_not_paid" in said:
            said["opened_not_paid"] = str(said["opened_not_paid"])
        offer = dict(given.get("offer", {}))
        if "expires_on" in offer:
            offer["expires_on"] = offer["expires_on"].isoformat()
        made = _port(outreach.start_campaign)(
            name=given["name"],
            template=given["template"],
            second=given.get("second_template", ""),
            purpose=given.get("purpose", "campaign"),
            audience_said=said,
            references=given.get("references"),
            offer=offer,
            starts_at=given.get("starts_at"),
            by=self.by,
            now=self.now,
        )
        if isinstance(made, list):
            raise refused(made)
        return answer(made, status=201)


class OneCampaign(Endpoint):
    """One campaign."""

    @operation("get_campaign", "Read a campaign and its results", scope="campaigns:read", answers=CampaignShown)
    def get(self, request: Request, campaign_id: UUID) -> HttpResponse:
        self.asked()
        found = _port(outreach.campaign)(campaign_id)
        if found is None:
            raise Refuse(404, "not_found", "There is nothing here.")
        return answer(found)


class StopForm(Form):
    """Why."""

    reason = Text(max_length=300)


class StopCampaign(Endpoint):
    """Stop a campaign."""

    @operation(
        "stop_campaign",
        "Stop a campaign for good",
        scope="campaigns:write",
        said="When the answer comes, no message is handed over any more.",
        form=StopForm,
        answers=CampaignShown,
        once=True,
        problems={409: "`already_over`: it is a draft, stopped or finished."},
        examples=[example("A reason", {"reason": "Wrong text."})],
    )
    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        given = self.read(StopForm)
        found = _port(outreach.stop_campaign)(campaign_id=campaign_id, reason=given["reason"], now=self.now)
        if found is None:
            raise Refuse(404, "not_found", "There is nothing here.")
        if found:
            raise refused(found, status=409, code=found[0].code, said=found[0].sentence)
        return answer(_port(outreach.campaign)(campaign_id))
