"""What failed before is all that can hold a chain: an index of only that."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0003_delivery_chain"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="delivery",
            name="delivery_chain",
        ),
        migrations.AlterField(
            model_name="delivery",
            name="next_at",
            field=models.DateTimeField(help_text="the next try; one that was never tried may go at once"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("attempts__gt", 0), ("status__in", ["waiting", "parked"])),
                fields=["lane"],
                name="delivery_held",
            ),
        ),
    ]
