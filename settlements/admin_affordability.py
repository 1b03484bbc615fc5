"""Staff pages of budgets and hardship: forms, what was submitted, pauses, and the documents that came with them.

What consumers answered and wrote is sealed: it is shown to those who decide, and reading a request is written down.
"""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.calendars import local_date
from accounts.columns import status_of
from accounts.desk import AgencyAdmin, AgencyForm, FactAdmin, ReasonForm
from accounts.models import Client
from accounts.money import from_cents, to_cents
from accounts.refusals import Refusal
from accounts.tenancy import acting_for
from settlements.admin.people import by, names
from settlements.models import Affordability, AffordabilityForm, Evidence, Hardship, HardshipPolicy
from settlements.rules import affordability as rules
from settlements.rules.budget_forms import say
from settlements.services import affordability, budget_forms, budget_papers, evidence, hardship

status = status_of(
    {
        "submitted": "info",
        "accepted": "success",
        "declined": "warning",
        "requested": "info",
        "granted": "success",
        "published": "success",
    }
)


def spoken(refusals: list[Refusal], *, pointers: bool = False) -> list[str]:
    """Say refusals to staff; with pointers, where in a definition each one is."""
    language = get_language() or "en"
    said = [(one.field or "/", one.say(gettext, language)) for one in refusals]
    return [f"{at}: {sentence}" if pointers else sentence for at, sentence in said]


class CaseAdmin(FactAdmin):
    """Show one row on a page of its own, with what may be decided beside it; each button posts one decision."""

    template = ""
    decides = ""

    class Media:
        css = {"all": ["portal/rules.css", "portal/care.css"]}

    def get_urls(self):
        decide = self.admin_site.admin_view(self.decide)
        name = f"{self.opts.app_label}_{self.opts.model_name}_decide"
        return [path("<path:object_id>/decide/", decide, name=name), *super().get_urls()]

    def has_decide_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, self.decides)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.row(request, object_id)
        if request.method == "POST" or not self.has_view_permission(request, row):
            raise PermissionDenied
        with acting_for(row.agency_id):
            return self.show(request, row)

    def show(self, request: HttpRequest, row, **more: Any) -> TemplateResponse:
        """Render the page; `more` is what a decision adds to it."""
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "original": row,
            "media": self.media,
            "title": str(row.account) if hasattr(row, "account") else str(row),
            "row": row,
            "status": status(row),
            "may": self.has_decide_permission(request),
            "decide": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_decide", args=[row.pk]),
            "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
        }
        response = TemplateResponse(request, self.template, context | self.case(request, row) | more)
        return response.render()

    def case(self, request: HttpRequest, row) -> dict[str, Any]:
        """Give what the page shows of a row."""
        raise NotImplementedError

    def decide(self, request: HttpRequest, object_id) -> HttpResponse:
        """Take one decision; what speaks against it is said and nothing is written."""
        row = self.row(request, object_id)
        if not self.has_decide_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return redirect(self._address(row))
        answer = self.take(request, row, request.POST.get("decision", ""))
        if isinstance(answer, HttpResponse):
            return answer
        refusals, done = answer
        for sentence in spoken(refusals):
            messages.error(request, sentence)
        if not refusals:
            messages.success(request, done)
        return redirect(self._address(row))

    def take(self, request: HttpRequest, row, decision: str) -> HttpResponse | tuple[list[Refusal], Any]:
        """Call the service of a decision; answer what it refused, and the sentence for when it refused nothing."""
        raise NotImplementedError


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
            "shares": list(zip(facts.get("balances_cents", []), facts.get("shares_cents", []), strict=False)),
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


# Hardship -------------------------------------------------------------------------------------------------------


class GrantForm(forms.Form):
    """Until when, and when somebody looks again; both are proposed, so that one click grants."""

    ends_on = forms.DateField(label=_("Last day"), widget=UnfoldAdminSingleDateWidget)
    review_on = forms.DateField(label=_("To be reviewed on"), required=False, widget=UnfoldAdminSingleDateWidget)


class ReviewDue(admin.SimpleListFilter):
    title, parameter_name = _("to review"), "review"

    def lookups(self, request, model_admin):
        return [("due", _("to review now"))]

    def queryset(self, request, queryset):
        if self.value() != "due":
            return queryset
        zone = getattr(request.agency, "time_zone", "UTC")
        return queryset.filter(pk__in=hardship.to_review(today=local_date(request.now, zone)))


