"""Staff pages that show several floors: the account and the consumer, with everything that hangs on them."""

from typing import Any

from django.contrib import admin

from accounts.admin import AccountAdmin, Accounts, Consents, ConsumerAdmin, ContactPoints, Visits
from accounts.calendars import local_date
from accounts.desk import FactInline
from accounts.models import Account, Consumer
from accounts.money import format_cents
from accounts.timeline import lines
from campaigns.models import Message
from integrations.admin.reopening import LetsReopen
from integrations.models import Delivery
from payments.admin.by_hand import ReceivesByHand
from payments.admin.taking import TakePayments
from payments.models import Arrangement, Authorization, HostItem, Method, Payment, Postdate
from payments.services.owed import owed
from portal.account_offers import AccountOffers
from settlements.models import IndividualOffer
from settlements.services import offers

TIMELINE = 100
"""Events on a page; the list of events shows the rest."""


class Offers(FactInline):
    model = IndividualOffer
    fields = ["made_at", "origin", "status", "amount_cents", "percent_bps", "max_payments", "max_on", "viewed_at"]


class Arrangements(FactInline):
    model = Arrangement
    fields = ["accepted_at", "kind", "status", "total_cents", "saving_cents"]


class Postdates(FactInline):
    model = Postdate
    fields = ["due_on", "number", "of", "amount_cents", "method", "status", "executor", "notifier", "acknowledged_at"]


class Payments(FactInline):
    model = Payment
    fields = ["intended_at", "reference", "amount_cents", "method", "status", "decline_code", "acknowledged_at"]


class HostItems(FactInline):
    model = HostItem
    fields = ["on", "kind", "amount_cents", "method", "last4", "status", "matched", "updated_at"]


class Deliveries(FactInline):
    model = Delivery
    fields = ["created_at", "connection", "event", "status", "attempts", "decided_at", "reason"]


class Messages(FactInline):
    model = Message
    fields = ["queued_at", "template", "contact_point", "status", "sent_at", "opened_at", "reason"]


class Methods(FactInline):
    model = Method
    fields = ["created_at", "label", "stored", "validated_at", "removed_at", "wiped_at"]


class Authorizations(FactInline):
    model = Authorization
    fields = ["accepted_at", "account", "kind", "method", "total_cents", "revoked_at"]


class WithTimeline:
    """Put a summary above the page and the events below it."""

    change_form_before_template = "admin/summary.html"
    change_form_outer_after_template = "admin/timeline.html"

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        if obj is not None:
            events = obj.events.order_by("-id")[: TIMELINE + 1]
            context["timeline"] = lines(events[:TIMELINE])
            context["summary"] = self.summary(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)


@admin.register(Account)
class AccountPage(AccountOffers, TakePayments, ReceivesByHand, LetsReopen, WithTimeline, AccountAdmin):
    """One account: what is owed, what was offered, promised, paid, told and written."""

    actions_detail = ["why", "make_offer", "take_payment", "write_down", "let_reopen"]
    inlines = [Payments, Postdates, Arrangements, Offers, HostItems, Deliveries, Messages, Authorizations]

    def summary(self, request, account: Account) -> list[dict[str, Any]]:
        owes = owed(account)
        today = local_date(request.now, account.consumer.time_zone)
        terms = offers.terms_for(account=account, owed_cents=owes.cents, today=today)
        planned = account.postdates.filter(status__in=Postdate.OPEN).order_by("due_on").first()
        offered = f"{format_cents(terms.amount_cents)}" if terms else "-"
        return [
            {"title": "Balance at the host", "figure": format_cents(account.balance_cents), "note": account.as_of},
            {
                "title": "Received, not yet posted",
                "figure": format_cents(owes.waiting_cents),
                "note": f"{len(owes.waiting)} payments",
            },
            {"title": "Owed now", "figure": format_cents(owes.cents), "note": "what the consumer sees"},
            {
                "title": "Settlement in force",
                "figure": offered,
                "note": f"saves {format_cents(terms.saving_cents)}" if terms else "none today",
            },
            {
                "title": "Next post-date",
                "figure": format_cents(planned.amount_cents) if planned else "-",
                "note": planned.due_on if planned else "none",
            },
        ]


@admin.register(Consumer)
class ConsumerPage(WithTimeline, ConsumerAdmin):
    """One person: accounts, ways to reach them, what they agreed to, how they pay."""

    inlines = [Accounts, ContactPoints, Consents, Methods, Messages, Visits]

    def summary(self, request, consumer: Consumer) -> list[dict[str, Any]]:
        return []
