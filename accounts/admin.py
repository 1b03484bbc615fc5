"""Staff pages of the ground floor, but for the staff themselves (`admin_staff`).

The account's and the consumer's own pages are composed in portal/admin.py.
"""

from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminColorInputWidget

from accounts import admin_staff, branding  # noqa: F401 - registers its pages
from accounts.columns import status_of
from accounts.consumer_desk import ConsumerDesk, QuietTimeDesk
from accounts.crypto import mask
from accounts.desk import AgencyAdmin, Desk, FactAdmin, FactInline
from accounts.keys import name_key, reference_key
from accounts.models import (
    Account,
    Agency,
    Client,
    Consent,
    ContactPoint,
    Event,
    IdentifyAttempt,
    Licence,
    QuietTime,
    SessionLink,
    Suppression,
    Visit,
)
from accounts.scope import ALL_AGENCIES, acting
from accounts.spans import MomentsFilter
from accounts.timeline import sentence, who

STATUS_TONES = {
    "open": "success",
    "paid": "info",
    "unmapped": "danger",
    "blocked": "warning",
    "disputed": "warning",
    "bankruptcy": "warning",
    "deceased": "warning",
    "attorney": "warning",
    "cease": "warning",
}
status = status_of(STATUS_TONES)


class AgencyFaceForm(forms.ModelForm):
    """Refuse colours that consumers could not read (A11Y-12) and time zones that do not exist."""

    NEEDED = {"brand": branding.TEXT_CONTRAST, "accent": branding.SHAPE_CONTRAST}

    class Meta:
        widgets = {"brand": UnfoldAdminColorInputWidget, "accent": UnfoldAdminColorInputWidget}
        help_texts = {
            "rules_need_two_people": _(
                "Whoever submits a rule set cannot publish it. Once on, only the platform switches it off."
            )
        }

    def clean(self):
        cleaned = super().clean()
        for name, needed in self.NEEDED.items():
            try:
                if name in cleaned:
                    branding.check(cleaned[name], needed=needed)
            except branding.Unreadable as error:
                self.add_error(name, str(error))
        return cleaned

    def clean_time_zone(self):
        if (zone := self.cleaned_data["time_zone"]) not in available_timezones():
            raise forms.ValidationError(_("There is no such time zone, for example: America/New_York"))
        return zone


@admin.register(Agency)
class AgencySettingsAdmin(Desk):
    """The agency's own settings and face. Its staff see one row: their own."""

    form = AgencyFaceForm
    warn_unsaved_form = True
    list_display = ["name", "slug", "phone", "is_active"]
    fieldsets = [
        (None, {"fields": [("name", "legal_name"), ("slug", "is_active")]}),
        (
            _("What consumers see"),
            {"fields": ["address", ("phone", "email"), ("hours", "hours_es"), "licences", "time_zone"]},
        ),
        (_("Face"), {"fields": [("brand", "accent")]}),
        (
            _("Identification and payment"),
            {
                "fields": [
                    "factor",
                    "allow_visa_credit",
                    "balance_fresh_hours",
                    "old_debt_parts_states",
                    "licensed_only",
                ]
            },
        ),
        (_("Rule sets"), {"fields": ["rules_need_two_people"]}),
    ]

    def get_queryset(self, request):
        agencies = super().get_queryset(request)
        return agencies if acting() == ALL_AGENCIES else agencies.filter(pk=acting() or None)

    def get_readonly_fields(self, request, obj=None):
        """Leave to the platform what nobody at the agency may decide alone: a second person is asked or is not."""
        if acting() == ALL_AGENCIES:
            return []
        return ["slug", "is_active", *(["rules_need_two_people"] if obj and obj.rules_need_two_people else [])]

    def has_add_permission(self, request) -> bool:
        return acting() == ALL_AGENCIES and super().has_add_permission(request)

    def changelist_view(self, request, extra_context=None):
        return self.only_row(request) or super().changelist_view(request, extra_context)

    def save_model(self, request, obj, form, change) -> None:
        super().save_model(request, obj, form, change)
        if change and {"brand", "accent"} & set(form.changed_data):
            obj.renew_face()


@admin.register(Licence)
class LicenceAdmin(AgencyAdmin):
    """Where the agency is licensed, and the line that is printed there (ST-09)."""

    list_display = ["state", "line", "starts_on", "ends_on"]
    list_filter = ["state"]
    fields = ["state", "line", ("starts_on", "ends_on")]
    ordering = ["state", "-starts_on"]


@admin.register(Client)
class ClientAdmin(AgencyAdmin):
    """A creditor; its own card policy when it differs from the agency's."""

    list_display = ["number", "name", "allow_visa_credit"]
    fields = ["number", "name", "allow_visa_credit"]
    readonly_fields = ["number", "name"]
    search_fields = ["number", "name"]

    def has_add_permission(self, request, *args) -> bool:
        return False


class ContactPoints(FactInline):
    model = ContactPoint
    fields = ["kind", "masked", "label", "host_status", "textable", "route", "opted_out_at", "bad_at", "removed_at"]


class Suppressions(FactInline):
    model = Suppression
    fields = ["stream", "source", "words", "at", "ended_at"]


