"""The entries of a host's file, one account each: text, read line by line and no further than they are asked for."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from django.conf import settings

from integrations import formats, lines, vault
from integrations.hosts import Adapter, BadRecord, FieldError
from integrations.lines import Broken, Limits
from integrations.models import HostFile

BYTES_AHEAD = 2**23
"""Of text in a batch; no entry unfolds to more."""


class Entry(NamedTuple):
    """One account record of a file, as text; or the errors that make it none."""

    line: int
    reference: str
    text: bytes
    errors: tuple[FieldError, ...] = ()


class Entries:
    """What a file has after its last finished line."""

    def __init__(self, file: HostFile, own: formats.Format | None, adapter: Adapter) -> None:
        self.file, self.format, self.adapter = file, own, adapter
        self.unfold = getattr(adapter, "unfold", lambda entry: [entry])
        one_each = getattr(adapter, "one_account_per_entry", True)
        self.known_key = _key_reader(adapter.reference_field) if one_each and not own else None

    def batches(self) -> Iterator[list[Entry]]:
        """Give what comes after the last finished line, no line in two batches."""
        batch: list[Entry] = []
        size = 0
        for entry in self._entries():
            full = len(batch) >= settings.FILE_READ_AHEAD or size >= BYTES_AHEAD
            if full and entry.line != batch[-1].line:
                yield batch
                batch, size = [], 0
            batch.append(entry)
            size += len(entry.text)
        if batch:
            yield batch

    def _entries(self) -> Iterator[Entry]:
        limits = limits_of_files()
        with vault.open_kept(agency_id=self.file.agency_id, file_id=self.file.pk) as source:
            for row in self.format.rows(source, limits) if self.format else ():
                if row.line > self.file.done_line:
                    yield self._of_row(row)
            for cut in (
                () if self.format else lines.records(source, limits, list_name=getattr(self.adapter, "list_name", ""))
            ):
                if cut.line <= self.file.done_line:
                    continue
                yield from self._of_cut(cut)

    def _of_cut(self, cut: lines.Cut) -> Iterator[Entry]:
        if self.known_key is not None:
            try:
                yield Entry(cut.line, self.known_key(cut.text), cut.text)
                return
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                pass  # told below
        try:
            said = lines.decode(cut.text)
        except Broken as error:
            if not cut.whole:
                raise Broken("truncated", "The file ends in the middle of a record.", cut.line) from None
            yield Entry(cut.line, "", b"", (FieldError("", error.code, error.message),))
            return
        if not isinstance(said, dict):
            yield Entry(cut.line, "", b"", (FieldError("", "invalid_record", "A record is an object."),))
            return
        try:
            yield from self._unfolded(cut, said)
        except BadRecord as error:
            yield Entry(cut.line, "", b"", tuple(error.errors))

    def _unfolded(self, cut: lines.Cut, said: dict) -> list[Entry]:
        """Give the entries of one record.

        :raises BadRecord: it is more than an entry may have.
        """
        entries, size = [], 0
        for record in self.unfold(said):
            text = cut.text if record is said else lines.encode(record)
            if (size := size + len(text)) > BYTES_AHEAD:
                raise BadRecord([FieldError("", "unfolds_too_far", f"An entry has at most {BYTES_AHEAD:,} bytes.")])
            entries.append(Entry(cut.line, _reference(record.get(self.adapter.reference_field)), text))
        return entries

    def _of_row(self, row: formats.Read) -> Entry:
        record, errors = self.format.record(row)
        reference = _reference(record.get("FileNumber"))
        return Entry(row.line, reference, lines.encode(record), tuple(errors))


def limits_of_files() -> Limits:
    """Give the limits of a file (settings)."""
    return Limits(settings.FILE_RECORD_LIMIT, settings.FILE_UNPACKED_LIMIT, settings.FILE_RATIO)


def _key_reader(name: str) -> Callable[[bytes], str]:
    """Make a reader of nothing but the reference."""
    key = msgspec.defstruct("Key", [("reference", str | int | None, None)], rename={"reference": name})
    decode = msgspec.json.Decoder(key).decode
    return lambda text: _reference(decode(text).reference)


def _reference(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""
