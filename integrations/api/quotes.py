"""Quotes: compute before anything is agreed, look at it, accept exactly that or be told what changed."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.refusals import Refusal
from integrations.api.accounts import LineShown, payable
from integrations.api.base import Endpoint, answer, one, refused
from integrations.api.bodies import Cents, Day, Form, Refuse, Whole, Word
from integrations.api.document import example, operation
from integrations.api.terms import Breach, Origin, Shown, trace_shown
from payments.services import agree
from settlements.models import Quote
from settlements.rules.offers import METHODS, MOST_PAYMENTS
from settlements.rules.quotes import CHOICES, Wish
from settlements.rules.schedules import FREQUENCIES, Line
from settlements.services import quotes

MOST_LINES = 600
"""Ten years of weekly payments and some; more are no dates of one's own."""
IN_PARTS = ("parts", "plan")
BY_AMOUNT = (*IN_PARTS, "amount", "promise")


class WishLine(Form):
    """One payment of one's own."""

    due_on = Day()
    amount_cents = Cents()


class WishForm(Form):
    """What somebody would like; what is left out is worked out."""

    choice = Word(CHOICES, unknown="choice_unknown")
    method = Word(METHODS, unknown="method_unknown", required=False, help_text="Left out: any that is allowed.")
    frequency = Word(FREQUENCIES, unknown="frequency_unknown", required=False, help_text="Of parts and plan.")
    parts = Whole(min_value=1, max_value=MOST_PAYMENTS, required=False, help_text="So many equal payments, or ...")
    amount_cents = Cents(required=False, help_text="payments of this; of `amount` and `promise` the sum, or ...")
    lines = serializers.ListField(
        child=WishLine(), required=False, min_length=1, max_length=MOST_LINES, help_text="exactly these."
    )
    first_on = Day(required=False, help_text="Where the consumer lives; left out: today.")

    def validate(self, given: dict) -> dict:
        """Refuse what contradicts itself rather than choose."""
        choice, wrong = given["choice"], {}

        def no(field: str, code: str, sentence: str) -> None:
            wrong.setdefault(field, [serializers.ErrorDetail(sentence, code)])

        for field, choices in (("parts", IN_PARTS), ("lines", IN_PARTS), ("amount_cents", BY_AMOUNT)):
            if field in given and choice not in choices:
                no(field, "not_for_this_choice", f"A quote of {choice} has no {field}.")
        if given.get("frequency", "once") != "once" and choice not in IN_PARTS:
            no("frequency", "not_for_this_choice", f"A quote of {choice} is one payment.")
        if choice == "amount" and "amount_cents" not in given:
            no("amount_cents", "required", "Say how much.")
        ways = [field for field in ("parts", "amount_cents", "lines") if field in given]
        for field in ways[1:]:
            no(field, "only_one_of", f"Send {ways[0]} or {field}, not both.")
        if "lines" in given and "first_on" in given:
            no("first_on", "only_one_of", "The first line says when the first payment is.")
        if given.get("frequency") == "custom" and "lines" not in given:
            no("lines", "required", "Dates of one's own are sent as lines.")
        if "lines" in given and given.get("frequency", "custom") != "custom":
            no("frequency", "not_for_this_choice", "Lines are of the frequency custom.")
        if wrong:
            raise serializers.ValidationError(wrong)
        return given


class QuoteShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    status = serializers.ChoiceField([quotes.OPEN, quotes.ACCEPTED, quotes.EXPIRED])
    choice = serializers.ChoiceField(CHOICES)
    method = serializers.CharField(help_text="card, ach; empty: none linked.")
    frequency = serializers.ChoiceField(FREQUENCIES)
    lines = LineShown(many=True)
    total_cents = serializers.IntegerField()
    saving_cents = serializers.IntegerField()
    last_on = serializers.DateField()
    currency = serializers.CharField()
    level = serializers.CharField(help_text="Which level's rules it comes from.")
    version = serializers.CharField(allow_null=True)
    text = serializers.CharField()
    breach = Breach(allow_null=True, help_text="What a broken arrangement means; show it before it is accepted.")
    trace = Origin(many=True, help_text="Where every number comes from.")
    made_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    arrangement = serializers.UUIDField(allow_null=True, help_text="What accepting made.")


def quote_shown(quote: Quote, status: str) -> dict:
    """Show a quote as it was frozen."""
    terms, lines = quote.terms, quotes.lines_of(quote)
    version = terms.get("version")
    return {
        "id": quote.pk,
        "account": quote.account_id,
        "status": status,
        "choice": quote.choice,
        "method": quote.method,
        "frequency": quote.frequency,
        "lines": [{"due_on": line.due_on, "amount_cents": line.amount_cents} for line in lines],
        "total_cents": quote.total_cents,
        "saving_cents": terms["saving_cents"],
        "last_on": lines[-1].due_on,
        "currency": quote.account.currency,
        "level": terms["level"],
        "version": None if version is None else str(version),
        "text": terms["text"],
        "breach": terms.get("breach"),
        "trace": trace_shown(terms["trace"]),
        "made_at": quote.made_at,
        "expires_at": quote.expires_at,
        "accepted_at": quote.accepted_at,
        "arrangement": quote.result_id,
    }


