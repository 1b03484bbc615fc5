"""Walk what is due from one place to the next, and count a card's tries by its fingerprint, without reading more."""

import django.db.models.functions.comparison
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0008_batches_in_full")]

    operations = [
        migrations.RemoveIndex(model_name="postdate", name="postdate_due"),
        migrations.AddIndex(
            model_name="postdate",
            index=models.Index(
                django.db.models.functions.comparison.Coalesce("run_at", "not_before_at"),
                models.F("id"),
                condition=models.Q(("executor", "portal"), ("status", "scheduled")),
                name="postdate_due",
            ),
        ),
        migrations.AddIndex(
            model_name="method",
            index=models.Index(
                condition=models.Q(("fingerprint", ""), _negated=True),
                fields=["agency", "fingerprint"],
                name="method_by_fingerprint",
            ),
        ),
    ]
