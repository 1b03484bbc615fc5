"""Receive what hosts push: authenticate, decode, read, place; good records land beside refused ones."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import DatabaseError
from django.db import connection as database
from django.db.models import F, Q, QuerySet

from accounts import events
from accounts.bulk import in_one
from accounts.crypto import blind_index
from accounts.known import known
from accounts.models import Account
from accounts.services.place import CHUNK, Outcome, place_accounts
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import http
from integrations.hosts import Adapter, BadRecord, FieldError, Told, Words, adapter
from integrations.hosts.ledger import out
from integrations.hosts.reading import MORE_ERRORS, MOST_ERRORS
from integrations.models import HostConnection, PastDueCustomer
from integrations.services import allocate, pace, reopen
from payments.models import HostItem, Payment, Postdate
from payments.services.mirror import mirror
from settlements.models import IndividualOffer
from settlements.services.offers import set_host_offers

KEY_PREFIX = "qin_"
CANONICAL = "scollect"
NO_HASH = "0" * 64
LISTED = 25
"""Accounts in one transaction where the host lists payments: each is looked at by itself, and a consumer who pays on
one of them waits for all."""
HEARD_TO = timedelta(seconds=1)
"""How exactly a connection says when its host was heard last."""
VERDICTS = {"placed": "accepted", "updated": "accepted", "unchanged": "unchanged", "stale": "stale"}
REFUSED = {
    "conflict": FieldError("/Version", "conflicting_version", "This version was told with another body."),
    "future": FieldError("/AsOf", "as_of_in_future", "Nobody can have seen this yet: AsOf is more than a day ahead."),
    "unknown": FieldError("", "unknown_account", "There is no such account: an update changes what was placed."),
    "unknown_client": FieldError("/ClientNumber", "unknown_client", "No account was placed for this client yet."),
    "finished": FieldError(
        "/Status",
        "reopening_refused",
        "This debt was paid, settled or discharged here: say why it is collected again (ReopenReason), or ask the "
        "agency's staff to allow it (RF-27).",
    ),
}
STANDING = " UNION ".join(
    f"SELECT {is_listed}, account_id FROM {model._meta.db_table} WHERE account_id = ANY(%s::uuid[])"  # noqa: S608 - our own tables
    for is_listed, model in ((0, IndividualOffer), (1, HostItem), (1, Payment), (1, Postdate))
)
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class UnknownConnection(LookupError):
    """Answer 404: there is no such connection."""


class WrongKey(PermissionError):
    """Answer 401: this is not the connection's key."""


class WrongAddress(PermissionError):
    """Answer 403: the key is right, the caller's address is not on the list."""


class Unreadable(ValueError):
    """Answer 400: the body is not JSON of an account or a list of accounts."""


class TooMany(ValueError):
    """Answer 413: more than one request takes (settings.PUSH_LIMIT, settings.PUSH_OBJECTS)."""


class Row(NamedTuple):
    """One record of a push and what it tells, or the errors that refuse it; `unlisted` are counted only."""

    record: Any
    told: Told | None
    errors: list[FieldError]
    index: int = 0
    unlisted: int = 0


def make_inbound_key(connection: HostConnection) -> str:
    """Give the connection a new key for its pushes and return it; only its hash is kept, so this is the one look."""
    prefix = secrets.token_hex(4)
    key = f"{KEY_PREFIX}{prefix}_{secrets.token_urlsafe(32)}"
    connection.inbound_key_prefix, connection.inbound_key_hash = prefix, _hash(key)
    connection.save(update_fields=["inbound_key_prefix", "inbound_key_hash"])
    return key


@known
def _active(connection_id: UUID) -> QuerySet[HostConnection]:
    return HostConnection.objects.filter(pk=connection_id, is_active=True, agency__is_active=True)