class Consents(FactInline):
    model = Consent
    fields = ["kind", "granted", "demonstrated", "version", "language", "source", "at"]


class Visits(FactInline):
    model = Visit
    fields = ["started_at", "level", "language", "ended_at", "end_reason", "payment_made_at"]


class Accounts(FactInline):
    model = Account
    fields = ["reference", "client", "status", "balance_cents", "as_of"]


class ConsumerAdmin(ConsumerDesk):
    """A person; identity data is masked."""

    list_display = ["__str__", "city", "state", "language", "created_at"]
    search_fields = ("last_name_key__startswith",)
    search_help_text = _("Last name, from its first letters")
    fields = [("first_name", "last_name"), ("ssn_masked", "dob_masked"), "place", ("language", "time_zone")]
    hidden = ("ssn_index", "ssn4_index", "dob_index", "zip_index")

    @display(description=_("Social Security number"))
    def ssn_masked(self, consumer) -> str:
        return mask(consumer.ssn) or "-"

    @display(description=_("date of birth"))
    def dob_masked(self, consumer) -> str:
        return f"••••-••-{consumer.dob[-2:]}" if consumer.dob else "-"

    @display(description=_("address"))
    def place(self, consumer) -> str:
        street = ", ".join(filter(None, [consumer.street1, consumer.street2, consumer.city]))
        return f"{street}, {consumer.state} {consumer.zip}".strip(", ")

    def get_search_results(self, request, queryset, search_term):
        key = name_key(search_term)
        return (queryset.filter(last_name_key__startswith=key) if key else queryset), False


class AccountAdmin(FactAdmin):
    """One account as the host last told it."""

    list_display = ["reference", "consumer", "client", status, "balance_cents", "as_of"]
    list_filter = ["status"]
    search_fields = ("reference_key",)
    search_help_text = _("Reference number")
    fields = [
        ("client", "consumer"),
        (status, "host_status"),
        ("balance_cents", "assigned_cents"),
        ("as_of", "host_version"),
        ("original_creditor", "description"),
        ("contract_on", "debt_type"),
        ("assigned_on", "listed_on"),
        ("itemization_on", "itemization_basis"),
        "itemization",
        ("sol_status", "sol_on"),
        "validation_sent_on",
        "payment_options",
    ]
    hidden = ("body_hash",)

    def get_search_results(self, request, queryset, search_term):
        key = reference_key(search_term)
        return (queryset.filter(reference_key=key) if key else queryset), False


@admin.register(ContactPoint)
class ContactPointAdmin(FactAdmin):
    inlines = [Suppressions]
    list_display = ["masked", "kind", "consumer", "label", "host_status", "textable", "opted_out_at", "bad_at"]
    list_filter = ["kind", "textable"]
    hidden = ("value", "value_key")

    def get_fields(self, request, obj=None):
        return ["masked", *super().get_fields(request, obj)]


@admin.register(Consent)
class ConsentAdmin(FactAdmin):
    list_display = ["at", "consumer", "kind", "granted", "demonstrated", "source", "version", "language"]
    list_filter = ["kind", "granted", "source"]


@admin.register(QuietTime)
class QuietTimeAdmin(QuietTimeDesk):
    """Hours that do not suit a consumer (RF-04)."""

    list_display = ["consumer", "weekday", "starts", "ends", "source", "at", "ended_at"]
    list_filter = ["weekday", "source"]


@admin.register(Event)
class EventAdmin(FactAdmin):
    """The audit line of everything, in the agency's order."""

    list_display = ["occurred_at", "said", "account", "consumer", "by", "sequence"]
    list_filter = [("occurred_at", MomentsFilter)]
    search_fields = ("kind",)
    search_help_text = _("Reference number, or a kind such as payment.declined")
    fields = [
        "said",
        ("occurred_at", "kind"),
        ("account", "consumer"),
        ("actor", "request_id"),
        ("sequence", "account_seq"),
        "data",
    ]

    @display(description=_("what"))
    def said(self, event) -> str:
        return sentence(event)

    @display(description=_("by"))
    def by(self, event) -> str:
        return who(event.actor)

    def get_search_results(self, request, queryset, search_term):
        if "." in search_term:
            return queryset.filter(kind__startswith=search_term.strip()), False
        key = reference_key(search_term)
        return (queryset.filter(account__reference_key=key) if key else queryset), False


@admin.register(Visit)
class VisitAdmin(FactAdmin):
    list_display = ["started_at", "consumer", "account", "level", "language", "seen_at", "end_reason"]
    list_filter = ["level", "end_reason"]


@admin.register(SessionLink)
class SessionLinkAdmin(FactAdmin):
    """Links to the log-in that the agency's own system made."""

    list_display = ["made_at", "account", "page", "made_by", "expires_at", "used_at", "revoked_at"]
    hidden = ("token_hash",)


@admin.register(IdentifyAttempt)
class IdentifyAttemptAdmin(FactAdmin):
    """Who tried to identify themselves: what soft lock-out counts (AUTH-03)."""

    list_display = ["at", "ok", "ip"]
    list_filter = ["ok"]
    hidden = ("reference_hash",)
