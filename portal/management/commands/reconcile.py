"""Check what must hold at any moment over every agency's rows; status 1 when something does not."""

import sys

from django.core.management.base import BaseCommand

from accounts.tenancy import ALL_AGENCIES, acting_for
from portal.invariants import INVARIANTS, findings


class Command(BaseCommand):
    """Print each violation and a last line with their number."""

    help = __doc__

    def handle(self, *args, **options) -> None:
        with acting_for(ALL_AGENCIES):
            found = findings()
        for name, row in found:
            self.stdout.write(f"{name}: {', '.join(map(str, row))}")
        self.stdout.write(f"{len(INVARIANTS)} invariants, {len(found)} findings")
        if found:
            sys.exit(1)
