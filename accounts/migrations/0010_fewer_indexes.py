"""Take away indexes that only repeat the beginning of another one, on the tables that every placement writes.

Beside cost, harm: on a table without statistics the planner checked foreign keys (agency_id, id) by the index of
agency_id alone, and read every row of the agency for each row that it checked.
"""

import django.db.models.deletion
from django.db import migrations

import accounts.tenancy

TABLES = ("accounts_account", "accounts_accountpast", "accounts_consumer", "accounts_contactpoint", "accounts_event")
# Django names it by a hash of the table; `Fence` made (agency_id, id), which serves whatever this one served.
DROP = """
DO $$ DECLARE found regclass; BEGIN
    SELECT indexrelid::regclass INTO found FROM pg_index
    WHERE indrelid = '{table}'::regclass AND NOT indisunique AND indpred IS NULL AND indnatts = 1 AND indkey[0] =
        (SELECT attnum FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = 'agency_id');
    IF found IS NOT NULL THEN EXECUTE 'DROP INDEX ' || found; END IF;
END $$;
"""
MAKE = 'CREATE INDEX "{table}_agency_id" ON "{table}" (agency_id);'


def by(field: str, model: str, to: str, related_name: str, **more) -> migrations.AlterField:
    """Say of a foreign key that it has no index of its own."""
    key = accounts.tenancy.TenantForeignKey(
        db_constraint=False, db_index=False, to=to, related_name=related_name, **more
    )
    return migrations.AlterField(model, field, key)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_session_links")]

    operations = [
        by("account", "accountpast", "accounts.account", "past", on_delete=django.db.models.deletion.PROTECT),
        by(
            "consumer",
            "contactpoint",
            "accounts.consumer",
            "contact_points",
            on_delete=django.db.models.deletion.CASCADE,
        ),
        by("account", "event", "accounts.account", "events", null=True, on_delete=django.db.models.deletion.PROTECT),
        by("consumer", "event", "accounts.consumer", "events", null=True, on_delete=django.db.models.deletion.PROTECT),
        *(migrations.RunSQL(DROP.format(table=table), MAKE.format(table=table)) for table in TABLES),
    ]
