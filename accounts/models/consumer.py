"""The person who owes, how to reach them, and what they agreed to."""

import pgtrigger
from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.tenancy import ManyRows, Row, TenantForeignKey


class Consumer(Row):
    """A person, as one host connection (or full equality of SSN, last name and birth date) says they are one."""

    connection_id = models.UUIDField(null=True, editable=False)
    host_consumer_id = models.CharField(max_length=80, blank=True)
    first_name = models.CharField(_("first name"), max_length=80, blank=True)
    last_name = models.CharField(_("last name"), max_length=80)
    last_name_key = models.CharField(max_length=80, editable=False)
    ssn = SealedField(blank=True, default="")
    ssn_index = models.CharField(max_length=64, blank=True, editable=False)
    ssn4_index = models.CharField(max_length=64, blank=True, editable=False)
    dob = SealedField(blank=True, default="")
    dob_index = models.CharField(max_length=64, blank=True, editable=False)
    street1 = models.CharField(_("street"), max_length=120, blank=True)
    street2 = models.CharField(_("street, second line"), max_length=120, blank=True)
    city = models.CharField(_("city"), max_length=80, blank=True)
    state = models.CharField(_("state"), max_length=2, blank=True)
    zip = models.CharField(_("ZIP"), max_length=10, blank=True)
    zip_index = models.CharField(max_length=64, blank=True, editable=False)
    time_zone = models.CharField(_("time zone"), max_length=40, default="America/New_York")
    language = models.CharField(_("language"), max_length=5, default="en")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        verbose_name = _("consumer")
        verbose_name_plural = _("consumers")
        constraints = [
            models.UniqueConstraint(
                name="one_consumer_per_host_consumer_id",
                fields=["agency", "connection_id", "host_consumer_id"],
                condition=~models.Q(host_consumer_id=""),
            )
        ]
        indexes = [
            models.Index(name="consumer_by_ssn", fields=["agency", "ssn_index"], condition=~models.Q(ssn_index="")),
            models.Index(name="consumer_by_name", fields=["agency", "last_name_key"]),
        ]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class ContactPoint(ManyRows):
    """An address or number, with the evidence that we may use it (RF-12)."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("e-mail")
        PHONE = "phone", _("phone")

    TYPED = "consumer"
    """The source of what the consumer typed or took away: a host's listing changes neither."""

    # No index of its own: contact_point_once_per_consumer begins with it.
    consumer = TenantForeignKey(Consumer, models.CASCADE, related_name="contact_points", db_index=False)
    kind = models.CharField(_("kind"), max_length=5, choices=Kind)
    value = models.CharField(_("value"), max_length=254)
    value_key = models.CharField(max_length=254, editable=False)
    label = models.CharField(_("type"), max_length=40, blank=True)
    host_status = models.CharField(_("status"), max_length=40, blank=True)
    textable = models.BooleanField(_("the number to text"), default=False)
    position = models.PositiveSmallIntegerField(default=0)
    route = models.CharField(_("route"), max_length=40, blank=True, help_text=_("How it was allowed: RF-13 to RF-16"))
    evidence = models.JSONField(default=dict, blank=True)
    source = models.CharField(max_length=10, default="host")
    code_usable_from = models.DateTimeField(null=True, blank=True, help_text=_("A new one waits 24 hours, AUTH-09"))
    opted_out_at = models.DateTimeField(null=True, blank=True)
    bad_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(ManyRows.Meta):
        verbose_name = _("contact point")
        verbose_name_plural = _("contact points")
        constraints = [
            models.UniqueConstraint(
                name="contact_point_once_per_consumer", fields=["agency", "consumer", "kind", "value_key"]
            )
        ]
        # By hash: it costs a push half of what a tree of long texts does, and nobody asks for a range.
        indexes = [HashIndex(name="contact_point_by_address", fields=["value_key"])]

    def __str__(self) -> str:
        return self.masked

    @property
    def unconfirmed(self) -> bool:
        """Tell whether the consumer typed it and no code came back from it yet: it counts for nothing."""
        return self.source == self.TYPED and not self.route

    @property
    def masked(self) -> str:
        """`j•••@example.com`, `••• ••• 0134`."""
        if self.kind == self.Kind.EMAIL:
            name, _at, domain = self.value.partition("@")
            return f"{name[:1]}•••@{domain}"
        return f"••• ••• {self.value[-4:]}"


