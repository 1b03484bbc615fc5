"""What the gates look at for many due items at once: a few statements for a thousand of them, then pure rules.

The statements run in the due run's transaction, after the accounts are locked, so what they read stays true until the
payments are intended. Plain SQL: building rows of nine models for each item would cost more than all of the gates.
Ids are text here, as events tell them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from json import loads
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.calendars import local_date
from accounts.licensing import Licensed, missing
from payments.models import Arrangement, Payment
from payments.rules import cards, gates
from payments.rules.attempts import FailedAttempt
from payments.rules.cards import CardDisclosures, CardPolicy
from payments.rules.gates import Authority, ChargeFacts
from payments.rules.retries import run_on
from payments.services.means import policy_of
from payments.services.tries import FAILED, attempt_of
from settlements.rules import old_debts
from settlements.rules.offers import Allowed
from settlements.services import offers

LOCK = """
SELECT id::text, agency_id::text, consumer_id::text, event_seq, payment_options::text FROM accounts_account
WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
"""Never waits: an account that somebody works on now is left for the next run. Always in the order of ids."""

ITEMS = """
SELECT postdate.id::text, postdate.account_id::text, postdate.arrangement_id::text, postdate.number, postdate.of,
    postdate.due_on, postdate.not_before_at, postdate.amount_cents, postdate.executor, postdate.tries,
    arrangement.kind, arrangement.status, arrangement.authorization_id::text,
    authz.revoked_at, authz.method_id = method.id, authz.accepted_at,
    authz.lines @> jsonb_build_array(jsonb_build_array(postdate.due_on::text, postdate.amount_cents))
        OR coalesce(authz.lines @> jsonb_build_array(change.about->'was'), false),
    method.id::text, method.kind, method.brand, method.funding, method.last4, method.fingerprint, method.stored,
    method.removed_at, method.blocked_at, method.update_pending IS NOT NULL, method.validated_at,
    method.processor_method,
    merchant.is_active, merchant.debits_paused_at,
    consumer.time_zone, consumer.state, account.agency_id::text,
    account.status, account.balance_cents, account.as_of, account.currency, account.debt_type,
    account.payment_options::text, account.original_creditor, account.reference, account.description,
    account.contract_on, account.sol_status, account.sol_on,
    client.allow_visa_credit, agency.allow_visa_credit, agency.balance_fresh_hours, agency.phone,
    notice.sent_at, notice.channel, change.kind,
    CASE WHEN change.status = 'sent' THEN change.sent_at END, change.channel
FROM payments_postdate postdate
JOIN payments_arrangement arrangement ON arrangement.id = postdate.arrangement_id
JOIN payments_method method ON method.id = postdate.method_id
JOIN accounts_account account ON account.id = postdate.account_id
JOIN accounts_consumer consumer ON consumer.id = account.consumer_id
JOIN accounts_client client ON client.id = account.client_id
JOIN accounts_agency agency ON agency.id = account.agency_id
LEFT JOIN payments_authorization authz ON authz.id = arrangement.authorization_id
LEFT JOIN payments_processoraccount merchant ON merchant.id = method.processor_account_id
LEFT JOIN payments_notice notice
    ON notice.postdate_id = postdate.id AND notice.kind = 'predebit' AND notice.status = 'sent'
LEFT JOIN payments_notice change
    ON change.postdate_id = postdate.id AND change.kind IN ('varying', 'date_change')
WHERE postdate.id = ANY(%s::uuid[])
ORDER BY postdate.account_id, postdate.due_on, postdate.number, postdate.id
"""

WAITING = """
SELECT payment.account_id::text, payment.id::text, payment.status, payment.purpose, payment.amount_cents,
    payment.postdate_id::text,
    (SELECT coalesce(sum(entry.amount_cents), 0) FROM payments_ledgerentry entry
     WHERE entry.payment_id = payment.id AND entry.book = 'debt' AND entry.reason = 'refund')
FROM payments_payment payment
WHERE payment.account_id = ANY(%s::uuid[]) AND payment.status = ANY(%s) AND payment.acknowledged_at IS NULL
"""
"""Own payments that the host does not show yet, less what was given back (services.owed)."""

DISPUTED = "SELECT account_id::text FROM payments_dispute WHERE account_id = ANY(%s::uuid[]) AND status = 'open'"

ACKNOWLEDGED = """
SELECT DISTINCT account_id::text FROM accounts_event
WHERE account_id = ANY(%s::uuid[]) AND kind = 'sol_notice.acknowledged'
"""

LICENCES = """
SELECT licence.agency_id::text, licence.state, licence.starts_on, licence.ends_on, licence.line
FROM accounts_licence licence JOIN accounts_agency agency ON agency.id = licence.agency_id
WHERE agency.licensed_only AND agency.id = ANY(%s::uuid[])
"""
"""Of agencies that collect only where they are licensed (ST-09)."""

