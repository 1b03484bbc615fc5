"""Look whether there is anything for the message worker to do: most looks, every two seconds, find nothing."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.services import fulfil


class Waiting(NamedTuple):
    """Say of each kind of work whether there may be some; whoever does it looks again for itself."""

    messages: bool
    news: bool
    events: bool
    notices: bool


# One statement instead of ten. Messages of campaigns are services/launch.py's.
LOOK = """
SELECT EXISTS (SELECT FROM campaigns_message WHERE status = 'queued' AND next_at <= %(now)s AND stream <> 'campaigns'),
    EXISTS (SELECT FROM campaigns_mailevent WHERE applied_at IS NULL)
        OR EXISTS (SELECT FROM campaigns_textevent WHERE applied_at IS NULL),
    EXISTS (SELECT FROM accounts_event WHERE sequence IS NULL)
        OR EXISTS (SELECT FROM accounts_agency agency WHERE last_sequence > coalesce((
            SELECT sequence FROM accounts_readerposition place
            WHERE place.agency_id = agency.id AND place.reader = %(reader)s), 0)),
    EXISTS (SELECT FROM payments_notice notice JOIN payments_postdate postdate ON postdate.id = notice.postdate_id
        WHERE notice.status = 'due' AND notice.owner = 'portal' AND notice.channel = 'email'
            AND notice.target_on <= %(tomorrow)s AND NOT notice.proof ? 'message'
            AND postdate.status IN ('scheduled', 'held'))
"""


def look(*, now: datetime) -> Waiting:
    """Look for work of all agencies."""
    given = {"now": now, "reader": fulfil.READER, "tomorrow": now.date() + timedelta(days=1)}
    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        cursor.execute(LOOK, given)
        return Waiting(*cursor.fetchone())
