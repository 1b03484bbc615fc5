"""Take files of hosts in, once each, and give files out, for a day each; `intake` applies, `extract` makes them."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Coalesce

from accounts.tenancy import ALL_AGENCIES, acting_for, uuid7
from integrations import formats, vault
from integrations.models import FileFormat, HostConnection, HostFile, HostFileError
from integrations.services.nudge import nudge_intake

KINDS = (HostFile.Kind.PLACEMENT, HostFile.Kind.UPDATE)


class TooLarge(ValueError):
    """Answer 413: more bytes than a file may have (settings.FILE_LIMIT)."""


class Incomplete(ValueError):
    """Ask for the file again: it is shorter than was said, or not the one whose hash was said."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NoRoom(OSError):
    """Answer 507 and tell the operator: the disk is nearly full (settings.FILE_ROOM)."""


class Claimed(ValueError):
    """Answer 409: this file was given out long ago, or is none to give."""


class Busy(ValueError):
    """Answer 409: the file is not in a state in which this can be done."""


def receive(
    *,
    connection: HostConnection,
    kind: str,
    name: str,
    blocks: Iterable[bytes],
    source: str,
    by: str,
    now: datetime,
    dry_run: bool = False,
    length: int | None = None,
    sha256: str = "",
    written_at: datetime | None = None,
) -> tuple[HostFile, bool]:
    """Keep a file and put it in line; return it, or the one with the same content that came before, and if it is new.

    Runs in the scope of the connection's agency. Nothing is kept of a file that did not come whole.

    :param length, sha256: what the sender says; empty is not checked.
    :param written_at: when the sender finished it, where that is known; rows that say no time of their own are of then.
    :raises TooLarge, Incomplete, NoRoom: nothing was kept.
    """
    assert kind in KINDS, kind
    file = HostFile(pk=uuid7(), connection=connection, kind=kind, name=clean_name(name), source=source)
    file.by, file.made_at, file.dry_run = by, now, dry_run
    file.counts = dict.fromkeys(("received", "accepted", "unchanged", "stale", "refused", "errors"), 0)
    digest, place = hashlib.sha256(), {"agency_id": connection.agency_id, "file_id": file.pk}
    known = None
    try:
        vault.keep(_checked(blocks, file, digest, length), **place)
        file.sha256 = digest.hexdigest()
        if sha256 and sha256.lower() != file.sha256:
            raise Incomplete("checksum_mismatch", "What came has another SHA-256 than was said.")
        with transaction.atomic():
            _take_turn(file)
            file.as_of = _as_of(file, min(written_at or now, now))
            known = None if dry_run else _same(file)
            if known is None:
                file.save(force_insert=True)
                transaction.on_commit(nudge_intake)
    except BaseException:
        vault.forget(**place)
        raise
    if known is not None:
        vault.forget(**place)
        return known, False
    return file, True


def _take_turn(file: HostFile) -> None:
    """Let the files of one connection be compared with those before them one after the other."""
    HostConnection.objects.select_for_update(no_key=True).only("pk").get(pk=file.connection_id)


def own_format(file: HostFile) -> formats.Format | None:
    """Give the connection's own format of such files, if it has one."""
    mine = FileFormat.objects.filter(connection_id=file.connection_id, kind=file.kind, is_active=True).first()
    return formats.Format(mine.mapping) if mine else None


def _as_of(file: HostFile, written_at: datetime) -> datetime | None:
    """Say of when rows are that say no time of their own: of their file's, which is later than the file before it."""
    own = own_format(file)
    if own is None or own.says_when:
        return None
    before = HostFile.objects.filter(connection_id=file.connection_id, outgoing=False)
    # Files that came before files had a time of their own, and those whose rows say theirs, are of when they came.
    last = before.aggregate(last=Max(Coalesce("as_of", "made_at")))["last"]
    return max(written_at, last + timedelta(microseconds=1)) if last else written_at


def _same(file: HostFile) -> HostFile | None:
    """Find the file in which this content came before.

    What says no time of its own is a new picture unless the latest file says the same: after A and B, A is news again.
    """
    before = HostFile.objects.filter(connection_id=file.connection_id, kind=file.kind, outgoing=False, dry_run=False)
    if file.as_of is None:
        return before.filter(sha256=file.sha256, state__in=HostFile.LIVE).order_by("made_at").first()
    latest = before.order_by(Coalesce("as_of", "made_at").desc(), "-pk").first()
    same = latest is not None and latest.sha256 == file.sha256 and latest.state in HostFile.LIVE
    return latest if same else None


