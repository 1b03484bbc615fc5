"""How consumers pay and by what authority: methods masked, never a number; authorizations with their exact text."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Consumer
from integrations.api.accounts import LineShown, PageQuery
from integrations.api.base import Endpoint, answer, file, one
from integrations.api.document import operation
from integrations.api.money import PDF
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from payments.models import Authorization, Method
from payments.services import papers, wallet


class MethodShown(Shown):
    id = serializers.UUIDField()
    consumer = serializers.UUIDField()
    kind = serializers.ChoiceField(Method.Kind.values)
    label = serializers.CharField(help_text="Visa debit ending 4242; never a number.")
    brand = serializers.CharField()
    funding = serializers.CharField()
    last4 = serializers.CharField()
    exp_month = serializers.IntegerField(allow_null=True)
    exp_year = serializers.IntegerField(allow_null=True)
    account_type = serializers.CharField()
    stored = serializers.BooleanField(help_text="May be used again, CARD-03.")
    is_default = serializers.BooleanField()
    blocked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    removed_at = serializers.DateTimeField(allow_null=True)


class AuthorizationShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    consumer = serializers.UUIDField()
    method = serializers.UUIDField()
    kind = serializers.CharField(help_text="single, schedule.")
    text = serializers.CharField(help_text="What was signed.")
    text_sha256 = serializers.CharField()
    version = serializers.CharField()
    language = serializers.CharField()
    total_cents = serializers.IntegerField()
    signed = LineShown(many=True)
    sec_code = serializers.CharField(help_text="Of bank debits, ACH-01.")
    accepted_at = serializers.DateTimeField()
    time_zone = serializers.CharField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_by = serializers.CharField()


class AuthorizationQuery(PageQuery):
    """Ask for authorizations."""

    account = serializers.UUIDField(required=False)
    consumer = serializers.UUIDField(required=False)
    method = serializers.UUIDField(required=False)


class RevokedShown(Shown):
    authorization = AuthorizationShown()
    cancelled = serializers.IntegerField(help_text="Post-dates that were cancelled with it, or asked back.")


def authorization_shown(row: Authorization) -> dict:
    """Show what was signed."""
    signed = [{"due_on": day, "amount_cents": cents} for day, cents in row.lines]
    return AuthorizationShown.of(row, signed=signed)


class Methods(Endpoint):
    """A consumer's wallet."""

    @operation(
        "list_methods",
        "List a consumer's kept ways to pay",
        scope="methods:read",
        said="Masked; the portal never has a card number, and of a bank account this API never shows one.",
        answers=page_of(MethodShown),
        query=[PageQuery],
    )
    def get(self, request: Request, consumer_id: UUID) -> HttpResponse:
        row = one(Consumer, consumer_id)
        kept = wallet.methods_of(row.pk).values("pk")
        return self.listed(PageQuery, Method.objects.filter(pk__in=kept), MethodShown.of)


class OneMethod(Endpoint):
    """One of them."""

    @operation("get_method", "Read a way to pay", scope="methods:read", answers=MethodShown)
    def get(self, request: Request, method_id: UUID) -> HttpResponse:
        self.asked()
        return answer(MethodShown.of(one(Method, method_id)))

    @operation(
        "remove_method",
        "Remove a way to pay",
        scope="methods:write",
        said="Ends the authorizations that use it and cancels what they would take. Again changes nothing.",
        answers=MethodShown,
    )
    def delete(self, request: Request, method_id: UUID) -> HttpResponse:
        self.asked()
        row = one(Method, method_id)
        return answer(MethodShown.of(wallet.remove(method=row, by=self.by, now=self.now)))


class DefaultMethod(Endpoint):
    """This one first."""

    @operation(
        "make_method_default",
        "Propose a way to pay first",
        scope="methods:write",
        said="One that is not kept stays as it is.",
        form=Nothing,
        answers=MethodShown,
        once=True,
    )
    def post(self, request: Request, method_id: UUID) -> HttpResponse:
        row = one(Method, method_id)
        self.read(Nothing)
        wallet.make_default(method=row, now=self.now)
        row.refresh_from_db()
        return answer(MethodShown.of(row))


class Authorizations(Endpoint):
    """The list."""

    @operation(
        "list_authorizations",
        "List authorizations",
        scope="methods:read",
        answers=page_of(AuthorizationShown),
        query=[AuthorizationQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(AuthorizationQuery, Authorization.objects.all(), authorization_shown)


class OneAuthorization(Endpoint):
    """One of them."""

    @operation("get_authorization", "Read an authorization", scope="methods:read", answers=AuthorizationShown)
    def get(self, request: Request, authorization_id: UUID) -> HttpResponse:
        self.asked()
        return answer(authorization_shown(one(Authorization, authorization_id)))


class AuthorizationCopy(Endpoint):
    """Its paper."""

    @operation(
        "get_authorization_copy",
        "Get the consumer's copy of an authorization",
        scope="methods:read",
        said="In the language it was signed in (EFT-02).",
        answers={(200, PDF): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, authorization_id: UUID) -> HttpResponse:
        self.asked()
        row = one(Authorization, authorization_id, "account__agency", "consumer", "method")
        return file(papers.authorization_copy(row), kind=PDF, name=f"authorization-{row.accepted_at:%Y-%m-%d}.pdf")


class RevokeAuthorization(Endpoint):
    """No more."""

    @operation(
        "revoke_authorization",
        "Revoke an authorization for the consumer",
        scope="methods:write",
        said="Cancels all that it would still let somebody take (PDC-07). Again changes nothing.",
        form=Nothing,
        answers=RevokedShown,
        once=True,
    )
    def post(self, request: Request, authorization_id: UUID) -> HttpResponse:
        row = one(Authorization, authorization_id)
        self.read(Nothing)
        count = wallet.revoke(authorization=row, by=self.by, now=self.now)
        row.refresh_from_db()
        return answer({"authorization": authorization_shown(row), "cancelled": count})
