"""Look whether there is anything for the message worker to do: most looks, every two seconds, find nothing."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.services import announce, fulfil


class Waiting(NamedTuple):
    """Say of each kind of work whether there may be some; whoever does it looks again for itself."""

    messages: bool
    news: bool
    events: bool
    notices: bool


# One statement instead of ten. Messages of campaigns are services/launch.py's.
LOOK = f"""
SELECT EXISTS (SELECT FROM campaigns_message WHERE status = 'queued' AND next_at <= %(now)s AND stream <> 'campaigns'),
    EXISTS (SELECT FROM campaigns_mailevent WHERE applied_at IS NULL)
        OR EXISTS (SELECT FROM campaigns_textevent WHERE applied_at IS NULL),
    EXISTS (SELECT FROM accounts_event WHERE sequence IS NULL)
        OR EXISTS (SELECT FROM accounts_agency agency WHERE last_sequence > coalesce((
            SELECT sequence FROM accounts_readerposition place
            WHERE place.agency_id = agency.id AND place.reader = %(reader)s), 0)),
    EXISTS (SELECT {announce.READY})
"""  # noqa: S608 - our own statement


def look(*, now: datetime) -> Waiting:
    """Look for work of all agencies."""
    given = announce.ready_at(now) | {"reader": fulfil.READER}
    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        cursor.execute(LOOK, given)
        return Waiting(*cursor.fetchone())
