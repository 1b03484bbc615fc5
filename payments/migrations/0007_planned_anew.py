"""A payment that is planned anew keeps its number; its turn counts how often."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_fence_money_in_full")]

    operations = [
        migrations.RemoveConstraint(model_name="postdate", name="postdate_number_once"),
        migrations.AddField(
            model_name="postdate",
            name="turn",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="how often this payment was planned anew before"
            ),
        ),
        migrations.AlterField(
            model_name="postdate",
            name="replacement",
            field=models.JSONField(help_text="what follows when it is let go; see services.replan", null=True),
        ),
        migrations.AddConstraint(
            model_name="postdate",
            constraint=models.UniqueConstraint(fields=("arrangement", "number", "turn"), name="postdate_number_once"),
        ),
    ]
