"""Intend the plain items of a due run by one statement: read, gated and written where the rows are.

Most items are plain: a live plan and method, a fresh balance that covers the amount, a proven notice, no failed try, no
question open. They are found here by conditions that are narrower than the gates, never wider, so that all of their
gates are open; whatever is not certain is left to `ready.refusals`, which alone says why an item is stopped. The pure
rules also give what the conditions compare with: days, windows, cards, statuses (`known`). That both ways write the
same, tests/payments/test_due_plain.py proves over ten thousand worlds, with the rules as the judge.

The statement runs after the accounts are locked, so that what it sees stays true until the payments are intended.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import available_timezones

from django.db import connection

from accounts import events, statuses
from accounts.bulk import measure_when_grown
from accounts.calendars import local_date, local_time
from accounts.models import Event
from accounts.tenancy import uuid7
from payments.models import Arrangement, Payment
from payments.rules.cards import DEFAULT_POLICY, check_card
from payments.rules.gates import EARLIEST_TIME
from payments.rules.notices import letter_window, predebit_window
from payments.rules.retries import run_on
from payments.services import intents
from payments.services.ready import Locked, allowed_by
from payments.services.tries import FAILED
from settlements.rules import old_debts
from settlements.rules.offers import METHODS

DAYS = 14
"""What was due longer ago was put off by a gate, and is no plain item any more."""
MARGIN = timedelta(hours=14)
"""Nobody's clock is further from UTC, so a notice this far inside its window is inside it wherever the consumer is."""

PLAIN = """
    postdate.status = 'scheduled' AND postdate.executor = 'portal' AND clock.today >= postdate.due_on
    AND arrangement.status = ANY(%(running)s)
    -- The account: charged in this status, not disputed, no time-barred notice needed, licensed there where the agency
    -- asks for it, the balance fresh and enough.
    AND account.status = ANY(%(chargeable)s) AND account.payment_options::text = ANY(%(options)s)
    AND (consumer.state <> ALL(%(sol_states)s)
        OR account.sol_status = 'live' AND (account.sol_on IS NULL OR account.sol_on > clock.today))
    AND (NOT agency.licensed_only OR (SELECT count(*) FROM accounts_licence licence
        WHERE licence.agency_id = agency.id AND licence.state = upper(consumer.state)
            AND clock.today BETWEEN licence.starts_on AND coalesce(licence.ends_on, clock.today)) > 0)
    AND %(now)s - account.as_of <= make_interval(hours => agency.balance_fresh_hours)
    AND (SELECT count(*) FROM payments_dispute dispute
        WHERE dispute.account_id = account.id AND dispute.status = 'open') = 0
    AND account.balance_cents - postdate.amount_cents >= (
        -- An open question or a settlement that was paid counts as if nothing were owed.
        SELECT coalesce(sum(CASE WHEN waiting.status = 'intended' OR waiting.purpose = 'settlement'
            THEN account.balance_cents ELSE waiting.amount_cents END), 0) FROM payments_payment waiting
        WHERE waiting.account_id = account.id AND waiting.status = ANY(%(counted)s)
            AND waiting.acknowledged_at IS NULL)
    -- What was signed: this day and amount, by this card or bank account, not revoked.
    AND authz.revoked_at IS NULL AND authz.method_id = method.id
    AND authz.lines @> jsonb_build_array(jsonb_build_array(postdate.due_on::text, postdate.amount_cents))
    -- The notice: proven, well inside its window.
    AND CASE notice.channel WHEN 'letter' THEN notice.sent_at BETWEEN day.letter_from AND day.letter_to
        ELSE notice.sent_at BETWEEN day.email_from AND day.email_to END
    -- A change that nobody signed has a notice of its own.
    AND (SELECT count(*) FROM payments_notice other
        WHERE other.postdate_id = postdate.id AND other.kind <> 'predebit') = 0
    -- The method: live at an active merchant account, never refused before.
    AND merchant.is_active AND method.processor_method <> ''
    AND method.removed_at IS NULL AND method.blocked_at IS NULL AND method.update_pending IS NULL
    AND CASE method.kind
        WHEN 'card' THEN method.stored AND method.brand || ' ' || method.funding = ANY(%(cards)s)
            AND lower(account.debt_type) NOT LIKE '%%payday%%' AND account.contract_on IS NOT NULL
            AND account.original_creditor ~ '[[:alnum:]]' AND account.reference ~ '[[:alnum:]]'
            AND account.description ~ '[[:alnum:]]' AND agency.phone ~ '[[:alnum:]]'
        WHEN 'ach' THEN method.validated_at IS NOT NULL AND merchant.debits_paused_at IS NULL
            AND day.bank_on <= clock.today
        ELSE false END
    AND method.fingerprint <> '' AND (
        SELECT count(*) FROM (
            SELECT same.id FROM payments_method same
            WHERE same.agency_id = method.agency_id AND same.fingerprint = method.fingerprint
                AND same.fingerprint <> '' AND same.kind = method.kind
            OFFSET 0) same
        CROSS JOIN LATERAL (
            SELECT FROM payments_payment tried
            WHERE tried.method_id = same.id AND tried.status = ANY(%(failed)s) AND tried.decided_at IS NOT NULL
            OFFSET 0) tried) = 0
"""

