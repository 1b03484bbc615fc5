"""The payments of a due run before they are rows: their keys, their columns, and one statement that writes many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid5

from django.conf import settings
from django.db import connection

from payments.models import Arrangement, Payment
from payments.services.ready import Item

INTEND = """
INSERT INTO payments_payment ({names}) SELECT {picked}
FROM unnest(%(ids)s::uuid[], %(items)s::uuid[], %(keys)s::uuid[], %(hashes)s::text[], %(firsts)s::uuid[])
    AS given(id, postdate_id, key, hash, first_try)
JOIN payments_postdate postdate ON postdate.id = given.postdate_id
JOIN payments_arrangement arrangement ON arrangement.id = postdate.arrangement_id
JOIN payments_method method ON method.id = postdate.method_id
JOIN accounts_account account ON account.id = postdate.account_id
"""
FROM_ROWS = {
    "id": "given.id",
    "agency_id": "postdate.agency_id",
    "account_id": "postdate.account_id",
    "consumer_id": "account.consumer_id",
    "method_id": "postdate.method_id",
    "authorization_id": "arrangement.authorization_id",
    "arrangement_id": "arrangement.id",
    "postdate_id": "postdate.id",
    "processor_account_id": "method.processor_account_id",
    "idempotency_key": "given.key",
    "retry_of": "given.first_try",
    "request_hash": "given.hash",
    "kind": "method.kind",
    "executor": "postdate.executor",
    "purpose": "CASE arrangement.kind WHEN 'settlement' THEN 'parts' ELSE 'plan' END",
    "amount_cents": "postdate.amount_cents",
    "currency": "account.currency",
    "intended_at": "%(now)s",
    "expires_at": "%(expires)s",
}
"""Every other column of a payment has its model's default."""


@dataclass(slots=True, kw_only=True)
class Intended:
    """Hold a payment about to be written, as events tell it (moves.snapshot); names as in the table."""

    id: UUID
    item: Item
    idempotency_key: UUID
    currency: str
    executor: str = "portal"
    status: str = Payment.Status.INTENDED
    processor_ref: str = ""
    decline_code: str = ""
    advice_code: str = ""
    network_decline_code: str = ""
    network_advice_code: str = ""
    reference = Payment.reference

    @property
    def pk(self) -> UUID:
        return self.id

    @property
    def purpose(self) -> str:
        return "parts" if self.item.arrangement_kind == Arrangement.Kind.SETTLEMENT else "plan"

    @property
    def request_hash(self) -> str:
        asked = f"{self.idempotency_key}:{self.authorization_id}:{self.method_id}:{self.amount_cents}"
        return sha256(asked.encode()).hexdigest()

    @property
    def method(self) -> Item:
        return self.item

    @property
    def kind(self) -> str:
        return self.item.kind

    @property
    def amount_cents(self) -> int:
        return self.item.amount_cents

    @property
    def method_id(self) -> str:
        return self.item.method_id

    @property
    def authorization_id(self) -> str | None:
        return self.item.authorization_id

    @property
    def arrangement_id(self) -> str:
        return self.item.arrangement_id

    @property
    def postdate_id(self) -> str:
        return self.item.pk


def key_of(postdate_id: UUID | str, number: int) -> UUID:
    """Make the key of one try of an item: written down once, whoever makes the try and however often (PDC-06)."""
    return uuid5(UUID(str(postdate_id)), f"try {number}")


def insert(going: Sequence[Intended], now: datetime) -> None:
    """Write payments, from the rows that they are about and in one statement."""
    if not going:
        return
    names, picked, given = columns(FROM_ROWS, now)
    given |= {
        "ids": [one.id for one in going],
        "items": [one.item.pk for one in going],
        "keys": [one.idempotency_key for one in going],
        "hashes": [one.request_hash for one in going],
        "firsts": [one.item.first_try for one in going],
    }
    with connection.cursor() as cursor:
        cursor.execute(INTEND.format(names=names, picked=picked), given)


def columns(sources: Mapping[str, str], now: datetime) -> tuple[str, str, dict[str, object]]:
    """Give the columns of a payment, where each is taken from under its own name, and the parameters of that."""
    given: dict[str, object] = {"now": now, "expires": now + timedelta(seconds=settings.INTENT_LIFE)}
    names, picked = [], []
    for line in Payment._meta.concrete_fields:
        name, kind = connection.ops.quote_name(line.column), line.db_type(connection)
        if (source := sources.get(line.column)) is None:
            source = f"%({line.column})s"
            given[line.column] = line.get_db_prep_save(line.get_default(), connection)
        names.append(name)
        picked.append(f"({source})::{kind} AS {name}")
    return ", ".join(names), ", ".join(picked), given
