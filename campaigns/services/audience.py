"""Choose a campaign's accounts by sets: count them, say why others are left out, freeze them chunk by chunk.

The reasons here are those that stand in the rows and do not change by the hour; the gate judges each account in full
when its message leaves.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from accounts import statuses
from accounts.bulk import measure_when_grown
from accounts.keys import reference_key
from accounts.scope import acting
from campaigns.models import AudienceLine, Campaign, Recipient
from campaigns.rules import audience as rules
from payments.models import Arrangement, Payment

CHUNK = 20_000
SAMPLE = 20
MOST_LINES = 1_000_000

CANDIDATES = """
SELECT a.id AS account_id, a.reference, c.first_name, c.last_name, a.balance_cents, a.currency,
       CASE WHEN left(c.language, 2) = 'es' THEN 'es' ELSE 'en' END AS language, p.id AS point_id,
       CASE
         WHEN NOT (a.status = ANY(%(open)s)) THEN 'status_' || a.status
         WHEN a.balance_cents <= ({unposted}) THEN 'nothing_owed'
         WHEN EXISTS (SELECT FROM payments_dispute d WHERE d.account_id = a.id AND d.status = 'open') THEN 'dispute'
         WHEN EXISTS (SELECT FROM settlements_hardship h WHERE h.consumer_id = a.consumer_id AND h.status = 'granted'
                      AND %(today)s BETWEEN h.starts_on AND h.ends_on) THEN 'hardship'
         WHEN EXISTS (SELECT FROM payments_arrangement r WHERE r.account_id = a.id AND r.status = ANY(%(live)s))
           THEN 'has_arrangement'
         WHEN a.validation_sent_on IS NULL AND NOT EXISTS (
                SELECT FROM campaigns_message m WHERE m.account_id = a.id AND m.sent_at IS NOT NULL
                AND m.stream <> 'security') THEN 'validation_missing'
         WHEN %(offers)s AND EXISTS (SELECT FROM settlements_individualoffer o WHERE o.account_id = a.id
                AND o.status = 'accepted') THEN 'offer_accepted_stands'
         WHEN p.id IS NULL THEN 'no_address'
         WHEN p.bad_at IS NOT NULL THEN 'bad_address'
         WHEN p.opted_out_at IS NOT NULL THEN 'opted_out'
         WHEN EXISTS (SELECT FROM accounts_suppression s WHERE s.contact_point_id = p.id AND s.stream = 'campaigns'
                AND s.ended_at IS NULL) THEN 'stream_stopped'
         WHEN p.route = '' AND p.source = 'consumer' THEN 'unconfirmed'
         WHEN p.route = '' AND NOT EXISTS (SELECT FROM accounts_code k WHERE k.contact_point_id = p.id
                AND k.used_at IS NOT NULL) THEN 'no_route'
         ELSE ''
       END AS reason
FROM accounts_account a
JOIN accounts_consumer c ON c.id = a.consumer_id
LEFT JOIN LATERAL (
    SELECT q.id, q.bad_at, q.opted_out_at, q.route, q.source FROM accounts_contactpoint q
    WHERE q.consumer_id = a.consumer_id AND q.kind = %(kind)s AND q.removed_at IS NULL AND (q.textable OR NOT %(text)s)
    ORDER BY (q.bad_at IS NOT NULL OR q.opted_out_at IS NOT NULL OR q.route = ''), q.position, q.id LIMIT 1
) p ON true
WHERE a.agency_id = %(agency)s AND {where}
"""

UNPOSTED = """
SELECT coalesce(sum(CASE WHEN y.purpose = 'settlement' AND y.status <> 'intended' THEN a.balance_cents
    ELSE y.amount_cents - coalesce((SELECT sum(e.amount_cents) FROM payments_ledgerentry e WHERE e.payment_id = y.id
        AND e.book = 'debt' AND e.reason = 'refund'), 0) END), 0)
FROM payments_payment y WHERE y.agency_id = a.agency_id AND y.account_id = a.id AND y.status = ANY(%(counted)s)
    AND y.acknowledged_at IS NULL
