"""What staff write into templates and campaigns."""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts.models import Client
from accounts.refusals import Refusal
from campaigns.library import READY
from campaigns.models import Campaign, MessageTemplate, TemplateVersion
from campaigns.rules import audience as rules
from campaigns.rules.linter import LANGUAGES, Words
from campaigns.rules.notice_words import NOTICES
from settlements.admin.editor import HundredthsField, WholeField, plain, within
from settlements.rules.offers import MOST_DAYS, MOST_PAYMENTS

MOST_UPLOAD = 20 * 2**20
"""Bytes of a list of references: a million lines of twenty signs."""

NAMES = {"en": _("English"), "es": _("Spanish")}
PARTS = {"subject": _("Subject"), "preheader": _("Line beside the subject"), "body": _("Message")}


def _text(**attrs: Any) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget(attrs=attrs)


class StartForm(forms.Form):
    """Begin a template from a ready one."""

    key = forms.ChoiceField(
        label=_("Begin with"),
        choices=[(key, ready.name) for key, ready in READY.items()],
        widget=UnfoldAdminSelectWidget(),
        help_text=_("A ready message in English and Spanish; you can change every word."),
    )
    name = forms.CharField(label=_("Name"), max_length=80, widget=_text())
    client = forms.ModelChoiceField(
        label=_("For"),
        queryset=Client.objects.none(),
        required=False,
        empty_label=_("every client"),
        widget=UnfoldAdminSelectWidget(),
    )
    litigation = forms.BooleanField(
        label=_("It speaks of a suit"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("Then nobody gets it whose debt is, or may be, too old to sue for (RF-25)."),
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["client"].queryset = Client.objects.order_by("name")


class WordsForm(forms.Form):
    """The words of a template in both languages."""

    def __init__(self, *args, channel: str, words: dict[str, Words] | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for language in LANGUAGES:
            said = (words or {}).get(language) or Words(body="")
            for part, label in PARTS.items():
                if channel == "text" and part != "body":
                    continue
                widget = UnfoldAdminTextareaWidget(attrs={"rows": 14}) if part == "body" else _text()
                self.fields[f"{language}.{part}"] = forms.CharField(
                    label=f"{label} ({NAMES[language]})",
                    required=False,
                    strip=True,
                    widget=widget,
                    initial=getattr(said, part),
                )

    def words(self) -> dict[str, Words]:
        """Give what was written, by language."""
        said = self.cleaned_data
        return {
            language: Words(**{part: said.get(f"{language}.{part}", "").replace("\r\n", "\n") for part in PARTS})
            for language in LANGUAGES
        }

    def refuse(self, refusals: list[Refusal]) -> None:
        """Put refusals beside the fields that they name, each with its rule."""
        put(self, refusals)


def _with_channel(version: TemplateVersion) -> str:
    channel = version.template.channel
    return str(version) if channel == "email" else f"{version} ({version.template.get_channel_display()})"


class CampaignForm(forms.Form):
    """Everything about a campaign that its author decides."""

    name = forms.CharField(label=_("Name"), max_length=120, widget=_text(), help_text=_("For colleagues only."))
    purpose = forms.ChoiceField(
        label=_("Purpose"), choices=Campaign._meta.get_field("purpose").choices, widget=UnfoldAdminSelectWidget()
    )
    version_a = forms.ModelChoiceField(
        label=_("Template"), queryset=TemplateVersion.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    version_b = forms.ModelChoiceField(
        label=_("Second template, to compare"),
        queryset=TemplateVersion.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    share_b = WholeField(
        label=_("Percent that gets the second one"), required=False, initial=50, validators=[within(1, 99)]
    )
    starts_at = forms.DateTimeField(
        label=_("Starts"),
        required=False,
        widget=_text(type="datetime-local"),
        help_text=_("Empty: when it is approved. Every message waits for hours that suit its reader."),
    )
    percent_bps = HundredthsField(
        label=_("Offer, percent of the balance"),
        required=False,
        help_text=_("Empty: no offer is made."),
        validators=[within(1, 100_00, plain)],
    )
    max_payments = WholeField(label=_("Most payments"), required=False, validators=[within(1, MOST_PAYMENTS)])
    max_days = WholeField(
        label=_("Days to finish"),
        required=False,
        help_text=_("Empty: paid at once."),
        validators=[within(0, MOST_DAYS)],
    )
    expires_on = forms.DateField(label=_("Last day to accept"), required=False, widget=_text(type="date"))
    clients = forms.ModelMultipleChoiceField(
        label=_("Clients"),
        queryset=Client.objects.none(),
        required=False,
        help_text=_("None: all."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    balance_from_cents = HundredthsField(
        label=_("Balance from, $"), required=False, validators=[within(0, rules.MOST_CENTS, plain)]
    )
    balance_to_cents = HundredthsField(
        label=_("Balance to, $"), required=False, validators=[within(0, rules.MOST_CENTS, plain)]
    )
    listed_from_days = WholeField(
        label=_("Listed at least so many days ago"), required=False, validators=[within(0, rules.MOST_DAYS)]
    )
    listed_to_days = WholeField(
        label=_("Listed at most so many days ago"), required=False, validators=[within(0, rules.MOST_DAYS)]
    )
    states = forms.CharField(
        label=_("States"), required=False, widget=_text(), help_text=_("Two letters each: NY, NJ. None: all.")
    )
    languages = forms.MultipleChoiceField(
        label=_("Languages"),
        choices=[(key, NAMES[key]) for key in LANGUAGES],
        required=False,
        help_text=_("None: all."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    quiet_days = WholeField(
        label=_("No message for so many days"), required=False, validators=[within(0, rules.MOST_DAYS)]
    )
    abandoned_days = WholeField(
        label=_("Began to pay and left, in the last days"), required=False, validators=[within(0, rules.MOST_DAYS)]
    )
    has_offer = forms.ChoiceField(
        label=_("Open offer"),
        choices=[("", _("all the same")), ("yes", _("has one")), ("no", _("has none"))],
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    opened_not_paid = forms.ModelChoiceField(
        label=_("Read this campaign and did not pay"),
        queryset=Campaign.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    joined = forms.BooleanField(
        label=_("Only who is named to it by a host's file"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("A standing campaign: it begins with nobody and goes on until it is stopped."),
    )
    references = forms.FileField(
        label=_("List of references"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(),
        help_text=_("One reference per line. The filters above narrow it."),
    )

    AUDIENCE = (
        "balance_from_cents",
        "balance_to_cents",
        "listed_from_days",
        "listed_to_days",
        "quiet_days",
        "abandoned_days",
    )

    GROUPS = (
        (_("The message"), ("name", "purpose", "version_a", "version_b", "share_b", "starts_at")),
        (_("The offer in it"), ("percent_bps", "max_payments", "max_days", "expires_on")),
        (
            _("Who gets it"),
            (
                *("clients", "languages", "states", "balance_from_cents", "balance_to_cents", "listed_from_days"),
                *("listed_to_days", "quiet_days", "abandoned_days", "has_offer", "opened_not_paid", "joined"),
                "references",
            ),
        ),
    )
    """What stands together on the page."""

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Give the fields as they stand together."""
        return [(title, [self[name] for name in names]) for title, names in self.GROUPS]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        published = (
            TemplateVersion.objects.filter(status=TemplateVersion.Status.PUBLISHED, template__retired_at=None)
            .exclude(template__kind__in=NOTICES)
            .exclude(template__kind=MessageTemplate.Kind.REPLY)
            .select_related("template")
        )
        for name in ("version_a", "version_b"):
            self.fields[name].queryset = published.order_by("template__channel", "template__name")
            self.fields[name].label_from_instance = _with_channel
        self.fields["clients"].queryset = Client.objects.order_by("name")
        self.fields["opened_not_paid"].queryset = Campaign.objects.exclude(started_at=None).order_by("-started_at")

    @classmethod
    def of(cls, campaign: Campaign) -> dict[str, Any]:
        """Give a campaign as the form shows it."""
        said, offer = campaign.audience, campaign.offer
        choice = {True: "yes", False: "no"}.get(said.get("has_offer"), "")
        return {
            "name": campaign.name,
            "purpose": campaign.purpose,
            "version_a": campaign.version_a_id,
            "version_b": campaign.version_b_id,
            "share_b": campaign.share_b,
            # As the browser's own field writes it, in the agency's zone.
            "starts_at": f"{timezone.localtime(campaign.starts_at):%Y-%m-%dT%H:%M}" if campaign.starts_at else "",
            **{name: offer.get(name) for name in ("percent_bps", "max_payments", "max_days", "expires_on")},
            **{name: said.get(name) for name in cls.AUDIENCE},
            "clients": said.get("clients", []),
            "states": ", ".join(said.get("states", [])),
            "languages": said.get("languages", []),
            "has_offer": choice,
            "opened_not_paid": said.get("opened_not_paid"),
            "joined": said.get("joined", False),
        }

    def clean_states(self) -> list[str]:
        return [state.upper() for state in self.cleaned_data["states"].replace(",", " ").split()]

    def clean_references(self):
        file = self.cleaned_data["references"]
        if file and file.size > MOST_UPLOAD:
            raise forms.ValidationError(_("This file is too large."), "too_large")
        return file

    def clean(self):
        said = super().clean()
        put(self, rules.check(self._audience()))
        return said

    def _audience(self) -> dict[str, Any]:
        """Give whom it is for, as far as it could be read."""
        said = self.cleaned_data
        audience: dict[str, Any] = {name: said[name] for name in self.AUDIENCE if said.get(name) is not None}
        audience |= {name: said[name] for name in ("states", "languages") if said.get(name)}
        if said.get("clients"):
            audience["clients"] = [str(client.pk) for client in said["clients"]]
        if said.get("has_offer"):
            audience["has_offer"] = said["has_offer"] == "yes"
        if said.get("opened_not_paid"):
            audience["opened_not_paid"] = str(said["opened_not_paid"].pk)
        if said.get("joined"):
            audience["joined"] = True
        return audience

    def values(self, before: Campaign) -> dict[str, Any]:
        """Give what was written as the service takes it."""
        said, audience = self.cleaned_data, self._audience()
        if before.audience.get("list"):
            audience["list"] = True
        offer: dict[str, Any] = {}
        if said["percent_bps"]:
            offer = {"percent_bps": said["percent_bps"], "max_payments": said["max_payments"] or 1}
            offer |= {"max_days": said["max_days"]} if said["max_days"] is not None else {}
            offer |= {"expires_on": said["expires_on"].isoformat()} if said["expires_on"] else {}
        return {
            "name": said["name"],
            "purpose": said["purpose"],
            "channel": said["version_a"].template.channel,
            "version_a": said["version_a"],
            "version_b": said["version_b"],
            "share_b": 50 if said["share_b"] is None else said["share_b"],
            "starts_at": said["starts_at"],
            "audience": audience,
            "offer": offer,
        }


def put(form: forms.Form, refusals: list[Refusal]) -> None:
    """Put refusals beside the fields that they name; the rest stands above."""
    for refusal in refusals:
        rule = refusal.params.get("rule")
        said = f"{refusal.sentence} ({rule})" if rule else refusal.sentence
        name = refusal.field or ""
        form.add_error(name if name in form.fields else None, forms.ValidationError(said, code=refusal.code))
