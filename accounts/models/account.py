"""Clients and their placed accounts."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.consumer import Consumer
from accounts.tenancy import ManyRows, Row, TenantForeignKey


class Client(Row):
    """A creditor who places accounts with the agency."""

    connection_id = models.UUIDField(null=True, editable=False)
    number = models.CharField(_("number"), max_length=40)
    name = models.CharField(_("name"), max_length=120)
    allow_visa_credit = models.BooleanField(_("accept Visa credit cards"), null=True, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        constraints = [models.UniqueConstraint(name="client_number_once", fields=["agency", "connection_id", "number"])]

    def __str__(self) -> str:
        return self.name


class Account(ManyRows):
    """One debt as the host last told it. The host is the system of record; `as_of` says how old the picture is."""

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        BLOCKED = "blocked", _("blocked")
        RECALLED = "recalled", _("recalled")
        CLOSED = "closed", _("closed")
        PAID = "paid", _("paid")
        DISPUTED = "disputed", _("disputed")
        BANKRUPTCY = "bankruptcy", _("bankruptcy")
        DECEASED = "deceased", _("deceased")
        ATTORNEY = "attorney", _("attorney represented")
        CEASE = "cease", _("cease communication")
        UNMAPPED = "unmapped", _("unknown host status: view only")

    connection_id = models.UUIDField(null=True, editable=False)
    client = TenantForeignKey(Client, related_name="accounts")
    consumer = TenantForeignKey(Consumer, related_name="accounts")
    reference = models.CharField(_("reference"), max_length=60)
    reference_key = models.CharField(max_length=60, editable=False)
    status = models.CharField(_("status"), max_length=12, choices=Status)
    host_status = models.CharField(_("host status"), max_length=60, blank=True)
    balance_cents = models.BigIntegerField(_("balance"))
    assigned_cents = models.BigIntegerField(_("assigned balance"), null=True)
    currency = models.CharField(max_length=3, default="usd")
    assigned_on = models.DateField(_("assigned"), null=True)
    listed_on = models.DateField(_("listed"), null=True)
    original_creditor = models.CharField(_("original creditor"), max_length=120, blank=True)
    description = models.CharField(_("description"), max_length=200, blank=True)
    contract_on = models.DateField(_("contract date"), null=True)
    debt_type = models.CharField(_("debt type"), max_length=40, blank=True)
    itemization_on = models.DateField(_("itemization date"), null=True)
    itemization_basis = models.CharField(max_length=40, blank=True)
    itemization = models.JSONField(default=dict, blank=True, help_text="balance, interest, fees, payments, credits")
    validation_sent_on = models.DateField(null=True)
    sol_status = models.CharField(max_length=10, blank=True)
    sol_on = models.DateField(null=True)
    payment_options = models.JSONField(default=dict, blank=True)
    as_of = models.DateTimeField(_("as of"))
    host_version = models.BigIntegerField(null=True)
    body_hash = models.CharField(max_length=64, editable=False)
    line_hash = models.UUIDField(null=True, editable=False, help_text="of the file's line that made it what it is")
    event_seq = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(ManyRows.Meta):
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.UniqueConstraint(
                name="account_reference_once_per_connection", fields=["agency", "connection_id", "reference"]
            ),
            models.CheckConstraint(name="balance_never_negative", condition=models.Q(balance_cents__gte=0)),
        ]
        indexes = [models.Index(name="account_by_reference", fields=["agency", "reference_key"])]
        triggers = [
            pgtrigger.Trigger(
                name="keep_what_offers_read",
                operation=pgtrigger.Update,
                when=pgtrigger.After,
                level=pgtrigger.Statement,
                referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),
                func=(
                    "INSERT INTO accounts_accountpast (id, agency_id, account_id, until, client_id, status, "
                    "balance_cents, listed_on, payment_options, as_of) "
                    "SELECT gen_random_uuid(), o.agency_id, o.id, n.updated_at, o.client_id, o.status, "
                    "o.balance_cents, o.listed_on, o.payment_options, o.as_of "
                    "FROM old_rows o JOIN new_rows n USING (id) "
                    "WHERE (o.client_id, o.status, o.balance_cents, o.listed_on, o.payment_options) "
                    "IS DISTINCT FROM (n.client_id, n.status, n.balance_cents, n.listed_on, n.payment_options); "
                    "RETURN NULL;"
                ),
            )
        ]

    def __str__(self) -> str:
        return self.reference


class AccountPast(ManyRows):
    """What offers read of an account, as it stood until a change; the database writes it, nobody else does.

    What stood at a moment is the row with the earliest `until` after it, or the account itself when there is none.
    """

    account = TenantForeignKey(Account, related_name="past", db_index=False)  # see account_past_until
    until = models.DateTimeField()
    client = TenantForeignKey(Client, related_name="+")
    status = models.CharField(max_length=12)
    balance_cents = models.BigIntegerField()
    listed_on = models.DateField(null=True)
    payment_options = models.JSONField(default=dict)
    as_of = models.DateTimeField()

    class Meta(ManyRows.Meta):
        verbose_name = _("account as it was")
        verbose_name_plural = _("accounts as they were")
        indexes = [models.Index(name="account_past_until", fields=["agency", "account", "until"])]

    def __str__(self) -> str:
        return f"{self.account_id} until {self.until}"
