"""Messages, and what may be sent to whom; their fences."""

import datetime

import django.core.validators
import django.db.models.deletion
import django.db.models.manager
import pgtrigger.compiler
from django.db import migrations, models

import accounts.crypto
import accounts.tenancy
from accounts.tenancy import Fence


class Migration(migrations.Migration):
    replaces = [
        ("campaigns", "0001_initial"),
        ("campaigns", "0002_fences"),
        ("campaigns", "0003_messages_that_answer_at_any_hour"),
        ("campaigns", "0004_contact_gate"),
        ("campaigns", "0005_campaigns_and_templates"),
        ("campaigns", "0006_texts"),
        ("campaigns", "0007_fewer_indexes"),
        ("campaigns", "0008_notice_kinds"),
        ("campaigns", "0009_mail_replies"),
        ("campaigns", "0010_mail_answers"),
    ]
    initial = True

    dependencies = [
        ("accounts", "0001_tables"),
    ]

    operations = [
        migrations.CreateModel(
            name="MailProvider",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("backend", models.CharField(default="mailgun", max_length=20, verbose_name="provider")),
                ("domain", models.CharField(max_length=120, verbose_name="sending domain")),
                ("from_name", models.CharField(max_length=80, verbose_name="sender name")),
                ("from_address", models.EmailField(max_length=254, verbose_name="sender address")),
                ("api_key", accounts.crypto.SealedField(verbose_name="API key")),
                ("signing_key", accounts.crypto.SealedField(verbose_name="webhook signing key")),
                ("api_url", models.URLField(blank=True, verbose_name="API address")),
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
                    "cents_per_thousand",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="What the provider charges: the cost of campaigns.",
                        verbose_name="cents per thousand messages",
                    ),
                ),
                (
                    "replies_to",
                    models.EmailField(
                        blank=True,
                        help_text="An address whose mail the provider hands in; empty: the agency's own mailbox.",
                        max_length=254,
                        verbose_name="replies go to",
                    ),
                ),
            ],
            options={
                "verbose_name": "e-mail provider",
                "verbose_name_plural": "e-mail providers",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_active", True)), fields=("agency",), name="one_active_mail_provider"
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="MailEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("external_id", models.CharField(max_length=120)),
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
                    "provider",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="campaigns.mailprovider",
                    ),
                ),
            ],
            options={
                "verbose_name": "mail event",
                "verbose_name_plural": "mail events",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(condition=models.Q(("applied_at", None)), fields=["id"], name="mail_event_open")
                ],
                "constraints": [models.UniqueConstraint(fields=("provider", "external_id"), name="mail_event_once")],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="7dd61885dd0092c0e9bf5940a61efa0c80cb2ffa",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_48c50",
                            table="campaigns_mailevent",
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
            name="Message",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("template", models.CharField(max_length=40)),
                (
                    "stream",
                    models.CharField(help_text="security, receipts, notices, campaigns, answers", max_length=10),
                ),
                ("language", models.CharField(max_length=5)),
                ("subject", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("html", models.TextField()),
                (
                    "attachments",
                    models.JSONField(
                        default=list, help_text='[{"kind": "authorization", "id": "..."}]: made when sent'
                    ),
                ),
                ("cause", models.CharField(help_text="what asked for it, once: event id and template", max_length=120)),
                ("token", models.CharField(help_text="hash of the opt-out token", max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("sent", "sent"),
                            ("delivered", "delivered"),
                            ("bounced", "bounced"),
                            ("complained", "complained"),
                            ("failed", "failed"),
                            ("held", "held back"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("provider_id", models.CharField(blank=True, max_length=200)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_at", models.DateTimeField()),
                ("queued_at", models.DateTimeField()),
                (
                    "sent_at",
                    models.DateTimeField(help_text="accepted by the provider: the moment of sending, RF-02", null=True),
                ),
                ("opened_at", models.DateTimeField(null=True)),
                ("clicked_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=300)),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="accounts.account",
                    ),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
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
                        related_name="messages",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "contact_point",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="accounts.contactpoint",
                    ),
                ),
                (
                    "anytime_until",
                    models.DateTimeField(
                        help_text="answers the consumer at any hour until then; later only from 8:00 to 21:00, RF-01",
                        null=True,
                    ),
                ),
                (
                    "check_hash",
                    models.CharField(
                        blank=True, default="", help_text="hash of the code that proves it", max_length=64
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[("email", "e-mail"), ("text", "text message")],
                        default="email",
                        max_length=5,
                        verbose_name="channel",
                    ),
                ),
                (
                    "link_hash",
                    models.CharField(blank=True, default="", help_text="of its personal link", max_length=64),
                ),
                (
                    "segments",
                    models.PositiveSmallIntegerField(default=0, help_text="of a text, as the carrier counts them"),
                ),
                (
                    "in_reply_to",
                    models.CharField(blank=True, default="", help_text="the mail that it answers", max_length=120),
                ),
            ],
            options={
                "verbose_name": "message",
                "verbose_name_plural": "messages",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(condition=models.Q(("status", "queued")), fields=["next_at"], name="message_waiting"),
                    models.Index(fields=["agency", "provider_id"], name="message_by_provider_id"),
                    models.Index(
                        condition=models.Q(("check_hash", ""), _negated=True),
                        fields=["check_hash"],
                        name="message_by_check",
                    ),
                    models.Index(
                        condition=models.Q(("link_hash", ""), _negated=True),
                        fields=["link_hash"],
                        name="message_by_link",
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("agency", "cause"), name="one_message_per_cause")],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ContactPolicy",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "opens",
                    models.TimeField(
                        default=datetime.time(8, 0),
                        help_text="08:00 or later.",
                        validators=[django.core.validators.MinValueValidator(datetime.time(8, 0))],
                        verbose_name="not before",
                    ),
                ),
                (
                    "closes",
                    models.TimeField(
                        default=datetime.time(21, 0),
                        help_text="21:00 or earlier.",
                        validators=[django.core.validators.MaxValueValidator(datetime.time(21, 0))],
                        verbose_name="not from",
                    ),
                ),
                (
                    "most_in_week",
                    models.PositiveSmallIntegerField(
                        default=3,
                        help_text="About one account, over all channels.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(7),
                        ],
                        verbose_name="most messages in seven days",
                    ),
                ),
                (
                    "employers",
                    models.TextField(
                        blank=True,
                        help_text="One per line: acme-corp.com",
                        max_length=5000,
                        verbose_name="employers' e-mail domains",
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
                "verbose_name": "contact policy",
                "verbose_name_plural": "contact policy",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("agency",), name="one_contact_policy_per_agency"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("closes__lte", datetime.time(21, 0)),
                            ("opens__gte", datetime.time(8, 0)),
                            ("opens__lt", models.F("closes")),
                        ),
                        name="contact_hours_within_the_law",
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ContactDecision",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("channel", models.CharField(max_length=5, verbose_name="channel")),
                ("purpose", models.CharField(max_length=12, verbose_name="purpose")),
                ("allowed", models.BooleanField(verbose_name="allowed")),
                (
                    "denials",
                    models.JSONField(
                        default=list, help_text='[{"code": "...", "rules": ["RF-01"]}]', verbose_name="against it"
                    ),
                ),
                ("checked", models.JSONField(default=list, verbose_name="rules asked")),
                ("hold_until", models.DateTimeField(null=True, verbose_name="ask again")),
                ("zones", models.JSONField(default=list, verbose_name="zones")),
                ("rules_version", models.CharField(max_length=20, verbose_name="rules")),
                ("asked_by", models.CharField(max_length=80, verbose_name="asked by")),
                ("at", models.DateTimeField(verbose_name="asked")),
                ("expires_at", models.DateTimeField(null=True, verbose_name="place held until")),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "open"),
                            ("used", "used"),
                            ("conversation", "spoke with the consumer"),
                            ("released", "given back"),
                        ],
                        default="",
                        max_length=12,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contact_decisions",
                        to="accounts.account",
                    ),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
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
                        related_name="+",
                        to="accounts.consumer",
                    ),
                ),
                (
                    "contact_point",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.contactpoint",
                    ),
                ),
                (
                    "message",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="campaigns.message",
                    ),
                ),
            ],
            options={
                "verbose_name": "contact decision",
                "verbose_name_plural": "contact decisions",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("allowed", True)), fields=["agency", "account", "-at"], name="contact_made"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("allowed", True)),
                        fields=("message",),
                        name="a_message_leaves_on_one_permission",
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="2351e001ffc3b27a493f4aed86d69587af2584a3",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_e5efa",
                            table="campaigns_contactdecision",
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
            name="MessageTemplate",
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
                            ("settlement_offer", "settlement offer"),
                            ("plan_offer", "plan offer"),
                            ("reminder", "reminder"),
                            ("broken_plan", "broken plan"),
                            ("welcome", "welcome"),
                            ("reply", "answer to a consumer"),
                            ("receipt", "receipt"),
                            ("plan_confirmed", "receipt with the dates of a plan"),
                            ("authorization_copy", "copy of an authorization"),
                            ("predebit", "notice before a payment"),
                            ("payment_failed", "failed payment"),
                            ("code", "verification code"),
                            ("other", "other"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[("email", "e-mail"), ("text", "text message")],
                        default="email",
                        max_length=5,
                        verbose_name="channel",
                    ),
                ),
                (
                    "litigation",
                    models.BooleanField(
                        default=False,
                        help_text="Never sent about a debt that may be too old (RF-25).",
                        verbose_name="speaks of a suit",
                    ),
                ),
                ("made_by", models.CharField(editable=False, max_length=80, verbose_name="by")),
                ("made_at", models.DateTimeField(editable=False, verbose_name="made")),
                ("retired_at", models.DateTimeField(editable=False, null=True, verbose_name="retired")),
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
                        help_text="Empty: every client.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.client",
                        verbose_name="client",
                    ),
                ),
            ],
            options={
                "verbose_name": "template",
                "verbose_name_plural": "templates",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("agency", "channel", "name"), name="template_name_once")
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="TemplateVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.PositiveIntegerField(verbose_name="version")),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "draft"), ("published", "published"), ("superseded", "superseded")],
                        default="draft",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "words",
                    models.JSONField(
                        default=dict,
                        help_text='{"en": {"subject", "preheader", "body"}, "es": ...}',
                        verbose_name="words",
                    ),
                ),
                ("made_by", models.CharField(max_length=80, verbose_name="by")),
                ("made_at", models.DateTimeField(verbose_name="made")),
                ("published_by", models.CharField(blank=True, max_length=80, verbose_name="published by")),
                ("published_at", models.DateTimeField(null=True, verbose_name="published")),
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
                    "template",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="campaigns.messagetemplate",
                        verbose_name="template",
                    ),
                ),
            ],
            options={
                "verbose_name": "template version",
                "verbose_name_plural": "template versions",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("template", "number"), name="template_version_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "draft")), fields=("template",), name="one_draft_per_template"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "published")),
                        fields=("template",),
                        name="one_published_version_per_template",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="db46d3cc75e8e9fddcb15d1e5ee793da7077c904",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_2702a",
                            table="campaigns_templateversion",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="published_words_never_change",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="IF OLD.status <> 'draft' AND (to_jsonb(NEW) - 'status') <> (to_jsonb(OLD) - 'status') THEN RAISE EXCEPTION 'a published template is changed by a new version'; END IF; RETURN NEW;",
                            hash="218b2ccb8630bd6734b4bfc938debbdff08628b3",
                            operation="UPDATE",
                            pgid="pgtrigger_published_words_never_change_a44b3",
                            table="campaigns_templateversion",
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
            name="Campaign",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "purpose",
                    models.CharField(
                        choices=[("campaign", "campaign"), ("reminder", "reminder")],
                        default="campaign",
                        max_length=10,
                        verbose_name="purpose",
                    ),
                ),
                ("channel", models.CharField(default="email", max_length=5, verbose_name="channel")),
                (
                    "share_b",
                    models.PositiveSmallIntegerField(
                        default=50,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(99),
                        ],
                        verbose_name="percent with the second template",
                    ),
                ),
                ("audience", models.JSONField(blank=True, default=dict, verbose_name="audience")),
                (
                    "offer",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text='{"percent_bps", "max_payments", "max_days", "expires_on"}',
                        verbose_name="offer",
                    ),
                ),
                ("starts_at", models.DateTimeField(blank=True, null=True, verbose_name="starts")),
                ("ends_on", models.DateField(blank=True, null=True, verbose_name="last day")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("waiting", "waits for approval"),
                            ("scheduled", "scheduled"),
                            ("freezing", "choosing accounts"),
                            ("sending", "sending"),
                            ("paused", "paused"),
                            ("stopped", "stopped"),
                            ("finished", "finished"),
                        ],
                        default="draft",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("made_by", models.CharField(max_length=80, verbose_name="by")),
                ("made_at", models.DateTimeField(verbose_name="made")),
                ("submitted_by", models.CharField(blank=True, max_length=80, verbose_name="submitted by")),
                ("submitted_at", models.DateTimeField(null=True, verbose_name="submitted")),
                ("approved_by", models.CharField(blank=True, max_length=80, verbose_name="approved by")),
                ("approved_at", models.DateTimeField(null=True, verbose_name="approved")),
                ("started_at", models.DateTimeField(null=True, verbose_name="started")),
                (
                    "frozen_to",
                    models.UUIDField(editable=False, help_text="the last account that was looked at", null=True),
                ),
                ("frozen_at", models.DateTimeField(null=True, verbose_name="accounts chosen")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
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
                    "version_a",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="campaigns.templateversion",
                        verbose_name="template",
                    ),
                ),
                (
                    "version_b",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="campaigns.templateversion",
                        verbose_name="second template",
                    ),
                ),
            ],
            options={
                "verbose_name": "campaign",
                "verbose_name_plural": "campaigns",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ["scheduled", "freezing", "sending"])),
                        fields=["agency"],
                        name="campaign_running",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("approved_by", ""),
                            models.Q(("approved_by", models.F("submitted_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="a_campaign_is_approved_by_another_person",
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="AudienceLine",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("reference_key", models.CharField(max_length=60)),
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
                    "campaign",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="campaigns.campaign",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agency", "campaign", "reference_key"), name="reference_once_per_audience"
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Recipient",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("variant", models.CharField(default="a", max_length=1, verbose_name="variant")),
                (
                    "status",
                    models.CharField(
                        choices=[("waiting", "waiting"), ("left_out", "left out"), ("leaving", "handed over")],
                        default="waiting",
                        max_length=8,
                        verbose_name="status",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=60, verbose_name="reason")),
                ("next_at", models.DateTimeField(null=True, verbose_name="not before")),
                ("offer_id", models.UUIDField(null=True)),
                ("values", models.JSONField(default=dict, help_text="what the fields said, as written")),
                (
                    "body_sha256",
                    models.CharField(blank=True, help_text="of the message with its links left out", max_length=64),
                ),
                ("link_hash", models.CharField(blank=True, max_length=64)),
                ("identified_at", models.DateTimeField(null=True, verbose_name="identified")),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.account",
                        verbose_name="account",
                    ),
                ),
                (
                    "agency",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.agency",
                    ),
                ),
                (
                    "campaign",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="recipients",
                        to="campaigns.campaign",
                        verbose_name="campaign",
                    ),
                ),
                (
                    "contact_point",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.contactpoint",
                        verbose_name="address",
                    ),
                ),
                (
                    "message",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="recipients",
                        to="campaigns.message",
                        verbose_name="message",
                    ),
                ),
            ],
            options={
                "verbose_name": "recipient",
                "verbose_name_plural": "recipients",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "waiting")), fields=["campaign", "id"], name="recipient_waiting"
                    ),
                    models.Index(
                        condition=models.Q(("link_hash", ""), _negated=True),
                        fields=["link_hash"],
                        name="recipient_by_link",
                    ),
                    models.Index(
                        condition=models.Q(("message", None), _negated=True),
                        fields=["message"],
                        name="recipient_by_message",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("campaign", "account"), name="one_recipient_per_campaign_and_account"
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="fad7446eef8e7d9ddf0fd0b747d52e2ace9bc6e7",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_9a48d",
                            table="campaigns_recipient",
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
            name="Conversation",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "number",
                    models.CharField(
                        help_text="the last they wrote from; a stranger's address",
                        max_length=254,
                        verbose_name="number",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "open"), ("closed", "closed")],
                        default="open",
                        max_length=6,
                        verbose_name="status",
                    ),
                ),
                ("assigned_to", models.CharField(blank=True, max_length=80, verbose_name="assigned to")),
                ("unread", models.PositiveIntegerField(default=0, verbose_name="unread")),
                ("last_at", models.DateTimeField(verbose_name="last text")),
                ("last_text", models.CharField(blank=True, max_length=120, verbose_name="they wrote")),
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
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conversations",
                        to="accounts.consumer",
                        verbose_name="consumer",
                    ),
                ),
            ],
            options={
                "verbose_name": "conversation",
                "verbose_name_plural": "conversations",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "status", "-last_at"], name="conversation_latest")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("consumer__isnull", False)),
                        fields=("agency", "consumer"),
                        name="one_conversation_per_consumer",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("consumer__isnull", True)),
                        fields=("agency", "number"),
                        name="one_conversation_per_unknown_number",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="ef2eaffaef4862d5b6bbf48eea09dbe01ce20da2",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_0f3ac",
                            table="campaigns_conversation",
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
            name="InboundMessage",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("channel", models.CharField(default="text", max_length=5, verbose_name="channel")),
                ("external_id", models.CharField(max_length=120)),
                ("sender", models.CharField(max_length=254, verbose_name="from")),
                ("recipient", models.CharField(max_length=254, verbose_name="to")),
                ("text", models.TextField(verbose_name="text")),
                ("wish", models.CharField(max_length=10, verbose_name="understood")),
                ("words", models.CharField(blank=True, max_length=200, verbose_name="by the words")),
                ("outcome", models.CharField(blank=True, max_length=40, verbose_name="done")),
                ("received_at", models.DateTimeField(verbose_name="came")),
                (
                    "account",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.account",
                        verbose_name="account",
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
                    "answer",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers_to",
                        to="campaigns.message",
                        verbose_name="answer",
                    ),
                ),
                (
                    "consumer",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="inbound",
                        to="accounts.consumer",
                        verbose_name="consumer",
                    ),
                ),
                (
                    "contact_point",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="inbound",
                        to="accounts.contactpoint",
                        verbose_name="address",
                    ),
                ),
                (
                    "conversation",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="inbound",
                        to="campaigns.conversation",
                        verbose_name="conversation",
                    ),
                ),
            ],
            options={
                "verbose_name": "text received",
                "verbose_name_plural": "texts received",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "sender", "-received_at"], name="inbound_by_sender")],
                "constraints": [
                    models.UniqueConstraint(fields=("agency", "channel", "external_id"), name="inbound_once")
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="cc31431ce79e194f96fc58b8dd60287f6ef75227",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_5ebad",
                            table="campaigns_inboundmessage",
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
            name="TextProvider",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                (
                    "backend",
                    models.CharField(
                        choices=[("twilio", "Twilio")], default="twilio", max_length=20, verbose_name="carrier"
                    ),
                ),
                ("account", models.CharField(help_text="The account SID.", max_length=80, verbose_name="account")),
                ("token", accounts.crypto.SealedField(verbose_name="API token")),
                (
                    "signing_key",
                    accounts.crypto.SealedField(
                        help_text="At Twilio the account's auth token.", verbose_name="webhook signing key"
                    ),
                ),
                (
                    "number",
                    models.CharField(
                        max_length=16,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A\\+[1-9][0-9]{7,14}\\Z", "Write it as +15185550100."
                            )
                        ],
                        verbose_name="number",
                    ),
                ),
                ("api_url", models.URLField(blank=True, verbose_name="API address")),
                (
                    "per_second",
                    models.PositiveSmallIntegerField(
                        default=1,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(500),
                        ],
                        verbose_name="texts per second",
                    ),
                ),
                (
                    "keywords",
                    models.CharField(
                        choices=[("portal", "this portal"), ("carrier", "the carrier")],
                        default="carrier",
                        help_text="Exactly one must: a second confirmation is not allowed (RF-08).",
                        max_length=8,
                        verbose_name="who answers STOP, START and HELP",
                    ),
                ),
                (
                    "third_party",
                    models.BooleanField(
                        default=True,
                        help_text="Some carriers forbid it in their terms (SMS-06).",
                        verbose_name="collects for others",
                    ),
                ),
                (
                    "permit",
                    models.CharField(
                        blank=True,
                        help_text="Where its terms forbid collection for others: who allowed it, when, where the paper is.",
                        max_length=200,
                        verbose_name="the carrier's written exception",
                    ),
                ),
                (
                    "registration",
                    models.CharField(
                        blank=True,
                        help_text="10DLC campaign or toll-free verification (SMS-07).",
                        max_length=80,
                        verbose_name="registration",
                    ),
                ),
                (
                    "approved_on",
                    models.DateField(
                        blank=True, help_text="Nothing is sent before.", null=True, verbose_name="registration approved"
                    ),
                ),
                (
                    "cents_per_thousand",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="What the carrier charges: the cost of campaigns.",
                        verbose_name="cents per thousand segments",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("window_at", models.DateTimeField(editable=False, null=True)),
                ("window_used", models.PositiveIntegerField(default=0, editable=False)),
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
                "verbose_name": "carrier of text messages",
                "verbose_name_plural": "carriers of text messages",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_active", True)), fields=("agency",), name="one_active_text_provider"
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="TextEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("external_id", models.CharField(max_length=200)),
                ("message", models.CharField(help_text="our own id of the text, from the address", max_length=36)),
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
                    "provider",
                    accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="campaigns.textprovider",
                    ),
                ),
            ],
            options={
                "verbose_name": "text event",
                "verbose_name_plural": "text events",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(condition=models.Q(("applied_at", None)), fields=["id"], name="text_event_open")
                ],
                "constraints": [models.UniqueConstraint(fields=("provider", "external_id"), name="text_event_once")],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                            hash="6c826ae02ca3180cc8ee26528d4e13d78842e2ce",
                            operation="DELETE",
                            pgid="pgtrigger_no_delete_3245d",
                            table="campaigns_textevent",
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
            "MailProvider",
            "MailEvent",
            "Message",
            "ContactPolicy",
            "ContactDecision",
            "MessageTemplate",
            "TemplateVersion",
            "Campaign",
            "AudienceLine",
            "Recipient",
            "Conversation",
            "InboundMessage",
            "TextProvider",
            "TextEvent",
        ),
    ]
