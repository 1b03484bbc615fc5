"""Messages to consumers and what became of them."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.models import Account, Consumer, ContactPoint
from accounts.tenancy import ManyRows, Row, TenantForeignKey


class MailProvider(Row):
    """The agency's own e-mail provider, domain and sender."""

    name = models.CharField(_("name"), max_length=80)
    backend = models.CharField(_("provider"), max_length=20, default="mailgun")
    domain = models.CharField(_("sending domain"), max_length=120)
    from_name = models.CharField(_("sender name"), max_length=80)
    from_address = models.EmailField(_("sender address"))
    api_key = SealedField(_("API key"))
    signing_key = SealedField(_("webhook signing key"))
    api_url = models.URLField(_("API address"), blank=True)
    replies_to = models.EmailField(
        _("replies go to"),
        blank=True,
        help_text=_("An address whose mail the provider hands in; empty: the agency's own mailbox."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    cents_per_thousand = models.PositiveIntegerField(
        _("cents per thousand messages"), default=0, help_text=_("What the provider charges: the cost of campaigns.")
    )

    class Meta(Row.Meta):
        verbose_name = _("e-mail provider")
        verbose_name_plural = _("e-mail providers")
        constraints = [
            models.UniqueConstraint(
                name="one_active_mail_provider", fields=["agency"], condition=models.Q(is_active=True)
            )
        ]

    def __str__(self) -> str:
        return self.name


class Message(ManyRows):
    """One message to one contact point: the outbox row, and its state as the provider told it."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        SENT = "sent", _("sent")
        DELIVERED = "delivered", _("delivered")
        BOUNCED = "bounced", _("bounced")
        COMPLAINED = "complained", _("complained")
        FAILED = "failed", _("failed")
        HELD = "held", _("held back")

    consumer = TenantForeignKey(Consumer, related_name="messages")
    account = TenantForeignKey(Account, null=True, related_name="messages")
    contact_point = TenantForeignKey(ContactPoint, related_name="messages", db_index=False)
    channel = models.CharField(
        _("channel"), max_length=5, default="email", choices=[("email", _("e-mail")), ("text", _("text message"))]
    )
    template = models.CharField(max_length=40)
    stream = models.CharField(max_length=10, help_text="security, receipts, notices, campaigns, answers")
    language = models.CharField(max_length=5)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField()
    attachments = models.JSONField(default=list, help_text='[{"kind": "authorization", "id": "..."}]: made when sent')
    cause = models.CharField(max_length=120, help_text="what asked for it, once: event id and template")
    in_reply_to = models.CharField(max_length=120, blank=True, default="", help_text="the mail that it answers")
    token = models.CharField(max_length=64, help_text="hash of the opt-out token")
    check_hash = models.CharField(max_length=64, blank=True, default="", help_text="hash of the code that proves it")
    link_hash = models.CharField(max_length=64, blank=True, default="", help_text="of its personal link")
    segments = models.PositiveSmallIntegerField(default=0, help_text="of a text, as the carrier counts them")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    provider_id = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    queued_at = models.DateTimeField()
    anytime_until = models.DateTimeField(
        null=True, help_text="answers the consumer at any hour until then; later only from 8:00 to 21:00, RF-01"
    )
    sent_at = models.DateTimeField(null=True, help_text="accepted by the provider: the moment of sending, RF-02")
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [models.UniqueConstraint(name="one_message_per_cause", fields=["agency", "cause"])]
        indexes = [
            models.Index(name="message_waiting", fields=["next_at"], condition=models.Q(status="queued")),
            models.Index(name="message_by_check", fields=["check_hash"], condition=~models.Q(check_hash="")),
            models.Index(name="message_by_link", fields=["link_hash"], condition=~models.Q(link_hash="")),
            models.Index(name="message_by_provider_id", fields=["agency", "provider_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.queued_at:%Y-%m-%d %H:%M}"


class MailEvent(ManyRows):
    """The inbox of signed provider webhooks: stored, answered, applied by a worker, once."""

    provider = TenantForeignKey(MailProvider, related_name="events", db_index=False)
    external_id = models.CharField(max_length=120)
    body = models.JSONField()
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("mail event")
        verbose_name_plural = _("mail events")
        constraints = [models.UniqueConstraint(name="mail_event_once", fields=["provider", "external_id"])]
        indexes = [models.Index(name="mail_event_open", fields=["id"], condition=models.Q(applied_at=None))]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.external_id
