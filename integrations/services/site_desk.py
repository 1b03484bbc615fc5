"""What our SFTP site asks the database: who may enter, what lies where, and what becomes of it."""

import ipaddress
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple
from uuid import UUID

from accounts import clock
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import HostConnection, HostFile, HostSite
from integrations.services import files, sites

BLOCK = 2**20
ARCHIVED = 200
"""Files shown in the archive, latest first."""


class Item(NamedTuple):
    """One file that the site shows."""

    file_id: UUID
    is_result: bool
    size: int
    at: datetime


def may_enter(username: str, public_key: str, ip: str) -> bool:
    """Tell whether this key, from this address, is one of the connection that the user name names."""
    site = _site(username)
    if site is None:
        return False
    allowed = site.connection.ip_allow
    if allowed and not any(ipaddress.ip_address(ip) in ipaddress.ip_network(one, strict=False) for one in allowed):
        return False
    shown = public_key.split()[:2]
    return any(line.split()[:2] == shown for line in site.site_keys)


def _site(username: str) -> HostSite | None:
    try:
        connection_id = UUID(username)
    except ValueError:
        return None
    with acting_for(ALL_AGENCIES):
        found = HostSite.objects.filter(
            connection_id=connection_id, is_active=True, connection__is_active=True, agency__is_active=True
        )
        return found.select_related("connection").first()


def _connection(connection_id: UUID) -> HostConnection:
    with acting_for(ALL_AGENCIES):
        return HostConnection.objects.get(pk=connection_id)


def items(connection_id: UUID, folder: str) -> dict[str, Item]:
    """List a folder of a connection's root."""
    connection = _connection(connection_id)
    with acting_for(connection.agency_id):
        brought = HostFile.objects.filter(connection=connection, outgoing=False, source="site")
        if folder == "in":
            todo = brought.filter(state__in=("received", "working")).order_by("made_at")
            return {file.name: Item(file.pk, False, file.size, file.made_at) for file in todo}
        if folder == "out":
            found = {file.name: Item(file.pk, False, file.size, file.made_at) for file in sites.ready(connection)}
            for file in sites.unanswered(connection, "site"):
                size = sum(map(len, sites.result(file)))
                found[sites.result_name(file)] = Item(file.pk, True, size, file.finished_at or file.made_at)
            return found
        over = HostFile.objects.filter(connection=connection).exclude(state__in=("received", "working", "ready"))
        over = over.filter(source__in=("site", "extract")).order_by("-made_at")[:ARCHIVED]
        return {
            f"{file.name}.{file.sha256[:8]}": Item(file.pk, False, file.size, file.finished_at or file.made_at)
            for file in over
        }


def take(connection_id: UUID, name: str, path: Path, size: int) -> None:
    """Put a file that was brought whole in line.

    :raises TooLarge, Incomplete, NoRoom: (services.files) nothing was kept.
    """
    connection = _connection(connection_id)
    with acting_for(connection.agency_id), path.open("rb") as source:
        site = HostSite.objects.get(connection=connection)
        files.receive(
            connection=connection,
            kind=sites.kind_of(name, site.update_names),
            name=name,
            blocks=iter(lambda: source.read(BLOCK), b""),
            source="site",
            by=f"host:{connection.pk}",
            now=clock.now(),
            length=size,
        )


def copy(connection_id: UUID, item: Item, into: IO[bytes]) -> None:
    """Write an item's content into a file.

    :raises Unreadable: (integrations.vault) it was removed.
    """
    connection = _connection(connection_id)
    with acting_for(connection.agency_id):
        file = HostFile.objects.get(connection=connection, pk=item.file_id)
        for block in sites.result(file) if item.is_result else files.content(file):
            into.write(block)
    into.flush()


def fetched(connection_id: UUID, item: Item) -> None:
    """Note that the host has an item: it leaves `out`."""
    connection = _connection(connection_id)
    now = clock.now()
    with acting_for(connection.agency_id):
        file = HostFile.objects.get(connection=connection, pk=item.file_id)
        if item.is_result:
            sites.answered(file, now)
            return
        try:
            files.claim(file=file, now=now)
        except files.Claimed:
            return
