"""Staff write down what came by mail or over the counter, and take back a check, or a host's debit, that came back."""

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
from payments.rules.returns import TABLE, is_return
from payments.services import by_hand, returns
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


class ReturnForm(ReasonForm):
    """Ask for the bank's code."""

    code = forms.ChoiceField(
        label=_("Return code"),
        choices=[(code, f"{code} {row.meaning}") for code, row in TABLE.items() if is_return(code)],
        widget=UnfoldAdminSelectWidget,
        help_text=_("As the bank gave it. What it means for the plan and the bank account follows at once."),
    )
    field_order = ("code", "reason")


class ComesBack:
    """The actions on the page of a payment that was written down, or that the host debits."""

    actions_detail = ["come_back", "sent_back"]

    def get_actions_detail(self, request, object_id):
        """Offer one for a check or money order that stands, the other for a debit of which the host said no code."""
        payment = Payment.objects.filter(pk=object_id).first()
        stands = payment is not None and payment.status == Payment.Status.SUCCEEDED
        fitting = {"come_back": stands and payment.kind in by_hand.NUMBERED}
        fitting |= {"sent_back": payment is not None and returns.can_be_told(payment)}
        offered = super().get_actions_detail(request, object_id)
        return [
            one for one in offered if all(on or not one.action_name.endswith(f"_{it}") for it, on in fitting.items())
        ]

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

    @action(description=_("Its bank sent it back"), permissions=["come_back"], icon="account_balance")
    def sent_back(self, request, object_id):
        payment = self.row(request, object_id)

        def do(form):
            done = returns.tell_return(payment=payment, by=by(request), now=request.now, **form.cleaned_data)
            if isinstance(done, list):
                return say_refusals(request, done)
            self.log_change(request, payment, f"{form.cleaned_data['code']}: {form.cleaned_data['reason']}")
            return gettext("Taken back. It is owed again.")

        return self.ask(
            request,
            payment,
            title=_("Payment %(reference)s came back") % {"reference": payment.reference},
            text=_("It counts no longer, and what it completed is open again. The code decides about the plan."),
            button=_("It came back"),
            form_class=ReturnForm,
            do=do,
        )
