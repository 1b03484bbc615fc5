"""Row-level security and composite keys: an agency's rows are out of every other agency's reach."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial"),
        ("accounts", "0002_fences"),
    ]

    operations = [
        Fence(
            "HostConnection",
            "Delivery",
            "DeliveryAttempt",
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
