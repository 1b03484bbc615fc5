"""Statements that a state's law owes consumers: what they say, and that their letters left (ST-03, ST-04)."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Day, Form
from integrations.api.document import operation
from integrations.api.terms import Shown, page_of
from payments.models import Statement
from payments.services import statements


class StatementShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    kind = serializers.ChoiceField(Statement.Kind.values)
    status = serializers.ChoiceField(Statement.Status.values)
    owner = serializers.ChoiceField(("portal", "host"), help_text="Who sends it.")
    channel = serializers.ChoiceField(("email", "letter"))
    since = serializers.DateField(help_text="Payments after this day are counted.")
    until = serializers.DateField()
    send_by = serializers.DateField(help_text="The last day the law leaves.")
    lines = serializers.JSONField(help_text='Payments less what went back: `[["2026-12-01", 12500]]`.')
    paid_cents = serializers.IntegerField()
    balance_cents = serializers.IntegerField()
    made_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)


class StatementQuery(PageQuery):
    """Ask for statements."""

    account = serializers.UUIDField(required=False)
    kind = serializers.ChoiceField(Statement.Kind.values, required=False)
    status = serializers.ChoiceField(Statement.Status.values, required=False)
    channel = serializers.ChoiceField(("email", "letter"), required=False)


class LeftForm(Form):
    """When the letter left."""

    sent_on = Day()


class Statements(Endpoint):
    """The list."""

    @operation(
        "list_statements",
        "List statements that consumers are owed",
        scope="payments:read",
        said="`status=due&channel=letter` is what waits for a printer.",
        answers=page_of(StatementShown),
        query=[StatementQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(StatementQuery, Statement.objects.all(), StatementShown.of)


class StatementLeft(Endpoint):
    """It was posted."""

    @operation(
        "record_statement_sent",
        "Record that the letter with a statement left",
        scope="payments:record",
        said="Told again it changes nothing. What is not told by `send_by` is an incident, `statement_late`.",
        form=LeftForm,
        answers=StatementShown,
        once=True,
        problems={422: "`refused`: `sent_in_the_future`, `sent_too_early`."},
    )
    def post(self, request: Request, statement_id: UUID) -> HttpResponse:
        row = one(Statement, statement_id)
        given = self.read(LeftForm)
        row = made(statements.left_by_post(statement_id=row.pk, sent_on=given["sent_on"], by=self.by, now=self.now))
        return answer(StatementShown.of(row))
