"""Hardship pauses: asked for, decided and looked at again, with their documents.

What consumers said is told one by one and to keys with a scope of its own, as the pages tell it to staff who decide: it
may be about health (UK-13).
"""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery, payable
from integrations.api.base import Endpoint, answer, file, made, one
from integrations.api.bodies import Day, Form, Text, Whole, Word
from integrations.api.budgets import ANSWERS, TOLD
from integrations.api.document import operation
from integrations.api.money import WhyForm
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from settlements.models import Evidence, Hardship
from settlements.services import evidence, hardship

DOCUMENT = "application/octet-stream"


class HardshipShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    consumer = serializers.UUIDField()
    status = serializers.ChoiceField(Hardship.Status.values)
    cause = serializers.ChoiceField(Hardship.Reason.values, allow_null=True, help_text=TOLD)
    words = serializers.CharField(allow_null=True, help_text=TOLD)
    asked_days = serializers.IntegerField()
    asked_at = serializers.DateTimeField()
    automatic = serializers.BooleanField()
    starts_on = serializers.DateField(allow_null=True)
    ends_on = serializers.DateField(allow_null=True)
    review_on = serializers.DateField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField()
    reason = serializers.CharField()
    ended_at = serializers.DateTimeField(allow_null=True)
    reviewed_at = serializers.DateTimeField(allow_null=True)


class HardshipQuery(PageQuery):
    """Ask for pauses."""

    account = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(Hardship.Status.values, required=False)


class HardshipForm(Form):
    """What the consumer asks for."""

    cause = Word(tuple(Hardship.Reason.values), unknown="cause_unknown")
    words = Text(required=False, max_length=4_000, allow_blank=True)
    days = Whole(min_value=1, max_value=3_650)
    consent = Text(max_length=500, help_text="The sentence they agreed to (UK-13).")


class GrantForm(Form):
    """Until when."""

    ends_on = Day(required=False, help_text="Left out: as long as was asked for.")
    review_on = Day(required=False)


class DocumentShown(Shown):
    id = serializers.UUIDField()
    hardship = serializers.UUIDField()
    number = serializers.IntegerField()
    kind = serializers.CharField(help_text="pdf, jpeg, png, heic.")
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    uploaded_at = serializers.DateTimeField()


def untold(row: Hardship) -> dict:
    """Show a pause without what its consumer said."""
    return HardshipShown.of(row, cause=None, words=None)


def shown(asker: Endpoint, row: Hardship) -> dict:
    """Show a pause; what its consumer said, to a key that may read it."""
    return HardshipShown.of(row) if asker.may(ANSWERS) else untold(row)


def pause_of(pk: UUID) -> Hardship:
    """Find a pause of the acting agency."""
    return one(Hardship, pk, "account", "consumer")


