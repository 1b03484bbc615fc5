"""Staff write down what came by mail or over the counter, and take back a check that came back."""

import uuid

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.desk import DayInput, ReasonForm
from accounts.money import format_cents
from payments.admin.taking import say_refusals
from payments.models import Payment
from payments.services import by_hand
from settlements.admin.editor import HundredthsField
from settlements.admin.people import by

KINDS = [(kind.value, kind.label) for kind in Payment.BY_HAND]


class CameForm(ReasonForm):
    """Ask what came, how much, and when."""

    kind = forms.ChoiceField(label=_("What"), choices=KINDS, widget=UnfoldAdminSelectWidget)
    amount_cents = HundredthsField(label=_("Amount, $"))
    paper_number = forms.CharField(
        label=_("Number"),
        max_length=30,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Of the check or money order."),
    )
    received_on = forms.DateField(label=_("Came on"), widget=DayInput)
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    field_order = ("kind", "amount_cents", "paper_number", "received_on", "reason", "key")


class ReceivesByHand:
    """The action on an account's page."""

    def has_record_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.record_payment")

    @action(description=_("Write down a payment that came"), permissions=["record"], icon="local_post_office")
    def write_down(self, request, object_id):
        account = self.row(request, object_id)

        def do(form):
            made = by_hand.record(account=account, by=by(request), now=request.now, **form.cleaned_data)
            if isinstance(made, list):
                return say_refusals(request, made)
            self.log_change(request, account, f"Wrote down payment {made.reference}.")
            sum_of = format_cents(made.amount_cents, made.currency)
            return gettext("%(sum)s written down, %(reference)s.") % {"sum": sum_of, "reference": made.reference}

        return self.ask(
            request,
            account,
            title=_("A payment came for account %(reference)s") % {"reference": account.reference},
            text=_("A check, cash or a money order that is here. Nobody is charged; the host is told."),
            button=_("Write down"),
            form_class=CameForm,
            do=do,
        )


class ComesBack:
    """The action on the page of a payment that was written down."""

    def get_actions_detail(self, request, object_id):
        """Offer it for a check or money order that stands."""
        stands = Payment.objects.filter(pk=object_id, kind__in=by_hand.NUMBERED, status=Payment.Status.SUCCEEDED)
        offered = super().get_actions_detail(request, object_id)
        return offered if stands.exists() else [one for one in offered if not one.action_name.endswith("_come_back")]

    def has_come_back_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.record_payment")

    @action(description=_("It came back"), permissions=["come_back"], icon="assignment_return")
    def come_back(self, request, object_id):
        payment = self.row(request, object_id)

        def do(form):
            done = by_hand.came_back(payment=payment, by=by(request), now=request.now, **form.cleaned_data)
            if isinstance(done, list):
                return say_refusals(request, done)
            return gettext("Taken back. It is owed again.")

        return self.ask(
            request,
            payment,
            title=_("Payment %(reference)s came back") % {"reference": payment.reference},
            text=_("Its bank did not honor it: it counts no longer, and what it completed is open again."),
            button=_("It came back"),
            form_class=ReasonForm,
            do=do,
        )
