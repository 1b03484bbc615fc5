"""Staff pages of money: the processor account is kept, everything else is a fact."""

import re

from django.contrib import admin
from django.db.models import CharField
from django.db.models.functions import Cast, Right
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import action

from accounts.columns import status_of, sum_of
from accounts.desk import AgencyAdmin, FactAdmin, FactInline
from accounts.keys import reference_key
from accounts.money import format_cents
from accounts.spans import DaysFilter, MomentsFilter
from payments.admin.by_hand import ComesBack
from payments.admin.changing import Rearrange, Stoppable
from payments.admin.evidence import Revocable, WithEvidence
from payments.admin.giving import GiveBack, LimitForm, told
from payments.admin.letters import Announced
from payments.models import (
    Arrangement,
    Authorization,
    Checkout,
    HostItem,
    LedgerEntry,
    Method,
    Notice,
    Payment,
    Postdate,
    ProcessorAccount,
    ProcessorEvent,
)
from payments.services import refunds

TONES = {
    "succeeded": "success",
    "declined": "danger",
    "returned": "danger",
    "charged_back": "danger",
    "pending": "info",
    "intended": "warning",
    "completed": "success",
    "performing": "info",
    "late": "warning",
    "paused": "warning",
    "review": "warning",
    "broken": "danger",
    "taken": "success",
    "failed": "danger",
    "held": "warning",
    "cancel_req": "warning",
    "due": "warning",
    "sent": "success",
}
status = status_of(TONES)
alone = sum_of("refund_alone_cents", _("refund without a second person up to"))


class OfAccount(FactAdmin):
    """Find facts by the reference number of their account."""

    search_fields = ("account__reference_key",)
    search_help_text = _("Reference number of the account")

    def get_search_results(self, request, queryset, search_term):
        key = reference_key(search_term)
        return (queryset.filter(account__reference_key=key) if key else queryset), False


@admin.register(ProcessorAccount)
class ProcessorAccountAdmin(AgencyAdmin):
    """The agency's own merchant account. Keys are written, never shown."""

    list_display = ["name", "client", "processor", "account_ref", "is_active"]
    readonly_fields = [alone]
    actions_detail = ["limit"]
    fieldsets = [
        (None, {"fields": ["name", "client", "processor", "account_ref", "is_active", alone]}),
        (_("Keys"), {"fields": ["publishable_key", "secret_key", "webhook_secret"]}),
        (_("Addresses"), {"fields": ["api_base", "script_url"]}),
    ]

    def has_limit_permission(self, request, object_id=None) -> bool:
        """Let the agency lower the limit, and the platform raise it: the service tells them apart."""
        return request.user.has_perm("payments.change_processoraccount")

    @action(description=_("Refund limit"), permissions=["limit"], icon="undo")
    def limit(self, request, object_id):
        row = self.row(request, object_id)

        def set_it(form) -> str:
            cents, reason = form.cleaned_data["cents"], form.cleaned_data["reason"]
            before = refunds.limit(merchant=row, cents=cents)
            said = f"Refund limit: {format_cents(before)} to {format_cents(cents)}: {reason}"
            self.log_change(request, row, said)
            return gettext("From now on one person gives back at most %(sum)s.") % {"sum": format_cents(cents)}

        text = _("One person gives back so much of a payment alone. You can lower it; only the platform raises it.")
        return self.ask(
            request,
            row,
            title=_("Refund limit"),
            text=text,
            button=_("Set"),
            form_class=LimitForm,
            do=lambda form: told(request, lambda: set_it(form)),
        )


class Entries(FactInline):
    tab = False
    model = LedgerEntry
    fields = ["at", "book", "amount_cents", "reason"]


@admin.register(Payment)
class PaymentAdmin(WithEvidence, GiveBack, ComesBack, OfAccount):
    """Money intended once, its one outcome and its ledger."""

    actions_detail = [*GiveBack.actions_detail, *ComesBack.actions_detail, *WithEvidence.actions_detail]
    list_display = ["intended_at", "account", "amount_cents", "method", status, "purpose", "acknowledged_at"]
    list_filter = ["status", "kind", "executor", ("decided_at", DaysFilter)]
    search_help_text = _("Reference number of the account, or of the payment")
    fields = [
        ("reference", status),
        ("account", "consumer"),
        ("amount_cents", "kind"),
        ("method", "authorization"),
        ("arrangement", "postdate"),
        ("purpose", "executor"),
        ("received_on", "paper_number"),
        ("processor_account", "processor_ref"),
        ("decline_code", "advice_code"),
        ("network_decline_code", "network_advice_code"),
        "reason",
        ("intended_at", "expires_at"),
        ("decided_at", "acknowledged_at"),
        "idempotency_key",
    ]
    hidden = ("request_hash",)
    inlines = [Entries]

    def get_search_results(self, request, queryset, search_term):
        found, _more = super().get_search_results(request, queryset, search_term)
        key = reference_key(search_term).lower()
        if re.fullmatch("[0-9a-f]{10}", key) and not found.exists():
            return queryset.annotate(tail=Right(Cast("pk", CharField()), 10)).filter(tail=key), False
        return found, False


