"""Host adapters: the contract and the registry; what all of them read with is in `reading`.

An adapter translates and never saves: it knows no models and no settings, takes the connection's words at
construction, and has four methods; one whose host sends files has what `FileAdapter` says too. One file per style; the
mapping table stands at its top.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from importlib import import_module
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from accounts.placement import Placement
from settlements.rules.offers import HostSettlement

STYLES = {
    "scollect": "integrations.hosts.scollect:SCollect",
    "intelec": "integrations.hosts.intelec:Intelec",
    "collect": "integrations.hosts.collect:Collect",
    "ledger": "integrations.hosts.ledger:Ledger",
    "smartcollect": "integrations.hosts.smartcollect:SmartCollect",
}


MOVED = {
    "payment.refunded": "refunded_cents",
    "payment.refund_failed": "refund_cents",
    "payment.returned": "taken_back_cents",
    "payment.charged_back": "taken_back_cents",
    "payment.succeeded": "reinstated_cents",
}
"""Events that may move a part of their payment, and where each says how much."""


def moved_cents(kind: str, data: dict[str, Any]) -> int | None:
    """Say how much of its payment an event took back or gave back; None where it says nothing of that."""
    return data.get(MOVED.get(kind, ""))


@dataclass(frozen=True, slots=True)
class Words:
    """What a connection says about its host: address, key, and how its words are to be read."""

    base_url: str
    outbound_key: str
    status_map: dict[str, str]
    cell_phone_type: str
    cell_phone_status: str
    vocabulary: dict[str, str] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)


class FieldError(NamedTuple):
    """Say which field of a record is wrong: JSON pointer, stable code, one sentence."""

    pointer: str
    code: str
    message: str


class BadRecord(ValueError):
    """Refuse this record and tell the host why; the others of its list may land."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(errors)
        self.errors = errors


class BadAnswer(ValueError):
    """Treat the request as unanswered: what came back is not the host's own answer."""


class Line(NamedTuple):
    """A payment or post-date in the host's own list; `portal_id` is ours, echoed, or None.

    `notice_sent_on` is the day on which the host's letter about a post-date left, `return_code` why a bank sent a debit
    back, where it says so.
    """

    host_id: str
    portal_id: UUID | None
    on: date
    amount_cents: int
    method: str
    last4: str
    status: str
    updated_at: datetime
    notice_sent_on: date | None = None
    return_code: str = ""


class Invoice(NamedTuple):
    """One invoice of a creditor's ledger: what was billed, and what of it is open."""

    number: str
    on: date
    due_on: date
    amount_cents: int
    open_cents: int


class Told(NamedTuple):
    """Hold what one record tells: the account, its settlement or None, and the host's own list.

    `remarks` are errors that do not refuse the record: an unusable settlement offers nothing, the rest lands.
    `named` says which of `settlement`, `payments` and `postdates` the record tells; None: all of them.
    """

    placement: Placement
    settlement: HostSettlement | None
    payments: list[Line]
    postdates: list[Line]
    remarks: list[FieldError]
    invoices: list[Invoice] | None = None
    named: frozenset[str] | None = None

    def tells(self, name: str) -> bool:
        """Say whether this is told here, be it as nothing."""
        return self.named is None or name in self.named


class Outgoing(NamedTuple):
    """Hold one event on its way: `data` is its snapshot, `bank` the unsealed account or what is left of it.

    `allocation` says for a payment of a ledger's customer which invoice gets how many cents.
    """

    id: UUID
    sequence: int
    account_sequence: int | None
    reference: str | None
    kind: str
    occurred_at: datetime
    committed_at: datetime
    data: dict[str, Any]
    bank: dict[str, str] | None = None
    account_id: UUID | None = None
    consumer_id: UUID | None = None
    actor: str = ""
    request_id: str = ""
    allocation: list[tuple[str, int]] | None = None


class Result(NamedTuple):
    """Hold what the host made of one event: taken (now or before), or refused for a reason.

    `granted` is its answer to a request to cancel or hold a post-date; None where it gave none. `known`: it had the
    event before.
    """

    taken: bool
    reason: str
    granted: bool | None = None
    known: bool = False


class Request(NamedTuple):
    """An HTTP request as a value; a body makes it a POST.

    None leads into our own network but where the settings say so: a host's into HOST_NETWORKS; a `guarded` one, whose
    address anybody with a key may write, into WEBHOOK_NETWORKS. Where `status_counts` alone, a long answer is cut.
    """

    url: str
    headers: tuple[str, ...]
    body: bytes | None = None
    guarded: bool = False
    status_counts: bool = False


class Receiver(Protocol):
    """Be told events: what the drain needs of a host's adapter, and all that a webhook endpoint has.

    `executes` is false where the receiver never acts upon these messages: it is never shown a bank number.
    """

    executes: bool

    def write(self, event: Outgoing) -> dict:
        """Write one event as the host reads it; bank numbers only where `event.bank` has them."""

    def events_request(self, messages: list[bytes]) -> Request:
        """Put several written and encoded events into one request, in order."""

    def read_results(self, body: Any) -> dict[str, Result]:
        """Read the answer to `events_request` by event id; an event that it leaves out is unanswered.

        :raises BadAnswer: not an answer of this style.
        """


class Adapter(Receiver, Protocol):
    """Speak one style.

    `reference_field` names the host's own number of an account in its records. One whose accounts are customers, each
    with many debts, says `account_is_one_debt = False`; one whose records have names of their own has `pointer`, which
    leads a canonical JSON pointer to the same place there.
    """

    reference_field: str

    def read(self, record: dict) -> Told:
        """Read an account record; numbers come as int or Decimal.

        :raises BadRecord: with every error of the record.
        """

    def account_request(self, reference: str) -> Request:
        """Ask for one account record."""


class FileAdapter(Adapter, Protocol):
    """Speak a style whose host also sends files."""

    list_name: str
    """The list of entries in a document that is one JSON object; empty: an object is an entry."""
    one_account_per_entry: bool

    def read_changes(self, record: dict) -> Told:
        """Read a record of an update file: its placement has a `part`, and only what it names is told.

        :raises BadRecord: with every error of the record.
        """

    def unfold(self, entry: dict) -> list[dict]:
        """Give the account records that one entry of a file or a push holds.

        :raises BadRecord: more than an entry may have.
        """


def adapter(style: str, words: Words) -> Adapter:
    """Make the adapter of a style."""
    module, _colon, name = STYLES[style].partition(":")
    return getattr(import_module(module), name)(words)


def defaults(style: str) -> dict[str, Any]:
    """Give what a new connection of a style starts with; staff change it without us."""
    return import_module(STYLES[style].partition(":")[0]).DEFAULTS
