"""Who an agency is to its bank, and what an item of a batch and an export need; the fence of the new table."""

import datetime

import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

import accounts.tenancy
from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_fence_account_past"),
        ("payments", "0007_planned_anew"),
    ]

    operations = [
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
            ],
            options={
                "verbose_name": "bank file sender",
                "verbose_name_plural": "bank file senders",
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name="batchitem",
            name="changed_by",
            field=models.CharField(blank=True, help_text="moved its date, or said that it failed", max_length=80),
        ),
        migrations.AddField(
            model_name="batchitem",
            name="on",
            field=models.DateField(
                default=datetime.date(2026, 1, 1),
                help_text="executed on this day, never before its due date",
                verbose_name="date",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="paymentbatch",
            name="export_format",
            field=models.CharField(
                blank=True,
                choices=[("csv", "list (CSV)"), ("checks", "check printing (CSV)"), ("nacha", "bank file (NACHA)")],
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="paymentbatch",
            name="exported_by",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AlterField(
            model_name="paymentbatch",
            name="method",
            field=models.CharField(
                choices=[("card", "cards"), ("ach", "bank accounts"), ("check", "checks by mail"), ("cash", "cash")],
                max_length=5,
                verbose_name="method",
            ),
        ),
        migrations.AlterConstraint(
            model_name="processoraccount",
            name="one_active_processor_account",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_active", True)),
                fields=("agency", "client"),
                name="one_active_processor_account",
                nulls_distinct=False,
                violation_error_message="There is an active merchant account for this already: switch it off first.",
            ),
        ),
        migrations.AddField(
            model_name="achorigin",
            name="agency",
            field=models.ForeignKey(
                editable=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.agency"
            ),
        ),
        migrations.AddConstraint(
            model_name="achorigin",
            constraint=models.UniqueConstraint(
                fields=("agency",),
                name="one_ach_origin",
                violation_error_message="The agency is named to its bank already: change that entry.",
            ),
        ),
        migrations.AddConstraint(
            model_name="achorigin",
            constraint=models.CheckConstraint(
                condition=models.Q(("bank_routing__regex", "^[0-9]{9}$")), name="ach_origin_routing_is_nine_digits"
            ),
        ),
        Fence("AchOrigin"),
    ]
