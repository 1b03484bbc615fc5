"""Individual offers on staff pages: the form of a new one, and withdrawing an open one with a reason."""

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts.refusals import Refusal
from settlements.admin.editor import HundredthsField, WholeField


def _day() -> UnfoldAdminTextInputWidget:
    """Ask for a day by the browser's own calendar."""
    return UnfoldAdminTextInputWidget(attrs={"type": "date"})


class OfferForm(forms.Form):
    """Ask for one account's settlement in dollars, percent and days; every refusal comes beside its field."""

    amount_cents = HundredthsField(label=_("Amount, $"), required=False, help_text=_("Amount or percent, not both."))
    percent_bps = HundredthsField(label=_("or percent of the balance, %"), required=False)
    max_payments = WholeField(label=_("Most payments"), required=False, help_text=_("Empty: one."))
    max_days = WholeField(
        label=_("Days to finish"),
        required=False,
        help_text=_("From the day of acceptance. Empty here and below: paid at once."),
    )
    max_on = forms.DateField(label=_("or last day to pay"), required=False, widget=_day())
    expires_on = forms.DateField(
        label=_("Last day to accept"), required=False, widget=_day(), help_text=_("Empty: open.")
    )
    methods = forms.ChoiceField(
        label=_("Ways to pay"),
        required=False,
        choices=[("", _("all that are allowed")), ("card", _("cards only")), ("ach", _("bank accounts only"))],
        widget=UnfoldAdminSelectWidget(),
    )
    text = forms.CharField(
        label=_("What the consumer reads"),
        required=False,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("In the consumer's own language, without pressure. May stay empty."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("For colleagues; needed beyond the rules."),
    )
    exceed = forms.BooleanField(
        label=_("Go beyond the rules"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_(
            "Below the lowest settlement, longer, or outside its months. A ban of cards or accounts still counts."
        ),
    )

    def __init__(self, *args, may_exceed: bool, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not may_exceed:
            del self.fields["exceed"]

    def values(self) -> dict:
        """Give what was written as the service takes it."""
        said = dict(self.cleaned_data)
        said["max_payments"] = 1 if said["max_payments"] is None else said["max_payments"]
        said["methods"] = (said["methods"],) if said["methods"] else ()
        return {"exceed": False} | said

    def refuse(self, refusals: list[Refusal]) -> None:
        """Put refusals beside the fields that they name; the rest stands above."""
        for refusal in refusals:
            name = (refusal.field or "").strip("/")
            error = forms.ValidationError(refusal.sentence, code=refusal.code)
            self.add_error(name if name in self.fields else None, error)
