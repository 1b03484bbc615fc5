"""What a host still says for an account, and which open offers expire."""

from django.db import migrations, models

# Until now a host's offer was withdrawn when the host stopped saying it; an older one beside it had been replaced.
SAID = """
UPDATE settlements_individualoffer AS o SET said_until = coalesce(o.decided_at, o.made_at)
WHERE o.origin = 'host' AND (o.status = 'withdrawn' OR EXISTS (
    SELECT 1 FROM settlements_individualoffer later WHERE later.account_id = o.account_id AND later.origin = 'host'
      AND later.status <> 'withdrawn' AND (later.made_at, later.id) > (o.made_at, o.id)))
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_fence_account_past"),
        ("settlements", "0007_fence_affordability"),
    ]

    operations = [
        migrations.AddField(
            model_name="individualoffer",
            name="said_until",
            field=models.DateTimeField(help_text="until when its host said it; empty: it still does", null=True),
        ),
        migrations.RunSQL(SAID, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="individualoffer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("origin", "host"), ("said_until__isnull", True)),
                fields=("account",),
                name="a_host_says_one_offer_per_account",
            ),
        ),
        migrations.AddIndex(
            model_name="individualoffer",
            index=models.Index(
                condition=models.Q(("expires_on__isnull", False), ("status__in", ["made", "viewed"])),
                fields=["expires_on"],
                name="open_offer_expires",
            ),
        ),
    ]
