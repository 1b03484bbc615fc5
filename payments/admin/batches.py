"""Staff pages of payment batches."""

from django.contrib import admin

from accounts.desk import FactAdmin
from payments.admin.money import OfAccount, status
from payments.models import BatchItem, PaymentBatch


@admin.register(PaymentBatch)
class PaymentBatchAdmin(FactAdmin):
    """Payments that are executed outside the portal, handed over together."""

    list_display = ["number", "method", status, "items_count", "total_cents", "due_until", "created_at"]
    list_filter = ["status", "method"]


@admin.register(BatchItem)
class BatchItemAdmin(OfAccount):
    """One item of a batch; in one batch only, ever."""

    list_display = ["batch", "account", "amount_cents", status, "added_at", "removed_at"]
    list_filter = ["status"]
