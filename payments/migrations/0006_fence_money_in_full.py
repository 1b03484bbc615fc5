"""Refunds, incidents, batches, disputes and pay links behind the fence, and a merchant account's client."""

from django.db import migrations

from accounts.tenancy import COMPOSITE, Fence, composite_name

MERCHANTS = "payments_processoraccount"
CLIENT = composite_name(MERCHANTS, "client_id")


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_money_in_full")]

    operations = [
        Fence("Refund", "Incident", "PaymentBatch", "BatchItem", "Dispute", "CreditorRequest", "PayLink"),
        migrations.RunSQL(
            COMPOSITE.format(table=MERCHANTS, name=CLIENT, column="client_id", target="accounts_client"),
            f'ALTER TABLE "{MERCHANTS}" DROP CONSTRAINT "{CLIENT}"',
        ),
    ]
