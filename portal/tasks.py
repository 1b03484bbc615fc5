"""The site's own beat."""

import logging
from datetime import timedelta

from celery import shared_task

from accounts import clock, events
from accounts.models import Agency
from accounts.services import visits
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.services import reconcile as books
from payments.services import watch
from portal import host_contacts

log = logging.getLogger("quittance.portal")


@shared_task
def end_idle_visits() -> int:
    """End visits that were left alone; abandoned payments are told to the host here."""
    with acting_for(ALL_AGENCIES):
        return visits.end_idle(now=clock.now())


@shared_task
def tell_contacts() -> int:
    """Write to the contacts of hosts that cannot be reached, and of those that can again."""
    return host_contacts.tell()


@shared_task
def reconcile() -> int:
    """Compare every agency's three books for yesterday; a failure of one leaves the others to be compared."""
    now, found = clock.now(), 0
    with acting_for(ALL_AGENCIES):
        agencies = list(Agency.objects.filter(is_active=True))
    for agency in agencies:
        with acting_for(agency), events.context(actor="system:reconcile"):
            try:
                found += len(books.run(day=(now - timedelta(days=1)).date(), now=now))
                watch.run(now=now)
            except Exception:
                log.exception("the books of %s were not compared", agency.slug)
    return found
