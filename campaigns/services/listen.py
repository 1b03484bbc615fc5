"""Ask the carrier for what it gave up telling us: it repeats a webhook for seconds, and a STOP must never be lost.

Texts that came in are listed and heard like those of a webhook, once (SMS-01, RF-06). Texts of ours whose end is not
known are asked about, a few times at growing ages.
"""

import logging
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.channels import texts
from campaigns.models import InboundMessage, Message, TextProvider
from campaigns.services import hear, track

log = logging.getLogger("quittance.messages")

IN_FLIGHT = timedelta(seconds=30)
"""So young a text may still be told by its webhook, whose answer can say something at once."""
LOOK_BACK, LOOK_FAR_BACK = timedelta(hours=1), timedelta(days=3)
"""How far it is looked back each minute, and once an hour: longer than the portal is ever away."""
AGES = tuple(timedelta(minutes=minutes) for minutes in (0.5, 5, 60, 1440))
WINDOW = timedelta(minutes=3)
"""At each of the ages a text is asked about, so long: there is time for a minute's work that was not done."""
MOST_ASKED = 200


def listen(*, now: datetime) -> int:
    """Ask every carrier in use, of all agencies; return how much was news."""
    with acting_for(ALL_AGENCIES):
        providers = list(TextProvider.objects.filter(is_active=True).select_related("agency").order_by("pk"))
    news = 0
    for provider in providers:
        with acting_for(provider.agency_id):
            try:
                news += _received(provider, now=now) + _states(provider, now=now)
            except (texts.NotTaken, LookupError, ValueError, TypeError, KeyError) as error:
                log.warning("the carrier of %s does not say what came in: %s", provider.agency_id, error)
    return news


def _access(provider: TextProvider) -> dict[str, str]:
    return {"account": provider.account, "token": provider.token, "api_url": provider.api_url}


def _received(provider: TextProvider, *, now: datetime) -> int:
    """Hear what no webhook brought, the oldest first: a START may follow a STOP."""
    back = LOOK_FAR_BACK if now.minute == 0 else LOOK_BACK
    listed = texts.carrier(provider.backend).received(**_access(provider), number=provider.number, since=now - back)
    told = [said for said in listed if said.at <= now - IN_FLIGHT]
    known = InboundMessage.objects.filter(channel="text", external_id__in=[said.provider_id[:120] for said in told])
    there = set(known.values_list("external_id", flat=True))
    # Newest first is how they are listed, and their times are whole seconds.
    missed = [said for said in reversed(told) if said.provider_id[:120] not in there]
    heard = 0
    for said in sorted(missed, key=lambda one: one.at):
        if hear.hear(provider=provider, said=said, now=now):
            heard += 1
            # There is no webhook in whose answer the carrier could be told to say something.
            mine = InboundMessage.objects.filter(channel="text", external_id=said.provider_id[:120])
            mine.filter(outcome=hear.AT_ONCE).update(outcome="not_known")
    return heard


def _states(provider: TextProvider, *, now: datetime) -> int:
    """Ask about texts whose delivery was never reported."""
    ages = Q()
    for age in AGES:
        ages |= Q(sent_at__gt=now - age - WINDOW, sent_at__lte=now - age)
    waiting = Message.objects.filter(ages, channel="text", status=Message.Status.SENT).exclude(provider_id="")
    carrier, news = texts.carrier(provider.backend), 0
    for key, provider_id in waiting.order_by("sent_at").values_list("pk", "provider_id")[:MOST_ASKED]:
        form = carrier.state(**_access(provider), provider_id=provider_id)
        about = {"external_id": carrier.external_id(form), "message": key, "form": form}
        news += track.store_report(provider=provider, now=now, **about)
    return news
