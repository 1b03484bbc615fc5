"""Creditor ledger style (Wise Option with TekCollect): the host is the creditor's own accounts-receivable system.

The portal pulls from it: who is past due, and then the customers that were placed. It is told what a ledger keeps:
that a customer is in collections (flag, warning, a fee with its legal basis), that they are no more, and every payment
once, with its allocation per invoice, which the original integration cannot do.
"""

from datetime import date, datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from integrations.hosts import (
    BadAnswer,
    BadRecord,
    FieldError,
    Invoice,
    Outgoing,
    Request,
    Result,
    Told,
    Words,
    moved_cents,
)
from integrations.hosts.dialect import EMAIL, PERSON_AND_DEBT, PHONE, Dialect, read, renamed
from integrations.hosts.reading import Field, Reader, bps, cents, count, day, text
from integrations.hosts.scollect import SCollect

# The mapping tables: what the ledger says, and the same in canonical words.
PAID = {
    "ID": "HostID",
    "PortalID": "PortalID",
    "Date": "Date",
    "Amount": "Amount",
    "Method": "Method",
    "Status": "Status",
    "UpdatedAt": "UpdatedAt",
}
CUSTOMER = Dialect(
    PERSON_AND_DEBT
    | {
        "Customer": "FileNumber",
        "Status": "Status",
        "Company": "ClientNumber",
        "CompanyName": "ClientName",
        "Contact/First": "FirstName",
        "Contact/Last": "LastName",
        "Contact/Street": "Address/Street1",
        "Contact/City": "Address/City",
        "Contact/State": "Address/State",
        "Contact/Zip": "Address/Zip",
        "SSN": "SSN",
        "DOB": "DOB",
        "Balance": "CurrentBalance",
        "Description": "AccountDescription",
        "CustomerSince": "ContractDate",
        "AsOf": "AsOf",
        "Version": "Version",
    },
    {"Phones": ("Phones", PHONE), "Emails": ("Emails", EMAIL), "Payments": ("Payments", PAID)},
)
INVOICE = (
    Field("Number", "number", text(40), required=True),
    Field("Date", "on", day, required=True),
    Field("Due", "due_on", day, required=True),
    Field("Amount", "amount_cents", cents, required=True),
    Field("Open", "open_cents", cents, required=True),
)
PAST_DUE = (
    Field("Customer", "reference", text(60), required=True),
    Field("Name", "name", text(160), default=""),
    Field("PastDue", "open_cents", cents, required=True),
    Field("OldestDue", "oldest_due_on", day, required=True),
    Field("Invoices", "invoices", count, default=0),
)
ENVELOPE = {
    "EventID": "EventID",
    "Sequence": "Sequence",
    "AccountSequence": "CustomerSequence",
    "FileNumber": "Customer",
    "Event": "Event",
    "OccurredAt": "OccurredAt",
    "CommittedAt": "CommittedAt",
}
RECEIPTS = ("payment.succeeded",)
REVERSALS = ("payment.returned", "payment.charged_back", "payment.refunded")
REINSTATEMENTS = ("payment.refund_failed",)
ALLOCATED = (*RECEIPTS, *REVERSALS, *REINSTATEMENTS)
"""Events whose money belongs to invoices; `Outgoing.allocation` says to which."""
REQUIRED = {"CreditAllocation": "credit_allocation", "CollectionsPackage": "collections_package"}
"""What the ledger must have switched on, and the stable name of what is missing."""
MOST_INVOICES = 500
OUT, IN = "REMOVED", "COLLECTIONS"
"""What the ledger calls a customer whose flag was cleared, and one that has it."""
WARNING = "In collections. Do not discuss or take payment for the listed invoices; refer to the agency."

DEFAULTS: dict[str, Any] = {
    "status_map": {
        "CURRENT": "open",
        "PAST DUE": "open",
        "COLLECTIONS": "open",
        "REMOVED": "recalled",
        "PAID": "paid",
        "DISPUTE": "disputed",
        "BANKRUPTCY": "bankruptcy",
        "DECEASED": "deceased",
    },
    "routing": {
        f"{method}.{timing}": {"executor": "portal", "notifier": "portal"}
        for method in ("card", "ach")
        for timing in ("immediate", "postdated")
    },
    "payment_statuses": ["POSTED", "REFUND"],
    "postdate_statuses": [],
    "vocabulary": {},
    "terms": {"min_age_days": "30", "min_amount": "50.00", "place": "by staff", "pull_minutes": "15"},
}


class PastDue(NamedTuple):
    """One customer that could be placed."""

    reference: str
    name: str
    open_cents: int
    oldest_due_on: date
    invoices: int


