"""Connect a running sandbox host of any style to the shop of the payment tests, over real HTTP both ways."""

import time

from django.utils import timezone

from accounts.tenancy import acting_for
from integrations import hosts
from integrations.models import HostConnection
from integrations.services.drain import Drain
from integrations.services.receive import make_inbound_key
from tests.integrations.host_program import HostProgram

PERSON = {
    "FirstName": "Jane",
    "LastName": "Doe",
    "SSN": "900991234",
    "ClientNumber": "C1",
    "ClientName": "Harbor Medical",
    "OriginalCreditor": "Harbor Medical Group",
    "AccountDescription": "Emergency room visit",
    "ContractDate": "2025-03-14",
    "Address": {"Zip": "12207", "State": "NY"},
    "SolStatus": "live",
}


def connect(shop, style: str, directory, live_server) -> HostProgram:
    """Start a host of a style that knows the shop's account and one more; its words are the style's own."""
    program = HostProgram(directory, style)
    with acting_for(shop.agency):
        connection = HostConnection.objects.get()
        key = make_inbound_key(connection)
        HostConnection.objects.update(style=style, base_url=program.url, **hosts.defaults(style))
    program.call("/_sandbox/clock", {"now": "2026-12-01T15:00:00Z"})
    program.call(
        "/_sandbox/configure",
        {
            "outbound_key": connection.outbound_key,
            "inbound_key": key,
            "connection_id": str(connection.pk),
            "portal_url": live_server.url,
            "push_delay_ms": 0,
        },
    )
    record = {"FileNumber": "100234", "Status": "ACTIVE", "CurrentBalance": "1000.00", **PERSON}
    program.call("/_sandbox/accounts", [record, record | {"FileNumber": "100235", "SSN": "900991235"}])
    return program


def drain() -> int:
    return Drain(clock=timezone.now).run()


def until(true, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def pushed(program, numbers="all") -> list[tuple[int, int]]:
    """Push and give the status and the number of accepted records of each request."""
    answers = program.call("/_sandbox/push", {"FileNumbers": numbers})["answers"]
    return [(one["status"], one["answer"]["accepted"]) for one in answers]


def wire(program) -> list[dict]:
    """Give what the portal really sent, in the host's own words."""
    return [event["Wire"] for event in program.received()]
