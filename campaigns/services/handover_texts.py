"""Give a campaign's texts to the carrier, each under its number's lock, and ask about those whose answer was lost."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import requests

from accounts import clock
from campaigns.models import Campaign, Message
from campaigns.services import campaigns, carriers, handover, outbox, send_texts, texts
from campaigns.services.writer import Leaving

log = logging.getLogger("quittance.campaigns")


def give(campaign: Campaign, leaving: Sequence[Leaving], *, now: datetime) -> None:
    """Hand texts over; none begins when the campaign was halted or the number asked for silence meanwhile.

    Each leaves by the time it is by then: a thousand take long, and the hours of the last ones may be over (RF-01).
    """
    present = clock.going_on(now)
    provider = carriers.active()
    if provider is None:
        handover.put_back(leaving, reason="no_provider", until=now + handover.AGAIN, now=now)
        return
    carriers.take(provider, len(leaving), now=now, urgent=len(leaving))
    with requests.Session() as session:
        for one in leaving:
            at = present()
            if not handover.in_hours([one], at=at):
                continue
            text = texts.as_sent(one.message, now=at)
            with campaigns.handing_over(campaign.pk) as sends:
                begun = sends and handover.begun([one])
                said = send_texts.ask(one.message, text, provider=provider, session=session, going=partial(bool, begun))
            # Written down after the locks are gone: whoever stops waits for the network only.
            _record(one, said, now=at)


def _record(one: Leaving, said: send_texts.Said, *, now: datetime) -> None:
    if said.stopped == "campaign_halted":
        handover.put_back([one], reason=said.stopped, until=None, now=now)
    elif said.stopped:
        handover.leave_out([one], reason=said.stopped, now=now)
    elif said.taken is not None:
        Message.objects.filter(pk=one.message.pk).update(segments=said.taken.segments)
        handover.sent([one], provider_id=said.taken.provider_id, at=now, now=now)
    elif send_texts.refused(one.message, said.no, now=now):
        return
    elif said.no.certain:
        handover.put_back([one], reason=said.no.reason[:60], until=now + handover.AGAIN, now=now)
    else:
        log.warning("campaign %s: no answer for text %s", one.recipient.campaign_id, one.message.pk)


def settle(messages: Sequence[Message], *, now: datetime) -> int:
    """Ask the carrier about texts whose answer was lost; return how many are decided now.

    A campaign never risks a second copy: what the carrier has is sent, what it has not is told as failed. About what it
    does not say it is asked again when the caller's claim has passed.
    """
    if (provider := carriers.active()) is None:
        return 0
    decided = 0
    with requests.Session() as session:
        for message in messages:
            what = send_texts.settle(message, provider=provider, session=session, now=now)
            if what == "not_there" or (not what and now - message.queued_at > outbox.ANSWERED_WITHIN):
                outbox.failed(message_id=message.pk, reason="no_answer", now=now)
                what = "failed"
            decided += bool(what)
    return decided
