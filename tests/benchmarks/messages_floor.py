"""The least that PostgreSQL must do for a campaign's messages: rows that are known, written into the same tables.

Nothing is judged, rendered or asked: finished rows wait in temporary tables and go, a thousand in a transaction, by one
statement for each table under the same keys, indexes, triggers and row-level security as the product's. Each
transaction is undone, so that the campaign goes on as if nothing had been; the flush of a commit is not in it.
"""

import time
from uuid import UUID

from django.db import connection, transaction

from accounts.models import Event
from campaigns.models import ContactDecision, Message
from campaigns.services.audience import TIME_ORDERED
from settlements.models import IndividualOffer

PAIRS = f"""
CREATE TEMPORARY TABLE floor_pairs AS
SELECT n, w.id AS recipient, w.account_id, a.consumer_id, w.contact_point_id, a.event_seq, k.id AS known,
    k.message_id AS known_message, k.offer_id AS known_offer, {TIME_ORDERED} AS message, {TIME_ORDERED} AS offer
FROM (SELECT row_number() OVER (ORDER BY id) AS n, * FROM campaigns_recipient
      WHERE campaign_id = %(campaign)s AND status = 'waiting' AND NOT EXISTS (
          SELECT FROM settlements_individualoffer open
          WHERE open.account_id = campaigns_recipient.account_id AND open.status IN ('made', 'viewed'))
      ORDER BY id LIMIT %(count)s) w
JOIN (SELECT row_number() OVER (ORDER BY id) AS n, * FROM campaigns_recipient
      WHERE campaign_id = %(campaign)s AND status = 'leaving' ORDER BY id LIMIT %(count)s) k USING (n)
JOIN accounts_account a ON a.id = w.account_id
"""
"""Recipients that wait, each beside one whose message is written: the rows of the one become those of the other."""
OWN = {"account_id": "p.account_id", "consumer_id": "p.consumer_id", "contact_point_id": "p.contact_point_id"}
RECIPIENTS = """
UPDATE campaigns_recipient r SET status = k.status, reason = k.reason, next_at = k.next_at, message_id = p.message,
    "values" = k.values, body_sha256 = k.body_sha256, link_hash = k.link_hash, offer_id = p.offer
FROM floor_pairs p JOIN floor_recipient k USING (n) WHERE r.id = p.recipient AND p.n BETWEEN %(first)s AND %(last)s
"""
COUNTED = """
UPDATE accounts_account SET event_seq = accounts_account.event_seq + {events} FROM floor_pairs p
WHERE accounts_account.id = p.account_id AND p.n BETWEEN %(first)s AND %(last)s
"""
ASKED = """
UPDATE campaigns_message SET reason = 'with_provider', provider_id = '<bench@bench.example.com>'
FROM floor_asked p WHERE campaigns_message.id = p.message AND p.n BETWEEN %(first)s AND %(last)s
"""
SENT = """
UPDATE campaigns_message SET status = 'sent', reason = '', provider_id = '<bench@example.com>', sent_at = now()
FROM floor_asked p WHERE campaigns_message.id = p.message AND p.n BETWEEN %(first)s AND %(last)s
"""


def written(campaign_id: UUID, *, count: int, batch: int) -> float:
    """Write offer, message, recipient, decision and two events for so many; return how many in a second.

    :param count: so many recipients of the campaign wait, and so many have their message.
    """
    said = {"campaign": campaign_id, "count": count}
    with connection.cursor() as cursor:
        cursor.execute(PAIRS, said)
        cursor.execute(
            "CREATE TEMPORARY TABLE floor_recipient AS "
            "SELECT p.n, k.* FROM floor_pairs p JOIN campaigns_recipient k ON k.id = p.known"
        )
    offers = _stage(IndividualOffer, "row.id = p.known_offer", id="p.offer")
    messages = _stage(Message, "row.id = p.known_message", id="p.message", cause="'bench:' || p.message")
    decisions = _stage(ContactDecision, "row.message_id = p.known_message", message_id="p.message")
    made = "(row.data->>'message' = p.known_message::text OR row.data->>'offer' = p.known_offer::text)"
    made += " AND row.account_id = (SELECT account_id FROM campaigns_recipient k WHERE k.id = p.known)"
    more = "p.event_seq + CASE row.kind WHEN 'message.queued' THEN 2 ELSE 1 END"
    events = _stage(
        Event, f"{made} AND row.kind IN ('offer.made', 'message.queued')", account_seq=more, sequence="NULL::bigint"
    )
    steps = [offers, messages, RECIPIENTS, COUNTED.format(events=2), events, decisions]
    return _rate(steps, [1, 1, 1, 1, 2, 1], count=count, batch=batch)


def handed_over(message_ids: list[UUID], *, batch: int) -> float:
    """Write that messages are asked for and sent, with an event each; return how many in a second."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE floor_pairs")
        cursor.execute(
            "CREATE TEMPORARY TABLE floor_asked AS SELECT n, id AS message FROM unnest(%s::uuid[]) "
            "WITH ORDINALITY AS given(id, n)",
            [message_ids],
        )
        cursor.execute(
            "CREATE TEMPORARY TABLE floor_pairs AS SELECT f.n, m.account_id, m.consumer_id, m.contact_point_id, "
            "a.event_seq, f.message FROM floor_asked f JOIN campaigns_message m ON m.id = f.message "
            "JOIN accounts_account a ON a.id = m.account_id"
        )
        cursor.execute("DROP TABLE IF EXISTS floor_accounts_event")
    of_it = "row.kind = 'message.queued' AND row.data->>'message' = p.message::text AND row.account_id = p.account_id"
    events = _stage(Event, of_it, account_seq="p.event_seq + 1", kind="'message.sent'", sequence="NULL::bigint")
    rate = _rate([ASKED, SENT, COUNTED.format(events=1), events], [1, 1, 1, 1], count=len(message_ids), batch=batch)
    with connection.cursor() as cursor:
        for name in ("asked", "pairs", "recipient", *(model._meta.db_table for model in STAGED)):
            cursor.execute(f"DROP TABLE IF EXISTS floor_{name}")
    return rate


STAGED = (IndividualOffer, Message, ContactDecision, Event)


def _stage(model, join: str, **own: str) -> str:
    """Put finished rows of a table aside; give the statement that writes a batch of them."""
    table, names = model._meta.db_table, [line.column for line in model._meta.concrete_fields]
    own = {"id": TIME_ORDERED} | OWN | own
    chosen = ", ".join(f'{own[name]} AS "{name}"' if name in own else f'row."{name}"' for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE floor_{table} AS SELECT p.n, {chosen} FROM floor_pairs p "
            f"JOIN {table} row ON {join}"
        )
        cursor.execute(f"ANALYZE floor_{table}")
        cursor.execute("ANALYZE floor_pairs")
    ordered = "n, account_seq" if model is Event else "n"
    return (
        f"INSERT INTO {table} ({quoted}) SELECT {quoted} FROM floor_{table} WHERE n BETWEEN %(first)s AND %(last)s "
        f"ORDER BY {ordered}"
    )


def _rate(steps: list[str], rows: list[int], *, count: int, batch: int) -> float:
    took = 0.0
    for first in range(1, count + 1, batch):
        said = {"first": first, "last": first + batch - 1}
        began = time.perf_counter()
        with transaction.atomic(), connection.cursor() as cursor:
            for step, each in zip(steps, rows, strict=True):
                cursor.execute(step, said)
                assert cursor.rowcount == each * batch, (step, cursor.rowcount)
            took += time.perf_counter() - began
            transaction.set_rollback(True)
    return count / took
