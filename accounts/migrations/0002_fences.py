"""Row-level security and composite keys: an agency's rows are out of every other agency's reach."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        Fence(
            "Consumer",
            "Client",
            "Account",
            "ContactPoint",
            "Consent",
            "Event",
            "ReaderPosition",
            "Visit",
            "Code",
            "IdentifyAttempt",
        ),
    ]
