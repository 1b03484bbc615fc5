"""A consumer's visit: the server's own truth about who is signed in and how surely."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.account import Account
from accounts.models.consumer import Consumer, ContactPoint
from accounts.tenancy import Row, TenantForeignKey


class Visit(Row):
    """One signed-in stay of a consumer in one browser; ending the row ends the session."""

    class Level(models.IntegerChoices):
        IDENTIFIED = 1, _("identified by facts")
        CONFIRMED = 2, _("confirmed by a code")

    consumer = TenantForeignKey(Consumer, related_name="visits")
    account = TenantForeignKey(Account, related_name="+", help_text="the account whose reference was given")
    level = models.PositiveSmallIntegerField(choices=Level, default=Level.IDENTIFIED)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, blank=True, help_text="signed_out, idle, relinked, replaced")
    payment_started_at = models.DateTimeField(null=True)
    payment_made_at = models.DateTimeField(null=True)
    language = models.CharField(max_length=5, default="en")
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        indexes = [models.Index(name="visit_live", fields=["seen_at"], condition=models.Q(ended_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"


class Code(Row):
    """A six-digit code sent to a known contact point (AUTH-07): hashed, ten minutes, five tries, bound to a visit."""

    class Purpose(models.TextChoices):
        STEP_UP = "step_up"
        ESIGN = "esign"
        CONTACT = "contact"

    visit = TenantForeignKey(Visit, models.CASCADE, related_name="codes")
    contact_point = TenantForeignKey(ContactPoint, related_name="+")
    purpose = models.CharField(max_length=8, choices=Purpose)
    code_hash = models.CharField(max_length=64)
    sealed_code = models.TextField(blank=True, help_text="for the sender only; wiped when handed to the provider")
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        indexes = [models.Index(name="code_latest", fields=["visit", "purpose", "-created_at"])]


class SessionLink(Row):
    """A link to the log-in of one account, made for the agency's own system: good once, for minutes (AUTH-06).

    It names the account, so that the consumer types one fact and not three; it never replaces that fact. Of the token
    only a hash is kept.
    """

    class Page(models.TextChoices):
        ACCOUNT = "account", _("the account")
        PAY = "pay", _("the payment")
        WALLET = "wallet", _("the saved ways to pay")

    account = TenantForeignKey(Account, related_name="session_links")
    consumer = TenantForeignKey(Consumer, related_name="+", help_text="who it was made for; nobody else may use it")
    page = models.CharField(max_length=8, choices=Page, default=Page.ACCOUNT)
    token_hash = models.CharField(max_length=64)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        verbose_name = _("session link")
        verbose_name_plural = _("session links")
        constraints = [models.UniqueConstraint(name="session_link_token_once", fields=["agency", "token_hash"])]

    def __str__(self) -> str:
        return f"{self.made_at:%Y-%m-%d %H:%M}"


class IdentifyAttempt(Row):
    """One try to identify: what soft lock-out counts (AUTH-03). Holds keyed hashes only, and of IPv6 the /64."""

    reference_hash = models.CharField(max_length=64)
    ip = models.GenericIPAddressField(null=True)
    ok = models.BooleanField()
    at = models.DateTimeField()

    class Meta(Row.Meta):
        indexes = [
            models.Index(name="attempt_by_reference", fields=["agency", "reference_hash", "-at"]),
            models.Index(name="attempt_by_ip", fields=["agency", "ip", "-at"]),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
