"""What every staff page shows around its content, and the first page: money, arrangements and deliveries today."""

import json
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from accounts.calendars import local_date
from accounts.models import Account, Agency
from accounts.money import format_cents
from accounts.scope import ALL_AGENCIES, acting
from integrations.models import Delivery, HostConnection
from payments.models import Arrangement, Payment

CHART_DAYS = 30
STATUS = Payment.Status

# Where everything is: title, icon, `app_model` of the list; an entry shows only to those who may see the list.
PLACES = (
    ("Consumers", ("Accounts", "folder_shared", "accounts.account"), ("Consumers", "group", "accounts.consumer")),
    (
        "Money",
        ("Payments", "payments", "payments.payment"),
        ("Arrangements", "handshake", "payments.arrangement"),
        ("Post-dates", "event_upcoming", "payments.postdate"),
        ("To look at", "report", "payments.incident"),
        ("Refunds", "undo", "payments.refund"),
        ("Batches", "inventory_2", "payments.paymentbatch"),
        ("Notices", "outgoing_mail", "payments.notice"),
        ("Statements", "description", "payments.statement"),
        ("Authorizations", "signature", "payments.authorization"),
        ("Methods", "credit_card", "payments.method"),
        ("Ledger", "menu_book", "payments.ledgerentry"),
    ),
    (
        "Offers and messages",
        ("Default offer", "percent", "settlements.globaloffer"),
        ("Rule sets", "rule_settings", "settlements.ruleset"),
        ("Simulations", "experiment", "settlements.simulation"),
        ("Individual offers", "sell", "settlements.individualoffer"),
        ("Quotes", "request_quote", "settlements.quote"),
        ("Budgets", "calculate", "settlements.affordability"),
        ("Hardship pauses", "volunteer_activism", "settlements.hardship"),
        ("Documents", "attach_file", "settlements.evidence"),
        ("Budget forms", "list_alt", "settlements.affordabilityform"),
        ("Hardship policy", "self_improvement", "settlements.hardshippolicy"),
        ("Campaigns", "campaign", "campaigns.campaign"),
        ("Templates", "draft", "campaigns.messagetemplate"),
        ("Recipients", "recent_actors", "campaigns.recipient"),
        ("Messages", "mail", "campaigns.message"),
        ("Inbox", "forum", "campaigns.conversation"),
        ("Contact decisions", "gavel", "campaigns.contactdecision"),
    ),
    (
        "Hosts",
        ("Connections", "hub", "integrations.hostconnection"),
        ("Deliveries", "outbox", "integrations.delivery"),
        ("Webhooks", "webhook", "integrations.webhookendpoint"),
        ("Attempts", "history", "integrations.deliveryattempt"),
        ("Past due", "flag", "integrations.pastduecustomer"),
        ("Invoices", "receipt", "integrations.invoice"),
        ("Allocations", "call_split", "integrations.allocation"),
        ("API keys", "key", "integrations.apikey"),
        ("Host files", "draft", "integrations.hostfile"),
        ("File formats", "table_convert", "integrations.fileformat"),
        ("File sites", "folder_shared", "integrations.hostsite"),
    ),
    (
        "Settings",
        ("Agency", "storefront", "accounts.agency"),
        ("Licences", "workspace_premium", "accounts.licence"),
        ("Staff", "badge", "accounts.user"),
        ("Clients", "domain", "accounts.client"),
        ("Processor", "account_balance", "payments.processoraccount"),
        ("Bank files", "account_balance_wallet", "payments.achorigin"),
        ("E-mail", "alternate_email", "campaigns.mailprovider"),
        ("Text messages", "sms", "campaigns.textprovider"),
        ("Contact policy", "schedule_send", "campaigns.contactpolicy"),
    ),
    (
        "Audit",
        ("Events", "timeline", "accounts.event"),
        ("Staff changes", "edit_note", "admin.logentry"),
        ("Visits", "login", "accounts.visit"),
        ("Identifications", "fingerprint", "accounts.identifyattempt"),
        ("Session links", "add_link", "accounts.sessionlink"),
        ("Consents", "fact_check", "accounts.consent"),
        ("Inconvenient times", "bedtime", "accounts.quiettime"),
        ("Contact points", "contact_mail", "accounts.contactpoint"),
        ("Host items", "list_alt", "payments.hostitem"),
        ("Checkouts", "shopping_cart", "payments.checkout"),
        ("Processor inbox", "inbox", "payments.processorevent"),
        ("Mail inbox", "mark_email_read", "campaigns.mailevent"),
        ("Text reports", "mark_chat_read", "campaigns.textevent"),
        ("Texts received", "chat", "campaigns.inboundmessage"),
    ),
)


