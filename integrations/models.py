"""Hosts, what they are told, every attempt to tell them, their files; and the keys of the public API."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.models import Account, Event
from accounts.tenancy import ManyRows, Row, TenantForeignKey
from payments.models import Payment


class Receiver(Row):
    """Whoever is told the agency's events: on or off, and its circuit, which opens when it keeps failing."""

    is_active = models.BooleanField(_("active"), default=True)
    unreachable_since = models.DateTimeField(null=True, editable=False, help_text="the circuit is open")
    probe_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)

    class Meta(Row.Meta):
        abstract = True


class HostConnection(Receiver):
    """One host system of an agency: how to reach it, how it reaches us, and how its words are to be read."""

    class Style(models.TextChoices):
        SCOLLECT = "scollect", "SCollect"
        INTELEC = "intelec", "Intelec"
        COLLECT = "collect", "Collect!"
        LEDGER = "ledger", _("Creditor's ledger")
        SMARTCOLLECT = "smartcollect", "SmartCollect"

    class Transport(models.TextChoices):
        REST = "rest", _("REST: every event at once")
        FILES = "files", _("files: activity is extracted")
        MIXED = "mixed", _("both")

    name = models.CharField(_("name"), max_length=80)
    style = models.CharField(_("style"), max_length=12, choices=Style, default=Style.SCOLLECT)
    transport = models.CharField(_("told by"), max_length=5, choices=Transport, default=Transport.REST)
    base_url = models.URLField(_("address"), help_text=_("Where the host listens."))
    outbound_key = SealedField(_("key we show the host"))
    inbound_key_prefix = models.CharField(max_length=8, editable=False, blank=True)
    inbound_key_hash = models.CharField(max_length=64, editable=False, blank=True)
    ip_allow = models.JSONField(_("allowed addresses"), default=list, blank=True, help_text=_("Empty: any."))
    status_map = models.JSONField(_("status map"), default=dict, help_text=_("Host status word -> our status."))
    routing = models.JSONField(_("routing table"), default=dict, help_text=_("method.timing -> executor, notifier"))
    cell_phone_type = models.CharField(_("phone type to text"), max_length=40, default="Cell Phone")
    cell_phone_status = models.CharField(_("phone status to text"), max_length=40, default="Good Number")
    vocabulary = models.JSONField(
        _("vocabulary"), default=dict, blank=True, help_text=_("The host's own codes and what they mean.")
    )
    terms = models.JSONField(
        _("terms with the creditor"), default=dict, blank=True, help_text=_("Of a creditor's ledger; docs/hosts.md.")
    )
    payment_statuses = models.JSONField(_("visible payment statuses"), default=list)
    postdate_statuses = models.JSONField(_("visible post-date statuses"), default=list)
    fetch_at_login = models.BooleanField(_("ask the host at login"), default=True)
    contacts = models.TextField(_("operational contacts"), blank=True, help_text=_("One e-mail address per line."))
    last_push_at = models.DateTimeField(null=True, editable=False)
    pulled_at = models.DateTimeField(null=True, editable=False, help_text="of a ledger: the last whole pull")
    missing = models.JSONField(default=list, editable=False, help_text="what a ledger has not switched on")
    stale_pushes = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        verbose_name = _("host connection")
        verbose_name_plural = _("host connections")

    def __str__(self) -> str:
        return self.name


class WebhookEndpoint(Receiver):
    """An address that hears the agency's events, signed (Standard Webhooks); a host connection's plain sister.

    After a rotation both secrets sign, until `old_until`.
    """

    name = models.CharField(_("name"), max_length=80)
    url = models.URLField(_("address"), max_length=500)
    kinds = models.JSONField(_("events"), default=list, blank=True, help_text=_("Empty: all. Or payment.* and so on."))
    most = models.PositiveSmallIntegerField(_("events in a request"), default=1)
    secret = SealedField(editable=False)
    old_secret = SealedField(editable=False, blank=True, default="")
    old_until = models.DateTimeField(_("old secret ends"), null=True, editable=False)
    suspended_at = models.DateTimeField(_("suspended"), null=True, editable=False)
    suspended_why = models.CharField(max_length=300, blank=True, editable=False)
    removed_at = models.DateTimeField(_("removed"), null=True, editable=False)
    made_at = models.DateTimeField(_("made"), editable=False)
    made_by = models.CharField(max_length=80, editable=False)

    class Meta(Row.Meta):
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        constraints = [
            models.CheckConstraint(name="endpoint_hears_1_to_100", condition=models.Q(most__gte=1, most__lte=100))
        ]

    def __str__(self) -> str:
        return self.name


