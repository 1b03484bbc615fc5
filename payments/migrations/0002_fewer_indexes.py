"""Take away indexes that repeat the beginning of another one; check the agency once.

Of a payment's account only the plain index: Django would take every index of that one column for it, and with it
`one_undecided_payment_per_account`, which stands between an account and two charges.
"""

import django.db.models.deletion
from django.db import migrations, models

import accounts.tenancy

DROP = """
DO $$ DECLARE found regclass; BEGIN
    SELECT indexrelid::regclass INTO found FROM pg_index
    WHERE indrelid = 'payments_payment'::regclass AND NOT indisunique AND indpred IS NULL AND indnatts = 1
        AND indkey[0] = (
            SELECT attnum FROM pg_attribute WHERE attrelid = 'payments_payment'::regclass AND attname = 'account_id'
        );
    IF found IS NOT NULL THEN EXECUTE 'DROP INDEX ' || found; END IF;
END $$;
"""
MAKE = 'CREATE INDEX "payments_payment_account_id" ON payments_payment (account_id);'


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_events_checked_by_condition"),
        ("payments", "0001_tables"),
    ]

    operations = [
        migrations.AlterField(
            model_name="ledgerentry",
            name="agency",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.agency",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(DROP, MAKE)],
            state_operations=[
                migrations.AlterField(
                    model_name="payment",
                    name="account",
                    field=accounts.tenancy.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="accounts.account",
                    ),
                ),
            ],
        ),
        migrations.AlterField(
            model_name="payment",
            name="agency",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.agency",
            ),
        ),
        migrations.AlterField(
            model_name="postdate",
            name="agency",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.agency",
            ),
        ),
        migrations.AlterField(
            model_name="postdate",
            name="arrangement",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="postdates",
                to="payments.arrangement",
            ),
        ),
    ]
