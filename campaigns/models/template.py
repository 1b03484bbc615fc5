"""What campaigns say: templates with numbered versions, in both languages."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from accounts.tenancy import Row, TenantForeignKey


class MessageTemplate(Row):
    """One message of the agency, or of one of its clients, by one channel."""

    class Kind(models.TextChoices):
        SETTLEMENT = "settlement_offer", _("settlement offer")
        PLAN = "plan_offer", _("plan offer")
        REMINDER = "reminder", _("reminder")
        BROKEN = "broken_plan", _("broken plan")
        WELCOME = "welcome", _("welcome")
        REPLY = "reply", _("answer to a consumer")
        RECEIPT = "receipt", _("receipt")
        PLAN_CONFIRMED = "plan_confirmed", _("receipt with the dates of a plan")
        COPY = "authorization_copy", _("copy of an authorization")
        PREDEBIT = "predebit", _("notice before a payment")
        FAILED = "payment_failed", _("failed payment")
        CODE = "code", _("verification code")
        OTHER = "other", _("other")

    class Channel(models.TextChoices):
        EMAIL = "email", _("e-mail")
        TEXT = "text", _("text message")

    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    channel = models.CharField(_("channel"), max_length=5, choices=Channel, default=Channel.EMAIL)
    client = TenantForeignKey(
        Client, null=True, blank=True, verbose_name=_("client"), related_name="+", help_text=_("Empty: every client.")
    )
    litigation = models.BooleanField(
        _("speaks of a suit"), default=False, help_text=_("Never sent about a debt that may be too old (RF-25).")
    )
    made_by = models.CharField(_("by"), max_length=80, editable=False)
    made_at = models.DateTimeField(_("made"), editable=False)
    retired_at = models.DateTimeField(_("retired"), null=True, editable=False)

    class Meta(Row.Meta):
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        constraints = [models.UniqueConstraint(name="template_name_once", fields=["agency", "channel", "name"])]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(Row):
    """What a template says from one moment on; once published it never changes, for it may have been sent."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        SUPERSEDED = "superseded", _("superseded")

    template = TenantForeignKey(MessageTemplate, related_name="versions", verbose_name=_("template"))
    number = models.PositiveIntegerField(_("version"))
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT)
    words = models.JSONField(_("words"), default=dict, help_text='{"en": {"subject", "preheader", "body"}, "es": ...}')
    made_by = models.CharField(_("by"), max_length=80)
    made_at = models.DateTimeField(_("made"))
    published_by = models.CharField(_("published by"), max_length=80, blank=True)
    published_at = models.DateTimeField(_("published"), null=True)

    class Meta(Row.Meta):
        verbose_name = _("template version")
        verbose_name_plural = _("template versions")
        constraints = [
            models.UniqueConstraint(name="template_version_once", fields=["template", "number"]),
            models.UniqueConstraint(
                name="one_draft_per_template", fields=["template"], condition=models.Q(status="draft")
            ),
            models.UniqueConstraint(
                name="one_published_version_per_template", fields=["template"], condition=models.Q(status="published")
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="published_words_never_change",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=(
                    "IF OLD.status <> 'draft' AND (to_jsonb(NEW) - 'status') <> (to_jsonb(OLD) - 'status') "
                    "THEN RAISE EXCEPTION 'a published template is changed by a new version'; END IF; RETURN NEW;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.number}"
