"""SmartCollect style (Telrock): customers with their accounts as JSON, in files or by REST; all activity back.

A file's entry is a customer with accounts; by REST it may be that, or one account with its customer's facts beside it.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from integrations.hosts import BadRecord, FieldError, Outgoing, Request, Result, Told, Words
from integrations.hosts.dialect import Dialect, read, renamed
from integrations.hosts.scollect import SCollect

# The mapping tables: what SmartCollect says, and the same in canonical words.
CUSTOMER = {
    "customerId": "ConsumerID",
    "firstName": "FirstName",
    "lastName": "LastName",
    "ssn": "SSN",
    "dateOfBirth": "DOB",
    "language": "Language",
    "address/line1": "Address/Street1",
    "address/line2": "Address/Street2",
    "address/city": "Address/City",
    "address/state": "Address/State",
    "address/postcode": "Address/Zip",
    "asOf": "AsOf",
}
ACCOUNT = {
    "accountNumber": "FileNumber",
    "status": "Status",
    "client/code": "ClientNumber",
    "client/name": "ClientName",
    "balance": "CurrentBalance",
    "placedBalance": "AssignedBalance",
    "placedOn": "AssignedDate",
    "listedOn": "ListedDate",
    "originalCreditor": "OriginalCreditor",
    "description": "AccountDescription",
    "openedOn": "ContractDate",
    "debtType": "DebtType",
    "itemizationDate": "ItemizationDate",
    "itemizationBasis": "ItemizationBasis",
    "itemization/balance": "Itemization/Balance",
    "itemization/interest": "Itemization/Interest",
    "itemization/fees": "Itemization/Fees",
    "itemization/payments": "Itemization/Payments",
    "itemization/credits": "Itemization/Credits",
    "validationSentOn": "ValidationSentOn",
    "solStatus": "SolStatus",
    "solDate": "SolDate",
    "reopenReason": "ReopenReason",
    "version": "Version",
    "rules/canPay": "PaymentOptions/CanPay",
    "rules/singleCard": "PaymentOptions/SingleCard",
    "rules/recurringCard": "PaymentOptions/RecurringCard",
    "rules/singleAch": "PaymentOptions/SingleAch",
    "rules/recurringAch": "PaymentOptions/RecurringAch",
    "rules/minimumSingle": "PaymentOptions/MinimumSingle",
    "rules/minimumRecurring": "PaymentOptions/MinimumRecurring",
    "offer/amount": "Settlement/Amount",
    "offer/percent": "Settlement/Percent",
    "offer/maxPayments": "Settlement/MaxPayments",
    "offer/lastDate": "Settlement/MaxDate",
    "offer/maxDays": "Settlement/MaxDays",
    "offer/text": "Settlement/Text",
}
PHONE = {"type": "Type", "status": "Status", "number": "Number", "route": "Route", "evidence": "Evidence"}
EMAIL = {"address": "Address", "route": "Route", "evidence": "Evidence"}
ITEM = {
    "id": "HostID",
    "portalId": "PortalID",
    "date": "Date",
    "amount": "Amount",
    "method": "Method",
    "last4": "Last4",
    "status": "Status",
    "updatedAt": "UpdatedAt",
    "returnCode": "ReturnCode",
    "noticeSentOn": "NoticeSentOn",
}
LISTS = {
    "phones": ("Phones", PHONE),
    "emails": ("Emails", EMAIL),
    "payments": ("Payments", ITEM),
    "plannedPayments": ("PostDates", ITEM),
}
RECORD = Dialect(CUSTOMER | ACCOUNT, LISTS)
WHOLE = {"offer": "Settlement", "itemization": "Itemization", "phones": "Phones", "emails": "Emails"}
WHOLE |= {"payments": "Payments", "plannedPayments": "PostDates"}
"""What null takes away as a whole in an update; other parts go field by field."""

CATEGORIES = {
    "message": "MESSAGE", "letter": "MESSAGE", "notice": "MESSAGE", "campaign": "MESSAGE", "optout": "CONSENT",
    "consent": "CONSENT", "esign": "CONSENT", "cease": "CONSENT", "payment": "PAYMENT", "postdate": "PAYMENT_PLAN",
    "arrangement": "PAYMENT_PLAN", "promise": "PROMISE", "affordability": "AFFORDABILITY", "hardship": "AFFORDABILITY",
    "method": "WALLET", "authorization": "WALLET", "offer": "SETTLEMENT", "settlement": "SETTLEMENT",
    "account": "ACCOUNT", "balance": "ACCOUNT", "dispute": "DISPUTE",
}  # fmt: skip
PAYMENT = {
    "PortalID": "portalId",
    "PlannedID": "plannedId",
    "Status": "status",
    "Amount": "amount",
    "Date": "date",
    "Method": "method",
    "Last4": "last4",
    "Brand": "brand",
    "Processor": "processor",
    "ProcessorReference": "processorReference",
    "DeclineCode": "declineCode",
    "Executor": "executor",
    "RefundID": "refundId",
    "Reinstated": "reinstated",
    "Number": "number",
    "Of": "of",
    "ArrangementID": "planId",
    "NotBefore": "notBefore",
    "Hold": "hold",
    "Token": "token",
    "Bank": "bank",
    "AuthorizationID": "authorizationId",
}

MOST_ACCOUNTS = 500
"""Of one customer: each becomes a record with all that is said of the customer."""

DEFAULTS: dict[str, Any] = {
    "status_map": {
        "OPEN": "open",
        "ACTIVE": "open",
        "HOLD": "blocked",
        "RECALLED": "recalled",
        "CLOSED": "closed",
        "PAID": "paid",
        "DISPUTED": "disputed",
        "INSOLVENT": "bankruptcy",
        "DECEASED": "deceased",
        "REPRESENTED": "attorney",
        "CEASE": "cease",
    },
    # The portal's wallet, plans and promises are the service: it charges, and the host reads what happened.
    "routing": {
        f"{method}.{timing}": {"executor": "portal", "notifier": "portal"}
        for method in ("card", "ach")
        for timing in ("immediate", "postdated")
    },
    "payment_statuses": ["POSTED", "DECLINED", "CHARGEBACK", "ACH REVERSAL", "REFUND"],
    "postdate_statuses": ["PENDING"],
    "vocabulary": {},
}


class SmartCollect:
    """Read and write SmartCollect."""

    reference_field = "accountNumber"
    pointer = staticmethod(RECORD.pointer)
    executes = True
    list_name, one_account_per_entry = "customers", False

    def __init__(self, words: Words) -> None:
        self.words = words
        self.canonical = SCollect(words)

    def unfold(self, entry: dict) -> list[dict]:
        """Give one record per account: the account's facts beside its customer's."""
        accounts = entry.get("accounts")
        if not isinstance(accounts, list) or not accounts:
            return [entry]
        if len(accounts) > MOST_ACCOUNTS:
            said = f"accounts is a list of at most {MOST_ACCOUNTS}."
            raise BadRecord([FieldError("/accounts", "invalid_list", said)])
        customer = {name: value for name, value in entry.items() if name != "accounts"}
        return [customer | account if isinstance(account, dict) else customer for account in accounts]

    def read(self, record: dict) -> Told:
        return read(self.canonical, RECORD.canonical(record), RECORD.pointer)

    def read_changes(self, record: dict) -> Told:
        said = RECORD.canonical(record)
        say_nothing(said, record)
        try:
            told = self.canonical.read_changes(said)
        except BadRecord as error:
            raise BadRecord([one._replace(pointer=RECORD.pointer(one.pointer)) for one in error.errors]) from None
        return told._replace(remarks=[one._replace(pointer=RECORD.pointer(one.pointer)) for one in told.remarks])

    def write(self, event: Outgoing) -> dict:
        said = self.canonical.write(event)
        noun, _dot, verb = event.kind.partition(".")
        message = {
            "eventId": said["EventID"],
            "sequence": said["Sequence"],
            "accountSequence": said["AccountSequence"],
            "accountNumber": said["FileNumber"],
            "category": CATEGORIES.get(noun, "PORTAL"),
            "type": f"{noun}_{verb}".upper(),
            "event": event.kind,
            "occurredAt": said["OccurredAt"],
            "committedAt": said["CommittedAt"],
            "data": said["Data"],
        }
        if block := said.get("Payment") or said.get("PostDate"):
            message["payment" if "Payment" in said else "plannedPayment"] = renamed(block, PAYMENT)
        return message

    def events_request(self, messages: list[bytes]) -> Request:
        body = b"[" + b",".join(messages) + b"]"
        return Request(f"{self._base}/api/v1/activity", (*self._headers, "Content-Type: application/json"), body)

    def account_request(self, reference: str) -> Request:
        return Request(f"{self._base}/api/v1/accounts/{quote(reference, safe='')}", self._headers)

    @property
    def _base(self) -> str:
        return self.words.base_url.rstrip("/")

    @property
    def _headers(self) -> tuple[str, ...]:
        return self.canonical.headers

    def read_results(self, body: Any) -> dict[str, Result]:
        return self.canonical.read_results(body)


def say_nothing(said: dict[str, Any], record: Mapping[str, Any]) -> None:
    """Write into a canonical record what an update says is nothing any more, by itself or with its whole part."""
    names = CUSTOMER | ACCOUNT
    whole = [theirs for theirs in WHOLE if theirs in record and record[theirs] is None]
    fields = [theirs for theirs in names if theirs.partition("/")[0] not in whole and _is_null(record, theirs)]
    for theirs in (*whole, *fields):
        *way, last = (names | WHOLE)[theirs].split("/")
        place = said
        for step in way:
            place = place.setdefault(step, {})
        place[last] = None


def _is_null(record: Any, path: str) -> bool:
    for step in path.split("/"):
        record = record.get(step, path) if isinstance(record, Mapping) else path
        if record is None:
            return True
    return False
