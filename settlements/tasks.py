"""The worker of offers: expires them, and runs simulations page by page. A task never stands for one account."""

import logging
import time

from celery import shared_task
from django.core.cache import cache

from accounts import clock, events
from accounts.tenancy import ALL_AGENCIES, acting_for
from settlements.models import Simulation
from settlements.services import affordability, hardship, individual
from settlements.services import simulate as simulations

log = logging.getLogger("quittance.settlements")

WAKING = "settlements:waking"
WAKING_SECONDS = 2
ROUND_SECONDS = 20
"""Then the worker is free for money and messages, and another nudge goes on."""


def wake() -> None:
    """Ask for a run now; never fail whoever asks, the beat finds the simulation anyway."""
    try:
        if cache.add(WAKING, 1, timeout=WAKING_SECONDS):
            simulate.delay()
    except Exception as error:
        log.warning("the simulator was not woken: %s", type(error).__name__)


@shared_task
def expire_offers() -> int:
    """Expire the offers whose last day is over where the consumer lives."""
    with acting_for(ALL_AGENCIES), events.context(actor="system:offers"):
        return individual.expire(now=clock.now())


@shared_task(expires=60)
def simulate() -> None:
    """Go on with every simulation that waits, the oldest first; what is left after a while is for the next task."""
    cache.delete(WAKING)
    until = time.monotonic() + ROUND_SECONDS
    with acting_for(ALL_AGENCIES):
        found = Simulation.objects.filter(status__in=simulations.WAITING).order_by("made_at", "pk")
        waiting = list(found.values_list("pk", "agency_id"))
    for pk, agency in waiting:
        with acting_for(agency), events.context(actor="system:simulator"):
            try:
                over = simulations.run(pk, clock=clock.now, go_on=lambda: time.monotonic() < until)
            except Exception:
                log.exception("simulation %s ended", pk)
                continue
        if not over or time.monotonic() >= until:
            wake()
            return


@shared_task(expires=300)
def end_pauses() -> int:
    """End the hardship pauses whose last day is over where their consumers live; return how many."""
    with acting_for(ALL_AGENCIES), events.context(actor="system:hardship"):
        return hardship.end_due(now=clock.now())


@shared_task(expires=3600)
def expire_budgets() -> int:
    """Wipe budgets that were left unfinished and close those whose time is over; return how many."""
    with acting_for(ALL_AGENCIES), events.context(actor="system:budgets"):
        return affordability.expire(now=clock.now())