ONE_RECEIVER = models.Q(connection__isnull=True, endpoint__isnull=False) | models.Q(
    connection__isnull=False, endpoint__isnull=True
)


class Delivery(ManyRows):
    """One event on its way to one receiver: in order per account, until acknowledged, parked or skipped."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        PARKED = "parked", _("parked")
        SKIPPED = "skipped", _("skipped")

    connection = TenantForeignKey(HostConnection, null=True, related_name="deliveries", db_index=False)
    endpoint = TenantForeignKey(WebhookEndpoint, null=True, related_name="deliveries", db_index=False)
    # Its own index would only repeat the beginning of the unique one.
    event = TenantForeignKey(Event, related_name="deliveries", db_index=False)
    account = TenantForeignKey(Account, null=True, related_name="deliveries")
    sequence = models.BigIntegerField(help_text="the event's, copied: the order of the lane")
    lane = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=9, choices=Status, default=Status.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(help_text="the next try; one that was never tried may go at once")
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(
                name="one_delivery_per_event_and_account",
                fields=["event", "account", "connection", "endpoint"],
                nulls_distinct=False,
            ),
            models.CheckConstraint(name="delivery_has_one_receiver", condition=ONE_RECEIVER),
        ]
        indexes = [
            models.Index(
                name="delivery_waiting",
                fields=["lane", "sequence"],
                condition=models.Q(status__in=["waiting", "parked"]),
            ),
            # Only what failed before can hold its account's chain: nearly empty, whatever the backlog.
            models.Index(
                name="delivery_held",
                fields=["lane"],
                condition=models.Q(status__in=["waiting", "parked"], attempts__gt=0),
            ),
            # A delivery has one receiver: the other's index does not know it.
            models.Index(
                name="delivery_of_host",
                fields=["connection", "sequence"],
                condition=models.Q(connection__isnull=False),
            ),
            models.Index(
                name="delivery_of_endpoint", fields=["endpoint", "sequence"], condition=models.Q(endpoint__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"no. {self.sequence}"


class Redelivery(Row):
    """A stretch of the agency's sequence to be told again to one receiver; the drain does it piece by piece.

    One whose `last` is `UNTIL_CAUGHT_UP` ends where it meets the newest event: nothing is routed to its host before.
    """

    UNTIL_CAUGHT_UP = 2**63 - 1

    connection = TenantForeignKey(HostConnection, null=True, related_name="redeliveries")
    endpoint = TenantForeignKey(WebhookEndpoint, null=True, related_name="redeliveries")
    first = models.BigIntegerField(_("from"))
    last = models.BigIntegerField(_("to"))
    position = models.BigIntegerField(help_text="the last number that is on its way")
    told = models.BigIntegerField(_("events"), default=0)
    asked_at = models.DateTimeField(_("asked"))
    asked_by = models.CharField(max_length=80)
    done_at = models.DateTimeField(_("done"), null=True)

    class Meta(Row.Meta):
        verbose_name = _("redelivery")
        verbose_name_plural = _("redeliveries")
        constraints = [
            models.CheckConstraint(name="redelivery_has_one_receiver", condition=ONE_RECEIVER),
            models.CheckConstraint(
                name="redelivery_is_a_stretch", condition=models.Q(first__gte=1, last__gte=models.F("first"))
            ),
        ]
        indexes = [models.Index(name="redelivery_open", fields=["id"], condition=models.Q(done_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


class DeliveryAttempt(ManyRows):
    """One request to a receiver, redacted, and its answer. Never changed."""

    delivery = TenantForeignKey(Delivery, related_name="log")
    at = models.DateTimeField()
    duration_ms = models.FloatField()
    status = models.PositiveSmallIntegerField(help_text="HTTP status; 0: no answer")
    request = models.JSONField(help_text="redacted")
    request_sha256 = models.CharField(max_length=64)
    answer = models.TextField(blank=True)

    class Meta(Row.Meta):
        verbose_name = _("delivery attempt")
        verbose_name_plural = _("delivery attempts")
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}, {self.status}"


class PastDueCustomer(Row):
    """A customer of a creditor's ledger who is past due, and what staff decided about them."""

    class Status(models.TextChoices):
        LISTED = "listed", _("past due")
        PLACED = "placed", _("in collections")
        REMOVED = "removed", _("removed from collections")

    connection = TenantForeignKey(HostConnection, related_name="past_due")
    reference = models.CharField(_("customer"), max_length=60)
    name = models.CharField(_("name"), max_length=160, blank=True)
    status = models.CharField(_("status"), max_length=7, choices=Status, default=Status.LISTED)
    open_cents = models.BigIntegerField(_("past due"))
    oldest_due_on = models.DateField(_("oldest due"))
    invoices = models.PositiveIntegerField(_("invoices"), default=0)
    seen_at = models.DateTimeField(_("seen"))
    decided_by = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("past-due customer")
        verbose_name_plural = _("past-due customers")
        constraints = [
            models.UniqueConstraint(name="past_due_customer_once", fields=["connection", "reference"]),
        ]

    def __str__(self) -> str:
        return self.reference


