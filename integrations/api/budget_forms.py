"""The forms of budgets: the questions, drafted and published."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Client
from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, one, refused, refusing
from integrations.api.bodies import Form, Id, Text
from integrations.api.document import operation
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from settlements.models import AffordabilityForm
from settlements.services import budget_forms


class FormShown(Shown):
    id = serializers.UUIDField()
    client = serializers.UUIDField(allow_null=True, help_text="Null: the agency's.")
    version = serializers.IntegerField()
    status = serializers.ChoiceField(AffordabilityForm.Status.values)
    definition = serializers.JSONField(help_text="docs/affordability.md")
    note = serializers.CharField()
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()
    published_at = serializers.DateTimeField(allow_null=True)


class FormQuery(PageQuery):
    """Ask for budget forms."""

    client = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(AffordabilityForm.Status.values, required=False)


class BudgetDraftForm(Form):
    """Whose."""

    client = Id(required=False, help_text="Left out: the agency's.")
    copy_of = Id(required=False, help_text="A version to begin from; left out: what is in force.")


class DefinitionForm(Form):
    """What it asks."""

    definition = serializers.JSONField()
    note = Text(required=False, max_length=300, allow_blank=True)


class BudgetForms(Endpoint):
    """The list."""

    @operation(
        "list_budget_forms",
        "List budget forms",
        scope="rules:read",
        answers=page_of(FormShown),
        query=[FormQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(FormQuery, AffordabilityForm.objects.all(), FormShown.of)

    @operation(
        "draft_budget_form",
        "Begin a draft of a budget form, or give the open one",
        scope="rules:write",
        form=BudgetDraftForm,
        answers=FormShown,
        status=201,
        once=True,
    )
    def post(self, request: Request) -> HttpResponse:
        given = self.read(BudgetDraftForm)
        client = one(Client, given["client"]) if "client" in given else None
        source = one(AffordabilityForm, given["copy_of"]) if "copy_of" in given else None
        row = budget_forms.draft(client=client, by=self.by, now=self.now, copy_of=source)
        return answer(FormShown.of(row), status=201, headers={"Location": f"/api/v1/budget-forms/{row.pk}"})


class OneBudgetForm(Endpoint):
    """One of them."""

    @operation("get_budget_form", "Read a budget form", scope="rules:read", answers=FormShown)
    def get(self, request: Request, form_id: UUID) -> HttpResponse:
        self.asked()
        return answer(FormShown.of(one(AffordabilityForm, form_id)))

    @operation(
        "put_budget_form",
        "Write a draft of a budget form",
        scope="rules:write",
        form=DefinitionForm,
        answers=FormShown,
        problems={422: "`refused`: every mistake of the definition, with its pointer; `not_a_draft`."},
    )
    def put(self, request: Request, form_id: UUID) -> HttpResponse:
        row = one(AffordabilityForm, form_id)
        given = self.read(DefinitionForm)
        found = budget_forms.save(
            form=row, definition=given["definition"], note=given.get("note", ""), by=self.by, now=self.now
        )
        if found:
            raise refused(found)
        row.refresh_from_db()
        return answer(FormShown.of(row))

    @operation(
        "discard_budget_form",
        "Give up a draft of a budget form",
        scope="rules:write",
        answers=FormShown,
        problems={422: "`refused`: `not_a_draft`."},
    )
    def delete(self, request: Request, form_id: UUID) -> HttpResponse:
        self.asked()
        row = one(AffordabilityForm, form_id)
        with refusing(budget_forms.Refused):
            budget_forms.discard(form=row)
        row.refresh_from_db()
        return answer(FormShown.of(row))


class PublishBudgetForm(Endpoint):
    """In force."""

    @operation(
        "publish_budget_form",
        "Put a budget form in force",
        scope="rules:write",
        said="Budgets that were begun keep the version they were begun with.",
        form=Nothing,
        answers=FormShown,
        once=True,
        problems={422: "`refused`: `not_a_draft`, or its mistakes."},
    )
    def post(self, request: Request, form_id: UUID) -> HttpResponse:
        row = one(AffordabilityForm, form_id)
        self.read(Nothing)
        with refusing(budget_forms.Refused):
            return answer(FormShown.of(budget_forms.publish(form=row, by=self.by, now=self.now)))
