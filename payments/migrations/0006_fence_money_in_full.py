"""Refunds, incidents, batches, disputes and pay links behind the fence."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_money_in_full")]

    operations = [
        Fence("Refund", "Incident", "PaymentBatch", "BatchItem", "Dispute", "CreditorRequest", "PayLink"),
    ]
