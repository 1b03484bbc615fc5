"""Rule sets, quotes and simulations behind the fence."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [("settlements", "0003_rule_sets_and_quotes")]

    operations = [Fence("RuleSet", "Quote", "Simulation")]
