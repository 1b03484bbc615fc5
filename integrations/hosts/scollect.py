"""SCollect style: account records in, events out, JSON over REST both ways (docs/hosts.md)."""

from datetime import date
from typing import Any
from urllib.parse import quote

from accounts.placement import Part, Person, Placement
from integrations.hosts import (
    BadAnswer,
    BadRecord,
    FieldError,
    Line,
    Outgoing,
    Request,
    Result,
    Told,
    Words,
    moved_cents,
    people,
)
from integrations.hosts.reading import (
    Field,
    Reader,
    bps,
    cents,
    choice,
    day,
    flag,
    instant,
    return_code,
    signed_cents,
    text,
    upper,
    uuid_or_none,
    whole,
)
from settlements.rules.offers import HostSettlement, check_settlement

# The mapping table: what SCollect says, what we call it, how it is read.
BASES = {"last statement": "last_statement", "charge off": "charge_off", "last payment": "last_payment"}
BASES |= {"transaction": "transaction", "judgment": "judgment", "judgement": "judgment"}  # RF-29: one of five
ACCOUNT = (
    Field("FileNumber", "reference", text(60), required=True),
    Field("Status", "host_status", text(60), required=True),
    Field("ClientNumber", "client_number", text(40), required=True),
    Field("ClientName", "client_name", text(120), default=""),
    Field("CurrentBalance", "balance_cents", signed_cents, required=True),
    Field("AssignedBalance", "assigned_cents", signed_cents),
    Field("AssignedDate", "assigned_on", day),
    Field("ListedDate", "listed_on", day),
    Field("OriginalCreditor", "original_creditor", text(120), default=""),
    Field("AccountDescription", "description", text(200), default=""),
    Field("ContractDate", "contract_on", day),
    Field("DebtType", "debt_type", text(40), default=""),
    Field("ItemizationDate", "itemization_on", day),
    Field("ItemizationBasis", "itemization_basis", choice(BASES), default=""),
    Field("ValidationSentOn", "validation_sent_on", day),
    Field("SolStatus", "sol_status", text(10), default=""),
    Field("SolDate", "sol_on", day),
    Field("ReopenReason", "reopened", text(200), default=""),  # RF-27
    Field("AsOf", "as_of", instant, required=True),
    Field("Version", "version", whole),
)
PERSON = (
    Field("ConsumerID", "host_consumer_id", text(80), default=""),
    Field("FirstName", "first_name", text(80), default=""),
    Field("LastName", "last_name", text(80), required=True),
    Field("SSN", "ssn", people.ssn, default=""),
    Field("DOB", "dob", people.birth_date, default=""),
    Field("Address/Street1", "street1", text(120), default=""),
    Field("Address/Street2", "street2", text(120), default=""),
    Field("Address/City", "city", text(80), default=""),
    Field("Address/State", "state", text(2), default=""),
    Field("Address/Zip", "zip", text(10), default=""),
    Field("Language", "language", people.language, default="en"),
)
ITEMIZATION = (
    Field("Balance", "balance_cents", signed_cents, required=True),
    Field("Interest", "interest_cents", signed_cents, default=0),
    Field("Fees", "fees_cents", signed_cents, default=0),
    Field("Payments", "payments_cents", signed_cents, default=0),
    Field("Credits", "credits_cents", signed_cents, default=0),
)
SETTLEMENT = (
    Field("Amount", "amount_cents", signed_cents),
    Field("Percent", "percent_bps", bps),
    Field("MaxPayments", "max_payments", whole),
    Field("MaxDate", "max_date", day),
    Field("MaxDays", "max_days", whole),
    Field("Text", "text", text(500), default=""),
)
OPTIONS = (
    Field("CanPay", "can_pay", flag),
    Field("SingleCard", "single_card", flag),
    Field("RecurringCard", "recurring_card", flag),
    Field("SingleAch", "single_ach", flag),
    Field("RecurringAch", "recurring_ach", flag),
    Field("MinimumSingle", "minimum_single_cents", cents),
    Field("MinimumRecurring", "minimum_recurring_cents", cents),
)
ITEM = (
    Field("HostID", "host_id", text(80), required=True),
    Field("PortalID", "portal_id", uuid_or_none),
    Field("Date", "on", day, required=True),
    Field("Amount", "amount_cents", cents, required=True),
    Field("Method", "method", text(20), default=""),
    Field("Last4", "last4", text(4), default=""),
    Field("Status", "status", upper(30), required=True),
    Field("UpdatedAt", "updated_at", instant),
    Field("NoticeSentOn", "notice_sent_on", day),
    Field("ReturnCode", "return_code", return_code, default=""),
)
# Our events in SCollect's words: the Type by exact name, else by noun; the Status of a payment.
TYPES = {
    "payment": "PAYMENT", "postdate": "POSTDATE", "message": "EMAIL", "notice": "NOTICE", "letter": "NOTICE",
    "consumer": "LOGIN", "session": "LOGIN", "payment.started": "ACTIVITY", "consumer.contact_changed": "ACTIVITY",
    "postdate.cancel_requested": "CANCEL REQUEST", "postdate.hold_requested": "HOLD REQUEST",
}  # fmt: skip
PAYMENT_STATUS = {
    "payment.intended": "INTENDED", "payment.succeeded": "APPROVED", "payment.declined": "DECLINED",
    "payment.pending": "PENDING", "payment.returned": "RETURNED", "payment.charged_back": "CHARGEBACK",
    "payment.refunded": "REFUNDED", "payment.voided": "VOIDED", "payment.posted": "POSTED",
    "payment.refund_failed": "REFUND FAILED",
}  # fmt: skip
TOKEN = {
    "Processor": "processor", "MerchantAccount": "merchant_account", "Customer": "customer",
    "PaymentMethod": "payment_method", "NetworkTransactionID": "network_transaction_id", "Brand": "brand",
    "Funding": "funding", "Last4": "last4", "Expiry": "expiry",
}  # fmt: skip
POSTING_AGENT = "Agency"
MOST_ITEMS = 500


