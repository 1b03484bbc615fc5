"""Staff pages of what consumers say about a debt, and of links by which somebody pays."""

from django import forms
from django.contrib import admin, messages
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.desk import DayInput, ReasonForm
from accounts.refusals import Refusal
from payments.admin.money import OfAccount, status
from payments.models import CreditorRequest, Dispute, PayLink
from payments.services import disputes, pay_links


class ResolveForm(forms.Form):
    """Ask what was found, and when its proof left."""

    note = forms.CharField(
        label=_("What was found"), max_length=240, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
    verified_on = forms.DateField(
        label=_("Verification sent on"),
        required=False,
        widget=DayInput,
        help_text=_("Needed for a dispute made within the validation period."),
    )


class SentForm(forms.Form):
    """Ask when the answer left."""

    sent_on = forms.DateField(label=_("Name and address sent on"), widget=DayInput)


def say_refusals(request, refusals: list[Refusal]) -> str:
    """Put refusals on the page as errors; nothing is said of success."""
    for one in refusals:
        messages.error(request, one.say(gettext, get_language() or "en"))
    return ""


@admin.register(Dispute)
class DisputeAdmin(OfAccount):
    """“This is wrong”: campaigns and scheduled charges wait until it is resolved (RF-32)."""

    list_display = ["opened_at", "account", "reason", status, "in_validation_period", "resolved_at"]
    list_filter = ["status", "reason"]
    actions_detail = ["resolve"]

    def has_resolve_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.resolve_dispute")

    @action(description=_("Read and resolve"), permissions=["resolve"], icon="task_alt")
    def resolve(self, request, object_id):
        row = self.row(request, object_id)

        def do(form):
            by = f"staff:{request.user.pk}"
            refused = disputes.resolve(dispute=row, by=by, now=request.now, **form.cleaned_data)
            return say_refusals(request, refused) or (not refused and gettext("Resolved. What was held goes on."))

        if request.method != "POST" and row.text:
            self.log_change(request, row, "Read what the consumer wrote.")
        text = row.text or gettext("The consumer wrote no words of their own.")
        return self.ask(
            request, row, title=row.get_reason_display(), text=text, button=_("Resolve"), do=do, form_class=ResolveForm
        )


@admin.register(CreditorRequest)
class CreditorRequestAdmin(OfAccount):
    """“Who is the original creditor?”"""

    list_display = ["asked_at", "account", "in_validation_period", "answered_at"]
    actions_detail = ["answered"]

    def has_answer_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.answer_creditorrequest")

    @action(description=_("Note the answer"), permissions=["answer"], icon="outgoing_mail")
    def answered(self, request, object_id):
        row = self.row(request, object_id)

        def do(form):
            by, sent_on = f"staff:{request.user.pk}", form.cleaned_data["sent_on"]
            refused = disputes.answer_creditor(request=row, by=by, sent_on=sent_on, now=request.now)
            return say_refusals(request, refused) or (not refused and gettext("Noted. What waited for it goes on."))

        return self.ask(
            request,
            row,
            title=_("The answer was sent"),
            text=_("Collection goes on once the name and address of the original creditor have left."),
            button=_("Note"),
            do=do,
            form_class=SentForm,
        )


@admin.register(PayLink)
class PayLinkAdmin(OfAccount):
    """A link to pay an amount, without creditor and balance."""

    list_display = ["made_at", "account", "kind", "amount_cents", "expires_at", "revoked_at", "payment"]
    list_filter = ["kind"]
    hidden = ("token_hash",)
    actions_detail = ["revoke"]

    def has_revoke_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.revoke_paylink")

    @action(description=_("Take back"), permissions=["revoke"], icon="link_off")
    def revoke(self, request, object_id):
        row = self.row(request, object_id)

        def do(form):
            by = f"staff:{request.user.pk}"
            done = pay_links.revoke(link=row, by=by, reason=form.cleaned_data["reason"], now=request.now)
            return gettext("Taken back.") if done else gettext("It was used or taken back before.")

        return self.ask(
            request,
            row,
            title=_("Take this link back"),
            text=_("Nobody can pay by it any more. What was paid stays paid."),
            button=_("Take back"),
            do=do,
            form_class=ReasonForm,
        )
