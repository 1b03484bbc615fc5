"""Rule sets: what an agency or one of its clients lets consumers arrange for themselves, version by version."""

import pgtrigger
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from accounts.tenancy import Row, TenantForeignKey


class RuleSet(Row):
    """One version of the rules of one level. Drafts change; what was published never does.

    In force at a moment is, per level, the published version with the latest `effective_at` that is not later than
    the moment, published by then and not withdrawn by then; of two with the same time the higher version.
    `bands` is a list of objects whose keys are the fields of `settlements.rules.bands.Band`.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        WAITING = "waiting", _("waiting for a second person")
        PUBLISHED = "published", _("published")
        DISCARDED = "discarded", _("discarded")

    class Conversion(models.TextChoices):
        ANNUAL = "annual", _("annual: a week is 12/52 of a month")
        HALF_MONTH = "half_month", _("half month: weekly to semi-monthly is half a month")

    class Breach(models.TextChoices):
        """What is owed again when a settlement breaks; what was paid always lowers it, cent for cent."""

        BALANCE = "balance", _("the whole balance, less what was paid")
        REST = "rest", _("the rest of the settlement stays due")

    OPEN = (Status.DRAFT, Status.WAITING)

    client = TenantForeignKey(Client, null=True, blank=True, related_name="rule_sets", verbose_name=_("client"))
    version = models.PositiveIntegerField(_("version"))
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.DRAFT)
    enabled = models.BooleanField(_("enabled"), default=True, help_text=_("Off: as if this rule set did not exist."))
    is_master = models.BooleanField(
        _("master switch"),
        default=False,
        help_text=_("While this rule set of the agency is not enabled, the rule sets of clients are not read either."),
    )
    replace_all = models.BooleanField(
        _("replace all"),
        default=False,
        help_text=_("A client's rule set replaces every field of the agency's, empty ones and zeros included."),
    )
    conversion = models.CharField(_("minimum per period"), max_length=10, choices=Conversion, blank=True)
    sif_plan_arrangement = models.CharField(_("contact plan: arrangement"), max_length=20, blank=True)
    sif_plan_final = models.CharField(_("contact plan: full or final"), max_length=20, blank=True)
    promise_days = models.PositiveSmallIntegerField(
        _("days to keep a promise"), null=True, blank=True, help_text=_("0: no promises without a payment method.")
    )
    breach_reinstates = models.CharField(_("after a broken settlement"), max_length=7, choices=Breach, blank=True)
    breach_cure_days = models.PositiveSmallIntegerField(_("days to cure"), null=True, blank=True)
    max_changes = models.PositiveSmallIntegerField(
        _("most changes of an arrangement"), null=True, blank=True, help_text=_("By the consumer; 0: none.")
    )
    bands = models.JSONField(default=list, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    effective_at = models.DateTimeField(_("in force from"), null=True)
    copied_from = models.PositiveIntegerField(_("copy of version"), null=True, editable=False)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    made_by = models.CharField(max_length=80, blank=True, editable=False)
    submitted_by = models.CharField(max_length=80, blank=True, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)
    published_by = models.CharField(max_length=80, blank=True, editable=False)
    withdrawn_at = models.DateTimeField(null=True, editable=False)
    withdrawn_by = models.CharField(max_length=80, blank=True, editable=False)

    class Meta(Row.Meta):
        verbose_name = _("rule set")
        verbose_name_plural = _("rule sets")
        constraints = [
            models.UniqueConstraint(
                name="rule_set_version_once", fields=["agency", "client", "version"], nulls_distinct=False
            ),
            models.UniqueConstraint(
                name="one_open_rule_set_per_level",
                fields=["agency", "client"],
                nulls_distinct=False,
                condition=models.Q(status__in=["draft", "waiting"]),
            ),
            models.CheckConstraint(
                name="rule_set_published_with_dates",
                condition=~models.Q(status="published")
                | models.Q(effective_at__isnull=False, published_at__isnull=False),
            ),
            models.CheckConstraint(
                name="only_clients_replace_and_agencies_master",
                condition=models.Q(client__isnull=True, replace_all=False)
                | models.Q(client__isnull=False, is_master=False),
            ),
        ]
        indexes = [
            models.Index(
                name="rule_set_in_force",
                fields=["agency", "client", "-effective_at"],
                condition=models.Q(status="published"),
            )
        ]
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="published_never_changes",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=(
                    "IF OLD.status IN ('published', 'discarded') AND "
                    "((to_jsonb(NEW) - 'withdrawn_at' - 'withdrawn_by') <> "
                    "(to_jsonb(OLD) - 'withdrawn_at' - 'withdrawn_by') OR OLD.withdrawn_at IS NOT NULL) "
                    "THEN RAISE EXCEPTION 'a published rule set never changes: publish another version'; END IF; "
                    "RETURN NEW;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client or _('agency')} {self.version}"
