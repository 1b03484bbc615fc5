"""Accounts as a key may see them: what is owed, by status, and everything that is open to them now."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.keys import reference_key
from accounts.models import Account
from accounts.refusals import Refusal
from integrations.api.base import Endpoint, answer, one, page, read_cursor, told
from integrations.api.bodies import Form
from integrations.api.document import example, operation
from integrations.api.terms import Shown, Terms, lines_shown, terms_shown
from payments.services import agree, gate
from payments.services.gate import Standing
from payments.services.owed import owed_of
from settlements.rules import quotes
from settlements.rules.quotes import CHOICES, Wish


def payable(pk: UUID) -> Account:
    """Find an account of the acting agency with what its standing is read from."""
    return one(Account, pk, "consumer", "client", "agency")


def closed(at: Standing, choice: str, now: datetime) -> list[Refusal]:
    """List why a choice is not open now: by the account's status, what runs on it, and the rules."""
    return agree.closed(at, now=now) or list(at.offered.closed.get(choice, ()))


class ClientShown(Shown):
    id = serializers.UUIDField()
    number = serializers.CharField()
    name = serializers.CharField()


class AccountShown(Shown):
    id = serializers.UUIDField()
    reference = serializers.CharField(help_text="The host's own number of it.")
    connection = serializers.UUIDField(allow_null=True, help_text="The host connection it came from.")
    consumer = serializers.UUIDField(help_text="Who owes it; the same for all accounts of one person.")
    client = ClientShown()
    status = serializers.ChoiceField(Account.Status.values)
    host_status = serializers.CharField(help_text="The host's word for it.")
    currency = serializers.CharField()
    balance_cents = serializers.IntegerField(help_text="As the host told it.")
    owed_cents = serializers.IntegerField(help_text="The balance less what was paid here and the host does not show.")
    as_of = serializers.DateTimeField(help_text="How old the host's picture is.")
    listed_on = serializers.DateField(allow_null=True)


class AccountPage(Shown):
    items = AccountShown(many=True)
    next = serializers.CharField(allow_null=True, help_text="The next page's `cursor`; null on the last.")


def account_shown(account: Account, owed_cents: int) -> dict:
    """Show an account without anything that says whose it is."""
    client = account.client
    return {
        "id": account.pk,
        "reference": account.reference,
        "connection": account.connection_id,
        "consumer": account.consumer_id,
        "client": {"id": client.pk, "number": client.number, "name": client.name},
        "status": account.status,
        "host_status": account.host_status,
        "currency": account.currency,
        "balance_cents": account.balance_cents,
        "owed_cents": owed_cents,
        "as_of": account.as_of,
        "listed_on": account.listed_on or account.assigned_on,
    }


class PageQuery(Form):
    """Ask for a page of a list."""

    cursor = serializers.CharField(required=False, max_length=40, help_text="From `next` of the page before.")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=settings.API_PAGE_MOST)

    def validate_cursor(self, text: str) -> UUID:
        try:
            return read_cursor(text)
        except ValueError:
            raise serializers.ValidationError("It is none of ours.", "invalid_cursor") from None


class AccountQuery(PageQuery):
    """Ask for accounts."""

    reference = serializers.CharField(required=False, max_length=60)
    connection = serializers.UUIDField(required=False)


