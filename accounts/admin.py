"""Staff pages of the ground floor, and the two kinds of admin every floor uses: things staff keep, and facts.

The acting agency is set by the middleware, so lists, drop-downs and look-ups see one agency's rows only; platform
staff see all and change nothing that belongs to an agency.
"""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts import branding
from accounts.crypto import mask
from accounts.models import Account, Agency, Client, Consent, Consumer, ContactPoint, Event, User
from accounts.scope import ALL_AGENCIES, acting


class AgencyAdmin(ModelAdmin):
    """Keep rows of the acting agency; the platform looks, the agency decides."""

    list_fullwidth = True
    warn_unsaved_form = True
    show_full_result_count = False

    def has_add_permission(self, request, *args) -> bool:
        return acting() not in ("", ALL_AGENCIES) and super().has_add_permission(request, *args)

    def has_change_permission(self, request, obj=None) -> bool:
        return acting() not in ("", ALL_AGENCIES) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None) -> bool:
        return False


class FactAdmin(AgencyAdmin):
    """Show facts; nobody adds, changes or deletes one here. What staff may do is an action that calls one service."""

    actions = None

    def has_add_permission(self, request, *args) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False


class FactInline(TabularInline):
    """List facts on the page they belong to."""

    extra = 0
    can_delete = False
    show_change_link = True
    tab = True

    def has_add_permission(self, request, obj=None) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False


def timeline(events) -> str:
    """Render events as a timeline, newest first: when, what, who, and the numbers in it."""
    rows = (
        (
            event.occurred_at.strftime("%Y-%m-%d %H:%M:%S"),
            event.kind,
            event.actor,
            ", ".join(f"{key}: {value}" for key, value in event.data.items() if key != "v" and value not in ("", None)),
        )
        for event in events
    )
    body = format_html_join(
        "",
        '<tr><td class="whitespace-nowrap align-top pr-4">{}</td><td class="whitespace-nowrap align-top pr-4">'
        '<strong>{}</strong></td><td class="whitespace-nowrap align-top pr-4">{}</td><td>{}</td></tr>',
        rows,
    )
    return format_html('<table class="w-full text-sm">{}</table>', body) if body else "-"


@admin.register(Agency)
class AgencySettingsAdmin(ModelAdmin):
    """The agency's own settings and face. Its staff see one row: their own."""

    list_display = ["name", "slug", "phone", "is_active"]
    readonly_fields = ["id", "created_at"]
    fieldsets = [
        (None, {"fields": ["name", "legal_name", "slug", "is_active"]}),
        (_("What consumers see"), {"fields": ["address", "phone", "email", "hours", "licences", "time_zone"]}),
        (_("Face"), {"fields": ["brand", "accent"]}),
        (_("Identification and payment"), {"fields": ["factor", "allow_visa_credit", "balance_fresh_hours"]}),
    ]

    def get_queryset(self, request):
        agencies = super().get_queryset(request)
        return agencies if acting() == ALL_AGENCIES else agencies.filter(pk=acting() or None)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)

        class Checked(form):
            def clean(self):
                cleaned = super().clean()
                for name in ("brand", "accent"):
                    if cleaned.get(name) and (problem := check_contrast(cleaned[name])):
                        self.add_error(name, problem)
                return cleaned

        return Checked

    def get_readonly_fields(self, request, obj=None):
        own = [] if acting() == ALL_AGENCIES else ["slug", "is_active"]
        return [*super().get_readonly_fields(request, obj), *own]

    def has_add_permission(self, request) -> bool:
        return acting() == ALL_AGENCIES and super().has_add_permission(request)

    def has_delete_permission(self, request, obj=None) -> bool:
        return False

    def save_model(self, request, obj, form, change) -> None:
        if {"brand", "accent"} & set(form.changed_data):
            obj.branding_version += 1
        super().save_model(request, obj, form, change)


