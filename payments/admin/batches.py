"""Staff pages of payments that are executed outside the portal: collect, edit, approve, export, post."""

from django import forms
from django.contrib import admin
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.desk import AgencyAdmin, DayInput, FactAdmin, FactInline, ReasonForm
from accounts.keys import reference_key
from payments.admin.giving import told
from payments.admin.money import OfAccount, status
from payments.models import AchOrigin, BatchItem, PaymentBatch, Postdate
from payments.services import batch_files, batch_posting, batches
from payments.services.sign import Refused
from settlements.admin.people import by

Status = PaymentBatch.Status
STEPS = {
    Status.OPEN: ("put_in", "approve", "cancel"),
    Status.APPROVED: ("export", "reopen"),
    Status.EXPORTED: ("export", "post"),
    Status.POSTED: ("export",),
    Status.CANCELLED: (),
}
"""What can be done with a batch next; the rest is not offered."""


@admin.register(AchOrigin)
class AchOriginAdmin(AgencyAdmin):
    """Who the agency is to its bank, for NACHA files."""

    one_row = True
    list_display = ["company_name", "bank_name", "company_id"]
    fields = ["bank_name", "bank_routing", "company_name", "company_id", "origin_name"]


class CollectForm(forms.Form):
    """Ask what is collected."""

    method = forms.ChoiceField(label=_("Method"), choices=PaymentBatch.Method.choices, widget=UnfoldAdminSelectWidget())
    until = forms.DateField(label=_("Due up to"), widget=DayInput)


class DayForm(forms.Form):
    """Ask for another day."""

    on = forms.DateField(label=_("Execute on"), widget=DayInput)


class CodeForm(forms.Form):
    """Ask for the bank's code."""

    code = forms.CharField(label=_("Code, such as R01"), max_length=60, widget=UnfoldAdminTextInputWidget())


class PutInForm(forms.Form):
    """Ask whose check or cash came in."""

    reference = forms.CharField(
        label=_("Reference number of the account"), max_length=80, widget=UnfoldAdminTextInputWidget()
    )


class ItemsOfBatch(FactInline):
    tab = False
    model = BatchItem
    fields = ["on", "account", "amount_cents", "status", "postdate", "payment", "reason", "removed_at"]
    ordering = ["on", "pk"]