class Ledger:
    """Read and write a creditor's ledger."""

    reference_field = "Customer"
    pointer = staticmethod(CUSTOMER.pointer)
    executes = True
    allocated = ALLOCATED
    account_is_one_debt = False

    def __init__(self, words: Words) -> None:
        self.words = words
        self.canonical = SCollect(words)

    # Pull.

    def settings_request(self) -> Request:
        """Ask what the ledger has switched on."""
        return Request(f"{self._base}/v1/settings", self._headers)

    def read_settings(self, body: Any) -> list[str]:
        """Name what is missing of the requirements.

        :raises BadAnswer: not settings.
        """
        if not isinstance(body, dict) or not set(REQUIRED) <= set(body):
            raise BadAnswer("The answer has no settings.")
        return [ours for theirs, ours in REQUIRED.items() if body[theirs] is not True]

    def past_due_request(self, after: str) -> Request:
        """Ask for a page of customers with past-due invoices, by age and amount, behind a place in the list."""
        terms = self.words.terms
        asked = {"min_age_days": terms.get("min_age_days", "0"), "min_amount": terms.get("min_amount", "0.00")}
        return Request(f"{self._base}/v1/customers/past-due?{urlencode(asked | {'after': after})}", self._headers)

    def read_past_due(self, body: Any) -> tuple[list[PastDue], str]:
        """Read a page and the place of the next one, empty at the end.

        :raises BadAnswer: not such a page.
        """
        if not isinstance(body, dict) or not isinstance(body.get("Customers"), list):
            raise BadAnswer("The answer has no customers.")
        found = []
        for line in body["Customers"]:
            reader = Reader(line if isinstance(line, dict) else {})
            values = reader.read(PAST_DUE)
            if reader.errors:
                raise BadAnswer(f"{reader.errors[0].pointer}: {reader.errors[0].message}")
            found.append(PastDue(**values))
        return found, str(body.get("Next") or "")

    def records_request(self, references: list[str]) -> Request:
        """Ask for the whole records of some customers."""
        return Request(f"{self._base}/v1/customers?{urlencode({'ids': ','.join(references)})}", self._headers)

    # Records and events.

    def read(self, record: dict) -> Told:
        errors: list[FieldError] = []
        invoices = self._invoices(record, errors)
        try:
            told = read(self.canonical, CUSTOMER.canonical(record), CUSTOMER.pointer)
        except BadRecord as error:
            raise BadRecord(errors + error.errors) from None
        if errors:
            raise BadRecord(errors + told.remarks)
        return told._replace(invoices=invoices)

    def _invoices(self, record: dict, errors: list[FieldError]) -> list[Invoice]:
        reader = Reader(record)
        found: dict[str, Invoice] = {}
        for at, item in reader.list_of("Invoices", limit=MOST_INVOICES):
            values = reader.read(INVOICE, of=item, at=at)
            if values["number"] in found:
                reader.wrong(f"{at}/Number", "duplicate", "This invoice is there twice.")
            found[values["number"]] = Invoice(**values)
        errors += reader.errors
        return list(found.values())

    def write(self, event: Outgoing) -> dict:
        said = self.canonical.write(event)
        entry = renamed(said, ENVELOPE) | {"Kind": "NOTE"}
        if event.data.get("origin") == "host":
            return entry
        match event.kind:
            case "account.placed":
                entry |= {"Kind": "FLAG", "Warning": self._warning}
                if fee := self._fee(event.data.get("balance_cents") or 0):
                    entry["Fee"] = fee
            case "account.status_changed" if _is_in_again(event.data):
                # The fee of the first placement still stands in the ledger: it is charged once (FEE-01).
                entry |= {"Kind": "FLAG", "Warning": self._warning}
            case "account.recalled":
                entry["Kind"] = "CLEAR"
            case kind if kind in ALLOCATED and (named := _entry(event)):
                entry |= self._money(event, said["Payment"], named)
        return entry

    @property
    def _warning(self) -> str:
        return self.words.terms.get("warning") or WARNING

    def _fee(self, balance_cents: int) -> dict[str, str] | None:
        """Work out the collection fee; without a recorded legal basis there is none (FEE-01)."""
        terms = self.words.terms
        basis = str(terms.get("fee_basis") or "").strip()
        rate = bps(terms.get("fee_percent") or "0")
        if not basis or rate <= 0:
            return None
        # Half-up to the cent, once.
        fee = (balance_cents * rate + 5_000) // 10_000
        return {"Amount": _dollars(fee), "Basis": basis} if fee else None

    def _money(self, event: Outgoing, block: dict, kind: str) -> dict[str, Any]:
        lines = [{"Invoice": number, "Amount": _dollars(part)} for number, part in event.allocation or ()]
        said = {
            "Kind": kind,
            "PortalID": block.get("PortalID"),
            "Date": block.get("Date"),
            "Amount": block.get("Amount"),
            "Method": block.get("Method"),
            "Reference": event.data.get("reference"),
        }
        return said | {"Allocation": lines}

    def events_request(self, messages: list[bytes]) -> Request:
        body = b"[" + b",".join(messages) + b"]"
        headers = (*self._headers, "Content-Type: application/json")
        return Request(f"{self._base}/v1/collections/entries", headers, body)

    def account_request(self, reference: str) -> Request:
        return Request(f"{self._base}/v1/customers/{quote(reference, safe='')}", self._headers)

    @property
    def _base(self) -> str:
        return self.words.base_url.rstrip("/")

    @property
    def _headers(self) -> tuple[str, ...]:
        return self.canonical.headers

    def read_results(self, body: Any) -> dict[str, Result]:
        return self.canonical.read_results(body)


def out(record: dict, at: datetime) -> dict:
    """Say that a customer is out of collections, from a moment on, whatever the ledger still shows."""
    return _as_of(record, at) | {"Status": OUT}


def in_again(record: dict, at: datetime) -> dict:
    """Say that a customer is in collections, though the ledger shows them as removed until it gets the flag."""
    return _as_of(record, at) | ({"Status": IN} if record.get("Status") == OUT else {})


def _as_of(record: dict, at: datetime) -> dict:
    return {name: value for name, value in record.items() if name != "Version"} | {"AsOf": at.isoformat()}


def _entry(event: Outgoing) -> str:
    """Name the entry that an event about money is; empty where nothing was received that could be taken back."""
    if event.kind in REINSTATEMENTS or event.data.get("reinstated"):
        return "REINSTATEMENT"
    if event.kind in RECEIPTS:
        return "RECEIPT"
    return "" if moved_cents(event.kind, event.data) == 0 else "REVERSAL"


def _is_in_again(data: dict[str, Any]) -> bool:
    return data.get("before") == "recalled" and data.get("after") not in ("paid", "closed")


def _dollars(amount_cents: int) -> str:
    return f"{amount_cents // 100}.{amount_cents % 100:02d}"