@admin.register(LedgerEntry)
class LedgerEntryAdmin(OfAccount):
    list_display = ["at", "account", "payment", "book", "amount_cents", "reason"]
    list_filter = ["book", "reason"]


class PostdatesOfArrangement(FactInline):
    model = Postdate
    fields = ["number", "due_on", "amount_cents", "method", "status", "executor", "notifier"]
    ordering = ["number"]


class PaymentsOfArrangement(FactInline):
    model = Payment
    fields = ["intended_at", "reference", "amount_cents", "method", "status"]


@admin.register(Arrangement)
class ArrangementAdmin(Rearrange, WithEvidence, OfAccount):
    """A promise in writing, with its post-dates and what was paid of it."""

    actions_detail = [*Rearrange.actions_detail, *WithEvidence.actions_detail]

    list_display = ["accepted_at", "account", "kind", "total_cents", "saving_cents", status]
    list_filter = ["status", "kind"]
    fields = [
        ("account", "consumer"),
        ("kind", status),
        ("total_cents", "saving_cents"),
        ("frequency", "schedule"),
        "due",
        ("method", "authorization"),
        ("accepted_at", "accepted_by"),
        ("late_since", "failures"),
        ("paused_until", "review_on"),
        ("review_after", "days_in_advance"),
        ("changes", "ended_at"),
        "quote",
        "terms",
        "trace",
        ("id", "key"),
    ]
    inlines = [PostdatesOfArrangement, PaymentsOfArrangement]


class NoticesOfPostdate(FactInline):
    tab = False
    model = Notice
    fields = ["kind", "owner", "channel", "earliest_on", "latest_on", "send_by", "status", "sent_at"]


@admin.register(Postdate)
class PostdateAdmin(Announced, Stoppable, OfAccount):
    actions_detail = [*Stoppable.actions_detail, *Announced.actions_detail]
    list_display = ["due_on", "account", "number", "of", "amount_cents", "method", "executor", status]
    list_filter = ["status", "executor", ("due_on", RangeDateFilter)]
    inlines = [NoticesOfPostdate]


@admin.register(Notice)
class NoticeAdmin(FactAdmin):
    list_display = ["send_by", "postdate", "kind", "owner", "channel", status, "sent_at"]
    list_filter = ["status", "owner", "channel"]


@admin.register(Method)
class MethodAdmin(FactAdmin):
    """A card by its token or a bank account by its last four; sealed numbers are never shown."""

    list_display = ["created_at", "consumer", "label", "kind", "stored", "validated_at", "removed_at", "wiped_at"]
    list_filter = ["kind", "stored"]
    hidden = ("fingerprint",)


@admin.register(Authorization)
class AuthorizationAdmin(Revocable, OfAccount):
    """What the consumer signed, word for word, with the evidence."""

    list_display = ["accepted_at", "account", "consumer", "kind", "total_cents", "method", "revoked_at"]
    fields = [
        ("account", "consumer"),
        ("kind", "method"),
        ("total_cents", "lines"),
        ("accepted_at", "time_zone"),
        ("revoked_at", "revoked_by"),
        "text",
        ("version", "language"),
        "text_sha256",
        ("sec_code", "level"),
        ("ip", "user_agent"),
        "evidence",
        "id",
    ]
    list_filter = ["kind", "language"]


@admin.register(HostItem)
class HostItemAdmin(OfAccount):
    list_display = ["on", "account", "kind", "amount_cents", "method", "last4", "status", "matched", "updated_at"]
    list_filter = ["kind", "status", "matched"]


@admin.register(Checkout)
class CheckoutAdmin(OfAccount):
    list_display = ["created_at", "account", "choice", "confirmed_at"]
    list_filter = ["choice"]
    hidden = ("confirmation_token",)


@admin.register(ProcessorEvent)
class ProcessorEventAdmin(FactAdmin):
    """What the processor told us: stored, answered, applied once."""

    list_display = ["received_at", "kind", "external_id", "applied_at", "outcome"]
    list_filter = [("received_at", MomentsFilter)]