TRIED = """
SELECT DISTINCT mine.id::text, payment.id::text
FROM payments_method mine
JOIN payments_method same ON same.agency_id = mine.agency_id AND same.fingerprint = mine.fingerprint
    AND same.kind = mine.kind
JOIN payments_payment payment ON payment.method_id = same.id
WHERE mine.id = ANY(%s::uuid[]) AND mine.fingerprint <> '' AND payment.status = ANY(%s)
    AND payment.decided_at IS NOT NULL
"""
"""Failed tries with the same card or bank account of the agency, whoever made them (CARD-07, CARD-08)."""


@dataclass(slots=True)
class Locked:
    """Hold an account whose row is locked, as much of it as events need."""

    pk: str
    agency_id: str
    consumer_id: str
    event_seq: int
    payment_options: str
    consumer: SimpleNamespace = field(default_factory=SimpleNamespace)

    @property
    def id(self) -> str:
        """The same as `pk`: whoever writes many events reads this one, which costs a model nothing."""
        return self.pk


@dataclass(slots=True)
class Item:
    """Hold a due item with what it is charged by; names as in the tables, in the order of `ITEMS`."""

    pk: str
    account_id: str
    arrangement_id: str
    number: int
    of: int
    due_on: date
    not_before_at: datetime
    amount_cents: int
    executor: str
    tries: int
    arrangement_kind: str
    arrangement_status: str
    authorization_id: str | None
    revoked_at: datetime | None
    signed_for: bool | None
    accepted_at: datetime | None
    covered: bool | None
    method_id: str
    kind: str
    brand: str
    funding: str
    last4: str
    fingerprint: str
    stored: bool
    removed_at: datetime | None
    blocked_at: datetime | None
    update_pending: bool
    validated_at: datetime | None
    processor_method: str
    merchant_active: bool | None
    debits_paused_at: datetime | None
    zone: str
    state: str
    agency_id: str
    account_status: str
    balance_cents: int
    as_of: datetime
    currency: str
    debt_type: str
    payment_options: str
    original_creditor: str
    reference: str
    description: str
    contract_on: date | None
    sol_status: str
    sol_on: date | None
    client_visa_credit: bool | None
    agency_visa_credit: bool
    fresh_hours: int
    ask_where: str
    notice_sent_at: datetime | None
    notice_channel: str | None
    change_kind: str | None
    change_sent_at: datetime | None
    change_channel: str | None
    waiting_cents: int = 0
    settled: bool = False
    undecided: str | None = None
    undecided_is_mine: bool = False
    disputed: bool = False
    acknowledged: bool = False
    unlicensed: bool = False
    failed: tuple[FailedAttempt, ...] = ()
    first_try: str | None = None

    @property
    def run_on(self) -> date:
        """The day it may be sent: bank debits wait for a banking day (CAL-02)."""
        return run_on(self.due_on, self.kind)

    @property
    def since(self) -> datetime:
        """When this try could first have been made, near enough to lose patience by."""
        mine = [attempt.at + max(attempt.wait, timedelta(days=3)) for attempt in self.failed if attempt.same_item]
        return max([self.not_before_at, *mine])


def lock(account_ids: Sequence[str]) -> dict[str, Locked]:
    """Lock the accounts that nobody else has locked, in the order of their ids."""
    return {row[0]: Locked(*row) for row in _all(LOCK, [list(account_ids)])}


def read(postdate_ids: Sequence[str], *, now: datetime) -> list[Item]:
    """Read items, whose accounts are locked, with all that decides about them; in the order of account and due date."""
    items = [Item(*row) for row in _all(ITEMS, [list(postdate_ids)])]
    accounts = [item.account_id for item in items]
    waiting: dict[str, list[tuple]] = defaultdict(list)
    for row in _all(WAITING, [accounts, list(Payment.COUNTED)]):
        waiting[row[0]].append(row)
    disputed = {row[0] for row in _all(DISPUTED, [accounts])}
    old = [item.account_id for item in items if sol_needed(item, now)]
    acknowledged = {row[0] for row in _all(ACKNOWLEDGED, [old])} if old else set()
    failed = _failed([item.method_id for item in items])
    licences: dict[str, list[Licensed]] = defaultdict(list)
    for agency, *licence in _all(LICENCES, [list({item.agency_id for item in items})]):
        licences[agency].append(Licensed(*licence))
    for item in items:
        _count(item, waiting[item.account_id])
        item.disputed = item.account_id in disputed
        item.acknowledged = item.account_id in acknowledged
        item.unlicensed = missing(licences[item.agency_id], item.state, local_date(now, item.zone))
        if tried := failed.get(item.method_id):
            _tried(item, tried)
    return items


def _count(item: Item, waiting: Sequence[tuple]) -> None:
    for _account, payment_id, status, purpose, cents, postdate_id, back_cents in waiting:
        item.waiting_cents += cents - back_cents
        if status == Payment.Status.INTENDED:
            item.undecided, item.undecided_is_mine = payment_id, postdate_id == item.pk
        elif purpose == "settlement":
            item.settled = True


