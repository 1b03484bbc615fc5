"""Take away an index that repeats the beginning of another one."""

import django.db.models.deletion
from django.db import migrations, models

import accounts.tenancy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_events_checked_by_condition"),
        ("campaigns", "0001_tables"),
    ]

    operations = [
        migrations.AlterField(
            model_name="mailevent",
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
            model_name="mailevent",
            name="provider",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="campaigns.mailprovider",
            ),
        ),
    ]
