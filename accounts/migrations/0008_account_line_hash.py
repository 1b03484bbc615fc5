"""The line of a file that an account was last placed by, so that the same line is known again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_quiet_times")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="line_hash",
            field=models.UUIDField(
                editable=False, help_text="of the file's line that made it what it is", null=True
            ),
        ),
    ]
