"""Webhook endpoints and redeliveries behind the fence, and a delivery's endpoint."""

from django.db import migrations

from accounts.tenancy import COMPOSITE, Fence, composite_name

DELIVERIES = "integrations_delivery"
ENDPOINT = composite_name(DELIVERIES, "endpoint_id")


class Migration(migrations.Migration):
    dependencies = [("integrations", "0008_webhooks")]

    operations = [
        Fence("WebhookEndpoint", "Redelivery"),
        migrations.RunSQL(
            COMPOSITE.format(
                table=DELIVERIES, name=ENDPOINT, column="endpoint_id", target="integrations_webhookendpoint"
            ),
            f'ALTER TABLE "{DELIVERIES}" DROP CONSTRAINT "{ENDPOINT}"',
        ),
    ]
