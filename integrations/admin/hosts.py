"""Staff pages of hosts: connections are kept, deliveries are facts with two actions: again, or skip."""

from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.template.response import TemplateResponse
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from accounts.columns import label, status_of
from accounts.desk import (
    AgencyAdmin,
    AgencyForm,
    FactAdmin,
    FactInline,
    LinesField,
    PairsField,
    ReasonForm,
)
from accounts.keys import reference_key
from accounts.models import Account
from accounts.spans import MomentsFilter
from integrations.admin.files import send_file
from integrations.admin.keys import networks, show_key
from integrations.admin.watch import Watch
from integrations.hosts import defaults
from integrations.hosts.reading import Wrong, bps, cents, whole
from integrations.models import Delivery, DeliveryAttempt, HostConnection
from integrations.services import connections, redeliver
from integrations.services.receive import make_inbound_key
from payments.rules.routing import METHODS, PARTIES, TIMINGS, read_table

status = status_of({"delivered": "success", "waiting": "info", "parked": "danger", "skipped": "warning"})


class RoutesField(PairsField):
    """Edit the routing table: `method.timing = executor notifier` per line."""

    def __init__(self, **kwargs) -> None:
        super().__init__(choices=[f"{one} {other}" for one in PARTIES for other in PARTIES], **kwargs)

    def prepare_value(self, value):
        if isinstance(value, dict):
            value = {key: f"{way['executor']} {way['notifier']}" for key, way in value.items() if isinstance(way, dict)}
        return super().prepare_value(value)

    def to_python(self, value):
        if isinstance(value, dict):
            return value
        pairs = super().to_python(value)
        known = {f"{method}.{timing}" for method in METHODS for timing in TIMINGS}
        if unknown := set(pairs) - known:
            raise forms.ValidationError(_("Unknown: %(names)s") % {"names": ", ".join(sorted(unknown))})
        table = {key: dict(zip(("executor", "notifier"), way.split(), strict=True)) for key, way in pairs.items()}
        read_table({"method": key.split(".")[0], "timing": key.split(".")[1], **way} for key, way in table.items())
        return table


class ConnectionForm(AgencyForm):
    """Write the host's words as lines, not as JSON."""

    status_map = PairsField(
        label=_("Status map"),
        choices=[status for status in Account.Status.values if status != Account.Status.UNMAPPED],
        required=False,
        help_text=_("One per line: HOST STATUS = ours. A status that is not here shows the account, view only."),
    )
    vocabulary = PairsField(
        label=_("Vocabulary"),
        required=False,
        help_text=_("One per line: the host's own code = what it means, for example 102 = POSTED CARD (Collect!)."),
    )
    terms = PairsField(
        label=_("Terms with the creditor"),
        required=False,
        help_text=_(
            "One per line, for example: min_age_days = 30, min_amount = 50.00, place = automatically, "
            "fee_percent = 10, fee_basis = Agreement, section 7. Without a legal basis no fee is posted."
        ),
    )
    payment_statuses = LinesField(label=_("Visible payment statuses"), required=False, help_text=_("One per line."))
    postdate_statuses = LinesField(label=_("Visible post-date statuses"), required=False, help_text=_("One per line."))
    ip_allow = LinesField(
        label=_("Allowed addresses"), required=False, help_text=_("Addresses or networks, one per line. Empty: any.")
    )
    routing = RoutesField(
        label=_("Routing table"),
        required=False,
        help_text=_("method.timing = who charges, who notifies. Empty: the style's own table (docs/hosts.md)."),
    )

    class Meta:
        model = HostConnection
        fields = ()

    def clean_base_url(self):
        """Let our key and bank numbers travel sealed; what stands already is left as it is."""
        said = self.cleaned_data["base_url"]
        if "base_url" in self.changed_data and urlsplit(said).scheme != "https" and not settings.HOST_PLAIN_HTTP:
            raise forms.ValidationError(_("The address must be https."))
        return said

    def clean_ip_allow(self):
        return networks(self.cleaned_data["ip_allow"])

    def clean_terms(self):
        """Refuse figures that no pull or fee could be worked out from."""
        terms = self.cleaned_data["terms"]
        for name, read in (
            ("fee_percent", bps),
            ("min_amount", cents),
            ("min_age_days", whole),
            ("pull_minutes", whole),
        ):
            try:
                read(terms.get(name) or "0")
            except Wrong as error:
                raise forms.ValidationError(f"{name}: {error.message}") from error
        return terms

    def clean(self):
        """Refuse what no request can carry; give a new connection its style's own words where staff wrote none."""
        said = super().clean()
        written = {name: said[name] for name in ("base_url", "outbound_key") if said.get(name)}
        for refusal in connections.wrong(written):
            self.add_error(refusal.field, refusal.sentence)
        if self.instance._state.adding and said.get("style"):
            for name, value in defaults(said["style"]).items():
                if name in said and not said[name]:
                    said[name] = value
        return said


