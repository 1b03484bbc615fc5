"""Visit the hosts' file sites of all agencies whose time has come, as the beat does every half a minute."""

from django.core.management.base import BaseCommand

from accounts import clock
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import HostSite
from integrations.services import sites


class Command(BaseCommand):
    """Print how many sites were visited."""

    help = __doc__

    def add_arguments(self, parser) -> None:
        parser.add_argument("--now", action="store_true", help="whenever they were visited last")

    def handle(self, *args, now: bool, **options) -> None:
        if now:
            with acting_for(ALL_AGENCIES):
                HostSite.objects.update(next_at=None, extract_at=None)
        self.stdout.write(f"{sites.visit_due(clock=clock.now)} sites visited")
