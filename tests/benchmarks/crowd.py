"""Many consumers, each with an address and an account like one that there is, staged set-wise."""

from django.db import connection

CONSUMERS = """
INSERT INTO accounts_consumer (id, agency_id, connection_id, host_consumer_id, first_name, last_name, last_name_key,
  ssn, ssn_index, ssn4_index, dob, dob_index, street1, street2, city, state,
  zip, zip_index, time_zone, language, created_at)
SELECT gen_random_uuid(), %(agency)s, NULL, 'B' || n, 'Pat' || n, 'Doe', 'DOE', '', '', '', '', '', '', '', '', 'PA',
  '19103', '', 'America/New_York', 'en', now() FROM generate_series(1, %(count)s) n
"""
POINTS = """
INSERT INTO accounts_contactpoint (id, agency_id, consumer_id, kind, value, value_key, label, host_status, textable,
  position, route, evidence, source, created_at)
SELECT gen_random_uuid(), agency_id, id, 'email', host_consumer_id || '@example.com', lower(host_consumer_id)
  || '@example.com', '', '', false, 0, 'RF-13', '{}', 'host', now() FROM accounts_consumer
WHERE host_consumer_id LIKE 'B%%'
"""


def crowd(agency, like, count: int) -> None:
    """Make so many consumers of an agency; their accounts are like the given one, with their notices long sent."""
    with connection.cursor() as cursor:
        cursor.execute(CONSUMERS, {"agency": agency.pk, "count": count})
        cursor.execute(POINTS, {})
        names = [line.column for line in like._meta.concrete_fields]
        own = {"id": "gen_random_uuid()", "consumer_id": "c.id", "reference": "c.host_consumer_id"}
        own |= {"reference_key": "c.host_consumer_id", "validation_sent_on": "DATE '2026-06-01'", "event_seq": "0"}
        own |= {"status": "'open'"}
        chosen = ", ".join(own.get(name, f"a.{name}") for name in names)
        cursor.execute(
            f"INSERT INTO accounts_account ({', '.join(names)}) SELECT {chosen} FROM accounts_account a, "
            "accounts_consumer c WHERE a.id = %s AND c.host_consumer_id LIKE 'B%%'",
            [like.pk],
        )
        for table in ("accounts_consumer", "accounts_contactpoint", "accounts_account"):
            cursor.execute(f"ANALYZE {table}")
