"""Apply a host's file: streamed, chunk by chunk, by the rules of the push; a kill loses nothing and doubles nothing.

A chunk is one transaction: its accounts, its line errors and the line it ends with. The next run goes on after that
line. A line that made its account what it is is known again by its hash and skipped without being read.
"""

import gc
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F

from accounts import events
from accounts.bulk import write_rows
from accounts.crypto import blind_index
from accounts.services import outreach
from accounts.services.place import Outcome
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import lines, vault
from integrations.hosts import FieldError
from integrations.lines import Broken
from integrations.models import HostConnection, HostFile, HostFileError
from integrations.services import files, pace, receive
from integrations.services.alone import alone, disconnected
from integrations.services.entries import Entries, Entry
from integrations.services.receive import VERDICTS, Row

log = structlog.get_logger(__name__)
TRIES = 3
"""Of a chunk that met a deadlock or a lock's time-out."""


class Overtaken(RuntimeError):
    """Leave the file: it was stopped, or another worker went on with it."""


def work(*, clock: Callable[[], datetime], longest: float) -> int:
    """Go on with the oldest file of every connection that nobody works on; return how many came to an end."""
    ended, began = 0, time.monotonic()
    while time.monotonic() - began < longest:
        with acting_for(ALL_AGENCIES):
            todo = HostFile.objects.filter(outgoing=False, state__in=("received", "working"))
            rows = list(todo.order_by("made_at", "pk").values_list("agency_id", "connection_id", "pk")[:1_000])
        # A file waits for the ones before it of its connection: an update must not overtake its placement.
        first = {connection_id: (agency_id, pk) for agency_id, connection_id, pk in reversed(rows)}
        over = 0
        for connection_id, (agency_id, pk) in first.items():
            with acting_for(agency_id), alone(f"files:{connection_id}") as mine:
                if mine:
                    over += _go_on(pk, clock, longest - (time.monotonic() - began))
        ended += over
        if not over:
            break
    return ended


def _go_on(file_id: UUID, clock: Callable[[], datetime], longest: float) -> bool:
    """Go on with one file; what it alone stumbles over breaks it, and holds up no other agency's file."""
    try:
        return Intake(file_id, clock).run(longest=longest)
    except OperationalError:
        if disconnected():
            raise
        log.exception("file_left_for_later", file=str(file_id))
    except Exception as error:
        if disconnected():
            raise
        log.exception("file_not_applied", file=str(file_id))
        mine = HostFile.objects.filter(pk=file_id, state__in=("received", "working"))
        why = {"broken_code": "unexpected", "broken_text": f"It cannot be read: {type(error).__name__}."}
        return bool(mine.update(state=HostFile.State.BROKEN, finished_at=clock(), broken_line=F("done_line"), **why))
    return False


