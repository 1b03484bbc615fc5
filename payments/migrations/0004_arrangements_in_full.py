"""Arrangements in full: how they live, who pays without a method, and the card that is stored for later."""

import accounts.crypto
import accounts.tenancy
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from accounts.tenancy import COMPOSITE, composite_name
from django.db import migrations, models


FENCES = (
    ("payments_arrangement", "method_id", "payments_method"),
    ("payments_arrangement", "quote_id", "settlements_quote"),
    ("payments_checkout", "authorization_id", "payments_authorization"),
)
"""The columns that are new on tables behind the fence: composite keys as `Fence` makes them."""


def fence(table: str, column: str, target: str) -> migrations.RunSQL:
    name = composite_name(table, column)
    return migrations.RunSQL(
        COMPOSITE.format(table=table, name=name, column=column, target=target),
        f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}";',
    )


def rename(before: str, after: str) -> str:
    """Rename a status in the rows of every agency."""
    return (
        f"SET LOCAL portal.agency = '*'; UPDATE payments_arrangement SET status = '{after}' WHERE status = '{before}';"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_fence_account_past"),
        ("payments", "0003_payment_network_codes"),
        ("settlements", "0004_fence_rule_sets"),
    ]

    operations = [
        migrations.RunSQL(rename("active", "performing"), rename("performing", "active")),
        pgtrigger.migrations.RemoveTrigger(
            model_name="postdate",
            name="postdate_moves_legally",
        ),
        migrations.RemoveConstraint(
            model_name="arrangement",
            name="one_active_arrangement_per_account",
        ),
        migrations.RemoveConstraint(
            model_name="postdate",
            name="exactly_one_executor_and_notifier",
        ),
        migrations.AddField(
            model_name="arrangement",
            name="accepted_by",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="changes",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="due",
            field=models.JSONField(default=list, help_text="the schedule as it stands; empty: as it was accepted"),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="ended_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="failures",
            field=models.PositiveSmallIntegerField(default=0, help_text="failed or missed payments in a row"),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="frequency",
            field=models.CharField(blank=True, max_length=12),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="key",
            field=models.UUIDField(editable=False, help_text="of the checkout or quote that made it, once", null=True),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="late_since",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="method",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="arrangements",
                to="payments.method",
            ),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="paused_until",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="quote",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="arrangements",
                to="settlements.quote",
            ),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="review_on",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="arrangement",
            name="terms",
            field=models.JSONField(
                default=dict, help_text="frozen: level, version, limits, what happens when it breaks"
            ),
        ),
        migrations.AddField(
            model_name="checkout",
            name="authorization",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payments.authorization",
            ),
        ),
        migrations.AddField(
            model_name="checkout",
            name="frequency",
            field=models.CharField(default="monthly", max_length=12),
        ),
        migrations.AddField(
            model_name="checkout",
            name="setup_expires_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="checkout",
            name="setup_reason",
            field=models.CharField(blank=True, help_text="the processor's code of a refusal", max_length=60),
        ),
        migrations.AddField(
            model_name="checkout",
            name="setup_ref",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="checkout",
            name="setup_secret",
            field=accounts.crypto.SealedField(blank=True, default=""),
        ),
        migrations.AddField(
            model_name="checkout",
            name="setup_status",
            field=models.CharField(
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
        migrations.AddField(
            model_name="postdate",
            name="replacement",
            field=models.JSONField(help_text="what follows when it is let go: date, amount, method", null=True),
        ),
        migrations.AlterField(
            model_name="arrangement",
            name="authorization",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="arrangements",
                to="payments.authorization",
            ),
        ),
        migrations.AlterField(
            model_name="arrangement",
            name="kind",
            field=models.CharField(
                choices=[("settlement", "settlement"), ("plan", "plan"), ("promise", "promise")], max_length=10
            ),
        ),
        migrations.AlterField(
            model_name="arrangement",
            name="status",
            field=models.CharField(
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
        migrations.AlterField(
            model_name="checkout",
            name="choice",
            field=models.CharField(help_text="settlement, parts, plan, full, amount", max_length=12),
        ),
        migrations.AlterField(
            model_name="checkout",
            name="lines",
            field=models.JSONField(
                default=list, help_text='[["2026-12-01", 12500], ...]; what is for today is paid now'
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="purpose",
            field=models.CharField(help_text="settlement, parts, plan, full, amount", max_length=12),
        ),
        migrations.AlterField(
            model_name="postdate",
            name="executor",
            field=models.CharField(help_text="portal, host, or consumer: not linked to a method", max_length=8),
        ),
        migrations.AlterField(
            model_name="postdate",
            name="method",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="postdates",
                to="payments.method",
            ),
        ),
        migrations.AddIndex(
            model_name="checkout",
            index=models.Index(
                condition=models.Q(("setup_status", "intended")), fields=["confirmed_at"], name="card_setup_undecided"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="arrangement",
            trigger=pgtrigger.compiler.Trigger(
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
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="checkout",
            trigger=pgtrigger.compiler.Trigger(
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
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="postdate",
            trigger=pgtrigger.compiler.Trigger(
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
            ),
        ),
        migrations.AddConstraint(
            model_name="arrangement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ["performing", "late", "paused", "review"])),
                fields=("account",),
                name="one_live_arrangement_per_account",
            ),
        ),
        migrations.AddConstraint(
            model_name="arrangement",
            constraint=models.UniqueConstraint(fields=("agency", "key"), name="one_arrangement_per_key"),
        ),
        migrations.AddConstraint(
            model_name="arrangement",
            constraint=models.CheckConstraint(
                condition=models.Q(("method__isnull", True), ("authorization__isnull", False), _connector="OR"),
                name="nothing_is_charged_without_authorization",
            ),
        ),
        migrations.AddConstraint(
            model_name="postdate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("executor__in", ["portal", "host", "consumer"]), ("notifier__in", ["portal", "host"])
                ),
                name="exactly_one_executor_and_notifier",
            ),
        ),
        migrations.AddConstraint(
            model_name="postdate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("executor", "consumer"), ("method__isnull", True)),
                    models.Q(("method__isnull", False), models.Q(("executor", "consumer"), _negated=True)),
                    _connector="OR",
                ),
                name="no_method_means_the_consumer_pays",
            ),
        ),
        *(fence(*one) for one in FENCES),
    ]
