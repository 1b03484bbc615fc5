"""What a consumer may say about a debt, and how somebody else may pay for them."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.models import Account, Consumer, Visit
from accounts.money import format_cents
from accounts.tenancy import Row, TenantForeignKey
from payments.models.payment import Payment


class Dispute(Row):
    """The consumer says that this is wrong; campaigns and scheduled charges wait until it is resolved (RF-32)."""

    class Reason(models.TextChoices):
        NOT_MINE = "not_mine", _("It is not my debt")
        PAID = "paid", _("I already paid it")
        AMOUNT = "amount", _("The amount is wrong")
        FRAUD = "fraud", _("Somebody used my identity")
        OTHER = "other", _("Something else")

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        RESOLVED = "resolved", _("resolved")

    account = TenantForeignKey(Account, related_name="disputes")
    consumer = TenantForeignKey(Consumer, related_name="disputes")
    visit = TenantForeignKey(Visit, null=True, related_name="+")
    reason = models.CharField(max_length=8, choices=Reason)
    text = SealedField(blank=True, default="", help_text="in the consumer's own words")
    amount_cents = models.BigIntegerField(null=True, help_text="what is disputed; empty: all of it")
    no_promise = models.CharField(
        _("said to be no promise"), max_length=30, blank=True, help_text=_("the sentence that stood beside it, SOL-05")
    )
    in_validation_period = models.BooleanField(default=False, help_text="RF-32: collection stops until verified")
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=80, blank=True)
    resolution = models.CharField(max_length=300, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        constraints = [
            models.UniqueConstraint(
                name="one_open_dispute_per_account", fields=["account"], condition=models.Q(status="open")
            )
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.reason} {self.opened_at:%Y-%m-%d}"


class CreditorRequest(Row):
    """The consumer asks who the original creditor is; the agency answers in writing."""

    account = TenantForeignKey(Account, related_name="creditor_requests")
    consumer = TenantForeignKey(Consumer, related_name="creditor_requests")
    in_validation_period = models.BooleanField(default=False)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=80, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("original creditor request")
        verbose_name_plural = _("original creditor requests")
        constraints = [
            models.UniqueConstraint(
                name="one_open_creditor_request", fields=["account"], condition=models.Q(answered_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.asked_at:%Y-%m-%d}"


class PayLink(Row):
    """A link by which a helper pays an amount for a consumer, or a consumer what an agent set up: amount only.

    A helper sees the amount and, where it tells of no debt, the agency's name: no creditor, no balance, no debtor
    (RF-11). What an agent set up opens after the consumer has said who they are. Of the token only a hash is kept.
    """

    class Kind(models.TextChoices):
        HELPER = "helper", _("somebody else pays")
        AGENT = "agent", _("set up by an agent")

    account = TenantForeignKey(Account, related_name="pay_links")
    consumer = TenantForeignKey(Consumer, related_name="pay_links")
    kind = models.CharField(max_length=6, choices=Kind)
    token_hash = models.CharField(max_length=64)
    choice = models.CharField(max_length=12, default="amount", help_text="settlement, parts, plan, full, amount")
    amount_cents = models.BigIntegerField(help_text="of the first payment")
    lines = models.JSONField(default=list, help_text="a plan that an agent prepared; empty: one payment on its day")
    frequency = models.CharField(max_length=12, default="once")
    made_by = models.CharField(max_length=80)
    reason = models.CharField(max_length=300, blank=True)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=80, blank=True)
    payment = TenantForeignKey(Payment, null=True, related_name="pay_links")

    class Meta(Row.Meta):
        verbose_name = _("pay link")
        verbose_name_plural = _("pay links")
        constraints = [
            models.UniqueConstraint(name="pay_link_token_once", fields=["agency", "token_hash"]),
            models.CheckConstraint(name="pay_link_amount_positive", condition=models.Q(amount_cents__gt=0)),
        ]

    def __str__(self) -> str:
        return format_cents(self.amount_cents)

    @property
    def parts(self) -> int:
        """How many payments it is."""
        return len(self.lines) or 1

    @property
    def total_cents(self) -> int:
        """All of it, not the first payment alone."""
        return sum(cents for _on, cents in self.lines) or self.amount_cents
