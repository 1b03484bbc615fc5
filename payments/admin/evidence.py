"""Staff actions about what was signed: revoke it for the consumer, save all evidence of a payment or arrangement."""

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.desk import ReasonForm
from payments.models import Payment
from payments.services import evidence, wallet


class WithEvidence:
    """Save the evidence of this row as one file; saving is written down."""

    actions_detail = ["evidence"]

    def has_export_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, f"payments.export_{self.opts.model_name}")

    @action(description=_("Save the evidence"), permissions=["export"], icon="folder_zip")
    def evidence(self, request, object_id):
        row = self.row(request, object_id)
        name = "payment" if isinstance(row, Payment) else "arrangement"
        content = evidence.pack(**{name: row}, now=request.now)
        self.log_change(request, row, "Saved the evidence.")
        answer = HttpResponse(content, content_type="application/zip")
        answer["Content-Disposition"] = f'attachment; filename="{evidence.file_name(row)}"'
        answer["X-Content-Type-Options"] = "nosniff"
        answer["Cache-Control"] = "no-store"
        return answer


class Revocable:
    """Revoke what was signed, for the consumer and with the reason (PDC-07)."""

    actions_detail = ["revoke"]

    def has_revoke_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.revoke_authorization")

    @action(description=_("Revoke"), permissions=["revoke"], icon="block")
    def revoke(self, request, object_id):
        row = self.row(request, object_id)

        def do(form):
            wallet.revoke(authorization=row, by=f"staff:{request.user.pk}", now=request.now)
            self.log_change(request, row, f"Revoked: {form.cleaned_data['reason']}")

        return self.ask(
            request,
            row,
            title=_("Revoke this authorization"),
            text=_("Every payment that is planned under it is cancelled at once, or asked back from the host."),
            button=_("Revoke"),
            do=do,
            form_class=ReasonForm,
            done=_("Revoked."),
        )
