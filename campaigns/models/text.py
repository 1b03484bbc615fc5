"""The agency's own carrier of text messages, what it told us, and what people wrote back."""

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.models import Account, Consumer, ContactPoint
from accounts.tenancy import Row, TenantForeignKey
from campaigns.models.message import Message


class TextProvider(Row):
    """The agency's own account and number at a carrier, with what the carrier and the law want to see first."""

    class Keywords(models.TextChoices):
        PORTAL = "portal", _("this portal")
        CARRIER = "carrier", _("the carrier")

    name = models.CharField(_("name"), max_length=80)
    backend = models.CharField(_("carrier"), max_length=20, default="twilio", choices=[("twilio", "Twilio")])
    account = models.CharField(_("account"), max_length=80, help_text=_("The account SID."))
    token = SealedField(_("API token"))
    signing_key = SealedField(_("webhook signing key"), help_text=_("At Twilio the account's auth token."))
    number = models.CharField(
        _("number"),
        max_length=16,
        validators=[RegexValidator(r"\A\+[1-9][0-9]{7,14}\Z", _("Write it as +15185550100."))],
    )
    api_url = models.URLField(_("API address"), blank=True)
    per_second = models.PositiveSmallIntegerField(
        _("texts per second"), default=1, validators=[MinValueValidator(1), MaxValueValidator(500)]
    )
    keywords = models.CharField(
        _("who answers STOP, START and HELP"),
        max_length=8,
        choices=Keywords,
        default=Keywords.CARRIER,
        help_text=_("Exactly one must: a second confirmation is not allowed (RF-08)."),
    )
    third_party = models.BooleanField(
        _("collects for others"), default=True, help_text=_("Some carriers forbid it in their terms (SMS-06).")
    )
    permit = models.CharField(
        _("the carrier's written exception"),
        max_length=200,
        blank=True,
        help_text=_("Where its terms forbid collection for others: who allowed it, when, where the paper is."),
    )
    registration = models.CharField(
        _("registration"), max_length=80, blank=True, help_text=_("10DLC campaign or toll-free verification (SMS-07).")
    )
    approved_on = models.DateField(
        _("registration approved"), null=True, blank=True, help_text=_("Nothing is sent before.")
    )
    cents_per_thousand = models.PositiveIntegerField(
        _("cents per thousand segments"), default=0, help_text=_("What the carrier charges: the cost of campaigns.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    window_at = models.DateTimeField(null=True, editable=False)
    window_used = models.PositiveIntegerField(default=0, editable=False)

    class Meta(Row.Meta):
        verbose_name = _("carrier of text messages")
        verbose_name_plural = _("carriers of text messages")
        constraints = [
            models.UniqueConstraint(
                name="one_active_text_provider", fields=["agency"], condition=models.Q(is_active=True)
            )
        ]

    def __str__(self) -> str:
        return self.name


class TextEvent(Row):
    """The inbox of signed reports on texts: stored, answered, applied by a worker, once."""

    provider = TenantForeignKey(TextProvider, related_name="events")
    external_id = models.CharField(max_length=200)
    message = models.CharField(max_length=36, help_text="our own id of the text, from the address")
    body = models.JSONField()
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("text event")
        verbose_name_plural = _("text events")
        constraints = [models.UniqueConstraint(name="text_event_once", fields=["provider", "external_id"])]
        indexes = [models.Index(name="text_event_open", fields=["id"], condition=models.Q(applied_at=None))]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.external_id


class Conversation(Row):
    """What one consumer and the agency wrote to each other by text; an unknown number has one of its own."""

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        CLOSED = "closed", _("closed")

    consumer = TenantForeignKey(Consumer, null=True, related_name="conversations", verbose_name=_("consumer"))
    number = models.CharField(_("number"), max_length=254, help_text="the last they wrote from; a stranger's address")
    status = models.CharField(_("status"), max_length=6, choices=Status, default=Status.OPEN)
    assigned_to = models.CharField(_("assigned to"), max_length=80, blank=True)
    unread = models.PositiveIntegerField(_("unread"), default=0)
    last_at = models.DateTimeField(_("last text"))
    last_text = models.CharField(_("they wrote"), max_length=120, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints = [
            models.UniqueConstraint(
                name="one_conversation_per_consumer",
                fields=["agency", "consumer"],
                condition=models.Q(consumer__isnull=False),
            ),
            models.UniqueConstraint(
                name="one_conversation_per_unknown_number",
                fields=["agency", "number"],
                condition=models.Q(consumer__isnull=True),
            ),
        ]
        indexes = [models.Index(name="conversation_latest", fields=["agency", "status", "-last_at"])]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return str(self.consumer) if self.consumer_id else self.number


class InboundMessage(Row):
    """One text that came in, once, with what was understood and done in the same transaction."""

    conversation = TenantForeignKey(Conversation, related_name="inbound", verbose_name=_("conversation"))
    consumer = TenantForeignKey(Consumer, null=True, related_name="inbound", verbose_name=_("consumer"))
    contact_point = TenantForeignKey(ContactPoint, null=True, related_name="inbound", verbose_name=_("address"))
    account = TenantForeignKey(Account, null=True, related_name="+", verbose_name=_("account"))
    channel = models.CharField(_("channel"), max_length=5, default="text")
    external_id = models.CharField(max_length=120)
    sender = models.CharField(_("from"), max_length=254)
    recipient = models.CharField(_("to"), max_length=254)
    text = models.TextField(_("text"))
    wish = models.CharField(_("understood"), max_length=10)
    words = models.CharField(_("by the words"), max_length=200, blank=True)
    outcome = models.CharField(_("done"), max_length=40, blank=True)
    received_at = models.DateTimeField(_("came"))
    answer = TenantForeignKey(Message, null=True, related_name="answers_to", verbose_name=_("answer"))

    class Meta(Row.Meta):
        verbose_name = _("text received")
        verbose_name_plural = _("texts received")
        constraints = [models.UniqueConstraint(name="inbound_once", fields=["agency", "channel", "external_id"])]
        indexes = [models.Index(name="inbound_by_sender", fields=["agency", "sender", "-received_at"])]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.wish} {self.received_at:%Y-%m-%d %H:%M}"