INTEND = """
SET LOCAL join_collapse_limit = 1;
WITH item AS MATERIALIZED (
    SELECT {picked}, account.event_seq, given.due_id, given.told_id, {due} AS due_data, {told} AS told_data
    FROM unnest(%(items)s::uuid[], %(ids)s::uuid[], %(keys)s::uuid[], %(due_ids)s::uuid[], %(told_ids)s::uuid[])
        AS given(item, id, key, due_id, told_id)
    JOIN payments_postdate postdate ON postdate.id = given.item
    JOIN payments_arrangement arrangement ON arrangement.id = postdate.arrangement_id
    JOIN payments_authorization authz ON authz.id = arrangement.authorization_id
    JOIN payments_method method ON method.id = postdate.method_id
    JOIN payments_processoraccount merchant ON merchant.id = method.processor_account_id
    JOIN payments_notice notice
        ON notice.postdate_id = postdate.id AND notice.kind = 'predebit' AND notice.status = 'sent'
    JOIN accounts_account account ON account.id = postdate.account_id
    JOIN accounts_consumer consumer ON consumer.id = account.consumer_id
    JOIN accounts_agency agency ON agency.id = account.agency_id
    CROSS JOIN LATERAL (SELECT (%(todays)s::jsonb ->> consumer.time_zone)::date AS today OFFSET 0) AS clock
    JOIN unnest(%(days)s::date[], %(bank_days)s::date[], %(email_from)s::timestamptz[], %(email_to)s::timestamptz[],
        %(letter_from)s::timestamptz[], %(letter_to)s::timestamptz[])
        AS day(due_on, bank_on, email_from, email_to, letter_from, letter_to) ON day.due_on = postdate.due_on
    WHERE {plain}
), payment AS (
    INSERT INTO payments_payment ({names}) SELECT {names} FROM item
), told AS (
    INSERT INTO accounts_event (id, agency_id, account_id, consumer_id, account_seq, kind, actor, request_id,
        occurred_at, data)
    SELECT fact.id, agency_id, account_id, consumer_id, event_seq + fact.number, fact.kind, %(actor)s, %(request_id)s,
        %(now)s, fact.data
    FROM item CROSS JOIN LATERAL (
        VALUES (due_id, 1, 'postdate.due', due_data), (told_id, 2, 'payment.intended', told_data)
    ) AS fact(id, number, kind, data)
), counted AS (
    UPDATE accounts_account SET event_seq = item.event_seq + 2 FROM item WHERE accounts_account.id = item.account_id
)
SELECT postdate_id::text, id::text FROM item
"""
"""The tables are joined as they are written, each by its key: planning any other order takes as long as the work."""

PICKED = intents.FROM_ROWS | {
    "retry_of": "NULL::uuid",
    "request_hash": "encode(sha256(convert_to("
    "concat_ws(':', given.key, arrangement.authorization_id, method.id, postdate.amount_cents), 'UTF8')), 'hex')",
}
DUE = {
    "v": "1",
    "postdate": "postdate.id",
    "arrangement": "arrangement.id",
    "number": "postdate.number",
    "of": "postdate.of",
    "date": "postdate.due_on",
    "amount_cents": "postdate.amount_cents",
    "currency": "account.currency",
    "executor": "postdate.executor",
    "payment": "given.id",
    "try": "postdate.tries",
}
"""What `postdate.due` tells, as `due.py` says it of other items."""
TOLD = {
    "v": "1",
    "payment": "given.id",
    "reference": "upper(right(given.id::text, 10))",
    "amount_cents": "postdate.amount_cents",
    "currency": "account.currency",
    "kind": "method.kind",
    "executor": "postdate.executor",
    "purpose": PICKED["purpose"],
    "status": "'intended'",
    "method": "method.id",
    "brand": "method.brand",
    "funding": "method.funding",
    "last4": "method.last4",
    "authorization": "arrangement.authorization_id",
    "processor": "'stripe'",
    "processor_ref": "''",
    "decline_code": "''",
    "advice_code": "''",
    "network_decline_code": "''",
    "network_advice_code": "''",
    "date": "clock.today",
    "arrangement": "arrangement.id",
    "postdate": "postdate.id",
    "origin": "'portal'",
}
"""What `payment.intended` tells, as `moves.snapshot` says it of any payment."""