class Invoice(Row):
    """An invoice behind a placed account, as the ledger last told it."""

    account = TenantForeignKey(Account, related_name="invoices")
    number = models.CharField(_("number"), max_length=40)
    on = models.DateField(_("date"))
    due_on = models.DateField(_("due"))
    amount_cents = models.BigIntegerField(_("amount"))
    open_cents = models.BigIntegerField(_("open"))

    class Meta(Row.Meta):
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        constraints = [models.UniqueConstraint(name="invoice_once", fields=["account", "number"])]

    def __str__(self) -> str:
        return self.number


class Allocation(Row):
    """Which invoices a payment pays: decided once, before the ledger is told, and told the same at every try."""

    payment = TenantForeignKey(Payment, related_name="allocations")
    account = TenantForeignKey(Account, related_name="+")
    lines = models.JSONField(help_text='[["INV-1", 2500], ...]; what is left over stands on the account')
    made_at = models.DateTimeField()

    class Meta(Row.Meta):
        verbose_name = _("allocation")
        verbose_name_plural = _("allocations")
        constraints = [models.UniqueConstraint(name="one_allocation_per_payment", fields=["payment"])]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.payment_id}"


class ApiKey(Row):
    """A key of the public API: what it may do, from where, until when; of its secrets only hashes are kept.

    After a rotation two secrets are live: the newer one, and until `old_until` the one before it.
    """

    name = models.CharField(_("name"), max_length=80, help_text=_("Who uses it, for example: IVR."))
    scopes = models.JSONField(_("allowed to"), default=list)
    ip_allow = models.JSONField(_("allowed addresses"), default=list, blank=True, help_text=_("Empty: any."))
    expires_at = models.DateTimeField(_("ends"), null=True, blank=True, help_text=_("Empty: never."))
    secret_hash = models.CharField(max_length=64, editable=False)
    old_secret_hash = models.CharField(max_length=64, blank=True, editable=False)
    old_until = models.DateTimeField(_("old secret ends"), null=True, editable=False)
    rotated_at = models.DateTimeField(_("rotated"), null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False, help_text="to the minute")
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    revoked_by = models.CharField(max_length=80, blank=True, editable=False)
    made_at = models.DateTimeField(_("made"), editable=False)
    made_by = models.CharField(max_length=80, editable=False)

    class Meta(Row.Meta):
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.CheckConstraint(
                name="api_key_old_secret_has_an_end",
                condition=models.Q(old_secret_hash="") | models.Q(old_until__isnull=False),
            )
        ]
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="revoked_for_good",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=(
                    "IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at "
                    "THEN RAISE EXCEPTION 'a revoked key stays revoked: make another one'; END IF; RETURN NEW;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(Row):
    """The answer to a write of the API, kept in the transaction of its effect and given again to the same request."""

    api_key = TenantForeignKey(ApiKey, related_name="answers")
    key = models.CharField(max_length=255)
    request_sha256 = models.CharField(max_length=64, help_text="method, address and body")
    status = models.PositiveSmallIntegerField(help_text="0: begun, no answer yet")
    headers = models.JSONField(default=dict)
    body = SealedField()
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(name="one_answer_per_idempotency_key", fields=["api_key", "key"])]
        indexes = [models.Index(name="answer_expires", fields=["agency", "expires_at"])]

    def __str__(self) -> str:
        return self.key


from integrations.models_files import FileFormat, HostFile, HostFileError, HostSite  # noqa: E402, F401 - tables of files