"""
"""What own payments take that the host does not show, as `payments.services.owed` counts them: a settlement all."""

FILTERS = {
    "clients": "a.client_id = ANY(%(clients)s::uuid[])",
    "statuses": "a.status = ANY(%(statuses)s)",
    "states": "c.state = ANY(%(states)s)",
    "languages": "left(c.language, 2) = ANY(%(languages)s)",
    "balance_from_cents": "a.balance_cents >= %(balance_from_cents)s",
    "balance_to_cents": "a.balance_cents <= %(balance_to_cents)s",
    "listed_from_days": "coalesce(a.listed_on, a.assigned_on) <= %(today)s::date - %(listed_from_days)s",
    "listed_to_days": "coalesce(a.listed_on, a.assigned_on) >= %(today)s::date - %(listed_to_days)s",
    "quiet_days": (
        "NOT EXISTS (SELECT FROM campaigns_message m WHERE m.account_id = a.id AND m.stream <> 'security' "
        "AND m.sent_at > %(quiet_days_at)s)"
    ),
    "abandoned_days": (
        "EXISTS (SELECT FROM accounts_visit v WHERE v.account_id = a.id AND v.payment_started_at IS NOT NULL "
        "AND v.payment_made_at IS NULL AND v.started_at > %(abandoned_days_at)s)"
    ),
    "opened_not_paid": (
        "EXISTS (SELECT FROM campaigns_recipient r JOIN campaigns_message m ON m.id = r.message_id "
        "WHERE r.campaign_id = %(opened_not_paid)s AND r.account_id = a.id AND m.opened_at IS NOT NULL "
        "AND NOT EXISTS (SELECT FROM payments_payment y WHERE y.account_id = a.id AND y.status = 'succeeded' "
        "AND y.intended_at > m.sent_at))"
    ),
}
OPEN_OFFER = (
    "EXISTS (SELECT FROM settlements_individualoffer o WHERE o.account_id = a.id AND o.status IN ('made', 'viewed'))"
)
LISTED = (
    "EXISTS (SELECT FROM campaigns_audienceline l WHERE l.agency_id = a.agency_id AND l.campaign_id = %(campaign)s "
    "AND l.reference_key = a.reference_key)"
)

TIME_ORDERED = (
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING "
    "substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), "
    "52, 1), 53, 1), 'hex')::uuid"
)
"""A time-ordered id (RFC 9562 version 7) made by the database, PostgreSQL 16 too: new rows stay together in every
index. Random ones would touch a page of each for every row."""

FREEZE = """
WITH chunk AS MATERIALIZED (
    {candidates} AND (%(after)s::uuid IS NULL OR a.id > %(after)s::uuid) ORDER BY a.id LIMIT %(chunk)s
), kept AS (
    INSERT INTO campaigns_recipient (id, agency_id, campaign_id, account_id, contact_point_id, message_id, variant,
        status, reason, next_at, offer_id, values, body_sha256, link_hash, identified_at)
    SELECT {id}, %(agency)s, %(campaign)s, account_id, point_id, NULL,
        CASE WHEN %(share_b)s > 0 AND (hashtext(account_id::text) & 2147483647) %% 100 < %(share_b)s
             THEN 'b' ELSE 'a' END,
        CASE WHEN reason = '' THEN 'waiting' ELSE 'left_out' END, reason, NULL, NULL, '{{}}', '', '', NULL
    FROM chunk ON CONFLICT DO NOTHING
)
SELECT (SELECT account_id FROM chunk ORDER BY account_id DESC LIMIT 1), (SELECT count(*) FROM chunk)
"""


def count(campaign: Campaign, *, now: datetime) -> dict[str, int]:
    """Count the accounts a campaign is for by the reason they are left out; `""` are those that get a message.

    What a draft's filter has against it is said when it is submitted (`rules.check`); until then it is for nobody.
    """
    if rules.check(campaign.audience):
        return {}
    sql, values = _sql(campaign, now)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT reason, count(*) FROM ({sql}) found GROUP BY 1 ORDER BY 2 DESC", values)  # noqa: S608
        found = dict(cursor.fetchall())
    if campaign.audience.get("list") and (missing := _unmatched(campaign)):
        found["unknown_reference"] = missing
    return found


def sample(campaign: Campaign, *, now: datetime, reason: str = "", limit: int = SAMPLE) -> list[dict[str, Any]]:
    """Give some accounts of a campaign, or of those that are left out for a reason."""
    if rules.check(campaign.audience):
        return []
    sql, values = _sql(campaign, now)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM ({sql}) found WHERE reason = %(reason)s LIMIT %(limit)s",  # noqa: S608 - own text
            values | {"reason": reason, "limit": limit},
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def freeze(campaign: Campaign, *, now: datetime, chunk: int = CHUNK) -> int:
    """Write the next chunk of accounts down, with the place it reached; return how many there were.

    A process that dies in between goes on where the last chunk ended; the same account is never written twice.
    """
    with transaction.atomic():
        held = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if held.status != Campaign.Status.FREEZING:
            return 0
        sql, values = _sql(held, now)
        share = held.share_b if held.version_b_id else 0
        values |= {"after": held.frozen_to, "chunk": chunk, "share_b": share}
        with connection.cursor() as cursor:
            cursor.execute(FREEZE.format(candidates=sql, id=TIME_ORDERED), values)
            last, number = cursor.fetchone()
        if number:
            Campaign.objects.filter(pk=held.pk).update(frozen_to=last)
            measure_when_grown(Recipient, rows=number)
    campaign.frozen_to = last or campaign.frozen_to
    return number


@transaction.atomic
def set_lines(campaign: Campaign, references: Sequence[str]) -> tuple[int, int]:
    """Replace the list of a draft; return how many references it has and how many of them we know."""
    held = Campaign.objects.select_for_update().get(pk=campaign.pk)
    assert held.status == Campaign.Status.DRAFT, held.status
    keys = list(dict.fromkeys(reference_key(one) for one in references if one.strip()))[:MOST_LINES]
    AudienceLine.objects.filter(campaign=held).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_audienceline (id, agency_id, campaign_id, reference_key) "
            "SELECT gen_random_uuid(), %s, %s, key FROM unnest(%s::text[]) AS given(key)",
            [held.agency_id, held.pk, [key[:60] for key in keys]],
        )
    Campaign.objects.filter(pk=held.pk).update(audience=held.audience | {"list": True})
    campaign.audience = held.audience | {"list": True}
    return len(keys), len(keys) - _unmatched(campaign)


def _unmatched(campaign: Campaign) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM campaigns_audienceline l WHERE l.campaign_id = %s AND NOT EXISTS "
            "(SELECT FROM accounts_account a WHERE a.agency_id = l.agency_id AND a.reference_key = l.reference_key)",
            [campaign.pk],
        )
        return cursor.fetchone()[0]


def _sql(campaign: Campaign, now: datetime) -> tuple[str, dict[str, Any]]:
    said: Mapping[str, Any] = campaign.audience
    where = [FILTERS[name] for name in said if name in FILTERS]
    if "has_offer" in said:
        where.append(OPEN_OFFER if said["has_offer"] else f"NOT {OPEN_OFFER}")
    if said.get("list") or said.get("joined"):
        where.append(LISTED)
    values = {name: said[name] for name in said if name in FILTERS} | {
        "agency": UUID(acting()),
        "campaign": campaign.pk,
        "today": now.date(),
        "open": list(statuses.those(campaign.purpose)),
        "live": [str(status) for status in Arrangement.LIVE],
        "counted": [str(status) for status in Payment.COUNTED],
        "offers": bool(campaign.offer),
        "kind": "email" if campaign.channel == "email" else "phone",
        "text": campaign.channel == "text",
    }
    for name in ("quiet_days", "abandoned_days"):
        if name in said:
            values[f"{name}_at"] = now - timedelta(days=said[name])
    return CANDIDATES.format(unposted=UNPOSTED, where=" AND ".join(where) or "true"), values