def _checked(blocks: Iterable[bytes], file: HostFile, digest, length: int | None) -> Iterator[bytes]:
    for block in blocks:
        file.size += len(block)
        if file.size > settings.FILE_LIMIT:
            raise TooLarge(f"A file has at most {settings.FILE_LIMIT:,} bytes.")
        if vault.room() < settings.FILE_ROOM:
            raise NoRoom("There is no room for this file now.")
        digest.update(block)
        yield block
    if length is not None and file.size != length:
        raise Incomplete("upload_incomplete", f"{length:,} bytes were announced, {file.size:,} came.")


def clean_name(name: str) -> str:
    """Keep of a name what is safe to show and to write to a disk."""
    kept = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable())
    return kept.strip(". ")[:200] or "unnamed"


@transaction.atomic
def apply_checked(*, file: HostFile, by: str, now: datetime) -> HostFile:
    """Apply in earnest what a dry run has checked; it is as old as it was when it came.

    :raises Busy: it is no checked dry run, its content is gone, or the same content is in line or applied.
    """
    row = HostFile.objects.select_for_update().get(pk=file.pk)
    if not row.dry_run or row.state != HostFile.State.CHECKED or row.forgotten_at:
        raise Busy("Only a file that a dry run has checked can be applied.")
    _take_turn(row)
    if _same(row) is not None:
        raise Busy("The same content was taken already.")
    HostFileError.objects.filter(file=row).delete()
    row.dry_run, row.state, row.by, row.made_at = False, HostFile.State.RECEIVED, by, now
    row.done_line, row.started_at, row.finished_at, row.preview = 0, None, None, []
    row.counts = dict.fromkeys(row.counts, 0)
    row.save()
    transaction.on_commit(nudge_intake)
    return row


@transaction.atomic
def stop(*, file: HostFile) -> None:
    """Stop a file that waits or is being applied; what is applied stays.

    :raises Busy: it is over.
    """
    row = HostFile.objects.select_for_update().get(pk=file.pk)
    if row.outgoing or row.state not in (HostFile.State.RECEIVED, HostFile.State.WORKING):
        raise Busy("It is over already.")
    row.state = HostFile.State.STOPPED
    row.save(update_fields=["state"])


@transaction.atomic
def claim(*, file: HostFile, now: datetime) -> HostFile:
    """Give a file out; again, the same, within settings.FILE_CLAIM_HOURS: nobody knows whether it came to its end.

    :raises Claimed: that time is over, or it is none to give.
    """
    row = HostFile.objects.select_for_update().get(pk=file.pk)
    if row.outgoing and row.state == HostFile.State.READY:
        row.state, row.claimed_at = HostFile.State.CLAIMED, now
        row.save(update_fields=["state", "claimed_at"])
    elif row.claimed_at is None or row.claimed_at <= _given_since(now):
        raise Claimed("This file was given out already.")
    return row


def _given_since(now: datetime) -> datetime:
    """Give since when files were claimed that may be claimed again."""
    return now - timedelta(hours=settings.FILE_CLAIM_HOURS)


def content(file: HostFile) -> Iterator[bytes]:
    """Give a file's content block by block.

    :raises Unreadable: (integrations.vault) it was removed or damaged.
    """
    return vault.blocks_of(agency_id=file.agency_id, file_id=file.pk)


def errors_of(file: HostFile) -> Iterator[bytes]:
    """Give the line errors as NDJSON: line, reference, field, code, message."""
    rows = HostFileError.objects.filter(file=file).order_by("place")
    for row in rows.values("line", "reference", "field", "code", "message").iterator(2_000):
        yield msgspec.json.encode(row) + b"\n"


def result_of(file: HostFile) -> bytes:
    """Say what became of a file, as its result file begins."""
    said = {
        "file": file.name,
        "sha256": file.sha256,
        "kind": file.kind,
        "state": file.state,
        **file.counts,
        "broken": {"line": file.broken_line, "code": file.broken_code, "message": file.broken_text}
        if file.broken_code
        else None,
    }
    return msgspec.json.encode(said) + b"\n"


def forget_old(*, now: datetime) -> int:
    """Remove the content of files that were over long ago; their rows and counts stay."""
    before, removed = now - timedelta(days=settings.FILE_KEEP_DAYS), 0
    with acting_for(ALL_AGENCIES):
        over = HostFile.objects.filter(forgotten_at=None).exclude(state__in=("received", "working", "ready"))
        over = over.exclude(claimed_at__gt=_given_since(now))
        old = list(over.filter(made_at__lt=before).values_list("agency_id", "pk")[:1_000])
    for agency_id, pk in old:
        _forget(agency_id, pk, now)
        removed += 1
    return removed


def _forget(agency_id: UUID, pk: UUID, now: datetime) -> None:
    vault.forget(agency_id=agency_id, file_id=pk)
    with acting_for(agency_id):
        HostFile.objects.filter(pk=pk).update(forgotten_at=now)
