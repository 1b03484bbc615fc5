"""Pull from a creditor's ledger: who is past due, and the customers that were placed, with what they paid directly.

No transaction is open while the ledger is asked. What it says of a customer is taken like a push, so that stale
figures, consequences of a status and the host's own payments follow the same rules for every host.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import structlog
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop

from accounts import events
from accounts.models import Account
from accounts.refusals import Refusal, refuse
from accounts.services.place import latest
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import http
from integrations.hosts import BadAnswer
from integrations.hosts.ledger import Ledger, in_again, out
from integrations.models import HostConnection, PastDueCustomer
from integrations.services.alone import disconnected
from integrations.services.receive import adapter_for, place_rows, read_row, take
from payments.services.sign import Refused

__all__ = ["Refused", "place", "pull", "pull_due", "remove", "requirements"]

log = structlog.get_logger(__name__)
PULLED = ("ledger",)
MOST_PAGES = 500
RECORDS_AT_ONCE = 100
USUAL_MINUTES = 15
Status = PastDueCustomer.Status
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_SENTENCES = {
    "not_past_due": gettext_noop("%(reference)s is not among the past-due customers any more."),
    "placed_already": gettext_noop("%(reference)s is in collections already."),
    "not_placed": gettext_noop("%(reference)s is not in collections."),
    "reason_missing": gettext_noop("Say why."),
    "ledger_silent": gettext_noop("The ledger did not answer; nothing was changed. Try again."),
    "record_refused": gettext_noop("The ledger's record of %(reference)s is wrong; nothing was changed. %(why)s"),
    "record_stale": gettext_noop("What is known of %(reference)s is newer; nothing was changed. Try again."),
}


class Unanswered(OSError):
    """Try again later: the ledger gave no answer of its own."""

    def __init__(self, heard: http.Heard) -> None:
        super().__init__(f"HTTP {heard.status} {heard.error}".strip())
        self.heard = heard


class Requirements(NamedTuple):
    """Say what a ledger lacks, by stable names, and how long it took to ask."""

    missing: list[str]
    duration_ms: float


class Pulled(NamedTuple):
    """Count what a pull brought."""

    listed: int
    placed: int
    updated: int
    refused: int


def requirements(connection: HostConnection) -> Requirements:
    """Ask what the ledger has switched on, and keep what is missing with the connection.

    :raises Unanswered: no answer, or none of a ledger.
    """
    adapter = _ledger(connection)
    body, heard = _ask(adapter.settings_request())
    missing = _read(adapter.read_settings, body, heard)
    if missing != connection.missing:
        HostConnection.objects.filter(pk=connection.pk).update(missing=missing)
        connection.missing = missing
    return Requirements(missing, heard.duration_ms)


def pull(*, connection: HostConnection, now: datetime) -> Pulled:
    """Pull the list of past-due customers, place those whose terms say so, and renew what is placed.

    Runs in the scope of the connection's agency.

    :raises Unanswered: what was learnt before stays; the next pull goes on.
    """
    adapter = _ledger(connection)
    requirements(connection)
    listed = list(_past_due(adapter))
    chosen = _note(connection, listed, now)
    answer = _renew(connection, adapter, now)
    HostConnection.objects.filter(pk=connection.pk).update(pulled_at=now)
    return Pulled(len(listed), chosen, answer["accepted"], answer["refused"])


def pull_due(*, now: datetime) -> int:
    """Pull every ledger whose time has come, all agencies; a silent one holds up nobody. Return how many answered."""
    done = 0
    with acting_for(ALL_AGENCIES):
        rows = list(HostConnection.objects.filter(style__in=PULLED, is_active=True).order_by("pk"))
    for row in rows:
        with acting_for(row.agency_id):
            try:
                if _is_due(row, now):
                    pull(connection=row, now=now)
                    done += 1
            except Unanswered:
                continue
            except Exception:
                if disconnected():
                    raise
                # What is wrong with one ledger is no other agency's trouble; it is asked again at the next turn.
                log.exception("ledger_not_pulled", connection=str(row.pk))
    return done


def _is_due(row: HostConnection, now: datetime) -> bool:
    minutes = int(row.terms.get("pull_minutes") or USUAL_MINUTES)
    return row.pulled_at is None or row.pulled_at <= now - timedelta(minutes=minutes)


def place(*, customer: PastDueCustomer, by: str, now: datetime) -> None:
    """Put a past-due customer into collections: the ledger is asked once more, the account is placed, a flag follows.

    :raises Refused: placed already, or not there any more, or the ledger is silent, or its record cannot be taken;
        nothing is written.
    """
    if customer.status == Status.PLACED:
        raise Refused([_no("placed_already", customer)])
    connection = customer.connection
    record = _record(connection, customer)
    if customer.status == Status.REMOVED:
        record = in_again(record, _later(customer, now))
    with transaction.atomic(), events.context(actor=by):
        _decide(customer, Status.PLACED, by, "")
        answer = take(connection=connection, records=[record], now=now)
        if answer["refused"]:
            why = " ".join(f"{error['pointer']}: {error['message']}" for error in answer["errors"])
            raise Refused([_no("record_refused", customer, why=why)])
        if answer["stale"]:
            raise Refused([_no("record_stale", customer)])
    customer.status = Status.PLACED


def remove(*, customer: PastDueCustomer, reason: str, by: str, now: datetime) -> None:
    """Take a customer out of collections: the account is recalled at once, and the ledger clears flag and warning.

    Nothing else of the ledger's record is needed for that, so nothing that is wrong with it stands in the way.

    :raises Refused: not placed, or no reason; nothing is written.
    """
    found = [_no("not_placed", customer)] if customer.status != Status.PLACED else []
    if not reason.strip():
        found.append(refuse(_SENTENCES["reason_missing"], "reason_missing", field="reason"))
    if found:
        raise Refused(found)
    with transaction.atomic(), events.context(actor=by):
        _decide(customer, Status.REMOVED, by, reason.strip())
        _recall(customer, now)
    customer.status = Status.REMOVED


def _recall(customer: PastDueCustomer, now: datetime) -> None:
    """Change the status of the customer's account and nothing else; one that was never placed has none."""
    connection = customer.connection
    reader = adapter_for(connection, canonical=True)
    said = out({"FileNumber": customer.reference}, _later(customer, now))
    row = read_row(reader.read_changes, said, connection.agency_id)
    (outcome,) = place_rows(connection=connection, rows=[row], now=now)
    if not outcome.applied and outcome.verdict != "unknown":
        raise Refused([_no("record_stale", customer)])


