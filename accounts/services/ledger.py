"""Read the consent ledger: what held at any moment, and every line of it for whoever must prove it (RF-12, RF-36)."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Consent, Consumer, ContactPoint

FORMULA = ("=", "+", "-", "@")
CHUNK = 2_000
"""Lines read at once for an export: it holds no more than these."""

COLUMNS = (
    "at",
    "kind",
    "granted",
    "address",
    "source",
    "version",
    "language",
    "demonstrated",
    "ip",
    "wording",
    "line",
)
EXPORTED = ("consumer", *COLUMNS, "holds")
"""Of the whole agency's ledger: whose line it is, and whether it was the last word at the moment asked about."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Say what held at a moment, and which line of the ledger says so; no line, nothing was ever said."""

    granted: bool
    line: Consent | None


def answer(*, consumer: Consumer, kind: str, at: datetime, contact_point: ContactPoint | None = None) -> Answer:
    """Say whether a consent held at a past moment.

    For an address the later of two lines decides: the last about it, and the last that stopped its whole medium.
    """
    said = Consent.objects.filter(consumer=consumer, kind=kind, at__lte=at).order_by("-at", "-id")
    own = said.filter(contact_point=contact_point).first()
    stopped = said.filter(contact_point=None, granted=False).first() if contact_point is not None else None
    last = max((line for line in (own, stopped) if line), key=lambda line: (line.at, line.pk), default=None)
    return Answer(last is not None and last.granted, last)


def lines(consumer: Consumer) -> Iterator[dict[str, Any]]:
    """Give every line about a consumer, the oldest first, as `COLUMNS`; addresses are masked."""
    for line in consumer.consents.select_related("contact_point").order_by("at", "id"):
        yield _shown(line)


def export(*, as_of: datetime, **chosen: Any) -> Iterator[dict[str, Any]]:
    """Give every line of the acting agency said by a moment, in the order they were written, as `EXPORTED`.

    :param chosen: `kind` or `consumer_id`, to give only these.
    """
    said = Consent.objects.filter(at__lte=as_of, **chosen).select_related("contact_point")
    said = said.annotate(overtaken=Exists(_later(as_of))).order_by("pk")
    after = None
    while found := list((said.filter(pk__gt=after) if after else said)[:CHUNK]):
        for line in found:
            yield {"consumer": str(line.consumer_id), **_shown(line), "holds": not line.overtaken}
        after = found[-1].pk


def _later(as_of: datetime) -> QuerySet:
    """Find lines that overtake another one: about the same address, or those that stop its whole medium."""
    own = Q(contact_point=OuterRef("contact_point")) | Q(contact_point=None, granted=False)
    at = Q(at__gt=OuterRef("at")) | Q(at=OuterRef("at"), pk__gt=OuterRef("pk"))
    same = Consent.objects.filter(consumer=OuterRef("consumer"), kind=OuterRef("kind"), at__lte=as_of)
    return same.filter(own, at)


def as_csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Write lines as CSV; what a spreadsheet would take for a formula is made text."""
    head = {name: name for name in columns}
    for row in chain([head], rows):
        file = io.StringIO(newline="")
        said = {name: f"'{text}" if str(text).startswith(FORMULA) else text for name, text in row.items()}
        csv.DictWriter(file, columns).writerow(said)
        yield file.getvalue().encode()


def as_ndjson(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Write lines as JSON, one each."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _shown(line: Consent) -> dict[str, Any]:
    return {
        "at": line.at.isoformat(),
        "kind": line.kind,
        "granted": line.granted,
        "address": line.contact_point.masked if line.contact_point else "",
        "source": line.source,
        "version": line.version,
        "language": line.language,
        "demonstrated": line.demonstrated,
        "ip": line.ip or "",
        "wording": line.wording,
        "line": str(line.pk),
    }
