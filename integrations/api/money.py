"""Payments, what is given back of them, their papers, and what staff must look at."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, file, one, refusing
from integrations.api.bodies import Cents, Form, Refuse, Text
from integrations.api.document import operation
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from payments.models import Arrangement, Incident, PayLink, Payment, Refund
from payments.services import evidence, incidents, papers, pay_links, refunds

PDF, ZIP = "application/pdf", "application/zip"


class PaymentShown(Shown):
    id = serializers.UUIDField()
    reference = serializers.CharField(help_text="What the consumer reads out.")
    account = serializers.UUIDField()
    consumer = serializers.UUIDField()
    method = serializers.UUIDField(allow_null=True)
    authorization = serializers.UUIDField(allow_null=True)
    arrangement = serializers.UUIDField(allow_null=True)
    postdate = serializers.UUIDField(allow_null=True)
    kind = serializers.ChoiceField(Payment.Kind.values)
    executor = serializers.CharField()
    purpose = serializers.CharField()
    amount_cents = serializers.IntegerField()
    currency = serializers.CharField()
    status = serializers.ChoiceField(Payment.Status.values, help_text="intended: nobody knows yet.")
    decline_code = serializers.CharField()
    reason = serializers.CharField()
    intended_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True, help_text="The host shows it since.")


class PaymentQuery(PageQuery):
    """Ask for payments."""

    account = serializers.UUIDField(required=False)
    arrangement = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(Payment.Status.values, required=False)


class RefundShown(Shown):
    id = serializers.UUIDField()
    payment = serializers.UUIDField()
    account = serializers.UUIDField()
    amount_cents = serializers.IntegerField()
    reason = serializers.CharField()
    status = serializers.ChoiceField(Refund.Status.values)
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)
    failure = serializers.CharField()


class RefundQuery(PageQuery):
    """Ask for refunds."""

    account = serializers.UUIDField(required=False)
    payment = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(Refund.Status.values, required=False)


class RefundForm(Form):
    """How much, why."""

    amount_cents = Cents()
    reason = Text(max_length=300)


class WhyForm(Form):
    """Why."""

    reason = Text(max_length=300)


class IncidentShown(Shown):
    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="A stable code.")
    severity = serializers.ChoiceField(Incident.Severity.values)
    account = serializers.UUIDField(allow_null=True)
    payment = serializers.UUIDField(allow_null=True)
    data = serializers.JSONField()
    opened_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField()
    note = serializers.CharField()


class IncidentQuery(PageQuery):
    """Ask for incidents."""

    account = serializers.UUIDField(required=False)
    kind = serializers.CharField(required=False, max_length=40)
    severity = serializers.ChoiceField(Incident.Severity.values, required=False)


class NoteForm(Form):
    """What was found."""

    note = Text(max_length=300)


class PaperQuery(Form):
    """In which language."""

    language = serializers.ChoiceField(["en", "es"], required=False)


class Payments(Endpoint):
    """The list."""

    @operation(
        "list_payments",
        "List payments",
        scope="payments:read",
        answers=page_of(PaymentShown),
        query=[PaymentQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(PaymentQuery, Payment.objects.all(), PaymentShown.of)


class OnePayment(Endpoint):
    """One of them."""

    @operation("get_payment", "Read a payment", scope="payments:read", answers=PaymentShown)
    def get(self, request: Request, payment_id: UUID) -> HttpResponse:
        self.asked()
        return answer(PaymentShown.of(one(Payment, payment_id)))


class Receipt(Endpoint):
    """Its paper."""

    @operation(
        "get_receipt",
        "Get a payment's receipt",
        scope="payments:read",
        answers={(200, PDF): OpenApiTypes.BINARY},
        query=[PaperQuery],
        problems={409: "`payment_not_made`: nothing came of it."},
    )
    def get(self, request: Request, payment_id: UUID) -> HttpResponse:
        asked = self.asked(PaperQuery)
        row = one(Payment, payment_id, "account__agency", "consumer", "method")
        if row.status not in Payment.COUNTED or row.status == Payment.Status.INTENDED:
            raise Refuse(409, "payment_not_made", "There is no receipt: nothing came of this payment.")
        paper = papers.receipt(row, language=asked.get("language", "en"))
        return file(paper, kind=PDF, name=f"receipt-{row.reference}.pdf")


class PaymentEvidence(Endpoint):
    """Everything about it."""

    @operation(
        "get_payment_evidence",
        "Get the evidence of a payment",
        scope="payments:read",
        said="What was shown, accepted, notified, charged and delivered, with the papers (ACH-06). Numbers are masked.",
        answers={(200, ZIP): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, payment_id: UUID) -> HttpResponse:
        self.asked()
        row = one(Payment, payment_id, "arrangement", "postdate__arrangement")
        return file(evidence.pack(payment=row, now=self.now), kind=ZIP, name=evidence.file_name(row))


class ArrangementEvidence(Endpoint):
    """Everything about a plan."""

    @operation(
        "get_arrangement_evidence",
        "Get the evidence of an arrangement",
        scope="payments:read",
        answers={(200, ZIP): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, arrangement_id: UUID) -> HttpResponse:
        self.asked()
        row = one(Arrangement, arrangement_id)
        return file(evidence.pack(arrangement=row, now=self.now), kind=ZIP, name=evidence.file_name(row))


class VoidPayment(Endpoint):
    """Stop it."""

    @operation(
        "void_payment",
        "Stop a payment that is undecided",
        scope="payments:write",
        said="At the processor first, so that it can never succeed.",
        form=WhyForm,
        answers=PaymentShown,
        steps=True,
        problems={409: "`void_at_host`, `void_too_late`, `void_not_possible`."},
    )
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        row = one(Payment, payment_id)
        given = self.read(WhyForm)
        with refusing(refunds.Refused):
            done = refunds.void(payment=row, reason=given["reason"], by=self.by, now=self.now)
        return answer(PaymentShown.of(done))


class Refunds(Endpoint):
    """The list."""

    @operation(
        "list_refunds",
        "List refunds",
        scope="payments:read",
        answers=page_of(RefundShown),
        query=[RefundQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(RefundQuery, Refund.objects.all(), RefundShown.of)


class OneRefund(Endpoint):
    """One of them."""

    @operation("get_refund", "Read a refund", scope="payments:read", answers=RefundShown)
    def get(self, request: Request, refund_id: UUID) -> HttpResponse:
        self.asked()
        return answer(RefundShown.of(one(Refund, refund_id)))


class AskRefund(Endpoint):
    """Give it back."""

    @operation(
        "ask_refund",
        "Give a payment back, in part or whole",
        scope="refunds:write",
        said="Up to the merchant account's limit it is done at once; above it another key or person approves it.",
        form=RefundForm,
        answers=RefundShown,
        status=201,
        steps=True,
        problems={409: "`refund_at_host`, `refund_not_paid`, `refund_open`.", 422: "`refused`: `refund_too_much`."},
    )
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        row = one(Payment, payment_id)
        given = self.read(RefundForm)
        with refusing(refunds.Refused):
            made = refunds.ask(payment=row, **given, by=self.by, now=self.now, key=self.asked_as)
        # Should the answer be lost with the process: the same key is the same refund.
        if made.status == Refund.Status.APPROVED:
            made = refunds.carry_out(refund=made, now=self.now)
        return answer(RefundShown.of(made), status=201, headers={"Location": f"/api/v1/refunds/{made.pk}"})


class ApproveRefund(Endpoint):
    """Yes."""

    @operation(
        "approve_refund",
        "Approve a refund that another asked for",
        scope="refunds:approve",
        form=Nothing,
        answers=RefundShown,
        steps=True,
        problems={409: "`refund_second_person`, `refund_decided`; or the payment cannot be given back any more."},
    )
    def post(self, request: Request, refund_id: UUID) -> HttpResponse:
        row = one(Refund, refund_id)
        self.read(Nothing)
        with refusing(refunds.Refused):
            done = refunds.approve(refund=row, by=self.by, now=self.now)
        return answer(RefundShown.of(refunds.carry_out(refund=done, now=self.now)))


class RejectRefund(Endpoint):
    """No."""

    @operation(
        "reject_refund",
        "Decide against a refund",
        scope="refunds:approve",
        form=WhyForm,
        answers=RefundShown,
        once=True,
        problems={409: "`refund_decided`."},
    )
    def post(self, request: Request, refund_id: UUID) -> HttpResponse:
        row = one(Refund, refund_id)
        given = self.read(WhyForm)
        with refusing(refunds.Refused):
            done = refunds.reject(refund=row, reason=given["reason"], by=self.by, now=self.now)
        return answer(RefundShown.of(done))


class PayLinkShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    kind = serializers.ChoiceField(PayLink.Kind.values)
    choice = serializers.CharField()
    amount_cents = serializers.IntegerField()
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    payment = serializers.UUIDField(allow_null=True)


class PayLinkQuery(PageQuery):
    """Ask for pay links."""

    account = serializers.UUIDField(required=False)


class PayLinks(Endpoint):
    """The list."""

    @operation(
        "list_pay_links",
        "List links by which somebody may pay",
        scope="payments:read",
        said="Of a link's token only a hash is kept.",
        answers=page_of(PayLinkShown),
        query=[PayLinkQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(PayLinkQuery, PayLink.objects.all(), PayLinkShown.of)


class RevokePayLink(Endpoint):
    """No more."""

    @operation(
        "revoke_pay_link",
        "Revoke a pay link",
        scope="payments:write",
        said="Again changes nothing.",
        form=Nothing,
        answers=PayLinkShown,
        once=True,
    )
    def post(self, request: Request, link_id: UUID) -> HttpResponse:
        row = one(PayLink, link_id)
        self.read(Nothing)
        pay_links.revoke(link=row, by=self.by, now=self.now)
        row.refresh_from_db()
        return answer(PayLinkShown.of(row))


class Incidents(Endpoint):
    """The list."""

    @operation(
        "list_incidents",
        "List what somebody must look at",
        scope="payments:read",
        answers=page_of(IncidentShown),
        query=[IncidentQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(IncidentQuery, Incident.objects.all(), IncidentShown.of)


class CloseIncident(Endpoint):
    """Looked at."""

    @operation(
        "close_incident",
        "Close what was found, with a note",
        scope="payments:write",
        said="A closed one stays as it was closed.",
        form=NoteForm,
        answers=IncidentShown,
        once=True,
    )
    def post(self, request: Request, incident_id: UUID) -> HttpResponse:
        row = one(Incident, incident_id)
        given = self.read(NoteForm)
        return answer(IncidentShown.of(incidents.close(incident=row, by=self.by, note=given["note"], now=self.now)))