@admin.register(PaymentBatch)
class PaymentBatchAdmin(FactAdmin):
    """A batch and what can be done with it next."""

    list_display = ["number", "created_at", "method", status, "items_count", "total_cents", "due_until"]
    list_filter = ["status", "method"]
    inlines = [ItemsOfBatch]
    actions_list = ["collect"]
    actions_detail = ["put_in", "approve", "reopen", "export", "post", "cancel"]

    def get_actions_detail(self, request, object_id):
        row = PaymentBatch.objects.filter(pk=object_id).first()
        fitting = set(STEPS[Status(row.status)]) if row else set()
        if row and row.method not in batches.BY_HAND:
            fitting.discard("put_in")
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.action_name.removeprefix(prefix) in fitting]

    def has_edit_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.change_paymentbatch")

    def has_approve_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.approve_paymentbatch")

    def has_export_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.export_paymentbatch")

    @action(description=_("Collect a batch"), permissions=["edit"], icon="playlist_add")
    def collect(self, request):
        form = CollectForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                made = batches.collect(by=by(request), now=request.now, **form.cleaned_data)
            except Refused as refused:
                for one in refused.refusals:
                    form.add_error(None, one.sentence)
            else:
                self.log_addition(request, made, "Collected.")
                return redirect(self._address(made))
        context = self.admin_site.each_context(request) | {
            "title": _("Collect a batch"),
            "text": _("What is due and executed outside the portal. Checks and cash are put in by hand afterwards."),
            "button": _("Collect"),
            "form": form,
            "back": reverse("admin:payments_paymentbatch_changelist"),
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/ask.html", context)

    @action(description=_("Put a check or cash in"), permissions=["edit"], icon="add")
    def put_in(self, request, object_id):
        row = self.row(request, object_id)

        def put(form: forms.Form) -> str:
            key = reference_key(form.cleaned_data["reference"])
            mine = Postdate.objects.filter(account__reference_key=key, executor="consumer", status="scheduled")
            if (postdate := mine.filter(batch_items=None).order_by("due_on", "number").first()) is None:
                raise Refused([batches.no("batch_nothing_due")])
            batches.add(batch=row, postdate=postdate, by=by(request), now=request.now)
            self.log_change(request, row, f"Put {postdate} in.")
            return str(_("Put in: %(postdate)s.") % {"postdate": postdate})

        return self._do(
            request,
            row,
            put,
            title=_("Put a check or cash in"),
            text=_("It is the account's next payment that the consumer makes by themselves."),
            button=_("Put in"),
            form_class=PutInForm,
        )

    @action(description=_("Approve"), permissions=["approve"], icon="task_alt")
    def approve(self, request, object_id):
        row = self.row(request, object_id)

        def approve(_form: forms.Form) -> str:
            batches.approve(batch=row, by=by(request), now=request.now)
            self.log_change(request, row, "Approved.")
            return str(_("Approved."))

        text = _("%(count)d payments, each looked at. Nobody approves what they made or edited.")
        return self._do(
            request,
            row,
            approve,
            title=_("Approve this batch"),
            text=text % {"count": row.items_count},
            button=_("Approve"),
        )

    @action(description=_("Open again"), permissions=["edit"], icon="lock_open")
    def reopen(self, request, object_id):
        row = self.row(request, object_id)

        def reopen(form: forms.Form) -> str:
            batches.reopen(batch=row, now=request.now)
            self.log_change(request, row, f"Opened again: {form.cleaned_data['reason']}")
            return str(_("Open. It needs a new approval."))

        text = _("The approval falls away.")
        return self._do(
            request,
            row,
            reopen,
            title=_("Open this batch again"),
            text=text,
            button=_("Open again"),
            form_class=ReasonForm,
        )

    @action(description=_("Save the file"), permissions=["export"], icon="download")
    def export(self, request, object_id):
        row = self.row(request, object_id)
        names = dict(PaymentBatch.Format.choices)

        class FormatForm(forms.Form):
            format = forms.ChoiceField(
                label=_("Format"),
                choices=[(one, names[one]) for one in batch_files.formats(row)],
                widget=UnfoldAdminSelectWidget(),
            )

        def export(form: forms.Form) -> HttpResponse:
            body = batch_files.export(batch=row, by=by(request), now=request.now, **form.cleaned_data)
            row.refresh_from_db()
            self.log_change(request, row, f"Saved the file, SHA-256 {row.export_sha256}.")
            answer = HttpResponse(body, content_type="text/plain" if row.export_format == "nacha" else "text/csv")
            answer["Content-Disposition"] = f'attachment; filename="{batch_files.name_of(row)}"'
            answer["Cache-Control"] = "no-store"
            return answer

        return self._do(
            request,
            row,
            export,
            title=_("Save the file of this batch"),
            text=_("Its format is chosen once. Saved again it is the same file, or none. It may hold bank numbers."),
            button=_("Save"),
            form_class=FormatForm,
        )

    @action(description=_("Post"), permissions=["edit"], icon="done_all")
    def post(self, request, object_id):
        row = self.row(request, object_id)

        def post(_form: forms.Form) -> str:
            batch_posting.post(batch=row, by=by(request), now=request.now)
            self.log_change(request, row, "Posted.")
            return str(_("Posted."))

        return self._do(
            request,
            row,
            post,
            title=_("Post this batch"),
            text=_("Its payments are recorded as taken, those marked as failed as declined. This cannot be undone."),
            button=_("Post"),
        )

    @action(description=_("Cancel"), permissions=["edit"], icon="block")
    def cancel(self, request, object_id):
        row = self.row(request, object_id)

        def cancel(form: forms.Form) -> str:
            batches.cancel(batch=row, now=request.now)
            self.log_change(request, row, f"Cancelled: {form.cleaned_data['reason']}")
            return str(_("Cancelled."))

        text = _("Only an empty batch can be cancelled: each payment is taken out with its own reason.")
        return self._do(
            request, row, cancel, title=_("Cancel this batch"), text=text, button=_("Cancel"), form_class=ReasonForm
        )

    def _do(self, request, row, do, **page) -> HttpResponse:
        return self.ask(request, row, do=lambda form: told(request, lambda: do(form)), **page)


@admin.register(BatchItem)
class BatchItemAdmin(OfAccount):
    """One payment in a batch; what was taken out says why."""

    list_display = ["added_at", "batch", "account", "on", "amount_cents", "status", "removed_at"]
    list_filter = ["status"]
    actions_detail = ["take_out", "other_day", "failed"]

    def get_actions_detail(self, request, object_id):
        row = BatchItem.objects.select_related("batch").filter(pk=object_id, removed_at=None).first()
        steps = {Status.OPEN: ("take_out", "other_day"), Status.EXPORTED: ("failed",)}
        fitting = steps.get(Status(row.batch.status), ()) if row else ()
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.action_name.endswith(tuple(f"_{name}" for name in fitting) or ("-",))]

    def has_edit_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.change_paymentbatch")

    @action(description=_("Take out"), permissions=["edit"], icon="playlist_remove")
    def take_out(self, request, object_id):
        row = self.row(request, object_id)
        text = _("It can be in no other batch. A planned payment is held until somebody decides.")
        return self._do(request, row, batches.remove, _("Take this payment out"), text, ReasonForm)

    @action(description=_("Other day"), permissions=["edit"], icon="event")
    def other_day(self, request, object_id):
        row = self.row(request, object_id)
        text = _("Never before its date, and at most two banking days later: more needs a notice to the consumer.")
        return self._do(request, row, batches.move, _("Execute on another day"), text, DayForm)

    @action(description=_("Not executed"), permissions=["edit"], icon="error")
    def failed(self, request, object_id):
        row = self.row(request, object_id)
        text = _("When the batch is posted it is recorded as declined, with this code.")
        return self._do(request, row, batches.fail, _("This payment was not executed"), text, CodeForm)

    def _do(self, request, row, service, title, text, form_class) -> HttpResponse:
        def do(form: forms.Form) -> str:
            service(item=row, by=by(request), now=request.now, **form.cleaned_data)
            self.log_change(request, row, f"{service.__name__}: {', '.join(map(str, form.cleaned_data.values()))}")
            return str(_("Done."))

        return self.ask(
            request,
            row,
            title=title,
            text=text,
            button=_("Save"),
            form_class=form_class,
            do=lambda form: told(request, lambda: do(form)),
        )
