"""Staff pages of budgets and hardship: the forms, what was submitted, pauses, and the documents that came with them."""

from django.contrib import admin

from accounts.columns import status_of
from accounts.desk import AgencyAdmin, FactAdmin
from settlements.models import Affordability, AffordabilityForm, Evidence, Hardship, HardshipPolicy

status = status_of(
    {
        "submitted": "info",
        "accepted": "success",
        "declined": "warning",
        "requested": "info",
        "granted": "success",
        "published": "success",
    }
)


@admin.register(AffordabilityForm)
class AffordabilityFormAdmin(FactAdmin):
    """A budget form, version by version."""

    list_display = ["__str__", "client", "version", status, "published_at"]
    list_filter = ["status"]


@admin.register(Affordability)
class AffordabilityAdmin(FactAdmin):
    """What a consumer can afford, as they said it."""

    list_display = ["account", status, "outcome", "surplus_cents", "share_cents", "submitted_at"]
    list_filter = ["status", "outcome"]


@admin.register(Hardship)
class HardshipAdmin(FactAdmin):
    """A pause that a consumer asked for."""

    list_display = ["account", status, "cause", "asked_days", "ends_on", "review_on", "asked_at"]
    list_filter = ["status", "cause"]


@admin.register(HardshipPolicy)
class HardshipPolicyAdmin(AgencyAdmin):
    """How the agency treats people in hardship."""

    one_row = True
    list_display = ["__str__"]
    fields = ["automatic_days", "longest_days", "review_days", "advice"]


@admin.register(Evidence)
class EvidenceAdmin(FactAdmin):
    """A document that came with a request."""

    list_display = ["hardship", "number", "kind", "size_bytes", "uploaded_at"]
