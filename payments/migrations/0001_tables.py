"""Methods, arrangements, payments and what becomes of them; their fences."""

import django.db.models.deletion
import django.db.models.manager
import pgtrigger.compiler
from django.db import migrations, models

import accounts.crypto
import accounts.tenancy
from accounts.tenancy import Fence


class Migration(migrations.Migration):
    replaces = [
        ("payments", "0001_initial"),
        ("payments", "0002_fences"),
        ("payments", "0003_payment_network_codes"),
        ("payments", "0004_arrangements_in_full"),
        ("payments", "0005_money_in_full"),
        ("payments", "0006_fence_money_in_full"),
        ("payments", "0007_planned_anew"),
        ("payments", "0008_batches_in_full"),
        ("payments", "0009_due_in_order"),
        ("payments", "0010_due_by_plain_moment"),
        ("payments", "0011_ways_to_pay"),
        ("payments", "0012_changes_and_their_notices"),
        ("payments", "0013_refunds_that_come_back"),
        ("payments", "0014_methods_kept_without_payment"),
        ("payments", "0015_statements"),
        ("payments", "0016_notices_to_mail"),
        ("payments", "0017_said_to_be_no_promise"),
    ]
    initial = True

    dependencies = [
        ("accounts", "0001_tables"),
        ("settlements", "0001_tables"),
    ]

    operations = [
        migrations.CreateModel(
            name="HostItem",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("kind", models.CharField(choices=[("payment", "Payment"), ("postdate", "Postdate")], max_length=8)),
                ("host_id", models.CharField(max_length=80)),
                ("portal_id", models.UUIDField(null=True)),
                ("on", models.DateField()),
                ("amount_cents", models.BigIntegerField()),
                ("method", models.CharField(blank=True, max_length=20)),
                ("last4", models.CharField(blank=True, max_length=4)),
                ("status", models.CharField(max_length=30)),
                ("updated_at", models.DateTimeField()),
                ("matched", models.BooleanField(default=False, help_text="found its payment or post-date here")),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="host_items",
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
                "verbose_name": "host item",
                "verbose_name_plural": "host items",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("account", "kind", "host_id"), name="host_item_once")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ProcessorAccount",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("processor", models.CharField(default="stripe", max_length=20, verbose_name="processor")),
                ("account_ref", models.CharField(max_length=80, verbose_name="merchant account")),
                ("publishable_key", models.CharField(max_length=200, verbose_name="publishable key")),
                ("secret_key", accounts.crypto.SealedField(verbose_name="secret key")),
                ("webhook_secret", accounts.crypto.SealedField(blank=True, default="", verbose_name="webhook secret")),
                (
                    "api_base",
                    models.URLField(blank=True, help_text="Empty: the processor's own.", verbose_name="API address"),
                ),
                ("script_url", models.URLField(default="https://js.stripe.com/v3/", verbose_name="field script")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
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
                        help_text="Empty: all others.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.client",
                        verbose_name="client",
                    ),
                ),
                (
                    "debits_paused_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="new bank payments paused"),
                ),
                ("debits_paused_reason", models.CharField(blank=True, editable=False, max_length=120)),
                (
                    "refund_alone_cents",
                    models.PositiveBigIntegerField(
                        default=10000, verbose_name="refund without a second person up to, cents"
                    ),
                ),
            ],
            options={
                "verbose_name": "processor account",
                "verbose_name_plural": "processor accounts",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_active", True)),
                        fields=("agency", "client"),
                        name="one_active_processor_account",
                        nulls_distinct=False,
                        violation_error_message="There is an active merchant account for this already: switch it off first.",
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Method",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("kind", models.CharField(choices=[("card", "card"), ("ach", "bank account")], max_length=4)),
                ("processor_customer", models.CharField(blank=True, max_length=80)),
                ("processor_method", models.CharField(blank=True, max_length=80)),
                ("network_transaction_id", models.CharField(blank=True, max_length=80)),
                (
                    "fingerprint",
                    models.CharField(blank=True, help_text="the processor's, or our blind index", max_length=80),
                ),
                ("brand", models.CharField(blank=True, max_length=20)),
                ("funding", models.CharField(blank=True, max_length=10)),
                ("last4", models.CharField(max_length=4)),
                ("exp_month", models.PositiveSmallIntegerField(null=True)),
                ("exp_year", models.PositiveSmallIntegerField(null=True)),
                ("holder", models.CharField(blank=True, max_length=120)),
                ("account_type", models.CharField(blank=True, help_text="checking, savings", max_length=10)),
                ("routing", accounts.crypto.SealedField(blank=True, default="")),
                ("number", accounts.crypto.SealedField(blank=True, default="")),
                ("validated_at", models.DateTimeField(help_text="ACH-02: no first debit without", null=True)),
                ("validation", models.CharField(blank=True, max_length=20)),
                ("stored", models.BooleanField(default=False, help_text="may be used again, CARD-03")),
                ("created_at", models.DateTimeField()),
                ("removed_at", models.DateTimeField(null=True)),
                ("wiped_at", models.DateTimeField(null=True)),
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
                        related_name="methods",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "processor_account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.processoraccount",
                    ),
                ),
                ("blocked_at", models.DateTimeField(help_text="the network or a bank said never again", null=True)),
                ("blocked_reason", models.CharField(blank=True, max_length=60)),
                ("is_default", models.BooleanField(default=False)),
                (
                    "update_pending",
                    models.JSONField(help_text="ACH-13: a notification of change not applied yet", null=True),
                ),
                (
                    "consent",
                    models.JSONField(default=dict, help_text="what was agreed to when it was added without a payment"),
                ),
            ],
            options={
                "verbose_name": "payment method",
                "verbose_name_plural": "payment methods",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("fingerprint", ""), _negated=True),
                        fields=["agency", "fingerprint"],
                        name="method_by_fingerprint",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True), ("removed_at__isnull", True)),
                        fields=("consumer",),
                        name="one_default_method_per_consumer",
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Authorization",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("kind", models.CharField(help_text="single, schedule", max_length=10)),
                ("text", models.TextField()),
                ("text_sha256", models.CharField(max_length=64)),
                ("version", models.CharField(max_length=20)),
                ("language", models.CharField(max_length=5)),
                ("total_cents", models.BigIntegerField()),
                ("lines", models.JSONField(help_text='[["2026-12-01", 12500], ...]')),
                (
                    "sec_code",
                    models.CharField(blank=True, help_text="WEB for bank debits given here, ACH-01", max_length=3),
                ),
                ("accepted_at", models.DateTimeField()),
                ("time_zone", models.CharField(max_length=40)),
                ("ip", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, max_length=300)),
                ("level", models.PositiveSmallIntegerField()),
                (
                    "evidence",
                    models.JSONField(default=dict, help_text="facts given, visit, code's contact point: masked"),
                ),
                ("revoked_at", models.DateTimeField(null=True)),
                ("revoked_by", models.CharField(blank=True, max_length=80)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="authorizations",
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
                        related_name="authorizations",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "method",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="authorizations",
                        to="payments.method",
                    ),
                ),
            ],
            options={
                "verbose_name": "authorization",
                "verbose_name_plural": "authorizations",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="36cf413c8ffed5b2f8041180cf3beea7472d421b",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_ba743",
                            table="payments_authorization",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="signed_text_never_changes",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="IF (to_jsonb(NEW) - 'revoked_at' - 'revoked_by') <> (to_jsonb(OLD) - 'revoked_at' - 'revoked_by') OR OLD.revoked_at IS NOT NULL THEN RAISE EXCEPTION 'an authorization is signed: it can only be revoked, once'; END IF; RETURN NEW;",
                            hash="565f44bd55672a8d0397374b138f7325bffef3cd",
                            operation="UPDATE",
                            pgid="pgtrigger_signed_text_never_changes_f4486",
                            table="payments_authorization",
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
            name="Arrangement",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("settlement", "settlement"), ("plan", "plan"), ("promise", "promise")], max_length=10
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("performing", "performing"),
                            ("late", "late"),
                            ("broken", "broken"),
                            ("paused", "paused"),
                            ("review", "in review"),
                            ("completed", "completed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="performing",
                        max_length=10,
                    ),
                ),
                ("total_cents", models.BigIntegerField()),
                ("saving_cents", models.BigIntegerField(default=0)),
                ("schedule", models.JSONField(help_text='frozen: [["2026-12-01", 12500], ...]')),
                (
                    "trace",
                    models.JSONField(
                        default=list, help_text="why these numbers: (number, level, version, field, value)"
                    ),
                ),
                ("accepted_at", models.DateTimeField()),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrangements",
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
                        related_name="arrangements",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "authorization",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrangements",
                        to="payments.authorization",
                    ),
                ),
                ("accepted_by", models.CharField(blank=True, max_length=80)),
                ("changes", models.PositiveSmallIntegerField(default=0)),
                (
                    "due",
                    models.JSONField(default=list, help_text="the schedule as it stands; empty: as it was accepted"),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "failures",
                    models.PositiveSmallIntegerField(default=0, help_text="failed or missed payments in a row"),
                ),
                ("frequency", models.CharField(blank=True, max_length=12)),
                (
                    "key",
                    models.UUIDField(
                        editable=False, help_text="of the checkout or quote that made it, once", null=True
                    ),
                ),
                ("late_since", models.DateField(null=True)),
                (
                    "method",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrangements",
                        to="payments.method",
                    ),
                ),
                ("paused_until", models.DateField(null=True)),
                (
                    "quote",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrangements",
                        to="settlements.quote",
                    ),
                ),
                ("review_on", models.DateField(null=True)),
                (
                    "terms",
                    models.JSONField(
                        default=dict, help_text="frozen: level, version, limits, what happens when it breaks"
                    ),
                ),
                (
                    "days_in_advance",
                    models.PositiveSmallIntegerField(default=0, help_text="charged so many days before it was due"),
                ),
                (
                    "review_after",
                    models.PositiveSmallIntegerField(help_text="instalments, then a person looks at it", null=True),
                ),
            ],
            options={
                "verbose_name": "arrangement",
                "verbose_name_plural": "arrangements",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["performing", "late", "paused", "review"])),
                        fields=("account",),
                        name="one_live_arrangement_per_account",
                    ),
                    models.UniqueConstraint(fields=("agency", "key"), name="one_arrangement_per_key"),
                    models.CheckConstraint(
                        condition=models.Q(("method__isnull", True), ("authorization__isnull", False), _connector="OR"),
                        name="nothing_is_charged_without_authorization",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="arrangement_moves_legally",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            declare="DECLARE _is_valid_transition BOOLEAN;",
                            func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{performing:late,performing:paused,performing:review,performing:broken,performing:completed,performing:cancelled,late:performing,late:paused,late:review,late:broken,late:completed,late:cancelled,paused:performing,paused:late,paused:review,paused:broken,paused:completed,paused:cancelled,review:performing,review:late,review:paused,review:broken,review:completed,review:cancelled,broken:performing,broken:completed,broken:cancelled,completed:performing,completed:late,completed:broken}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                            hash="3f777f2165e9a866f81033e8235deb491e5e3c8f",
                            operation="UPDATE",
                            pgid="pgtrigger_arrangement_moves_legally_e22b5",
                            table="payments_arrangement",
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
            name="Postdate",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.PositiveSmallIntegerField()),
                ("of", models.PositiveSmallIntegerField()),
                ("due_on", models.DateField(help_text="the consumer's local date")),
                (
                    "not_before_at",
                    models.DateTimeField(help_text="08:00 of that date where the consumer lives, PDC-02"),
                ),
                ("amount_cents", models.BigIntegerField()),
                (
                    "executor",
                    models.CharField(help_text="portal, host, or consumer: not linked to a method", max_length=8),
                ),
                ("notifier", models.CharField(help_text="portal, host", max_length=6)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("scheduled", "scheduled"),
                            ("held", "on hold"),
                            ("cancel_req", "cancellation requested"),
                            ("cancelled", "cancelled"),
                            ("taken", "taken"),
                            ("failed", "failed"),
                        ],
                        default="scheduled",
                        max_length=10,
                    ),
                ),
                ("host_id", models.CharField(blank=True, max_length=80)),
                ("acknowledged_at", models.DateTimeField(help_text="the host shows it", null=True)),
                ("created_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postdates",
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
                    "arrangement",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postdates",
                        to="payments.arrangement",
                    ),
                ),
                (
                    "method",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postdates",
                        to="payments.method",
                    ),
                ),
                (
                    "replacement",
                    models.JSONField(help_text="what follows when it is let go; see services.replan", null=True),
                ),
                ("claimed_until", models.DateTimeField(help_text="a due run has it until then", null=True)),
                ("held_for", models.CharField(blank=True, help_text="the code of what holds it", max_length=60)),
                (
                    "run_at",
                    models.DateTimeField(help_text="the next try of the due run; empty: not_before_at", null=True),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                (
                    "turn",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="how often this payment was planned anew before"
                    ),
                ),
                (
                    "extra",
                    models.BooleanField(
                        default=False, help_text="added to the schedule, which it shortens once it is taken"
                    ),
                ),
            ],
            options={
                "verbose_name": "post-date",
                "verbose_name_plural": "post-dates",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        models.Case(models.When(run_at=None, then="not_before_at"), default="run_at"),
                        models.F("id"),
                        condition=models.Q(("executor", "portal"), ("status", "scheduled")),
                        name="postdate_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_cents__gt", 0)), name="postdate_amount_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("executor__in", ["portal", "host", "consumer"]), ("notifier__in", ["portal", "host"])
                        ),
                        name="exactly_one_executor_and_notifier",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("executor", "consumer"), ("method__isnull", True)),
                            models.Q(("method__isnull", False), models.Q(("executor", "consumer"), _negated=True)),
                            _connector="OR",
                        ),
                        name="no_method_means_the_consumer_pays",
                    ),
                    models.UniqueConstraint(fields=("arrangement", "number", "turn"), name="postdate_number_once"),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="postdate_moves_legally",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            declare="DECLARE _is_valid_transition BOOLEAN;",
                            func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{scheduled:held,scheduled:cancel_req,scheduled:cancelled,scheduled:taken,scheduled:failed,held:scheduled,held:cancel_req,held:cancelled,held:taken,held:failed,cancel_req:cancelled,cancel_req:scheduled,cancel_req:taken,cancel_req:failed,cancelled:taken,failed:taken,taken:failed,taken:scheduled}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                            hash="898956db2742ba89f30db60bdb17bb1c9aafbafa",
                            operation="UPDATE",
                            pgid="pgtrigger_postdate_moves_legally_eaf42",
                            table="payments_postdate",
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
            name="Payment",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("idempotency_key", models.UUIDField()),
                ("request_hash", models.CharField(max_length=64)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("card", "card"),
                            ("ach", "bank account"),
                            ("check", "check"),
                            ("cash", "cash"),
                            ("order", "money order"),
                        ],
                        max_length=5,
                    ),
                ),
                ("executor", models.CharField(help_text="portal, host, or agency: received by hand", max_length=6)),
                ("purpose", models.CharField(help_text="settlement, parts, plan, full, amount", max_length=12)),
                ("amount_cents", models.BigIntegerField()),
                ("currency", models.CharField(default="usd", max_length=3)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("intended", "undecided"),
                            ("succeeded", "succeeded"),
                            ("declined", "declined"),
                            ("pending", "on its way"),
                            ("returned", "returned"),
                            ("charged_back", "charged back"),
                            ("refunded", "refunded"),
                            ("voided", "voided"),
                        ],
                        default="intended",
                        max_length=12,
                    ),
                ),
                ("processor_ref", models.CharField(blank=True, max_length=80)),
                ("decline_code", models.CharField(blank=True, max_length=60)),
                ("advice_code", models.CharField(blank=True, max_length=40)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("next_action_secret", accounts.crypto.SealedField(blank=True, default="")),
                ("intended_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("acknowledged_at", models.DateTimeField(help_text="the host shows it in its own list", null=True)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
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
                    "arrangement",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="payments.arrangement",
                    ),
                ),
                (
                    "authorization",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="payments.authorization",
                    ),
                ),
                (
                    "consumer",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "method",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="payments.method",
                    ),
                ),
                (
                    "postdate",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="payments.postdate",
                    ),
                ),
                (
                    "processor_account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.processoraccount",
                    ),
                ),
                ("network_decline_code", models.CharField(blank=True, max_length=10)),
                ("network_advice_code", models.CharField(blank=True, max_length=10)),
                ("group", models.UUIDField(help_text="several accounts paid in one go", null=True)),
                (
                    "retry_of",
                    models.UUIDField(
                        help_text="the first try of the same item: the banks' limits count from it", null=True
                    ),
                ),
                ("paper_number", models.CharField(blank=True, help_text="of the check or money order", max_length=30)),
                ("received_on", models.DateField(help_text="by hand: the day it came", null=True)),
            ],
            options={
                "verbose_name": "payment",
                "verbose_name_plural": "payments",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "intended")), fields=["intended_at"], name="payment_undecided"
                    ),
                    models.Index(fields=["agency", "account", "-intended_at"], name="payment_of_account"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("agency", "idempotency_key"), name="one_payment_per_key"),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "intended")),
                        fields=("account",),
                        name="one_undecided_payment_per_account",
                    ),
                    models.CheckConstraint(condition=models.Q(("amount_cents__gt", 0)), name="payment_amount_positive"),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="851623b0e2c83ef1619e3259563b12d4803aead3",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_386bf",
                            table="payments_payment",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="payment_moves_legally",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            declare="DECLARE _is_valid_transition BOOLEAN;",
                            func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{intended:succeeded,intended:declined,intended:pending,intended:voided,pending:succeeded,pending:declined,pending:returned,pending:voided,succeeded:returned,succeeded:charged_back,succeeded:refunded,charged_back:succeeded,refunded:succeeded}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                            hash="8749cb2da9dc263425fcc2ead341d978e1611512",
                            operation="UPDATE",
                            pgid="pgtrigger_payment_moves_legally_baa6e",
                            table="payments_payment",
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
            name="LedgerEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("book", models.CharField(help_text="debt, processor, host", max_length=12)),
                ("amount_cents", models.BigIntegerField()),
                ("reason", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
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
                    "payment",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "verbose_name": "ledger entry",
                "verbose_name_plural": "ledger entries",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="b35bce51a09fa020d0f2128966453cb3e28b4195",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_94ee6",
                            table="payments_ledgerentry",
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
            name="Notice",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(default="predebit", help_text="predebit, varying, date_change", max_length=20),
                ),
                ("owner", models.CharField(help_text="portal, host", max_length=6)),
                ("channel", models.CharField(help_text="email, letter", max_length=6)),
                ("earliest_on", models.DateField()),
                ("target_on", models.DateField()),
                ("latest_on", models.DateField()),
                ("send_by", models.DateField(help_text="a letter leaves by this day, an e-mail by latest_on")),
                (
                    "status",
                    models.CharField(
                        choices=[("due", "due"), ("sent", "sent"), ("failed", "failed")], default="due", max_length=6
                    ),
                ),
                ("sent_at", models.DateTimeField(null=True)),
                ("proof", models.JSONField(default=dict)),
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
                    "postdate",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="payments.postdate",
                    ),
                ),
                (
                    "about",
                    models.JSONField(
                        default=dict, help_text="of a change: the line that was signed, [day, cents], and what told it"
                    ),
                ),
            ],
            options={
                "verbose_name": "notice",
                "verbose_name_plural": "notices",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("channel", "email"), ("owner", "portal"), ("status", "due")),
                        fields=["target_on"],
                        name="notice_to_mail",
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("postdate", "kind"), name="one_notice_per_kind")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ProcessorEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("external_id", models.CharField(max_length=80)),
                ("kind", models.CharField(max_length=60)),
                ("body", models.JSONField()),
                ("received_at", models.DateTimeField()),
                ("applied_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, max_length=200)),
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
                    "processor_account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="payments.processoraccount",
                    ),
                ),
            ],
            options={
                "verbose_name": "processor event",
                "verbose_name_plural": "processor events",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(condition=models.Q(("applied_at", None)), fields=["id"], name="processor_event_open")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("processor_account", "external_id"), name="processor_event_once")
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="CreditorRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("in_validation_period", models.BooleanField(default=False)),
                ("asked_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("answered_by", models.CharField(blank=True, max_length=80)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="creditor_requests",
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
                        related_name="creditor_requests",
                        to="accounts.consumer",
                    ),
                ),
            ],
            options={
                "verbose_name": "original creditor request",
                "verbose_name_plural": "original creditor requests",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("answered_at__isnull", True)),
                        fields=("account",),
                        name="one_open_creditor_request",
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("not_mine", "It is not my debt"),
                            ("paid", "I already paid it"),
                            ("amount", "The amount is wrong"),
                            ("fraud", "Somebody used my identity"),
                            ("other", "Something else"),
                        ],
                        max_length=8,
                    ),
                ),
                ("text", accounts.crypto.SealedField(blank=True, default="", help_text="in the consumer's own words")),
                ("amount_cents", models.BigIntegerField(help_text="what is disputed; empty: all of it", null=True)),
                (
                    "in_validation_period",
                    models.BooleanField(default=False, help_text="RF-32: collection stops until verified"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "open"), ("resolved", "resolved")], default="open", max_length=8
                    ),
                ),
                ("opened_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(null=True)),
                ("resolved_by", models.CharField(blank=True, max_length=80)),
                ("resolution", models.CharField(blank=True, max_length=300)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
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
                        related_name="disputes",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "visit",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.visit",
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
                "verbose_name": "dispute",
                "verbose_name_plural": "disputes",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "open")), fields=("account",), name="one_open_dispute_per_account"
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="3cff7fd2941194c5b4189655a9a3fdf346d9a05d",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_01d4c",
                            table="payments_dispute",
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
            name="Incident",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("kind", models.CharField(max_length=40)),
                ("key", models.CharField(max_length=120)),
                (
                    "severity",
                    models.CharField(
                        choices=[("notice", "to know"), ("warning", "to look at"), ("urgent", "urgent")],
                        default="warning",
                        max_length=7,
                    ),
                ),
                (
                    "data",
                    models.JSONField(
                        default=dict, help_text="amounts in cents; never a number of a card or bank account"
                    ),
                ),
                ("opened_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(help_text="found again the last time")),
                ("closed_at", models.DateTimeField(null=True)),
                ("closed_by", models.CharField(blank=True, max_length=80)),
                ("note", models.CharField(blank=True, max_length=300)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="incidents",
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
                    "payment",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="incidents",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "verbose_name": "incident",
                "verbose_name_plural": "incidents",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=["agency", "opened_at"],
                        name="incident_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=("agency", "kind", "key"),
                        name="one_open_incident_per_matter",
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="4f57b4800a108def73cb6bd5da17735cc453f127",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_a722e",
                            table="payments_incident",
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
            name="PayLink",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("helper", "somebody else pays"), ("agent", "set up by an agent")], max_length=6
                    ),
                ),
                ("token_hash", models.CharField(max_length=64)),
                ("amount_cents", models.BigIntegerField(help_text="of the first payment")),
                ("made_by", models.CharField(max_length=80)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pay_links",
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
                        related_name="pay_links",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "payment",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pay_links",
                        to="payments.payment",
                    ),
                ),
                (
                    "choice",
                    models.CharField(
                        default="amount", help_text="settlement, parts, plan, full, amount", max_length=12
                    ),
                ),
                ("frequency", models.CharField(default="once", max_length=12)),
                (
                    "lines",
                    models.JSONField(
                        default=list, help_text="a plan that an agent prepared; empty: one payment on its day"
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("revoked_by", models.CharField(blank=True, max_length=80)),
            ],
            options={
                "verbose_name": "pay link",
                "verbose_name_plural": "pay links",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("agency", "token_hash"), name="pay_link_token_once"),
                    models.CheckConstraint(
                        condition=models.Q(("amount_cents__gt", 0)), name="pay_link_amount_positive"
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Checkout",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("choice", models.CharField(help_text="settlement, parts, plan, full, amount", max_length=12)),
                (
                    "lines",
                    models.JSONField(
                        default=list, help_text='[["2026-12-01", 12500], ...]; what is for today is paid now'
                    ),
                ),
                ("terms", models.JSONField(default=dict, help_text="the terms shown: amount, limits, trace")),
                (
                    "confirmation_token",
                    models.CharField(blank=True, help_text="the processor's, for a new card", max_length=80),
                ),
                (
                    "card",
                    models.JSONField(default=dict, help_text="brand, funding, last4, expiry as the server saw them"),
                ),
                ("paper", models.BooleanField(default=False, help_text="said no to electronic documents: letters")),
                (
                    "payments_seen",
                    models.PositiveIntegerField(default=0, help_text="payments of the account when this began"),
                ),
                ("created_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(null=True)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checkouts",
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
                        related_name="checkouts",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "visit",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checkouts",
                        to="accounts.visit",
                    ),
                ),
                (
                    "method",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.method",
                    ),
                ),
                (
                    "authorization",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.authorization",
                    ),
                ),
                ("frequency", models.CharField(default="monthly", max_length=12)),
                ("setup_expires_at", models.DateTimeField(null=True)),
                (
                    "setup_reason",
                    models.CharField(blank=True, help_text="the processor's code of a refusal", max_length=60),
                ),
                ("setup_ref", models.CharField(blank=True, max_length=80)),
                ("setup_secret", accounts.crypto.SealedField(blank=True, default="")),
                (
                    "setup_status",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "no card is stored"),
                            ("intended", "undecided"),
                            ("succeeded", "stored"),
                            ("declined", "declined"),
                            ("voided", "voided"),
                        ],
                        default="",
                        max_length=9,
                    ),
                ),
                ("group", models.UUIDField(help_text="several accounts paid in one go", null=True)),
                (
                    "link",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checkouts",
                        to="payments.paylink",
                    ),
                ),
                (
                    "said",
                    models.JSONField(
                        default=dict, help_text="who pays or took it where no visit says so; never a number"
                    ),
                ),
            ],
            options={
                "verbose_name": "checkout",
                "verbose_name_plural": "checkouts",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("setup_status", "intended")),
                        fields=["confirmed_at"],
                        name="card_setup_undecided",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("visit__isnull", False), ("link__isnull", False), _connector="OR"),
                        name="somebody_is_on_the_way",
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="card_setup_moves_legally",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            declare="DECLARE _is_valid_transition BOOLEAN;",
                            func='SELECT CONCAT(OLD."setup_status", \':\', NEW."setup_status") = ANY(\'{:intended,intended:succeeded,intended:declined,intended:voided}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."setup_status" IS DISTINCT FROM NEW."setup_status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "setup_status" from "%" to "%" on table %\', OLD."setup_status", NEW."setup_status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                            hash="569ffaabd3b8f93ed95d4abae3c06af68a3fd872",
                            operation="UPDATE",
                            pgid="pgtrigger_card_setup_moves_legally_ff861",
                            table="payments_checkout",
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
            name="PaymentBatch",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "method",
                    models.CharField(
                        choices=[
                            ("card", "cards"),
                            ("ach", "bank accounts"),
                            ("check", "checks by mail"),
                            ("cash", "cash"),
                        ],
                        max_length=5,
                        verbose_name="method",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("approved", "approved"),
                            ("exported", "exported"),
                            ("posted", "posted"),
                            ("cancelled", "cancelled"),
                        ],
                        default="open",
                        max_length=9,
                    ),
                ),
                ("items_count", models.PositiveIntegerField(default=0)),
                ("total_cents", models.BigIntegerField(default=0)),
                ("due_until", models.DateField(help_text="items due up to this day")),
                ("created_by", models.CharField(max_length=80)),
                ("created_at", models.DateTimeField()),
                ("approved_by", models.CharField(blank=True, max_length=80)),
                ("approved_at", models.DateTimeField(null=True)),
                ("exported_at", models.DateTimeField(null=True)),
                ("export_sha256", models.CharField(blank=True, max_length=64)),
                ("posted_at", models.DateTimeField(null=True)),
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
                    "export_format",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("csv", "list (CSV)"),
                            ("checks", "check printing (CSV)"),
                            ("nacha", "bank file (NACHA)"),
                        ],
                        max_length=6,
                    ),
                ),
                ("exported_by", models.CharField(blank=True, max_length=80)),
            ],
            options={
                "verbose_name": "payment batch",
                "verbose_name_plural": "payment batches",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("agency", "number"), name="batch_number_once")],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="04c281a4984a9e777c1c2512d26ad0c1f918fdd7",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_d9c8d",
                            table="payments_paymentbatch",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="batch_moves_legally",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            declare="DECLARE _is_valid_transition BOOLEAN;",
                            func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{open:approved,open:cancelled,approved:open,approved:exported,exported:posted}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                            hash="f63dce8f4abecb8cd5939ddf19d5e92f706e7b28",
                            operation="UPDATE",
                            pgid="pgtrigger_batch_moves_legally_f4a87",
                            table="payments_paymentbatch",
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
            name="BatchItem",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("amount_cents", models.BigIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[("in", "in the batch"), ("posted", "posted"), ("failed", "failed")],
                        default="in",
                        max_length=6,
                    ),
                ),
                ("removed_at", models.DateTimeField(null=True)),
                ("removed_by", models.CharField(blank=True, max_length=80)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("added_at", models.DateTimeField()),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batch_items",
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
                    "payment",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batch_items",
                        to="payments.payment",
                    ),
                ),
                (
                    "postdate",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batch_items",
                        to="payments.postdate",
                    ),
                ),
                (
                    "batch",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="payments.paymentbatch",
                    ),
                ),
                (
                    "changed_by",
                    models.CharField(blank=True, help_text="moved its date, or said that it failed", max_length=80),
                ),
                (
                    "on",
                    models.DateField(help_text="executed on this day, never before its due date", verbose_name="date"),
                ),
            ],
            options={
                "verbose_name": "batch item",
                "verbose_name_plural": "batch items",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("postdate",), name="postdate_in_one_batch_ever"),
                    models.UniqueConstraint(fields=("payment",), name="payment_in_one_batch_ever"),
                    models.CheckConstraint(
                        condition=models.Q(("postdate__isnull", False), ("payment__isnull", False), _connector="OR"),
                        name="batch_item_is_one_thing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_cents__gt", 0)), name="batch_item_amount_positive"
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("amount_cents", models.BigIntegerField()),
                ("reason", models.CharField(max_length=300)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("asked", "waiting for approval"),
                            ("approved", "approved"),
                            ("done", "given back"),
                            ("failed", "failed"),
                            ("rejected", "rejected"),
                        ],
                        default="asked",
                        max_length=8,
                    ),
                ),
                ("asked_by", models.CharField(max_length=80)),
                ("asked_at", models.DateTimeField()),
                ("decided_by", models.CharField(blank=True, max_length=80)),
                ("decided_at", models.DateTimeField(null=True)),
                ("processor_ref", models.CharField(blank=True, max_length=80)),
                ("failure", models.CharField(blank=True, max_length=300)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
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
                    "payment",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "verbose_name": "refund",
                "verbose_name_plural": "refunds",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["asked", "approved"])),
                        fields=("payment",),
                        name="one_open_refund_per_payment",
                    ),
                    models.CheckConstraint(condition=models.Q(("amount_cents__gt", 0)), name="refund_amount_positive"),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="058f4cda0efbd7d646707535d0f627e820dd5df3",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_05f54",
                            table="payments_refund",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="refund_moves_legally",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            declare="DECLARE _is_valid_transition BOOLEAN;",
                            func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{asked:approved,asked:rejected,approved:done,approved:failed,failed:approved,done:failed}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                            hash="5fa07c457d9730ca7b47fe27487e821411b25fd5",
                            operation="UPDATE",
                            pgid="pgtrigger_refund_moves_legally_7f7fa",
                            table="payments_refund",
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
            name="AchOrigin",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "bank_name",
                    models.CharField(
                        help_text="As the bank wants it in the file.", max_length=23, verbose_name="bank's name"
                    ),
                ),
                ("bank_routing", models.CharField(max_length=9, verbose_name="bank's routing number")),
                (
                    "company_name",
                    models.CharField(
                        help_text="What consumers see on statements.", max_length=16, verbose_name="company name"
                    ),
                ),
                (
                    "company_id",
                    models.CharField(help_text="Given by the bank.", max_length=10, verbose_name="company number"),
                ),
                ("origin_name", models.CharField(max_length=23, verbose_name="sender's name")),
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
                "verbose_name": "bank file sender",
                "verbose_name_plural": "bank file senders",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agency",),
                        name="one_ach_origin",
                        violation_error_message="The agency is named to its bank already: change that entry.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("bank_routing__regex", "^[0-9]{9}$")),
                        name="ach_origin_routing_is_nine_digits",
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("accounting", "accounting"), ("satisfaction", "satisfaction letter")], max_length=12
                    ),
                ),
                ("status", models.CharField(choices=[("due", "due"), ("sent", "sent")], default="due", max_length=4)),
                ("owner", models.CharField(help_text="portal, host", max_length=6)),
                ("channel", models.CharField(help_text="email, letter", max_length=6)),
                ("since", models.DateField(help_text="payments after this day are counted")),
                ("until", models.DateField(help_text="up to this day")),
                ("send_by", models.DateField()),
                ("lines", models.JSONField(help_text='payments less what went back: [["2026-12-01", 12500], ...]')),
                ("paid_cents", models.BigIntegerField()),
                ("balance_cents", models.BigIntegerField()),
                ("made_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
                ("proof", models.JSONField(default=dict)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="statements",
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
                "verbose_name": "statement",
                "verbose_name_plural": "statements",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(condition=models.Q(("status", "due")), fields=["send_by"], name="statement_due")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "kind", "until"), name="one_statement_per_period")
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        Fence(
            "HostItem",
            "ProcessorAccount",
            "Method",
            "Authorization",
            "Arrangement",
            "Postdate",
            "Payment",
            "LedgerEntry",
            "Notice",
            "ProcessorEvent",
            "CreditorRequest",
            "Dispute",
            "Incident",
            "PayLink",
            "Checkout",
            "PaymentBatch",
            "BatchItem",
            "Refund",
            "AchOrigin",
            "Statement",
        ),
        # A claim of the due run changes no indexed column: with room on the page it touches no index.
        migrations.RunSQL(
            "ALTER TABLE payments_postdate SET (fillfactor = 80)", "ALTER TABLE payments_postdate RESET (fillfactor)"
        ),
    ]