def _failed(method_ids: Sequence[str]) -> dict[str, list[Payment]]:
    pairs = _all(TRIED, [list(method_ids), list(FAILED)])
    known = Payment.objects.select_related("method").filter(pk__in=[payment for _method, payment in pairs])
    rows = {str(payment.pk): payment for payment in known} if pairs else {}
    found: dict[str, list[Payment]] = defaultdict(list)
    for method, payment in pairs:
        found[method].append(rows[payment])
    return found


def _tried(item: Item, tried: Sequence[Payment]) -> None:
    item.failed = tuple(attempt_of(payment, item=UUID(item.pk)) for payment in tried)
    mine = [payment for payment in tried if str(payment.postdate_id) == item.pk]
    if mine:
        item.first_try = str(min(mine, key=lambda one: one.intended_at).pk)


def sol_needed(item: Item, now: datetime) -> bool:
    """Tell whether a time-barred notice must have been acknowledged (SOL-02)."""
    today = local_date(now, item.zone)
    return old_debts.notice_needed(item.state, item.sol_status or "unknown", item.sol_on, today)


def refusals(item: Item, *, now: datetime) -> list[str]:
    """List the codes of every gate that stops this item now; an empty list lets it be charged."""
    codes = [one.code for one in gates.charge_gates(facts_of(item, now=now))]
    if item.due_on <= local_date(now, item.zone) < item.run_on:
        codes.append("not_a_banking_day")
    if item.arrangement_status not in (Arrangement.Status.PERFORMING, Arrangement.Status.LATE):
        codes.append("arrangement_not_running")
    if not item.merchant_active or not item.processor_method:
        codes.append("no_processor")
    return list(dict.fromkeys(codes))


def facts_of(item: Item, *, now: datetime) -> ChargeFacts:
    """Gather what the gates look at."""
    needed = sol_needed(item, now)
    allowed = allowed_by(item.payment_options).methods(2 if item.of > 1 else 1)
    lines = ((item.due_on, item.amount_cents),) if item.covered else ()
    card = item.kind == "card"
    return ChargeFacts(
        now=now,
        zone=item.zone,
        scheduled=True,
        amount_cents=item.amount_cents,
        due_on=item.due_on,
        account_status=item.account_status,
        unlicensed=item.unlicensed,
        dispute_open=item.disputed,
        sol_notice_needed=needed,
        sol_acknowledged=needed and item.acknowledged,
        balance_cents=item.balance_cents,
        balance_as_of=item.as_of,
        balance_max_age=timedelta(hours=item.fresh_hours),
        unposted_cents=item.balance_cents if item.settled else item.waiting_cents,
        method=item.kind,
        method_live=item.removed_at is None,
        method_blocked=item.blocked_at is not None,
        update_pending=item.update_pending,
        bank_payments_paused=not card and item.debits_paused_at is not None,
        method_allowed=item.kind in allowed,
        executor=item.executor,
        undecided_attempt=item.undecided is not None,
        # What was signed for another card or bank account ended what was signed for this one (EFT-05, PDC-07).
        authority=Authority(
            live=item.revoked_at is None and bool(item.signed_for), lines=lines, stored_credential=item.stored
        )
        if item.authorization_id
        else None,
        card_brand=item.brand if card else "",
        card_funding=item.funding if card else "",
        card_policy=_policy(item.client_visa_credit, item.agency_visa_credit, item.debt_type) if card else NO_CARD,
        ach_allowed="ach" in allowed,
        disclosures=CardDisclosures(
            item.original_creditor, item.reference, item.description, item.contract_on, item.ask_where
        )
        if card
        else None,
        bank_validated=item.validated_at is not None,
        failed=item.failed,
        # What is signed counts: a payment planned anew within days was agreed to on the day of its authorization.
        created_on=local_date(item.accepted_at or item.not_before_at, item.zone),
        notice_sent_on=local_date(item.notice_sent_at, item.zone) if item.notice_sent_at else None,
        notice_channel=item.notice_channel or "email",
        change_kind=item.change_kind or "",
        change_sent_on=local_date(item.change_sent_at, item.zone) if item.change_sent_at else None,
        change_channel=item.change_channel or "email",
        currency=item.currency,
    )


NO_CARD = cards.DEFAULT_POLICY


@lru_cache(maxsize=4_096)
def _policy(client: bool | None, agency: bool, debt_type: str) -> CardPolicy:
    return policy_of(client=client, agency=agency, debt_type=debt_type)


@lru_cache(maxsize=4_096)
def allowed_by(payment_options: str) -> Allowed:
    """Read what an account's host allows, from the text of its column."""
    return offers.allowed(SimpleNamespace(payment_options=loads(payment_options)))


def _all(sql: str, params: list[Any]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
