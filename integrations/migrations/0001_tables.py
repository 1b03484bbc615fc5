"""Hosts, what they are told and what they sent; their fences."""

import django.db.models.deletion
import django.db.models.manager
import pgtrigger.compiler
from django.db import migrations, models

import accounts.crypto
import accounts.tenancy
from accounts.tenancy import Fence


class Migration(migrations.Migration):
    replaces = [
        ("integrations", "0001_initial"),
        ("integrations", "0002_fences"),
        ("integrations", "0003_delivery_chain"),
        ("integrations", "0004_delivery_held"),
        ("integrations", "0005_api_keys"),
        ("integrations", "0006_fence_api_keys"),
        ("integrations", "0007_styles_and_vocabulary"),
        ("integrations", "0008_webhooks"),
        ("integrations", "0009_fence_webhooks"),
        ("integrations", "0010_ledgers"),
        ("integrations", "0011_fence_ledgers"),
        ("integrations", "0012_host_files"),
        ("integrations", "0013_fence_host_files"),
        ("integrations", "0014_seal_kept_answers"),
    ]
    initial = True

    dependencies = [
        ("accounts", "0001_tables"),
        ("payments", "0001_tables"),
    ]

    operations = [
        migrations.CreateModel(
            name="HostConnection",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                (
                    "style",
                    models.CharField(
                        choices=[
                            ("scollect", "SCollect"),
                            ("intelec", "Intelec"),
                            ("collect", "Collect!"),
                            ("ledger", "Creditor's ledger"),
                            ("smartcollect", "SmartCollect"),
                        ],
                        default="scollect",
                        max_length=12,
                        verbose_name="style",
                    ),
                ),
                ("base_url", models.URLField(help_text="Where the host listens.", verbose_name="address")),
                ("outbound_key", accounts.crypto.SealedField(verbose_name="key we show the host")),
                ("inbound_key_prefix", models.CharField(blank=True, editable=False, max_length=8)),
                ("inbound_key_hash", models.CharField(blank=True, editable=False, max_length=64)),
                (
                    "ip_allow",
                    models.JSONField(
                        blank=True, default=list, help_text="Empty: any.", verbose_name="allowed addresses"
                    ),
                ),
                (
                    "status_map",
                    models.JSONField(
                        default=dict, help_text="Host status word -> our status.", verbose_name="status map"
                    ),
                ),
                (
                    "routing",
                    models.JSONField(
                        default=dict, help_text="method.timing -> executor, notifier", verbose_name="routing table"
                    ),
                ),
                (
                    "cell_phone_type",
                    models.CharField(default="Cell Phone", max_length=40, verbose_name="phone type to text"),
                ),
                (
                    "cell_phone_status",
                    models.CharField(default="Good Number", max_length=40, verbose_name="phone status to text"),
                ),
                ("payment_statuses", models.JSONField(default=list, verbose_name="visible payment statuses")),
                ("postdate_statuses", models.JSONField(default=list, verbose_name="visible post-date statuses")),
                ("fetch_at_login", models.BooleanField(default=True, verbose_name="ask the host at login")),
                (
                    "contacts",
                    models.TextField(
                        blank=True, help_text="One e-mail address per line.", verbose_name="operational contacts"
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("last_push_at", models.DateTimeField(editable=False, null=True)),
                ("unreachable_since", models.DateTimeField(editable=False, help_text="the circuit is open", null=True)),
                ("probe_at", models.DateTimeField(editable=False, null=True)),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                ("stale_pushes", models.PositiveBigIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
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
                    "vocabulary",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="The host's own codes and what they mean.",
                        verbose_name="vocabulary",
                    ),
                ),
                (
                    "missing",
                    models.JSONField(default=list, editable=False, help_text="what a ledger has not switched on"),
                ),
                (
                    "pulled_at",
                    models.DateTimeField(editable=False, help_text="of a ledger: the last whole pull", null=True),
                ),
                (
                    "terms",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Of a creditor's ledger; docs/hosts.md.",
                        verbose_name="terms with the creditor",
                    ),
                ),
                (
                    "transport",
                    models.CharField(
                        choices=[
                            ("rest", "REST: every event at once"),
                            ("files", "files: activity is extracted"),
                            ("mixed", "both"),
                        ],
                        default="rest",
                        max_length=5,
                        verbose_name="told by",
                    ),
                ),
            ],
            options={
                "verbose_name": "host connection",
                "verbose_name_plural": "host connections",
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
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "name",
                    models.CharField(help_text="Who uses it, for example: IVR.", max_length=80, verbose_name="name"),
                ),
                ("scopes", models.JSONField(default=list, verbose_name="allowed to")),
                (
                    "ip_allow",
                    models.JSONField(
                        blank=True, default=list, help_text="Empty: any.", verbose_name="allowed addresses"
                    ),
                ),
                (
                    "expires_at",
                    models.DateTimeField(blank=True, help_text="Empty: never.", null=True, verbose_name="ends"),
                ),
                ("secret_hash", models.CharField(editable=False, max_length=64)),
                ("old_secret_hash", models.CharField(blank=True, editable=False, max_length=64)),
                ("old_until", models.DateTimeField(editable=False, null=True, verbose_name="old secret ends")),
                ("rotated_at", models.DateTimeField(editable=False, null=True, verbose_name="rotated")),
                (
                    "last_used_at",
                    models.DateTimeField(
                        editable=False, help_text="to the minute", null=True, verbose_name="last used"
                    ),
                ),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked")),
                ("revoked_by", models.CharField(blank=True, editable=False, max_length=80)),
                ("made_at", models.DateTimeField(editable=False, verbose_name="made")),
                ("made_by", models.CharField(editable=False, max_length=80)),
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
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("old_secret_hash", ""), ("old_until__isnull", False), _connector="OR"),
                        name="api_key_old_secret_has_an_end",
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="eca48e8811e9ec6901b981f967a152219f70d62d",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_881bf",
                            table="integrations_apikey",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="revoked_for_good",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN RAISE EXCEPTION 'a revoked key stays revoked: make another one'; END IF; RETURN NEW;",
                            hash="ac740244b2487b96514561bc1f3f2d8482b1c9d9",
                            operation="UPDATE",
                            pgid="pgtrigger_revoked_for_good_481be",
                            table="integrations_apikey",
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
            name="IdempotencyKey",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("key", models.CharField(max_length=255)),
                ("request_sha256", models.CharField(help_text="method, address and body", max_length=64)),
                ("status", models.PositiveSmallIntegerField(help_text="0: begun, no answer yet")),
                ("headers", models.JSONField(default=dict)),
                ("body", accounts.crypto.SealedField()),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
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
                    "api_key",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers",
                        to="integrations.apikey",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "expires_at"], name="answer_expires")],
                "constraints": [
                    models.UniqueConstraint(fields=("api_key", "key"), name="one_answer_per_idempotency_key")
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("unreachable_since", models.DateTimeField(editable=False, help_text="the circuit is open", null=True)),
                ("probe_at", models.DateTimeField(editable=False, null=True)),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("url", models.URLField(max_length=500, verbose_name="address")),
                (
                    "kinds",
                    models.JSONField(
                        blank=True, default=list, help_text="Empty: all. Or payment.* and so on.", verbose_name="events"
                    ),
                ),
                ("most", models.PositiveSmallIntegerField(default=1, verbose_name="events in a request")),
                ("secret", accounts.crypto.SealedField(editable=False)),
                ("old_secret", accounts.crypto.SealedField(blank=True, default="", editable=False)),
                ("old_until", models.DateTimeField(editable=False, null=True, verbose_name="old secret ends")),
                ("suspended_at", models.DateTimeField(editable=False, null=True, verbose_name="suspended")),
                ("suspended_why", models.CharField(blank=True, editable=False, max_length=300)),
                ("removed_at", models.DateTimeField(editable=False, null=True, verbose_name="removed")),
                ("made_at", models.DateTimeField(editable=False, verbose_name="made")),
                ("made_by", models.CharField(editable=False, max_length=80)),
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
                "verbose_name": "webhook endpoint",
                "verbose_name_plural": "webhook endpoints",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("most__gte", 1), ("most__lte", 100)), name="endpoint_hears_1_to_100"
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("sequence", models.BigIntegerField(help_text="the event's, copied: the order of the lane")),
                ("lane", models.PositiveSmallIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("delivered", "delivered"),
                            ("parked", "parked"),
                            ("skipped", "skipped"),
                        ],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_at", models.DateTimeField(help_text="the next try; one that was never tried may go at once")),
                ("created_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=300)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
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
                    "event",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="accounts.event",
                    ),
                ),
                (
                    "connection",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="integrations.hostconnection",
                    ),
                ),
                (
                    "endpoint",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="integrations.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ["waiting", "parked"])),
                        fields=["lane", "sequence"],
                        name="delivery_waiting",
                    ),
                    models.Index(
                        condition=models.Q(("attempts__gt", 0), ("status__in", ["waiting", "parked"])),
                        fields=["lane"],
                        name="delivery_held",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("event", "account", "connection", "endpoint"),
                        name="one_delivery_per_event_and_account",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("connection__isnull", True), ("endpoint__isnull", False)),
                            models.Q(("connection__isnull", False), ("endpoint__isnull", True)),
                            _connector="OR",
                        ),
                        name="delivery_has_one_receiver",
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="DeliveryAttempt",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("at", models.DateTimeField()),
                ("duration_ms", models.FloatField()),
                ("status", models.PositiveSmallIntegerField(help_text="HTTP status; 0: no answer")),
                ("request", models.JSONField(help_text="redacted")),
                ("request_sha256", models.CharField(max_length=64)),
                ("answer", models.TextField(blank=True)),
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
                    "delivery",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="log",
                        to="integrations.delivery",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery attempt",
                "verbose_name_plural": "delivery attempts",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="27385cd4ebd2c76d769c31590fde6977ae627af8",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_7632f",
                            table="integrations_deliveryattempt",
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
            name="Redelivery",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("first", models.BigIntegerField(verbose_name="from")),
                ("last", models.BigIntegerField(verbose_name="to")),
                ("position", models.BigIntegerField(help_text="the last number that is on its way")),
                ("told", models.BigIntegerField(default=0, verbose_name="events")),
                ("asked_at", models.DateTimeField(verbose_name="asked")),
                ("asked_by", models.CharField(max_length=80)),
                ("done_at", models.DateTimeField(null=True, verbose_name="done")),
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
                    "connection",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="redeliveries",
                        to="integrations.hostconnection",
                    ),
                ),
                (
                    "endpoint",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="redeliveries",
                        to="integrations.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "redelivery",
                "verbose_name_plural": "redeliveries",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(condition=models.Q(("done_at__isnull", True)), fields=["id"], name="redelivery_open")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("connection__isnull", True), ("endpoint__isnull", False)),
                            models.Q(("connection__isnull", False), ("endpoint__isnull", True)),
                            _connector="OR",
                        ),
                        name="redelivery_has_one_receiver",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("first__gte", 1), ("last__gte", models.F("first"))),
                        name="redelivery_is_a_stretch",
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.CharField(max_length=40, verbose_name="number")),
                ("on", models.DateField(verbose_name="date")),
                ("due_on", models.DateField(verbose_name="due")),
                ("amount_cents", models.BigIntegerField(verbose_name="amount")),
                ("open_cents", models.BigIntegerField(verbose_name="open")),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
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
                "verbose_name": "invoice",
                "verbose_name_plural": "invoices",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("account", "number"), name="invoice_once")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="PastDueCustomer",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("reference", models.CharField(max_length=60, verbose_name="customer")),
                ("name", models.CharField(blank=True, max_length=160, verbose_name="name")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("listed", "past due"),
                            ("placed", "in collections"),
                            ("removed", "removed from collections"),
                        ],
                        default="listed",
                        max_length=7,
                        verbose_name="status",
                    ),
                ),
                ("open_cents", models.BigIntegerField(verbose_name="past due")),
                ("oldest_due_on", models.DateField(verbose_name="oldest due")),
                ("invoices", models.PositiveIntegerField(default=0, verbose_name="invoices")),
                ("seen_at", models.DateTimeField(verbose_name="seen")),
                ("decided_by", models.CharField(blank=True, max_length=80)),
                ("reason", models.CharField(blank=True, max_length=300)),
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
                    "connection",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="past_due",
                        to="integrations.hostconnection",
                    ),
                ),
            ],
            options={
                "verbose_name": "past-due customer",
                "verbose_name_plural": "past-due customers",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "reference"), name="past_due_customer_once")
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Allocation",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "lines",
                    models.JSONField(help_text='[["INV-1", 2500], ...]; what is left over stands on the account'),
                ),
                ("made_at", models.DateTimeField()),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
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
                        related_name="allocations",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "verbose_name": "allocation",
                "verbose_name_plural": "allocations",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("payment",), name="one_allocation_per_payment")],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="fe7cb7d6958aafb22fd50704d3e29648da6b383f",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_9bf7f",
                            table="integrations_allocation",
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
            name="HostFile",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("placement", "placement"), ("update", "update"), ("activity", "activity")],
                        max_length=9,
                        verbose_name="kind",
                    ),
                ),
                ("outgoing", models.BooleanField(default=False, verbose_name="outgoing")),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                (
                    "source",
                    models.CharField(
                        help_text="api, staff, sftp, site, command", max_length=10, verbose_name="came by"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "received"),
                            ("working", "working"),
                            ("applied", "applied"),
                            ("checked", "checked, nothing applied"),
                            ("broken", "broken"),
                            ("stopped", "stopped"),
                            ("ready", "ready"),
                            ("claimed", "claimed"),
                        ],
                        default="received",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("dry_run", models.BooleanField(default=False, verbose_name="dry run")),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("size", models.BigIntegerField(default=0, verbose_name="bytes")),
                ("counts", models.JSONField(default=dict, verbose_name="counts")),
                ("done_line", models.BigIntegerField(default=0, verbose_name="done up to line")),
                ("broken_code", models.CharField(blank=True, max_length=40, verbose_name="why")),
                ("broken_line", models.BigIntegerField(null=True, verbose_name="at line")),
                ("broken_text", models.CharField(blank=True, max_length=300)),
                ("preview", models.JSONField(default=list, verbose_name="what would change")),
                (
                    "from_sequence",
                    models.BigIntegerField(help_text="of an extraction: events after this one", null=True),
                ),
                ("to_sequence", models.BigIntegerField(null=True)),
                ("since_at", models.DateTimeField(help_text="of an extraction by time", null=True)),
                ("until_at", models.DateTimeField(null=True)),
                ("by", models.CharField(max_length=80, verbose_name="by")),
                ("made_at", models.DateTimeField(verbose_name="received")),
                ("started_at", models.DateTimeField(null=True, verbose_name="started")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                ("claimed_at", models.DateTimeField(null=True, verbose_name="claimed")),
                ("answered_at", models.DateTimeField(help_text="the host got the result file", null=True)),
                ("forgotten_at", models.DateTimeField(help_text="the content was removed", null=True)),
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
                    "connection",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="files",
                        to="integrations.hostconnection",
                    ),
                ),
            ],
            options={
                "verbose_name": "host file",
                "verbose_name_plural": "host files",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("received", "working"))),
                        fields=["made_at"],
                        name="file_to_do",
                    ),
                    models.Index(fields=["agency", "connection", "-made_at"], name="file_of_connection"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("dry_run", False), ("outgoing", False), ("state__in", ("received", "working", "applied"))
                        ),
                        fields=("connection", "kind", "sha256"),
                        name="file_taken_once",
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="HostFileError",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("line", models.BigIntegerField(verbose_name="line")),
                ("place", models.IntegerField(default=0, help_text="among the errors of the file")),
                ("reference", models.CharField(blank=True, max_length=60, verbose_name="reference")),
                ("field", models.CharField(blank=True, max_length=120, verbose_name="field")),
                ("code", models.CharField(max_length=40, verbose_name="code")),
                ("message", models.CharField(max_length=300, verbose_name="message")),
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
                    "file",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="errors",
                        to="integrations.hostfile",
                    ),
                ),
            ],
            options={
                "verbose_name": "line error",
                "verbose_name_plural": "line errors",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "file", "place"], name="error_of_line")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="HostSite",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "host",
                    models.CharField(
                        blank=True, help_text="Empty: we visit no site.", max_length=200, verbose_name="host"
                    ),
                ),
                ("port", models.PositiveIntegerField(default=22, verbose_name="port")),
                ("username", models.CharField(blank=True, max_length=80, verbose_name="user name")),
                ("private_key", accounts.crypto.SealedField(blank=True, default="", verbose_name="our private key")),
                (
                    "host_key",
                    models.TextField(
                        blank=True, help_text="Pinned: another one is refused.", verbose_name="the site's key"
                    ),
                ),
                ("collect_from", models.CharField(default="out", max_length=200, verbose_name="we collect from")),
                ("drop_to", models.CharField(default="in", max_length=200, verbose_name="we drop to")),
                (
                    "archive_to",
                    models.CharField(default="out/archive", max_length=200, verbose_name="collected files go to"),
                ),
                (
                    "update_names",
                    models.CharField(default="*update*", max_length=100, verbose_name="names of update files"),
                ),
                ("every_minutes", models.PositiveIntegerField(default=15, verbose_name="every (minutes)")),
                (
                    "extract_minutes",
                    models.PositiveIntegerField(default=0, verbose_name="activity every (minutes), 0: never"),
                ),
                ("site_keys", models.JSONField(blank=True, default=list, verbose_name="keys of the host for our site")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("next_at", models.DateTimeField(editable=False, null=True)),
                ("extract_at", models.DateTimeField(editable=False, null=True)),
                ("visited_at", models.DateTimeField(editable=False, null=True)),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                ("trouble", models.CharField(blank=True, editable=False, max_length=300)),
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
                    "connection",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sites",
                        to="integrations.hostconnection",
                    ),
                ),
            ],
            options={
                "verbose_name": "file site",
                "verbose_name_plural": "file sites",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("connection",), name="one_site_per_connection")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="FileFormat",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("placement", "placement: accounts as a whole"),
                            ("update", "update: only what changed"),
                            ("activity", "activity, out"),
                        ],
                        default="placement",
                        max_length=9,
                        verbose_name="for",
                    ),
                ),
                ("mapping", models.JSONField(default=dict, verbose_name="mapping")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("changed_at", models.DateTimeField(auto_now=True)),
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
                    "connection",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="formats",
                        to="integrations.hostconnection",
                    ),
                ),
            ],
            options={
                "verbose_name": "file format",
                "verbose_name_plural": "file formats",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_active", True)),
                        fields=("connection", "kind"),
                        name="one_live_format_per_kind",
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        Fence(
            "HostConnection",
            "ApiKey",
            "IdempotencyKey",
            "WebhookEndpoint",
            "Delivery",
            "DeliveryAttempt",
            "Redelivery",
            "Invoice",
            "PastDueCustomer",
            "Allocation",
            "HostFile",
            "HostFileError",
            "HostSite",
            "FileFormat",
        ),
        # The ground floor keeps only the connection's id; the key to this floor's table is made here.
        migrations.RunSQL(
            "".join(
                f"""ALTER TABLE accounts_{table} ADD CONSTRAINT accounts_{table}_connection_id_same_agency
                FOREIGN KEY (agency_id, connection_id) REFERENCES integrations_hostconnection (agency_id, id)
                DEFERRABLE INITIALLY IMMEDIATE;"""
                for table in ("consumer", "client", "account")
            ),
            "".join(
                f"ALTER TABLE accounts_{table} DROP CONSTRAINT accounts_{table}_connection_id_same_agency;"
                for table in ("consumer", "client", "account")
            ),
        ),
    ]
