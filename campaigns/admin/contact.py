"""Staff pages of the gate: what the agency adds to the law, and every decision with its reasons."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.columns import label
from accounts.desk import AgencyAdmin, FactAdmin
from campaigns.models import ContactDecision, ContactPolicy


@admin.register(ContactPolicy)
class ContactPolicyAdmin(AgencyAdmin):
    """Hours and numbers; the law's own limits cannot be widened here."""

    one_row = True
    list_display = ["__str__", "most_in_week"]
    fieldsets = [
        (_("Hours, where the consumer lives"), {"fields": [("opens", "closes")]}),
        (_("How often"), {"fields": ["most_in_week"]}),
        (_("Addresses at work"), {"fields": ["employers"]}),
    ]


@admin.register(ContactDecision)
class ContactDecisionAdmin(FactAdmin):
    """Why a contact was allowed or not, at that moment."""

    list_display = ["at", "verdict", "why", "channel", "purpose", "account", "contact_point", "asked_by"]
    list_filter = ["allowed", "channel", "purpose"]
    fields = [
        ("verdict", "outcome"),
        ("channel", "purpose"),
        ("consumer", "account"),
        ("contact_point", "message"),
        "denials",
        "checked",
        ("at", "hold_until", "expires_at"),
        ("zones", "rules_version"),
        "asked_by",
    ]

    @display(description=_("decision"))
    def verdict(self, decision) -> str:
        if decision.allowed:
            return label("success", _("allowed"))
        return label("warning", _("later")) if decision.hold_until else label("danger", _("not allowed"))

    @display(description=_("against it"))
    def why(self, decision) -> str:
        return ", ".join(denial["code"] for denial in decision.denials) or "-"
