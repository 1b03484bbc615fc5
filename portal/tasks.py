"""The site's own beat."""

from celery import shared_task

from accounts import clock
from accounts.services import visits
from accounts.tenancy import ALL_AGENCIES, acting_for


@shared_task
def end_idle_visits() -> int:
    """End visits that were left alone; abandoned payments are told to the host here."""
    with acting_for(ALL_AGENCIES):
        return visits.end_idle(now=clock.now())
