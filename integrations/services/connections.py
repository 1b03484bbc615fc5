"""Host connections: what may be written about one, and what it is told when it is switched on again.

One that is switched off is told nothing and executes nothing: no delivery is made for it, no payment is routed to it.
Switched on, it is told what it missed.
"""

import ipaddress
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import events
from accounts.models import Account
from accounts.refusals import Refusal
from integrations.http import sendable
from integrations.models import HostConnection
from integrations.services import redeliver
from payments.rules.routing import METHODS, PARTIES, TIMINGS

OURS = frozenset(Account.Status.values) - {Account.Status.UNMAPPED}
ROUTES = frozenset(f"{method}.{timing}" for method in METHODS for timing in TIMINGS)


@transaction.atomic
def change(
    *, connection: HostConnection, values: Mapping[str, Any], by: str, now: datetime
) -> HostConnection | list[Refusal]:
    """Write what is said of a connection, or list everything that is wrong with it.

    Where our key and bank numbers go is no setting: another origin is refused, only staff write it.
    """
    if found := wrong(values):
        return found
    # Not the lock that keeps what routing holds from naming this row: it waits for the agency's lock, below.
    row = HostConnection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    if _origin(values.get("base_url", row.base_url)) != _origin(row.base_url):
        said = _("Only staff, on their pages, can lead this connection to another host.")
        return [Refusal("address_by_staff_only", said)]
    was_on, was_told_by = row.is_active, row.transport
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
    catch_up(connection=row, was_on=was_on, was_told_by=was_told_by, by=by, now=now)
    transaction.on_commit(events.nudge)
    return row


def catch_up(*, connection: HostConnection, was_on: bool, was_told_by: str, by: str, now: datetime) -> None:
    """Tell a connection that was off, or told by files, what it missed, before anything newer.

    One that is told both ways from now on gets in its next file what came since the last one.
    """
    by_files, by_rest = HostConnection.Transport.FILES, HostConnection.Transport.REST
    after_files = was_told_by == by_files and connection.transport == by_rest
    if connection.is_active and (after_files or not was_on):
        redeliver.catch_up(host=connection, after_files=after_files, by=by, now=now)


def _origin(url: str) -> tuple:
    """Give what an address says of whom it leads to, and who is named to them; a port that is none is like no other."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = parts.netloc
    return parts.scheme, parts.hostname, port, parts.username, parts.password


def wrong(values: Mapping[str, Any]) -> list[Refusal]:
    """List what cannot be: addresses and keys that no request can carry, networks, words of ours, unknown ways."""
    found = []
    if not sendable(values.get("base_url", "")):
        said = _("Write the address in ASCII: a name with accents as xn--..., a path percent-encoded.")
        found.append(Refusal("url_not_ascii", said, "base_url"))
    if not sendable(values.get("outbound_key", "")):
        said = _("Write the key in ASCII: no request can carry curly quotes, accents or line ends.")
        found.append(Refusal("key_not_ascii", said, "outbound_key"))
    for place, entry in enumerate(values.get("ip_allow", ())):
        try:
            ipaddress.ip_network(entry, strict=False)
        except ValueError:
            found.append(Refusal("network_invalid", _("Write an address or a network."), f"ip_allow.{place}"))
    for word, status in values.get("status_map", {}).items():
        if status not in OURS:
            said = _("Write one of %(words)s.") % {"words": ", ".join(sorted(OURS))}
            found.append(Refusal("status_unknown", said, _at("status_map", word)))
    for name, way in values.get("routing", {}).items():
        if name not in ROUTES:
            said = _("Write one of %(words)s.") % {"words": ", ".join(sorted(ROUTES))}
            found.append(Refusal("route_unknown", said, _at("routing", name)))
        elif not set(way.values()) <= set(PARTIES):
            said = _("Write one of %(words)s.") % {"words": ", ".join(PARTIES)}
            found.append(Refusal("party_unknown", said, _at("routing", name)))
    return found


def _at(field: str, name: str) -> str:
    """Point into an object whose names hold dots and slashes."""
    return f"/{field}/{name.replace('~', '~0').replace('/', '~1')}"
