"""Documents that consumers send: known by their first bytes, sealed in slices, given back only to staff who decide."""

import base64
import hashlib
import struct
from datetime import datetime

from django.db import transaction

from accounts import events
from accounts.models import Consumer
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.models import Evidence, EvidencePart, Hardship

LIMIT_BYTES = 10 * 2**20
"""Of one document: a photo of a phone has about four."""
MOST = 5
SLICE_BYTES = 64 * 1024
"""Of one sealed slice: a rotation of keys opens some hundred rows at once and must stay small."""
MOST_PIXELS = 100_000_000
"""A picture that says it is larger fills the memory of whoever opens it: no phone takes one."""
LABEL_LIMIT = 80
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
CONTENT_TYPES = {
    "pdf": "application/pdf",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "heic": "image/heic",
}

_SENTENCES = {
    "evidence_missing": gettext_noop("Choose a file first."),
    "evidence_empty": gettext_noop("This file is empty."),
    "evidence_too_large": gettext_noop("This file is larger than %(most)s MB."),
    "evidence_kind": gettext_noop("Send a PDF, or a picture as JPEG, PNG or HEIC. This file is none of these."),
    "evidence_pixels": gettext_noop("This picture is too large to open. Take a new photo, or send a PDF."),
    "evidence_too_many": gettext_noop("You can send up to %(most)s files."),
    "evidence_twice": gettext_noop("You sent this file already."),
    "hardship_closed": gettext_noop("There is no open request to send this file for."),
}


class Damaged(ValueError):
    """Do not open it: what is stored is not what was sent."""


def _no(code: str, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field="evidence", **params)


def missing() -> Refusal:
    """Say that no file was chosen."""
    return _no("evidence_missing")


def kind_of(content: bytes) -> str:
    """Tell what a file is by its first bytes, whatever it is called; empty for anything that is not taken."""
    if content.startswith(b"%PDF-"):
        return "pdf"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        return "png"
    return "heic" if content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS else ""


def check(content: bytes | None) -> list[Refusal]:
    """List everything that is wrong with a file; None is one that was too large to be read at all."""
    if content is None or len(content) > LIMIT_BYTES:
        return [_no("evidence_too_large", most=LIMIT_BYTES // 2**20)]
    if not content:
        return [_no("evidence_empty")]
    kind = kind_of(content)
    if not kind:
        return [_no("evidence_kind")]
    if kind == "png":
        width, height = struct.unpack(">II", content[16:24].ljust(8, b"\0"))
        if not 0 < width * height <= MOST_PIXELS:
            return [_no("evidence_pixels")]
    return []


@transaction.atomic
def add(*, hardship: Hardship, content: bytes | None, name: str, now: datetime) -> list[Refusal] | Evidence:
    """Keep a document with an open request, sealed; its name is only ever a label, cleaned and sealed too."""
    Consumer.objects.select_for_update(no_key=True).only("pk").get(pk=hardship.consumer_id)
    row = Hardship.objects.select_related("account").get(pk=hardship.pk)
    if row.status not in Hardship.OPEN:
        return [_no("hardship_closed")]
    if found := check(content):
        return found
    assert content is not None
    there = list(row.evidence.order_by("number"))
    digest = hashlib.sha256(content).hexdigest()
    if len(there) >= MOST:
        return [_no("evidence_too_many", most=MOST)]
    if any(one.sha256 == digest for one in there):
        return [_no("evidence_twice")]
    evidence = Evidence.objects.create(
        hardship=row,
        number=there[-1].number + 1 if there else 1,
        kind=kind_of(content),
        label=_label(name),
        size_bytes=len(content),
        sha256=digest,
        uploaded_at=now,
    )
    EvidencePart.objects.bulk_create(
        [
            EvidencePart(
                evidence=evidence,
                number=number,
                content=base64.b64encode(content[start : start + SLICE_BYTES]).decode(),
            )
            for number, start in enumerate(range(0, len(content), SLICE_BYTES))
        ],
        batch_size=64,
    )
    about = {
        "hardship": str(row.pk),
        "evidence": str(evidence.pk),
        "number": evidence.number,
        "kind": evidence.kind,
        "size_bytes": evidence.size_bytes,
        "sha256": digest,
    }
    events.record("document.uploaded", account=row.account, now=now, data=about)
    return evidence


def _label(name: str) -> str:
    """Keep what can be printed of a file's name, so that its sender recognises it; no path, nothing invisible."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:LABEL_LIMIT].strip()


def file_name(evidence: Evidence) -> str:
    """Name the file that staff save: ours, never the sender's."""
    return f"evidence-{evidence.hardship_id.hex[-8:]}-{evidence.number}.{evidence.kind}"


def content_of(evidence: Evidence) -> bytes:
    """Open a document.

    :raises Damaged: it is not what was sent.
    """
    parts = EvidencePart.objects.filter(evidence=evidence).order_by("number")
    content = b"".join(base64.b64decode(part.content) for part in parts)
    if hashlib.sha256(content).hexdigest() != evidence.sha256:
        raise Damaged(f"evidence {evidence.pk}")
    return content
