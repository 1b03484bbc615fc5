"""Staff pages of rule sets."""

from django.contrib import admin

from accounts.columns import status_of
from accounts.desk import FactAdmin
from settlements.models import RuleSet

status = status_of({"published": "success", "draft": "info", "waiting": "warning"})


@admin.register(RuleSet)
class RuleSetAdmin(FactAdmin):
    """One version of the rules of one level."""

    list_display = ["client", "version", status, "effective_at", "withdrawn_at"]
