"""Mappings of a connection's own files: written as data, checked before they are kept, one live per kind."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.refusals import Refusal
from integrations import formats
from integrations.formats.check import check
from integrations.models import FileFormat, HostConnection
from integrations.services.entries import limits_of_files

SAMPLE = 2**20
"""Bytes read of a sample."""
HIDDEN = ("SSN", "DOB")


@transaction.atomic
def make(
    *, connection: HostConnection, name: str, kind: str, mapping: Mapping[str, Any], is_active: bool
) -> FileFormat | list[Refusal]:
    """Write a mapping, or list everything that is wrong with it."""
    return _kept(FileFormat(connection=connection), name=name, kind=kind, mapping=mapping, is_active=is_active)


@transaction.atomic
def change(
    *, row: FileFormat, name: str, kind: str, mapping: Mapping[str, Any], is_active: bool
) -> FileFormat | list[Refusal]:
    """Change a mapping, or list everything that is wrong with it; files that came keep what was made of them."""
    row = FileFormat.objects.select_for_update().get(pk=row.pk)
    return _kept(row, name=name, kind=kind, mapping=mapping, is_active=is_active)


def _kept(row: FileFormat, **values: Any) -> FileFormat | list[Refusal]:
    found = against(values["mapping"], kind=values["kind"])
    HostConnection.objects.select_for_update(no_key=True).get(pk=row.connection_id)
    live = FileFormat.objects.filter(connection=row.connection_id, kind=values["kind"], is_active=True)
    if values["is_active"] and live.exclude(pk=row.pk).exists():
        said = _("This connection has a live mapping of this kind: switch that one off first.")
        found.append(Refusal("mapping_live_already", said, None if found else ""))
    if found:
        return found
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row


def against(mapping: Mapping[str, Any], *, kind: str) -> list[Refusal]:
    """List everything that is wrong with a mapping, each with its place."""
    kinds = FileFormat.Kind
    found = check(mapping, outgoing=kind == kinds.ACTIVITY, whole=kind == kinds.PLACEMENT)
    return [Refusal(error.code, error.message, f"/mapping{error.pointer}") for error in found]


def tried(*, row: FileFormat, sample: bytes) -> list[dict]:
    """Show what a mapping makes of the first rows of a sample; of identity only that it was read. Nothing is kept."""
    shown = formats.preview(row.mapping, sample[:SAMPLE], limits=limits_of_files())
    for one in shown:
        one["record"] |= {name: "•••" for name in HIDDEN if one["record"].get(name)}
    return shown
