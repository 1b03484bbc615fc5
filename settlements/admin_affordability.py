"""Staff pages of budgets: the forms, and what was submitted.

What consumers answered is sealed: it is shown to those who decide.
"""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.desk import ReasonForm
from accounts.models import Client
from accounts.money import from_cents, to_cents
from settlements.admin.people import by, names
from settlements.admin_cases import CaseAdmin, spoken, status
from settlements.models import Affordability, AffordabilityForm, Hardship
from settlements.rules import affordability as rules
from settlements.rules.budget_forms import say
from settlements.services import affordability, budget_forms, budget_papers

# Budgets --------------------------------------------------------------------------------------------------------


class AcceptForm(forms.Form):
    """The payment that is agreed to, a month: never more than the share."""

    monthly = forms.DecimalField(
        label=_("A month, $"),
        max_digits=10,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
    )


@admin.register(Affordability)
class AffordabilityAdmin(CaseAdmin):
    """What a consumer can afford, as they said it, with everything to decide on one page; a draft shows no answer."""

    template = "admin/affordability/budget.html"
    decides = "settlements.decide_affordability"
    list_display = ["account", status, "outcome", "surplus_cents", "share_cents", "monthly_cents", "submitted_at"]
    list_filter = ["status", "outcome"]

    def case(self, request, row) -> dict[str, Any]:
        facts = affordability.worked_out(row)
        may = self.has_decide_permission(request)
        answers = affordability.answers_of(row) if may and row.submitted_at else {}
        form = budget_forms.read(row.form) if answers else None
        open_one = row.status == Affordability.Status.SUBMITTED and row.outcome != Affordability.Outcome.HARDSHIP
        proposal = row.monthly_cents or row.share_cents or 0
        pause = Hardship.objects.filter(consumer_id=row.consumer_id).order_by("-asked_at").first()
        return {
            "groups": budget_papers.answered(
                form, answers, rules.budget(form, answers), language=get_language() or "en"
            )
            if form
            else [],
            "facts": facts,
            # What is owed elsewhere is an answer of theirs, told to whoever decides.
            "shares": list(zip(facts.get("balances_cents", []), facts.get("shares_cents", []), strict=False))
            if may
            else [],
            "against": [one["sentence"] for one in facts.get("refusals", [])],
            "can_accept": may and open_one,
            "can_decline": may and row.status == Affordability.Status.SUBMITTED,
            "accept_form": AcceptForm(initial={"monthly": from_cents(proposal)}),
            "decline_form": ReasonForm(prefix="decline"),
            "decided_by": names([row.decided_by]).get(row.decided_by, "") if row.decided_by else "",
            "offer": reverse("admin:settlements_individualoffer_change", args=[row.offer_id]) if row.offer_id else "",
            "pause": pause,
            "pause_address": reverse("admin:settlements_hardship_change", args=[pause.pk]) if pause else "",
            "papers": pause.evidence.count() if pause else 0,
        }

    def take(self, request, row, decision):
        who = by(request)
        if decision == "accept":
            form = AcceptForm(request.POST)
            if not form.is_valid():
                return self.show(request, row, accept_form=form)
            cents = to_cents(f"{form.cleaned_data['monthly']:.2f}")
            refused = affordability.accept(budget=row, by=who, monthly_cents=cents, now=request.now)
            return refused, _("Agreed. The account has an offer of its own now.")
        form = ReasonForm(request.POST, prefix="decline")
        if not form.is_valid():
            return self.show(request, row, decline_form=form)
        refused = affordability.decline(budget=row, by=who, reason=form.cleaned_data["reason"], now=request.now)
        return refused, _("Declined. The consumer reads the reason.")


# Forms ----------------------------------------------------------------------------------------------------------


