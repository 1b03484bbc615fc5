"""Staff pages of hardship: pauses, the documents that came with them, how the agency treats people in hardship.

What consumers wrote is sealed: it is shown to those who decide, and reading a request is written down.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from accounts.calendars import local_date
from accounts.desk import AgencyAdmin, AgencyForm, DayInput, FactAdmin, ReasonForm
from accounts.tenancy import acting_for
from settlements.admin.people import by, names
from settlements.admin_cases import CaseAdmin, status
from settlements.models import Evidence, Hardship, HardshipPolicy
from settlements.services import evidence, hardship


class GrantForm(forms.Form):
    """Until when, and when somebody looks again; both are proposed, so that one click grants."""

    ends_on = forms.DateField(label=_("Last day"), widget=DayInput)
    review_on = forms.DateField(label=_("To be reviewed on"), required=False, widget=DayInput)


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
    list_display = ["account", status, "why", "asked_days", "ends_on", "review_on", "asked_at"]
    list_filter = ["status", ReviewDue]
    hidden = ("cause",)

    @display(description=_("cause"))
    def why(self, row) -> str:
        """Say no list what it says about health (UK-13)."""
        return "-" if row.cause == Hardship.Reason.HEALTH else row.get_cause_display()

    def get_list_display(self, request):
        """Show no cause to whoever may not decide: one that is not said would say it too (UK-13)."""
        shown = super().get_list_display(request)
        return shown if self.has_decide_permission(request) else [name for name in shown if name != "why"]

    def case(self, request, row) -> dict[str, Any]:
        from datetime import timedelta

        may = self.has_decide_permission(request)
        today = local_date(request.now, row.consumer.time_zone)
        ends_on = row.ends_on or today + timedelta(days=row.asked_days)
        review_on = row.review_on or max(ends_on - timedelta(days=hardship.policy().review_days), today)
        ended = row.status == Hardship.Status.ENDED
        return {
            "cause": row.get_cause_display() if may else "",
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
