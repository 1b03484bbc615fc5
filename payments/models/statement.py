"""What the law wants consumers told in writing about what they paid: while they pay, and once nothing is owed."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from accounts.money import format_cents
from accounts.tenancy import Row, TenantForeignKey


class Statement(Row):
    """An accounting of a plan (ST-03) or the letter that nothing is owed any more (ST-04): what it says, and its proof.

    What it says is written once, when it is made. It leaves by e-mail where the consumer agreed to electronic documents
    (ES-01) and else by letter, which the host posts and reports.
    """

    class Kind(models.TextChoices):
        ACCOUNTING = "accounting", _("accounting")
        SATISFACTION = "satisfaction", _("satisfaction letter")

    class Status(models.TextChoices):
        DUE = "due", _("due")
        SENT = "sent", _("sent")

    account = TenantForeignKey(Account, related_name="statements")
    kind = models.CharField(max_length=12, choices=Kind)
    status = models.CharField(max_length=4, choices=Status, default=Status.DUE)
    owner = models.CharField(max_length=6, help_text="portal, host")
    channel = models.CharField(max_length=6, help_text="email, letter")
    since = models.DateField(help_text="payments after this day are counted")
    until = models.DateField(help_text="up to this day")
    send_by = models.DateField()
    lines = models.JSONField(help_text='payments less what went back: [["2026-12-01", 12500], ...]')
    paid_cents = models.BigIntegerField()
    balance_cents = models.BigIntegerField()
    made_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    proof = models.JSONField(default=dict)

    class Meta(Row.Meta):
        verbose_name = _("statement")
        verbose_name_plural = _("statements")
        constraints = [models.UniqueConstraint(name="one_statement_per_period", fields=["account", "kind", "until"])]
        indexes = [
            models.Index(name="statement_due", fields=["send_by"], condition=models.Q(status="due")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.until}: {format_cents(self.paid_cents, self.account.currency)}"