class NewDraftForm(forms.Form):
    """Whose form; empty is the agency's own."""

    client = forms.ModelChoiceField(
        label=_("Client"),
        queryset=Client.objects.none(),
        required=False,
        empty_label=_("the agency's own form"),
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["client"].queryset = Client.objects.order_by("name")


class DefinitionForm(forms.Form):
    """A definition, as a file or as text; the file counts when there is one."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("JSON. It replaces the text below."),
        widget=UnfoldAdminFileFieldWidget,
    )
    text = forms.CharField(
        label=_("Definition"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 30, "spellcheck": "false"}),
    )
    note = forms.CharField(label=_("Note"), max_length=300, required=False, widget=UnfoldAdminTextInputWidget)


@admin.register(AffordabilityForm)
class AffordabilityFormAdmin(CaseAdmin):
    """A budget form, version by version: drafted, looked at in both languages, published, and never changed again."""

    template = "admin/affordability/form.html"
    decides = "settlements.edit_affordabilityform"
    list_display = ["__str__", "client", "version", status, "published_at"]
    list_filter = ["status"]
    actions_list = ["new_draft"]
    actions_detail = ["edit", "download"]

    def has_download_permission(self, request, object_id=None) -> bool:
        return self.has_view_permission(request)

    def case(self, request, row) -> dict[str, Any]:
        mistakes = budget_forms.check_form(row.definition)
        form = None if mistakes else budget_forms.read(row)
        draft = row.status == AffordabilityForm.Status.DRAFT
        may = self.has_decide_permission(request)
        return {
            "title": str(row),
            "mistakes": spoken(mistakes, pointers=True),
            "form_read": form,
            "preview": [
                {
                    "title": [say(section.title, one) for one in ("en", "es")],
                    "questions": [
                        {
                            "question": one,
                            "label": [say(one.label, language) for language in ("en", "es")],
                            "every": [str(budget_forms.FREQUENCIES[name]) for name in one.frequencies],
                        }
                        for one in section.questions
                    ],
                }
                for section in (form.sections if form else ())
            ],
            "notes": [[say(note, one) for one in ("en", "es")] for note in (form.notes if form else ())],
            "can_publish": may and draft and not mistakes,
            "can_discard": may and draft,
            "can_copy": may and not draft,
            "made_by": names([row.made_by]).get(row.made_by, "") if row.made_by else "",
        }

    def take(self, request, row, decision):
        try:
            match decision:
                case "publish":
                    budget_forms.publish(form=row, by=by(request), now=request.now)
                    return [], _("Published. Budgets that are being filled in keep the version they began with.")
                case "discard":
                    budget_forms.discard(form=row)
                    return [], _("The draft is given up.")
                case "copy":
                    made = budget_forms.draft(client=row.client, by=by(request), now=request.now, copy_of=row)
                    return redirect(self._address(made))
        except budget_forms.Refused as refused:
            return refused.refusals, ""
        return redirect(self._address(row))

    @action(description=_("New draft"), permissions=["decide"], icon="add")
    def new_draft(self, request):
        form = NewDraftForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            made = budget_forms.draft(client=form.cleaned_data["client"], by=by(request), now=request.now)
            return redirect(self._address(made))
        context = self.admin_site.each_context(request) | {
            "title": _("A new draft of a budget form"),
            "text": _("It begins as a copy of what is in force. Nothing changes for consumers until it is published."),
            "button": _("Begin"),
            "form": form,
            "back": reverse("admin:settlements_affordabilityform_changelist"),
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/ask.html", context)

    @action(description=_("Edit"), permissions=["decide"], icon="edit")
    def edit(self, request, object_id):
        row = self.row(request, object_id)
        text = json.dumps(row.definition, ensure_ascii=False, indent=1)
        form = DefinitionForm(
            request.POST if request.method == "POST" else None,
            request.FILES if request.method == "POST" else None,
            initial={"text": text, "note": row.note},
        )
        mistakes: list[str] = []
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            try:
                file = given["file"]
                body = file.read(budget_forms.LIMIT_BYTES + 1) if file else given["text"]
                definition = budget_forms.read_definition(body)
                refused = budget_forms.save(
                    form=row, definition=definition, note=given["note"], by=by(request), now=request.now
                )
            except budget_forms.Refused as found:
                refused = found.refusals
            if not refused:
                messages.success(request, _("Saved as a draft."))
                return redirect(self._address(row))
            mistakes = spoken(refused, pointers=True)
        context = self.admin_site.each_context(request) | {
            "title": row,
            "form": form,
            "mistakes": mistakes,
            "back": self._address(row),
            "opts": self.opts,
            "original": row,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/affordability/edit.html", context)

    @action(description=_("Download"), permissions=["download"], icon="download")
    def download(self, request, object_id):
        row = self.row(request, object_id)
        answer = HttpResponse(
            json.dumps(row.definition, ensure_ascii=False, indent=1) + "\n", content_type="application/json"
        )
        level = row.client.number if row.client_id else "agency"
        safe = "".join(letter for letter in level if letter.isascii() and letter.isalnum()) or "client"
        answer["Content-Disposition"] = f'attachment; filename="budget-form-{safe}-{row.version}.json"'
        return answer
