"""Staff pages of a creditor's ledger: who is past due, who is in collections, and which invoices payments pay."""

from django.contrib import admin
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.columns import status_of
from accounts.desk import FactAdmin, ReasonForm
from accounts.money import format_cents
from integrations.models import Allocation, Invoice, PastDueCustomer
from integrations.services import pull

status = status_of({"placed": "warning", "removed": "info", "listed": "success"})


def told(request, act) -> str:
    """Do it and say nothing more, or put the refusals on the page."""
    from django.contrib import messages

    try:
        act()
    except pull.Refused as error:
        for one in error.refusals:
            messages.error(request, one.say(gettext, get_language() or "en"))
        return ""
    return gettext("Done.")


@admin.register(PastDueCustomer)
class PastDueCustomerAdmin(FactAdmin):
    """Put past-due customers into collections, and take them out again."""

    list_display = ["reference", "name", "open_cents", "oldest_due_on", "invoices", status, "connection", "seen_at"]
    list_filter = ["status", "connection"]
    search_fields = ("reference",)
    search_help_text = _("Customer number")
    fields = [
        ("reference", "name"),
        (status, "connection"),
        ("open_cents", "oldest_due_on", "invoices"),
        ("seen_at", "decided_by"),
        "reason",
    ]
    actions = ["place_selected"]
    actions_detail = ["place", "remove"]

    def has_place_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.place_pastduecustomer")

    @admin.action(description=_("Put the selected ones into collections"), permissions=["place"])
    def place_selected(self, request, queryset) -> None:
        for customer in queryset.select_related("connection"):
            told(request, lambda customer=customer: self._place(request, customer))

    def _place(self, request, customer) -> None:
        pull.place(customer=customer, by=f"staff:{request.user.pk}", now=request.now)

    @action(description=_("Put into collections"), permissions=["place"], icon="flag")
    def place(self, request, object_id):
        customer = self.row(request, object_id)
        return self.ask(
            request,
            customer,
            title=_("Put %(customer)s into collections") % {"customer": customer},
            text=_("The account is placed, and the creditor's people see a flag and a warning on the customer."),
            button=_("Put into collections"),
            do=lambda form: told(request, lambda: self._place(request, customer)),
        )

    @action(description=_("Take out of collections"), permissions=["place"], icon="outlined_flag")
    def remove(self, request, object_id):
        customer = self.row(request, object_id)
        return self.ask(
            request,
            customer,
            title=_("Take %(customer)s out of collections") % {"customer": customer},
            text=_("The account is recalled at once, and the creditor's flag and warning are cleared."),
            button=_("Take out of collections"),
            form_class=ReasonForm,
            do=lambda form: told(request, lambda: self._remove(request, customer, form.cleaned_data["reason"])),
        )

    def _remove(self, request, customer, reason: str) -> None:
        pull.remove(customer=customer, reason=reason, by=f"staff:{request.user.pk}", now=request.now)


@admin.register(Invoice)
class InvoiceAdmin(FactAdmin):
    """An invoice behind an account, as the ledger last told it."""

    list_display = ["number", "account", "on", "due_on", "amount_cents", "open_cents"]


@admin.register(Allocation)
class AllocationAdmin(FactAdmin):
    """Which invoices a payment pays."""

    list_display = ["made_at", "account", "payment", "shares"]
    fields = [("payment", "account"), "shares", "made_at"]

    @admin.display(description=_("shares"))
    def shares(self, row) -> str:
        return ", ".join(f"{number} {format_cents(cents)}" for number, cents in row.lines)
