"""Campaigns before a person approves them: drafted, their audience counted, handed on; and their later steps."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.services import writing
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Form, Moment, Text, Whole, Word
from integrations.api.campaigns import AudienceForm, CampaignOfferForm, CampaignShown, StopForm
from integrations.api.document import example, operation
from integrations.api.templates import CHANNELS, port
from integrations.api.terms import Shown
from integrations.api.webhooks import Nothing

MOST_SAMPLE = 100
LIST = 50_000
"""References in one body; a longer list comes in with the placement file or on the staff page."""


class CampaignDraftForm(Form):
    """A campaign as far as it is thought of; only its name is needed to count an audience."""

    name = Text(max_length=120)
    channel = Word(CHANNELS, unknown="channel_unknown", required=False, help_text="Left out: email.")
    purpose = Word(("campaign", "reminder"), unknown="purpose_unknown", required=False)
    template = Text(max_length=80, required=False, help_text="The name of a published template.")
    second_template = Text(max_length=80, required=False, help_text="To compare two.")
    share_b = Whole(min_value=1, max_value=99, required=False, help_text="Percent that gets the second; else 50.")
    audience = AudienceForm(required=False)
    references = serializers.ListField(
        child=Text(max_length=60), required=False, max_length=LIST, help_text="The host's own list; left out: it stays."
    )
    offer = CampaignOfferForm(required=False)
    starts_at = Moment(required=False, help_text="Left out: when it is approved.")


class ChosenShown(Shown):
    account = serializers.UUIDField()
    reference = serializers.CharField()
    balance_cents = serializers.IntegerField()
    currency = serializers.CharField()
    language = serializers.CharField()
    reason = serializers.CharField(allow_blank=True, help_text="Why it is left out; empty: it gets a message.")


class AudienceShown(Shown):
    campaign = serializers.UUIDField()
    reaches = serializers.IntegerField()
    left_out = serializers.DictField(child=serializers.IntegerField(), help_text="Accounts by the reason.")
    sample = ChosenShown(many=True)


class AudienceQuery(Form):
    """Which accounts to show."""

    reason = serializers.CharField(required=False, max_length=60, help_text="Left out for it; else who is reached.")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST_SAMPLE, help_text="Else 20.")


def _values(given: dict) -> dict:
    """Write a draft as a campaign holds it: what is left out as its default, ids and days as text."""
    said = dict(given.get("audience", {}))
    if "clients" in said:
        said["clients"] = [str(client) for client in said["clients"]]
    if "opened_not_paid" in said:
        said["opened_not_paid"] = str(said["opened_not_paid"])
    offer = dict(given.get("offer", {}))
    if "expires_on" in offer:
        offer["expires_on"] = offer["expires_on"].isoformat()
    return {
        "name": given["name"],
        "channel": given.get("channel", "email"),
        "purpose": given.get("purpose", "campaign"),
        "template": given.get("template", ""),
        "second_template": given.get("second_template", ""),
        "share_b": given.get("share_b", 50),
        "audience": said,
        "offer": offer,
        "starts_at": given.get("starts_at"),
    }


REFUSED = {422: "`refused`: `template_unknown`, and what the audience's filters have against them."}
EXAMPLE = {"name": "December", "audience": {"states": ["NY", "NJ"], "balance_from_cents": 50_000}}


class Drafts(Endpoint):
    """Begin one."""

    @operation(
        "draft_campaign",
        "Choose an audience: begin a campaign as a draft",
        scope="campaigns:write",
        said="Its audience can be read at once; nobody gets anything before it is handed on and a person approved it.",
        form=CampaignDraftForm,
        answers=CampaignShown,
        status=201,
        once=True,
        found=False,
        problems={**REFUSED, 503: "`campaigns_unavailable`."},
        examples=[example("Everybody in two states from $500", EXAMPLE)],
    )
    def post(self, request: Request) -> HttpResponse:
        given = self.read(CampaignDraftForm)
        row = port(writing.draft_campaign)(
            values=_values(given), references=given.get("references"), by=self.by, now=self.now
        )
        return answer(made(row), status=201)


class OneDraft(Endpoint):
    """Change one."""

    @operation(
        "put_campaign_draft",
        "Write a campaign's draft anew",
        scope="campaigns:write",
        said="What is left out is empty; only a list of references that is not sent again stays.",
        form=CampaignDraftForm,
        answers=CampaignShown,
        problems={409: "`not_a_draft`.", **REFUSED},
        examples=[example("Everybody in two states from $500", EXAMPLE)],
    )
    def put(self, request: Request, campaign_id: UUID) -> HttpResponse:
        row = one(port(writing.campaigns)(), campaign_id)
        given = self.read(CampaignDraftForm)
        return answer(
            made(
                port(writing.change_campaign)(
                    campaign_id=row.pk,
                    values=_values(given),
                    references=given.get("references"),
                    by=self.by,
                    now=self.now,
                )
            )
        )


class Audience(Endpoint):
    """Whom it reaches."""

    @operation(
        "get_audience",
        "Count a campaign's audience, with a sample and why others are left out",
        scope="campaigns:read",
        said=(
            "As the accounts are now. The reasons are those that stand in the records; each account is judged in full "
            "when its message leaves."
        ),
        answers=AudienceShown,
        query=[AudienceQuery],
        problems={422: "`refused`: what a draft's filters have against them."},
    )
    def get(self, request: Request, campaign_id: UUID) -> HttpResponse:
        asked = self.asked(AudienceQuery)
        row = one(port(writing.campaigns)(), campaign_id)
        found = port(writing.audience)(
            campaign_id=row.pk, reason=asked.get("reason", ""), limit=asked.get("limit", 20), now=self.now
        )
        return answer(made(found))


class Step(Endpoint):
    """What every step of a campaign does around its own call."""

    def stepped(self, campaign_id: UUID, slot, **said) -> HttpResponse:
        """Take a step and show the campaign; refusals are 409, or 422 where a field can be mended.

        :raises Refuse: it is not the time for this step, or there is no such campaign.
        """
        row = one(port(writing.campaigns)(), campaign_id)
        made(port(slot)(campaign_id=row.pk, now=self.now, **said))
        return answer(port(writing.campaign)(one(port(writing.campaigns)(), campaign_id)))


class SubmitCampaign(Step):
    """To a person."""

    @operation(
        "submit_campaign",
        "Hand a campaign on for approval",
        scope="campaigns:write",
        said="A person of the agency approves it, and no key does (AUTH-15).",
        form=Nothing,
        answers=CampaignShown,
        once=True,
        problems={
            409: "`not_a_draft`, `no_provider`, `carrier_none`, `carrier_pending`, `carrier_forbidden`.",
            422: "`refused`: everything that keeps it from being sent.",
        },
    )
    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        self.read(Nothing)
        return self.stepped(campaign_id, writing.submit, by=self.by)


class TakeBackCampaign(Step):
    """Back to draft."""

    @operation(
        "take_back_campaign",
        "Make a waiting campaign a draft again",
        scope="campaigns:write",
        form=StopForm,
        answers=CampaignShown,
        once=True,
        problems={409: "`not_waiting`."},
        examples=[example("A reason", {"reason": "One client too many."})],
    )
    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        return self.stepped(campaign_id, writing.take_back, by=self.by, reason=self.read(StopForm)["reason"])


class PauseCampaign(Step):
    """For now."""

    @operation(
        "pause_campaign",
        "Pause a campaign",
        scope="campaigns:write",
        said="What is with the provider arrives; nothing more is handed over until it goes on.",
        form=StopForm,
        answers=CampaignShown,
        once=True,
        problems={409: "`not_running`."},
        examples=[example("A reason", {"reason": "The telephones are down."})],
    )
    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        return self.stepped(campaign_id, writing.pause, reason=self.read(StopForm)["reason"])


class ResumeCampaign(Step):
    """On."""

    @operation(
        "resume_campaign",
        "Go on with a paused campaign",
        scope="campaigns:write",
        form=Nothing,
        answers=CampaignShown,
        once=True,
        problems={409: "`not_paused`."},
    )
    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        self.read(Nothing)
        return self.stepped(campaign_id, writing.resume)


class CopyCampaign(Endpoint):
    """Again."""

    @operation(
        "copy_campaign",
        "Begin a draft that says the same as a campaign",
        scope="campaigns:write",
        form=Nothing,
        answers=CampaignShown,
        status=201,
        once=True,
    )
    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        row = one(port(writing.campaigns)(), campaign_id)
        self.read(Nothing)
        return answer(port(writing.copy)(campaign_id=row.pk, by=self.by, now=self.now), status=201)