ACCOUNT = {
    "id": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a01",
    "reference": "100234",
    "connection": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a02",
    "consumer": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a04",
    "client": {"id": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a03", "number": "C1", "name": "Harbor Medical"},
    "status": "open",
    "host_status": "ACTIVE",
    "currency": "usd",
    "balance_cents": 100000,
    "owed_cents": 100000,
    "as_of": "2026-12-01T14:00:00Z",
    "listed_on": "2026-09-01",
}


class Accounts(Endpoint):
    """The list."""

    @operation(
        "list_accounts",
        "Find accounts",
        scope="accounts:read",
        said="By the host's number (letters and digits count, capitals do not), by connection, or all, page by page.",
        answers=AccountPage,
        query=[AccountQuery],
        found=False,
        examples=[example("One account", {"items": [ACCOUNT], "next": None}, status=200)],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = self.asked(AccountQuery)
        rows = Account.objects.select_related("client")
        if "reference" in asked:
            rows = rows.filter(reference_key=reference_key(asked["reference"]))
        if "connection" in asked:
            rows = rows.filter(connection_id=asked["connection"])
        limit = asked.get("limit", settings.API_PAGE)
        found = page(rows, after=asked.get("cursor"), limit=limit, show=lambda account: account)
        owed = owed_of(found["items"])
        return answer(found | {"items": [account_shown(each, owed[each.pk].cents) for each in found["items"]]})


class OneAccount(Endpoint):
    """One of them."""

    @operation("get_account", "Read an account", scope="accounts:read", answers=AccountShown)
    def get(self, request: Request, account_id: UUID) -> HttpResponse:
        self.asked()
        account = payable(account_id)
        return answer(account_shown(account, owed_of([account])[account.pk].cents))


class Reason(Shown):
    pointer = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class LineShown(Shown):
    due_on = serializers.DateField()
    amount_cents = serializers.IntegerField()


class Proposal(Shown):
    method = serializers.CharField()
    frequency = serializers.CharField()
    lines = LineShown(many=True)


class Option(Shown):
    choice = serializers.ChoiceField(CHOICES)
    open = serializers.BooleanField()
    reasons = Reason(many=True, help_text="Why it is not open, all of them.")
    amount_cents = serializers.IntegerField(allow_null=True, help_text="What it costs; of `amount` the most.")
    saving_cents = serializers.IntegerField(allow_null=True)
    methods = serializers.ListField(child=serializers.CharField())
    terms = Terms(allow_null=True, help_text="The limits, where the choice has some.")
    proposal = Proposal(allow_null=True, help_text="Payments that would be accepted as they are.")


class Options(Shown):
    account = serializers.UUIDField()
    today = serializers.DateField(help_text="Where the consumer lives: all dates are of there.")
    currency = serializers.CharField()
    owed_cents = serializers.IntegerField()
    as_of = serializers.DateTimeField()
    arrangement = serializers.UUIDField(allow_null=True, help_text="The one that runs now.")
    latest_promise_on = serializers.DateField(allow_null=True)
    options = Option(many=True)


def option_shown(at: Standing, choice: str, now: datetime) -> dict:
    """Show one choice: its reasons while it is closed, its limits and a proposal while it is open."""
    why = closed(at, choice, now)
    limits = at.terms_of(choice) if not why else None
    found = None
    if not why:
        whole = at.owed.single_most_cents if choice == "amount" else None
        found = quotes.answer(at.offered, Wish(choice, amount_cents=whole), currency=at.account.currency)
    allowed = at.allowed_of(choice)
    methods = limits.methods if limits else allowed.single_methods
    return {
        "choice": choice,
        "open": not why,
        "reasons": [told(each) for each in why],
        "amount_cents": limits.amount_cents if limits else (at.owed.single_most_cents if not why else None),
        "saving_cents": limits.saving_cents if limits else (0 if not why else None),
        "methods": [] if why else list(methods),
        "terms": terms_shown(limits) if limits else None,
        "proposal": None
        if found is None or found.refusals
        else {
            "method": next(iter(allowed.methods(len(found.lines)))),
            "frequency": "monthly" if len(found.lines) > 1 else "once",
            "lines": lines_shown(found.lines),
        },
    }


class AccountOptions(Endpoint):
    """Everything that is open to an account."""

    @operation(
        "get_options",
        "See everything that is open to an account now",
        scope="quotes:read",
        said=(
            "In full, a settlement at once or in parts, a plan, one amount, a promise. Each is open with its limits, "
            "the source of every number (`terms.trace`) and payments that would be accepted as they are, or closed "
            "with every reason."
        ),
        answers=Options,
    )
    def get(self, request: Request, account_id: UUID) -> HttpResponse:
        self.asked()
        at = gate.standing(payable(account_id), now=self.now)
        latest = at.today + timedelta(days=at.offered.promise_days)
        return answer(
            {
                "account": at.account.pk,
                "today": at.today,
                "currency": at.account.currency,
                "owed_cents": at.owed.cents,
                "as_of": at.owed.as_of,
                "arrangement": at.arrangement.pk if at.arrangement else None,
                "latest_promise_on": None if closed(at, "promise", self.now) else latest,
                "options": [option_shown(at, choice, self.now) for choice in CHOICES],
            }
        )
