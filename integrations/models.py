"""Hosts, what they are told, and every attempt to tell them."""

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
