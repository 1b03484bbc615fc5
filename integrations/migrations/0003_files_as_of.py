"""Give files whose rows say no time of their own one that stays; let such a file say again what an older one said."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0002_fewer_indexes")]

    operations = [
        migrations.AddField(
            model_name="hostfile",
            name="as_of",
            field=models.DateTimeField(
                help_text="of rows that say no time of their own", null=True, verbose_name="as of"
            ),
        ),
        migrations.RemoveConstraint(model_name="hostfile", name="file_taken_once"),
        migrations.AddConstraint(
            model_name="hostfile",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("as_of", None),
                    ("dry_run", False),
                    ("outgoing", False),
                    ("state__in", ("received", "working", "applied")),
                ),
                fields=("connection", "kind", "sha256"),
                name="file_taken_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="hostfile",
            constraint=models.UniqueConstraint(fields=("connection", "as_of"), name="no_two_files_of_one_age"),
        ),
    ]