def intend(claimed: Sequence[tuple], accounts: Mapping[str, Locked], *, now: datetime) -> dict[str, str]:
    """Write payments, items' events and accounts' counts of what is plain; give the payment of each such item.

    :param claimed: id, account, moment and number of try of each item; of several of one account none is taken here.
    :param accounts: those that this transaction has locked.
    """
    of_account: dict[str, int] = {}
    for row in claimed:
        of_account[row[1]] = of_account.get(row[1], 0) + 1
    mine = [row for row in claimed if row[1] in accounts and of_account[row[1]] == 1]
    if not mine:
        return {}
    names, picked, given = intents.columns(PICKED, now)
    options = {accounts[row[1]].payment_options for row in mine}
    given |= known(now)
    given |= {
        "now": now,
        "items": _array(row[0] for row in mine),
        "keys": _array(intents.key_of(row[0], row[3]) for row in mine),
        "options": [said for said in options if _everything(said)],
    }
    # In the order of writing, so that each index grows at its end.
    given |= {name: _array(uuid7() for _row in mine) for name in ("ids", "due_ids", "told_ids")}
    given["actor"], given["request_id"] = events.acting_in()
    sql = INTEND.format(names=names, picked=picked, plain=PLAIN, due=_object(DUE), told=_object(TOLD))
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        found = dict(cursor.fetchall())
    if found:
        events.nudge_on_commit()
        measure_when_grown(Payment, Event, rows=len(found))
    for row in mine:
        if row[0] in found:
            accounts[row[1]].event_seq += 2
    return found


@lru_cache(maxsize=4)
def known(now: datetime) -> dict[str, object]:
    """Ask the rules once a run for what the conditions compare with."""
    open_zones = [zone for zone in available_timezones() if local_time(now, zone) >= EARLIEST_TIME]
    days = [(now + timedelta(days=1 - back)).date() for back in range(DAYS)]
    email, letter = [predebit_window(day) for day in days], [letter_window(day) for day in days]
    fundings = ("debit", "prepaid", "credit", "unknown")
    return {
        "todays": json.dumps({zone: local_date(now, zone).isoformat() for zone in open_zones}),
        "days": days,
        "bank_days": [run_on(day, "ach") for day in days],
        "email_from": [_inside(window.earliest) for window in email],
        "email_to": [_inside(window.latest, end=True) for window in email],
        "letter_from": [_inside(window.earliest) for window in letter],
        "letter_to": [_inside(window.latest, end=True) for window in letter],
        "cards": [
            f"{brand} {funding}"
            for brand in DEFAULT_POLICY.brands
            for funding in fundings
            if not check_card(brand, funding, DEFAULT_POLICY)
        ],
        "chargeable": [one for one in statuses.those("charge") if one != "disputed"],
        "sol_states": sorted(old_debts.NOTICE_STATES),
        "running": [Arrangement.Status.PERFORMING.value, Arrangement.Status.LATE.value],
        "counted": [one.value for one in Payment.COUNTED],
        "failed": [one.value for one in FAILED],
    }


def _inside(day: date, *, end: bool = False) -> str:
    """Give the moment from which, or to which, it is this day or a later (an earlier) one everywhere."""
    midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    return (midnight + timedelta(days=1) - MARGIN if end else midnight + MARGIN).isoformat()


@lru_cache(maxsize=4_096)
def _everything(payment_options: str) -> bool:
    allowed = allowed_by(payment_options)
    return set(METHODS) <= {*allowed.single_methods} & {*allowed.recurring_methods}


def _object(said: Mapping[str, str]) -> str:
    pairs = ", ".join(f"'{name}', {value}" for name, value in said.items())
    return f"jsonb_build_object({pairs})"


def _array(ids: Iterable[str | UUID]) -> str:
    """Write ids as PostgreSQL writes an array, which both sides read faster than a list of literals."""
    return "{" + ",".join(map(str, ids)) + "}"
