"""Extract a connection's activity into a file: everything since the last extraction, or a range of time."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from django.db import connection as database
from django.db import transaction
from django.db.models import Max, Q

from accounts import events
from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for, uuid7
from integrations import vault
from integrations.formats import Format
from integrations.hosts import Outgoing
from integrations.models import FileFormat, HostConnection, HostFile
from integrations.services import receive
from integrations.services.route import message_id

PAGE = 2_000


def extract(
    *, connection: HostConnection, by: str, now: datetime, since: datetime | None = None, until: datetime | None = None
) -> HostFile:
    """Make a file of the activity of the connection's accounts; return it ready to be claimed.

    Without a range it takes up where the last one without a range ended, so that no event is in two files or in none.
    Runs in the scope of the connection's agency.
    """
    by_time = bool(since or until)
    _give_sequences()
    with transaction.atomic():
        with database.cursor() as cursor:
            # One extraction of a connection at a time: the next one begins where this one ends.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"extract:{connection.pk}"])
        last = extracted_to(connection)
        newest = Event.objects.filter(sequence__isnull=False).order_by("-sequence").values_list("sequence", flat=True)
        file = HostFile(pk=uuid7(), connection=connection, kind="activity", outgoing=True, source="extract", by=by)
        ending = {"csv": "csv", "fixed": "txt"}.get(getattr(_own_format(connection), "shape", ""), "ndjson")
        file.name, file.made_at, file.state = f"activity-{now:%Y%m%d-%H%M%S-%f}.{ending}", now, HostFile.State.READY
        file.since_at, file.until_at = since, until
        file.from_sequence, file.to_sequence = (0 if by_time else last), newest.first() or 0
        counted = Counted(_lines(connection, file))
        vault.keep(counted, agency_id=connection.agency_id, file_id=file.pk)
        file.size, file.sha256, file.finished_at = counted.size, counted.sha256, now
        file.counts = {"events": counted.lines}
        file.save(force_insert=True)
    return file


def has_news(*, connection: HostConnection) -> bool:
    """Say whether anything happened to the connection's accounts since the last extraction."""
    _give_sequences()
    theirs = Q(account__connection_id=connection.pk) | Q(account=None, consumer__accounts__connection_id=connection.pk)
    return Event.objects.filter(theirs, sequence__gt=extracted_to(connection)).exists()


def extracted_to(connection: HostConnection) -> int:
    """Give the last number of the agency's sequence that is in an extraction without a range; 0: there was none."""
    ended = HostFile.objects.filter(connection=connection, outgoing=True, kind="activity", since_at=None, until_at=None)
    return ended.aggregate(last=Max("to_sequence"))["last"] or 0


class Counted:
    """Count blocks as they pass."""

    def __init__(self, blocks: Iterator[tuple[bytes, int]]) -> None:
        self.blocks, self.size, self.lines, self._digest = blocks, 0, 0, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for block, count in self.blocks:
            self.size += len(block)
            self.lines += count
            self._digest.update(block)
            yield block

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _lines(connection: HostConnection, file: HostFile) -> Iterator[tuple[bytes, int]]:
    """Give the events as lines of the connection's style, in the order of their sequence, a page at a time."""
    adapter = receive.adapter_for(connection)
    own = _own_format(connection)
    if own is not None and (head := own.head()):
        yield head, 0
    theirs = Event.objects.filter(sequence__lte=file.to_sequence)
    if file.since_at:
        theirs = theirs.filter(occurred_at__gte=file.since_at)
    if file.until_at:
        theirs = theirs.filter(occurred_at__lt=file.until_at)
    position = file.from_sequence
    while True:
        page = list(theirs.filter(sequence__gt=position).order_by("sequence")[:PAGE])
        if not page:
            return
        position = page[-1].sequence
        text, count = _written(adapter, connection, page, own)
        if text:
            yield text, count


def _own_format(connection: HostConnection) -> Format | None:
    mine = FileFormat.objects.filter(connection=connection, kind="activity", is_active=True).first()
    return Format(mine.mapping) if mine else None


def _written(adapter, connection: HostConnection, page: list[Event], layout: Format | None) -> tuple[bytes, int]:
    of_accounts = {event.account_id for event in page if event.account_id}
    of_people = {event.consumer_id for event in page if event.consumer_id and not event.account_id}
    own = Account.objects.filter(connection_id=connection.pk)
    references = dict(own.filter(pk__in=of_accounts).values_list("pk", "reference"))
    held: dict = {}
    for pk, consumer_id, reference in (
        own.filter(consumer_id__in=of_people).order_by("pk").values_list("pk", "consumer_id", "reference")
    ):
        held.setdefault(consumer_id, []).append((pk, reference))
    lines = []
    for event in page:
        if layout is not None and not layout.wants(event.kind):
            continue
        if event.account_id:
            about = [(event.account_id, references[event.account_id])] if event.account_id in references else []
        else:
            about = held.get(event.consumer_id, [])
        for account_id, reference in about:
            message = Outgoing(
                id=message_id(event.pk, account_id, about_account=bool(event.account_id)),
                sequence=event.sequence,
                account_sequence=event.account_seq,
                reference=reference,
                kind=event.kind,
                occurred_at=event.occurred_at,
                committed_at=datetime.fromtimestamp((event.pk.int >> 80) / 1000, UTC),
                data=event.data,
            )
            said = adapter.write(message)
            lines.append(msgspec.json.encode(said) + b"\n" if layout is None else layout.written(said))
    return b"".join(lines), len(lines)


def _give_sequences() -> None:
    """Let every event that is committed have its place: without one it would be in no extraction."""
    with acting_for(ALL_AGENCIES):
        while events.assign_sequences():
            pass