def _later(customer: PastDueCustomer, now: datetime) -> datetime:
    """Give a moment after the picture that we have of the account: the ledger's clock may be ahead of ours."""
    accounts = Account.objects.filter(connection_id=customer.connection_id, reference=customer.reference)
    seen = accounts.filter(as_of__lt=latest(now)).values_list("as_of", flat=True).first()
    return max(now, seen + timedelta(microseconds=1)) if seen else now


def _decide(customer: PastDueCustomer, status: str, by: str, reason: str) -> None:
    row = PastDueCustomer.objects.select_for_update().get(pk=customer.pk)
    if row.status != customer.status:
        raise Refused([_no("placed_already" if row.status == Status.PLACED else "not_placed", customer)])
    row.status, row.decided_by, row.reason = status, by[:80], reason[:300]
    row.save(update_fields=["status", "decided_by", "reason"])


def _record(connection: HostConnection, customer: PastDueCustomer) -> dict:
    adapter = _ledger(connection)
    try:
        body, _heard = _ask(adapter.account_request(customer.reference))
    except Unanswered as error:
        code = "not_past_due" if error.heard.status == 404 else "ledger_silent"
        raise Refused([_no(code, customer)]) from error
    if not isinstance(body, dict):
        raise Refused([_no("ledger_silent", customer)])
    return body


