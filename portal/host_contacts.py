"""Write to a host connection's operational contacts when its circuit opened, and when it closed again.

By the agency's own mail account, and about no consumer: what the host answered stays on the staff pages. A look takes
what happened since the one before, so an outage that is over by then is nobody's mail, and a host that comes and goes
brings one a look.
"""

import logging
from email.utils import formataddr
from uuid import UUID

from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailMessage
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.timezone import localtime

from accounts.calendars import zone_of
from accounts.models import Agency, Event, ReaderPosition
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns import channels
from campaigns.models import MailProvider
from campaigns.services.send import BROKE, NOT_TAKEN
from integrations.models import HostConnection
from integrations.services.alone import alone, disconnected

log = logging.getLogger("quittance.portal")

READER = "host_contacts"
DOWN, UP = "host.unreachable", "host.recovered"
MOST_CONTACTS = 20
COUNTED_TO = 100_000


def tell() -> int:
    """Write to the contacts of every agency's hosts; return how many mails were taken."""
    with acting_for(ALL_AGENCIES):
        agencies = list(Agency.objects.filter(is_active=True, last_sequence__gt=0))
    count = 0
    for agency in agencies:
        with acting_for(agency), alone(f"{READER}:{agency.pk}") as mine:
            try:
                count += _tell(agency) if mine else 0
            except Exception:
                if disconnected():
                    raise
                # One agency's mail account is staff's to repair; the others' contacts are told.
                log.exception("the contacts of hosts of %s were not told", agency.slug)
    return count


def _tell(agency: Agency) -> int:
    position, is_new = ReaderPosition.objects.get_or_create(reader=READER, defaults={"sequence": agency.last_sequence})
    if is_new:
        return 0  # what was before, nobody waits for
    provider = MailProvider.objects.filter(is_active=True).first()
    taken = 0
    for connection, event in _changes(position.sequence, agency.last_sequence) if provider else ():
        try:
            _send(_mail(connection, event, agency, provider), provider)
        except AnymailAPIError as error:
            status = error.status_code
            log.warning("contacts of connection %s were not told: %s", connection.pk, status or "no answer")
            if not taken and (not status or status >= BROKE or status in NOT_TAKEN):
                return 0  # the next look tries again; nobody is written to twice for another's sake
        else:
            taken += 1
    ReaderPosition.objects.filter(pk=position.pk).update(sequence=agency.last_sequence)
    return taken


def _changes(after: int, last: int) -> list[tuple[HostConnection, Event]]:
    """Give the connections that are not as they were, each with the event since which it is so."""
    found: dict[UUID, list[Event]] = {}
    told = Event.objects.filter(kind__in=(DOWN, UP), sequence__gt=after, sequence__lte=last)
    for event in told.order_by("sequence"):
        found.setdefault(UUID(event.data["connection"]), []).append(event)
    # They alternate: where the last says the same as the first, it is something else than before.
    changed = {key: events[-1] for key, events in found.items() if events[0].kind == events[-1].kind}
    rows = HostConnection.objects.filter(pk__in=changed, is_active=True).order_by("name", "pk")
    return [(row, changed[row.pk]) for row in rows if _addresses(row)]


def _addresses(connection: HostConnection) -> list[str]:
    """List the contacts' addresses; a line that is none is left out."""
    found = []
    for line in connection.contacts.split()[:MOST_CONTACTS]:
        try:
            validate_email(line)
        except ValidationError:
            continue
        found.append(line)
    return found


def _mail(connection: HostConnection, event: Event, agency: Agency, provider: MailProvider) -> AnymailMessage:
    at = localtime(event.occurred_at, zone_of(agency.time_zone)).strftime("%Y-%m-%d %H:%M %Z")
    waiting = connection.deliveries.filter(status="waiting")[:COUNTED_TO].count()
    if event.kind == DOWN:
        subject = f"{connection.name} cannot be reached"
        said = [
            f"{agency.name} has not reached the host system {connection.name} since {at}.",
            f"{waiting:,} events wait for it, in order. Nothing is lost: it is asked every minute.",
        ]
    else:
        subject = f"{connection.name} can be reached again"
        minutes = max(1, round(event.data["seconds"] / 60))
        said = [
            f"{agency.name} reaches the host system {connection.name} again since {at}, after {minutes:,} min.",
            f"{waiting:,} events still wait for it and are told now, in order.",
        ]
    return AnymailMessage(
        subject=subject,
        body="\n\n".join([*said, "You get this because your address stands with the connection, under its contacts."]),
        from_email=formataddr((provider.from_name, provider.from_address)),
        to=_addresses(connection),
    )


def _send(mail: AnymailMessage, provider: MailProvider) -> None:
    channel = channels.provider(provider.backend)
    transport = channel.transport(api_key=provider.api_key, api_url=provider.api_url, domain=provider.domain)
    try:
        transport.open()
        transport.send_messages([mail])
    finally:
        transport.close()
