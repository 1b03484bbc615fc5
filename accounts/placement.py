"""What a host says of one account, in our words: values only, so that adapters need no models.

Frozen structs: as dataclasses the four of an account took as long to fill as half of its fields to read.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import force_setattr


class Part(Struct, frozen=True):
    """What an update names: columns of the account, fields of the person, kinds of contacts. The rest stays."""

    columns: frozenset[str]
    person: frozenset[str]
    contacts: frozenset[str]


class Contact(Struct, frozen=True):
    """One address or number as the host lists it, with the evidence of how it was allowed (RF-12)."""

    kind: str
    value: str
    value_key: str
    label: str = ""
    host_status: str = ""
    textable: bool = False
    route: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


class Person(Struct, frozen=True):
    """Who owes. `host_consumer_id` is the host's own word for the person and links accounts of one connection."""

    last_name: str
    first_name: str = ""
    host_consumer_id: str = ""
    ssn: str = ""
    dob: str = ""
    street1: str = ""
    street2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    language: str = "en"


class Placement(Struct, frozen=True):
    """One account as its host tells it at `as_of`; `body_hash` tells two tellings of one version apart.

    With a `part` only that is told, of an account that is there already; `line_hash` knows a line of a file again.
    """

    reference: str
    client_number: str
    client_name: str
    person: Person
    status: str
    host_status: str
    balance_cents: int
    as_of: datetime
    version: int | None
    contacts: tuple[Contact, ...] = ()
    assigned_cents: int | None = None
    assigned_on: date | None = None
    listed_on: date | None = None
    original_creditor: str = ""
    description: str = ""
    contract_on: date | None = None
    debt_type: str = ""
    itemization_on: date | None = None
    itemization_basis: str = ""
    itemization: dict[str, int] = field(default_factory=dict)
    validation_sent_on: date | None = None
    sol_status: str = ""
    sol_on: date | None = None
    payment_options: dict[str, bool | int | None] = field(default_factory=dict)
    """In an update, None takes an option away."""
    reopened: str = ""
    """Why a debt that ended is collected again, as the host says it (RF-27)."""
    body_hash: str = ""
    line_hash: UUID | None = None
    part: Part | None = None

    def stamp(self, *, body_hash: str, line_hash: UUID | None) -> None:
        """Take the hashes of what this was just read from, while nobody else holds it: a copy costs ten times more."""
        force_setattr(self, "body_hash", body_hash)
        force_setattr(self, "line_hash", line_hash)
