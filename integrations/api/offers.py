"""Individual offers for one account, and the agency's default offer for everybody else."""

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Account
from integrations.api.accounts import PageQuery, payable
from integrations.api.base import Endpoint, answer, one, page, refused
from integrations.api.bodies import Cents, Day, Flag, Form, Refuse, Text, Whole, Word
from integrations.api.document import example, operation
from integrations.api.terms import Shown
from settlements.models import GlobalOffer, IndividualOffer
from settlements.rules.offers import METHODS, MOST_DAYS, MOST_PAYMENTS
from settlements.services import individual
from settlements.services import offers as service

_WHOLE_BPS = 100_00
_COLUMN = 32_767
"""What the columns of counts hold."""


class OfferForm(Form):
    """What is offered to one account."""

    amount_cents = Cents(required=False, help_text="The settlement, or ...")
    percent_bps = Whole(min_value=1, max_value=_WHOLE_BPS, required=False, help_text="its share: 7500 is 75 %.")
    max_payments = Whole(min_value=1, max_value=MOST_PAYMENTS, required=False, help_text="Left out: one.")
    max_days = Whole(min_value=0, max_value=min(MOST_DAYS, _COLUMN), required=False)
    max_on = Day(required=False, help_text="The last day of the last payment; left out with max_days: at once.")
    methods = serializers.ListField(child=Word(METHODS, unknown="method_unknown"), required=False, max_length=2)
    text = Text(required=False, max_length=500, allow_blank=True, help_text="Shown to the consumer.")
    expires_on = Day(required=False, help_text="The last day to accept it, where the consumer lives.")
    exceed = Flag(required=False, help_text="Beyond the rules; needs the scope offers:exceed.")
    reason = Text(required=False, max_length=300, help_text="Why; needed to exceed the rules.")

    def validate(self, given: dict) -> dict:
        if ("amount_cents" in given) == ("percent_bps" in given):
            code, said = ("only_one_of", "Send one of them.") if "amount_cents" in given else ("required", "Say it.")
            raise serializers.ValidationError({"amount_cents": [serializers.ErrorDetail(said, code)]})
        return given


class OfferShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    origin = serializers.ChoiceField(IndividualOffer.Origin.values)
    status = serializers.ChoiceField(IndividualOffer.Status.values)
    amount_cents = serializers.IntegerField(allow_null=True)
    percent_bps = serializers.IntegerField(allow_null=True)
    max_payments = serializers.IntegerField()
    max_days = serializers.IntegerField(allow_null=True)
    max_on = serializers.DateField(allow_null=True)
    methods = serializers.ListField(child=serializers.CharField())
    text = serializers.CharField()
    expires_on = serializers.DateField(allow_null=True)
    exceeds = serializers.BooleanField()
    reason = serializers.CharField()
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()
    viewed_at = serializers.DateTimeField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)


class OfferPage(Shown):
    items = OfferShown(many=True)
    next = serializers.CharField(allow_null=True)


def offer_shown(offer: IndividualOffer) -> dict:
    """Show an individual offer."""
    names = OfferShown().fields.keys() - {"id", "account"}
    return {"id": offer.pk, "account": offer.account_id} | {
        name: getattr(offer, name) for name in OfferShown().fields if name in names
    }


OFFER = {"percent_bps": 6000, "max_payments": 3, "max_days": 90, "methods": ["card"], "reason": "Agreed by telephone."}


