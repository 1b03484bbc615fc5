"""Staff pages of quotes: what was worked out for one account, frozen."""

from django.contrib import admin

from accounts.columns import status_of
from accounts.desk import FactAdmin
from settlements.models import Quote

status = status_of({"accepted": "success", "open": "info"})


@admin.register(Quote)
class QuoteAdmin(FactAdmin):
    """What somebody would agree to: worked out once, accepted as it is or not at all."""

    list_display = ["made_at", "account", "choice", "total_cents", "frequency", status, "expires_at"]
    list_filter = ["status", "choice"]
    fields = [
        ("account", status),
        ("choice", "frequency"),
        ("total_cents", "method"),
        "lines",
        "terms",
        ("made_at", "made_by"),
        ("expires_at", "accepted_at"),
        "result_id",
        "world",
    ]
