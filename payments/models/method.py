"""How a consumer pays, at which processor, and by what authority."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.models import Account, Client, Consumer
from accounts.money import format_cents
from accounts.tenancy import Row, TenantForeignKey


class ProcessorAccount(Row):
    """The agency's own merchant account; money never passes through the portal."""

    name = models.CharField(_("name"), max_length=80)
    client = TenantForeignKey(
        Client, null=True, blank=True, related_name="+", verbose_name=_("client"), help_text=_("Empty: all others.")
    )
    processor = models.CharField(_("processor"), max_length=20, default="stripe")
    account_ref = models.CharField(_("merchant account"), max_length=80)
    publishable_key = models.CharField(_("publishable key"), max_length=200)
    secret_key = SealedField(_("secret key"))
    webhook_secret = SealedField(_("webhook secret"), blank=True, default="")
    api_base = models.URLField(_("API address"), blank=True, help_text=_("Empty: the processor's own."))
    script_url = models.URLField(_("field script"), default="https://js.stripe.com/v3/")
    is_active = models.BooleanField(_("active"), default=True)
    refund_alone_cents = models.PositiveBigIntegerField(
        _("refund without a second person up to, cents"), default=100_00
    )
    debits_paused_at = models.DateTimeField(_("new bank payments paused"), null=True, editable=False)
    debits_paused_reason = models.CharField(max_length=120, blank=True, editable=False)

    class Meta(Row.Meta):
        verbose_name = _("processor account")
        verbose_name_plural = _("processor accounts")
        constraints = [
            models.UniqueConstraint(
                name="one_active_processor_account",
                fields=["agency", "client"],
                condition=models.Q(is_active=True),
                nulls_distinct=False,
                violation_error_message=_("There is an active merchant account for this already: switch it off first."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Method(Row):
    """A card known by its token, or a bank account sealed until its executor acknowledged it. Never a card number."""

    class Kind(models.TextChoices):
        CARD = "card", _("card")
        ACH = "ach", _("bank account")

    consumer = TenantForeignKey(Consumer, related_name="methods")
    kind = models.CharField(max_length=4, choices=Kind)
    processor_account = TenantForeignKey(ProcessorAccount, null=True, related_name="+")
    processor_customer = models.CharField(max_length=80, blank=True)
    processor_method = models.CharField(max_length=80, blank=True)
    network_transaction_id = models.CharField(max_length=80, blank=True)
    fingerprint = models.CharField(max_length=80, blank=True, help_text="the processor's, or our blind index")
    brand = models.CharField(max_length=20, blank=True)
    funding = models.CharField(max_length=10, blank=True)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField(null=True)
    exp_year = models.PositiveSmallIntegerField(null=True)
    holder = models.CharField(max_length=120, blank=True)
    account_type = models.CharField(max_length=10, blank=True, help_text="checking, savings")
    routing = SealedField(blank=True, default="")
    number = SealedField(blank=True, default="")
    validated_at = models.DateTimeField(null=True, help_text="ACH-02: no first debit without")
    validation = models.CharField(max_length=20, blank=True)
    stored = models.BooleanField(default=False, help_text="may be used again, CARD-03")
    is_default = models.BooleanField(default=False)
    consent = models.JSONField(default=dict, help_text="what was agreed to when it was added without a payment")
    blocked_at = models.DateTimeField(null=True, help_text="the network or a bank said never again")
    blocked_reason = models.CharField(max_length=60, blank=True)
    update_pending = models.JSONField(null=True, help_text="ACH-13: a notification of change not applied yet")
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)
    wiped_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        verbose_name = _("payment method")
        verbose_name_plural = _("payment methods")
        constraints = [
            models.UniqueConstraint(
                name="one_default_method_per_consumer",
                fields=["consumer"],
                condition=models.Q(is_default=True, removed_at__isnull=True),
            )
        ]
        indexes = [
            # The networks' limits count by card, whoever's entry of it was tried (CARD-07).
            models.Index(
                name="method_by_fingerprint",
                fields=["agency", "fingerprint"],
                condition=~models.Q(fingerprint=""),
            )
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """`Visa debit ending 4242`, `Checking account ending 6789`."""
        if self.kind == self.Kind.CARD:
            return f"{self.brand.title()} {self.funding} ending {self.last4}".replace("  ", " ")
        return f"{self.account_type.title()} account ending {self.last4}"


class Authorization(Row):
    """What the consumer signed: exact text, amounts, dates, method and the evidence of who, when and where (EFT-01).

    Kept for good: nothing deletes it, which is longer than the two years after its end that are asked for (EFT-07).
    """

    consumer = TenantForeignKey(Consumer, related_name="authorizations")
    account = TenantForeignKey(Account, related_name="authorizations")
    method = TenantForeignKey(Method, related_name="authorizations")
    kind = models.CharField(max_length=10, help_text="single, schedule")
    text = models.TextField()
    text_sha256 = models.CharField(max_length=64)
    version = models.CharField(max_length=20)
    language = models.CharField(max_length=5)
    total_cents = models.BigIntegerField()
    lines = models.JSONField(help_text='[["2026-12-01", 12500], ...]')
    sec_code = models.CharField(max_length=3, blank=True, help_text="WEB for bank debits given here, ACH-01")
    accepted_at = models.DateTimeField()
    time_zone = models.CharField(max_length=40)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    level = models.PositiveSmallIntegerField()
    evidence = models.JSONField(default=dict, help_text="facts given, visit, code's contact point: masked")
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=80, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("authorization")
        verbose_name_plural = _("authorizations")
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="signed_text_never_changes",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=(
                    "IF (to_jsonb(NEW) - 'revoked_at' - 'revoked_by') <> (to_jsonb(OLD) - 'revoked_at' - 'revoked_by') "
                    "OR OLD.revoked_at IS NOT NULL "
                    "THEN RAISE EXCEPTION 'an authorization is signed: it can only be revoked, once'; END IF; "
                    "RETURN NEW;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{format_cents(self.total_cents)} on {self.accepted_at:%Y-%m-%d}"
