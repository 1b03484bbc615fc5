"""A simulation keeps a copy of its draft."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("settlements", "0004_fence_rule_sets")]

    operations = [
        migrations.AddField(
            model_name="simulation",
            name="frozen",
            field=models.JSONField(default=dict, help_text="the draft as it was, and which accounts are compared"),
        )
    ]