@admin.register(HostConnection)
class HostConnectionAdmin(AgencyAdmin):
    """How we reach a host, how it reaches us, and how its words are to be read."""

    form = ConnectionForm
    list_display = ["name", "style", "base_url", "circuit", "last_push_at", "is_active"]
    readonly_fields = ["missing_there", "pulled_at", "circuit", "pushes", "inbound_key", "push_address"]
    actions_detail = ["test", "pull_now", "send_file", "new_inbound_key"]
    fieldsets = [
        (None, {"fields": [("name", "style"), ("is_active", "circuit"), "pushes"]}),
        (_("We tell the host"), {"fields": [("transport", "base_url"), "outbound_key", "fetch_at_login"]}),
        (_("The host tells us"), {"fields": ["push_address", "inbound_key", "ip_allow"]}),
        (_("The host's words"), {"fields": ["status_map", "vocabulary", ("payment_statuses", "postdate_statuses")]}),
        (_("Who charges, who notifies"), {"fields": ["routing"]}),
        (_("The number to text"), {"fields": [("cell_phone_type", "cell_phone_status")]}),
        (
            _("A creditor's ledger"),
            {"fields": ["terms", "missing_there", "pulled_at"], "classes": ["collapse"]},
        ),
        (_("People"), {"fields": ["contacts"]}),
    ]

    def save_model(self, request, obj, form, change) -> None:
        super().save_model(request, obj, form, change)
        if change:
            was = {"was_on": form.initial["is_active"], "was_told_by": form.initial["transport"]}
            connections.catch_up(connection=obj, **was, by=f"staff:{request.user.get_username()}", now=request.now)

    @display(description=_("circuit"))
    def circuit(self, connection) -> str:
        if not connection.unreachable_since:
            return label("success", _("reachable"))
        since = localtime(connection.unreachable_since).strftime("%Y-%m-%d %H:%M")
        return label("danger", _("unreachable since %(since)s") % {"since": since})

    @display(description=_("pushes"))
    def pushes(self, connection) -> str:
        last = localtime(connection.last_push_at).strftime("%Y-%m-%d %H:%M") if connection.last_push_at else _("never")
        return _("last %(last)s, %(stale)s stale ignored") % {"last": last, "stale": connection.stale_pushes}

    @display(description=_("inbound key"))
    def inbound_key(self, connection) -> str:
        prefix = connection.inbound_key_prefix
        return _("set, begins with qin_%(prefix)s") % {"prefix": prefix} if prefix else _("not set")

    @display(description=_("address for pushes"))
    def push_address(self, connection) -> str:
        return f"/api/v1/hosts/{connection.pk}/accounts" if connection.pk else "-"

    @display(description=_("missing at the ledger"))
    def missing_there(self, connection) -> str:
        return ", ".join(connection.missing) or "-"

    @action(description=_("Pull now"), permissions=["test"], icon="download")
    def pull_now(self, request, object_id):
        connection = self.row(request, object_id)
        return self.ask(
            request,
            connection,
            title=_("Pull from %(name)s") % {"name": connection.name},
            text=_("We ask the ledger who is past due, and renew everybody who is in collections."),
            button=_("Pull now"),
            do=lambda form: self._pull(request, connection),
        )

    def _pull(self, request, connection) -> None:
        from integrations.services import pull

        if connection.style not in pull.PULLED:
            messages.error(request, _("This host pushes its accounts by itself; nothing is pulled."))
            return
        try:
            pulled = pull.pull(connection=connection, now=request.now)
        except pull.Unanswered as error:
            messages.error(request, _("The ledger did not answer: %(error)s") % {"error": error})
            return
        messages.success(
            request,
            _("%(listed)s past due, %(placed)s newly placed, %(updated)s renewed.") % pulled._asdict(),
        )

    def has_test_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.test_hostconnection")

    def has_rekey_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.rekey_hostconnection")

    @action(description=_("Test connection"), permissions=["test"], icon="network_check")
    def test(self, request, object_id):
        connection = self.row(request, object_id)
        return self.ask(
            request,
            connection,
            title=_("Test the connection to %(name)s") % {"name": connection.name},
            text=_("We ask the host for an account that does not exist, with our key. Nothing is changed."),
            button=_("Test"),
            do=lambda form: self._test(request, connection),
        )

    def _test(self, request, connection) -> None:
        from integrations.services.check import test_connection

        result = test_connection(connection)
        tell = messages.success if result.ok else messages.error
        tell(request, result.sentence)

    def has_send_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.add_hostfile")

    @action(description=_("Send a file"), permissions=["send"], icon="upload_file")
    def send_file(self, request, object_id):
        return send_file(self, request, self.row(request, object_id))

    @action(description=_("Make a new inbound key"), permissions=["rekey"], icon="key")
    def new_inbound_key(self, request, object_id):
        connection = self.row(request, object_id)
        return self.ask(
            request,
            connection,
            title=_("Make a new inbound key for %(name)s") % {"name": connection.name},
            text=_("The host must use the new key at once: the one it has now stops working. We show it one time."),
            button=_("Make a new key"),
            do=lambda form: self._show_key(request, connection),
        )

    def _show_key(self, request, connection) -> TemplateResponse:
        key = make_inbound_key(connection)
        self.log_change(request, connection, "Made a new inbound key.")
        return show_key(self, request, connection, key=key, title=_("The new inbound key"))


