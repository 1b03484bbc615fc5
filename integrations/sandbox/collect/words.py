"""How the Collect! host says records and events; its transaction types are those of a site as it comes."""

from ..words import renamed, turned, without_bank

SAME = (
    "AssignedBalance", "AssignedDate", "ListedDate", "OriginalCreditor", "ItemizationDate", "ItemizationBasis",
    "Itemization", "ValidationSentOn", "SolStatus", "SolDate", "Settlement", "PaymentOptions", "ConsumerID", "Language",
    "Phones", "Emails",
)  # fmt: skip
DEBTOR = {name: name for name in SAME} | {
    "FileNumber": "File",
    "Status": "Status",
    "ClientNumber": "Client",
    "ClientName": "ClientName",
    "FirstName": "Name/First",
    "LastName": "Name/Last",
    "SSN": "SSN",
    "DOB": "DOB",
    "Address/Street1": "Street",
    "Address/Street2": "Street2",
    "Address/City": "City",
    "Address/State": "State",
    "Address/Zip": "Zip",
    "CurrentBalance": "Owing",
    "AccountDescription": "Description",
    "ContractDate": "Delinquent",
    "DebtType": "AccountType",
    "AsOf": "Changed",
    "Version": "Revision",
}
STATUSES = {"ACTIVE": "ACT", "RECALL": "RCL", "RECALLED": "RCL", "CLOSE": "CLO", "PAID": "PIF", "DISPUTE": "DSP"}
# (status, method) -> type; "" is any method.
TYPES = {
    ("POSTED", ""): "100",
    ("POSTED", "CHECK"): "101",
    ("POSTED", "CARD"): "102",
    ("POSTED", "ACH"): "103",
    ("POSTED", "CASH"): "104",
    ("POSTED", "ORDER"): "105",
    ("PROCESSED", "ACH"): "110",
    ("PROCESSED", "CARD"): "111",
    ("PROCESSED", ""): "119",
    ("DECLINED", "CARD"): "120",
    ("DECLINED", "ACH"): "121",
    ("DECLINED", ""): "129",
    ("ACH REVERSAL", "ACH"): "130",
    ("ACH REVERSAL", "CHECK"): "131",
    ("ACH REVERSAL", "ORDER"): "132",
    ("ACH REVERSAL", ""): "139",
    ("CHARGEBACK", "CARD"): "140",
    ("CHARGEBACK", ""): "149",
    ("REFUND", "CARD"): "150",
    ("REFUND", "ACH"): "151",
    ("REFUND FAILED", "CARD"): "155",
    ("REFUND FAILED", "ACH"): "156",
    ("REFUND FAILED", ""): "158",
    ("REFUND", ""): "159",
    ("VOIDED", "CARD"): "160",
    ("VOIDED", "ACH"): "161",
    ("VOIDED", ""): "169",
    ("CANCELLED", ""): "190",
}
MEANINGS = {kind: status for (status, _method), kind in TYPES.items()}
# What a transaction means -> the portal's word for what it executed; all others are the same.
SAID = {"POSTED": "APPROVED", "PROCESSED": "PENDING", "REFUND": "REFUNDED", "ACH REVERSAL": "RETURNED"}
PAYMENT = {
    "PortalID": "PortalID",
    "PlannedID": "PostDateID",
    "Date": "Date",
    "Amount": "Amount",
    "Method": "Method",
    "Last4": "Last4",
    "Reference": "ProcessorReference",
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
EVENT = {
    "EventID": "EventID",
    "Sequence": "Sequence",
    "FileSequence": "AccountSequence",
    "File": "FileNumber",
    "Event": "Event",
    "OccurredAt": "OccurredAt",
    "CommittedAt": "CommittedAt",
    "Data": "Data",
}


def outward(record: dict) -> dict:
    """Say a record as Collect! does: payments and what is planned are transactions, told apart by a posted date."""
    said = renamed(record, DEBTOR)
    said["Status"] = STATUSES.get(record.get("Status", ""), record.get("Status", ""))
    lines = [*(record.get("Payments") or []), *(record.get("PostDates") or [])]
    said["Transactions"] = [transaction(line) for line in lines]
    return said


def transaction(line: dict) -> dict:
    status, method = line["Status"], line["Method"]
    planned = status == "PENDING"
    wanted = "POSTED" if planned else status
    kind = TYPES.get((wanted, method)) or TYPES[(wanted, "")]
    told = {name: line[name] for name in ("ReturnCode", "NoticeSentOn") if name in line}
    return told | {
        "TransactionID": line["HostID"],
        "PortalID": line["PortalID"],
        "Type": kind,
        "Date": line["Date"],
        "Posted": None if planned else line["Date"],
        "Amount": line["Amount"],
        "Last4": line["Last4"],
        "Changed": line["UpdatedAt"],
    }


def inward(message: dict) -> dict:
    """Read an event of the portal: what its type means here; where a site has no type for it, what it says it means."""
    event = renamed(message, EVENT) | {"Type": str(message.get("Record") or "Note").upper()}
    block = message.get("Transaction")
    if isinstance(block, dict):
        kind = block.get("Type")
        meaning = str(block.get("Meaning") or "") if kind is None else MEANINGS.get(str(kind), "")
        said = renamed(block, PAYMENT)
        if event["Type"] == "TRANSACTION":
            event |= {"Type": "PAYMENT", "Payment": said | {"Status": SAID.get(meaning, meaning)}}
        else:
            event |= {"Type": POSTDATE_TYPES.get(str(message.get("Event")), "POSTDATE"), "PostDate": said}
    if isinstance(message.get("ContactPlan"), dict):
        event["ContactPlan"] = message["ContactPlan"]
    return event | {"Wire": without_bank(message)}


POSTDATE_TYPES = {"postdate.cancel_requested": "CANCEL REQUEST", "postdate.hold_requested": "HOLD REQUEST"}
BACK = turned(DEBTOR)
