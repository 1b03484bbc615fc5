"""How the SmartCollect host says customers, accounts and activity."""

from ..words import renamed, turned, without_bank

CUSTOMER = {
    "ConsumerID": "customerId",
    "FirstName": "firstName",
    "LastName": "lastName",
    "SSN": "ssn",
    "DOB": "dateOfBirth",
    "Language": "language",
    "Address/Street1": "address/line1",
    "Address/Street2": "address/line2",
    "Address/City": "address/city",
    "Address/State": "address/state",
    "Address/Zip": "address/postcode",
    "AsOf": "asOf",
}
ACCOUNT = {
    "FileNumber": "accountNumber",
    "Status": "status",
    "ClientNumber": "client/code",
    "ClientName": "client/name",
    "CurrentBalance": "balance",
    "AssignedBalance": "placedBalance",
    "AssignedDate": "placedOn",
    "ListedDate": "listedOn",
    "OriginalCreditor": "originalCreditor",
    "AccountDescription": "description",
    "ContractDate": "openedOn",
    "DebtType": "debtType",
    "ItemizationDate": "itemizationDate",
    "ItemizationBasis": "itemizationBasis",
    "Itemization/Balance": "itemization/balance",
    "Itemization/Interest": "itemization/interest",
    "Itemization/Fees": "itemization/fees",
    "Itemization/Payments": "itemization/payments",
    "Itemization/Credits": "itemization/credits",
    "ValidationSentOn": "validationSentOn",
    "SolStatus": "solStatus",
    "SolDate": "solDate",
    "Version": "version",
    "PaymentOptions/CanPay": "rules/canPay",
    "PaymentOptions/SingleCard": "rules/singleCard",
    "PaymentOptions/RecurringCard": "rules/recurringCard",
    "PaymentOptions/SingleAch": "rules/singleAch",
    "PaymentOptions/RecurringAch": "rules/recurringAch",
    "PaymentOptions/MinimumSingle": "rules/minimumSingle",
    "Settlement/Amount": "offer/amount",
    "Settlement/Percent": "offer/percent",
    "Settlement/MaxPayments": "offer/maxPayments",
    "Settlement/MaxDate": "offer/lastDate",
    "Settlement/MaxDays": "offer/maxDays",
    "Settlement/Text": "offer/text",
}
PHONE = {"Type": "type", "Status": "status", "Number": "number", "Route": "route"}
EMAIL = {"Address": "address", "Route": "route", "Evidence": "evidence"}
ITEM = {
    "HostID": "id",
    "PortalID": "portalId",
    "Date": "date",
    "Amount": "amount",
    "Method": "method",
    "Last4": "last4",
    "Status": "status",
    "UpdatedAt": "updatedAt",
    "ReturnCode": "returnCode",
    "NoticeSentOn": "noticeSentOn",
}
STATUSES = {"RECALL": "RECALLED", "CLOSE": "CLOSED", "DISPUTE": "DISPUTED", "FLAGGED": "HOLD"}
PAYMENT = {
    "portalId": "PortalID",
    "plannedId": "PlannedID",
    "status": "Status",
    "amount": "Amount",
    "date": "Date",
    "method": "Method",
    "last4": "Last4",
    "brand": "Brand",
    "processorReference": "ProcessorReference",
    "declineCode": "DeclineCode",
    "executor": "Executor",
    "refundId": "RefundID",
    "reinstated": "Reinstated",
    "number": "Number",
    "of": "Of",
    "planId": "ArrangementID",
    "notBefore": "NotBefore",
    "hold": "Hold",
    "token": "Token",
    "bank": "Bank",
    "authorizationId": "AuthorizationID",
}
EVENT = {
    "eventId": "EventID",
    "sequence": "Sequence",
    "accountSequence": "AccountSequence",
    "accountNumber": "FileNumber",
    "event": "Event",
    "occurredAt": "OccurredAt",
    "committedAt": "CommittedAt",
    "data": "Data",
}
TYPES = {"postdate.cancel_requested": "CANCEL REQUEST", "postdate.hold_requested": "HOLD REQUEST"}
TYPES |= {"payment.started": "ACTIVITY"}


def customer(record: dict) -> dict:
    """Say who owes."""
    said = renamed(record, CUSTOMER)
    said["phones"] = [renamed(phone, PHONE) for phone in record.get("Phones") or []]
    said["emails"] = [renamed(email, EMAIL) for email in record.get("Emails") or []]
    return said


def account(record: dict) -> dict:
    """Say what is owed."""
    said = renamed(record, ACCOUNT)
    said["status"] = STATUSES.get(record.get("Status", ""), record.get("Status", ""))
    said["payments"] = [renamed(line, ITEM) for line in record.get("Payments") or []]
    said["plannedPayments"] = [renamed(line, ITEM) for line in record.get("PostDates") or []]
    return said


def outward(record: dict) -> dict:
    """Say one account with its customer's facts beside it, as REST does."""
    return customer(record) | account(record)


def population(records: list[dict]) -> list[dict]:
    """Say customers with their accounts, as a placement file does."""
    found: dict[str, dict] = {}
    for number, record in enumerate(records):
        key = record.get("ConsumerID") or f"#{number}"
        entry = found.setdefault(key, customer(record) | {"accounts": []})
        entry["asOf"] = max(entry["asOf"], record["AsOf"])
        entry["accounts"].append(account(record))
    return list(found.values())


def changes(record: dict, names: list[str]) -> dict:
    """Say of an account only what is named, as an update file does."""
    whole = outward(record)
    return {name: whole.get(name) for name in ("accountNumber", "asOf", "version", *names)}


def inward(message: dict) -> dict:
    """Read one activity of the portal."""
    event = renamed(message, EVENT) | {"Type": TYPES.get(str(message.get("event")), "ACTIVITY")}
    if isinstance(block := message.get("payment"), dict):
        event |= {"Type": TYPES.get(str(message.get("event")), "PAYMENT"), "Payment": renamed(block, PAYMENT)}
    elif isinstance(block := message.get("plannedPayment"), dict):
        event |= {"Type": TYPES.get(str(message.get("event")), "POSTDATE"), "PostDate": renamed(block, PAYMENT)}
    return event | {"Wire": without_bank(message)}


BACK = turned(CUSTOMER | ACCOUNT)
