"""Hand texts to the agency's carrier, one after the other, and write down what it said.

Carriers take no idempotency key. So a text whose answer was lost is not handed over again: the carrier is asked
whether it has it, and only when it says no does the text wait anew (SMS-02, RF-08: never twice, never after a STOP).
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import requests
from django.db import DatabaseError
from django.db.models import QuerySet

from accounts import clock
from accounts.known import known
from accounts.models import ContactPoint
from accounts.services import consent
from campaigns.channels.texts import NotTaken, Taken, carrier
from campaigns.models import Message, TextProvider
from campaigns.services import carriers, outbox, silence, texts, track

log = logging.getLogger("quittance.messages")

HANDING_OVER, NO_ANSWER = "handing_over", "no_answer"
NOT_THERE = "carrier_had_it_not"
"""It was asked after a lost answer and has not got it: hand it over as if it were new."""
CONFIRM_WITHIN = timedelta(minutes=5)
"""SMS-03: a confirmation of an opt-out that is later than this is not sent."""


@dataclass(frozen=True, slots=True)
class Said:
    """Hold what became of one hand-over."""

    taken: Taken | None = None
    no: NotTaken | None = None
    stopped: str = ""


def undecided(message: Message) -> bool:
    """Tell whether the carrier may have a text although nobody says so: its answer was lost, or our process died."""
    return message.attempts > 0 and message.reason.partition(":")[0] in (HANDING_OVER, NO_ANSWER)


def hand_over_all(messages: Iterable[Message], *, provider: TextProvider, now: datetime, again: Callable) -> None:
    """Hand one agency's texts over on a kept-alive connection.

    :param again: `again(message, now=...)`: when a text that was certainly not taken is tried again; None gives it up.
    """
    present = clock.going_on(now)
    with requests.Session() as session:
        for message in messages:
            at = present()
            if message.undecided:
                settle(message, provider=provider, session=session, now=at)
                continue
            if waits(message, now=at):
                continue
            try:
                text = texts.as_sent(message, now=at)
            except ValueError as error:
                outbox.failed(message_id=message.pk, reason=f"unsendable: {error}", now=at)
                continue
            said = ask(message, text, provider=provider, session=session)
            _record(message, said, now=at, again=again)


def waits(message: Message, *, now: datetime) -> bool:
    """Give a claimed message back whose hours ended while others were handed over; it is judged anew (RF-01)."""
    if message.until is None or now < message.until:
        return False
    mine = Message.objects.filter(
        pk=message.pk, status=Message.Status.QUEUED, attempts=message.attempts, reason=HANDING_OVER
    )
    mine.update(attempts=message.attempts - 1, next_at=now, reason="outside_hours")
    return True


def ask(
    message: Message, text: str, *, provider: TextProvider, session, going: Callable[[], bool] = lambda: True
) -> Said:
    """Give one text to the carrier, unless its number asked for silence: whoever says STOP waits for this (SMS-02).

    :param going: asked once more under the number's lock; a campaign says there whether it still sends.
    """
    number = message.contact_point.value_key
    with carriers.handing_over(number):
        if stopped(message):
            return Said(stopped="opted_out")
        if not going():
            return Said(stopped="campaign_halted")
        try:
            taken = carrier(provider.backend).send(
                account=provider.account,
                token=provider.token,
                api_url=provider.api_url,
                sender=provider.number,
                to=number,
                text=text,
                status_url=carriers.hook_url(provider, message),
                session=session,
            )
        except NotTaken as no:
            return Said(no=no)
        except DatabaseError:
            raise
        except Exception as error:
            log.exception("text %s: the carrier's answer cannot be read", message.pk)
            return Said(no=NotTaken(type(error).__name__, certain=False, again=True))
    return Said(taken=taken)


@known
def _opted_out(point: UUID) -> QuerySet[ContactPoint]:
    return ContactPoint.objects.filter(pk=point).exclude(opted_out_at=None)


def stopped(message: Message) -> bool:
    """Look once more, under the number's lock, whether silence was asked for since the gate judged."""
    point = message.contact_point
    if message.template == "text_stopped":
        return False  # the one confirmation (RF-08)
    said_at = silence.since([point.value_key]).get(point.value_key)
    if message.template == "text_help":
        # Who asks for help is answered while opted out (SMS-05), not after a STOP that came later.
        return said_at is not None and said_at > message.queued_at
    if _opted_out.exists(point.pk):
        return True
    return said_at is not None and said_at >= message.queued_at


def _record(message: Message, said: Said, *, now: datetime, again: Callable) -> None:
    if said.stopped:
        outbox.held(message_id=message.pk, reason=said.stopped, now=now)
    elif said.taken is not None:
        sent(message, said.taken, now=now)
    elif not refused(message, said.no, now=now):
        if not said.no.certain:
            # The lease stays: its report may say first that the carrier has it.
            _wait(message, reason=f"{NO_ANSWER}: {said.no.reason}")
        elif (at := again(message, now=now)) is None:
            outbox.failed(message_id=message.pk, reason=f"gave_up: {said.no.reason}", now=now)
        else:
            _wait(message, reason=said.no.reason, next_at=at)


def sent(message: Message, taken: Taken, *, now: datetime) -> None:
    """Record that the carrier has it."""
    Message.objects.filter(pk=message.pk).update(segments=taken.segments)
    outbox.sent(message_id=message.pk, provider_id=taken.provider_id, at=now, now=now)


def refused(message: Message, no: NotTaken, *, now: datetime) -> bool:
    """Record a no for good, and what it says about the number; False when the same text may be tried again."""
    if no.opted_out:
        consent.opt_out(contact_point=message.contact_point, scope="address", source="provider", now=now)
        return outbox.held(message_id=message.pk, reason="opted_out", now=now) or True
    if no.bad_number:
        track.given_up(message.contact_point, reason="bounced", at=now, now=now)
    if no.bad_number or (no.certain and not no.again):
        return outbox.failed(message_id=message.pk, reason=no.reason, now=now) or True
    return False


def settle(message: Message, *, provider: TextProvider, session, now: datetime) -> str:
    """Ask the carrier about a text whose answer was lost: `sent`, `not_there`, or nothing while it does not say."""
    try:
        text = texts.as_sent(message, now=now)
    except ValueError:
        # The code is spent: whether it came or not, nobody needs it any more.
        outbox.failed(message_id=message.pk, reason="no_answer", now=now)
        return "failed"
    try:
        found = carrier(provider.backend).find(
            account=provider.account,
            token=provider.token,
            api_url=provider.api_url,
            sender=provider.number,
            to=message.contact_point.value_key,
            text=text,
            session=session,
        )
    except NotTaken as no:
        _wait(message, reason=f"{NO_ANSWER}: {no.reason}")
        return ""
    others = set(
        Message.objects.filter(provider_id__in=[key for key, _n in found])
        .exclude(pk=message.pk)
        .values_list("provider_id", flat=True)
    )
    mine = next((Taken(key, segments) for key, segments in found if key not in others), None)
    if mine is not None:
        sent(message, mine, now=now)
        return "sent"
    _wait(message, reason=NOT_THERE, next_at=now)
    return "not_there"


def _wait(message: Message, *, reason: str, next_at: datetime | None = None) -> None:
    more = {} if next_at is None else {"next_at": next_at}
    Message.objects.filter(pk=message.pk, status=Message.Status.QUEUED).update(reason=reason[:300], **more)
