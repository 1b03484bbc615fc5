"""The few fields a consumer fills in before we know them, and the code after; each says what it is for (A11Y-11)."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.keys import digits, reference_key, zip_key
from accounts.models import Agency


class IdentifyForm(forms.Form):
    """Reference, last name and the agency's third fact. The answer to a miss is one sentence for the whole form."""

    reference = forms.CharField(
        label=_("Reference number"),
        max_length=60,
        help_text=_("It is on our letter or message to you."),
        error_messages={"required": _("Enter the reference number.")},
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )
    last_name = forms.CharField(
        label=_("Last name"),
        max_length=80,
        error_messages={"required": _("Enter your last name.")},
        widget=forms.TextInput({"autocomplete": "family-name"}),
    )

    def __init__(self, *args, factor: str, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if factor == Agency.Factor.SSN4:
            self.fields["factor"] = forms.CharField(
                label=_("Last four of your Social Security number"),
                max_length=4,
                help_text=_("Four digits. We compare them and never show the whole number."),
                error_messages={"required": _("Enter the last four digits.")},
                widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off", "class": "short"}),
            )
        else:
            self.fields["factor"] = forms.CharField(
                label=_("ZIP code"),
                max_length=10,
                error_messages={"required": _("Enter your ZIP code.")},
                widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "postal-code", "class": "short"}),
            )
        self.factor = factor

    def clean_reference(self) -> str:
        value = self.cleaned_data["reference"]
        if not reference_key(value):
            raise forms.ValidationError(_("Enter the number as it is printed on our letter."), "reference_unreadable")
        return value

    def clean_factor(self) -> str:
        value = self.cleaned_data["factor"]
        if self.factor == Agency.Factor.SSN4 and len(digits(value)) != 4:
            raise forms.ValidationError(_("Enter exactly four digits."), "four_digits")
        if self.factor == Agency.Factor.ZIP and len(zip_key(value)) != 5:
            raise forms.ValidationError(_("Enter the five digits of your ZIP code."), "five_digits")
        return value


class FactorForm(IdentifyForm):
    """One fact: whoever holds the link has it from us, the fact says that it is theirs."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for name in ("reference", "last_name"):
            del self.fields[name]


class ContactForm(forms.Form):
    """Where a code should go."""

    contact = forms.ChoiceField(label=_("Where should we send it?"), widget=forms.RadioSelect)

    def __init__(self, *args, contacts, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["contact"].choices = [(str(contact.pk), contact.masked) for contact in contacts]
        self.fields["contact"].error_messages["required"] = _("Choose where we should send the code.")


class EmailForm(forms.Form):
    """A new address; beside it stands what it may be used for, and the version of that comes back (RF-13)."""

    email = forms.EmailField(
        label=_("New email address"),
        max_length=254,
        error_messages={
            "required": _("Enter an email address."),
            "invalid": _("Enter an email address like name@example.com."),
        },
        widget=forms.EmailInput({"autocomplete": "email", "spellcheck": "false"}),
    )
    version = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args, wording: str, version: str, **kwargs) -> None:
        super().__init__(*args, initial={"version": version}, **kwargs)
        self.fields["email"].help_text = wording
        self.current = version

    def clean(self) -> None:
        if self.cleaned_data.get("version") != self.current:
            # A page from before the wording changed, or none of ours: the text is read again first.
            self.errors.pop("version", None)
            raise forms.ValidationError(_("Please read the text beside the address and try again."), "old_wording")


class CodeForm(forms.Form):
    """The six digits; spaces and a pasted text are fine (A11Y-02)."""

    code = forms.CharField(
        label=_("Six-digit code"),
        max_length=20,
        error_messages={"required": _("Enter the code.")},
        widget=forms.TextInput(
            {"inputmode": "numeric", "autocomplete": "one-time-code", "class": "short", "autofocus": True}
        ),
    )

    def clean_code(self) -> str:
        value = digits(self.cleaned_data["code"])
        if len(value) != 6:
            raise forms.ValidationError(_("The code has six digits."), "six_digits")
        return value
