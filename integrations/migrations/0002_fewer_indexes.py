"""Give deliveries the indexes of what they have: one receiver; check their agency once."""

import django.db.models.deletion
from django.db import migrations, models

import accounts.tenancy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_events_checked_by_condition"),
        ("integrations", "0001_tables"),
    ]

    operations = [
        migrations.AlterField(
            model_name="delivery",
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
            model_name="delivery",
            name="connection",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="integrations.hostconnection",
            ),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="endpoint",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="integrations.webhookendpoint",
            ),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="event",
            field=accounts.tenancy.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="accounts.event",
            ),
        ),
        migrations.AlterField(
            model_name="deliveryattempt",
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
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("connection__isnull", False)),
                fields=["connection", "sequence"],
                name="delivery_of_host",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("endpoint__isnull", False)),
                fields=["endpoint", "sequence"],
                name="delivery_of_endpoint",
            ),
        ),
    ]
