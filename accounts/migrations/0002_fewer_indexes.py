"""Take away indexes that only repeat the beginning of another one, on the tables that every placement writes.

Beside cost, harm: on a table without statistics the planner checked foreign keys (agency_id, id) by the index of
agency_id alone, and read every row of the agency for each row that it checked.

Not among the tables: Django makes the indexes of a migration when all its operations are done.
"""

from django.db import migrations

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


class Migration(migrations.Migration):
    replaces = [("accounts", "0010_fewer_indexes")]
    dependencies = [("accounts", "0001_tables")]

    operations = [migrations.RunSQL(DROP.format(table=table), MAKE.format(table=table)) for table in TABLES]