def _past_due(adapter: Ledger) -> Iterator:
    after = ""
    for _page in range(MOST_PAGES):
        body, heard = _ask(adapter.past_due_request(after))
        found, after = _read(adapter.read_past_due, body, heard)
        yield from found
        if not after:
            return


@transaction.atomic
def _note(connection: HostConnection, listed: Sequence, now: datetime) -> int:
    """Write down who is past due; place those of a connection whose terms say so. Return how many were placed."""
    standing = {row.reference: row for row in PastDueCustomer.objects.filter(connection=connection)}
    made, chosen = [], 0
    at_once = connection.terms.get("place") == "automatically"
    # A list that moves while its pages are read names a customer twice: what was said last counts.
    for one in {one.reference: one for one in listed}.values():
        values = {
            "name": one.name,
            "open_cents": one.open_cents,
            "oldest_due_on": one.oldest_due_on,
            "invoices": one.invoices,
            "seen_at": now,
        }
        row = standing.pop(one.reference, None)
        if row is None:
            status = Status.PLACED if at_once else Status.LISTED
            row = PastDueCustomer(connection=connection, reference=one.reference, status=status, **values)
            row.decided_by = "terms" if at_once else ""
            chosen += at_once
            made.append(row)
        else:
            PastDueCustomer.objects.filter(pk=row.pk).update(**values)
    PastDueCustomer.objects.bulk_create(made)
    gone = [row.pk for row in standing.values() if row.status == Status.LISTED]
    PastDueCustomer.objects.filter(pk__in=gone).delete()
    return chosen


def _renew(connection: HostConnection, adapter: Ledger, now: datetime) -> dict[str, int]:
    """Take the records of everybody who was placed: what they paid the creditor directly lowers what they owe."""
    statuses = dict(
        PastDueCustomer.objects.filter(connection=connection, status__in=(Status.PLACED, Status.REMOVED))
        .order_by("reference")
        .values_list("reference", "status")
    )
    references = list(statuses)
    total = {"accepted": 0, "refused": 0}
    for start in range(0, len(references), RECORDS_AT_ONCE):
        body, heard = _ask(adapter.records_request(references[start : start + RECORDS_AT_ONCE]))
        records = body.get("Customers") if isinstance(body, dict) else None
        if not isinstance(records, list):
            raise Unanswered(heard)
        # A flag that is not cleared yet must not bring back whom staff removed.
        known = [
            out(record, now) if statuses.get(str(record.get("Customer"))) == Status.REMOVED else record
            for record in records
            if isinstance(record, dict)
        ]
        with events.context(actor=f"host:{connection.pk}"):
            answer = take(connection=connection, records=known, now=now)
        for name in total:
            total[name] += answer[name]
    return total


def _ledger(connection: HostConnection) -> Ledger:
    adapter = adapter_for(connection)
    assert isinstance(adapter, Ledger), connection.style
    return adapter


def _ask(request) -> tuple[Any, http.Heard]:
    heard = http.ask(request, timeout=settings.HOST_TIMEOUT, answer_limit=settings.HOST_ANSWER_LIMIT)
    if heard.status != 200:
        raise Unanswered(heard)
    try:
        return _decoder.decode(heard.body), heard
    except (msgspec.MsgspecError, ArithmeticError, RecursionError) as error:
        raise Unanswered(heard._replace(status=0, error=f"not JSON: {error}"[:200])) from error


def _read(reader, body: Any, heard: http.Heard) -> Any:
    try:
        return reader(body)
    except BadAnswer as error:
        raise Unanswered(heard._replace(status=0, error=str(error)[:200])) from error


def _no(code: str, customer: PastDueCustomer, **said: str) -> Refusal:
    return refuse(_SENTENCES[code], code, reference=customer.reference, **said)
