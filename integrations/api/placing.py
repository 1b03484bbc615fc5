"""Accounts placed by API: one by its id, or up to five hundred at once, in the record of their host's style."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Account
from integrations.api.accounts import Accounts, OneAccount
from integrations.api.base import Endpoint, answer, one
from integrations.api.bodies import Form, Id, Refuse, Text
from integrations.api.document import example, operation
from integrations.api.terms import Shown
from integrations.models import HostConnection
from integrations.services import receive, reopen

AT_ONCE = 500
"""Records in one request."""


class RecordsForm(Form):
    """Whole records of one host."""

    connection = Id(help_text="Whose accounts they are; its style says how a record reads.")
    records = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=AT_ONCE)


class RecordForm(Form):
    """A whole record."""

    record = serializers.DictField()


class RowError(Shown):
    index = serializers.IntegerField(help_text="Of the record in the list.")
    reference = serializers.CharField(allow_null=True)
    pointer = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class Placed(Shown):
    received = serializers.IntegerField()
    accepted = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    stale = serializers.IntegerField(help_text="Older than what is here: counted, ignored.")
    refused = serializers.IntegerField()
    errors = RowError(many=True, help_text="The first fifty of a record and the first thousand of a request.")
    unlisted_errors = serializers.IntegerField(help_text="Errors that are not listed.")


class ReopenForm(Form):
    """Why."""

    reason = Text(max_length=200, help_text="It stands in the account's history.")


class Reopening(Shown):
    account = serializers.UUIDField()
    status = serializers.ChoiceField(Account.Status.values, help_text="It changes with the host's next push.")
    allowed = serializers.BooleanField()


RECORD = {"FileNumber": "100234", "Status": "ACTIVE", "ClientNumber": "C-10", "LastName": "Byron"}
RECORD |= {"CurrentBalance": "1000.00", "AsOf": "2026-12-01T14:00:00Z"}
ANSWER = {"received": 1, "accepted": 1, "unchanged": 0, "stale": 0, "refused": 0, "errors": [], "unlisted_errors": 0}


def placed(connection: HostConnection, records: list, now) -> dict:
    """Place records and say what became of them, in words that do not depend on the style."""
    try:
        said = receive.take(connection=connection, records=records, now=now)
    except receive.TooMany as error:
        raise Refuse(413, "too_large", str(error)) from error
    names = ("index", "pointer", "code", "message")
    errors = [
        {name: row[name] for name in names} | {"reference": next((v for k, v in row.items() if k not in names), None)}
        for row in said["errors"]
    ]
    return said | {"errors": errors}


class PlaceAccounts(Accounts):
    """The list, and many placed at once."""

    @operation(
        "place_accounts",
        "Place accounts",
        scope="accounts:write",
        said=(
            "Each record is the whole account, as the host's own pushes are: what is absent is removed, nothing older "
            "overwrites. A bad record is refused with every error, the others land."
        ),
        form=RecordsForm,
        answers=Placed,
        goes_on=True,
        examples=[
            example("One record", {"connection": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a02", "records": [RECORD]}),
            example("It landed", ANSWER, status=200),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        given = self.read(RecordsForm)
        connection = one(HostConnection.objects.filter(is_active=True), given["connection"])
        return answer(placed(connection, given["records"], self.now))


class PlaceAccount(OneAccount):
    """One, and its record."""

    @operation(
        "place_account",
        "Replace an account by its record",
        scope="accounts:write",
        form=RecordForm,
        answers=Placed,
        problems={
            409: "`account_without_host`: no host connection keeps it.",
            422: "`refused`: `another_account`: the record is of another one, or of several.",
        },
        examples=[example("Its record", {"record": RECORD}), example("It landed", ANSWER, status=200)],
    )
    def put(self, request: Request, account_id: UUID) -> HttpResponse:
        account = one(Account, account_id)
        given = self.read(RecordForm)
        connection = HostConnection.objects.filter(pk=account.connection_id, is_active=True).first()
        if connection is None:
            raise Refuse(409, "account_without_host", "No host connection keeps this account.")
        reader = receive.adapter_for(connection)
        if not receive.is_of(account, given["record"], reader):
            at = f"/record/{reader.reference_field}"
            wrong = {"pointer": at, "code": "another_account", "message": "Write this account's own, and no other."}
            raise Refuse(422, "refused", "This is not possible.", errors=[wrong])
        return answer(placed(connection, [given["record"]], self.now))


class ReopenAccount(Endpoint):
    """A debt that ended here, to be collected again."""

    @operation(
        "allow_reopening",
        "Let the host collect a debt again that ended here",
        scope="accounts:write",
        said=(
            "A push that opens an account which was paid, settled or discharged here is refused "
            "(`reopening_refused`, RF-27), unless a payment of it came back or the record says `ReopenReason`. After "
            "this the next push may. Again changes nothing."
        ),
        form=ReopenForm,
        answers=Reopening,
        once=True,
        problems={409: "`not_ended`: the debt did not end here; a push needs no permission."},
        examples=[example("A dismissed case", {"reason": "The bankruptcy case was dismissed."})],
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = one(Account, account_id)
        given = self.read(ReopenForm)
        try:
            reopen.allow(account_id=account.pk, by=self.by, reason=given["reason"], now=self.now)
        except reopen.NotEnded:
            raise Refuse(409, "not_ended", "This debt did not end here: a push needs no permission.") from None
        return answer({"account": account.pk, "status": account.status, "allowed": True})
