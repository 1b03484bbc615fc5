"""Rule sets: read every version, write a draft, publish it, take it back, begin again from an older one."""

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.request import Request

from accounts.models import Client
from accounts.refusals import Refusal
from integrations.api.accounts import ClientShown, PageQuery
from integrations.api.base import Endpoint, answer, one, page, refused
from integrations.api.bodies import Form, Id, Moment, Refuse, Text, decode
from integrations.api.document import example, operation
from integrations.api.simulations import Nothing
from integrations.api.terms import Shown
from settlements.models import RuleSet
from settlements.rules.bands import BAND_FIELDS, FORM_FIELDS
from settlements.services import rulesets

UNSAID = {
    "enabled": True,
    "is_master": False,
    "replace_all": False,
    **dict.fromkeys(FORM_FIELDS),
    "note": "",
}
"""What a field of the form is that a replaced draft does not name."""
BOUNDS = ("owing_from_cents", "owing_to_cents")
FLAGS = ("card_disabled", "ach_disabled")


def band_fields() -> dict[str, serializers.Field]:
    """Describe the fields of a band: cents, basis points, months, days, and two switches."""
    silent = {"required": False, "allow_null": True}
    fields: dict[str, serializers.Field] = {name: serializers.IntegerField(min_value=0) for name in BOUNDS}
    for name in BAND_FIELDS:
        kind = serializers.BooleanField if name in FLAGS else serializers.IntegerField
        fields[name] = kind(**silent)
    return fields


BandShown = type("BandShown", (Shown,), band_fields())


class Values(Shown):
    enabled = serializers.BooleanField(required=False, help_text="Off: as if it did not exist.")
    is_master = serializers.BooleanField(required=False, help_text="Of the agency: while off, no client's is read.")
    replace_all = serializers.BooleanField(required=False, help_text="Of a client: nothing is inherited.")
    conversion = serializers.ChoiceField(["annual", "half_month"], required=False, allow_blank=True, allow_null=True)
    sif_plan_arrangement = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=20)
    sif_plan_final = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=20)
    promise_days = serializers.IntegerField(required=False, allow_null=True, help_text="0: no promises.")
    breach_reinstates = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, help_text="After a broken settlement: balance or rest."
    )
    breach_cure_days = serializers.IntegerField(required=False, allow_null=True)
    max_changes = serializers.IntegerField(required=False, allow_null=True)
    note = serializers.CharField(required=False, allow_blank=True, max_length=300)
    bands = BandShown(many=True)


