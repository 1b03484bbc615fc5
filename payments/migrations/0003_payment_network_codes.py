"""Keep all four codes of a decline (CARD-09): the processor's two and the network's two."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_fences")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="network_decline_code",
            field=models.CharField(blank=True, max_length=10),
        ),
        migrations.AddField(
            model_name="payment",
            name="network_advice_code",
            field=models.CharField(blank=True, max_length=10),
        ),
    ]
