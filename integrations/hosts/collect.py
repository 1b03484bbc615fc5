"""Collect! style (Comtech): debtors with their transactions in, transactions and contact plans out.

A transaction has a type, a code of up to four characters that each site chooses; the connection's vocabulary says what
each one means (docs/hosts.md). One without a posted date is a payment that is planned.
"""

from typing import Any
from urllib.parse import quote

from integrations.hosts import BadRecord, FieldError, Outgoing, Request, Result, Told, Words
from integrations.hosts.dialect import EMAIL, PERSON_AND_DEBT, PHONE, Dialect, read, renamed
from integrations.hosts.scollect import SCollect

# The mapping tables: what Collect! says, and the same in canonical words.
DEBTOR = Dialect(
    PERSON_AND_DEBT
    | {
        "File": "FileNumber",
        "Status": "Status",
        "Client": "ClientNumber",
        "ClientName": "ClientName",
        "Name/First": "FirstName",
        "Name/Last": "LastName",
        "SSN": "SSN",
        "DOB": "DOB",
        "Street": "Address/Street1",
        "Street2": "Address/Street2",
        "City": "Address/City",
        "State": "Address/State",
        "Zip": "Address/Zip",
        "Owing": "CurrentBalance",
        "Description": "AccountDescription",
        "Delinquent": "ContractDate",
        "AccountType": "DebtType",
        "ReopenReason": "ReopenReason",
        "Changed": "AsOf",
        "Revision": "Version",
    },
    {"Phones": ("Phones", PHONE), "Emails": ("Emails", EMAIL)},
)
TRANSACTION = {
    "TransactionID": "HostID",
    "PortalID": "PortalID",
    "Date": "Date",
    "Amount": "Amount",
    "Last4": "Last4",
    "Changed": "UpdatedAt",
    "ReturnCode": "ReturnCode",
    "NoticeSentOn": "NoticeSentOn",
}
ENVELOPE = {
    "EventID": "EventID",
    "Sequence": "Sequence",
    "AccountSequence": "FileSequence",
    "FileNumber": "File",
    "Event": "Event",
    "OccurredAt": "OccurredAt",
    "CommittedAt": "CommittedAt",
    "Data": "Data",
}
FROM_PAYMENT = {
    "PortalID": "PortalID",
    "PostDateID": "PlannedID",
    "Date": "Date",
    "Amount": "Amount",
    "Last4": "Last4",
    "ProcessorReference": "Reference",
    "DeclineCode": "DeclineCode",
    "Number": "Number",
    "Of": "Of",
    "NotBefore": "NotBefore",
    "Executor": "Executor",
    "RefundID": "RefundID",
    "Reinstated": "Reinstated",
    "Hold": "Hold",
    "Token": "Token",
    "Bank": "Bank",
}
MONEY = {"APPROVED": "POSTED", "RETURNED": "ACH REVERSAL", "REFUNDED": "REFUND", "PENDING": "PROCESSED"}
"""A payment's word on its way out -> the word of the ledger, by which the vocabulary finds the type."""
METHODS = ("CARD", "ACH", "CHECK", "CASH", "ORDER")
OPERATOR = "WEB"
MOST_TRANSACTIONS = 1_000

DEFAULTS: dict[str, Any] = {
    "status_map": {
        "ACT": "open",
        "NEW": "open",
        "PPA": "open",
        "SIF": "closed",
        "PIF": "paid",
        "CLO": "closed",
        "RCL": "recalled",
        "HLD": "blocked",
        "DSP": "disputed",
        "BNK": "bankruptcy",
        "DEC": "deceased",
        "ATY": "attorney",
        "CND": "cease",
    },
    # Collect!'s own payment processing stays idle: the portal charges, and the transactions arrive by type.
    "routing": {
        f"{method}.{timing}": {"executor": "portal", "notifier": "portal"}
        for method in ("card", "ach")
        for timing in ("immediate", "postdated")
    },
    "payment_statuses": ["POSTED", "DECLINED", "CHARGEBACK", "ACH REVERSAL", "REFUND"],
    "postdate_statuses": ["PENDING"],
    # 100s are payments by convention; the meaning is what counts, never the number. One without a method stands for
    # every method that has none of its own.
    "vocabulary": {
        "100": "POSTED",
        "101": "POSTED CHECK",
        "102": "POSTED CARD",
        "103": "POSTED ACH",
        "104": "POSTED CASH",
        "105": "POSTED ORDER",
        "110": "PROCESSED ACH",
        "111": "PROCESSED CARD",
        "119": "PROCESSED",
        "120": "DECLINED CARD",
        "121": "DECLINED ACH",
        "129": "DECLINED",
        "130": "ACH REVERSAL ACH",
        "131": "ACH REVERSAL CHECK",
        "132": "ACH REVERSAL ORDER",
        "139": "ACH REVERSAL",
        "140": "CHARGEBACK CARD",
        "149": "CHARGEBACK",
        "150": "REFUND CARD",
        "151": "REFUND ACH",
        "155": "REFUND FAILED CARD",
        "156": "REFUND FAILED ACH",
        "158": "REFUND FAILED",
        "159": "REFUND",
        "160": "VOIDED CARD",
        "161": "VOIDED ACH",
        "169": "VOIDED",
        "190": "CANCELLED",
    },
}