WISH = {"choice": "parts", "method": "card", "frequency": "monthly", "parts": 3, "first_on": "2026-12-04"}
QUOTE = {
    "id": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a11",
    "account": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a01",
    "status": "open",
    "choice": "parts",
    "method": "card",
    "frequency": "monthly",
    "lines": [
        {"due_on": "2026-12-04", "amount_cents": 25000},
        {"due_on": "2027-01-04", "amount_cents": 25000},
        {"due_on": "2027-02-04", "amount_cents": 25000},
    ],
    "total_cents": 75000,
    "saving_cents": 25000,
    "last_on": "2027-02-04",
    "currency": "usd",
    "level": "global",
    "version": "1",
    "text": "",
    "breach": {"reinstates": "balance", "cure_days": 10, "grace_days": 0, "failures": None},
    "trace": [{"number": "amount_cents", "level": "global", "version": "1", "field": "percent_bps", "value": 7500}],
    "made_at": "2026-12-01T15:00:00Z",
    "expires_at": "2026-12-02T15:00:00Z",
    "accepted_at": None,
    "arrangement": None,
}


class AccountQuotes(Endpoint):
    """Quotes of an account."""

    @operation(
        "make_quote",
        "Work out a wish and freeze it",
        scope="quotes:write",
        said=(
            "Nothing is agreed by it. Send `parts`, `amount_cents` or `lines`, or none of them for the most payments "
            "that fit. Everything that is against the wish comes back at once."
        ),
        form=WishForm,
        answers=QuoteShown,
        status=201,
        once=True,
        problems={
            409: (
                "`sol_notice_required`: the notice about the age of the debt was not acknowledged today (SOL-02). "
                "`not_licensed`: the agency has no licence where the consumer lives (ST-09)."
            ),
            422: "`refused`: every reason with its own code, for example `too_many_payments`, `no_settlement`.",
        },
        examples=[example("Three payments", WISH), example("What would be agreed", QUOTE, status=201)],
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        wish = self.read(WishForm)
        made = agree.quote(account=account, wish=as_wish(wish), by=self.by, now=self.now)
        if not isinstance(made, Quote):
            if any(one.code in CONFLICTS for one in made):
                raise conflict(made)
            raise refused(made)
        return answer(quote_shown(made, quotes.OPEN), status=201, headers={"Location": f"/api/v1/quotes/{made.pk}"})


def as_wish(given: dict) -> Wish:
    """Read a form as the rules take it."""
    return Wish(
        choice=given["choice"],
        method=given.get("method", ""),
        frequency=given.get("frequency", "custom" if "lines" in given else "monthly"),
        parts=given.get("parts"),
        amount_cents=given.get("amount_cents"),
        first_on=given.get("first_on"),
        lines=tuple(Line(line["due_on"], line["amount_cents"]) for line in given.get("lines", ())),
    )


class OneQuote(Endpoint):
    """One quote."""

    @operation("get_quote", "Read a quote", scope="quotes:read", answers=QuoteShown)
    def get(self, request: Request, quote_id: UUID) -> HttpResponse:
        self.asked()
        quote = one(Quote, quote_id, "account")
        return answer(quote_shown(quote, quotes.state(quote, now=self.now)))


class AcceptForm(Form):
    """Who agreed, how."""

    language = Word(("en", "es"), unknown="language_unknown", required=False)
    ip = serializers.IPAddressField(required=False, help_text="Where the consumer agreed from.")


class Accepted(Shown):
    quote = QuoteShown()
    arrangement = serializers.UUIDField()


CONFLICTS = {
    "quote_expired": "These figures have expired. Ask for new ones.",
    "not_licensed": "The agency has no licence where the consumer lives: nothing is agreed there (ST-09).",
    "sol_notice_required": "The consumer must read and acknowledge the notice about the age of this debt first.",
    "quote_changed": "Something has changed since these figures were worked out. Ask for new ones.",
}


class AcceptQuote(Endpoint):
    """The consumer's yes."""

    @operation(
        "accept_quote",
        "Accept a quote exactly as it is",
        scope="quotes:write",
        said=(
            "The consumer said yes to these payments. No payment method is linked by it: they are reminded, not "
            "charged. Accepting again answers the same arrangement."
        ),
        form=AcceptForm,
        answers=Accepted,
        once=True,
        problems={409: "`quote_expired`; `quote_changed`: `errors` says what; `arrangement_active`; other codes."},
        examples=[
            example("Accepted", {"quote": QUOTE | {"status": "accepted"}, "arrangement": QUOTE["id"]}, status=200)
        ],
    )
    def post(self, request: Request, quote_id: UUID) -> HttpResponse:
        quote = one(Quote, quote_id, "account")
        given = self.read(AcceptForm)
        try:
            made = agree.accept(
                quote=quote,
                by=self.by,
                now=self.now,
                ip=given.get("ip"),
                language=given.get("language", "en"),
            )
        except agree.Refused as error:
            raise conflict(list(error.refusals)) from error
        quote.refresh_from_db()
        return answer({"quote": quote_shown(quote, quotes.ACCEPTED), "arrangement": made.pk})


def conflict(found: list[Refusal]) -> Refuse:
    """Answer 409 with the first code of its own and all reasons."""
    code = next((each.code for each in found if each.code in CONFLICTS), found[0].code)
    return refused(found, status=409, code=code, said=CONFLICTS.get(code, found[0].sentence))
