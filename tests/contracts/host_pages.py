"""Write docs/hosts/<style>.md from the adapters' own tables: `python -m tests.contracts.host_pages`.

A page holds what the host's engineer needs and nothing of another style: what a record may say, what we answer, which
messages come, what they must answer. `test_host_pages` holds the pages against the code and runs their examples.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from integrations.hosts import (
    Outgoing,
    Words,
    adapter,
    collect,
    defaults,
    intelec,
    ledger,
    people,
    scollect,
    smartcollect,
)
from integrations.hosts.dialect import Dialect
from integrations.hosts.reading import Field

PAGES = Path(__file__).resolve().parents[2] / "docs" / "hosts"
ADDRESS = "https://host.example.com"


class Line(NamedTuple):
    """One field of a record in a host's own name."""

    path: str
    field: Field


def words(style: str) -> Words:
    """Give a connection's words as it starts."""
    given = defaults(style)
    return Words(
        ADDRESS, "key", given["status_map"], "CELL", "GOOD", given.get("vocabulary", {}), given.get("terms", {})
    )


# The canonical record, whole: a part's fields stand behind its name.
PARTS = {"Itemization": scollect.ITEMIZATION, "Settlement": scollect.SETTLEMENT, "PaymentOptions": scollect.OPTIONS}
LISTS = {"Phones": people.PHONE, "Emails": people.EMAIL, "Payments": scollect.ITEM, "PostDates": scollect.ITEM}
RECORD: dict[str, Field] = {one.path: one for one in (*scollect.ACCOUNT, *scollect.PERSON)}
RECORD |= {f"{part}/{one.path}": one for part, table in PARTS.items() for one in table}

MEANS = {
    "reference": "your number of the account; ours for you in everything",
    "host_status": "your status; the connection's map says what it means, an unknown one can only be looked at",
    "client_number": "the creditor's number at your side",
    "client_name": "the creditor's name as consumers see it; left out: the number",
    "balance_cents": "what is owed now; below zero is nothing owed",
    "assigned_cents": "what was placed",
    "assigned_on": "the day of placement",
    "listed_on": "the day it was listed; left out: the day of placement",
    "original_creditor": "without it no card is taken (CARD-02)",
    "description": "what the debt is for; without it no card is taken (CARD-02)",
    "contract_on": "the day of contract or service; without it no card is taken (CARD-02)",
    "debt_type": "your class of debt, for rules and audiences",
    "itemization_on": "the day of the itemization (RF-29)",
    "itemization_basis": "what that day is (RF-29)",
    "validation_sent_on": "the day the validation notice left; the period is computed from it",
    "sol_status": "`live`, `expired` or `unknown`: whether it may be too old to sue for",
    "sol_on": "the day on which it becomes too old",
    "reopened": "why a debt that ended is collected again (RF-27)",
    "as_of": "when this picture was true; nothing older overwrites",
    "version": "your version of the record; where both have one it decides, not the time",
    "host_consumer_id": "your word for the person; accounts with the same one are one person's",
    "first_name": "",
    "last_name": "",
    "ssn": "identifies and links; nine equal digits count as none",
    "dob": "identifies",
    "street1": "",
    "street2": "",
    "city": "",
    "state": "the state's law applies",
    "zip": "identifies; decides the hours at which we write",
    "language": "",
    "interest_cents": "",
    "fees_cents": "",
    "payments_cents": "",
    "credits_cents": "",
    "amount_cents": "",
    "percent_bps": "of the balance, instead of an amount",
    "max_payments": "at most so many payments",
    "max_date": "the last day to finish it",
    "max_days": "the same in days",
    "text": "what the consumer reads beside it",
    "can_pay": "no takes every way to pay away",
    "single_card": "",
    "recurring_card": "",
    "single_ach": "",
    "recurring_ach": "",
    "minimum_single_cents": "",
    "minimum_recurring_cents": "",
    "host_id": "your id of the line, once in the list",
    "portal_id": "our id of the payment or post-date, where it is ours",
    "on": "",
    "method": "`CARD`, `ACH`, `CHECK`, `CASH`",
    "last4": "",
    "status": "",
    "updated_at": "left out: the record's own time",
    "notice_sent_on": "the day your letter about it left; some charges need it",
    "return_code": "why a bank sent it back, `R01`",
    "number": "",
    "due_on": "",
    "open_cents": "what of it is not paid",
    "label": "your type of phone",
    "value": "",
    "route": "how we may use it, by the rule's id (RF-12)",
}

