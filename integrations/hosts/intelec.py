"""Intelec style (Quantrax): the arrangement drives the workflow, methods vary, payments travel in batches.

Every message of an arrangement says what form it has (standard or non-linear) and where the account stands in the work
queues. What the host executes reaches it in payment batches, never by these messages (docs/hosts.md), so they hold no
bank number.
"""

from datetime import date, timedelta
from itertools import product
from typing import Any
from urllib.parse import quote

from accounts.calendars import fed, is_business_day, roll_forward
from integrations.hosts import Outgoing, Request, Result, Told, Words
from integrations.hosts.dialect import EMAIL, PERSON_AND_DEBT, PHONE, Dialect, read, renamed
from integrations.hosts.scollect import SCollect
from settlements.rules.schedules import payment_dates

# The mapping tables: what Intelec says, and the same in canonical words.
ITEM = {
    "ItemID": "HostID",
    "PortalID": "PortalID",
    "On": "Date",
    "Amount": "Amount",
    "By": "Method",
    "Last4": "Last4",
    "State": "Status",
    "UpdatedAt": "UpdatedAt",
    "ReturnCode": "ReturnCode",
    "NoticeSentOn": "NoticeSentOn",
}
CASE = Dialect(
    PERSON_AND_DEBT
    | {
        "Case": "FileNumber",
        "StatusCode": "Status",
        "ClientCode": "ClientNumber",
        "ClientName": "ClientName",
        "Debtor/First": "FirstName",
        "Debtor/Last": "LastName",
        "Debtor/SSN": "SSN",
        "Debtor/Born": "DOB",
        "Debtor/Address1": "Address/Street1",
        "Debtor/Address2": "Address/Street2",
        "Debtor/City": "Address/City",
        "Debtor/State": "Address/State",
        "Debtor/Zip": "Address/Zip",
        "BalanceDue": "CurrentBalance",
        "Service": "AccountDescription",
        "ServiceDate": "ContractDate",
        "ClassCode": "DebtType",
        "ReopenReason": "ReopenReason",
        "AsOf": "AsOf",
        "Version": "Version",
    },
    {
        "Phones": ("Phones", PHONE),
        "Emails": ("Emails", EMAIL),
        "Payments": ("Payments", ITEM),
        "PostDated": ("PostDates", ITEM),
    },
)
ENVELOPE = {
    "EventID": "EventID",
    "Sequence": "Sequence",
    "AccountSequence": "CaseSequence",
    "FileNumber": "Case",
    "Event": "Event",
    "OccurredAt": "OccurredAt",
    "CommittedAt": "CommittedAt",
    "Data": "Data",
}
PLANNED = ("Number", "Of", "Executor", "Notifier", "NotBefore", "Hold")
QUEUES = ("performing", "late", "broken", "none")
ONE_DAY = timedelta(days=1)
STANDARD = ("monthly", "semimonthly", "biweekly", "weekly")
BATCH_STEPS = {
    "batch.created": "COLLECTED",
    "batch.approved": "APPROVED",
    "batch.exported": "EXPORTED",
    "batch.posted": "POSTED",
}

DEFAULTS: dict[str, Any] = {
    "status_map": {
        "ACT": "open",
        "NEW": "open",
        "ARR": "open",
        "PIF": "paid",
        "CLS": "closed",
        "RTC": "recalled",
        "HLD": "blocked",
        "DSP": "disputed",
        "BKR": "bankruptcy",
        "DEC": "deceased",
        "ATY": "attorney",
        "CEA": "cease",
    },
    # A linked card is charged by the portal's run; direct checks go to the clearing house in the host's batches.
    "routing": {
        "card.immediate": {"executor": "portal", "notifier": "portal"},
        "card.postdated": {"executor": "portal", "notifier": "portal"},
        "ach.immediate": {"executor": "host", "notifier": "portal"},
        "ach.postdated": {"executor": "host", "notifier": "portal"},
    },
    "payment_statuses": ["POSTED", "DECLINED", "CHARGEBACK", "ACH REVERSAL", "REFUND"],
    "postdate_statuses": ["PENDING"],
    "vocabulary": {},
}