# What a new connection of this style starts with; staff change it without us.
DEFAULTS: dict[str, Any] = {
    "status_map": {
        "ACTIVE": "open",
        "NEW": "open",
        "RECALL": "recalled",
        "RECALLED": "recalled",
        "FLAGGED": "blocked",
        "CLOSE": "closed",
        "PAID": "paid",
        "DISPUTE": "disputed",
        "BANKRUPTCY": "bankruptcy",
        "DECEASED": "deceased",
        "ATTORNEY": "attorney",
        "CEASE": "cease",
    },
    "routing": {
        "card.immediate": {"executor": "portal", "notifier": "portal"},
        "card.postdated": {"executor": "host", "notifier": "portal"},
        "ach.immediate": {"executor": "host", "notifier": "portal"},
        "ach.postdated": {"executor": "host", "notifier": "portal"},
    },
    "payment_statuses": ["POSTED", "DECLINED", "CHARGEBACK", "ACH REVERSAL", "REFUND"],
    "postdate_statuses": ["PENDING"],
}


class SCollect:
    """Read and write SCollect."""

    reference_field = "FileNumber"
    executes = True
    list_name, one_account_per_entry = "", True

    def __init__(self, words: Words) -> None:
        self.words = words
        self.statuses = {people.word(theirs): ours for theirs, ours in words.status_map.items()}
        self.cell = (people.word(words.cell_phone_type), people.word(words.cell_phone_status))
        self.headers = (f"Authorization: Bearer {words.outbound_key}", "Accept: application/json")

    def unfold(self, entry: dict) -> list[dict]:
        return [entry]

    def read(self, record: dict) -> Told:
        return self._read(Reader(record))

    def read_changes(self, record: dict) -> Told:
        reader = Reader(record, partial=True)
        for name in ("FileNumber", "AsOf") + (("CurrentBalance",) if record.get("Itemization") else ()):
            if record.get(name) in (None, ""):
                reader.wrong(f"/{name}", "required", f"{name} is required.")
        return self._read(reader)

    def _read(self, reader: Reader) -> Told:
        said = reader.read(ACCOUNT)
        columns, reader.named = reader.named, set()
        person = reader.read(PERSON)
        about_them, reader.named = reader.named, set()
        itemization = self._itemization(reader, said["balance_cents"])
        options = self._options(reader)
        settlement, remarks = self._settlement(reader, said["validation_sent_on"])
        payments, postdates = self._items(reader, "Payments", said), self._items(reader, "PostDates", said)
        contacts = people.phones(reader, self.cell) + people.emails(reader)
        if reader.errors:
            raise BadRecord(reader.errors + remarks)
        said |= {
            # A credit balance is nothing owed; the itemization has already tied with the host's own figure.
            "balance_cents": max(0, said["balance_cents"] or 0),
            "status": self.statuses.get(people.word(said["host_status"] or ""), "unmapped"),
            "payment_options": options,
        }
        named = None
        if reader.partial:
            said["part"], named = self._part(reader.record, columns, about_them)
        else:
            said["listed_on"] = said["listed_on"] or said["assigned_on"]
            said["client_name"] = said["client_name"] or said["client_number"]
        placement = Placement(person=Person(**person), contacts=tuple(contacts), itemization=itemization, **said)
        return Told(placement, settlement, payments, postdates, remarks, named=named)

    def _options(self, reader: Reader) -> dict[str, Any]:
        """Read what is open to the account; an update keeps what it names as nothing, to take it away."""
        part, reader.named = reader.record.get("PaymentOptions"), set()
        options = reader.read(OPTIONS, of=part, at="/PaymentOptions") if part else {}
        if reader.partial:
            nothing = "PaymentOptions" in reader.record and part is None
            return {one.name: None for one in OPTIONS} if nothing else {name: options[name] for name in reader.named}
        return {name: value for name, value in options.items() if value is not None}

    def _part(self, record: dict, columns: set[str], person: set[str]) -> tuple[Part, frozenset[str]]:
        """Say what an update names, in our words."""
        also = {"Status": "status", "Itemization": "itemization", "PaymentOptions": "payment_options"}
        columns |= {ours for theirs, ours in also.items() if theirs in record}
        kinds = {"Phones": "phone", "Emails": "email"}
        contacts = frozenset(ours for theirs, ours in kinds.items() if theirs in record)
        lists = {"Settlement": "settlement", "Payments": "payments", "PostDates": "postdates"}
        told = frozenset(ours for theirs, ours in lists.items() if theirs in record)
        return Part(frozenset(columns), frozenset(person), contacts), told

    def _itemization(self, reader: Reader, balance_cents: int | None) -> dict[str, int]:
        if not (part := reader.record.get("Itemization")):
            return {}
        before = len(reader.errors)
        sums = reader.read(ITEMIZATION, of=part, at="/Itemization")
        if balance_cents is not None and len(reader.errors) == before:
            owed = sums["balance_cents"] + sums["interest_cents"] + sums["fees_cents"]
            if owed - sums["payments_cents"] - sums["credits_cents"] != balance_cents:
                sentence = "Balance + Interest + Fees - Payments - Credits is not CurrentBalance (RF-29)."
                reader.wrong("/Itemization", "itemization_does_not_tie", sentence)
        return sums

    def _settlement(self, reader: Reader, sent_on: date | None) -> tuple[HostSettlement | None, list[FieldError]]:
        """Read the settlement apart: an unusable one is told as an error, but must not hold a balance back."""
        if (part := reader.record.get("Settlement")) is None:
            return None, []
        apart = Reader(reader.record)
        settlement = HostSettlement(**apart.read(SETTLEMENT, of=part, at="/Settlement"))
        if not apart.errors:
            for refusal in check_settlement(settlement, validation_sent_on=sent_on):
                apart.wrong(f"/Settlement/{refusal.field}", refusal.code, refusal.sentence)
        return (HostSettlement() if apart.errors else settlement), apart.errors

    def _items(self, reader: Reader, name: str, said: dict) -> list[Line]:
        lines: dict[str, Line] = {}
        for at, item in reader.list_of(name, limit=MOST_ITEMS):
            line = reader.read(ITEM, of=item, at=at)
            if line["host_id"] in lines:
                reader.wrong(f"{at}/HostID", "duplicate", "This HostID is there twice.")
            lines[line["host_id"]] = Line(**line | {"updated_at": line["updated_at"] or said["as_of"]})
        return list(lines.values())

    def write(self, event: Outgoing) -> dict:
        message: dict[str, Any] = {
            "EventID": str(event.id),
            "Sequence": event.sequence,
            "AccountSequence": event.account_sequence,
            "FileNumber": event.reference,
            "Event": event.kind,
            "Type": TYPES.get(event.kind) or TYPES.get(event.kind.partition(".")[0], "ACTIVITY"),
            "OccurredAt": _stamp(event.occurred_at),
            "CommittedAt": _stamp(event.committed_at),
            "PostingAgent": POSTING_AGENT,
            "Data": event.data,
        }
        if event.data.get("origin") == "host":
            # The host's own news comes back as a line of the account's history, never as an instruction.
            return message
        if event.kind in PAYMENT_STATUS:
            message["Payment"] = self._payment(event)
        elif event.kind.startswith("postdate."):
            message["PostDate"] = self._postdate(event)
        return message

    def _payment(self, event: Outgoing) -> dict:
        data, status = event.data, PAYMENT_STATUS[event.kind]
        executor = (data.get("executor") or "portal").upper()
        block = {
            "PortalID": data.get("payment"),
            "PostDateID": data.get("postdate"),
            "Status": "SUBMIT" if (status, executor) == ("PENDING", "HOST") else status,
            "Processor": data.get("processor"),
            "ProcessorReference": data.get("processor_ref"),
            "DeclineCode": data.get("decline_code"),
            "Executor": executor,
            "Reinstated": data.get("reinstated"),
        }
        block = _common(block, event)
        # A bank may send back what was never booked as paid: then all of it came back.
        if moved := moved_cents(event.kind, data):
            block["Amount"] = _dollars(moved)
        if event.kind == "payment.refunded":
            # A part is an item of its own at the host, told once by this id.
            block["RefundID"] = str(event.id)
        return block

    def _postdate(self, event: Outgoing) -> dict:
        data = event.data
        block = {
            "PortalID": data.get("postdate"),
            "ArrangementID": data.get("arrangement"),
            "Number": data.get("number"),
            "Of": data.get("of"),
            "Executor": (data.get("executor") or "host").upper(),
            "Notifier": (data.get("notifier") or "portal").upper(),
            "NotBefore": data.get("not_before"),
        }
        if token := data.get("token"):
            named = {theirs: token.get(ours) for theirs, ours in TOKEN.items()}
            block["Token"] = named | {"AuthorizationID": data.get("authorization")}
        if event.kind == "postdate.hold_requested":
            block["Hold"] = data.get("hold", True)
        return _common(block, event)

    def events_request(self, messages: list[bytes]) -> Request:
        body = b"[" + b",".join(messages) + b"]"
        return Request(f"{self._base}/events", (*self.headers, "Content-Type: application/json"), body)

    def account_request(self, reference: str) -> Request:
        return Request(f"{self._base}/accounts/{quote(reference, safe='')}", self.headers)

    @property
    def _base(self) -> str:
        return self.words.base_url.rstrip("/")

    def read_results(self, body: Any) -> dict[str, Result]:
        results = body.get("results") if isinstance(body, dict) else None
        if not isinstance(results, list):
            raise BadAnswer("The answer has no results.")
        found = {}
        for line in results:
            if isinstance(line, dict) and line.get("Outcome") in ("accepted", "duplicate", "refused"):
                answer = line["Answer"] if isinstance(line.get("Answer"), dict) else {}
                granted = answer.get("Cancelled", answer.get("Held"))
                reason = str(line.get("Reason") or answer.get("Reason") or "")[:300]
                granted = granted if isinstance(granted, bool) else None
                outcome = line["Outcome"]
                found[str(line.get("EventID"))] = Result(
                    outcome != "refused", reason, granted, known=outcome == "duplicate"
                )
        return found


def _dollars(amount_cents: int) -> str:
    return f"{amount_cents // 100}.{amount_cents % 100:02d}"


def _common(block: dict, event: Outgoing) -> dict:
    data = event.data
    if (cents_ := data.get("amount_cents")) is not None:
        block["Amount"] = _dollars(cents_)
    words = {"Date": "date", "Last4": "last4", "Brand": "brand", "Funding": "funding"}
    block |= {theirs: data[ours] for theirs, ours in words.items() if data.get(ours)}
    if data.get("kind"):
        block["Method"] = data["kind"].upper()
    if data.get("authorization"):
        block["AuthorizationID"] = data["authorization"]
    if event.bank is not None:
        block["Bank"] = {"MethodID": data.get("method"), "Last4": data.get("last4"), **event.bank}
    return {name: value for name, value in block.items() if value is not None}


def _stamp(moment) -> str:
    return moment.isoformat().replace("+00:00", "Z")
