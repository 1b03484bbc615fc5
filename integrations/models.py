"""Hosts, what they are told, every attempt to tell them; and the keys of the public API."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.models import Account, Event
from accounts.tenancy import Row, TenantForeignKey


class HostConnection(Row):
    """One host system of an agency: how to reach it, how it reaches us, and how its words are to be read."""

    class Style(models.TextChoices):
        SCOLLECT = "scollect", "SCollect"

    name = models.CharField(_("name"), max_length=80)
    style = models.CharField(_("style"), max_length=12, choices=Style, default=Style.SCOLLECT)
    base_url = models.URLField(_("address"), help_text=_("Where the host listens."))
    outbound_key = SealedField(_("key we show the host"))
    inbound_key_prefix = models.CharField(max_length=8, editable=False, blank=True)
    inbound_key_hash = models.CharField(max_length=64, editable=False, blank=True)
    ip_allow = models.JSONField(_("allowed addresses"), default=list, blank=True, help_text=_("Empty: any."))
    status_map = models.JSONField(_("status map"), default=dict, help_text=_("Host status word -> our status."))
    routing = models.JSONField(_("routing table"), default=dict, help_text=_("method.timing -> executor, notifier"))
    cell_phone_type = models.CharField(_("phone type to text"), max_length=40, default="Cell Phone")
    cell_phone_status = models.CharField(_("phone status to text"), max_length=40, default="Good Number")
    payment_statuses = models.JSONField(_("visible payment statuses"), default=list)
    postdate_statuses = models.JSONField(_("visible post-date statuses"), default=list)
    fetch_at_login = models.BooleanField(_("ask the host at login"), default=True)
    contacts = models.TextField(_("operational contacts"), blank=True, help_text=_("One e-mail address per line."))
    is_active = models.BooleanField(_("active"), default=True)
    last_push_at = models.DateTimeField(null=True, editable=False)
    unreachable_since = models.DateTimeField(null=True, editable=False, help_text="the circuit is open")
    probe_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    stale_pushes = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        verbose_name = _("host connection")
        verbose_name_plural = _("host connections")

    def __str__(self) -> str:
        return self.name


class Delivery(Row):
    """One event on its way to one host: in order per account, until acknowledged, parked or skipped."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        PARKED = "parked", _("parked")
        SKIPPED = "skipped", _("skipped")

    connection = TenantForeignKey(HostConnection, related_name="deliveries")
    event = TenantForeignKey(Event, related_name="deliveries")
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
                fields=["connection", "event", "account"],
                nulls_distinct=False,
            )
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
        ]

    def __str__(self) -> str:
        return f"no. {self.sequence}"


class DeliveryAttempt(Row):
    """One request to a host, redacted, and its answer. Never changed."""

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
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.TextField()
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(name="one_answer_per_idempotency_key", fields=["api_key", "key"])]
        indexes = [models.Index(name="answer_expires", fields=["agency", "expires_at"])]

    def __str__(self) -> str:
        return self.key
