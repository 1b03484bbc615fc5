"""Campaigns, whom they are for, and what became of each."""

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, ContactPoint
from accounts.tenancy import ManyRows, Row, TenantForeignKey
from campaigns.models.message import Message
from campaigns.models.template import TemplateVersion


class Campaign(Row):
    """One message to many accounts: drafted by one person, approved by another, sent by sets, stopped at any moment."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        WAITING = "waiting", _("waits for approval")
        SCHEDULED = "scheduled", _("scheduled")
        FREEZING = "freezing", _("choosing accounts")
        SENDING = "sending", _("sending")
        PAUSED = "paused", _("paused")
        STOPPED = "stopped", _("stopped")
        FINISHED = "finished", _("finished")

    RUNNING = (Status.SCHEDULED, Status.FREEZING, Status.SENDING)
    MAY_STOP = (*RUNNING, Status.WAITING, Status.PAUSED)

    name = models.CharField(_("name"), max_length=120)
    purpose = models.CharField(
        _("purpose"),
        max_length=10,
        default="campaign",
        choices=[("campaign", _("campaign")), ("reminder", _("reminder"))],
    )
    channel = models.CharField(_("channel"), max_length=5, default="email")
    version_a = TenantForeignKey(TemplateVersion, null=True, related_name="+", verbose_name=_("template"))
    version_b = TenantForeignKey(TemplateVersion, null=True, related_name="+", verbose_name=_("second template"))
    share_b = models.PositiveSmallIntegerField(
        _("percent with the second template"), default=50, validators=[MinValueValidator(1), MaxValueValidator(99)]
    )
    audience = models.JSONField(_("audience"), default=dict, blank=True)
    offer = models.JSONField(
        _("offer"), default=dict, blank=True, help_text='{"percent_bps", "max_payments", "max_days", "expires_on"}'
    )
    starts_at = models.DateTimeField(_("starts"), null=True, blank=True)
    ends_on = models.DateField(_("last day"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT)
    made_by = models.CharField(_("by"), max_length=80)
    made_at = models.DateTimeField(_("made"))
    submitted_by = models.CharField(_("submitted by"), max_length=80, blank=True)
    submitted_at = models.DateTimeField(_("submitted"), null=True)
    approved_by = models.CharField(_("approved by"), max_length=80, blank=True)
    approved_at = models.DateTimeField(_("approved"), null=True)
    started_at = models.DateTimeField(_("started"), null=True)
    frozen_to = models.UUIDField(null=True, editable=False, help_text="the last account that was looked at")
    frozen_at = models.DateTimeField(_("accounts chosen"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        constraints = [
            models.CheckConstraint(
                name="a_campaign_is_approved_by_another_person",
                condition=models.Q(approved_by="") | ~models.Q(approved_by=models.F("submitted_by")),
            )
        ]
        indexes = [
            models.Index(
                name="campaign_running",
                fields=["agency"],
                condition=models.Q(status__in=["scheduled", "freezing", "sending"]),
            )
        ]

    def __str__(self) -> str:
        return self.name


class AudienceLine(Row):
    """One reference of a list that staff uploaded or a host supplied; matched when the accounts are chosen."""

    campaign = TenantForeignKey(Campaign, related_name="lines")
    reference_key = models.CharField(max_length=60)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(name="reference_once_per_audience", fields=["agency", "campaign", "reference_key"])
        ]

    def __str__(self) -> str:
        return self.reference_key


class Recipient(ManyRows):
    """One account of a campaign: chosen once, judged when its message leaves, told why when it was left out."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        LEFT_OUT = "left_out", _("left out")
        LEAVING = "leaving", _("handed over")

    # Every index is written for each of a million rows: the constraint below begins with the campaign.
    campaign = TenantForeignKey(Campaign, related_name="recipients", verbose_name=_("campaign"), db_index=False)
    account = TenantForeignKey(Account, related_name="+", verbose_name=_("account"))
    contact_point = TenantForeignKey(
        ContactPoint, null=True, related_name="+", verbose_name=_("address"), db_index=False
    )
    message = TenantForeignKey(Message, null=True, related_name="recipients", verbose_name=_("message"), db_index=False)
    variant = models.CharField(_("variant"), max_length=1, default="a")
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.WAITING)
    reason = models.CharField(_("reason"), max_length=60, blank=True)
    next_at = models.DateTimeField(_("not before"), null=True)
    offer_id = models.UUIDField(null=True)
    values = models.JSONField(default=dict, help_text="what the fields said, as written")
    body_sha256 = models.CharField(max_length=64, blank=True, help_text="of the message with its links left out")
    link_hash = models.CharField(max_length=64, blank=True)
    identified_at = models.DateTimeField(_("identified"), null=True)

    class Meta(Row.Meta):
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        constraints = [
            models.UniqueConstraint(name="one_recipient_per_campaign_and_account", fields=["campaign", "account"])
        ]
        indexes = [
            models.Index(name="recipient_waiting", fields=["campaign", "id"], condition=models.Q(status="waiting")),
            models.Index(name="recipient_by_message", fields=["message"], condition=~models.Q(message=None)),
            models.Index(name="recipient_by_link", fields=["link_hash"], condition=~models.Q(link_hash="")),
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.account_id}"
