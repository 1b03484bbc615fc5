"""Arrangements, their post-dates, and the notices each post-date is owed."""

import pgtrigger
from django.db import models
from django.db.models import Case, When
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Consumer
from accounts.money import format_cents
from accounts.tenancy import ManyRows, Row, TenantForeignKey
from payments.models.method import Authorization, Method
from settlements.models import Quote


class Arrangement(Row):
    """A promise in writing: the frozen schedule, the terms it came from, and how far it is.

    `schedule` is what was accepted and never changes; `due` is the schedule as it stands after the changes that were
    agreed since. Without a `method` the consumer pays by themselves and is reminded instead of charged.
    """

    class Status(models.TextChoices):
        PERFORMING = "performing", _("performing")
        LATE = "late", _("late")
        BROKEN = "broken", _("broken")
        PAUSED = "paused", _("paused")
        REVIEW = "review", _("in review")
        COMPLETED = "completed", _("completed")
        CANCELLED = "cancelled", _("cancelled")

    LIVE = (Status.PERFORMING, Status.LATE, Status.PAUSED, Status.REVIEW)
    """What keeps a second arrangement away."""

    class Kind(models.TextChoices):
        SETTLEMENT = "settlement", _("settlement")
        PLAN = "plan", _("plan")
        PROMISE = "promise", _("promise")

    account = TenantForeignKey(Account, related_name="arrangements")
    consumer = TenantForeignKey(Consumer, related_name="arrangements")
    authorization = TenantForeignKey(Authorization, null=True, related_name="arrangements")
    method = TenantForeignKey(Method, null=True, related_name="arrangements")
    quote = TenantForeignKey(Quote, null=True, related_name="arrangements")
    key = models.UUIDField(null=True, editable=False, help_text="of the checkout or quote that made it, once")
    kind = models.CharField(max_length=10, choices=Kind)
    status = models.CharField(max_length=10, choices=Status, default=Status.PERFORMING)
    frequency = models.CharField(max_length=12, blank=True)
    total_cents = models.BigIntegerField()
    saving_cents = models.BigIntegerField(default=0)
    schedule = models.JSONField(help_text='frozen: [["2026-12-01", 12500], ...]')
    due = models.JSONField(default=list, help_text="the schedule as it stands; empty: as it was accepted")
    terms = models.JSONField(default=dict, help_text="frozen: level, version, limits, what happens when it breaks")
    trace = models.JSONField(default=list, help_text="why these numbers: (number, level, version, field, value)")
    accepted_by = models.CharField(max_length=80, blank=True)
    accepted_at = models.DateTimeField()
    failures = models.PositiveSmallIntegerField(default=0, help_text="failed or missed payments in a row")
    changes = models.PositiveSmallIntegerField(default=0)
    late_since = models.DateField(null=True)
    paused_until = models.DateField(null=True)
    review_on = models.DateField(null=True)
    review_after = models.PositiveSmallIntegerField(null=True, help_text="instalments, then a person looks at it")
    days_in_advance = models.PositiveSmallIntegerField(default=0, help_text="charged so many days before it was due")
    ended_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        verbose_name = _("arrangement")
        verbose_name_plural = _("arrangements")
        constraints = [
            models.UniqueConstraint(
                name="one_live_arrangement_per_account",
                fields=["account"],
                condition=models.Q(status__in=["performing", "late", "paused", "review"]),
            ),
            models.UniqueConstraint(name="one_arrangement_per_key", fields=["agency", "key"]),
            models.CheckConstraint(
                name="nothing_is_charged_without_authorization",
                condition=models.Q(method__isnull=True) | models.Q(authorization__isnull=False),
            ),
        ]
        triggers = [
            pgtrigger.FSM(
                name="arrangement_moves_legally",
                field="status",
                transitions=[
                    *(
                        (before, after)
                        for before in ("performing", "late", "paused", "review")
                        for after in ("performing", "late", "paused", "review", "broken", "completed", "cancelled")
                        if before != after
                    ),
                    # Made good within its days, or what stayed due was paid after all.
                    ("broken", "performing"),
                    ("broken", "completed"),
                    ("broken", "cancelled"),
                    # The payment that completed it came back.
                    ("completed", "performing"),
                    ("completed", "late"),
                    ("completed", "broken"),
                ],
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {format_cents(self.total_cents)}"

    @property
    def withdrawn(self) -> bool:
        """Tell whether what was signed for it was revoked: nothing of it is charged any more (PDC-07)."""
        return self.authorization is not None and self.authorization.revoked_at is not None


class Postdate(ManyRows):
    """One scheduled item: exactly one executor and one notifier, written down when it is made (PDC-06)."""

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", _("scheduled")
        HELD = "held", _("on hold")
        CANCEL_REQUESTED = "cancel_req", _("cancellation requested")
        CANCELLED = "cancelled", _("cancelled")
        TAKEN = "taken", _("taken")
        FAILED = "failed", _("failed")

    OPEN = (Status.SCHEDULED, Status.HELD, Status.CANCEL_REQUESTED)

    # Found by (arrangement, number, turn).
    arrangement = TenantForeignKey(Arrangement, related_name="postdates", db_index=False)
    account = TenantForeignKey(Account, related_name="postdates")
    method = TenantForeignKey(Method, null=True, related_name="postdates")
    number = models.PositiveSmallIntegerField()
    of = models.PositiveSmallIntegerField()
    due_on = models.DateField(help_text="the consumer's local date")
    not_before_at = models.DateTimeField(help_text="08:00 of that date where the consumer lives, PDC-02")
    amount_cents = models.BigIntegerField()
    executor = models.CharField(max_length=8, help_text="portal, host, or consumer: not linked to a method")
    notifier = models.CharField(max_length=6, help_text="portal, host")
    status = models.CharField(max_length=10, choices=Status, default=Status.SCHEDULED)
    run_at = models.DateTimeField(null=True, help_text="the next try of the due run; empty: not_before_at")
    tries = models.PositiveSmallIntegerField(default=0)
    held_for = models.CharField(max_length=60, blank=True, help_text="the code of what holds it")
    claimed_until = models.DateTimeField(null=True, help_text="a due run has it until then")
    extra = models.BooleanField(default=False, help_text="added to the schedule, which it shortens once it is taken")
    turn = models.PositiveSmallIntegerField(default=0, help_text="how often this payment was planned anew before")
    replacement = models.JSONField(null=True, help_text="what follows when it is let go; see services.replan")
    host_id = models.CharField(max_length=80, blank=True)
    acknowledged_at = models.DateTimeField(null=True, help_text="the host shows it")
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        verbose_name = _("post-date")
        verbose_name_plural = _("post-dates")
        constraints = [
            models.UniqueConstraint(name="postdate_number_once", fields=["arrangement", "number", "turn"]),
            models.CheckConstraint(name="postdate_amount_positive", condition=models.Q(amount_cents__gt=0)),
            models.CheckConstraint(
                name="exactly_one_executor_and_notifier",
                condition=models.Q(executor__in=["portal", "host", "consumer"], notifier__in=["portal", "host"]),
            ),
            models.CheckConstraint(
                name="no_method_means_the_consumer_pays",
                condition=models.Q(method__isnull=True, executor="consumer")
                | (models.Q(method__isnull=False) & ~models.Q(executor="consumer")),
            ),
        ]
        indexes = [
            models.Index(
                # Not Coalesce: under row-level security PostgreSQL searches no index by it.
                Case(When(run_at=None, then="not_before_at"), default="run_at"),
                "id",
                name="postdate_due",
                condition=models.Q(status="scheduled", executor="portal"),
            )
        ]
        triggers = [
            pgtrigger.FSM(
                name="postdate_moves_legally",
                field="status",
                transitions=[
                    ("scheduled", "held"),
                    ("scheduled", "cancel_req"),
                    ("scheduled", "cancelled"),
                    ("scheduled", "taken"),
                    ("scheduled", "failed"),
                    ("held", "scheduled"),
                    ("held", "cancel_req"),
                    ("held", "cancelled"),
                    ("held", "taken"),
                    ("held", "failed"),
                    ("cancel_req", "cancelled"),
                    ("cancel_req", "scheduled"),
                    ("cancel_req", "taken"),
                    ("cancel_req", "failed"),
                    ("cancelled", "taken"),
                    # A payment that the consumer makes by themselves came late, or came back.
                    ("failed", "taken"),
                    ("taken", "failed"),
                    ("taken", "scheduled"),
                ],
            )
        ]

    def __str__(self) -> str:
        return f"{format_cents(self.amount_cents)} on {self.due_on}"


class Notice(Row):
    """What is owed in writing before a post-date is charged (PDC-01, PDC-05, EFT-04, ACH-08): owner, window, proof."""

    class Status(models.TextChoices):
        DUE = "due", _("due")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")

    postdate = TenantForeignKey(Postdate, related_name="notices")
    kind = models.CharField(max_length=20, default="predebit", help_text="predebit, varying, date_change")
    owner = models.CharField(max_length=6, help_text="portal, host")
    channel = models.CharField(max_length=6, help_text="email, letter")
    earliest_on = models.DateField()
    target_on = models.DateField()
    latest_on = models.DateField()
    send_by = models.DateField(help_text="a letter leaves by this day, an e-mail by latest_on")
    status = models.CharField(max_length=6, choices=Status, default=Status.DUE)
    sent_at = models.DateTimeField(null=True)
    proof = models.JSONField(default=dict)
    about = models.JSONField(
        default=dict, help_text="of a change: the line that was signed, [day, cents], and what told it"
    )

    class Meta(Row.Meta):
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [models.UniqueConstraint(name="one_notice_per_kind", fields=["postdate", "kind"])]
        # Looked for every two seconds, among all that were ever sent.
        indexes = [
            models.Index(
                name="notice_to_mail",
                fields=["target_on"],
                condition=models.Q(status="due", owner="portal", channel="email"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.send_by}"
