"""The hosts' own API: push accounts."""

from uuid import UUID

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotFound, ParseError, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import acting_for
from integrations.api.base import OneKind
from integrations.api.bodies import LENGTH_REQUIRED, Refuse, read_body
from integrations.models import HostConnection
from integrations.services import receive


class AddressNotAllowed(PermissionDenied):
    default_code = "address_not_allowed"
    default_detail = "Your key is right, but this address is not on the connection's list."


class Caller:
    """A host that showed its connection's key."""

    is_authenticated = True

    def __init__(self, connection: HostConnection) -> None:
        self.connection = connection


class InboundKey(BaseAuthentication):
    """Read `Authorization: Bearer <key>` for the connection that the address names."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        scheme, _space, key = get_authorization_header(request).decode("latin-1").partition(" ")
        connection_id: UUID = request.parser_context["kwargs"]["connection_id"]
        try:
            connection = receive.authenticate(
                connection_id=connection_id,
                key=key.strip() if scheme.lower() == "bearer" else "",
                ip=request._request.ip,
            )
        except receive.UnknownConnection:
            raise NotFound("There is no such connection.") from None
        except receive.WrongKey:
            raise AuthenticationFailed("This is not the connection's key.", code="invalid_credentials") from None
        except receive.WrongAddress:
            raise AddressNotAllowed from None
        return Caller(connection), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class InboundKeyScheme(OpenApiAuthenticationExtension):
    """Describe the key in the API's document."""

    target_class = InboundKey
    name = "inboundKey"

    def get_security_definition(self, auto_schema) -> dict:
        return {"type": "http", "scheme": "bearer", "description": "The connection's inbound key, shown once."}


class PushError(serializers.Serializer):
    index = serializers.IntegerField(help_text="Position in the list that was sent.")
    FileNumber = serializers.CharField(allow_null=True)
    pointer = serializers.CharField(help_text="JSON pointer into the record.")
    code = serializers.CharField(help_text="Stable; the message may change.")
    message = serializers.CharField()


class PushAnswer(serializers.Serializer):
    received = serializers.IntegerField()
    accepted = serializers.IntegerField()
    unchanged = serializers.IntegerField(help_text="The same version with the same body.")
    stale = serializers.IntegerField(help_text="Older than what the portal has: ignored.")
    refused = serializers.IntegerField()
    errors = PushError(many=True, help_text="The first fifty of a record and the first thousand of a push.")
    unlisted_errors = serializers.IntegerField(help_text="Errors of the push that are not listed.")


class Problem(serializers.Serializer):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()


RECORD = {
    "FileNumber": "100234",
    "Status": "ACTIVE",
    "ClientNumber": "C-010",
    "ClientName": "Northwind Family Dental",
    "ConsumerID": "A-0001",
    "FirstName": "Ada",
    "LastName": "Examplova",
    "Address": {"Street1": "18 Placeholder Lane", "City": "Albany", "State": "NY", "Zip": "12207"},
    "SSN": "900-99-0001",
    "DOB": "1961-02-03",
    "CurrentBalance": "1000.00",
    "AssignedBalance": "1000.00",
    "AssignedDate": "2026-09-01",
    "Phones": [{"Type": "Cell Phone", "Status": "Good Number", "Number": "+12125550101", "Route": "RF-16"}],
    "Emails": [{"Address": "ada@example.com", "Route": "RF-13", "Evidence": {"Source": "agency call"}}],
    "Settlement": {"Percent": 60, "MaxPayments": 3, "MaxDays": 90},
    "OriginalCreditor": "Northwind Family Dental",
    "AccountDescription": "Account ending 0234",
    "ContractDate": "2024-12-20",
    "AsOf": "2026-12-01T14:00:00Z",
    "Version": 7,
    "Payments": [],
    "PostDates": [],
}
ANSWER = {"received": 3, "accepted": 1, "unchanged": 0, "stale": 1, "refused": 1}
ANSWER |= {"errors": [{"index": 2, "FileNumber": "A-3", "pointer": "/CurrentBalance", "code": "invalid_amount"}]}
ANSWER["unlisted_errors"] = 0
ANSWER["errors"][0]["message"] = "An amount has digits, and at most two of them after a point."
FEWER = "Send fewer accounts at once."
REFUSALS = {
    400: "`malformed_json`: not JSON, or not accounts.",
    401: "`invalid_credentials`: not the connection's key.",
    403: "`address_not_allowed`: the key is right, the address is not.",
    404: "`not_found`: no such connection.",
    411: LENGTH_REQUIRED,
    413: "`too_large`: more than 20 MB, unpacked, or more accounts or objects than one request takes.",
}


class PushAccounts(APIView):
    """Take account records of one host."""

    authentication_classes = [InboundKey]
    permission_classes = [IsAuthenticated]
    content_negotiation_class = OneKind

    @extend_schema(
        operation_id="push_accounts",
        summary="Push one account or a list of them",
        description=(
            "A push is the whole record: what is absent is removed. Good records land beside refused ones. The same "
            "push again changes nothing; an older `AsOf` or `Version` is ignored and counted; the same version with "
            "another body is refused (`conflicting_version`), and so is a debt that was paid, settled or discharged "
            "here and is sent as open without `ReopenReason` (`reopening_refused`), and an `AsOf` more than a day "
            "ahead (`as_of_in_future`). An unusable `Settlement` is listed as an error, offers nothing, and does not "
            "hold the rest of its record back. A payment that a bank sent back may say its `ReturnCode` (`R01`), which "
            "decides about plan and bank account. `Content-Encoding: gzip` is welcome."
        ),
        request={"application/json": {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}},
        responses={
            200: PushAnswer,
            **{
                (code, "application/problem+json"): OpenApiResponse(response=Problem, description=text)
                for code, text in REFUSALS.items()
            },
        },
        examples=[
            OpenApiExample("One account", value=RECORD, request_only=True),
            OpenApiExample("A list", value=[RECORD], request_only=True),
            OpenApiExample("Some landed", value=ANSWER, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        connection = request.user.connection
        http_request = request._request
        with acting_for(connection.agency_id):
            try:
                answer = receive.receive(
                    connection=connection,
                    body=read_body(http_request, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, advice=FEWER),
                    now=http_request.now,
                    request_id=http_request.id,
                )
            except receive.Unreadable as error:
                raise ParseError(str(error)) from error
            except receive.TooMany as error:
                raise Refuse(413, "too_large", str(error)) from error
        return Response(answer)
