"""Affordability and hardship: forms as data, what consumers answered, pauses, and the papers that came with them."""

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.models import Account, Client, Consumer
from accounts.tenancy import Row, TenantForeignKey


class AffordabilityForm(Row):
    """One version of the budget form of an agency or one of its clients. Drafts change; what was published never does.

    In force per level is the version published last; a client's form stands before the agency's.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        DISCARDED = "discarded", _("discarded")

    client = TenantForeignKey(Client, null=True, blank=True, related_name="budget_forms", verbose_name=_("client"))
    version = models.PositiveIntegerField(_("version"))
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.DRAFT)
    definition = models.JSONField(_("definition"), default=dict, help_text="settlements.rules.budget_forms")
    note = models.CharField(_("note"), max_length=300, blank=True)
    made_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    made_by = models.CharField(_("by"), max_length=80, blank=True, editable=False)
    published_at = models.DateTimeField(_("published on"), null=True, editable=False)
    published_by = models.CharField(max_length=80, blank=True, editable=False)

    class Meta(Row.Meta):
        verbose_name = _("budget form")
        verbose_name_plural = _("budget forms")
        constraints = [
            models.UniqueConstraint(
                name="budget_form_version_once", fields=["agency", "client", "version"], nulls_distinct=False
            ),
            models.UniqueConstraint(
                name="one_budget_form_draft_per_level",
                fields=["agency", "client"],
                nulls_distinct=False,
                condition=models.Q(status="draft"),
            ),
            models.CheckConstraint(
                name="budget_form_published_when",
                condition=~models.Q(status="published") | models.Q(published_at__isnull=False),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="published_never_changes",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=(
                    "IF OLD.status <> 'draft' THEN RAISE EXCEPTION "
                    "'a published form never changes: publish another version'; END IF; RETURN NEW;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client or _('agency')} {self.version}"


class Affordability(Row):
    """What one consumer answered for one account, and what followed. Answers and the worked-out sums are sealed.

    The columns hold only what staff's lists and the host need to see: sums of a month in cents, never an answer.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("being filled in")
        SUBMITTED = "submitted", _("submitted")
        ACCEPTED = "accepted", _("accepted by staff")
        DECLINED = "declined", _("declined by staff")
        REPLACED = "replaced", _("replaced by a later one")
        EXPIRED = "expired", _("expired")

    class Outcome(models.TextChoices):
        PLAN = "plan", _("plan proposed")
        REFERRAL = "referral", _("a person decides")
        HARDSHIP = "hardship", _("nothing left over")

    STANDING = (Status.SUBMITTED, Status.ACCEPTED, Status.DECLINED)

    account = TenantForeignKey(Account, related_name="budgets")
    consumer = TenantForeignKey(Consumer, related_name="budgets")
    form = TenantForeignKey(AffordabilityForm, related_name="budgets", verbose_name=_("form"))
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.DRAFT)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome, blank=True)
    answers = SealedField(blank=True, default="")
    worked_out = SealedField(blank=True, default="")
    language = models.CharField(max_length=5, default="en")
    no_promise = models.CharField(
        _("said to be no promise"), max_length=30, blank=True, help_text=_("the sentence that stood beside it, SOL-05")
    )
    income_cents = models.BigIntegerField(_("income"), null=True)
    outgoings_cents = models.BigIntegerField(_("outgoings"), null=True)
    surplus_cents = models.BigIntegerField(_("left over"), null=True)
    share_cents = models.BigIntegerField(_("share of this account"), null=True)
    monthly_cents = models.BigIntegerField(_("proposed each month"), null=True)
    owed_cents = models.BigIntegerField(_("owed"), null=True)
    started_at = models.DateTimeField(_("begun"))
    saved_at = models.DateTimeField(_("last saved"))
    submitted_at = models.DateTimeField(_("submitted on"), null=True)
    expires_on = models.DateField(_("good until"), null=True)
    decided_at = models.DateTimeField(_("decided"), null=True)
    decided_by = models.CharField(_("decided by"), max_length=80, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    offer_id = models.UUIDField(null=True, editable=False)

    class Meta(Row.Meta):
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        constraints = [
            models.UniqueConstraint(
                name="one_budget_draft_per_account",
                fields=["account", "consumer"],
                condition=models.Q(status="draft"),
            ),
            models.CheckConstraint(
                name="budget_submitted_with_an_outcome",
                condition=models.Q(status__in=["draft", "expired"])
                | (models.Q(submitted_at__isnull=False) & ~models.Q(outcome="")),
            ),
        ]
        indexes = [models.Index(name="budget_of_account", fields=["agency", "account", "-submitted_at"])]

    def __str__(self) -> str:
        return f"{self.account} {self.get_status_display()}"


class Hardship(Row):
    """A pause that a consumer asked for: why, how long, and what was decided. It silences every channel meanwhile.

    What the consumer wrote is sealed and shown only to those who decide: it may be about health (UK-13).
    """

    class Status(models.TextChoices):
        REQUESTED = "requested", _("requested")
        GRANTED = "granted", _("granted")
        DECLINED = "declined", _("declined")
        ENDED = "ended", _("ended")
        WITHDRAWN = "withdrawn", _("taken back")

    class Reason(models.TextChoices):
        INCOME = "income", _("I lost work or income")
        HEALTH = "health", _("Illness or an accident")
        FAMILY = "family", _("A separation, a death, or care for somebody")
        DISASTER = "disaster", _("A fire, a flood or another disaster")
        COSTS = "costs", _("My costs went up")
        OTHER = "other", _("Something else")

    OPEN = (Status.REQUESTED, Status.GRANTED)

    account = TenantForeignKey(Account, related_name="hardships")
    consumer = TenantForeignKey(Consumer, related_name="hardships")
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.REQUESTED)
    cause = models.CharField(_("cause"), max_length=8, choices=Reason)
    words = SealedField(blank=True, default="")
    consent = models.CharField(_("consent"), max_length=500, help_text="the sentence that was agreed to, UK-13")
    no_promise = models.CharField(
        _("said to be no promise"), max_length=30, blank=True, help_text=_("the sentence that stood beside it, SOL-05")
    )
    asked_days = models.PositiveSmallIntegerField(_("days asked for"))
    asked_at = models.DateTimeField(_("asked on"))
    automatic = models.BooleanField(_("granted without staff"), default=False)
    starts_on = models.DateField(_("from"), null=True)
    ends_on = models.DateField(_("last day"), null=True)
    review_on = models.DateField(_("to be reviewed on"), null=True)
    decided_at = models.DateTimeField(_("decided"), null=True)
    decided_by = models.CharField(_("decided by"), max_length=80, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    paused = models.JSONField(default=list, help_text="ids of the accounts that the pause covers")
    ended_at = models.DateTimeField(_("ended on"), null=True)
    ended_how = models.CharField(_("ended by"), max_length=8, blank=True, help_text="date, consumer, staff")
    reviewed_at = models.DateTimeField(_("reviewed"), null=True)
    reviewed_by = models.CharField(max_length=80, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("hardship pause")
        verbose_name_plural = _("hardship pauses")
        constraints = [
            models.UniqueConstraint(
                name="one_open_hardship_per_consumer",
                fields=["consumer"],
                condition=models.Q(status__in=["requested", "granted"]),
            ),
            models.CheckConstraint(
                name="hardship_granted_with_dates",
                condition=~models.Q(status="granted")
                | models.Q(starts_on__isnull=False, ends_on__gte=models.F("starts_on"), review_on__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="hardship_running", fields=["ends_on"], condition=models.Q(status="granted")),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.get_status_display()}"


class HardshipPolicy(Row):
    """How the agency treats people in hardship; without a row staff decide everything and the advice is ours."""

    automatic_days = models.PositiveSmallIntegerField(
        _("longest pause without staff, days"),
        default=0,
        validators=[MaxValueValidator(365)],
        help_text=_("A request up to this long is granted at once. 0: staff decide every one."),
    )
    longest_days = models.PositiveSmallIntegerField(
        _("longest pause, days"), default=90, validators=[MinValueValidator(7), MaxValueValidator(365)]
    )
    review_days = models.PositiveSmallIntegerField(
        _("review before its end, days"),
        default=7,
        validators=[MaxValueValidator(60)],
        help_text=_("So many days before a pause ends, it stands in the list of what staff look at."),
    )
    advice = models.JSONField(
        _("free advice"),
        default=list,
        blank=True,
        help_text=_('[{"name", "url", "phone", "text": {"en", "es"}}]; empty: the list that comes with the product'),
    )

    class Meta(Row.Meta):
        verbose_name = _("hardship policy")
        verbose_name_plural = _("hardship policy")
        constraints = [models.UniqueConstraint(name="one_hardship_policy_per_agency", fields=["agency"])]

    def __str__(self) -> str:
        return f"{self.automatic_days} / {self.longest_days}"


class Evidence(Row):
    """A document that came with a hardship request: kept sealed in parts, known by its content, never by its name."""

    class Kind(models.TextChoices):
        PDF = "pdf", "PDF"
        JPEG = "jpeg", "JPEG"
        PNG = "png", "PNG"
        HEIC = "heic", "HEIC"

    hardship = TenantForeignKey(Hardship, related_name="evidence")
    number = models.PositiveSmallIntegerField(_("number"))
    kind = models.CharField(_("kind"), max_length=4, choices=Kind)
    label = SealedField(blank=True, default="")
    size_bytes = models.PositiveIntegerField(_("bytes"))
    sha256 = models.CharField(max_length=64)
    uploaded_at = models.DateTimeField(_("uploaded"))

    class Meta(Row.Meta):
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        constraints = [
            models.UniqueConstraint(name="evidence_numbered", fields=["hardship", "number"]),
            models.UniqueConstraint(name="same_evidence_once", fields=["hardship", "sha256"]),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"


class EvidencePart(Row):
    """A slice of a document, sealed like every other value, so that keys rotate without holding a file in memory."""

    evidence = TenantForeignKey(Evidence, related_name="parts")
    number = models.PositiveSmallIntegerField()
    content = SealedField()

    class Meta(Row.Meta):
        verbose_name = _("slice of evidence")
        verbose_name_plural = _("slices of evidence")
        constraints = [models.UniqueConstraint(name="evidence_part_once", fields=["evidence", "number"])]

    def __str__(self) -> str:
        return f"{self.evidence_id} {self.number}"