class Collect:
    """Read and write Collect!."""

    reference_field = "File"
    pointer = staticmethod(DEBTOR.pointer)
    executes = True

    def __init__(self, words: Words) -> None:
        self.words = words
        self.canonical = SCollect(words)
        self.meaning = {code.upper(): _meaning(said) for code, said in words.vocabulary.items()}
        self.type_of = {meaning: code for code, meaning in reversed(self.meaning.items())}

    def read(self, record: dict) -> Told:
        said = DEBTOR.canonical(record)
        errors: list[FieldError] = []
        lists = self._transactions(record, errors)
        said |= {name: [item for _index, item in found] for name, found in lists.items()}

        def pointer(at: str) -> str:
            first, _slash, rest = at.lstrip("/").partition("/")
            if first not in lists:
                return DEBTOR.pointer(at)
            index, _slash, name = rest.partition("/")
            own = next((theirs for theirs, ours in TRANSACTION.items() if ours == name), "Type" if name else "")
            return "/" + "/".join(part for part in ("Transactions", str(lists[first][int(index)][0]), own) if part)

        try:
            told = read(self.canonical, said, pointer)
        except BadRecord as error:
            raise BadRecord(errors + error.errors) from None
        if errors:
            raise BadRecord(errors + told.remarks)
        return told

    def _transactions(self, record: dict, errors: list[FieldError]) -> dict[str, list[tuple[int, dict]]]:
        """Split the transactions into what was posted and what is planned, each with its place in their list."""
        found: dict[str, list[tuple[int, dict]]] = {"Payments": [], "PostDates": []}
        items = record.get("Transactions") or []
        if not isinstance(items, list) or len(items) > MOST_TRANSACTIONS:
            errors.append(FieldError("/Transactions", "invalid_list", f"A list of at most {MOST_TRANSACTIONS}."))
            return found
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                errors.append(FieldError(f"/Transactions/{index}", "invalid_list", "A transaction is an object."))
                continue
            meaning = self.meaning.get(str(item.get("Type", "")).upper())
            if meaning is None:
                sentence = "This transaction type is not in the connection's vocabulary."
                errors.append(FieldError(f"/Transactions/{index}/Type", "unknown_transaction_type", sentence))
                continue
            status, method = meaning
            planned = not item.get("Posted") and status == "POSTED"
            line = renamed(item, TRANSACTION) | {"Method": method, "Status": "PENDING" if planned else status}
            found["PostDates" if planned or status == "CANCELLED" else "Payments"].append((index, line))
        return found

    def write(self, event: Outgoing) -> dict:
        said = self.canonical.write(event)
        message = renamed(said, ENVELOPE) | {"Operator": OPERATOR, "Record": "Note"}
        if event.data.get("origin") == "host":
            return message
        if event.kind == "contact_plan.requested":
            plan = {"Code": event.data.get("plan"), "On": event.data.get("on"), "Reason": event.data.get("reason")}
            message |= {"Record": "ContactPlan", "ContactPlan": plan}
        elif block := said.get("Payment"):
            word = MONEY.get(block["Status"], block["Status"])
            kind = self._type(word, block.get("Method", "CARD"))
            posted = {"Posted": block.get("Date")} if word == "POSTED" else {}
            message |= {"Record": "Transaction", "Transaction": self._transaction(block, kind, word) | posted}
        elif block := said.get("PostDate"):
            kind = self._type("POSTED", block.get("Method", "CARD"))
            message |= {"Record": "Planned", "Transaction": self._transaction(block, kind, "PENDING")}
        return message

    def _type(self, word: str, method: str) -> str | None:
        """Find the site's code; None where its vocabulary has none, then the word alone says what it is."""
        return self.type_of.get((word, method)) or self.type_of.get((word, ""))

    def _transaction(self, block: dict, kind: str | None, word: str) -> dict:
        line = renamed(block, FROM_PAYMENT) | {"Method": block.get("Method"), "Meaning": word}
        return {name: value for name, value in (line | {"Type": kind}).items() if value is not None}

    def events_request(self, messages: list[bytes]) -> Request:
        body = b"[" + b",".join(messages) + b"]"
        return Request(f"{self._base}/api/v1/portal/events", (*self._headers, "Content-Type: application/json"), body)

    def account_request(self, reference: str) -> Request:
        return Request(f"{self._base}/api/v1/debtor/{quote(reference, safe='')}", self._headers)

    @property
    def _base(self) -> str:
        return self.words.base_url.rstrip("/")

    @property
    def _headers(self) -> tuple[str, ...]:
        return self.canonical.headers

    def read_results(self, body: Any) -> dict[str, Result]:
        return self.canonical.read_results(body)


def _meaning(said: str) -> tuple[str, str]:
    """Read what the vocabulary says of a type: the status word, and the method if the last word is one."""
    status, _space, method = said.strip().upper().rpartition(" ")
    return (status, method) if method in METHODS and status else (said.strip().upper(), "")