@admin.register(User)
class StaffAdmin(DjangoUserAdmin, ModelAdmin):
    """The agency's own users: its administrator invites them and gives them roles, never more."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "role_names", "is_active", "last_login"]
    list_filter = ["is_active", "groups"]
    filter_horizontal = ["groups"]
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": ["first_name", "last_name", "email"]}),
        (_("Roles"), {"fields": ["is_active", "groups"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]

    @admin.display(description=_("roles"))
    def role_names(self, user) -> str:
        return ", ".join(group.name for group in user.groups.all())

    def get_queryset(self, request):
        users = super().get_queryset(request).prefetch_related("groups")
        return users if request.user.is_superuser else users.filter(agency=request.user.agency_id)

    def save_model(self, request, obj, form, change) -> None:
        if not change and not request.user.is_superuser:
            obj.agency, obj.is_staff = request.user.agency, True
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request, obj=None) -> bool:
        return False


class ContactPoints(FactInline):
    model = ContactPoint
    fields = ["kind", "masked", "label", "host_status", "textable", "route", "opted_out_at", "bad_at"]
    readonly_fields = ["masked"]


class Consents(FactInline):
    model = Consent
    fields = ["kind", "granted", "demonstrated", "version", "language", "source", "at"]


@admin.register(Consumer)
class ConsumerAdmin(FactAdmin):
    """A person with their contact points, consents and timeline. Identity data is masked."""

    list_display = ["__str__", "city", "state", "language", "created_at"]
    search_fields = ["last_name_key__startswith"]
    search_help_text = _("Last name, from its first letter")
    fields = [("first_name", "last_name"), "ssn_masked", "dob_masked", "place", ("language", "time_zone"), "timeline"]
    readonly_fields = ["ssn_masked", "dob_masked", "place", "timeline"]
    inlines = [ContactPoints, Consents]

    @admin.display(description=_("Social Security number"))
    def ssn_masked(self, consumer) -> str:
        return mask(consumer.ssn) or "-"

    @admin.display(description=_("date of birth"))
    def dob_masked(self, consumer) -> str:
        return f"••••-••-{consumer.dob[-2:]}" if consumer.dob else "-"

    @admin.display(description=_("address"))
    def place(self, consumer) -> str:
        return f"{consumer.street1}, {consumer.city}, {consumer.state} {consumer.zip}"

    @admin.display(description=_("timeline"))
    def timeline(self, consumer) -> str:
        return timeline(consumer.events.order_by("-id")[:100])

    def get_search_results(self, request, queryset, search_term):
        from accounts.keys import name_key

        found = queryset.filter(last_name_key__startswith=name_key(search_term)) if search_term else queryset
        return found, False


@admin.register(Client)
class ClientAdmin(AgencyAdmin):
    """A creditor; its own card policy when it differs from the agency's."""

    list_display = ["number", "name", "allow_visa_credit"]
    fields = ["number", "name", "allow_visa_credit"]
    readonly_fields = ["number", "name"]

    def has_add_permission(self, request, *args) -> bool:
        return False


@admin.register(Event)
class EventAdmin(FactAdmin):
    """The audit line of everything, in the agency's order."""

    list_display = ["occurred_at", "kind", "account", "actor", "sequence"]
    list_filter = ["kind"]
    list_select_related = ["account"]
    search_fields = ["account__reference_key"]
    date_hierarchy = "occurred_at"


@admin.register(Account)
class AccountAdmin(FactAdmin):
    """One account with its timeline; other floors add their inlines in portal/staff.py."""

    list_display = ["reference", "consumer", "client", "status", "balance", "as_of"]
    list_filter = ["status"]
    list_select_related = ["consumer", "client"]
    search_fields = ["reference_key"]
    search_help_text = _("Reference number")
    fields = [
        ("reference", "client", "consumer"),
        ("status", "host_status"),
        ("balance", "assigned", "as_of", "host_version"),
        ("original_creditor", "description", "contract_on", "debt_type"),
        ("assigned_on", "listed_on", "itemization_on", "validation_sent_on"),
        ("sol_status", "sol_on"),
        "payment_options",
        "timeline",
    ]
    readonly_fields = ["balance", "assigned", "timeline"]

    @admin.display(description=_("balance"), ordering="balance_cents")
    def balance(self, account) -> str:
        return f"${account.balance_cents / 100:,.2f}"

    @admin.display(description=_("assigned balance"))
    def assigned(self, account) -> str:
        return "-" if account.assigned_cents is None else f"${account.assigned_cents / 100:,.2f}"

    @admin.display(description=_("timeline"))
    def timeline(self, account) -> str:
        return timeline(account.events.order_by("-account_seq")[:200])

    def get_search_results(self, request, queryset, search_term):
        from accounts.keys import reference_key

        return (queryset.filter(reference_key=reference_key(search_term)) if search_term else queryset), False