# Around every page --------------------------------------------------------------------------------------------


def site_header(request: HttpRequest) -> str:
    """Name the agency, or the platform."""
    agency = getattr(request, "agency", None)
    return agency.name if agency else "Quittance"


def site_subheader(request: HttpRequest) -> str:
    """Say which side of the house this is."""
    if getattr(request, "agency", None):
        return "Quittance"
    return _("Platform: all agencies, read only") if request.user.is_authenticated else _("Staff")


def environment(_request: HttpRequest) -> list[str] | None:
    """Badge a demonstration, so that nobody takes it for the real thing."""
    return [_("Demonstration"), "warning"] if settings.DEMO else None


def style_sheet(_request: HttpRequest) -> str:
    """Give the address of what the theme leaves to us."""
    return static("portal/staff.css")


def script(_request: HttpRequest) -> str:
    """Give the address of the script that leaves an idle page."""
    return static("portal/staff.js")


def icon(_request: HttpRequest) -> str:
    """Give the address of the icon in the browser's tab."""
    return static("portal/staff.svg")


def own_links(_request: HttpRequest) -> list[dict[str, str]]:
    """Give the entries of a person's own menu, beside password and sign out."""
    return [{"title": _("Second factor"), "link": reverse("mfa_index")}]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Give the side bar: groups of the lists that this person may see."""
    groups = [
        {
            "title": title,
            "separator": True,
            "collapsible": title == "Audit",
            "items": [_entry(*place) for place in places if _may_see(request, place[2])],
        }
        for title, *places in PLACES
    ]
    first = {"items": [{"title": _("Dashboard"), "icon": "space_dashboard", "link": reverse("admin:index")}]}
    return [first, *(group for group in groups if group["items"])]


def _may_see(request: HttpRequest, label: str) -> bool:
    return request.user.has_perm(".view_".join(label.split(".")))


def _entry(title: str, icon: str, label: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(f"admin:{label.replace('.', '_')}_changelist")}


# The first page -----------------------------------------------------------------------------------------------


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the cards and the chart that this person may see, for the acting agency or for all of them."""
    zone = ZoneInfo(request.agency.time_zone if request.agency else settings.TIME_ZONE)
    cards: list[dict[str, Any]] = []
    if _may_see(request, "payments.payment"):
        cards += _money(request.now, zone)
        context["chart"] = _chart(request.now, zone)
    if _may_see(request, "integrations.delivery"):
        cards += _deliveries(request.now)
    if _may_see(request, "accounts.account"):
        unmapped = Account.objects.filter(status=Account.Status.UNMAPPED).count()
        link = _list("accounts_account", status__exact=Account.Status.UNMAPPED)
        note = _("accounts are view only until mapped") if unmapped else _("every host status is mapped")
        cards.append(_card(_("Unmapped statuses"), unmapped, note, link, bad=unmapped))
    if acting() == ALL_AGENCIES:
        context["agencies"] = Agency.objects.order_by("name")
    return context | {"cards": cards, "title": _("Dashboard"), "zone": zone.key}


def _card(title: str, figure: Any, note: str = "", link: str = "", *, bad: Any = False) -> dict[str, Any]:
    return {"title": title, "figure": figure, "note": note, "link": link, "bad": bool(bad)}


