"""Ask a host, promise by promise, whether it keeps what every host must keep; status 1 when one is broken."""

from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts import clock
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import HostConnection
from integrations.services.promises import Check


class Command(BaseCommand):
    """check_host CONNECTION --reference TEST-ACCOUNT."""

    help = __doc__

    def add_arguments(self, parser) -> None:
        parser.add_argument("connection", help="its id, as the address for pushes in the admin shows it, or its name")
        parser.add_argument("--reference", required=True, help="a test account of the host: it gets test events")

    def handle(self, *args, connection: str, reference: str, **options) -> None:
        with acting_for(ALL_AGENCIES):
            found = list(HostConnection.objects.filter(**_named(connection)).select_related("agency")[:2])
        if len(found) != 1:
            raise CommandError("There is no such connection." if not found else "Several have that name: give the id.")
        (row,) = found
        broken = 0
        with acting_for(row.agency_id):
            for promise in Check(connection=row, reference=reference, now=clock.now()).promises():
                word = self.style.SUCCESS("kept  ") if promise.kept else self.style.ERROR("broken")
                self.stdout.write(f"{word}  {promise.name}: {promise.seen}")
                broken += not promise.kept
        if broken:
            raise CommandError(f"{broken} promises are broken.")
        self.stdout.write("Every promise was kept.")


def _named(connection: str) -> dict:
    try:
        return {"pk": UUID(connection)}
    except ValueError:
        return {"name": connection}
