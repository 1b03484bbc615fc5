"""Migrate in the scope of all agencies: a key added without a scope would be checked against no rows at all."""

from django.conf import settings
from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from accounts.tenancy import ALL_AGENCIES, acting_for


class Command(migrate.Command):
    """Run Django's migrate over every agency's rows, and give up on a lock rather than block the site."""

    def handle(self, *args, **options):
        if stopped := halfway():
            raise CommandError(
                f"This database stopped amid the old migrations of {', '.join(stopped)}, which one has replaced since: "
                "migrate it with the version that it came from first, or begin with an empty one."
            )
        with acting_for(ALL_AGENCIES):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [settings.MIGRATION_LOCK_TIMEOUT])
            try:
                return super().handle(*args, **options)
            finally:
                with connection.cursor() as cursor:
                    cursor.execute("RESET lock_timeout")


def halfway() -> list[str]:
    """Name the apps of which a database has some, not all, of the migrations that one replaced: Django skips it."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    applied = set(MigrationRecorder(connection).applied_migrations())
    return sorted(
        app
        for (app, _name), one in loader.disk_migrations.items()
        if one.replaces and applied.intersection(one.replaces) and not applied.issuperset(one.replaces)
    )