def authenticate(*, connection_id: UUID, key: str, ip: str) -> HostConnection:
    """Find the connection and check its key in constant time, then the address it calls from.

    :raises UnknownConnection: none, or an inactive one.
    :raises WrongKey: also when it has no key yet.
    :raises WrongAddress: the key is right.
    """
    with acting_for(ALL_AGENCIES):
        connection = _active.first(connection_id)
    if connection is None:
        raise UnknownConnection(connection_id)
    right = hmac.compare_digest(_hash(key), connection.inbound_key_hash or NO_HASH)
    if not (right and connection.inbound_key_hash):
        raise WrongKey
    if connection.ip_allow and not _allowed(ip, connection.ip_allow):
        raise WrongAddress(ip)
    return connection


def receive(*, connection: HostConnection, body: bytes, now: datetime, request_id: str = "") -> dict:
    """Read and place a push; return the counts and every error by the position of its record.

    Runs in the scope of the connection's agency.

    :raises Unreadable: not JSON, or not accounts.
    :raises TooMany: over settings.PUSH_LIMIT or settings.PUSH_OBJECTS; nothing is placed.
    """
    if body.count(b"{") > settings.PUSH_OBJECTS:
        raise TooMany(f"At most {settings.PUSH_OBJECTS} objects in one request.")
    try:
        said = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    records = said if isinstance(said, list) else [said]
    if not isinstance(said, list | dict):
        raise Unreadable("The body is an account or a list of accounts.")
    with events.context(actor=f"host:{connection.pk}", request_id=request_id), pace.undisturbed(len(records)):
        return take(connection=connection, records=records, now=now)


def take(*, connection: HostConnection, records: list, now: datetime) -> dict:
    """Place records that are decoded; see `receive`."""
    reader = adapter_for(connection)
    rows: list[Row] = []
    listed = 0
    for row in _rows(reader, records, connection.agency_id):
        if len(rows) == settings.PUSH_LIMIT:
            raise TooMany(f"At most {settings.PUSH_LIMIT} accounts in one request.")
        kept = row.errors[: max(settings.PUSH_ERRORS - listed, 0)]
        listed += len(kept)
        rows.append(row._replace(errors=kept, unlisted=len(row.errors) - len(kept)))
    at_once = LISTED if any(row.told and (row.told.payments or row.told.postdates) for row in rows) else CHUNK
    outcomes = place_rows(connection=connection, rows=rows, now=now, at_once=at_once)
    answer = _answer(rows, outcomes, reader)
    note_push(connection, stale=answer["stale"], now=now)
    return answer


def _rows(reader: Adapter, records: list, agency_id: UUID) -> Iterator[Row]:
    """Read records one by one, each account of an entry with several apart."""
    for index, record in enumerate(records):
        try:
            ones = _unfolded(reader, record)
        except BadRecord as error:
            yield Row(record, None, error.errors, index)
            continue
        for one in ones:
            yield read_row(reader.read, one, agency_id, index=index)


def _unfolded(reader: Adapter, record: Any) -> list:
    unfold = getattr(reader, "unfold", None)
    return unfold(record) if unfold and isinstance(record, dict) else [record]


def is_of(account: Account, record: Any, reader: Adapter) -> bool:
    """Tell whether what a host says tells of this account, and of no other one."""
    try:
        ones = _unfolded(reader, record)
    except BadRecord:
        return False
    told = [str(one.get(reader.reference_field, "")).strip() for one in ones if isinstance(one, dict)]
    return told == [account.reference]


def place_rows(*, connection: HostConnection, rows: list[Row], now: datetime, at_once: int = CHUNK) -> list[Outcome]:
    """Place what rows tell, with offers and the host's lists; give an outcome for each row that tells anything."""
    told = {id(row.told.placement): row.told for row in rows if row.told}
    customers = not getattr(adapter_for(connection), "account_is_one_debt", True)
    outcomes = place_accounts(
        connection_id=connection.pk,
        placements=[row.told.placement for row in rows if row.told],
        now=now,
        at_once=at_once,
        then=lambda applied: _follow(applied, told, now),
        refuse_reopening=lambda asked: reopen.refused(asked, told, customers=customers),
    )
    reopen.tell(outcomes, connection=connection, now=now)
    return outcomes


