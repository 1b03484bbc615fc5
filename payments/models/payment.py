"""A payment from intent to outcome, its ledger, and what hosts and processors told us."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.models import Account, Consumer, Visit
from accounts.money import format_cents
from accounts.tenancy import ManyRows, Row, TenantForeignKey
from payments.models.arrangement import Arrangement, Postdate
from payments.models.method import Authorization, Method, ProcessorAccount


class Checkout(Row):
    """A consumer's way to one payment: what they chose, page by page. Its id is the payment's idempotency key.

    Whoever pays by a link has no visit: the link then says who let them (`said`: who paid or took it, and how).

    When the first payment is later, confirming makes an arrangement and no payment. A new card is stored first: the
    `setup_` columns hold that one try, undecided until the processor says.
    """

    class Setup(models.TextChoices):
        NONE = "", _("no card is stored")
        INTENDED = "intended", _("undecided")
        SUCCEEDED = "succeeded", _("stored")
        DECLINED = "declined", _("declined")
        VOIDED = "voided", _("voided")

    account = TenantForeignKey(Account, related_name="checkouts")
    consumer = TenantForeignKey(Consumer, related_name="checkouts")
    visit = TenantForeignKey(Visit, null=True, related_name="checkouts")
    link = TenantForeignKey("payments.PayLink", null=True, related_name="checkouts")
    said = models.JSONField(default=dict, help_text="who pays or took it where no visit says so; never a number")
    choice = models.CharField(max_length=12, help_text="settlement, parts, plan, full, amount")
    frequency = models.CharField(max_length=12, default="monthly")
    lines = models.JSONField(default=list, help_text='[["2026-12-01", 12500], ...]; what is for today is paid now')
    terms = models.JSONField(default=dict, help_text="the terms shown: amount, limits, trace")
    method = TenantForeignKey(Method, null=True, related_name="+")
    confirmation_token = models.CharField(max_length=80, blank=True, help_text="the processor's, for a new card")
    card = models.JSONField(default=dict, help_text="brand, funding, last4, expiry as the server saw them")
    group = models.UUIDField(null=True, help_text="several accounts paid in one go")
    paper = models.BooleanField(default=False, help_text="said no to electronic documents: letters")
    payments_seen = models.PositiveIntegerField(default=0, help_text="payments of the account when this began")
    authorization = TenantForeignKey(Authorization, null=True, related_name="+")
    setup_status = models.CharField(max_length=9, choices=Setup, blank=True, default=Setup.NONE)
    setup_ref = models.CharField(max_length=80, blank=True)
    setup_secret = SealedField(blank=True, default="")
    setup_reason = models.CharField(max_length=60, blank=True, help_text="the processor's code of a refusal")
    setup_expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        verbose_name = _("checkout")
        verbose_name_plural = _("checkouts")
        constraints = [
            models.CheckConstraint(
                name="somebody_is_on_the_way",
                condition=models.Q(visit__isnull=False) | models.Q(link__isnull=False),
            )
        ]
        indexes = [
            models.Index(
                name="card_setup_undecided", fields=["confirmed_at"], condition=models.Q(setup_status="intended")
            )
        ]
        triggers = [
            pgtrigger.FSM(
                name="card_setup_moves_legally",
                field="setup_status",
                transitions=[
                    ("", "intended"),
                    ("intended", "succeeded"),
                    ("intended", "declined"),
                    ("intended", "voided"),
                ],
            )
        ]

    def __str__(self) -> str:
        return f"{self.choice or 'begun'} {self.created_at:%Y-%m-%d %H:%M}"


class Payment(ManyRows):
    """Money intended once, and its one outcome."""

    class Status(models.TextChoices):
        INTENDED = "intended", _("undecided")
        SUCCEEDED = "succeeded", _("succeeded")
        DECLINED = "declined", _("declined")
        PENDING = "pending", _("on its way")
        RETURNED = "returned", _("returned")
        CHARGED_BACK = "charged_back", _("charged back")
        REFUNDED = "refunded", _("refunded")
        VOIDED = "voided", _("voided")

    class Kind(models.TextChoices):
        CARD = "card", _("card")
        ACH = "ach", _("bank account")
        CHECK = "check", _("check")
        CASH = "cash", _("cash")
        ORDER = "order", _("money order")

    BY_HAND = (Kind.CHECK, Kind.CASH, Kind.ORDER)
    """What came by mail or over the counter: staff write it down (services.by_hand)."""

    COUNTED = (Status.SUCCEEDED, Status.PENDING, Status.INTENDED)
    """What lowers what is owed until the host shows it."""

    # Found by (agency, account, intended_at).
    account = TenantForeignKey(Account, related_name="payments", db_index=False)
    consumer = TenantForeignKey(Consumer, related_name="payments")
    method = TenantForeignKey(Method, null=True, related_name="payments")
    authorization = TenantForeignKey(Authorization, null=True, related_name="payments")
    arrangement = TenantForeignKey(Arrangement, null=True, related_name="payments")
    postdate = TenantForeignKey(Postdate, null=True, related_name="payments")
    processor_account = TenantForeignKey(ProcessorAccount, null=True, related_name="+")
    idempotency_key = models.UUIDField()
    group = models.UUIDField(null=True, help_text="several accounts paid in one go")
    retry_of = models.UUIDField(null=True, help_text="the first try of the same item: the banks' limits count from it")
    request_hash = models.CharField(max_length=64)
    kind = models.CharField(max_length=5, choices=Kind)
    executor = models.CharField(max_length=6, help_text="portal, host, or agency: received by hand")
    purpose = models.CharField(max_length=12, help_text="settlement, parts, plan, full, amount")
    amount_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="usd")
    status = models.CharField(max_length=12, choices=Status, default=Status.INTENDED)
    processor_ref = models.CharField(max_length=80, blank=True)
    decline_code = models.CharField(max_length=60, blank=True)
    advice_code = models.CharField(max_length=40, blank=True)
    network_decline_code = models.CharField(max_length=10, blank=True)
    network_advice_code = models.CharField(max_length=10, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    next_action_secret = SealedField(blank=True, default="")
    received_on = models.DateField(null=True, help_text="by hand: the day it came")
    paper_number = models.CharField(max_length=30, blank=True, help_text="of the check or money order")
    intended_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True, help_text="the host shows it in its own list")

    class Meta(Row.Meta):
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.UniqueConstraint(name="one_payment_per_key", fields=["agency", "idempotency_key"]),
            models.UniqueConstraint(
                name="one_undecided_payment_per_account", fields=["account"], condition=models.Q(status="intended")
            ),
            models.CheckConstraint(name="payment_amount_positive", condition=models.Q(amount_cents__gt=0)),
        ]
        indexes = [
            models.Index(name="payment_undecided", fields=["intended_at"], condition=models.Q(status="intended")),
            models.Index(name="payment_of_account", fields=["agency", "account", "-intended_at"]),
        ]
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.FSM(
                name="payment_moves_legally",
                field="status",
                transitions=[
                    ("intended", "succeeded"),
                    ("intended", "declined"),
                    ("intended", "pending"),
                    ("intended", "voided"),
                    ("pending", "succeeded"),
                    ("pending", "declined"),
                    ("pending", "returned"),
                    ("pending", "voided"),
                    ("succeeded", "returned"),
                    ("succeeded", "charged_back"),
                    ("succeeded", "refunded"),
                    ("charged_back", "succeeded"),
                    # What was given back did not arrive, so it is here again.
                    ("refunded", "succeeded"),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.amount_cents / 100:.2f}"

    @property
    def reference(self) -> str:
        """The short reference a consumer can read out: the last ten of the id."""
        return self.id.hex[-10:].upper()


class LedgerEntry(ManyRows):
    """One side of a movement; the entries of a payment sum to zero. Never changed."""

    payment = TenantForeignKey(Payment, related_name="entries")
    account = TenantForeignKey(Account, related_name="entries")
    book = models.CharField(max_length=12, help_text="debt, processor, host")
    amount_cents = models.BigIntegerField()
    reason = models.CharField(max_length=20)
    at = models.DateTimeField()

    class Meta(Row.Meta):
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.book} {format_cents(self.amount_cents)}"


class HostItem(Row):
    """A payment or post-date as the host shows it: the tabs are made of these."""

    class Kind(models.TextChoices):
        PAYMENT = "payment"
        POSTDATE = "postdate"

    account = TenantForeignKey(Account, models.CASCADE, related_name="host_items")
    kind = models.CharField(max_length=8, choices=Kind)
    host_id = models.CharField(max_length=80)
    portal_id = models.UUIDField(null=True)
    on = models.DateField()
    amount_cents = models.BigIntegerField()
    method = models.CharField(max_length=20, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    status = models.CharField(max_length=30)
    updated_at = models.DateTimeField()
    matched = models.BooleanField(default=False, help_text="found its payment or post-date here")

    class Meta(Row.Meta):
        verbose_name = _("host item")
        verbose_name_plural = _("host items")
        constraints = [models.UniqueConstraint(name="host_item_once", fields=["account", "kind", "host_id"])]

    def __str__(self) -> str:
        return f"{format_cents(self.amount_cents)} {self.status}"


class ProcessorEvent(Row):
    """The inbox of signed processor webhooks: stored, answered, then applied by a worker, once."""

    processor_account = TenantForeignKey(ProcessorAccount, related_name="events")
    external_id = models.CharField(max_length=80)
    kind = models.CharField(max_length=60)
    body = models.JSONField()
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("processor event")
        verbose_name_plural = _("processor events")
        constraints = [
            models.UniqueConstraint(name="processor_event_once", fields=["processor_account", "external_id"])
        ]
        indexes = [models.Index(name="processor_event_open", fields=["id"], condition=models.Q(applied_at=None))]

    def __str__(self) -> str:
        return self.kind
