"""What is offered and why, and what consumers say they can afford; its fences."""

import django.core.validators
import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
import pgtrigger.compiler
from django.db import migrations, models

import accounts.crypto
import accounts.tenancy
from accounts.tenancy import Fence


class Migration(migrations.Migration):
    replaces = [
        ("settlements", "0001_initial"),
        ("settlements", "0002_fences"),
        ("settlements", "0003_rule_sets_and_quotes"),
        ("settlements", "0004_fence_rule_sets"),
        ("settlements", "0005_simulation_frozen"),
        ("settlements", "0006_affordability"),
        ("settlements", "0007_fence_affordability"),
        ("settlements", "0008_individual_offers"),
        ("settlements", "0009_said_to_be_no_promise"),
    ]
    initial = True

    dependencies = [
        ("accounts", "0001_tables"),
    ]

    operations = [
        migrations.CreateModel(
            name="GlobalOffer",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("enabled", models.BooleanField(default=True, verbose_name="enabled")),
                (
                    "percent_bps",
                    models.PositiveIntegerField(
                        default=7500,
                        help_text="7500 is 75 percent",
                        validators=[
                            django.core.validators.MinValueValidator(100),
                            django.core.validators.MaxValueValidator(10000),
                        ],
                        verbose_name="settlement percent, in hundredths",
                    ),
                ),
                (
                    "max_payments",
                    models.PositiveSmallIntegerField(
                        default=6,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="most payments",
                    ),
                ),
                ("max_days", models.PositiveSmallIntegerField(default=180, verbose_name="days to finish")),
                (
                    "minimum_payment_cents",
                    models.PositiveBigIntegerField(default=2500, verbose_name="smallest payment, cents"),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                (
                    "made_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="made"),
                ),
                ("made_by", models.CharField(blank=True, editable=False, max_length=80, verbose_name="by")),
                ("superseded_at", models.DateTimeField(editable=False, null=True, verbose_name="superseded")),
                ("version", models.PositiveIntegerField(default=1, editable=False, verbose_name="version")),
            ],
            options={
                "verbose_name": "global default offer",
                "verbose_name_plural": "global default offer",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("superseded_at__isnull", True)),
                        fields=("agency",),
                        name="one_global_offer_per_agency",
                    ),
                    models.UniqueConstraint(fields=("agency", "version"), name="global_offer_version_once"),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="1e7401ad5415c5a9d169e296117ccae2aee63cd5",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_cebc5",
                            table="settlements_globaloffer",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="version_never_changes",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="IF (to_jsonb(NEW) - 'superseded_at') <> (to_jsonb(OLD) - 'superseded_at') THEN RAISE EXCEPTION 'a change of the default offer is a new version'; END IF; RETURN NEW;",
                            hash="c8fd4989b12d63e679d1fc4a4208910532df0360",
                            operation="UPDATE",
                            pgid="pgtrigger_version_never_changes_67826",
                            table="settlements_globaloffer",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="IndividualOffer",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[("host", "host"), ("campaign", "campaign"), ("staff", "staff")], max_length=8
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("made", "made"),
                            ("viewed", "viewed"),
                            ("accepted", "accepted"),
                            ("declined", "declined"),
                            ("withdrawn", "withdrawn"),
                            ("expired", "expired"),
                            ("completed", "completed"),
                            ("broken", "broken"),
                        ],
                        default="made",
                        max_length=9,
                    ),
                ),
                ("amount_cents", models.BigIntegerField(null=True)),
                ("percent_bps", models.PositiveIntegerField(null=True)),
                ("max_payments", models.PositiveSmallIntegerField(default=1)),
                ("max_days", models.PositiveSmallIntegerField(null=True)),
                ("max_on", models.DateField(null=True)),
                ("text", models.CharField(blank=True, max_length=500)),
                ("made_at", models.DateTimeField()),
                ("viewed_at", models.DateTimeField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="accounts.account",
                    ),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                ("campaign_id", models.UUIDField(editable=False, null=True)),
                (
                    "exceeds",
                    models.BooleanField(default=False, help_text="made with the permission to exceed the rules"),
                ),
                (
                    "expires_on",
                    models.DateField(help_text="the last day, where the consumer lives, to accept it", null=True),
                ),
                ("made_by", models.CharField(blank=True, max_length=80)),
                (
                    "methods",
                    models.JSONField(blank=True, default=list, help_text='["card"]; empty: whatever else is allowed'),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                (
                    "said_until",
                    models.DateTimeField(help_text="until when its host said it; empty: it still does", null=True),
                ),
            ],
            options={
                "verbose_name": "individual offer",
                "verbose_name_plural": "individual offers",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["made", "viewed"])),
                        fields=("account",),
                        name="one_open_offer_per_account",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_cents__isnull", False), ("percent_bps__isnull", False), _connector="XOR"
                        ),
                        name="offer_by_amount_or_percent",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("origin", "host"), ("said_until__isnull", True)),
                        fields=("account",),
                        name="a_host_says_one_offer_per_account",
                    ),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("expires_on__isnull", False), ("status__in", ["made", "viewed"])),
                        fields=["expires_on"],
                        name="open_offer_expires",
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Quote",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("choice", models.CharField(help_text="full, settlement, parts, plan, amount, promise", max_length=12)),
                ("method", models.CharField(blank=True, help_text="card, ach; empty: none linked", max_length=4)),
                ("frequency", models.CharField(max_length=12)),
                ("lines", models.JSONField(help_text='[["2026-12-01", 12500], ...]')),
                ("total_cents", models.BigIntegerField()),
                (
                    "terms",
                    models.JSONField(help_text="limits, level, version, breach policy and the trace of every number"),
                ),
                ("world", models.CharField(help_text="SHA-256 of the facts it was worked out from", max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "open"), ("accepted", "accepted")], default="open", max_length=8
                    ),
                ),
                ("made_at", models.DateTimeField()),
                ("made_by", models.CharField(max_length=80)),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                ("result_id", models.UUIDField(help_text="the arrangement that accepting made", null=True)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quotes",
                        to="accounts.account",
                    ),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
            ],
            options={
                "verbose_name": "quote",
                "verbose_name_plural": "quotes",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="quote_never_changes",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="IF (to_jsonb(NEW) - 'status' - 'accepted_at' - 'result_id') <> (to_jsonb(OLD) - 'status' - 'accepted_at' - 'result_id') OR OLD.status = 'accepted' THEN RAISE EXCEPTION 'a quote is frozen: it can only be accepted, once'; END IF; RETURN NEW;",
                            hash="63becd569a8fecc5590146567284d46d5d69127b",
                            operation="UPDATE",
                            pgid="pgtrigger_quote_never_changes_e227d",
                            table="settlements_quote",
                            when="BEFORE",
                        ),
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="RuleSet",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("waiting", "waiting for a second person"),
                            ("published", "published"),
                            ("discarded", "discarded"),
                        ],
                        default="draft",
                        max_length=9,
                        verbose_name="status",
                    ),
                ),
                (
                    "enabled",
                    models.BooleanField(
                        default=True, help_text="Off: as if this rule set did not exist.", verbose_name="enabled"
                    ),
                ),
                (
                    "is_master",
                    models.BooleanField(
                        default=False,
                        help_text="While this rule set of the agency is not enabled, the rule sets of clients are not read either.",
                        verbose_name="master switch",
                    ),
                ),
                (
                    "replace_all",
                    models.BooleanField(
                        default=False,
                        help_text="A client's rule set replaces every field of the agency's, empty ones and zeros included.",
                        verbose_name="replace all",
                    ),
                ),
                (
                    "conversion",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("annual", "annual: a week is 12/52 of a month"),
                            ("half_month", "half month: weekly to semi-monthly is half a month"),
                        ],
                        max_length=10,
                        verbose_name="minimum per period",
                    ),
                ),
                (
                    "sif_plan_arrangement",
                    models.CharField(blank=True, max_length=20, verbose_name="contact plan: arrangement"),
                ),
                (
                    "sif_plan_final",
                    models.CharField(blank=True, max_length=20, verbose_name="contact plan: full or final"),
                ),
                (
                    "promise_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="0: no promises without a payment method.",
                        null=True,
                        verbose_name="days to keep a promise",
                    ),
                ),
                (
                    "breach_reinstates",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("balance", "the whole balance, less what was paid"),
                            ("rest", "the rest of the settlement stays due"),
                        ],
                        max_length=7,
                        verbose_name="after a broken settlement",
                    ),
                ),
                (
                    "breach_cure_days",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="days to cure"),
                ),
                (
                    "max_changes",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="By the consumer; 0: none.",
                        null=True,
                        verbose_name="most changes of an arrangement",
                    ),
                ),
                ("bands", models.JSONField(blank=True, default=list)),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="note")),
                ("effective_at", models.DateTimeField(null=True, verbose_name="in force from")),
                ("copied_from", models.PositiveIntegerField(editable=False, null=True, verbose_name="copy of version")),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("made_by", models.CharField(blank=True, editable=False, max_length=80)),
                ("submitted_by", models.CharField(blank=True, editable=False, max_length=80)),
                ("published_at", models.DateTimeField(editable=False, null=True)),
                ("published_by", models.CharField(blank=True, editable=False, max_length=80)),
                ("withdrawn_at", models.DateTimeField(editable=False, null=True)),
                ("withdrawn_by", models.CharField(blank=True, editable=False, max_length=80)),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                (
                    "client",
                    accounts.tenancy.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rule_sets",
                        to="accounts.client",
                        verbose_name="client",
                    ),
                ),
            ],
            options={
                "verbose_name": "rule set",
                "verbose_name_plural": "rule sets",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "published")),
                        fields=["agency", "client", "-effective_at"],
                        name="rule_set_in_force",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agency", "client", "version"), name="rule_set_version_once", nulls_distinct=False
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["draft", "waiting"])),
                        fields=("agency", "client"),
                        name="one_open_rule_set_per_level",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "published"), _negated=True),
                            models.Q(("effective_at__isnull", False), ("published_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="rule_set_published_with_dates",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("client__isnull", True), ("replace_all", False)),
                            models.Q(("client__isnull", False), ("is_master", False)),
                            _connector="OR",
                        ),
                        name="only_clients_replace_and_agencies_master",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="d1b29d5274f73f6a0a1a5f731b581f72c4e5c346",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_df201",
                            table="settlements_ruleset",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="published_never_changes",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="IF OLD.status IN ('published', 'discarded') AND ((to_jsonb(NEW) - 'withdrawn_at' - 'withdrawn_by') <> (to_jsonb(OLD) - 'withdrawn_at' - 'withdrawn_by') OR OLD.withdrawn_at IS NOT NULL) THEN RAISE EXCEPTION 'a published rule set never changes: publish another version'; END IF; RETURN NEW;",
                            hash="f441eaeb3087c0b41fa11ccdd4d48d3ba89d1dbc",
                            operation="UPDATE",
                            pgid="pgtrigger_published_never_changes_4f0e4",
                            table="settlements_ruleset",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Simulation",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("stopped", "stopped"),
                        ],
                        default="queued",
                        max_length=7,
                        verbose_name="status",
                    ),
                ),
                ("total", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                ("last_account", models.UUIDField(help_text="resume behind it after a crash", null=True)),
                ("tallies", models.JSONField(default=dict, help_text="sums so far; see settlements.services.simulate")),
                ("samples", models.JSONField(default=list)),
                ("error", models.CharField(blank=True, max_length=300)),
                ("made_by", models.CharField(max_length=80)),
                ("made_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                (
                    "rule_set",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="simulations",
                        to="settlements.ruleset",
                    ),
                ),
                (
                    "frozen",
                    models.JSONField(default=dict, help_text="the draft as it was, and which accounts are compared"),
                ),
            ],
            options={
                "verbose_name": "simulation",
                "verbose_name_plural": "simulations",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="AffordabilityForm",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "draft"), ("published", "published"), ("discarded", "discarded")],
                        default="draft",
                        max_length=9,
                        verbose_name="status",
                    ),
                ),
                (
                    "definition",
                    models.JSONField(
                        default=dict, help_text="settlements.rules.budget_forms", verbose_name="definition"
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="note")),
                (
                    "made_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="made"),
                ),
                ("made_by", models.CharField(blank=True, editable=False, max_length=80, verbose_name="by")),
                ("published_at", models.DateTimeField(editable=False, null=True, verbose_name="published on")),
                ("published_by", models.CharField(blank=True, editable=False, max_length=80)),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                (
                    "client",
                    accounts.tenancy.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="budget_forms",
                        to="accounts.client",
                        verbose_name="client",
                    ),
                ),
            ],
            options={
                "verbose_name": "budget form",
                "verbose_name_plural": "budget forms",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agency", "client", "version"), name="budget_form_version_once", nulls_distinct=False
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "draft")),
                        fields=("agency", "client"),
                        name="one_budget_form_draft_per_level",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "published"), _negated=True),
                            ("published_at__isnull", False),
                            _connector="OR",
                        ),
                        name="budget_form_published_when",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="1d64fb4aef769e8dbe46d5eb14b878453a9e4a60",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_b56a9",
                            table="settlements_affordabilityform",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="published_never_changes",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="IF OLD.status <> 'draft' THEN RAISE EXCEPTION 'a published form never changes: publish another version'; END IF; RETURN NEW;",
                            hash="020a29c1ea97dfd37adae9dc7ee7f48cab166cec",
                            operation="UPDATE",
                            pgid="pgtrigger_published_never_changes_73810",
                            table="settlements_affordabilityform",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Affordability",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "being filled in"),
                            ("submitted", "submitted"),
                            ("accepted", "accepted by staff"),
                            ("declined", "declined by staff"),
                            ("replaced", "replaced by a later one"),
                            ("expired", "expired"),
                        ],
                        default="draft",
                        max_length=9,
                        verbose_name="status",
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("plan", "plan proposed"),
                            ("referral", "a person decides"),
                            ("hardship", "nothing left over"),
                        ],
                        max_length=8,
                        verbose_name="outcome",
                    ),
                ),
                ("answers", accounts.crypto.SealedField(blank=True, default="")),
                ("worked_out", accounts.crypto.SealedField(blank=True, default="")),
                ("language", models.CharField(default="en", max_length=5)),
                ("income_cents", models.BigIntegerField(null=True, verbose_name="income")),
                ("outgoings_cents", models.BigIntegerField(null=True, verbose_name="outgoings")),
                ("surplus_cents", models.BigIntegerField(null=True, verbose_name="left over")),
                ("share_cents", models.BigIntegerField(null=True, verbose_name="share of this account")),
                ("monthly_cents", models.BigIntegerField(null=True, verbose_name="proposed each month")),
                ("owed_cents", models.BigIntegerField(null=True, verbose_name="owed")),
                ("started_at", models.DateTimeField(verbose_name="begun")),
                ("saved_at", models.DateTimeField(verbose_name="last saved")),
                ("submitted_at", models.DateTimeField(null=True, verbose_name="submitted on")),
                ("expires_on", models.DateField(null=True, verbose_name="good until")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided")),
                ("decided_by", models.CharField(blank=True, max_length=80, verbose_name="decided by")),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                ("offer_id", models.UUIDField(editable=False, null=True)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="budgets",
                        to="accounts.account",
                    ),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                (
                    "consumer",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="budgets",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "form",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="budgets",
                        to="settlements.affordabilityform",
                        verbose_name="form",
                    ),
                ),
                (
                    "no_promise",
                    models.CharField(
                        blank=True,
                        help_text="the sentence that stood beside it, SOL-05",
                        max_length=30,
                        verbose_name="said to be no promise",
                    ),
                ),
            ],
            options={
                "verbose_name": "budget",
                "verbose_name_plural": "budgets",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "account", "-submitted_at"], name="budget_of_account")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "draft")),
                        fields=("account", "consumer"),
                        name="one_budget_draft_per_account",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["draft", "expired"]),
                            models.Q(("submitted_at__isnull", False), models.Q(("outcome", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="budget_submitted_with_an_outcome",
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Hardship",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("requested", "requested"),
                            ("granted", "granted"),
                            ("declined", "declined"),
                            ("ended", "ended"),
                            ("withdrawn", "taken back"),
                        ],
                        default="requested",
                        max_length=9,
                        verbose_name="status",
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("income", "I lost work or income"),
                            ("health", "Illness or an accident"),
                            ("family", "A separation, a death, or care for somebody"),
                            ("disaster", "A fire, a flood or another disaster"),
                            ("costs", "My costs went up"),
                            ("other", "Something else"),
                        ],
                        max_length=8,
                        verbose_name="cause",
                    ),
                ),
                ("words", accounts.crypto.SealedField(blank=True, default="")),
                (
                    "consent",
                    models.CharField(
                        help_text="the sentence that was agreed to, UK-13", max_length=500, verbose_name="consent"
                    ),
                ),
                ("asked_days", models.PositiveSmallIntegerField(verbose_name="days asked for")),
                ("asked_at", models.DateTimeField(verbose_name="asked on")),
                ("automatic", models.BooleanField(default=False, verbose_name="granted without staff")),
                ("starts_on", models.DateField(null=True, verbose_name="from")),
                ("ends_on", models.DateField(null=True, verbose_name="last day")),
                ("review_on", models.DateField(null=True, verbose_name="to be reviewed on")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided")),
                ("decided_by", models.CharField(blank=True, max_length=80, verbose_name="decided by")),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                ("paused", models.JSONField(default=list, help_text="ids of the accounts that the pause covers")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended on")),
                (
                    "ended_how",
                    models.CharField(
                        blank=True, help_text="date, consumer, staff", max_length=8, verbose_name="ended by"
                    ),
                ),
                ("reviewed_at", models.DateTimeField(null=True, verbose_name="reviewed")),
                ("reviewed_by", models.CharField(blank=True, max_length=80)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hardships",
                        to="accounts.account",
                    ),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                (
                    "consumer",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hardships",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "no_promise",
                    models.CharField(
                        blank=True,
                        help_text="the sentence that stood beside it, SOL-05",
                        max_length=30,
                        verbose_name="said to be no promise",
                    ),
                ),
            ],
            options={
                "verbose_name": "hardship pause",
                "verbose_name_plural": "hardship pauses",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(condition=models.Q(("status", "granted")), fields=["ends_on"], name="hardship_running")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["requested", "granted"])),
                        fields=("consumer",),
                        name="one_open_hardship_per_consumer",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "granted"), _negated=True),
                            models.Q(
                                ("ends_on__gte", models.F("starts_on")),
                                ("review_on__isnull", False),
                                ("starts_on__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="hardship_granted_with_dates",
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Evidence",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.PositiveSmallIntegerField(verbose_name="number")),
                (
                    "kind",
                    models.CharField(
                        choices=[("pdf", "PDF"), ("jpeg", "JPEG"), ("png", "PNG"), ("heic", "HEIC")],
                        max_length=4,
                        verbose_name="kind",
                    ),
                ),
                ("label", accounts.crypto.SealedField(blank=True, default="")),
                ("size_bytes", models.PositiveIntegerField(verbose_name="bytes")),
                ("sha256", models.CharField(max_length=64)),
                ("uploaded_at", models.DateTimeField(verbose_name="uploaded")),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                (
                    "hardship",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="evidence",
                        to="settlements.hardship",
                    ),
                ),
            ],
            options={
                "verbose_name": "evidence",
                "verbose_name_plural": "evidence",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("hardship", "number"), name="evidence_numbered"),
                    models.UniqueConstraint(fields=("hardship", "sha256"), name="same_evidence_once"),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="EvidencePart",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.PositiveSmallIntegerField()),
                ("content", accounts.crypto.SealedField()),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                (
                    "evidence",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parts",
                        to="settlements.evidence",
                    ),
                ),
            ],
            options={
                "verbose_name": "slice of evidence",
                "verbose_name_plural": "slices of evidence",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("evidence", "number"), name="evidence_part_once")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="HardshipPolicy",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "automatic_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="A request up to this long is granted at once. 0: staff decide every one.",
                        validators=[django.core.validators.MaxValueValidator(365)],
                        verbose_name="longest pause without staff, days",
                    ),
                ),
                (
                    "longest_days",
                    models.PositiveSmallIntegerField(
                        default=90,
                        validators=[
                            django.core.validators.MinValueValidator(7),
                            django.core.validators.MaxValueValidator(365),
                        ],
                        verbose_name="longest pause, days",
                    ),
                ),
                (
                    "review_days",
                    models.PositiveSmallIntegerField(
                        default=7,
                        help_text="So many days before a pause ends, it stands in the list of what staff look at.",
                        validators=[django.core.validators.MaxValueValidator(60)],
                        verbose_name="review before its end, days",
                    ),
                ),
                (
                    "advice",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text='[{"name", "url", "phone", "text": {"en", "es"}}]; empty: the list that comes with the product',
                        verbose_name="free advice",
                    ),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
            ],
            options={
                "verbose_name": "hardship policy",
                "verbose_name_plural": "hardship policy",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("agency",), name="one_hardship_policy_per_agency")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        Fence(
            "GlobalOffer",
            "IndividualOffer",
            "Quote",
            "RuleSet",
            "Simulation",
            "AffordabilityForm",
            "Affordability",
            "Hardship",
            "Evidence",
            "EvidencePart",
            "HardshipPolicy",
        ),
    ]
