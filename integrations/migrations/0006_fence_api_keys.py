"""API keys and kept answers behind the fence."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [("integrations", "0005_api_keys")]

    operations = [Fence("ApiKey", "IdempotencyKey")]