def _list(page: str, **only: Any) -> str:
    """Give the address of a list of just the rows that a card is about."""
    return f"{reverse(f'admin:{page}_changelist')}?{urlencode(only)}"


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _money(now: datetime, zone: ZoneInfo) -> list[dict[str, Any]]:
    today = local_date(now, zone.key)
    since_month, since_day = _midnight(today.replace(day=1), zone), _midnight(today, zone)
    month, day = Q(decided_at__gte=since_month), Q(decided_at__gte=since_day)
    succeeded, declined = Q(status=STATUS.SUCCEEDED), Q(status=STATUS.DECLINED)
    # Undecided and pending have no decision yet, so the month cannot narrow them.
    sums = Payment.objects.filter(month | Q(status__in=[STATUS.PENDING, STATUS.INTENDED])).aggregate(
        today=Sum("amount_cents", filter=succeeded & day),
        month=Sum("amount_cents", filter=succeeded & month),
        paid=Count("pk", filter=succeeded & month),
        declined_today=Count("pk", filter=declined & day),
        declined=Count("pk", filter=declined & month),
        waiting=Sum("amount_cents", filter=Q(status__in=[STATUS.PENDING, STATUS.INTENDED])),
    )
    active = Arrangement.objects.filter(status__in=Arrangement.LIVE).aggregate(
        count=Count("pk"), total=Sum("total_cents")
    )

    def decided(status: str, since: datetime) -> str:
        return _list("payments_payment", status__exact=status, decided_at__gte=since.isoformat())

    return [
        _card(
            _("Collected today"),
            _dollars(sums["today"]),
            today.strftime("%A, %B %-d"),
            decided(STATUS.SUCCEEDED, since_day),
        ),
        _card(
            _("Collected this month"),
            _dollars(sums["month"]),
            _("%(paid)s payments, %(waiting)s on its way")
            % {"paid": sums["paid"], "waiting": _dollars(sums["waiting"])},
            decided(STATUS.SUCCEEDED, since_month),
        ),
        _card(
            _("Declined today"),
            sums["declined_today"],
            _("%(count)s this month") % {"count": sums["declined"]},
            decided(STATUS.DECLINED, since_day),
        ),
        _card(
            _("Active arrangements"),
            active["count"],
            _("%(sum)s promised") % {"sum": _dollars(active["total"])},
            _list("payments_arrangement", status__in=",".join(Arrangement.LIVE)),
        ),
    ]


def _deliveries(now: datetime) -> list[dict[str, Any]]:
    waiting, parked = Q(status=Delivery.Status.WAITING), Q(status=Delivery.Status.PARKED)
    found = Delivery.objects.filter(waiting | parked).aggregate(
        waiting=Count("pk", filter=waiting),
        parked=Count("pk", filter=parked),
        oldest=Min("created_at", filter=waiting),
    )
    down = list(
        HostConnection.objects.filter(unreachable_since__isnull=False, is_active=True).values_list(
            "name", "unreachable_since"
        )
    )
    oldest = _("oldest %(age)s") % {"age": timesince(found["oldest"], now)} if found["oldest"] else _("all told")
    names = ", ".join(f"{name} ({timesince(since, now)})" for name, since in down)
    return [
        _card(
            _("Deliveries waiting"), found["waiting"], oldest, _list("integrations_delivery", status__exact="waiting")
        ),
        _card(
            _("Deliveries parked"),
            found["parked"],
            _("need a decision: deliver again or skip") if found["parked"] else _("nothing needs a decision"),
            _list("integrations_delivery", status__exact="parked"),
            bad=found["parked"],
        ),
        _card(
            _("Hosts unreachable"),
            len(down),
            names or _("every circuit is closed"),
            _list("integrations_hostconnection", unreachable_since__isnull=False, is_active__exact=1),
            bad=down,
        ),
    ]


def _chart(now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Give what was collected per day as the theme's chart reads it, and as rows for those who do not see it."""
    today = local_date(now, zone.key)
    days = [today - timedelta(days=back) for back in reversed(range(CHART_DAYS))]
    since = _midnight(days[0], zone)
    sums = dict(
        Payment.objects.filter(status=STATUS.SUCCEEDED, decided_at__gte=since)
        .annotate(day=TruncDate("decided_at", tzinfo=zone))
        .values_list("day")
        .annotate(Sum("amount_cents"))
        .order_by("day")
    )
    data = {
        "labels": [day.strftime("%b %-d") for day in days],
        "datasets": [
            {
                "label": _("Collected, $"),
                "data": [sums.get(day, 0) / 100 for day in days],
                "backgroundColor": "var(--color-primary-600)",
                "barPercentage": 0.7,
                "categoryPercentage": 1,
                "maxBarThickness": 24,
                "borderRadius": 3,
                "displayYAxis": True,
                "maxTicksXLimit": 10,
            }
        ],
    }
    rows = [(day, _dollars(sums[day])) for day in days if day in sums]
    return {"data": json.dumps(data), "rows": rows, "total": _dollars(sum(sums.values()))}


def _dollars(cents: int | None) -> str:
    return format_cents(cents or 0)