class AccountOffers(Endpoint):
    """Offers made to one account."""

    @operation(
        "list_offers",
        "List the individual offers of an account",
        scope="offers:read",
        answers=OfferPage,
        query=[PageQuery],
    )
    def get(self, request: Request, account_id: UUID) -> HttpResponse:
        asked = self.asked(PageQuery)
        account = one(Account, account_id)
        limit = asked.get("limit", settings.API_PAGE)
        rows = IndividualOffer.objects.filter(account=account)
        return answer(page(rows, after=asked.get("cursor"), limit=limit, show=offer_shown))

    @operation(
        "make_offer",
        "Make an individual offer",
        scope="offers:write",
        said=(
            "It replaces the account's settlement terms as a whole. It is held against the rules of the account's "
            "band, unless `exceed` is said by a key with the scope `offers:exceed`."
        ),
        form=OfferForm,
        answers=OfferShown,
        status=201,
        once=True,
        problems={422: "`refused`: every reason with its own code."},
        examples=[example("Sixty percent in three payments", OFFER)],
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        given = self.read(OfferForm)
        if given.get("exceed"):
            self.need("offers:exceed")
        made = individual.make(
            account=account,
            origin=IndividualOffer.Origin.STAFF,
            amount_cents=given.get("amount_cents"),
            percent_bps=given.get("percent_bps"),
            max_payments=given.get("max_payments", 1),
            max_days=given.get("max_days"),
            max_on=given.get("max_on"),
            methods=given.get("methods", []),
            text=given.get("text", ""),
            expires_on=given.get("expires_on"),
            exceed=given.get("exceed", False),
            reason=given.get("reason", ""),
            by=self.by,
            now=self.now,
        )
        if not isinstance(made, IndividualOffer):
            raise refused(made)
        return answer(offer_shown(made), status=201)


class WithdrawForm(Form):
    """Why."""

    reason = Text(max_length=300)


class WithdrawOffer(Endpoint):
    """Take an offer back."""

    @operation(
        "withdraw_offer",
        "Withdraw an individual offer",
        scope="offers:write",
        form=WithdrawForm,
        answers=OfferShown,
        once=True,
        problems={409: "`offer_not_open`: it was decided already."},
        examples=[example("A reason", {"reason": "Made by mistake."})],
    )
    def post(self, request: Request, offer_id: UUID) -> HttpResponse:
        offer = one(IndividualOffer, offer_id, "account")
        given = self.read(WithdrawForm)
        found = individual.withdraw(offer=offer, reason=given["reason"], by=self.by, now=self.now)
        if found and not any(each.field for each in found):
            raise refused(found, status=409, code=found[0].code, said=found[0].sentence)
        if found:
            raise refused(found)
        offer.refresh_from_db()
        return answer(offer_shown(offer))


class DefaultOfferForm(Form):
    """The offer for everybody about whom nobody says anything else."""

    enabled = Flag()
    percent_bps = Whole(min_value=1_00, max_value=_WHOLE_BPS, help_text="7500 is 75 %.")
    max_payments = Whole(min_value=1, max_value=MOST_PAYMENTS)
    max_days = Whole(min_value=0, max_value=_COLUMN)
    minimum_payment_cents = Cents(min_value=0)


class DefaultOfferShown(DefaultOfferForm):
    version = serializers.IntegerField()
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()


DEFAULT = {
    "enabled": True,
    "percent_bps": 7500,
    "max_payments": 6,
    "max_days": 180,
    "minimum_payment_cents": 2500,
}
DEFAULT_SHOWN = DEFAULT | {"version": 2, "made_at": "2026-12-01T15:00:00Z", "made_by": "staff:1"}


def default_shown(offer: GlobalOffer) -> dict:
    """Show a version of the default offer."""
    return {name: getattr(offer, name) for name in DefaultOfferShown().fields}


class DefaultOffer(Endpoint):
    """The agency's default offer."""

    @operation(
        "get_default_offer",
        "Read the default offer",
        scope="offers:read",
        answers=DefaultOfferShown,
        examples=[example("Three quarters", DEFAULT_SHOWN, status=200)],
    )
    def get(self, request: Request) -> HttpResponse:
        self.asked()
        found = GlobalOffer.objects.filter(superseded_at=None).first()
        if found is None:
            raise Refuse(404, "not_found", "No default offer was ever made.")
        return answer(default_shown(found))

    @operation(
        "put_default_offer",
        "Replace the default offer",
        scope="offers:write",
        said="Makes a new version; the one before is kept. The same again makes none.",
        form=DefaultOfferForm,
        answers=DefaultOfferShown,
        found=False,
        examples=[example("Three quarters", DEFAULT), example("Its version", DEFAULT_SHOWN, status=200)],
    )
    def put(self, request: Request) -> HttpResponse:
        given = self.read(DefaultOfferForm)
        found = GlobalOffer.objects.filter(superseded_at=None).first()
        if found is None or any(getattr(found, name) != value for name, value in given.items()):
            found = service.set_default(values=given, by=self.by, now=self.now)
        return answer(default_shown(found))
