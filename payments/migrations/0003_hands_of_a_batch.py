"""Keep everybody who edited a batch: an item says its last hand only."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_fewer_indexes")]

    operations = [
        migrations.AddField(
            model_name="paymentbatch",
            name="hands",
            field=models.JSONField(
                db_default=[],
                default=list,
                help_text="everybody who put in, moved or took out; none of them approves",
                verbose_name="edited by",
            ),
        ),
    ]
