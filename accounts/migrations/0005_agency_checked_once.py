"""Check the agency of accounts and contact points once.

The composite key to the person holds only where that row's agency is the same, and is there: a second check of the
agency alone costs as much as two indexes.
"""

import django.db.models.deletion
from django.db import migrations, models


def agency_checked_once(model_name: str) -> migrations.AlterField:
    return migrations.AlterField(
        model_name=model_name,
        name="agency",
        field=models.ForeignKey(
            db_constraint=False,
            db_index=False,
            editable=False,
            on_delete=django.db.models.deletion.PROTECT,
            related_name="+",
            to="accounts.agency",
        ),
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_hours_in_spanish")]

    operations = [
        agency_checked_once("account"),
        agency_checked_once("accountpast"),
        agency_checked_once("contactpoint"),
    ]
