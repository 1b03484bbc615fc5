"""What is known of ledgers behind the fence."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [("integrations", "0010_ledgers")]

    operations = [Fence("PastDueCustomer", "Invoice", "Allocation")]
