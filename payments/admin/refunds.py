"""Staff pages of what goes back, and of what must be looked at."""

from datetime import timedelta

from django import forms
from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.columns import column, label
from accounts.desk import ReasonForm
from payments.admin.giving import told
from payments.admin.money import OfAccount, status
from payments.models import Incident, Refund
from payments.services import incidents, refunds
from settlements.admin.people import by

OLD = timedelta(days=2)


@admin.register(Refund)
class RefundAdmin(OfAccount):
    """Money given back: asked, approved by another person, done."""

    list_display = ["asked_at", "account", "payment", "amount_cents", status, "asked_by", "decided_by"]
    list_filter = ["status"]
    actions_detail = ["approve", "reject"]

    def get_actions_detail(self, request, object_id):
        """Offer to decide what is not decided."""
        waiting = Refund.objects.filter(pk=object_id, status=Refund.Status.ASKED).exists()
        return super().get_actions_detail(request, object_id) if waiting else []

    def has_decide_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.approve_refund")

    @action(description=_("Approve"), permissions=["decide"], icon="task_alt")
    def approve(self, request, object_id):
        row = self.row(request, object_id)

        def approve(_form: forms.Form) -> str:
            found = refunds.approve(refund=row, by=by(request), now=request.now)
            found = refunds.carry_out(refund=found, now=request.now)
            self.log_change(request, found, "Approved.")
            return str(found.get_status_display()).capitalize()

        return self.ask(
            request,
            row,
            title=_("Approve this refund"),
            text=_("%(refund)s goes back by the way it came. Reason: %(reason)s")
            % {"refund": row, "reason": row.reason},
            button=_("Approve"),
            do=lambda form: told(request, lambda: approve(form)),
        )

    @action(description=_("Reject"), permissions=["decide"], icon="block")
    def reject(self, request, object_id):
        row = self.row(request, object_id)

        def reject(form: forms.Form) -> str:
            found = refunds.reject(refund=row, by=by(request), now=request.now, **form.cleaned_data)
            self.log_change(request, found, "Rejected.")
            return str(_("Rejected. Nothing goes back."))

        return self.ask(
            request,
            row,
            title=_("Reject this refund"),
            text=_("No money moves. A new refund can be asked for."),
            button=_("Reject"),
            form_class=ReasonForm,
            do=lambda form: told(request, lambda: reject(form)),
        )


class NoteForm(forms.Form):
    """Ask what was found and done."""

    note = forms.CharField(
        label=_("What was done"), max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


class StillOpen(admin.SimpleListFilter):
    """Show what is open, unless somebody asks for what is closed."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("closed", _("closed")), ("all", _("all"))]

    def choices(self, changelist):
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": _("open"),
        }
        yield from list(super().choices(changelist))[1:]

    def queryset(self, request, queryset):
        said = self.value()
        return queryset if said == "all" else queryset.filter(closed_at__isnull=said != "closed")


def _age(row: Incident) -> str:
    """Say how long a matter has been open; an old one is red."""
    if row.closed_at:
        return "-"
    age = timezone.now() - row.opened_at
    said = (
        _("%(count)d h") % {"count": age.seconds // 3600} if age.days < 1 else _("%(count)d days") % {"count": age.days}
    )
    return label("danger" if age >= OLD else "", said)


def _tone(row: Incident) -> str:
    tones = {"urgent": "danger", "warning": "warning"}
    return label(tones.get(row.severity, ""), row.get_severity_display())


@admin.register(Incident)
class IncidentAdmin(OfAccount):
    """The exception queue: what staff must look at and close, the oldest first."""

    list_display = [
        column(_age, "opened_at", _("open for")),
        "kind",
        column(_tone, "severity", _("severity")),
        "account",
        "payment",
        "opened_at",
        "seen_at",
        "closed_at",
    ]
    list_filter = [StillOpen, "severity", "kind"]
    ordering = ["opened_at"]
    actions_detail = ["close"]

    def get_actions_detail(self, request, object_id):
        """Offer to close what is open."""
        is_open = Incident.objects.filter(pk=object_id, closed_at=None).exists()
        return super().get_actions_detail(request, object_id) if is_open else []

    def has_close_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.close_incident")

    @action(description=_("Close with a note"), permissions=["close"], icon="task_alt")
    def close(self, request, object_id):
        row = self.row(request, object_id)

        def close(form: forms.Form) -> str:
            incidents.close(incident=row, by=by(request), now=request.now, **form.cleaned_data)
            self.log_change(request, row, f"Closed: {form.cleaned_data['note']}")
            return str(_("Closed."))

        return self.ask(
            request,
            row,
            title=_("Close this matter"),
            text=_("It opens again by itself when the same is found again."),
            button=_("Close"),
            form_class=NoteForm,
            do=close,
        )
