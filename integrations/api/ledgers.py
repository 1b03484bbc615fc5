"""A creditor's ledger by API: who is past due, into collections and out again, and a pull at once."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, one, refusing
from integrations.api.bodies import Refuse
from integrations.api.document import operation
from integrations.api.money import WhyForm
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from integrations.models import HostConnection, PastDueCustomer
from integrations.services import pull

SILENT = {503: "`ledger_silent`: it did not answer; nothing was written."}


class PastDueShown(Shown):
    id = serializers.UUIDField()
    connection = serializers.UUIDField()
    reference = serializers.CharField(help_text="The creditor's number of the customer.")
    name = serializers.CharField()
    status = serializers.ChoiceField(PastDueCustomer.Status.values)
    open_cents = serializers.IntegerField()
    oldest_due_on = serializers.DateField()
    invoices = serializers.IntegerField()
    seen_at = serializers.DateTimeField()
    decided_by = serializers.CharField()
    reason = serializers.CharField()


class PastDueQuery(PageQuery):
    """Ask for past-due customers."""

    connection = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(PastDueCustomer.Status.values, required=False)


class PulledShown(Shown):
    listed = serializers.IntegerField()
    placed = serializers.IntegerField()
    updated = serializers.IntegerField()
    refused = serializers.IntegerField()


def customer(pk: UUID) -> PastDueCustomer:
    """Find a customer of the acting agency's ledgers.

    :raises Refuse: 409 `no_ledger`.
    """
    row = one(PastDueCustomer, pk, "connection")
    _is_ledger(row.connection)
    return row


def _is_ledger(row: HostConnection) -> None:
    if row.style not in pull.PULLED:
        raise Refuse(409, "no_ledger", "This host is not one that is pulled.")


class PastDue(Endpoint):
    """The list."""

    @operation(
        "list_past_due_customers",
        "List customers who are past due in a creditor's ledger",
        scope="accounts:read",
        answers=page_of(PastDueShown),
        query=[PastDueQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(PastDueQuery, PastDueCustomer.objects.all(), PastDueShown.of)


class PlacePastDue(Endpoint):
    """Into collections."""

    @operation(
        "place_past_due_customer",
        "Put a past-due customer into collections",
        scope="accounts:write",
        said="The ledger is asked once more, the account is placed, the flag in the ledger follows.",
        form=Nothing,
        answers=PastDueShown,
        steps=True,
        problems={
            409: "`placed_already`, `not_past_due`, `record_refused`, `no_ledger` and others: nothing was written.",
            **SILENT,
        },
    )
    def post(self, request: Request, customer_id: UUID) -> HttpResponse:
        row = customer(customer_id)
        self.read(Nothing)
        with refusing(pull.Refused):
            pull.place(customer=row, by=self.by, now=self.now)
        return answer(PastDueShown.of(customer(customer_id)))


class RemovePastDue(Endpoint):
    """Out of collections."""

    @operation(
        "remove_past_due_customer",
        "Take a customer out of collections",
        scope="accounts:write",
        said="The account is recalled at once, the ledger clears flag and warning.",
        form=WhyForm,
        answers=PastDueShown,
        steps=True,
        problems={409: "`not_placed`, `no_ledger` and others: nothing was written."},
    )
    def post(self, request: Request, customer_id: UUID) -> HttpResponse:
        row = customer(customer_id)
        given = self.read(WhyForm)
        with refusing(pull.Refused):
            pull.remove(customer=row, reason=given["reason"], by=self.by, now=self.now)
        return answer(PastDueShown.of(customer(customer_id)))


class PullLedger(Endpoint):
    """Now."""

    @operation(
        "pull_ledger",
        "Pull a creditor's ledger now",
        scope="accounts:write",
        form=Nothing,
        answers=PulledShown,
        steps=True,
        problems={409: "`no_ledger`: this host is not one that is pulled.", **SILENT},
    )
    def post(self, request: Request, connection_id: UUID) -> HttpResponse:
        row = one(HostConnection, connection_id)
        self.read(Nothing)
        _is_ledger(row)
        try:
            return answer(pull.pull(connection=row, now=self.now)._asdict())
        except pull.Unanswered as error:
            raise Refuse(503, "ledger_silent", str(error)[:200] or "The ledger did not answer.") from error
