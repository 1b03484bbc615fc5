"""What a consumer chooses and types on the way to a payment. The rules are in services; forms read and point."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import CodeForm
from accounts.money import InvalidAmount, format_cents, to_cents
from accounts.refusals import Refusal
from payments.sight import language, say
from settlements.rules.quotes import Wish

SMALLEST_CENTS = 1_00
"""No processor takes less than about half a dollar; a smaller rest of a debt can always be paid as a whole."""


def read_cents(text: str) -> int:
    """Read what people type for a sum: `$1,250.5` is 125050.

    :raises InvalidAmount: it is not an amount with at most two decimals.
    """
    plain = text.strip().removeprefix("$").strip().replace(" ", "").replace("\N{NO-BREAK SPACE}", "")
    head, point, cents = plain.partition(".")
    groups = head.split(",")
    if len(groups) > 1 and not all(len(group) == 3 for group in groups[1:]):
        raise InvalidAmount("Commas part thousands.")
    return to_cents("".join(groups) + (f".{cents}" if point and cents else ""))


class RefusableForm(forms.Form):
    """Put refusals of the services beside the fields they are about."""

    where: dict[str, str] = {}

    def refuse(self, refusals: list[Refusal]) -> None:
        """Add every refusal; one about a field we do not show stands for the whole form."""
        for refusal in refusals:
            field = self.where.get(refusal.field or "")
            self.add_error(field, forms.ValidationError(say(refusal), refusal.code))


class ChooseForm(RefusableForm):
    """What to pay: one of the options shown, and an amount for "another amount"."""

    choice = forms.ChoiceField(
        error_messages={
            "required": _("Choose what you would like to pay."),
            "invalid_choice": _("Choose one of these options."),
        }
    )
    amount = forms.CharField(required=False, max_length=20)
    where = {"choice": "choice", "amount_cents": "amount"}

    def __init__(self, *args, options: list[dict[str, Any]], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        offered = [option for option in options if option["available"]]
        self.fields["choice"].choices = [(option["code"], option["code"]) for option in offered]
        self.limits = next((option for option in offered if option["code"] == "any"), None)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("choice") != "any":
            return cleaned
        try:
            cents = read_cents(cleaned.get("amount", ""))
        except InvalidAmount:
            self.add_error(
                "amount", forms.ValidationError(_("Enter an amount, for example 50.00."), "amount_unreadable")
            )
            return cleaned
        low = self.limits["minimum_cents"]
        if cents < low:
            sentence = _("The smallest payment is %(low)s.")
            said = forms.ValidationError(sentence, "amount_too_small", {"low": format_cents(low, "USD", language())})
            self.add_error("amount", said)
        cleaned["amount_cents"] = cents
        return cleaned


class AdjustForm(RefusableForm):
    """Equal payments: how many or how much, how often, and from when. The rules judge; the form only reads."""

    FREQUENCIES = {
        "weekly": _("Every week"),
        "biweekly": _("Every two weeks"),
        "semimonthly": _("Twice a month, on the 1st and the 15th"),
        "monthly": _("Every month"),
    }
    how = forms.ChoiceField(
        choices=[("number", _("The number of payments")), ("amount", _("The amount of each payment"))],
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Choose one of these.")),
    )
    count = forms.CharField(label=_("Number of payments"), required=False, max_length=9)
    amount = forms.CharField(label=_("Amount of each payment"), required=False, max_length=20)
    frequency = forms.ChoiceField(
        label=_("How often"),
        choices=list(FREQUENCIES.items()),
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), _("Please choose how often you would like to pay.")
        ),
    )
    first_on = forms.CharField(label=_("First payment on"), required=False, max_length=20)

    @property
    def typed(self) -> bool:
        """Tell whether all of it could be read."""
        return self.is_bound and "wish" in self.__dict__.get("cleaned_data", {})

    @property
    def shown(self) -> dict[str, str]:
        """Give what each field shows: what was typed, or what it began with."""
        return {name: self[name].value() or "" for name in self.fields}

    def clean(self) -> dict[str, Any]:
        """Read the number, the amount and the day; what cannot be read says so beside its field."""
        cleaned = super().clean()
        parts = cents = first_on = None
        if cleaned.get("how") == "amount":
            try:
                cents = read_cents(cleaned.get("amount", ""))
            except InvalidAmount:
                self._no("amount", "amount_unreadable", _("Enter an amount, for example 50.00."))
        elif cleaned.get("how"):
            count = cleaned.get("count", "")
            parts = int(count) if count.isascii() and count.isdigit() else 0
            if not 2 <= parts <= 9_999:
                self._no("count", "count_unreadable", _("Enter a number of payments, 2 or more."))
        try:
            first_on = date.fromisoformat(cleaned.get("first_on", ""))
        except ValueError:
            self._no("first_on", "date_unreadable", _("Enter the day of the first payment."))
        if not self.errors:
            frequency = cleaned["frequency"]
            cleaned["wish"] = {
                "frequency": frequency,
                "parts": parts,
                "amount_cents": cents,
                "first_on": first_on,
            }
        return cleaned

    def _no(self, field: str, code: str, sentence: str) -> None:
        self.add_error(field, forms.ValidationError(sentence, code))

    def wish(self, choice: str) -> Wish:
        """Give what is wished for, as typed or, unbound, as it began."""
        if self.is_bound:
            return Wish(choice, **self.cleaned_data["wish"])
        began, by_amount = self.initial, self.initial["how"] == "amount"
        return Wish(
            choice,
            frequency=began["frequency"],
            parts=None if by_amount else int(began["count"]),
            amount_cents=read_cents(began["amount"]) if by_amount else None,
            first_on=date.fromisoformat(began["first_on"]),
        )

    def refuse(self, refusals: list[Refusal]) -> None:
        """Put each kind of refusal once beside the field that can mend it."""
        sized = "amount" if self.data.get("how") == "amount" else "count"
        said: set[str] = set()
        for refusal in refusals:
            if refusal.code in said:
                continue
            said.add(refusal.code)
            named = refusal.field or ""
            if named == "first_on" or refusal.code.startswith("first_date") or refusal.code == "day_has_changed":
                field: str | None = "first_on"
            elif named == "frequency":
                field = "frequency"
            elif named.startswith(("lines", "parts", "amount")):
                field = sized
            else:
                field = None
            self.add_error(field, forms.ValidationError(say(refusal), refusal.code))


class PromiseForm(RefusableForm):
    """A sum and the later day on which the consumer means to pay it."""

    amount = forms.CharField(
        label=_("Amount"),
        required=False,
        max_length=20,
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off", "required": True}),
    )
    first_on = forms.CharField(
        label=_("Day"), required=False, max_length=20, widget=forms.DateInput({"type": "date", "required": True})
    )

    def clean(self) -> dict[str, Any]:
        """Read both fields; each says beside itself what is wrong with it."""
        cleaned = super().clean()
        try:
            cleaned["amount_cents"] = read_cents(cleaned.get("amount", ""))
        except InvalidAmount:
            said = forms.ValidationError(_("Enter an amount, for example 50.00."), "amount_unreadable")
            self.add_error("amount", said)
        try:
            cleaned["day"] = date.fromisoformat(cleaned.get("first_on", ""))
        except ValueError:
            self.add_error("first_on", forms.ValidationError(_("Enter the day."), "date_unreadable"))
        return cleaned

    def wish(self) -> Wish:
        """Give what is promised."""
        typed = self.cleaned_data
        return Wish("promise", frequency="once", amount_cents=typed["amount_cents"], first_on=typed["day"])

    def refuse(self, refusals: list[Refusal]) -> None:
        """Put what is against the day beside the day, what is against the amount beside the amount."""
        for refusal in refusals:
            named = refusal.field or ""
            day = named == "first_on" or named.endswith("due_on")
            field = "first_on" if day else "amount" if "amount" in named or named == "lines" else None
            self.add_error(field, forms.ValidationError(say(refusal), refusal.code))


class UnsentInput(forms.TextInput):
    """Take a number that no page ever shows again, not even beside its own mistake."""

    def format_value(self, value: Any) -> None:
        return None


class BankForm(RefusableForm):
    """A bank account. The account number is never sent back to the browser; the rules judge all fields at once."""

    holder = forms.CharField(
        label=_("Name on the account"),
        required=False,
        max_length=120,
        widget=forms.TextInput({"autocomplete": "name", "required": True}),
    )
    routing_number = forms.CharField(
        label=_("Routing number"),
        required=False,
        max_length=20,
        help_text=_("Nine digits, at the bottom left of a check."),
        widget=forms.TextInput(
            {"inputmode": "numeric", "autocomplete": "off", "required": True},
        ),
    )
    account_number = forms.CharField(
        label=_("Account number"),
        required=False,
        max_length=30,
        widget=UnsentInput({"inputmode": "numeric", "autocomplete": "off", "required": True}),
    )
    account_type = forms.ChoiceField(
        label=_("Kind of account"),
        required=False,
        choices=[("checking", _("Checking")), ("savings", _("Savings"))],
        initial="checking",
        widget=forms.RadioSelect,
    )
    where = {
        "holder": "holder",
        "routing": "routing_number",
        "number": "account_number",
        "account_type": "account_type",
    }


class StoredForm(RefusableForm):
    """One of the ways to pay that the consumer agreed to keep."""

    method_id = forms.UUIDField(error_messages={"required": _("Choose one."), "invalid": _("Choose one.")})
    where = {"method": "method_id"}


class PaperlessForm(CodeForm):
    """Consent to electronic documents: the code from the document, and a tick that nobody ticked before (ES-01)."""

    agree = forms.BooleanField(
        label=_("I agree to get these documents by email. I could open the document you sent."),
        error_messages={"required": _("Tick the box if you agree, or choose letters.")},
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        code = self.fields["code"]
        code.label = _("Code in the document")
        code.error_messages["required"] = _("Enter the code that the document shows.")
        code.widget.attrs.pop("autofocus", None)


class AgreeForm(RefusableForm):
    """The signature: a tick, never set in advance."""

    agree = forms.BooleanField(
        label=_("I have read this authorization and agree to it."),
        error_messages={"required": _("Tick the box if you agree. Without it nothing is paid.")},
    )