def note_push(connection: HostConnection, *, stale: int, now: datetime) -> None:
    """Note that the host was heard, to the second, and how much of it was old, exactly.

    A push that adds nothing to that writes nothing: one row per host would be where all its pushes wait.
    """
    known = HostConnection.objects.filter(pk=connection.pk)
    if not stale:
        known = known.filter(Q(last_push_at=None) | Q(last_push_at__lt=now - HEARD_TO))
    known.update(last_push_at=now, stale_pushes=F("stale_pushes") + stale)


@known
def _connection(connection_id: UUID | None) -> QuerySet[HostConnection]:
    return HostConnection.objects.filter(pk=connection_id)


def fetch(account: Account, now: datetime) -> bool:
    """Ask the host for one account and place it; False where it did not answer in time (settings.HOST_FRESH_TIMEOUT).

    Never raises: the consumer goes on with what we have. Fills `accounts.services.fresh.ask_host`.
    """
    connection = _connection.first(account.connection_id)
    if not (connection and connection.is_active and connection.fetch_at_login) or connection.unreachable_since:
        return False
    reader = adapter_for(connection)
    heard = http.ask(
        reader.account_request(account.reference),
        timeout=settings.HOST_FRESH_TIMEOUT,
        answer_limit=settings.HOST_ANSWER_LIMIT,
    )
    if heard.status != 200:
        return False
    try:
        record = _decoder.decode(heard.body)
        if not is_of(account, record, reader):
            return False
        if not getattr(reader, "account_is_one_debt", True) and _is_out(connection, account.reference):
            record = out(record, now)
        with events.context(actor=f"host:{connection.pk}"):
            answer = take(connection=connection, records=[record], now=now)
    except (msgspec.MsgspecError, ArithmeticError, RecursionError, DatabaseError):
        return False
    if answer["unchanged"] and account.host_version is not None:
        # The host just confirmed this version: the picture is as old as its answer, not as its last change.
        Account.objects.filter(pk=account.pk, as_of__lt=now).update(as_of=now)
    return bool(answer["accepted"] or answer["unchanged"])


def _is_out(connection: HostConnection, reference: str) -> bool:
    """Tell whether staff took a ledger's customer out of collections: a flag that still stands brings nobody back."""
    removed = PastDueCustomer.Status.REMOVED
    return PastDueCustomer.objects.filter(connection=connection, reference=reference, status=removed).exists()


def adapter_for(connection: HostConnection, *, canonical: bool = False) -> Adapter:
    """Make the connection's adapter from its row.

    :param canonical: the one for records that a file format has put into canonical names.
    """
    return adapter(CANONICAL if canonical else connection.style, words_of(connection))


def words_of(connection: HostConnection) -> Words:
    """Read a connection's words from its row."""
    return Words(
        base_url=connection.base_url,
        outbound_key=connection.outbound_key,
        status_map=connection.status_map,
        cell_phone_type=connection.cell_phone_type,
        cell_phone_status=connection.cell_phone_status,
        vocabulary=connection.vocabulary,
        terms=connection.terms,
    )


