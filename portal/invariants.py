"""What must hold at any moment: each invariant is a query, and no rows means that it holds.

They run after every fault run and in production by `manage.py reconcile`. All see every agency's rows, so the caller
opens the scope of all agencies.
"""

from django.db import connection

INVARIANTS = {
    "I2 ledger entries of a payment sum to zero": """
        SELECT payment_id, sum(amount_cents) FROM payments_ledgerentry GROUP BY payment_id HAVING sum(amount_cents) <> 0
    """,
    # A debit that its bank sent back while it was on its way never moved any.
    "I2 every payment that moved money has ledger entries": """
        SELECT p.id, p.status FROM payments_payment p
        WHERE p.status IN ('succeeded', 'returned', 'charged_back', 'refunded')
        AND NOT EXISTS (SELECT FROM payments_ledgerentry e WHERE e.payment_id = p.id)
        AND NOT (p.status = 'returned' AND EXISTS (SELECT FROM accounts_event t WHERE t.account_id = p.account_id
            AND t.data ->> 'payment' = p.id::text AND t.kind = 'payment.pending')
            AND NOT EXISTS (SELECT FROM accounts_event t WHERE t.account_id = p.account_id
            AND t.data ->> 'payment' = p.id::text AND t.kind IN ('payment.succeeded', 'payment.posted')))
    """,
    "I3 the sequence of each account is dense": """
        SELECT account_id, count(*), max(account_seq) FROM accounts_event WHERE account_id IS NOT NULL
        GROUP BY account_id HAVING count(*) <> max(account_seq)
    """,
    "I3 the sequence of each agency is gap-free": """
        SELECT agency_id, count(sequence), max(sequence) FROM accounts_event
        GROUP BY agency_id HAVING count(sequence) <> coalesce(max(sequence), 0)
    """,
    # A dispute that was won and the parts of a refund say the same kind again, and say so. What only the host took is
    # told as posted, by whatever it says of it afterwards too.
    "I3 every final status has exactly one event": """
        SELECT p.id, p.status, count(e.id) FILTER (WHERE e.kind = 'payment.' || p.status) FROM payments_payment p
        LEFT JOIN accounts_event e ON e.account_id = p.account_id AND e.data ->> 'payment' = p.id::text
        AND e.kind IN ('payment.' || p.status, 'payment.posted')
        AND coalesce(e.data ->> 'reinstated', 'false') <> 'true' AND coalesce(e.data ->> 'whole', 'true') <> 'false'
        WHERE p.status <> 'intended' GROUP BY p.id, p.status
        HAVING count(e.id) FILTER (WHERE e.kind = 'payment.' || p.status) <> 1
        AND NOT (p.status = 'succeeded' AND count(e.id) FILTER (WHERE e.kind = 'payment.succeeded') = 0
            AND count(e.id) FILTER (WHERE e.kind = 'payment.posted') > 0)
    """,
    "I4 an event is delivered once per connection and account, and never twice": """
        SELECT connection_id, event_id, account_id, count(*) FROM integrations_delivery
        GROUP BY connection_id, event_id, account_id HAVING count(*) > 1
    """,
    "I5 at most one successful payment per post-date": """
        SELECT postdate_id, count(*) FROM payments_payment WHERE postdate_id IS NOT NULL AND status = 'succeeded'
        GROUP BY postdate_id HAVING count(*) > 1
    """,
    "I5 the portal charges nothing that the host executes": """
        SELECT p.id FROM payments_payment p JOIN payments_postdate d ON d.id = p.postdate_id
        WHERE d.executor = 'host' AND p.executor = 'portal'
    """,
    "I5 a batch's totals are those of its items": """
        SELECT b.id, b.items_count, b.total_cents, count(i.id), coalesce(sum(i.amount_cents), 0)
        FROM payments_paymentbatch b LEFT JOIN payments_batchitem i ON i.batch_id = b.id AND i.removed_at IS NULL
        GROUP BY b.id HAVING b.items_count <> count(i.id) OR b.total_cents <> coalesce(sum(i.amount_cents), 0)
    """,
    "I5 what a batch posted has its payment of that amount": """
        SELECT i.id, i.amount_cents, p.amount_cents FROM payments_batchitem i
        LEFT JOIN payments_payment p ON p.id = i.payment_id
        WHERE i.status = 'posted' AND (p.id IS NULL OR p.amount_cents <> i.amount_cents)
    """,
    "I5 nothing in a batch is charged by the portal": """
        SELECT i.id FROM payments_batchitem i JOIN payments_payment p
        ON p.id = i.payment_id OR (p.postdate_id IS NOT NULL AND p.postdate_id = i.postdate_id)
        WHERE p.executor = 'portal'
    """,
    "I2 what was given back is in the ledger": """
        SELECT r.payment_id, sum(r.amount_cents) FROM payments_refund r WHERE r.status = 'done'
        GROUP BY r.payment_id HAVING sum(r.amount_cents) > (SELECT coalesce(sum(e.amount_cents), 0)
            FROM payments_ledgerentry e WHERE e.payment_id = r.payment_id AND e.book = 'debt' AND e.reason = 'refund')
    """,
    "I6 an arrangement's parts are exactly what was accepted": """
        SELECT a.id FROM payments_arrangement a WHERE a.total_cents IS DISTINCT FROM
        (SELECT sum((line ->> 1)::bigint) FROM jsonb_array_elements(a.schedule) AS line)
    """,
    "I7 one idempotency key, one payment": """
        SELECT agency_id, idempotency_key FROM payments_payment GROUP BY 1, 2 HAVING count(*) > 1
    """,
    "I9 no row of one agency belongs to an account of another": """
        SELECT p.id FROM payments_payment p JOIN accounts_account a ON a.id = p.account_id
        WHERE a.agency_id <> p.agency_id
        UNION ALL SELECT e.id FROM accounts_event e JOIN accounts_account a ON a.id = e.account_id
        WHERE a.agency_id <> e.agency_id
    """,
    "I11 every accepted webhook is applied within minutes": """
        SELECT id, kind FROM payments_processorevent
        WHERE applied_at IS NULL AND received_at < now() - interval '10 minutes'
        UNION ALL SELECT id, external_id FROM campaigns_mailevent
        WHERE applied_at IS NULL AND received_at < now() - interval '10 minutes'
        UNION ALL SELECT id, external_id FROM campaigns_textevent
        WHERE applied_at IS NULL AND received_at < now() - interval '10 minutes'
    """,
    # The sweep asks every few seconds and intents expire after 15 minutes.
    "I12 no outcome stays unknown": """
        SELECT id, intended_at FROM payments_payment
        WHERE status = 'intended' AND intended_at < now() - interval '30 minutes'
        UNION ALL SELECT id, decided_at FROM payments_refund
        WHERE status = 'approved' AND decided_at < now() - interval '30 minutes'
    """,
}


def findings(limit: int = 20) -> list[tuple[str, tuple]]:
    """Return (invariant, row) for each violation, at most `limit` rows an invariant."""
    found = []
    with connection.cursor() as cursor:
        for name, sql in INVARIANTS.items():
            cursor.execute(sql)
            found += [(name, row) for row in cursor.fetchmany(limit)]
    return found
