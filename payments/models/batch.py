"""Payments that are executed outside the portal, gathered, reviewed and handed over together (Intelec)."""

import pgtrigger
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from accounts.money import format_cents
from accounts.tenancy import Row, TenantForeignKey
from payments.models.arrangement import Postdate
from payments.models.payment import Payment
from payments.rules.bank import routing_number_is_valid


class AchOrigin(Row):
    """Who an agency is to its bank: the names and numbers that a NACHA file must carry (ACH-17)."""

    bank_name = models.CharField(_("bank's name"), max_length=23, help_text=_("As the bank wants it in the file."))
    bank_routing = models.CharField(_("bank's routing number"), max_length=9)
    company_name = models.CharField(_("company name"), max_length=16, help_text=_("What consumers see on statements."))
    company_id = models.CharField(_("company number"), max_length=10, help_text=_("Given by the bank."))
    origin_name = models.CharField(_("sender's name"), max_length=23)

    class Meta(Row.Meta):
        verbose_name = _("bank file sender")
        verbose_name_plural = _("bank file senders")
        constraints = [
            models.UniqueConstraint(
                name="one_ach_origin",
                fields=["agency"],
                violation_error_message=_("The agency is named to its bank already: change that entry."),
            ),
            models.CheckConstraint(
                name="ach_origin_routing_is_nine_digits", condition=models.Q(bank_routing__regex=r"^[0-9]{9}$")
            ),
        ]

    def __str__(self) -> str:
        return self.company_name

    def clean(self) -> None:
        """Refuse a routing number whose check digit is wrong."""
        if not routing_number_is_valid(self.bank_routing):
            raise ValidationError({"bank_routing": _("This routing number is not right. Check each digit.")})


class PaymentBatch(Row):
    """A batch: collected, reviewed and edited, approved, exported, posted. Its totals tie at every step."""

    class Method(models.TextChoices):
        CARD = "card", _("cards")
        ACH = "ach", _("bank accounts")
        CHECK = "check", _("checks by mail")
        CASH = "cash", _("cash")

    class Format(models.TextChoices):
        CSV = "csv", _("list (CSV)")
        CHECKS = "checks", _("check printing (CSV)")
        NACHA = "nacha", _("bank file (NACHA)")

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        APPROVED = "approved", _("approved")
        EXPORTED = "exported", _("exported")
        POSTED = "posted", _("posted")
        CANCELLED = "cancelled", _("cancelled")

    number = models.PositiveIntegerField()
    method = models.CharField(_("method"), max_length=5, choices=Method)
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    items_count = models.PositiveIntegerField(default=0)
    total_cents = models.BigIntegerField(default=0)
    due_until = models.DateField(help_text="items due up to this day")
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    hands = models.JSONField(
        _("edited by"),
        default=list,
        db_default=[],  # while code that does not know it still runs
        help_text="everybody who put in, moved or took out; none of them approves",
    )
    approved_by = models.CharField(max_length=80, blank=True)
    approved_at = models.DateTimeField(null=True)
    exported_at = models.DateTimeField(null=True)
    exported_by = models.CharField(max_length=80, blank=True)
    export_format = models.CharField(max_length=6, choices=Format, blank=True)
    export_sha256 = models.CharField(max_length=64, blank=True)
    posted_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        verbose_name = _("payment batch")
        verbose_name_plural = _("payment batches")
        constraints = [models.UniqueConstraint(name="batch_number_once", fields=["agency", "number"])]
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.FSM(
                name="batch_moves_legally",
                field="status",
                transitions=[
                    ("open", "approved"),
                    ("open", "cancelled"),
                    ("approved", "open"),
                    ("approved", "exported"),
                    ("exported", "posted"),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"no. {self.number}"


class BatchItem(Row):
    """One payment or post-date in a batch; it can be in one batch only, ever. An item taken out says why."""

    class Status(models.TextChoices):
        IN = "in", _("in the batch")
        POSTED = "posted", _("posted")
        FAILED = "failed", _("failed")

    batch = TenantForeignKey(PaymentBatch, related_name="items")
    account = TenantForeignKey(Account, related_name="batch_items")
    postdate = TenantForeignKey(Postdate, null=True, related_name="batch_items")
    payment = TenantForeignKey(Payment, null=True, related_name="batch_items")
    amount_cents = models.BigIntegerField()
    on = models.DateField(_("date"), help_text="executed on this day, never before its due date")
    changed_by = models.CharField(max_length=80, blank=True, help_text="moved its date, or said that it failed")
    status = models.CharField(max_length=6, choices=Status, default=Status.IN)
    removed_at = models.DateTimeField(null=True)
    removed_by = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    added_at = models.DateTimeField()

    class Meta(Row.Meta):
        verbose_name = _("batch item")
        verbose_name_plural = _("batch items")
        constraints = [
            models.UniqueConstraint(name="postdate_in_one_batch_ever", fields=["postdate"]),
            models.UniqueConstraint(name="payment_in_one_batch_ever", fields=["payment"]),
            models.CheckConstraint(
                name="batch_item_is_one_thing",
                condition=models.Q(postdate__isnull=False) | models.Q(payment__isnull=False),
            ),
            models.CheckConstraint(name="batch_item_amount_positive", condition=models.Q(amount_cents__gt=0)),
        ]

    def __str__(self) -> str:
        return format_cents(self.amount_cents)
