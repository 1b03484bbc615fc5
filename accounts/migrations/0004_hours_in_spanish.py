"""Let an agency say its hours in Spanish too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_events_checked_by_condition"),
    ]

    operations = [
        migrations.AddField(
            model_name="agency",
            name="hours_es",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="For example: lun a vie, 8 a. m. a 6 p. m., hora del Este. Empty: the same hours.",
                max_length=120,
                verbose_name="hours in Spanish",
            ),
        ),
    ]
