"""Send an export as a file while it is read: a block at a time, in the agency's scope, none of it held whole."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse

from accounts.services import ledger
from accounts.tenancy import acting_for

BLOCK = 64 * 1024
"""Bytes of an export that leave at once."""


def saved(
    rows: Iterable[dict[str, Any]], *, columns: Sequence[str], csv: bool, name: str, agency_id: UUID
) -> StreamingHttpResponse:
    """Answer with rows as CSV or NDJSON, to be saved under a name."""
    lines = ledger.as_csv(columns, rows) if csv else ledger.as_ndjson(rows)
    found = StreamingHttpResponse(
        _acting(agency_id, lines), content_type="text/csv; charset=utf-8" if csv else "application/x-ndjson"
    )
    found["Content-Disposition"] = f'attachment; filename="{name}.{"csv" if csv else "ndjson"}"'
    return found


def _acting(agency_id: UUID, lines: Iterator[bytes]) -> Iterator[bytes]:
    """Go on acting for the agency while the answer is sent."""
    while True:
        block = bytearray()
        with acting_for(agency_id):
            while len(block) < BLOCK and (line := next(lines, b"")):
                block += line
        if not block:
            return
        yield bytes(block)