class Consent(Row):
    """One line of the consent ledger: granted or withdrawn, with the wording seen. Never changed."""

    class Kind(models.TextChoices):
        ESIGN = "esign", _("electronic documents")
        EMAIL = "email", _("e-mail")
        TEXT = "text", _("text messages")

    consumer = TenantForeignKey(Consumer, related_name="consents")
    contact_point = TenantForeignKey(ContactPoint, null=True, blank=True, related_name="consents")
    kind = models.CharField(max_length=10, choices=Kind)
    granted = models.BooleanField()
    wording = models.TextField()
    version = models.CharField(max_length=20)
    language = models.CharField(max_length=5, default="en")
    source = models.CharField(max_length=20, help_text="page, link, host, staff")
    demonstrated = models.BooleanField(default=False, help_text="ES-02: a code from the document itself was typed in")
    ip = models.GenericIPAddressField(null=True)
    at = models.DateTimeField()

    class Meta(Row.Meta):
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = [models.Index(name="consent_latest", fields=["agency", "consumer", "kind", "-at"])]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.kind} {'granted' if self.granted else 'withdrawn'} {self.at:%Y-%m-%d}"


class Suppression(Row):
    """A stream of messages that must not go to an address any more (EML-06); ended, never deleted.

    What stops every stream, a hard bounce, a complaint, an opt-out of the address, stands in the address itself.
    """

    class Stream(models.TextChoices):
        CAMPAIGNS = "campaigns", _("offers and reminders")
        NOTICES = "notices", _("notices")
        RECEIPTS = "receipts", _("receipts")

    contact_point = TenantForeignKey(ContactPoint, related_name="suppressions")
    stream = models.CharField(_("stream"), max_length=10, choices=Stream)
    source = models.CharField(_("source"), max_length=20, help_text="link, page, host, staff")
    words = models.CharField(_("in their words"), max_length=2000, blank=True)
    at = models.DateTimeField(_("since"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta(Row.Meta):
        verbose_name = _("stopped stream")
        verbose_name_plural = _("stopped streams")
        constraints = [
            models.UniqueConstraint(
                name="one_live_suppression_per_stream",
                fields=["contact_point", "stream"],
                condition=models.Q(ended_at=None),
            )
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.contact_point} {self.stream}"


class QuietTime(Row):
    """Hours of a weekday that do not suit a consumer, as they or their creditor said (RF-04); ended, never deleted."""

    class Weekday(models.IntegerChoices):
        MONDAY = 0, _("Monday")
        TUESDAY = 1, _("Tuesday")
        WEDNESDAY = 2, _("Wednesday")
        THURSDAY = 3, _("Thursday")
        FRIDAY = 4, _("Friday")
        SATURDAY = 5, _("Saturday")
        SUNDAY = 6, _("Sunday")

    consumer = TenantForeignKey(Consumer, related_name="quiet_times")
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    starts = models.TimeField(_("from"))
    ends = models.TimeField(_("until"))
    source = models.CharField(_("source"), max_length=10, help_text="page, host, staff")
    at = models.DateTimeField(_("said"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta(Row.Meta):
        verbose_name = _("inconvenient time")
        verbose_name_plural = _("inconvenient times")
        constraints = [
            models.CheckConstraint(
                name="quiet_time_ends_after_it_starts", condition=models.Q(ends__gt=models.F("starts"))
            )
        ]
        indexes = [
            models.Index(
                name="quiet_time_live", fields=["agency", "consumer"], condition=models.Q(ended_at__isnull=True)
            )
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.starts:%H:%M}-{self.ends:%H:%M}"
