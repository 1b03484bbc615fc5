"""How the Intelec host says cases and activity."""

from ..words import renamed, turned, without_bank

SAME = (
    "AssignedBalance", "AssignedDate", "ListedDate", "OriginalCreditor", "ItemizationDate", "ItemizationBasis",
    "Itemization", "ValidationSentOn", "SolStatus", "SolDate", "Settlement", "PaymentOptions", "ConsumerID", "Language",
    "Phones", "Emails", "ClientName", "AsOf", "Version",
)  # fmt: skip
CASE = {name: name for name in SAME} | {
    "FileNumber": "Case",
    "Status": "StatusCode",
    "ClientNumber": "ClientCode",
    "FirstName": "Debtor/First",
    "LastName": "Debtor/Last",
    "SSN": "Debtor/SSN",
    "DOB": "Debtor/Born",
    "Address/Street1": "Debtor/Address1",
    "Address/Street2": "Debtor/Address2",
    "Address/City": "Debtor/City",
    "Address/State": "Debtor/State",
    "Address/Zip": "Debtor/Zip",
    "CurrentBalance": "BalanceDue",
    "AccountDescription": "Service",
    "ContractDate": "ServiceDate",
    "DebtType": "ClassCode",
}
STATUSES = {"ACTIVE": "ACT", "RECALL": "RTC", "RECALLED": "RTC", "CLOSE": "CLS", "PAID": "PIF", "DISPUTE": "DSP"}
ITEM = {
    "HostID": "ItemID",
    "PortalID": "PortalID",
    "Date": "On",
    "Amount": "Amount",
    "Method": "By",
    "Last4": "Last4",
    "Status": "State",
    "UpdatedAt": "UpdatedAt",
    "ReturnCode": "ReturnCode",
    "NoticeSentOn": "NoticeSentOn",
}
BLOCK = turned(ITEM) | {
    "PlannedID": "PostDateID",
    "Executor": "Executor",
    "Reference": "ProcessorReference",
    "DeclineCode": "DeclineCode",
    "RefundID": "RefundID",
    "Reinstated": "Reinstated",
    "Number": "Number",
    "Of": "Of",
    "Notifier": "Notifier",
    "NotBefore": "NotBefore",
    "Hold": "Hold",
}
EVENT = {
    "EventID": "EventID",
    "Sequence": "Sequence",
    "CaseSequence": "AccountSequence",
    "Case": "FileNumber",
    "Event": "Event",
    "OccurredAt": "OccurredAt",
    "CommittedAt": "CommittedAt",
    "Data": "Data",
}
POSTDATE_TYPES = {"postdate.cancel_requested": "CANCEL REQUEST", "postdate.hold_requested": "HOLD REQUEST"}


def outward(record: dict) -> dict:
    """Say a record as Intelec does."""
    said = renamed(record, CASE)
    said["StatusCode"] = STATUSES.get(record.get("Status", ""), record.get("Status", ""))
    said["Payments"] = [renamed(line, ITEM) for line in record.get("Payments") or []]
    said["PostDated"] = [renamed(line, ITEM) for line in record.get("PostDates") or []]
    return said


def inward(message: dict) -> dict:
    """Read an activity of the portal."""
    event = renamed(message, EVENT) | {"Type": str(message.get("Smart") or "ACTIVITY")}
    for theirs, ours in (("Payment", "Payment"), ("PostDated", "PostDate")):
        if isinstance(message.get(theirs), dict):
            # This host acts upon batches only: what it is told is planned or posted, never an order to execute.
            event[ours] = renamed(message[theirs], BLOCK) | {"Executor": "PORTAL"}
    event["Type"] = POSTDATE_TYPES.get(str(message.get("Event")), event["Type"])
    for name in ("Arrangement", "WorkQueue", "Batch"):
        if name in message:
            event[name] = message[name]
    return event | {"Wire": without_bank(message)}