class Intake:
    """One file on its way in, in the scope of its agency."""

    def __init__(self, file_id: UUID, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.file = HostFile.objects.select_related("connection").get(pk=file_id)
        self.connection: HostConnection = self.file.connection
        self.format = files.own_format(self.file)
        self.adapter = receive.adapter_for(self.connection, canonical=self.format is not None)
        whole = self.file.kind == HostFile.Kind.PLACEMENT
        # A style whose host sends no files of its own still takes placements, one account an entry.
        self.read = self.adapter.read if whole else getattr(self.adapter, "read_changes", None)
        self.counts: Counter[str] = Counter(self.file.counts)
        self.hash_key = self._hash_key()
        self.campaigns: set[str] | None = None
        self.entries = Entries(self.file, self.format, self.adapter)

    def run(self, *, longest: float) -> bool:
        """Go on until the end of the file or of the time, but for one batch at least; True at the end."""
        until = time.monotonic() + longest
        try:
            self._take_up()
            if self.read is None:
                raise Broken("not_supported", "Hosts of this style send no update files; send a placement.")
            with (
                events.context(actor=f"host:{self.connection.pk}", request_id=str(self.file.pk)),
                pace.few_collections(),
            ):
                for batch in self.entries.batches():
                    self._apply(batch)
                    if time.monotonic() > until:
                        return False
        except Broken as error:
            self._end(HostFile.State.BROKEN, error)
        except vault.Unreadable as error:
            self._end(HostFile.State.BROKEN, Broken("unreadable", str(error), self.file.done_line))
        except Overtaken:
            return False
        else:
            self._end(HostFile.State.CHECKED if self.file.dry_run else HostFile.State.APPLIED)
        return True

    # Applying -------------------------------------------------------------------------------------------------

    def _apply(self, batch: list[Entry]) -> None:
        hashes = [
            UUID(bytes=hashlib.blake2b(entry.text, digest_size=16, key=self.hash_key).digest()) for entry in batch
        ]
        same = self._unchanged(batch, hashes)
        chunk: list[tuple[Entry, UUID]] = []
        received = unchanged = 0
        for index, entry in enumerate(batch):
            if len(chunk) >= settings.FILE_CHUNK and entry.line != batch[index - 1].line:
                self._chunk(chunk, received=received, unchanged=unchanged, last=batch[index - 1].line)
                chunk, received, unchanged = [], 0, 0
            received += 1
            if index in same:
                unchanged += 1
            else:
                chunk.append((entry, hashes[index]))
        self._chunk(chunk, received=received, unchanged=unchanged, last=batch[-1].line)

    def _unchanged(self, batch: list[Entry], hashes: list[UUID]) -> set[int]:
        """Find the lines that made their accounts what they are; an account that comes twice is read each time."""
        often = Counter(entry.reference for entry in batch)
        asked = [index for index, entry in enumerate(batch) if entry.reference and often[entry.reference] == 1]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT given.place FROM unnest(%s::int[], %s::text[], %s::text[]) AS given(place, reference, hash) "
                "JOIN accounts_account account ON account.agency_id = %s AND account.connection_id = %s "
                "AND account.reference = given.reference AND account.line_hash = given.hash::uuid",
                [
                    asked,
                    [batch[index].reference for index in asked],
                    [hashes[index].hex for index in asked],
                    self.file.agency_id,
                    self.connection.pk,
                ],
            )
            return {place for (place,) in cursor.fetchall()}

    def _chunk(self, chunk: list[tuple[Entry, UUID]], *, received: int, unchanged: int, last: int) -> None:
        """Apply a chunk with its errors and its last line, or nothing of it."""
        now = self.clock()
        for left in reversed(range(TRIES)):
            counts = Counter(self.counts)
            counts.update(received=received, unchanged=unchanged)
            try:
                with transaction.atomic():
                    errors: list[HostFileError] = []
                    preview = list(self.file.preview)
                    self._place(self._rows(chunk), now, counts, errors, preview)
                    self._progress(counts, errors, preview, last)
            except OperationalError:
                if not left or disconnected():
                    raise
            else:
                gc.collect()  # of this chunk alone: see `pace`
                receive.note_push(self.connection, stale=counts["stale"] - self.counts["stale"], now=now)
                self.counts, self.file.done_line, self.file.preview = counts, last, preview
                return

    def _rows(self, chunk: list[tuple[Entry, UUID]]) -> list[tuple[Entry, Row]]:
        found = []
        for entry, line_hash in chunk:
            if entry.errors:
                found.append((entry, Row(None, None, list(entry.errors))))
                continue
            try:
                record = lines.decode(entry.text)
            except Broken as error:
                found.append((entry, Row(None, None, [FieldError("", error.code, error.message)])))
                continue
            if self.format and "AsOf" not in record:
                # A format without a time of its own: its rows are as old as the file.
                record["AsOf"] = (self.file.as_of or self.file.made_at).isoformat()
            row = receive.read_row(self.read, record, self.file.agency_id, line_hash=line_hash)
            found.append((entry, row))
        return found

    def _place(self, rows: list[tuple[Entry, Row]], now, counts: Counter, errors: list, preview: list) -> None:
        """Place rows; where the database takes them not, halve them until the bad one stands alone."""
        try:
            with transaction.atomic():
                outcomes = receive.place_rows(
                    connection=self.connection,
                    rows=[row for _entry, row in rows],
                    now=now,
                    at_once=settings.FILE_CHUNK,
                )
                self._ask_for_messages(rows, outcomes, now)
                if self.file.dry_run:
                    preview += _changes(rows, outcomes, settings.FILE_PREVIEW - len(preview))
                    transaction.set_rollback(True)
        except OperationalError:
            raise
        except (DatabaseError, ValueError, ArithmeticError) as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                self._place(rows[:middle], now, counts, errors, preview)
                self._place(rows[middle:], now, counts, errors, preview)
                return
            ((entry, row),) = rows
            said = FieldError("", "cannot_be_stored", f"A value cannot be stored: {str(error).splitlines()[0][:200]}")
            rows, outcomes = [(entry, Row(row.record, None, [said]))], []
        placed = iter(outcomes)
        for entry, row in rows:
            found = [*row.errors, *self._unknown_campaign(row)]
            outcome = next(placed) if row.told else None
            verdict = VERDICTS.get(outcome.verdict, "refused") if outcome else "refused"
            if outcome and verdict == "refused":
                found.append(receive.refusal(outcome, self.adapter))
            counts[verdict] += 1
            for error in found:
                counts["errors"] += 1
                if counts["errors"] <= settings.FILE_ERRORS_KEPT:
                    errors.append(self._error(entry, error, counts["errors"]))

    def _ask_for_messages(self, rows: list[tuple[Entry, Row]], outcomes: list[Outcome], now: datetime) -> None:
        """Write down that the host wants its new population written to; who may be, the campaigns decide."""
        placed = iter(outcomes)
        asked = []
        for _entry, row in rows:
            outcome = next(placed) if row.told else None
            if outcome is None or VERDICTS.get(outcome.verdict, "refused") == "refused":
                continue
            about, name = {"file": str(self.file.pk)}, named_campaign(row.record)
            if name:
                asked.append(("message.requested", outcome.account, about | {"campaign": name}))
            elif row.record.get("messaging") is True and outcome.verdict == "placed":
                asked.append(("message.requested", outcome.account, about))
        events.record_all(asked, now=now)

    def _unknown_campaign(self, row: Row) -> list[FieldError]:
        """Say that no campaign is called so; its account is placed all the same."""
        name = named_campaign(row.record) if row.record else ""
        if not name or outreach.joinable is None:
            return []
        self.campaigns = outreach.joinable() if self.campaigns is None else self.campaigns
        if name in self.campaigns:
            return []
        pointer = "/messaging" if isinstance(row.record.get("messaging"), str) else "/Campaign"
        return [FieldError(pointer, "campaign_unknown", "No standing campaign of the agency has this name.")]

    def _error(self, entry: Entry, error: FieldError, place: int) -> HostFileError:
        texts = {"field": error.pointer[:120], "code": error.code[:40], "message": error.message[:300]}
        texts |= {"reference": entry.reference.replace("\x00", "")[:60]}
        return HostFileError(agency_id=self.file.agency_id, file=self.file, line=entry.line, place=place, **texts)

    # Keeping count --------------------------------------------------------------------------------------------

    def _take_up(self) -> None:
        begun = HostFile.objects.filter(pk=self.file.pk, state__in=("received", "working"))
        if not begun.update(state="working", started_at=self.file.started_at or self.clock()):
            raise Overtaken

    def _progress(self, counts: Counter, errors: list[HostFileError], preview: list, last: int) -> None:
        mine = HostFile.objects.filter(pk=self.file.pk, state="working", done_line=self.file.done_line)
        if not mine.update(done_line=last, counts=dict(counts), preview=preview):
            raise Overtaken
        write_rows(HostFileError, errors)

    def _end(self, state: str, error: Broken | None = None) -> None:
        values: dict[str, Any] = {"state": state, "finished_at": self.clock()}
        if error is not None:
            values |= {"broken_code": error.code, "broken_text": error.message[:300]}
            values |= {"broken_line": error.line or self.file.done_line}
        HostFile.objects.filter(pk=self.file.pk, state="working").update(**values)

    def _hash_key(self) -> bytes:
        """Make the key of line hashes: another map, other words or another kind of file read every line anew."""
        words = [self.connection.style, self.connection.status_map, self.file.kind]
        words += [self.connection.cell_phone_type, self.connection.cell_phone_status, self.connection.vocabulary]
        text = msgspec.json.encode(words, order="sorted").hex()
        return bytes.fromhex(blind_index(text, agency_id=self.file.agency_id, field="line"))


def named_campaign(record: dict) -> str:
    """Give the campaign that a record names for its account, in canonical words or SmartCollect's; else nothing."""
    said = record.get("Campaign") or record.get("messaging")
    return said.strip()[:120] if isinstance(said, str) else ""


def _changes(rows: list[tuple[Entry, Row]], outcomes: list[Outcome], room: int) -> list[dict]:
    """Say what a dry run would change, without anybody's identity."""
    found: list[dict] = []
    placed = iter(outcomes)
    for entry, row in rows:
        outcome = next(placed) if row.told else None
        if outcome is None or not outcome.applied or len(found) >= max(0, room):
            continue
        shown = {}
        for name in sorted(outcome.changed - {"as_of", "body_hash", "line_hash", "consumer_id", "client_id"}):
            before = outcome.before.get(name) if outcome.verdict == "updated" else None
            after = getattr(outcome.account, name, None)
            shown[name] = [before, after] if name in outcome.before else "changed"
        found.append({"line": entry.line, "reference": entry.reference, "verdict": outcome.verdict, "changes": shown})
    return msgspec.to_builtins(found, enc_hook=str)
