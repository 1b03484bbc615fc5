"""What the agency adds to the rules of contact, and every decision of the gate."""

from datetime import time

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Consumer, ContactPoint
from accounts.tenancy import ManyRows, Row, TenantForeignKey
from campaigns.models.message import Message


class ContactPolicy(Row):
    """The agency's own hours and numbers: narrower than the law, never wider (RF-01, RF-09)."""

    opens = models.TimeField(
        _("not before"), default=time(8), validators=[MinValueValidator(time(8))], help_text=_("08:00 or later.")
    )
    closes = models.TimeField(
        _("not from"), default=time(21), validators=[MaxValueValidator(time(21))], help_text=_("21:00 or earlier.")
    )
    most_in_week = models.PositiveSmallIntegerField(
        _("most messages in seven days"),
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(7)],
        help_text=_("About one account, over all channels."),
    )
    employers = models.TextField(
        _("employers' e-mail domains"), max_length=5000, blank=True, help_text=_("One per line: acme-corp.com")
    )

    class Meta(Row.Meta):
        verbose_name = _("contact policy")
        verbose_name_plural = _("contact policy")
        constraints = [
            models.UniqueConstraint(name="one_contact_policy_per_agency", fields=["agency"]),
            models.CheckConstraint(
                name="contact_hours_within_the_law",
                condition=models.Q(opens__gte=time(8), closes__lte=time(21), opens__lt=models.F("closes")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"


class ContactDecision(ManyRows):
    """One answer of the gate: for a message that was to leave, or for a host that asked and holds a place."""

    class Outcome(models.TextChoices):
        OPEN = "", _("open")
        USED = "used", _("used")
        CONVERSATION = "conversation", _("spoke with the consumer")
        RELEASED = "released", _("given back")

    consumer = TenantForeignKey(Consumer, related_name="+")
    account = TenantForeignKey(Account, null=True, related_name="contact_decisions")
    contact_point = TenantForeignKey(ContactPoint, null=True, related_name="+", db_index=False)
    message = TenantForeignKey(Message, null=True, related_name="decisions")
    channel = models.CharField(_("channel"), max_length=5)
    purpose = models.CharField(_("purpose"), max_length=12)
    allowed = models.BooleanField(_("allowed"))
    denials = models.JSONField(_("against it"), default=list, help_text='[{"code": "...", "rules": ["RF-01"]}]')
    checked = models.JSONField(_("rules asked"), default=list)
    hold_until = models.DateTimeField(_("ask again"), null=True)
    zones = models.JSONField(_("zones"), default=list)
    rules_version = models.CharField(_("rules"), max_length=20)
    asked_by = models.CharField(_("asked by"), max_length=80)
    at = models.DateTimeField(_("asked"))
    expires_at = models.DateTimeField(_("place held until"), null=True)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome, default=Outcome.OPEN, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("contact decision")
        verbose_name_plural = _("contact decisions")
        constraints = [
            models.UniqueConstraint(
                name="a_message_leaves_on_one_permission", fields=["message"], condition=models.Q(allowed=True)
            )
        ]
        indexes = [
            models.Index(name="contact_made", fields=["agency", "account", "-at"], condition=models.Q(allowed=True))
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose} {self.at:%Y-%m-%d %H:%M}"
