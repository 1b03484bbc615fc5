"""Find everyone of an agency for whom an address is listed: what its reader says counts for each (RF-07, RF-17)."""

from django.contrib.postgres.indexes import HashIndex
from django.db import migrations

from accounts.indexes import AddIndexInPeace


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0005_agency_checked_once")]

    operations = [
        AddIndexInPeace(
            model_name="contactpoint",
            index=HashIndex(fields=["value_key"], name="contact_point_by_address"),
        )
    ]
