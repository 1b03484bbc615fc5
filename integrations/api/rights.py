"""What a consumer may say about a debt: disputes, and who the original creditor is; opened and answered by API."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery, payable
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Cents, Day, Form, Text, Word
from integrations.api.document import operation
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from payments.models import CreditorRequest, Dispute
from payments.services import disputes

SENT = "`sent_in_the_future`, `sent_too_early`."


class DisputeShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    consumer = serializers.UUIDField()
    reason = serializers.ChoiceField(Dispute.Reason.values)
    text = serializers.CharField(help_text="In the consumer's own words.")
    amount_cents = serializers.IntegerField(allow_null=True, help_text="The part; null: all of it.")
    in_validation_period = serializers.BooleanField(help_text="RF-32: nothing goes on until it was verified.")
    status = serializers.ChoiceField(Dispute.Status.values)
    opened_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.CharField()
    resolution = serializers.CharField()


class DisputeQuery(PageQuery):
    """Ask for disputes."""

    account = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(Dispute.Status.values, required=False)


class DisputeForm(Form):
    """What is wrong."""

    reason = Word(tuple(Dispute.Reason.values), unknown="dispute_reason_unknown")
    words = Text(required=False, max_length=disputes.WORDS_LIMIT, allow_blank=True)
    amount_cents = Cents(required=False, help_text="The part that is wrong; left out: all of it.")


class ResolveForm(Form):
    """What was found."""

    note = Text(max_length=disputes.RESOLUTION_LIMIT)
    verified_on = Day(required=False, help_text="When the verification was sent; needed in the validation period.")


class CreditorShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    consumer = serializers.UUIDField()
    in_validation_period = serializers.BooleanField()
    asked_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    answered_by = serializers.CharField()


class CreditorQuery(PageQuery):
    """Ask for questions."""

    account = serializers.UUIDField(required=False)


class AnsweredForm(Form):
    """When it was sent."""

    sent_on = Day()


class Disputes(Endpoint):
    """The list."""

    @operation(
        "list_disputes",
        "List disputes",
        scope="disputes:read",
        answers=page_of(DisputeShown),
        query=[DisputeQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(DisputeQuery, Dispute.objects.all(), DisputeShown.of)


class OneDispute(Endpoint):
    """One of them."""

    @operation("get_dispute", "Read a dispute", scope="disputes:read", answers=DisputeShown)
    def get(self, request: Request, dispute_id: UUID) -> HttpResponse:
        self.asked()
        return answer(DisputeShown.of(one(Dispute, dispute_id)))


class OpenDispute(Endpoint):
    """This is wrong."""

    @operation(
        "open_dispute",
        "Write down that a consumer disputes an account",
        scope="disputes:write",
        said="What is planned is held at once (RF-32). While one is open, the same one is answered.",
        form=DisputeForm,
        answers=DisputeShown,
        status=201,
        once=True,
        problems={422: "`refused`: `dispute_words_missing`, `dispute_amount_wrong`."},
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        given = self.read(DisputeForm)
        row = made(
            disputes.open_dispute(
                account=account,
                visit=None,
                reason=given["reason"],
                text=given.get("words", ""),
                amount_cents=given.get("amount_cents"),
                now=self.now,
            )
        )
        return answer(DisputeShown.of(row), status=201, headers={"Location": f"/api/v1/disputes/{row.pk}"})


class ResolveDispute(Endpoint):
    """What was found."""

    @operation(
        "resolve_dispute",
        "Resolve a dispute",
        scope="disputes:write",
        said="What was held goes on where nothing else holds it.",
        form=ResolveForm,
        answers=DisputeShown,
        once=True,
        problems={409: "`dispute_not_open`.", 422: f"`refused`: `verification_missing`, {SENT}"},
    )
    def post(self, request: Request, dispute_id: UUID) -> HttpResponse:
        row = one(Dispute, dispute_id)
        given = self.read(ResolveForm)
        made(disputes.resolve(dispute=row, by=self.by, **given, now=self.now))
        return answer(DisputeShown.of(row))


class CreditorRequests(Endpoint):
    """The list."""

    @operation(
        "list_creditor_requests",
        "List questions for the original creditor",
        scope="disputes:read",
        answers=page_of(CreditorShown),
        query=[CreditorQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(CreditorQuery, CreditorRequest.objects.all(), CreditorShown.of)


class AskCreditor(Endpoint):
    """Who is it?"""

    @operation(
        "ask_original_creditor",
        "Write down that a consumer asks for the original creditor",
        scope="disputes:write",
        said="Asking twice is asking once. In the validation period collection stops until it is answered.",
        form=Nothing,
        answers=CreditorShown,
        status=201,
        once=True,
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        self.read(Nothing)
        return answer(CreditorShown.of(disputes.ask_original_creditor(account=account, now=self.now)), status=201)


class SpanishShown(Shown):
    new = serializers.BooleanField(help_text="False: it was asked for before.")


class SpanishNotice(Endpoint):
    """The notice in Spanish."""

    @operation(
        "ask_notice_in_spanish",
        "Write down that a consumer asks for the validation notice in Spanish",
        scope="disputes:write",
        said="The host is told once, by `letter.required` of the type `validation_notice` and the language `es`, to "
        "send it by the next business day (RF-34).",
        form=Nothing,
        answers=SpanishShown,
        status=201,
        once=True,
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        self.read(Nothing)
        return answer({"new": disputes.ask_in_spanish(account=account, now=self.now)}, status=201)


class AnswerCreditor(Endpoint):
    """It was sent."""

    @operation(
        "answer_creditor_request",
        "Write down that the original creditor was told to the consumer",
        scope="disputes:write",
        form=AnsweredForm,
        answers=CreditorShown,
        once=True,
        problems={409: "`creditor_answered`.", 422: f"`refused`: {SENT}"},
    )
    def post(self, request: Request, creditor_request_id: UUID) -> HttpResponse:
        row = one(CreditorRequest, creditor_request_id)
        given = self.read(AnsweredForm)
        made(disputes.answer_creditor(request=row, by=self.by, sent_on=given["sent_on"], now=self.now))
        return answer(CreditorShown.of(row))