def decode(body: bytes) -> Any:
    """Read JSON as hosts send it: numbers with a point stay exact.

    :raises ValueError: not JSON.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, ArithmeticError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read_row(
    read: Callable[[dict], Told], record: Any, agency_id: UUID, *, line_hash: UUID | None = None, index: int = 0
) -> Row:
    """Read one record, whole or of an update, by the adapter's function for it.

    :param index: where it stood in what was sent.
    """
    if not isinstance(record, dict):
        return Row(record, None, [FieldError("", "invalid_record", "An account record is an object.")], index)
    try:
        told = read(record)
    except BadRecord as error:
        found = error.errors
        return Row(record, None, found if len(found) <= MOST_ERRORS else [*found[:MOST_ERRORS], MORE_ERRORS], index)
    telling = {name: value for name, value in record.items() if name not in ("AsOf", "Version")}
    digest = hashlib.sha256(msgspec.json.encode(telling, order="sorted")).hexdigest()
    # Keyed, because a body holds an SSN and little else that an attacker would not know.
    body_hash = blind_index(digest, agency_id=agency_id, field="body")
    told.placement.stamp(body_hash=body_hash, line_hash=line_hash)
    return Row(record, told, told.remarks, index)


def _follow(applied: list[Outcome], told: dict[int, Told], now: datetime) -> None:
    """Take over offers and the host's own lists, in the transaction of the accounts they belong to."""
    pairs = [(outcome.account, told[id(outcome.placement)]) for outcome in applied]
    # Of an account that was just made nothing can stand yet.
    there = {outcome.account.id for outcome in applied if outcome.verdict != "placed"}
    if any(said.invoices is not None for _account, said in pairs):
        allocate.keep({account: said.invoices or [] for account, said in pairs})
    offering = [(account, said.settlement) for account, said in pairs if said.tells("settlement")]
    listing = [(account, said) for account, said in pairs if said.tells("payments") or said.tells("postdates")]
    silent = {account.id for account, said in offering if said is None}
    silent |= {account.id for account, said in listing if not (said.payments or said.postdates)}
    offered, listed = _standing(silent & there)
    # Where nothing is said and nothing stands there is nothing to do.
    if news := {account: said for account, said in offering if said is not None or account.id in offered}:
        set_host_offers(settlements=news, now=now)
    for account, said in listing:
        if said.payments or said.postdates or account.id in listed:
            mirror(
                account=account,
                payments=said.payments if said.tells("payments") else None,
                postdates=said.postdates if said.tells("postdates") else None,
                now=now,
            )


def _standing(account_ids: set[UUID]) -> tuple[set[UUID], set[UUID]]:
    """Give those of the accounts for which an offer stands, and those with anything that a host's list tells of."""
    found: tuple[set[UUID], set[UUID]] = set(), set()
    if not account_ids:
        return found
    with database.cursor() as cursor:
        cursor.execute(STANDING, [in_one(account_ids)] * STANDING.count("%s"))
        for is_listed, account_id in cursor.fetchall():
            found[is_listed].add(account_id)
    return found


def refusal(outcome: Outcome, reader: Adapter) -> FieldError:
    """Say why a placement was refused, at its place in the record as the host sent it."""
    error = REFUSED[outcome.verdict]
    return error._replace(pointer=getattr(reader, "pointer", str)(error.pointer))


def _answer(rows: list[Row], outcomes: list[Outcome], reader: Adapter) -> dict:
    counts = dict.fromkeys(("received", "accepted", "unchanged", "stale", "refused"), 0) | {"received": len(rows)}
    errors, unlisted, placed = [], 0, iter(outcomes)
    for row in rows:
        found = list(row.errors)
        outcome = next(placed) if row.told else None
        verdict = VERDICTS.get(outcome.verdict, "refused") if outcome else "refused"
        if outcome and verdict == "refused":
            found.append(refusal(outcome, reader))
        counts[verdict] += 1
        number = row.record.get(reader.reference_field) if isinstance(row.record, dict) else None
        number = str(number)[:60] if isinstance(number, str | int) else None  # anything else is not echoed
        room = settings.PUSH_ERRORS - len(errors)
        errors += [{"index": row.index, reader.reference_field: number, **error._asdict()} for error in found[:room]]
        unlisted += row.unlisted + len(found[room:])
    return counts | {"errors": errors, "unlisted_errors": unlisted}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _allowed(ip: str, allowed: list[str]) -> bool:
    try:
        address = ipaddress.ip_address(ip)
        return any(address in ipaddress.ip_network(entry, strict=False) for entry in allowed)
    except ValueError:
        return False