MEANS_HERE = {
    scollect.ITEMIZATION[0]: "what was owed on the day of the itemization",
    people.PHONE[1]: "your status of the phone",
    scollect.ITEM[
        6
    ]: "of a payment `POSTED`, `DECLINED`, `ACH REVERSAL`, `CHARGEBACK`, `REFUND`; of a plan `PENDING`, `CANCELLED`",
}


def form(field: Field) -> str:
    """Say how a value is read, in the words of its reader."""
    said = (field.kind.__doc__ or "").partition("\n")[0].rstrip(".")
    assert said.startswith("Read "), field
    return said.removeprefix("Read ").partition(";")[0]


def rows(lines: Iterator[Line]) -> list[str]:
    """Make a table of fields."""
    table = ["| Field | Form | |", "|---|---|---|"]
    for path, field in lines:
        name = f"**`{path}`**" if field.required else f"`{path}`"
        table.append(f"| {name} | {form(field)} | {MEANS_HERE.get(field) or MEANS[field.name]} |")
    return table


def fields_of(names: Mapping[str, str]) -> Iterator[Line]:
    """Give the fields of a record in a host's names; what is called as a whole keeps our names behind it."""
    for theirs, ours in names.items():
        if ours in PARTS:
            for one in PARTS[ours]:
                yield Line(f"{theirs}/{one.path}", one)
        else:
            yield Line(theirs, RECORD[ours])


def items_of(names: Mapping[str, str], table: tuple[Field, ...]) -> Iterator[Line]:
    """Give the fields of a list's objects in a host's names."""
    of = {one.path: one for one in table}
    for theirs, ours in names.items():
        if ours in of:
            yield Line(theirs, of[ours])


class Style(NamedTuple):
    """What a page says that no table does."""

    title: str
    fields: Mapping[str, str]
    lists: Mapping[str, tuple[Mapping[str, str], tuple[Field, ...], str]]
    record: dict[str, Any]
    told: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def identity(table: tuple[Field, ...]) -> dict[str, str]:
    """Name fields as they are named here."""
    return {one.path: one.path for one in table}


