"""The tenant and its staff."""

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import uuid7


class Agency(models.Model):
    """A collection agency: the tenant. Its own row is readable without a scope, since the host name finds it here."""

    class Factor(models.TextChoices):
        """The third fact that identifies a consumer, beside reference number and last name."""

        SSN4 = "ssn4", _("last four of the Social Security number")
        ZIP = "zip", _("ZIP code")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(
        _("address"),
        max_length=40,
        unique=True,
        help_text=_("The first part of the consumers' web address."),
        validators=[RegexValidator(r"^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$")],
    )
    name = models.CharField(_("name"), max_length=80)
    legal_name = models.CharField(_("legal name"), max_length=120)
    address = models.TextField(_("postal address"), max_length=300, help_text=_("One line per line."))
    phone = models.CharField(_("phone"), max_length=30)
    email = models.EmailField(_("e-mail for consumers"), blank=True)
    hours = models.CharField(_("hours"), max_length=120, help_text=_("For example: Mon to Fri, 8 am to 6 pm ET"))
    hours_es = models.CharField(
        _("hours in Spanish"),
        max_length=120,
        blank=True,
        default="",
        db_default="",  # while code that does not know it still runs
        help_text=_("For example: lun a vie, 8 a. m. a 6 p. m., hora del Este. Empty: the same hours."),
    )
    licences = models.TextField(_("licence lines"), max_length=1000, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=40, default="America/New_York")
    currency = models.CharField(_("currency"), max_length=3, default="usd", editable=False)
    factor = models.CharField(_("third fact"), max_length=4, choices=Factor, default=Factor.SSN4)
    allow_visa_credit = models.BooleanField(
        _("accept Visa credit cards"),
        default=False,
        help_text=_("Visa bars credit cards for overdue consumer debt (CARD-01). Leave off unless counsel says so."),
    )
    balance_fresh_hours = models.PositiveIntegerField(
        _("oldest balance we charge on, hours"),
        default=30 * 24,
        help_text=_("An older balance blocks payment."),
    )
    rules_need_two_people = models.BooleanField(
        _("rule sets need a second person"),
        default=False,
        help_text=_("Whoever submits a rule set cannot publish it."),
    )
    old_debt_parts_states = models.CharField(
        _("payments in parts on debts too old to sue for"),
        max_length=200,
        blank=True,
        help_text=_("States where counsel allows them, as TX FL. Empty: nowhere (SOL-04)."),
    )
    licensed_only = models.BooleanField(
        _("collect only where we are licensed"),
        default=False,
        help_text=_(
            "Who lives in a state without a licence in your list sees how to reach you, and pays nothing here (ST-09). "
            "Without a list nothing changes."
        ),
    )
    brand = models.CharField(_("brand colour"), max_length=7, default="#1f4e5f")
    accent = models.CharField(_("accent colour"), max_length=7, default="#b5541c")
    branding_version = models.PositiveIntegerField(default=1, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    last_sequence = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("agency")
        verbose_name_plural = _("agencies")

    def __str__(self) -> str:
        return self.name

    def hours_in(self, language: str) -> str:
        """Say when somebody answers, in the reader's language where the agency wrote it (LANG-04)."""
        return (self.hours_es if language.startswith("es") else "") or self.hours

    def renew_face(self) -> None:
        """Give what is printed on pages a new version, counted by the database: a licence may count it meanwhile."""
        Agency.objects.filter(pk=self.pk).update(branding_version=models.F("branding_version") + 1)
        self.refresh_from_db(fields=["branding_version"])

    @property
    def address_lines(self) -> list[str]:
        return [line.strip() for line in self.address.splitlines() if line.strip()]


class User(AbstractUser):
    """A member of staff: of one agency, or of the platform when the agency is empty."""

    agency = models.ForeignKey(
        Agency, models.PROTECT, null=True, blank=True, related_name="staff", verbose_name=_("agency")
    )

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.CheckConstraint(
                name="agency_staff_are_never_superusers",
                condition=models.Q(agency__isnull=True) | models.Q(is_superuser=False),
            )
        ]
