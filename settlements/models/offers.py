"""Settlement offers: the default of the agency, and what was made for one account."""

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from accounts.money import format_cents
from accounts.tenancy import ManyRows, Row, TenantForeignKey


class GlobalOffer(Row):
    """One version of the agency's default settlement, for every account about which nobody says anything else.

    A change is a new row; the row before it is superseded and kept, so that an old offer can be explained.
    """

    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    made_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    made_by = models.CharField(_("by"), max_length=80, blank=True, editable=False)
    superseded_at = models.DateTimeField(_("superseded"), null=True, editable=False)
    enabled = models.BooleanField(_("enabled"), default=True)
    percent_bps = models.PositiveIntegerField(
        _("settlement percent, in hundredths"),
        default=75_00,
        validators=[MinValueValidator(1_00), MaxValueValidator(100_00)],
        help_text=_("7500 is 75 percent"),
    )
    max_payments = models.PositiveSmallIntegerField(_("most payments"), default=6, validators=[MinValueValidator(1)])
    max_days = models.PositiveSmallIntegerField(_("days to finish"), default=180)
    minimum_payment_cents = models.PositiveBigIntegerField(_("smallest payment, cents"), default=25_00)

    class Meta(Row.Meta):
        verbose_name = _("global default offer")
        verbose_name_plural = _("global default offer")
        constraints = [
            models.UniqueConstraint(
                name="one_global_offer_per_agency", fields=["agency"], condition=models.Q(superseded_at__isnull=True)
            ),
            models.UniqueConstraint(name="global_offer_version_once", fields=["agency", "version"]),
        ]
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="version_never_changes",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=(
                    "IF (to_jsonb(NEW) - 'superseded_at') <> (to_jsonb(OLD) - 'superseded_at') "
                    "THEN RAISE EXCEPTION 'a change of the default offer is a new version'; END IF; RETURN NEW;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.percent_bps / 100:g} % / {self.max_payments} / {self.max_days}"


class IndividualOffer(ManyRows):
    """A settlement made for one account by its host, a campaign or staff; it replaces the default as a whole."""

    class Origin(models.TextChoices):
        HOST = "host", _("host")
        CAMPAIGN = "campaign", _("campaign")
        STAFF = "staff", _("staff")

    class Status(models.TextChoices):
        MADE = "made", _("made")
        VIEWED = "viewed", _("viewed")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")
        WITHDRAWN = "withdrawn", _("withdrawn")
        EXPIRED = "expired", _("expired")
        COMPLETED = "completed", _("completed")
        BROKEN = "broken", _("broken")

    OPEN = (Status.MADE, Status.VIEWED)

    account = TenantForeignKey(Account, related_name="offers")
    origin = models.CharField(max_length=8, choices=Origin)
    status = models.CharField(max_length=9, choices=Status, default=Status.MADE)
    amount_cents = models.BigIntegerField(null=True)
    percent_bps = models.PositiveIntegerField(null=True)
    max_payments = models.PositiveSmallIntegerField(default=1)
    max_days = models.PositiveSmallIntegerField(null=True)
    max_on = models.DateField(null=True)
    methods = models.JSONField(default=list, blank=True, help_text='["card"]; empty: whatever else is allowed')
    text = models.CharField(max_length=500, blank=True)
    expires_on = models.DateField(null=True, help_text="the last day, where the consumer lives, to accept it")
    exceeds = models.BooleanField(default=False, help_text="made with the permission to exceed the rules")
    reason = models.CharField(max_length=300, blank=True)
    made_by = models.CharField(max_length=80, blank=True)
    campaign_id = models.UUIDField(null=True, editable=False)
    made_at = models.DateTimeField()
    viewed_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    said_until = models.DateTimeField(null=True, help_text="until when its host said it; empty: it still does")

    class Meta(Row.Meta):
        verbose_name = _("individual offer")
        verbose_name_plural = _("individual offers")
        constraints = [
            models.UniqueConstraint(
                name="one_open_offer_per_account",
                fields=["account"],
                condition=models.Q(status__in=["made", "viewed"]),
            ),
            models.UniqueConstraint(
                name="a_host_says_one_offer_per_account",
                fields=["account"],
                condition=models.Q(origin="host", said_until__isnull=True),
            ),
            models.CheckConstraint(
                name="offer_by_amount_or_percent",
                condition=models.Q(amount_cents__isnull=False) ^ models.Q(percent_bps__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                name="open_offer_expires",
                fields=["expires_on"],
                condition=models.Q(status__in=["made", "viewed"], expires_on__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return format_cents(self.amount_cents) if self.percent_bps is None else f"{self.percent_bps / 100:g} %"
