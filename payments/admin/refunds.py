"""Staff pages of what goes back, and of what must be looked at."""

from django.contrib import admin

from payments.admin.money import OfAccount, status
from payments.models import Incident, Refund


@admin.register(Refund)
class RefundAdmin(OfAccount):
    """Money given back: asked, approved, done."""

    list_display = ["asked_at", "account", "payment", "amount_cents", status, "asked_by", "decided_by"]
    list_filter = ["status"]


@admin.register(Incident)
class IncidentAdmin(OfAccount):
    """What staff must look at and close, oldest first."""

    list_display = ["opened_at", "kind", "severity", "account", "payment", "closed_at"]
    list_filter = ["severity", "kind"]
    ordering = ["opened_at"]
