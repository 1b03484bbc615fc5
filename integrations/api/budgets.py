"""Budgets: filled in, submitted and decided, and their papers; answers are told to keys that may read them (UK-13)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Account
from integrations.api.accounts import PageQuery, payable
from integrations.api.base import Endpoint, answer, file, made, one
from integrations.api.bodies import Cents, Form, Refuse, Text, Word
from integrations.api.document import operation
from integrations.api.money import PDF, PaperQuery, WhyForm
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from settlements.models import Affordability
from settlements.services import affordability, budget_forms, budget_papers

ANSWERS = "answers:read"
TOLD = f"Null in lists, and to a key without `{ANSWERS}` (UK-13)."


class BudgetShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    consumer = serializers.UUIDField()
    form = serializers.UUIDField()
    status = serializers.ChoiceField(Affordability.Status.values)
    outcome = serializers.CharField(help_text="plan, referral, hardship; empty: not submitted.")
    answers = serializers.DictField(allow_null=True, help_text=f"By the code of the question. {TOLD}")
    income_cents = serializers.IntegerField(allow_null=True, help_text="Of a month, as are the others.")
    outgoings_cents = serializers.IntegerField(allow_null=True)
    surplus_cents = serializers.IntegerField(allow_null=True)
    share_cents = serializers.IntegerField(allow_null=True, help_text="This account's share of what is left.")
    monthly_cents = serializers.IntegerField(allow_null=True, help_text="What is proposed or agreed.")
    submitted_at = serializers.DateTimeField(allow_null=True)
    expires_on = serializers.DateField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField()
    reason = serializers.CharField()
    offer = serializers.UUIDField(allow_null=True)


class BudgetQuery(PageQuery):
    """Ask for budgets."""

    account = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(Affordability.Status.values, required=False)


class AnswersForm(Form):
    """The answers of one section, replacing what it said before."""

    section = Text(max_length=40, help_text="Its code in the form.")
    answers = serializers.DictField(
        child=serializers.DictField(), help_text="question -> {amount_cents, frequency} and so on; see the form."
    )
    language = Word(("en", "es"), unknown="language_unknown", required=False)


class AgreeForm(Form):
    """How much."""

    monthly_cents = Cents(required=False, help_text="Left out: what is proposed.")
    reason = Text(required=False, max_length=300)


def untold(row: Affordability) -> dict:
    """Show a budget by its sums alone."""
    return BudgetShown.of(row, answers=None)


def shown(asker: Endpoint, row: Affordability) -> dict:
    """Show a budget; its answers, to a key that may read them."""
    if not asker.may(ANSWERS):
        return untold(row)
    said = {code: each for code, each in affordability.answers_of(row).items() if code != affordability.SEEN}
    return BudgetShown.of(row, answers=said)


def as_answers(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Read answers as the service takes them."""
    return {str(code): dict(value) for code, value in given.items()}


def budget_of(pk: UUID) -> Affordability:
    """Find a budget of the acting agency."""
    return one(Affordability, pk, "account__consumer", "form")


def submitted(row: Affordability) -> Affordability:
    """Go on with a submitted budget only.

    :raises Refuse: 409.
    """
    if row.submitted_at is None or row.status not in Affordability.STANDING:
        raise Refuse(409, "budget_not_submitted", "This budget was not submitted, or a later one replaced it.")
    return row


