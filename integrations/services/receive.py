"""Receive what hosts push: authenticate, decode, read, place; good records land beside refused ones."""

import dataclasses
import hashlib
import hmac
import ipaddress
import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import DatabaseError
from django.db.models import F

from accounts import events
from accounts.crypto import blind_index
from accounts.models import Account
from accounts.services.place import Outcome, place_accounts
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import http
from integrations.hosts import Adapter, BadRecord, FieldError, Told, Words, adapter
from integrations.models import HostConnection
from payments.models import HostItem, Payment, Postdate
from payments.services.mirror import mirror
from settlements.services.offers import set_host_offers

KEY_PREFIX = "qin_"
NO_HASH = "0" * 64
VERDICTS = {"placed": "accepted", "updated": "accepted", "unchanged": "unchanged", "stale": "stale"}
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
    """Answer 413: more accounts than one request takes (settings.PUSH_LIMIT)."""


class Row(NamedTuple):
    """One record of a push and what it tells, or the errors that refuse it."""

    record: Any
    told: Told | None
    errors: list[FieldError]


def make_inbound_key(connection: HostConnection) -> str:
    """Give the connection a new key for its pushes and return it; only its hash is kept, so this is the one look."""
    prefix = secrets.token_hex(4)
    key = f"{KEY_PREFIX}{prefix}_{secrets.token_urlsafe(32)}"
    connection.inbound_key_prefix, connection.inbound_key_hash = prefix, _hash(key)
    connection.save(update_fields=["inbound_key_prefix", "inbound_key_hash"])
    return key


def authenticate(*, connection_id: UUID, key: str, ip: str) -> HostConnection:
    """Find the connection and check its key in constant time, then the address it calls from.

    :raises UnknownConnection: none, or an inactive one.
    :raises WrongKey: also when it has no key yet.
    :raises WrongAddress: the key is right.
    """
    with acting_for(ALL_AGENCIES):
        connection = HostConnection.objects.filter(pk=connection_id, is_active=True, agency__is_active=True).first()
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
    :raises TooMany: over settings.PUSH_LIMIT.
    """
    try:
        said = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    records = said if isinstance(said, list) else [said]
    if not isinstance(said, list | dict):
        raise Unreadable("The body is an account or a list of accounts.")
    if len(records) > settings.PUSH_LIMIT:
        raise TooMany(f"At most {settings.PUSH_LIMIT} accounts in one request.")
    with events.context(actor=f"host:{connection.pk}", request_id=request_id):
        return take(connection=connection, records=records, now=now)


def take(*, connection: HostConnection, records: list, now: datetime) -> dict:
    """Place records that are decoded; see `receive`."""
    reader = adapter_for(connection)
    rows = [_read(reader, record, connection.agency_id) for record in records]
    told = {id(row.told.placement): row.told for row in rows if row.told}
    outcomes = place_accounts(
        connection_id=connection.pk,
        placements=[row.told.placement for row in rows if row.told],
        now=now,
        then=lambda applied: _follow(applied, told, now),
    )
    answer = _answer(rows, outcomes)
    HostConnection.objects.filter(pk=connection.pk).update(
        last_push_at=now, stale_pushes=F("stale_pushes") + answer["stale"]
    )
    return answer


def fetch(account: Account, now: datetime) -> bool:
    """Ask the host for one account and place it; False where it did not answer in time (settings.HOST_FRESH_TIMEOUT).

    Never raises: the consumer goes on with what we have. Fills `accounts.services.fresh.ask_host`.
    """
    connection = HostConnection.objects.filter(pk=account.connection_id).first()
    if not (connection and connection.is_active and connection.fetch_at_login) or connection.unreachable_since:
        return False
    heard = http.ask(
        adapter_for(connection).account_request(account.reference),
        timeout=settings.HOST_FRESH_TIMEOUT,
        answer_limit=settings.HOST_ANSWER_LIMIT,
    )
    if heard.status != 200:
        return False
    try:
        record = _decoder.decode(heard.body)
        if not isinstance(record, dict) or str(record.get("FileNumber", "")).strip() != account.reference:
            return False
        with events.context(actor=f"host:{connection.pk}"):
            answer = take(connection=connection, records=[record], now=now)
    except (msgspec.MsgspecError, ArithmeticError, RecursionError, DatabaseError):
        return False
    if answer["unchanged"] and account.host_version is not None:
        # The host just confirmed this version: the picture is as old as its answer, not as its last change.
        Account.objects.filter(pk=account.pk, as_of__lt=now).update(as_of=now)
    return bool(answer["accepted"] or answer["unchanged"])


def adapter_for(connection: HostConnection) -> Adapter:
    """Make the connection's adapter from its row."""
    return adapter(
        connection.style,
        Words(
            base_url=connection.base_url,
            outbound_key=connection.outbound_key,
            status_map=connection.status_map,
            cell_phone_type=connection.cell_phone_type,
            cell_phone_status=connection.cell_phone_status,
        ),
    )


def _read(reader: Adapter, record: Any, agency_id: UUID) -> Row:
    if not isinstance(record, dict):
        return Row(record, None, [FieldError("", "invalid_record", "An account record is an object.")])
    try:
        told = reader.read(record)
    except BadRecord as error:
        return Row(record, None, error.errors)
    telling = {name: value for name, value in record.items() if name not in ("AsOf", "Version")}
    digest = hashlib.sha256(msgspec.json.encode(telling, order="sorted")).hexdigest()
    # Keyed, because a body holds an SSN and little else that an attacker would not know.
    body_hash = blind_index(digest, agency_id=agency_id, field="body")
    placement = dataclasses.replace(told.placement, body_hash=body_hash)
    return Row(record, told._replace(placement=placement), told.remarks)


def _follow(applied: list[Outcome], told: dict[int, Told], now: datetime) -> None:
    """Take over offers and the host's own lists, in the transaction of the accounts they belong to."""
    by_account = {outcome.account: told[id(outcome.placement)] for outcome in applied}
    set_host_offers(settlements={account: said.settlement for account, said in by_account.items()}, now=now)
    of_these = {"account__in": list(by_account)}
    listed = set(HostItem.objects.filter(**of_these).values_list("account_id", flat=True))
    ours = set(Payment.objects.filter(**of_these).values_list("account_id", flat=True))
    ours |= set(Postdate.objects.filter(**of_these).values_list("account_id", flat=True))
    for account, said in by_account.items():
        if said.payments or said.postdates or account.pk in listed or account.pk in ours:
            mirror(account=account, payments=said.payments, postdates=said.postdates, now=now)


def _answer(rows: list[Row], outcomes: list[Outcome]) -> dict:
    counts = dict.fromkeys(("received", "accepted", "unchanged", "stale", "refused"), 0) | {"received": len(rows)}
    errors, placed = [], iter(outcomes)
    for index, row in enumerate(rows):
        found = list(row.errors)
        verdict = VERDICTS.get(next(placed).verdict, "refused") if row.told else "refused"
        if row.told and verdict == "refused":
            found.append(FieldError("/Version", "conflicting_version", "This version was told with another body."))
        counts[verdict] += 1
        number = row.record.get("FileNumber") if isinstance(row.record, dict) else None
        number = str(number)[:60] if isinstance(number, str | int) else None  # anything else is not echoed
        errors += [{"index": index, "FileNumber": number, **error._asdict()} for error in found]
    return counts | {"errors": errors}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _allowed(ip: str, allowed: list[str]) -> bool:
    try:
        address = ipaddress.ip_address(ip)
        return any(address in ipaddress.ip_network(entry, strict=False) for entry in allowed)
    except ValueError:
        return False