class Hardships(Endpoint):
    """The list."""

    @operation(
        "list_hardships",
        "List hardship pauses",
        scope="budgets:read",
        answers=page_of(HardshipShown),
        query=[HardshipQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(HardshipQuery, Hardship.objects.all(), untold)


class OneHardship(Endpoint):
    """One of them."""

    @operation("get_hardship", "Read a hardship pause", scope="budgets:read", answers=HardshipShown)
    def get(self, request: Request, hardship_id: UUID) -> HttpResponse:
        self.asked()
        return answer(shown(self, pause_of(hardship_id)))


class AskHardship(Endpoint):
    """Please wait."""

    @operation(
        "ask_hardship",
        "Ask for a pause for a consumer in hardship",
        scope="budgets:write",
        said="Where the agency's policy allows so many days it is granted at once.",
        form=HardshipForm,
        answers=HardshipShown,
        status=201,
        once=True,
        problems={409: "`hardship_open`.", 422: "`refused`: `days_not_offered` and others."},
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        given = {"words": ""} | self.read(HardshipForm)
        row = made(hardship.request(account=account, **given, now=self.now))
        return answer(shown(self, row), status=201, headers={"Location": f"/api/v1/hardships/{row.pk}"})


class GrantHardship(Endpoint):
    """Yes."""

    @operation(
        "grant_hardship",
        "Grant a pause, or move the end of a granted one",
        scope="budgets:write",
        form=GrantForm,
        answers=HardshipShown,
        once=True,
        problems={
            409: "`hardship_not_open`.",
            422: "`refused`: `ends_in_past`, `ends_too_late`, `review_after_end`.",
        },
    )
    def post(self, request: Request, hardship_id: UUID) -> HttpResponse:
        row = pause_of(hardship_id)
        given = self.read(GrantForm)
        made(hardship.grant(hardship=row, by=self.by, now=self.now, **given))
        return answer(shown(self, row))


class DeclineHardship(Endpoint):
    """No."""

    @operation(
        "decline_hardship",
        "Say no to a pause",
        scope="budgets:write",
        form=WhyForm,
        answers=HardshipShown,
        once=True,
        problems={409: "`hardship_not_open`."},
    )
    def post(self, request: Request, hardship_id: UUID) -> HttpResponse:
        row = pause_of(hardship_id)
        given = self.read(WhyForm)
        made(hardship.decline(hardship=row, by=self.by, reason=given["reason"], now=self.now))
        return answer(shown(self, row))


class EndHardship(Endpoint):
    """Over."""

    @operation(
        "end_hardship",
        "End a pause early, or take a request back",
        scope="budgets:write",
        form=Nothing,
        answers=HardshipShown,
        once=True,
        problems={409: "`hardship_not_running`."},
    )
    def post(self, request: Request, hardship_id: UUID) -> HttpResponse:
        row = pause_of(hardship_id)
        self.read(Nothing)
        made(hardship.end(hardship=row, how="staff", now=self.now))
        return answer(shown(self, row))


class ReviewHardship(Endpoint):
    """Looked at."""

    @operation(
        "review_hardship",
        "Note that somebody looked at a pause again",
        scope="budgets:write",
        form=Nothing,
        answers=HardshipShown,
        once=True,
    )
    def post(self, request: Request, hardship_id: UUID) -> HttpResponse:
        row = pause_of(hardship_id)
        self.read(Nothing)
        hardship.reviewed(hardship=row, by=self.by, now=self.now)
        row.refresh_from_db()
        return answer(shown(self, row))


class HardshipDocuments(Endpoint):
    """Its documents."""

    @operation(
        "list_hardship_documents",
        "List the documents of a pause",
        scope="budgets:read",
        answers=page_of(DocumentShown),
        query=[PageQuery],
    )
    def get(self, request: Request, hardship_id: UUID) -> HttpResponse:
        row = pause_of(hardship_id)
        return self.listed(PageQuery, Evidence.objects.filter(hardship=row), DocumentShown.of)

    @operation(
        "add_hardship_document",
        "Keep a document with a pause's request",
        scope="budgets:write",
        said="The file itself as the body, PDF, JPEG, PNG or HEIC, at most 1 MB here; kept sealed.",
        form={DOCUMENT: OpenApiTypes.BINARY},
        answers=DocumentShown,
        status=201,
        once=True,
        problems={
            409: "`hardship_closed`, `evidence_kind`, `evidence_twice`, `evidence_too_many`, `evidence_empty`.",
            422: "`refused`.",
        },
    )
    def post(self, request: Request, hardship_id: UUID) -> HttpResponse:
        row = pause_of(hardship_id)
        kept = made(evidence.add(hardship=row, content=self.body, name="document", now=self.now))
        return answer(DocumentShown.of(kept), status=201)


class HardshipDocument(Endpoint):
    """One of them."""

    @operation(
        "get_hardship_document",
        "Get a document of a pause",
        scope=ANSWERS,
        answers={(200, DOCUMENT): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, document_id: UUID) -> HttpResponse:
        self.asked()
        row = one(Evidence, document_id)
        return file(evidence.content_of(row), kind=DOCUMENT, name=evidence.file_name(row))
