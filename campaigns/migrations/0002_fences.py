"""Row-level security and composite keys: an agency's rows are out of every other agency's reach."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial"),
        ("accounts", "0002_fences"),
    ]

    operations = [
        Fence(
            "MailProvider",
            "Message",
            "MailEvent",
        ),
    ]