class Attempts(FactInline):
    model = DeliveryAttempt
    fields = ["at", "status", "duration_ms", "answer"]
    tab = False


@admin.register(Delivery)
class DeliveryAdmin(Watch, FactAdmin):
    """One event on its way to one host, and every attempt."""

    list_display = ["created_at", "event", "account", "connection", "endpoint", status, "attempts", "next_at", "reason"]
    list_filter = ["status", "connection", "endpoint", ("created_at", MomentsFilter)]
    search_fields = ("account__reference_key",)
    search_help_text = _("Reference number of the account")
    fields = [
        ("event", status),
        "account",
        ("connection", "endpoint"),
        ("sequence", "attempts"),
        ("created_at", "next_at"),
        ("decided_at", "reason"),
    ]
    inlines = [Attempts]
    actions = ["deliver_selected_again"]
    actions_detail = ["deliver_again", "skip"]

    def get_search_results(self, request, queryset, search_term):
        key = reference_key(search_term)
        return (queryset.filter(account__reference_key=key) if key else queryset), False

    def has_replay_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.replay_delivery")

    def has_skip_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.skip_delivery")

    @admin.action(description=_("Deliver the selected ones again"), permissions=["replay"])
    def deliver_selected_again(self, request, queryset) -> None:
        chosen = list(queryset)
        count = redeliver.replay_all(queryset, now=request.now)
        LogEntry.objects.log_actions(request.user.pk, chosen, CHANGE, "Asked to deliver again.")
        messages.success(request, _("%(count)s are on their way.") % {"count": count})

    @action(description=_("Deliver again"), permissions=["replay"], icon="replay")
    def deliver_again(self, request, object_id):
        delivery = self.row(request, object_id)
        return self.ask(
            request,
            delivery,
            title=_("Deliver again"),
            text=_("The host gets the same event with the same id; a host that has it already answers duplicate."),
            button=_("Deliver again"),
            do=lambda form: self._again(request, delivery),
        )

    def _again(self, request, delivery) -> str:
        if found := redeliver.replay(delivery, now=request.now):
            messages.error(request, found[0].sentence)
            return ""
        self.log_change(request, delivery, "Asked to deliver again.")
        return _("It is on its way.")

    @action(description=_("Skip"), permissions=["skip"], icon="skip_next")
    def skip(self, request, object_id):
        delivery = self.row(request, object_id)
        return self.ask(
            request,
            delivery,
            title=_("Skip this delivery"),
            text=_("The host will never hear of this event, and the account's later events go on. Say why."),
            button=_("Skip"),
            form_class=ReasonForm,
            do=lambda form: self._skip(request, delivery, form.cleaned_data["reason"]),
        )

    def _skip(self, request, delivery, reason: str) -> None:
        actor = f"staff:{request.user.get_username()}"
        if redeliver.skip(delivery, reason=reason, actor=actor, now=request.now):
            self.log_change(request, delivery, f"Skipped: {reason}")
            messages.success(request, _("Skipped; the account's later events go on."))
        else:
            messages.error(request, _("It was delivered or skipped meanwhile: nothing was done."))


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(FactAdmin):
    """One request, redacted, and its answer."""

    list_display = ["at", "delivery", "status", "duration_ms"]
    list_filter = [("at", MomentsFilter)]
