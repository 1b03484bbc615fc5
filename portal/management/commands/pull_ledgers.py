"""Pull the creditors' ledgers of all agencies whose time has come, as the beat does every half a minute."""

from django.core.management.base import BaseCommand

from accounts import clock
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import HostConnection
from integrations.services import pull


class Command(BaseCommand):
    """Print how many ledgers answered."""

    help = __doc__

    def add_arguments(self, parser) -> None:
        parser.add_argument("--now", action="store_true", help="whenever they were pulled last")

    def handle(self, *args, now: bool, **options) -> None:
        if now:
            with acting_for(ALL_AGENCIES):
                HostConnection.objects.filter(style__in=pull.PULLED).update(pulled_at=None)
        self.stdout.write(f"{pull.pull_due(now=clock.now())} ledgers answered")