class RuleSetShown(Values):
    id = serializers.UUIDField()
    client = ClientShown(allow_null=True, help_text="null: the agency's own.")
    version = serializers.IntegerField()
    status = serializers.ChoiceField(RuleSet.Status.values)
    effective_at = serializers.DateTimeField(allow_null=True)
    copied_from = serializers.IntegerField(allow_null=True)
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()
    submitted_by = serializers.CharField(allow_blank=True)
    published_at = serializers.DateTimeField(allow_null=True)
    published_by = serializers.CharField(allow_blank=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    withdrawn_by = serializers.CharField(allow_blank=True)


class RuleSetPage(Shown):
    items = RuleSetShown(many=True)
    next = serializers.CharField(allow_null=True)


def rule_set_shown(row: RuleSet) -> dict:
    """Show a version of a rule set."""
    client = row.client
    names = RuleSetShown().fields.keys() - {"id", "client"}
    return {
        "id": row.pk,
        "client": {"id": client.pk, "number": client.number, "name": client.name} if client else None,
    } | {name: getattr(row, name) for name in RuleSetShown().fields if name in names}


def stored(pk: UUID) -> RuleSet:
    """Find a version of the acting agency."""
    return one(RuleSet, pk, "client")


def conflict(error: rulesets.Refused) -> Refuse:
    """Answer 422 for what was sent wrong, 409 for what stands in the way."""
    first = error.refusals[0]
    if any(each.field for each in error.refusals):
        return refused(error.refusals)
    return refused(error.refusals, status=409, code=first.code, said=first.sentence)


BANDS = [
    {"owing_from_cents": 0, "owing_to_cents": 49999, "max_months_unsettled": 6, "minimum_cents": 2500},
    {
        "owing_from_cents": 50000,
        "owing_to_cents": 99999999900,
        "max_months_unsettled": 24,
        "max_months_settled": 6,
        "minimum_settlement_bps": 6000,
        "offered_settlement_bps": 7000,
        "minimum_cents": 5000,
    },
]
FORM = {"enabled": True, "conversion": "annual", "promise_days": 14, "note": "Winter.", "bands": BANDS}


class RuleSetQuery(PageQuery):
    """Ask for versions."""

    client = serializers.CharField(required=False, max_length=36, help_text="A client's id, or `agency`.")
    status = serializers.ChoiceField(RuleSet.Status.values, required=False)

    def validate_client(self, said: str) -> UUID | None:
        if said == "agency":
            return None
        try:
            return UUID(said)
        except ValueError:
            raise serializers.ValidationError("Write a client's id, or agency.", "invalid_id") from None


class DraftForm(Form):
    """Of whom, and what it begins as."""

    client = Id(required=False, allow_null=True, help_text="null: the agency's own.")
    copy_of = Id(required=False, help_text="Another version; left out: the one in force.")


class RuleSets(Endpoint):
    """The versions."""

    @operation(
        "list_rule_sets",
        "List the versions of rule sets",
        scope="rules:read",
        answers=RuleSetPage,
        query=[RuleSetQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        asked = self.asked(RuleSetQuery)
        rows = RuleSet.objects.select_related("client")
        if "client" in asked:
            rows = rows.filter(client=asked["client"])
        if "status" in asked:
            rows = rows.filter(status=asked["status"])
        limit = asked.get("limit", settings.API_PAGE)
        return answer(page(rows, after=asked.get("cursor"), limit=limit, show=rule_set_shown))

    @operation(
        "create_rule_set",
        "Begin a draft",
        scope="rules:write",
        said="One draft at a time for the agency, and one for each client.",
        form=DraftForm,
        answers=RuleSetShown,
        status=201,
        once=True,
        problems={404: "No such client or version of yours.", 409: "`draft_open`: there is one already."},
        examples=[example("The agency's next version", {"client": None})],
    )
    def post(self, request: Request) -> HttpResponse:
        given = self.read(DraftForm)
        client = one(Client, given["client"]) if given.get("client") else None
        copied = stored(given["copy_of"]) if "copy_of" in given else None
        if RuleSet.objects.filter(client=client, status__in=RuleSet.OPEN).exists():
            raise Refuse(409, "draft_open", "There is a draft of these rules already: publish or discard it first.")
        try:
            made = rulesets.draft(client=client, by=self.by, now=self.now, copy_of=copied)
        except rulesets.Refused as error:
            raise conflict(error) from error
        return answer(rule_set_shown(made), status=201, headers={"Location": f"/api/v1/rule-sets/{made.pk}"})


class OneRuleSet(Endpoint):
    """One version."""

    @operation("get_rule_set", "Read a version", scope="rules:read", answers=RuleSetShown)
    def get(self, request: Request, rule_set_id: UUID) -> HttpResponse:
        self.asked()
        return answer(rule_set_shown(stored(rule_set_id)))

    @operation(
        "put_rule_set",
        "Replace a draft",
        scope="rules:write",
        said="The whole of it: a field that is not there says nothing. Nothing is in force before it is published.",
        form=Values,
        answers=RuleSetShown,
        problems={409: "`rule_set_not_open`: it is no draft any more.", 422: "`refused`: every reason by pointer."},
        examples=[example("Two bands", FORM)],
    )
    def put(self, request: Request, rule_set_id: UUID) -> HttpResponse:
        row = stored(rule_set_id)
        values = dict(self.object())
        bands = values.pop("bands", [])
        found = rulesets.save_draft(rule_set=row, values=UNSAID | values, bands=bands, by=self.by, now=self.now)
        if found and not any(each.field for each in found):
            raise conflict(rulesets.Refused(*found))
        if found:
            raise refused(_same_words(found))
        return answer(rule_set_shown(stored(rule_set_id)))

    def object(self) -> dict:
        """Read the body as an object, unread: the rules say themselves what is wrong with each field."""
        kind = self.request._request.content_type
        if kind != "application/json":
            raise UnsupportedMediaType((kind or "nothing")[:60])
        said = decode(self.body)
        if not isinstance(said, dict):
            raise ParseError("A rule set is an object.")
        return said


def _same_words(found: list[Refusal]) -> list[Refusal]:
    """Say `unknown_field` as all of the API does."""
    return [
        Refusal("unknown_field", each.sentence, each.field) if each.code == "field_unknown" else each for each in found
    ]


class PublishForm(Form):
    """From when."""

    effective_at = Moment(required=False, help_text="Left out: now.")


class PublishRuleSet(Endpoint):
    """Put it in force."""

    @operation(
        "publish_rule_set",
        "Publish a draft",
        scope="rules:write",
        form=PublishForm,
        answers=RuleSetShown,
        once=True,
        problems={
            409: "`rule_set_not_open`; `rule_set_not_submitted`; `needs_second_person`: the agency wants two people.",
            422: "`refused`: `effective_in_past`, `effective_too_late`.",
        },
        examples=[example("From the new year", {"effective_at": "2027-01-01T05:00:00Z"})],
    )
    def post(self, request: Request, rule_set_id: UUID) -> HttpResponse:
        row = stored(rule_set_id)
        given = self.read(PublishForm)
        try:
            done = rulesets.publish(rule_set=row, by=self.by, now=self.now, effective_at=given.get("effective_at"))
        except rulesets.Refused as error:
            raise conflict(error) from error
        return answer(rule_set_shown(done))


class Step(Endpoint):
    """Do one thing with a version that needs no more words."""

    def step(self, rule_set_id: UUID, do) -> HttpResponse:
        row = stored(rule_set_id)
        self.read(Nothing)
        try:
            done = do(row)
        except rulesets.Refused as error:
            raise conflict(error) from error
        return answer(rule_set_shown(done))


class SubmitRuleSet(Step):
    """Ask for the second person."""

    @operation(
        "submit_rule_set",
        "Hand a draft to a second person",
        scope="rules:write",
        form=Nothing,
        answers=RuleSetShown,
        once=True,
        problems={409: "`rule_set_not_open`, `rule_set_not_draft`."},
    )
    def post(self, request: Request, rule_set_id: UUID) -> HttpResponse:
        return self.step(rule_set_id, lambda row: rulesets.submit(rule_set=row, by=self.by, now=self.now))


class DiscardRuleSet(Step):
    """Give it up."""

    @operation(
        "discard_rule_set",
        "Give a draft up",
        scope="rules:write",
        form=Nothing,
        answers=RuleSetShown,
        once=True,
        problems={409: "`rule_set_not_open`."},
    )
    def post(self, request: Request, rule_set_id: UUID) -> HttpResponse:
        return self.step(rule_set_id, lambda row: rulesets.discard(rule_set=row, by=self.by, now=self.now))


class ReasonForm(Form):
    """Why."""

    reason = Text(required=False, max_length=300)


class WithdrawRuleSet(Endpoint):
    """Take it back."""

    @operation(
        "withdraw_rule_set",
        "Take a published version back",
        scope="rules:write",
        said="The version before it is in force again at once.",
        form=ReasonForm,
        answers=RuleSetShown,
        once=True,
        problems={409: "`rule_set_not_published`, `rule_set_withdrawn`."},
        examples=[example("A reason", {"reason": "The minimum was wrong."})],
    )
    def post(self, request: Request, rule_set_id: UUID) -> HttpResponse:
        row = stored(rule_set_id)
        reason = self.read(ReasonForm).get("reason", "")
        try:
            done = rulesets.withdraw(rule_set=row, by=self.by, now=self.now, reason=reason)
        except rulesets.Refused as error:
            raise conflict(error) from error
        return answer(rule_set_shown(done))


class RollBackRuleSet(Step):
    """Begin again from an older one."""

    @operation(
        "roll_back_rule_set",
        "Publish a copy of an older version",
        scope="rules:write",
        said="Where the agency wants two people the copy waits for the second one.",
        form=Nothing,
        answers=RuleSetShown,
        once=True,
        problems={409: "`rule_set_not_published`, `draft_open`."},
    )
    def post(self, request: Request, rule_set_id: UUID) -> HttpResponse:
        return self.step(rule_set_id, lambda row: rulesets.roll_back(to=row, by=self.by, now=self.now))