class Budgets(Endpoint):
    """The list."""

    @operation(
        "list_budgets",
        "List budgets",
        scope="budgets:read",
        answers=page_of(BudgetShown),
        query=[BudgetQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(BudgetQuery, Affordability.objects.all(), untold)


class OneBudget(Endpoint):
    """One of them."""

    @operation("get_budget", "Read a budget", scope="budgets:read", answers=BudgetShown)
    def get(self, request: Request, budget_id: UUID) -> HttpResponse:
        self.asked()
        return answer(shown(self, budget_of(budget_id)))


class AccountBudget(Endpoint):
    """The one that is being filled in."""

    @operation(
        "save_budget",
        "Keep the answers of one section of an account's budget",
        scope="budgets:write",
        said="The first one begins it. Save and resume: the consumer finds it on their page.",
        form=AnswersForm,
        answers=BudgetShown,
        once=True,
        problems={422: "`refused`: `section_unknown`."},
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = payable(account_id)
        given = self.read(AnswersForm)
        draft = affordability.draft_of(account, now=self.now)
        _row, form = budget_forms.form_for(client_id=account.client_id)
        if draft is not None:
            form = budget_forms.read(draft.form)
        if form.section(given["section"]) is None:
            wrong = {"pointer": "/section", "code": "section_unknown", "message": "The form has no such section."}
            raise Refuse(422, "refused", "This is not possible.", errors=[wrong])
        row = affordability.save(
            account=account,
            section=given["section"],
            answers=as_answers(given["answers"]),
            language=given.get("language", "en"),
            now=self.now,
        )
        return answer(shown(self, row))

    @operation(
        "discard_budget",
        "Throw away the budget that is being filled in",
        scope="budgets:write",
        answers={204: None},
    )
    def delete(self, request: Request, account_id: UUID) -> HttpResponse:
        self.asked()
        affordability.discard(account=one(Account, account_id))
        return HttpResponse(status=204)


class SubmitBudget(Endpoint):
    """Done."""

    @operation(
        "submit_budget",
        "Submit a budget",
        scope="budgets:write",
        said="Works out what is left and what follows: a plan, a person decides, or a pause.",
        form=Nothing,
        answers=BudgetShown,
        once=True,
        problems={409: "`budget_closed`.", 422: "`refused`: every answer that is missing or wrong."},
    )
    def post(self, request: Request, budget_id: UUID) -> HttpResponse:
        row = budget_of(budget_id)
        self.read(Nothing)
        made(affordability.submit(budget=row, now=self.now))
        return answer(shown(self, row))


class AcceptBudget(Endpoint):
    """Yes."""

    @operation(
        "accept_budget",
        "Agree to payments of a budget's share",
        scope="budgets:write",
        said="Below the smallest payment of the rules too: the account gets an offer of its own.",
        form=AgreeForm,
        answers=BudgetShown,
        once=True,
        problems={
            409: "`already_decided`, `nothing_left_over`, `arrangement_active`.",
            422: "`refused`: `monthly_too_small`, `monthly_above_share`.",
        },
    )
    def post(self, request: Request, budget_id: UUID) -> HttpResponse:
        row = budget_of(budget_id)
        given = self.read(AgreeForm)
        made(affordability.accept(budget=row, by=self.by, now=self.now, **given))
        return answer(shown(self, row))


class DeclineBudget(Endpoint):
    """No."""

    @operation(
        "decline_budget",
        "Say no to a budget",
        scope="budgets:write",
        form=WhyForm,
        answers=BudgetShown,
        once=True,
        problems={409: "`already_decided`."},
    )
    def post(self, request: Request, budget_id: UUID) -> HttpResponse:
        row = budget_of(budget_id)
        given = self.read(WhyForm)
        made(affordability.decline(budget=row, by=self.by, reason=given["reason"], now=self.now))
        return answer(shown(self, row))


class ExportBudget(Endpoint):
    """For other creditors."""

    @operation(
        "export_budget",
        "Export a submitted budget in the open layout",
        scope=ANSWERS,
        answers=OpenApiTypes.OBJECT,
        problems={409: "`budget_not_submitted`."},
    )
    def get(self, request: Request, budget_id: UUID) -> HttpResponse:
        self.asked()
        return answer(budget_papers.export(budget=submitted(budget_of(budget_id))))


class BudgetPaper(Endpoint):
    """As PDF."""

    @operation(
        "get_budget_paper",
        "Get a submitted budget as PDF",
        scope=ANSWERS,
        answers={(200, PDF): OpenApiTypes.BINARY},
        query=[PaperQuery],
        problems={409: "`budget_not_submitted`."},
    )
    def get(self, request: Request, budget_id: UUID) -> HttpResponse:
        asked = self.asked(PaperQuery)
        row = submitted(budget_of(budget_id))
        paper = budget_papers.pdf(budget=row, language=asked.get("language", "en"))
        return file(paper, kind=PDF, name=f"budget-{row.pk.hex[-8:]}.pdf")
