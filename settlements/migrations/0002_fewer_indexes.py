"""Check the agency of an offer once, by its account."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_events_checked_by_condition"),
        ("settlements", "0001_tables"),
    ]

    operations = [
        migrations.AlterField(
            model_name="individualoffer",
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
    ]
