"""Migrate in the scope of all agencies: a key added without a scope would be checked against no rows at all."""

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connection

from accounts.tenancy import ALL_AGENCIES, acting_for


class Command(migrate.Command):
    """Run Django's migrate over every agency's rows, and give up on a lock rather than block the site."""

    def handle(self, *args, **options):
        with acting_for(ALL_AGENCIES):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [settings.MIGRATION_LOCK_TIMEOUT])
            try:
                return super().handle(*args, **options)
            finally:
                with connection.cursor() as cursor:
                    cursor.execute("RESET lock_timeout")