PHONE = {"Type": "CELL", "Status": "GOOD", "Number": "2125550142", "Route": "RF-12", "Evidence": {"Form": "F-7"}}
EMAIL = {"Address": "ada@example.com", "Route": "RF-13", "Evidence": {"Source": "agency call"}}
CANONICAL: dict[str, Any] = {
    "FileNumber": "100234",
    "Status": "ACTIVE",
    "ClientNumber": "C-10",
    "ClientName": "Mercy Hospital",
    "ConsumerID": "P-4711",
    "FirstName": "Ada",
    "LastName": "Byron",
    "SSN": "123-45-6789",
    "DOB": "1985-12-10",
    "Address": {"Street1": "1 Main St", "City": "Austin", "State": "TX", "Zip": "78701"},
    "Language": "en",
    "CurrentBalance": "1000.00",
    "AssignedBalance": "1000.00",
    "AssignedDate": "2026-10-01",
    "OriginalCreditor": "Mercy Hospital",
    "AccountDescription": "Emergency room visit",
    "ContractDate": "2026-03-02",
    "ItemizationDate": "2026-03-02",
    "ItemizationBasis": "transaction",
    "Itemization": {"Balance": "950.00", "Interest": "0.00", "Fees": "50.00", "Payments": "0.00", "Credits": "0.00"},
    "ValidationSentOn": "2026-10-05",
    "SolStatus": "live",
    "Settlement": {"Amount": "750.00", "MaxPayments": 6, "MaxDate": "2027-06-30", "Text": "Settle for $750.00"},
    "PaymentOptions": {"CanPay": True, "RecurringAch": False, "MinimumSingle": "25.00"},
    "Phones": [PHONE],
    "Emails": [EMAIL],
    "Payments": [],
    "PostDates": [],
    "AsOf": "2026-12-01T14:00:00Z",
    "Version": 7,
}
CARD_LINE = {"HostID": "H-1", "Date": "2026-11-15", "Amount": "50.00", "Method": "CARD", "Last4": "4242"}
POSTED = CARD_LINE | {"PortalID": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a03", "Status": "POSTED"}
POSTED |= {"UpdatedAt": "2026-11-16T03:00:00Z"}
PLANNED = CARD_LINE | {"HostID": "H-2", "Date": "2026-12-15", "Status": "PENDING"}
LISTED = CANONICAL | {"Payments": [POSTED], "PostDates": [PLANNED]}


def in_words_of(dialect: Dialect, *, status: str, record: dict = LISTED) -> dict[str, Any]:
    """Put the example into a style's names, with one of its statuses."""
    said = dialect.theirs(record | {"Status": status})
    for theirs, ours in dialect.fields.items():
        if ours in ("Settlement", "PaymentOptions", "Itemization") and ours in record:
            said[theirs] = record[ours]
    return said


def _smart() -> dict[str, Any]:
    flat = in_words_of(smartcollect.RECORD, status="OPEN")
    flat["phones"] = [{"type": "CELL", "status": "GOOD", "number": "2125550142"}]
    customer = {name.partition("/")[0] for name in smartcollect.CUSTOMER} | {"phones", "emails"}
    whole = {name: value for name, value in flat.items() if name in customer}
    return whole | {"accounts": [{name: value for name, value in flat.items() if name not in customer}]}


def _collect() -> dict[str, Any]:
    said = in_words_of(collect.DEBTOR, status="ACT", record=CANONICAL)
    posted = {"TransactionID": "T-1", "Type": "102", "Posted": "2026-11-15", "Date": "2026-11-15", "Amount": "50.00"}
    planned = {"TransactionID": "T-2", "Type": "102", "Date": "2026-12-15", "Amount": "50.00"}
    return said | {"Transactions": [posted | {"Last4": "4242"}, planned]}


def _ledger() -> dict[str, Any]:
    said = in_words_of(ledger.CUSTOMER, status="PAST DUE", record=CANONICAL)
    invoice = {"Number": "V-1", "Date": "2026-08-01", "Due": "2026-08-31", "Amount": "1000.00", "Open": "1000.00"}
    return said | {"Invoices": [invoice]}


def _lists(dialect: Dialect) -> dict[str, tuple[Mapping[str, str], tuple[Field, ...], str]]:
    return {theirs: (names, LISTS[ours], SAID_OF[ours]) for theirs, (ours, names) in dialect.lists.items()}


EVIDENCE = "Beside these `Evidence`, an object of short texts: how we were allowed to use it."
SAID_OF = {
    "Phones": f"The first of the connection's type and status is the one to text. {EVIDENCE}",
    "Emails": EVIDENCE,
    "Payments": "Your own list of payments, ours among them.",
    "PostDates": "Your own list of what is planned, ours among them.",
}
AT_SCOLLECT = {name: (identity(table), table, SAID_OF[name]) for name, table in LISTS.items()}
OF_TYPES = (
    "Beside these `Type`, a code of yours that the connection's vocabulary explains, and `Posted`, the day it was"
    " posted: without it a payment is planned."
)
TYPED = {"TransactionID": "HostID", "PortalID": "PortalID"} | collect.TRANSACTION
STYLES: dict[str, Style] = {
    "scollect": Style(
        "SCollect",
        {path: path for path in RECORD},
        AT_SCOLLECT,
        LISTED,
        ("payment.succeeded", "payment.pending", "postdate.scheduled", "postdate.cancel_requested", "message.opened"),
    ),
    "intelec": Style(
        "Intelec",
        intelec.CASE.fields,
        _lists(intelec.CASE),
        in_words_of(intelec.CASE, status="ACT"),
        ("arrangement.created", "payment.succeeded", "postdate.scheduled", "batch.exported"),
    ),
    "collect": Style(
        "Collect!",
        collect.DEBTOR.fields,
        _lists(collect.DEBTOR) | {"Transactions": (TYPED, scollect.ITEM, OF_TYPES)},
        _collect(),
        ("payment.succeeded", "postdate.scheduled", "contact_plan.requested", "message.opened"),
    ),
    "smartcollect": Style(
        "SmartCollect",
        smartcollect.RECORD.fields,
        _lists(smartcollect.RECORD),
        _smart(),
        ("payment.succeeded", "postdate.scheduled", "message.opened"),
        ("A customer has `accounts`, a list of at most 500; what is said of the customer counts for each of them.",),
    ),
    "ledger": Style(
        "A creditor's ledger",
        ledger.CUSTOMER.fields,
        _lists(ledger.CUSTOMER) | {"Invoices": ({one.path: one.path for one in ledger.INVOICE}, ledger.INVOICE, "")},
        _ledger(),
        ("account.placed", "payment.succeeded", "payment.refunded", "account.recalled"),
    ),
}  # fmt: skip


PAID = {
    "payment": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a03",
    "postdate": None,
    "arrangement": None,
    "authorization": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a06",
    "method": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a05",
    "kind": "card",
    "amount_cents": 12500,
    "currency": "usd",
    "date": "2026-12-01",
    "brand": "visa",
    "funding": "debit",
    "last4": "5556",
    "purpose": "amount",
    "origin": "processor",
    "executor": "portal",
    "processor": "stripe",
    "processor_ref": "pi_4528bb3ecb958c3dec8fa6e3",
    "reference": "0C9D2A03",
    "status": "succeeded",
    "decline_code": "",
    "advice_code": "",
    "network_decline_code": "",
    "network_advice_code": "",
}
BY_BANK = {"kind": "ach", "brand": "", "funding": "", "last4": "6789"}
PLANNED_PART = {
    "postdate": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a04",
    "arrangement": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a07",
    "authorization": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a06",
    "method": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a05",
    "number": 2,
    "of": 6,
    "date": "2027-01-04",
    "not_before": "2027-01-04T13:00:00Z",
    "amount_cents": 12500,
    "currency": "usd",
    "kind": "card",
    "brand": "visa",
    "funding": "debit",
    "last4": "5556",
    "executor": "host",
    "notifier": "portal",
    "status": "scheduled",
}
CARD_TOKEN = {
    "processor": "stripe",
    "merchant_account": "acct_acme",
    "customer": "cus_8ea3b7cf0b07038727376b11",
    "payment_method": "pm_30422759b8483ea68bf59fc1",
    "network_transaction_id": "273770052077694",
    "brand": "visa",
    "funding": "debit",
    "last4": "5556",
    "expiry": "12/2031",
}
AGREED = {
    "arrangement": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a07",
    "authorization": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a06",
    "method": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a05",
    "kind": "settlement",
    "status": "performing",
    "frequency": "monthly",
    "level": "account",
    "version": None,
    "payments": 3,
    "schedule": [["2026-12-01", 25000], ["2027-01-04", 25000], ["2027-02-01", 25000]],
    "total_cents": 75000,
    "saving_cents": 25000,
    "currency": "usd",
    "work_queue": "performing",
}
SAMPLES: dict[str, dict[str, Any]] = {
    "account.placed": {
        "reference": "100234",
        "as_of": "2026-12-01T14:00:00+00:00",
        "client": "Mercy Hospital",
        "balance_cents": 100000,
        "currency": "usd",
        "status": "open",
        "host_status": "PAST DUE",
    },
    "account.recalled": {"reference": "100234", "as_of": "2026-12-01T14:00:00+00:00"},
    "payment.succeeded": PAID,
    "payment.pending": PAID | BY_BANK | {"executor": "host", "processor": "", "processor_ref": "", "status": "pending"},
    "payment.refunded": PAID | {"refunded_cents": 4000, "whole": False},
    "postdate.scheduled": PLANNED_PART | {"token": CARD_TOKEN},
    "postdate.cancel_requested": PLANNED_PART | {"token": CARD_TOKEN, "status": "cancel_req", "reason": "covered"},
    "arrangement.created": AGREED,
    "batch.exported": {
        "batch": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a08",
        "number": 12,
        "method": "ach",
        "status": "exported",
        "items_count": 40,
        "total_cents": 500000,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
    "contact_plan.requested": {
        "plan": "FIN",
        "on": "2026-12-02",
        "reason": "full_or_final",
        "payment": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a03",
    },
    "message.opened": {
        "message": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a09",
        "channel": "email",
        "language": "en",
        "stream": "campaigns",
        "template": "settlement_offer",
        "to": "a••@example.com",
    },
}
"""What the product writes into an event, by its kind."""
BANK = {"AccountType": "checking", "Name": "Ada Byron", "RoutingNumber": "110000000", "AccountNumber": "000123456789"}

PUSHED = (
    "`POST /api/v1/hosts/<connection>/accounts` with the connection's inbound key (`Authorization: Bearer qin_...`):"
    " one record, or a list of up to 5,000, gzip welcome. **A record is the whole account**: what is absent is removed."
    ' Amounts are dollars as text (`"1000.00"`); a number counts as dollars too, never as cents.'
)
HOW = {
    "smartcollect": PUSHED + " Or a file of such entries, by API or SFTP ([files](../files.md)); in an update file only"
    " what is named changes, and `null` takes away.",
    "ledger": 'We ask you. `GET /v1/settings` answers `{"CreditAllocation": true, "CollectionsPackage": true}`.'
    ' `GET /v1/customers/past-due?min_age_days=30&min_amount=50.00&after=` answers `{"Customers": [{"Customer",'
    ' "Name", "PastDue", "OldestDue", "Invoices"}], "Next": ""}`, page by page: `Next` is the `after` of the next'
    ' one. `GET /v1/customers?ids=1001,1002` answers `{"Customers": [...]}` with whole records. **A record is the whole'
    ' account.** Amounts are dollars as text (`"1000.00"`).',
}
ANSWER = """## What you answer

Within ten seconds, 200 and one result for every message, in any order; the names are the same in every style:

{answer}

- `accepted`: you have it for good. `duplicate`: you had it already, by its id, and did nothing again. We may send a
  message twice, so **keep the ids**.
- `refused` with a `Reason`: it can never be taken. Staff are told, and this account's later messages wait for them.
- A request to cancel or hold a planned payment is answered beside it: `"Answer": {{"Cancelled": true}}` or
  `{{"Held": true}}`; `false` with a `Reason` where it is too late.
- A message without a result, another status, silence or a page that is not this JSON: **it comes again**, after a
  second at first and hourly in the end. 401 and 403 stop everything until your key works. 409 counts as taken where
  its body names the id.

[endpoint.py](endpoint.py) is a host in a page of Python that does all of it in SCollect's words.
`python manage.py check_host <connection> --reference <test account>` tries every promise against your endpoint."""


def answered() -> dict[str, Any]:
    """Give an answer to three messages."""
    ids = [str(UUID(int=EVENT.int + more)) for more in range(3)]
    outcomes = [{"Outcome": "accepted"}, {"Outcome": "duplicate"}, {"Outcome": "refused", "Reason": "No such account."}]
    return {"results": [{"EventID": one} | outcome for one, outcome in zip(ids, outcomes, strict=True)]}


EVENT = UUID("0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a01")
MOMENT = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)


def message(style: str, kind: str) -> dict[str, Any]:
    """Write one event as the style's host reads it."""
    data, bank = SAMPLES[kind], BANK if SAMPLES[kind].get("kind") == "ach" else None
    allocation = [("V-1", data["amount_cents"])] if "amount_cents" in data else None
    event = Outgoing(EVENT, 4711, 3, "100234", kind, MOMENT, MOMENT, {"v": 1} | data, bank, allocation=allocation)
    written = adapter(style, words(style)).write(event)
    return {name: {"v": 1, "...": "..."} if value is event.data else value for name, value in written.items()}


def page(name: str) -> str:
    """Write the page of a style."""
    style, speaks = STYLES[name], adapter(name, words(name))
    told = speaks.events_request([b""])
    asked = speaks.account_request("100234").url
    parts = [
        f"# {style.title}: what a host says and hears",
        "Made from the adapter's own tables by `python -m tests.contracts.host_pages`; the tests run every example."
        " What happens to all of it: [hosts](../hosts.md).",
        *_said(name, style),
        "## What you are told",
        f"`POST {_path(told.url)}` at your address with your key (`Authorization: Bearer ...`) and a list of up to 200"
        " messages, each of another account; an account's next message comes when you have answered the one before."
        f" `GET {_path(asked)}` asks for one record, at log-in and by the test of a connection; 404 where there is"
        " none.",
        "`Data` is what the event itself says, left out here: [events](../events.md) has every kind.",
        *(f"`{kind}`:\n\n{_json(message(name, kind))}" for kind in style.told),
        ANSWER.format(answer=_json(answered())),
    ]
    return "\n\n".join(parts) + "\n"


def _said(name: str, style: Style) -> Iterator[str]:
    yield "## What you say"
    yield HOW.get(name, PUSHED)
    yield _json(style.record)
    yield "**Bold** fields must be there, one behind a `/` where the part before it is. Names in no table are not read."
    yield "\n".join(rows(fields_of(style.fields)))
    for theirs, (names, table, said) in style.lists.items():
        yield f"`{theirs}`, a list. {said}".strip()
        yield "\n".join(rows(items_of(names, table)))
    yield from style.remarks
    statuses = ", ".join(f"`{theirs}` {ours}" for theirs, ours in defaults(name)["status_map"].items())
    yield f"A new connection reads your statuses so; staff change it: {statuses}."


def _path(url: str) -> str:
    return url.removeprefix(ADDRESS).replace("100234", "<account>")


def _json(value: Any) -> str:
    return f"```json\n{json.dumps(value, indent=1, ensure_ascii=False)}\n```"


if __name__ == "__main__":
    for name in STYLES:
        (PAGES / f"{name}.md").write_text(page(name))