class Intelec:
    """Read and write Intelec."""

    reference_field = "Case"
    pointer = staticmethod(CASE.pointer)
    executes = False

    def __init__(self, words: Words) -> None:
        self.words = words
        self.canonical = SCollect(words)

    def read(self, record: dict) -> Told:
        return read(self.canonical, CASE.canonical(record), CASE.pointer)

    def write(self, event: Outgoing) -> dict:
        said = self.canonical.write(event)
        message = renamed(said, ENVELOPE) | {"Smart": event.kind.partition(".")[0].upper()}
        if event.data.get("origin") == "host":
            return message
        data = event.data
        if event.kind.startswith("arrangement."):
            message["Arrangement"] = arrangement(data)
            message["WorkQueue"] = queue_of(event.kind, data)
        elif step := BATCH_STEPS.get(event.kind):
            message["Batch"] = {"Step": step, "Number": data.get("number"), "Items": data.get("items_count")} | {
                "Total": _dollars(data["total_cents"]) if "total_cents" in data else None,
                "By": str(data.get("method") or "").upper(),
            }
        elif block := said.get("Payment"):
            message["Payment"] = renamed(block, {ours: theirs for theirs, ours in ITEM.items()}) | {
                "Executor": block.get("Executor"),
                "PlannedID": block.get("PostDateID"),
                "Reference": block.get("ProcessorReference"),
                "DeclineCode": block.get("DeclineCode"),
                "RefundID": block.get("RefundID"),
                "Reinstated": block.get("Reinstated"),
            }
        elif block := said.get("PostDate"):
            more = {name: block[name] for name in PLANNED if name in block}
            message["PostDated"] = renamed(block, {ours: theirs for theirs, ours in ITEM.items()}) | more
        return message

    def events_request(self, messages: list[bytes]) -> Request:
        body = b"[" + b",".join(messages) + b"]"
        return Request(f"{self._base}/rmex/portal/activity", (*self._headers, "Content-Type: application/json"), body)

    def account_request(self, reference: str) -> Request:
        return Request(f"{self._base}/rmex/cases/{quote(reference, safe='')}", self._headers)

    @property
    def _base(self) -> str:
        return self.words.base_url.rstrip("/")

    @property
    def _headers(self) -> tuple[str, ...]:
        return self.canonical.headers

    def read_results(self, body: Any) -> dict[str, Result]:
        return self.canonical.read_results(body)


def queue_of(kind: str, data: dict[str, Any]) -> str:
    """Say how the work queues see the account: performing accounts stay away from collectors."""
    said = data.get("work_queue")
    if said in QUEUES:
        return said
    return "none" if kind in ("arrangement.cancelled", "arrangement.completed") else "performing"


def arrangement(data: dict[str, Any]) -> dict[str, Any]:
    """Tell an arrangement in Intelec's two forms: standard (equal payments at a pace) or any list of dates."""
    lines = [(on, int(cents)) for on, cents in data.get("schedule") or ()]
    numbered = enumerate(lines, 1)
    block: dict[str, Any] = {
        "PortalID": data.get("arrangement"),
        "Status": str(data.get("status") or "").upper(),
        "Total": _dollars(data.get("total_cents") or 0),
        "Linked": data.get("method"),
        "AuthorizationID": data.get("authorization"),
        "Lines": [{"Number": number, "On": on, "Amount": _dollars(cents)} for number, (on, cents) in numbered],
    }
    if data.get("frequency") in STANDARD and (form := standard(lines, data["frequency"])):
        return block | {"Form": "STANDARD", "Frequency": data["frequency"].upper()} | form
    return block | {"Form": "NON-LINEAR"}


def standard(lines: list[tuple[str, int]], frequency: str) -> dict[str, Any] | None:
    """Find the down payment, the equal payment and the day of the month of a schedule.

    None where payments in the middle differ, or where a date is not the one of its pace. Weeks have no such day.
    """
    if len(lines) < 2:
        return None
    middle = {cents for _on, cents in lines[1:-1]} or {lines[-1][1]}
    if len(middle) != 1:
        return None
    (equal,) = middle
    first, last = lines[0][1], lines[-1][1]
    down = None if first == equal else first
    # The last payment carries the cents that do not divide, or is the smaller rest.
    if abs(last - equal) >= len(lines) and last > equal:
        return None
    anchor = anchor_of([date.fromisoformat(on) for on, _cents in lines], frequency)
    if anchor is None:
        return None
    day = anchor if frequency == "monthly" else None
    return {"DownPayment": _dollars(down) if down else None, "Payment": _dollars(equal), "DayOfMonth": day}


def anchor_of(days: list[date], frequency: str) -> int | None:
    """Find the day of the month that these dates keep; None where they do not follow the frequency.

    The date of a payment is not always the day that was agreed: a short month ends before it, and a bank debit moves to
    the next banking day (CAL-02, CAL-04). The day of the first payment counts first, then that of the second.
    """
    anchors = dict.fromkeys((days[0].day, days[1].day, *range(31, 0, -1))) if frequency == "monthly" else (days[0].day,)
    for first, anchor in product(_moved_to(days[0]), anchors):
        planned = payment_dates(first, frequency, anchor_day=anchor)
        if all(on in (day, roll_forward(day, fed)) for on, day in zip(days, planned, strict=False)):
            return anchor
    return None


def _moved_to(day: date) -> list[date]:
    """Give a day and the closed ones before it: a bank debit that was planned for them is taken on it."""
    found = [day]
    while is_business_day(day, fed) and not is_business_day(found[-1] - ONE_DAY, fed):
        found.append(found[-1] - ONE_DAY)
    return found


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
