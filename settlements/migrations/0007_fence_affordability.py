"""Budgets, hardship and evidence behind the fence."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [("settlements", "0006_affordability")]

    operations = [Fence("AffordabilityForm", "Affordability", "Hardship", "HardshipPolicy", "Evidence", "EvidencePart")]
