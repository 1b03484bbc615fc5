"""Take a host's file from this machine's disk and apply it here: what a person does with a population."""

from argparse import FileType

from django.core.management.base import BaseCommand, CommandError

from accounts import clock
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import HostConnection, HostFile
from integrations.services import files, intake

BLOCK = 2**20


class Command(BaseCommand):
    """`take_file CONNECTION placement accounts.ndjson.gz [--dry-run]`; again after a kill, it goes on."""

    help = __doc__

    def add_arguments(self, parser) -> None:
        parser.add_argument("connection", help="id of the host connection")
        parser.add_argument("kind", choices=files.KINDS)
        parser.add_argument("file", type=FileType("rb"))
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument("--queue", action="store_true", help="leave the work to the workers")

    def handle(self, *, connection, kind, file, dry_run, queue, **options) -> None:
        with acting_for(ALL_AGENCIES):
            row = HostConnection.objects.filter(pk=connection).first()
        if row is None:
            raise CommandError("There is no such connection.")
        with acting_for(row.agency_id):
            try:
                taken, is_new = files.receive(
                    connection=row,
                    kind=kind,
                    name=file.name,
                    blocks=iter(lambda: file.read(BLOCK), b""),
                    source="command",
                    by="command",
                    now=clock.now(),
                    dry_run=dry_run,
                )
            except (files.TooLarge, files.NoRoom) as error:
                raise CommandError(str(error)) from error
        if not is_new:
            self.stdout.write(f"This content came before, as {taken.name} ({taken.state}).")
        while not queue:
            intake.work(clock=clock.now, longest=10.0)
            with acting_for(row.agency_id):
                taken = HostFile.objects.get(pk=taken.pk)
            self.stdout.write(f"line {taken.done_line:,}: {taken.state} {taken.counts}")
            if taken.state not in (HostFile.State.RECEIVED, HostFile.State.WORKING):
                break
        if taken.state == HostFile.State.BROKEN:
            raise CommandError(f"Broken at line {taken.broken_line}: {taken.broken_text} ({taken.broken_code})")
