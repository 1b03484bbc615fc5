"""The past of accounts behind the fence."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_account_past")]

    operations = [Fence("AccountPast")]
