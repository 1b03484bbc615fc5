"""Agencies and whoever deals with them; their fences.

Here and on the other floors a table has its triggers among its options: pgtrigger installs them as it makes the table.
For an `AddTrigger`, as for each operation on a table that is there, Django would make nearly all models anew.
"""

import django.contrib.auth.models
import django.contrib.auth.validators
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
        ("accounts", "0001_initial"),
        ("accounts", "0002_fences"),
        ("accounts", "0003_codes_that_confirm_an_address"),
        ("accounts", "0004_account_past"),
        ("accounts", "0005_fence_account_past"),
        ("accounts", "0006_old_debts_in_parts"),
        ("accounts", "0007_quiet_times"),
        ("accounts", "0008_account_line_hash"),
        ("accounts", "0009_session_links"),
        ("accounts", "0011_suppressions"),
        ("accounts", "0012_licences"),
    ]
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Agency",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "slug",
                    models.SlugField(
                        help_text="The first part of the consumers' web address.",
                        max_length=40,
                        unique=True,
                        validators=[django.core.validators.RegexValidator("^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$")],
                        verbose_name="address",
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("legal_name", models.CharField(max_length=120, verbose_name="legal name")),
                (
                    "address",
                    models.TextField(help_text="One line per line.", max_length=300, verbose_name="postal address"),
                ),
                ("phone", models.CharField(max_length=30, verbose_name="phone")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail for consumers")),
                (
                    "hours",
                    models.CharField(
                        help_text="For example: Mon to Fri, 8 am to 6 pm ET", max_length=120, verbose_name="hours"
                    ),
                ),
                ("licences", models.TextField(blank=True, max_length=1000, verbose_name="licence lines")),
                ("time_zone", models.CharField(default="America/New_York", max_length=40, verbose_name="time zone")),
                ("currency", models.CharField(default="usd", editable=False, max_length=3, verbose_name="currency")),
                (
                    "factor",
                    models.CharField(
                        choices=[("ssn4", "last four of the Social Security number"), ("zip", "ZIP code")],
                        default="ssn4",
                        max_length=4,
                        verbose_name="third fact",
                    ),
                ),
                (
                    "allow_visa_credit",
                    models.BooleanField(
                        default=False,
                        help_text="Visa bars credit cards for overdue consumer debt (CARD-01). Leave off unless counsel says so.",
                        verbose_name="accept Visa credit cards",
                    ),
                ),
                (
                    "balance_fresh_hours",
                    models.PositiveIntegerField(
                        default=720,
                        help_text="An older balance blocks payment.",
                        verbose_name="oldest balance we charge on, hours",
                    ),
                ),
                ("brand", models.CharField(default="#1f4e5f", max_length=7, verbose_name="brand colour")),
                ("accent", models.CharField(default="#b5541c", max_length=7, verbose_name="accent colour")),
                ("branding_version", models.PositiveIntegerField(default=1, editable=False)),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("last_sequence", models.BigIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "rules_need_two_people",
                    models.BooleanField(
                        default=False,
                        help_text="Whoever submits a rule set cannot publish it.",
                        verbose_name="rule sets need a second person",
                    ),
                ),
                (
                    "old_debt_parts_states",
                    models.CharField(
                        blank=True,
                        help_text="States where counsel allows them, as TX FL. Empty: nowhere (SOL-04).",
                        max_length=200,
                        verbose_name="payments in parts on debts too old to sue for",
                    ),
                ),
                (
                    "licensed_only",
                    models.BooleanField(
                        default=False,
                        help_text="Who lives in a state without a licence in your list sees how to reach you, and pays nothing here (ST-09). Without a list nothing changes.",
                        verbose_name="collect only where we are licensed",
                    ),
                ),
            ],
            options={
                "verbose_name": "agency",
                "verbose_name_plural": "agencies",
            },
        ),
        migrations.CreateModel(
            name="Client",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("connection_id", models.UUIDField(editable=False, null=True)),
                ("number", models.CharField(max_length=40, verbose_name="number")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "allow_visa_credit",
                    models.BooleanField(blank=True, null=True, verbose_name="accept Visa credit cards"),
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
                "verbose_name": "client",
                "verbose_name_plural": "clients",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("agency", "connection_id", "number"), name="client_number_once")
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Consumer",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("connection_id", models.UUIDField(editable=False, null=True)),
                ("host_consumer_id", models.CharField(blank=True, max_length=80)),
                ("first_name", models.CharField(blank=True, max_length=80, verbose_name="first name")),
                ("last_name", models.CharField(max_length=80, verbose_name="last name")),
                ("last_name_key", models.CharField(editable=False, max_length=80)),
                ("ssn", accounts.crypto.SealedField(blank=True, default="")),
                ("ssn_index", models.CharField(blank=True, editable=False, max_length=64)),
                ("ssn4_index", models.CharField(blank=True, editable=False, max_length=64)),
                ("dob", accounts.crypto.SealedField(blank=True, default="")),
                ("dob_index", models.CharField(blank=True, editable=False, max_length=64)),
                ("street1", models.CharField(blank=True, max_length=120, verbose_name="street")),
                ("street2", models.CharField(blank=True, max_length=120, verbose_name="street, second line")),
                ("city", models.CharField(blank=True, max_length=80, verbose_name="city")),
                ("state", models.CharField(blank=True, max_length=2, verbose_name="state")),
                ("zip", models.CharField(blank=True, max_length=10, verbose_name="ZIP")),
                ("zip_index", models.CharField(blank=True, editable=False, max_length=64)),
                ("time_zone", models.CharField(default="America/New_York", max_length=40, verbose_name="time zone")),
                ("language", models.CharField(default="en", max_length=5, verbose_name="language")),
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
            ],
            options={
                "verbose_name": "consumer",
                "verbose_name_plural": "consumers",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("ssn_index", ""), _negated=True),
                        fields=["agency", "ssn_index"],
                        name="consumer_by_ssn",
                    ),
                    models.Index(fields=["agency", "last_name_key"], name="consumer_by_name"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("host_consumer_id", ""), _negated=True),
                        fields=("agency", "connection_id", "host_consumer_id"),
                        name="one_consumer_per_host_consumer_id",
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("connection_id", models.UUIDField(editable=False, null=True)),
                ("reference", models.CharField(max_length=60, verbose_name="reference")),
                ("reference_key", models.CharField(editable=False, max_length=60)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("blocked", "blocked"),
                            ("recalled", "recalled"),
                            ("closed", "closed"),
                            ("paid", "paid"),
                            ("disputed", "disputed"),
                            ("bankruptcy", "bankruptcy"),
                            ("deceased", "deceased"),
                            ("attorney", "attorney represented"),
                            ("cease", "cease communication"),
                            ("unmapped", "unknown host status: view only"),
                        ],
                        max_length=12,
                        verbose_name="status",
                    ),
                ),
                ("host_status", models.CharField(blank=True, max_length=60, verbose_name="host status")),
                ("balance_cents", models.BigIntegerField(verbose_name="balance")),
                ("assigned_cents", models.BigIntegerField(null=True, verbose_name="assigned balance")),
                ("currency", models.CharField(default="usd", max_length=3)),
                ("assigned_on", models.DateField(null=True, verbose_name="assigned")),
                ("listed_on", models.DateField(null=True, verbose_name="listed")),
                ("original_creditor", models.CharField(blank=True, max_length=120, verbose_name="original creditor")),
                ("description", models.CharField(blank=True, max_length=200, verbose_name="description")),
                ("contract_on", models.DateField(null=True, verbose_name="contract date")),
                ("debt_type", models.CharField(blank=True, max_length=40, verbose_name="debt type")),
                ("itemization_on", models.DateField(null=True, verbose_name="itemization date")),
                ("itemization_basis", models.CharField(blank=True, max_length=40)),
                (
                    "itemization",
                    models.JSONField(blank=True, default=dict, help_text="balance, interest, fees, payments, credits"),
                ),
                ("validation_sent_on", models.DateField(null=True)),
                ("sol_status", models.CharField(blank=True, max_length=10)),
                ("sol_on", models.DateField(null=True)),
                ("payment_options", models.JSONField(blank=True, default=dict)),
                ("as_of", models.DateTimeField(verbose_name="as of")),
                ("host_version", models.BigIntegerField(null=True)),
                ("body_hash", models.CharField(editable=False, max_length=64)),
                ("event_seq", models.BigIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
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
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="accounts.client",
                    ),
                ),
                (
                    "consumer",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "line_hash",
                    models.UUIDField(editable=False, help_text="of the file's line that made it what it is", null=True),
                ),
            ],
            options={
                "verbose_name": "account",
                "verbose_name_plural": "accounts",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "reference_key"], name="account_by_reference")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agency", "connection_id", "reference"), name="account_reference_once_per_connection"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("balance_cents__gte", 0)), name="balance_never_negative"
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="keep_what_offers_read",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="INSERT INTO accounts_accountpast (id, agency_id, account_id, until, client_id, status, balance_cents, listed_on, payment_options, as_of) SELECT gen_random_uuid(), o.agency_id, o.id, n.updated_at, o.client_id, o.status, o.balance_cents, o.listed_on, o.payment_options, o.as_of FROM old_rows o JOIN new_rows n USING (id) WHERE (o.client_id, o.status, o.balance_cents, o.listed_on, o.payment_options) IS DISTINCT FROM (n.client_id, n.status, n.balance_cents, n.listed_on, n.payment_options); RETURN NULL;",
                            hash="8031fbe02e363a4fc4b7f6710499120fe7acd25c",
                            level="STATEMENT",
                            operation="UPDATE",
                            pgid="pgtrigger_keep_what_offers_read_1e53e",
                            referencing="REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ",
                            table="accounts_account",
                            when="AFTER",
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
            name="ContactPoint",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("email", "e-mail"), ("phone", "phone")], max_length=5, verbose_name="kind"
                    ),
                ),
                ("value", models.CharField(max_length=254, verbose_name="value")),
                ("value_key", models.CharField(editable=False, max_length=254)),
                ("label", models.CharField(blank=True, max_length=40, verbose_name="type")),
                ("host_status", models.CharField(blank=True, max_length=40, verbose_name="status")),
                ("textable", models.BooleanField(default=False, verbose_name="the number to text")),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "route",
                    models.CharField(
                        blank=True, help_text="How it was allowed: RF-13 to RF-16", max_length=40, verbose_name="route"
                    ),
                ),
                ("evidence", models.JSONField(blank=True, default=dict)),
                ("source", models.CharField(default="host", max_length=10)),
                (
                    "code_usable_from",
                    models.DateTimeField(blank=True, help_text="A new one waits 24 hours, AUTH-09", null=True),
                ),
                ("opted_out_at", models.DateTimeField(blank=True, null=True)),
                ("bad_at", models.DateTimeField(blank=True, null=True)),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
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
                    "consumer",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contact_points",
                        to="accounts.consumer",
                    ),
                ),
            ],
            options={
                "verbose_name": "contact point",
                "verbose_name_plural": "contact points",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agency", "consumer", "kind", "value_key"), name="contact_point_once_per_consumer"
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("esign", "electronic documents"), ("email", "e-mail"), ("text", "text messages")],
                        max_length=10,
                    ),
                ),
                ("granted", models.BooleanField()),
                ("wording", models.TextField()),
                ("version", models.CharField(max_length=20)),
                ("language", models.CharField(default="en", max_length=5)),
                ("source", models.CharField(help_text="page, link, host, staff", max_length=20)),
                (
                    "demonstrated",
                    models.BooleanField(default=False, help_text="ES-02: a code from the document itself was typed in"),
                ),
                ("ip", models.GenericIPAddressField(null=True)),
                ("at", models.DateTimeField()),
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
                        related_name="consents",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "contact_point",
                    accounts.tenancy.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consents",
                        to="accounts.contactpoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "consent",
                "verbose_name_plural": "consents",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "consumer", "kind", "-at"], name="consent_latest")],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                            hash="605ae12046e39086d47000bb520c931ba024eddf",
                            operation="UPDATE OR DELETE",
                            pgid="pgtrigger_append_only_eb45e",
                            table="accounts_consent",
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
            name="Event",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("account_seq", models.BigIntegerField(null=True)),
                ("sequence", models.BigIntegerField(null=True)),
                ("kind", models.CharField(max_length=40)),
                ("actor", models.CharField(max_length=80)),
                ("request_id", models.CharField(blank=True, max_length=36)),
                ("occurred_at", models.DateTimeField()),
                ("data", models.JSONField(default=dict)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
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
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="accounts.consumer",
                    ),
                ),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "events",
                "ordering": ["-id"],
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("sequence__isnull", True)), fields=["id"], name="event_unsequenced"
                    ),
                    models.Index(fields=["agency", "consumer", "-id"], name="event_by_consumer"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "account_seq"), name="event_sequence_dense_per_account"),
                    models.UniqueConstraint(fields=("agency", "sequence"), name="event_sequence_once_per_agency"),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="363362d7609c69034dda2a98916cbc7b9106de5f",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_bb139",
                            table="accounts_event",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="facts_never_change",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="IF OLD.sequence IS NOT NULL OR (to_jsonb(NEW) - 'sequence') <> (to_jsonb(OLD) - 'sequence') THEN RAISE EXCEPTION 'events are facts: append only'; END IF; RETURN NEW;",
                            hash="19cf3463686aa93a2e9b01eeca0f71fe081075e1",
                            operation="UPDATE",
                            pgid="pgtrigger_facts_never_change_f6ccf",
                            table="accounts_event",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="no_truncate",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'events are facts: append only';",
                            hash="6895f188607c5d3311ff1f22c05cdbc904b066dc",
                            level="STATEMENT",
                            operation="TRUNCATE",
                            pgid="pgtrigger_no_truncate_a53d2",
                            table="accounts_event",
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
            name="IdentifyAttempt",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("reference_hash", models.CharField(max_length=64)),
                ("ip", models.GenericIPAddressField(null=True)),
                ("ok", models.BooleanField()),
                ("at", models.DateTimeField()),
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
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["agency", "reference_hash", "-at"], name="attempt_by_reference"),
                    models.Index(fields=["agency", "ip", "-at"], name="attempt_by_ip"),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ReaderPosition",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("reader", models.CharField(max_length=40)),
                ("sequence", models.BigIntegerField(default=0)),
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
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("agency", "reader"), name="one_position_per_reader")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Visit",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "level",
                    models.PositiveSmallIntegerField(
                        choices=[(1, "identified by facts"), (2, "confirmed by a code")], default=1
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "end_reason",
                    models.CharField(blank=True, help_text="signed_out, idle, relinked, replaced", max_length=20),
                ),
                ("payment_started_at", models.DateTimeField(null=True)),
                ("payment_made_at", models.DateTimeField(null=True)),
                ("language", models.CharField(default="en", max_length=5)),
                ("ip", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, max_length=300)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        help_text="the account whose reference was given",
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
                    "consumer",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="visits",
                        to="accounts.consumer",
                    ),
                ),
            ],
            options={
                "verbose_name": "visit",
                "verbose_name_plural": "visits",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(condition=models.Q(("ended_at__isnull", True)), fields=["seen_at"], name="visit_live")
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Code",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[("step_up", "Step Up"), ("esign", "Esign"), ("contact", "Contact")], max_length=8
                    ),
                ),
                ("code_hash", models.CharField(max_length=64)),
                (
                    "sealed_code",
                    models.TextField(blank=True, help_text="for the sender only; wiped when handed to the provider"),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
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
                    "contact_point",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.contactpoint",
                    ),
                ),
                (
                    "visit",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="codes",
                        to="accounts.visit",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["visit", "purpose", "-created_at"], name="code_latest")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="email address")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined")),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="staff",
                        to="accounts.agency",
                        verbose_name="agency",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("agency__isnull", True), ("is_superuser", False), _connector="OR"),
                        name="agency_staff_are_never_superusers",
                    )
                ],
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="AccountPast",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("until", models.DateTimeField()),
                ("status", models.CharField(max_length=12)),
                ("balance_cents", models.BigIntegerField()),
                ("listed_on", models.DateField(null=True)),
                ("payment_options", models.JSONField(default=dict)),
                ("as_of", models.DateTimeField()),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="past",
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
                    "client",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.client",
                    ),
                ),
            ],
            options={
                "verbose_name": "account as it was",
                "verbose_name_plural": "accounts as they were",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "account", "until"], name="account_past_until")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="QuietTime",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ],
                        verbose_name="weekday",
                    ),
                ),
                ("starts", models.TimeField(verbose_name="from")),
                ("ends", models.TimeField(verbose_name="until")),
                ("source", models.CharField(help_text="page, host, staff", max_length=10, verbose_name="source")),
                ("at", models.DateTimeField(verbose_name="said")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
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
                        related_name="quiet_times",
                        to="accounts.consumer",
                    ),
                ),
            ],
            options={
                "verbose_name": "inconvenient time",
                "verbose_name_plural": "inconvenient times",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["agency", "consumer"],
                        name="quiet_time_live",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends__gt", models.F("starts"))), name="quiet_time_ends_after_it_starts"
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="11d35dbd7228c11abc08ec458203a008c0a26821",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_8f995",
                            table="accounts_quiettime",
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
            name="SessionLink",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "page",
                    models.CharField(
                        choices=[
                            ("account", "the account"),
                            ("pay", "the payment"),
                            ("wallet", "the saved ways to pay"),
                        ],
                        default="account",
                        max_length=8,
                    ),
                ),
                ("token_hash", models.CharField(max_length=64)),
                ("made_by", models.CharField(max_length=80)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="session_links",
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
                        help_text="who it was made for; nobody else may use it",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.consumer",
                    ),
                ),
            ],
            options={
                "verbose_name": "session link",
                "verbose_name_plural": "session links",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("agency", "token_hash"), name="session_link_token_once")
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Suppression",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "stream",
                    models.CharField(
                        choices=[
                            ("campaigns", "offers and reminders"),
                            ("notices", "notices"),
                            ("receipts", "receipts"),
                        ],
                        max_length=10,
                        verbose_name="stream",
                    ),
                ),
                ("source", models.CharField(help_text="link, page, host, staff", max_length=20, verbose_name="source")),
                ("words", models.CharField(blank=True, max_length=2000, verbose_name="in their words")),
                ("at", models.DateTimeField(verbose_name="since")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
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
                    "contact_point",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="suppressions",
                        to="accounts.contactpoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "stopped stream",
                "verbose_name_plural": "stopped streams",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("contact_point", "stream"),
                        name="one_live_suppression_per_stream",
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="04ea90e96ef78df0a06783a78813c5d04ade9daa",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_14532",
                            table="accounts_suppression",
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
            name="Licence",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("AL", "AL"),
                            ("AK", "AK"),
                            ("AZ", "AZ"),
                            ("AR", "AR"),
                            ("CA", "CA"),
                            ("CO", "CO"),
                            ("CT", "CT"),
                            ("DE", "DE"),
                            ("DC", "DC"),
                            ("FL", "FL"),
                            ("GA", "GA"),
                            ("HI", "HI"),
                            ("ID", "ID"),
                            ("IL", "IL"),
                            ("IN", "IN"),
                            ("IA", "IA"),
                            ("KS", "KS"),
                            ("KY", "KY"),
                            ("LA", "LA"),
                            ("ME", "ME"),
                            ("MD", "MD"),
                            ("MA", "MA"),
                            ("MI", "MI"),
                            ("MN", "MN"),
                            ("MS", "MS"),
                            ("MO", "MO"),
                            ("MT", "MT"),
                            ("NE", "NE"),
                            ("NV", "NV"),
                            ("NH", "NH"),
                            ("NJ", "NJ"),
                            ("NM", "NM"),
                            ("NY", "NY"),
                            ("NC", "NC"),
                            ("ND", "ND"),
                            ("OH", "OH"),
                            ("OK", "OK"),
                            ("OR", "OR"),
                            ("PA", "PA"),
                            ("RI", "RI"),
                            ("SC", "SC"),
                            ("SD", "SD"),
                            ("TN", "TN"),
                            ("TX", "TX"),
                            ("UT", "UT"),
                            ("VT", "VT"),
                            ("VA", "VA"),
                            ("WA", "WA"),
                            ("WV", "WV"),
                            ("WI", "WI"),
                            ("WY", "WY"),
                            ("AS", "AS"),
                            ("GU", "GU"),
                            ("MP", "MP"),
                            ("PR", "PR"),
                            ("VI", "VI"),
                        ],
                        max_length=2,
                        verbose_name="state",
                    ),
                ),
                (
                    "line",
                    models.CharField(
                        blank=True,
                        help_text="As it is printed for who lives there. Empty where no licence is needed: nothing is printed.",
                        max_length=200,
                        verbose_name="line",
                    ),
                ),
                ("starts_on", models.DateField(verbose_name="from")),
                (
                    "ends_on",
                    models.DateField(
                        blank=True, help_text="The last day. Empty: no end is known.", null=True, verbose_name="until"
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
                "verbose_name": "licence",
                "verbose_name_plural": "licences",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "state"], name="licence_of_state")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_on__isnull", True), ("ends_on__gte", models.F("starts_on")), _connector="OR"
                        ),
                        name="licence_ends_after_it_starts",
                        violation_error_message="The last day must not be before the first.",
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="01daf45370edf7dc5d6c8ee7600e12fbd214e5e2",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_fbcdc",
                            table="accounts_licence",
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
        Fence(
            "Client",
            "Consumer",
            "Account",
            "ContactPoint",
            "Consent",
            "Event",
            "IdentifyAttempt",
            "ReaderPosition",
            "Visit",
            "Code",
            "AccountPast",
            "QuietTime",
            "SessionLink",
            "Suppression",
            "Licence",
        ),
    ]
