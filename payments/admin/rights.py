"""Staff pages of what consumers say about a debt, and of links by which somebody pays."""

from django.contrib import admin

from payments.admin.money import OfAccount, status
from payments.models import CreditorRequest, Dispute, PayLink


@admin.register(Dispute)
class DisputeAdmin(OfAccount):
    """“This is wrong”: campaigns and scheduled charges wait until it is resolved (RF-32)."""

    list_display = ["opened_at", "account", "reason", status, "in_validation_period", "resolved_at"]
    list_filter = ["status", "reason"]


@admin.register(CreditorRequest)
class CreditorRequestAdmin(OfAccount):
    """“Who is the original creditor?”"""

    list_display = ["asked_at", "account", "in_validation_period", "answered_at"]


@admin.register(PayLink)
class PayLinkAdmin(OfAccount):
    """A link to pay an amount, without creditor and balance."""

    list_display = ["made_at", "account", "kind", "amount_cents", "expires_at", "revoked_at", "payment"]
    list_filter = ["kind"]
    hidden = ("token_hash",)
