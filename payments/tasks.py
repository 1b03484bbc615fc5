"""The money worker: applies the processor's news, asks about all that stays undecided, reviews arrangements."""

import logging
from datetime import date

from celery import shared_task
from django.core.cache import cache

from accounts import clock, events
from accounts.models import Account
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.services import ask, due, life, refunds, statements, together, wallet

log = logging.getLogger("quittance.payments")

WAKING = "payments:waking"
WAKING_SECONDS = 2


def wake() -> None:
    """Ask for a run now; never fail whoever asks, the sweep finds the event anyway."""
    try:
        if cache.add(WAKING, 1, timeout=WAKING_SECONDS):
            apply_events.delay()
    except Exception as error:
        log.warning("the money worker was not woken: %s", type(error).__name__)


@shared_task
def apply_events() -> int:
    """Apply the webhooks that wait, oldest first."""
    # From here on a new nudge asks for a new run: this one may be past the event that the nudge is about.
    cache.delete(WAKING)
    with acting_for(ALL_AGENCIES), events.context(actor="system:processor"):
        return ask.apply_events(now=clock.now())


@shared_task
def sweep() -> int:
    """Ask the processors about undecided payments; also what a lost nudge left in the inbox."""
    with acting_for(ALL_AGENCIES), events.context(actor="system:sweep"):
        now = clock.now()
        ask.apply_events(now=now)
        return ask.sweep(now=now) + together.sweep(now=now) + refunds.sweep(now=now)


@shared_task
def run_due() -> int:
    """Charge what the portal executes and what is due now; overlapping runs share the work."""
    with acting_for(ALL_AGENCIES), events.context(actor="system:due"):
        return due.run(now=clock.now()).intended


@shared_task
def review_arrangements() -> int:
    """Review every arrangement that the day alone may have changed: late, broken, rested long enough."""
    with acting_for(ALL_AGENCIES), events.context(actor="system:arrangements"):
        return life.review_due(now=clock.now())


@shared_task
def write_statements() -> int:
    """Write the statements that the law of a state owes consumers, and open an incident for each that is late."""
    with events.context(actor="system:statements"):
        return statements.run(now=clock.now())


@shared_task
def forget_finished() -> int:
    """Delete cards and bank accounts that only accounts that are over had use for."""
    with acting_for(ALL_AGENCIES), events.context(actor="system:wallet"):
        return wallet.forget_finished(now=clock.now())


def rest(account: Account, until: date | None) -> None:
    """Rest the running arrangement of an account with its hardship pause, or end that rest (None)."""
    if until is None:
        life.go_on(account=account, now=clock.now())
    else:
        life.pause(account=account, until=until, reason="hardship", now=clock.now())
