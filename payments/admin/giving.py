"""What staff do with one payment: give it back, or stop it while it is undecided."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.core.validators import MinValueValidator
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.desk import ReasonForm
from accounts.money import format_cents
from accounts.tenancy import uuid7
from payments.models import Payment
from payments.services import refunds
from payments.services.sign import Refused
from settlements.admin.editor import HundredthsField
from settlements.admin.people import by


class RefundForm(ReasonForm):
    """Ask how much goes back, and why."""

    amount_cents = HundredthsField(label=_("Amount, $"))
    key = forms.UUIDField(initial=uuid7, required=False, widget=forms.HiddenInput)
    field_order = ("amount_cents", "reason")


class LimitForm(ReasonForm):
    """Ask up to which sum one person gives back alone, and why."""

    cents = HundredthsField(label=_("Up to, $"), validators=[MinValueValidator(0)])
    field_order = ("cents", "reason")


def told(request, done: Callable[[], str]) -> str:
    """Do it and give what to say; refusals stand on the page as errors, and nothing is said of success."""
    try:
        return done()
    except Refused as refused:
        for one in refused.refusals:
            messages.error(request, one.say(gettext, get_language() or "en"))
        return ""


class GiveBack:
    """The actions of a payment's page."""

    actions_detail = ["give_back", "stop"]

    def get_actions_detail(self, request, object_id):
        """Offer what fits the payment's status and nothing else."""
        said = Payment.objects.filter(pk=object_id, executor="portal").values_list("status", flat=True).first()
        fitting = {Payment.Status.SUCCEEDED: "give_back", Payment.Status.INTENDED: "stop"}.get(said, "")
        offered = super().get_actions_detail(request, object_id)
        mine = {f"{self.opts.app_label}_{self.opts.model_name}_{name}" for name in ("give_back", "stop")}
        return [one for one in offered if one.action_name not in mine or one.action_name.endswith(f"_{fitting}")]

    def has_give_back_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.add_refund")

    def has_stop_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.void_payment")

    @action(description=_("Give back"), permissions=["give_back"], icon="undo")
    def give_back(self, request, object_id):
        payment = self.row(request, object_id)
        left = format_cents(refunds.left_cents(payment), payment.currency)

        def ask(form: forms.Form) -> str:
            refund = refunds.ask(payment=payment, by=by(request), now=request.now, **form.cleaned_data)
            refund = refunds.carry_out(refund=refund, now=request.now)
            self.log_change(request, payment, f"Asked to give back {format_cents(refund.amount_cents)}.")
            return str(
                {
                    "asked": _("Asked. Another person must approve it."),
                    "approved": _("On its way. The processor has not answered yet; it is asked again by itself."),
                    "done": _("Given back."),
                }.get(refund.status, refund.get_status_display())
            )

        return self.ask(
            request,
            payment,
            title=_("Give back payment %(reference)s") % {"reference": payment.reference},
            text=_("At most %(left)s can go back, by the way it came.") % {"left": left},
            button=_("Give back"),
            form_class=RefundForm,
            do=lambda form: told(request, lambda: ask(form)),
        )

    @action(description=_("Stop"), permissions=["stop"], icon="block")
    def stop(self, request, object_id):
        payment = self.row(request, object_id)

        def void(form: forms.Form) -> str:
            refunds.void(payment=payment, by=by(request), now=request.now, **form.cleaned_data)
            self.log_change(request, payment, "Stopped.")
            return str(_("Stopped. Nothing was taken."))

        return self.ask(
            request,
            payment,
            title=_("Stop payment %(reference)s") % {"reference": payment.reference},
            text=_("It is undecided. The processor is told first, so that it can never be taken."),
            button=_("Stop"),
            form_class=ReasonForm,
            do=lambda form: told(request, lambda: void(form)),
        )
