"""Check the agency of accounts and contact points once, and let a changed account stay on its page.

The composite key to the person holds only where that row's agency is the same, and is there: a second check of the
agency alone costs as much as two indexes. Room on each page of accounts spares a changed one its six indexes, none of
whose columns changes with a balance or an event.
"""

import django.db.models.deletion
from django.db import migrations, models

FILL = "ALTER TABLE accounts_account SET (fillfactor = 80)"
NO_FILL = "ALTER TABLE accounts_account RESET (fillfactor)"


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
    dependencies = [("accounts", "0003_events_checked_by_condition")]

    operations = [
        agency_checked_once("account"),
        agency_checked_once("accountpast"),
        agency_checked_once("contactpoint"),
        migrations.RunSQL(FILL, NO_FILL),
    ]