@admin.register(Hardship)
class HardshipAdmin(CaseAdmin):
    """A pause that a consumer asked for: read it, grant or decline it, look at it again, end it."""

    template = "admin/affordability/hardship.html"
    decides = "settlements.decide_hardship"
    list_display = ["account", status, "cause", "asked_days", "ends_on", "review_on", "asked_at"]
    list_filter = ["status", "cause", ReviewDue]

    def case(self, request, row) -> dict[str, Any]:
        from datetime import timedelta

        may = self.has_decide_permission(request)
        today = local_date(request.now, row.consumer.time_zone)
        ends_on = row.ends_on or today + timedelta(days=row.asked_days)
        review_on = row.review_on or max(ends_on - timedelta(days=hardship.policy().review_days), today)
        ended = row.status == Hardship.Status.ENDED
        return {
            "cause": row.get_cause_display(),
            "files": list(row.evidence.order_by("number")),
            "can_grant": may and row.status in Hardship.OPEN,
            "can_decline": may and row.status == Hardship.Status.REQUESTED,
            "can_end": may and row.status == Hardship.Status.GRANTED,
            "can_review": may and row.reviewed_at is None and (ended or row.status == Hardship.Status.GRANTED),
            "grant_form": GrantForm(initial={"ends_on": ends_on, "review_on": review_on}),
            "decline_form": ReasonForm(prefix="decline"),
            "decided_by": names([row.decided_by]).get(row.decided_by, "") if row.decided_by else "",
            "reviewed_by": names([row.reviewed_by]).get(row.reviewed_by, "") if row.reviewed_by else "",
        }

    def take(self, request, row, decision):
        who = by(request)
        match decision:
            case "read":
                self.log_change(request, row, "Read what the consumer wrote.")
                with acting_for(row.agency_id):
                    return self.show(request, row, words=row.words, labels=[one.label for one in row.evidence.all()])
            case "grant":
                form = GrantForm(request.POST)
                if not form.is_valid():
                    return self.show(request, row, grant_form=form)
                refused = hardship.grant(hardship=row, by=who, now=request.now, **form.cleaned_data)
                return refused, _("The pause is granted.")
            case "decline":
                form = ReasonForm(request.POST, prefix="decline")
                if not form.is_valid():
                    return self.show(request, row, decline_form=form)
                refused = hardship.decline(hardship=row, by=who, now=request.now, **form.cleaned_data)
                return refused, _("Declined. The consumer reads the reason.")
            case "end":
                return hardship.end(hardship=row, how="staff", now=request.now), _("The pause is ended.")
            case "review":
                hardship.reviewed(hardship=row, by=who, now=request.now)
                return [], _("Noted as reviewed.")
        return redirect(self._address(row))


@admin.register(Evidence)
class EvidenceAdmin(FactAdmin):
    """A document that came with a request: staff who decide save it, nobody opens it in the browser."""

    list_display = ["hardship", "number", "kind", "size_bytes", "uploaded_at"]
    hidden = ("sha256",)
    actions_detail = ["save"]

    def has_open_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.decide_hardship")

    @action(description=_("Save the file"), permissions=["open"], icon="download")
    def save(self, request, object_id):
        row = self.row(request, object_id)
        self.log_change(request, row, "Saved the file.")
        answer = HttpResponse(evidence.content_of(row), content_type=evidence.CONTENT_TYPES[row.kind])
        answer["Content-Disposition"] = f'attachment; filename="{evidence.file_name(row)}"'
        answer["X-Content-Type-Options"] = "nosniff"
        answer["Cache-Control"] = "no-store"
        answer._csp_replace = {"default-src": ["'none'"], "sandbox": True}
        return answer


class PolicyForm(AgencyForm):
    """Refuse advice that the pages could not show."""

    class Meta:
        model = HardshipPolicy
        fields = ("automatic_days", "longest_days", "review_days", "advice")

    def clean_advice(self):
        given = self.cleaned_data["advice"] or []
        if not isinstance(given, list) or len(given) > 10:
            raise forms.ValidationError(_("A list of at most ten entries."))
        for entry in given:
            text = entry.get("text") if isinstance(entry, dict) else None
            good = (
                isinstance(text, dict)
                and all(isinstance(text.get(language), str) and text[language] for language in ("en", "es"))
                and all(isinstance(entry.get(name), str) for name in ("name", "url", "phone"))
                and entry["url"].startswith("https://")
            )
            if not good:
                raise forms.ValidationError(
                    _("Each entry has name, url (https), phone, and text in English (en) and Spanish (es).")
                )
        return given

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("automatic_days", 0) > cleaned.get("longest_days", 0):
            self.add_error("automatic_days", _("At most the longest pause."))
        return cleaned


@admin.register(HardshipPolicy)
class HardshipPolicyAdmin(AgencyAdmin):
    """How the agency treats people in hardship."""

    form = PolicyForm
    one_row = True
    list_display = ["__str__"]
    fields = ["automatic_days", "longest_days", "review_days", "advice"]


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
