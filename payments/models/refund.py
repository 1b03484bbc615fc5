"""Money given back, and what staff must look at."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from accounts.money import format_cents
from accounts.tenancy import Row, TenantForeignKey
from payments.models.payment import Payment


class Refund(Row):
    """Give a payment back, in part or whole; above the merchant account's limit a second person approves it."""

    class Status(models.TextChoices):
        ASKED = "asked", _("waiting for approval")
        APPROVED = "approved", _("approved")
        DONE = "done", _("given back")
        FAILED = "failed", _("failed")
        REJECTED = "rejected", _("rejected")

    OPEN = (Status.ASKED, Status.APPROVED)

    payment = TenantForeignKey(Payment, related_name="refunds")
    account = TenantForeignKey(Account, related_name="refunds")
    amount_cents = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    status = models.CharField(max_length=8, choices=Status, default=Status.ASKED)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True)
    processor_ref = models.CharField(max_length=80, blank=True)
    failure = models.CharField(max_length=300, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.UniqueConstraint(
                name="one_open_refund_per_payment",
                fields=["payment"],
                condition=models.Q(status__in=["asked", "approved"]),
            ),
            models.CheckConstraint(name="refund_amount_positive", condition=models.Q(amount_cents__gt=0)),
        ]
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.FSM(
                name="refund_moves_legally",
                field="status",
                transitions=[
                    ("asked", "approved"),
                    ("asked", "rejected"),
                    ("approved", "done"),
                    ("approved", "failed"),
                    ("failed", "approved"),
                    # The consumer's bank sent it back, days later.
                    ("done", "failed"),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{format_cents(self.amount_cents)} of {self.payment}"


class Incident(Row):
    """Something that staff must look at and close: a difference, a rate, a charge that should not have been.

    `kind` is a stable code; `key` names the matter, so that the same one is open once; it ages until it is closed.
    """

    class Severity(models.TextChoices):
        NOTICE = "notice", _("to know")
        WARNING = "warning", _("to look at")
        URGENT = "urgent", _("urgent")

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120)
    severity = models.CharField(max_length=7, choices=Severity, default=Severity.WARNING)
    account = TenantForeignKey(Account, null=True, related_name="incidents")
    payment = TenantForeignKey(Payment, null=True, related_name="incidents")
    data = models.JSONField(default=dict, help_text="amounts in cents; never a number of a card or bank account")
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="found again the last time")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=80, blank=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        constraints = [
            models.UniqueConstraint(
                name="one_open_incident_per_matter",
                fields=["agency", "kind", "key"],
                condition=models.Q(closed_at__isnull=True),
            )
        ]
        indexes = [
            models.Index(
                name="incident_open", fields=["agency", "opened_at"], condition=models.Q(closed_at__isnull=True)
            )
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
