"""Compare processors, our ledger and hosts for a day, and check what must hold at any moment; status 1 if not so."""

import sys
from datetime import date

from django.core.management.base import BaseCommand

from accounts import clock, events
from accounts.models import Agency
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.services import reconcile
from portal.invariants import INVARIANTS, findings


class Command(BaseCommand):
    """Print each difference and violation, and a last line with their number."""

    help = __doc__

    def add_arguments(self, parser) -> None:
        parser.add_argument("--day", type=date.fromisoformat, help="UTC; also opens an incident for each difference")

    def handle(self, *args, day: date | None = None, **options) -> None:
        differences = self._compare(day) if day else 0
        with acting_for(ALL_AGENCIES):
            found = findings()
        for name, row in found:
            self.stdout.write(f"{name}: {', '.join(map(str, row))}")
        said = f", {differences} differences" if day else ""
        self.stdout.write(f"{len(INVARIANTS)} invariants, {len(found)} findings{said}")
        if found or differences:
            sys.exit(1)

    def _compare(self, day: date) -> int:
        now, count = clock.now(), 0
        with acting_for(ALL_AGENCIES):
            agencies = list(Agency.objects.filter(is_active=True).order_by("slug"))
        for agency in agencies:
            with acting_for(agency), events.context(actor="system:reconcile"):
                for one in reconcile.run(day=day, now=now):
                    count += 1
                    about = ", ".join(f"{name} {value}" for name, value in one.data.items())
                    self.stdout.write(f"{agency.slug} {one.kind} {one.key}: {about}")
        return count
