"""Numbers worked out before anything is agreed: one account's quote, and a whole portfolio's simulation."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from accounts.money import format_cents
from accounts.tenancy import Row, TenantForeignKey
from settlements.models.rulesets import RuleSet


class Quote(Row):
    """What would be agreed, worked out once and frozen: accept it as it is, or be told what changed in between."""

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        ACCEPTED = "accepted", _("accepted")

    account = TenantForeignKey(Account, related_name="quotes")
    choice = models.CharField(max_length=12, help_text="full, settlement, parts, plan, amount, promise")
    method = models.CharField(max_length=4, blank=True, help_text="card, ach; empty: none linked")
    frequency = models.CharField(max_length=12)
    lines = models.JSONField(help_text='[["2026-12-01", 12500], ...]')
    total_cents = models.BigIntegerField()
    terms = models.JSONField(help_text="limits, level, version, breach policy and the trace of every number")
    world = models.CharField(max_length=64, help_text="SHA-256 of the facts it was worked out from")
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=80)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    result_id = models.UUIDField(null=True, help_text="the arrangement that accepting made")

    class Meta(Row.Meta):
        verbose_name = _("quote")
        verbose_name_plural = _("quotes")
        triggers = [
            pgtrigger.Trigger(
                name="quote_never_changes",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=(
                    "IF (to_jsonb(NEW) - 'status' - 'accepted_at' - 'result_id') <> "
                    "(to_jsonb(OLD) - 'status' - 'accepted_at' - 'result_id') OR OLD.status = 'accepted' "
                    "THEN RAISE EXCEPTION 'a quote is frozen: it can only be accepted, once'; END IF; RETURN NEW;"
                ),
            )
        ]

    def __str__(self) -> str:
        return f"{self.choice} {format_cents(self.total_cents)}"


class Simulation(Row):
    """A run of a draft rule set over the whole live portfolio, beside what is in force."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        STOPPED = "stopped", _("stopped")

    rule_set = TenantForeignKey(RuleSet, related_name="simulations")
    status = models.CharField(_("status"), max_length=7, choices=Status, default=Status.QUEUED)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    last_account = models.UUIDField(null=True, help_text="resume behind it after a crash")
    frozen = models.JSONField(default=dict, help_text="the draft as it was, and which accounts are compared")
    tallies = models.JSONField(default=dict, help_text="sums so far; see settlements.services.simulate")
    samples = models.JSONField(default=list)
    error = models.CharField(max_length=300, blank=True)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        verbose_name = _("simulation")
        verbose_name_plural = _("simulations")

    def __str__(self) -> str:
        return f"{self.rule_set} {self.made_at:%Y-%m-%d %H:%M}"
