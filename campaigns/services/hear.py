"""Hear what people text back: stored once, understood and obeyed in one transaction (SMS-01, SMS-02, RF-06 to RF-08).

The number's lock is taken first: hand-overs to it that run are waited for, none begins before the row has committed.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from accounts import events
from accounts.models import Account, ContactPoint
from accounts.services import consent
from campaigns.channels.texts import Reply
from campaigns.models import Conversation, InboundMessage, Message, TextProvider
from campaigns.rules import addresses, revocation
from campaigns.rules.masking import masked
from campaigns.services import carriers, silence, texts

LIMIT_TEXT = 1600
MOST_ANSWERS = 5
"""In a day to one number: two machines that answer each other must come to an end."""
DAY = timedelta(days=1)
AT_ONCE = "answered_at_once"
"""The outcome of a text that is answered in our answer to the carrier itself."""
SETTLED = (revocation.STOP, revocation.MEDIUM, revocation.START, revocation.HELP, revocation.PAY)
"""What a machine can do to the end; everything else waits for a person."""


@transaction.atomic
def hear(*, provider: TextProvider, said: Reply, now: datetime) -> bool:
    """Take a text that came in; False when it had come before."""
    carriers.hear_alone(said.sender)
    if InboundMessage.objects.filter(channel="text", external_id=said.provider_id[:120]).exists():
        return False
    text = masked(said.text)[:LIMIT_TEXT]
    heard = revocation.hear(text)
    if heard.silences or heard.wish == revocation.START:
        consent.addresses_alone(provider.agency_id)
    points = list(
        ContactPoint.objects.select_related("consumer")
        .filter(kind=ContactPoint.Kind.PHONE, value_key=said.sender)
        .order_by("pk")
    )
    point = whose(points)
    account = _account(point)
    row = InboundMessage(
        consumer=point.consumer if point else None,
        contact_point=point,
        account=account,
        external_id=said.provider_id[:120],
        sender=said.sender[:254],
        recipient=said.to[:254],
        text=text,
        wish=heard.wish,
        words=heard.words[:200],
        received_at=now,
    )
    row.conversation = _conversation(row, now=now)
    row.outcome = _obey(row, points, provider=provider, now=now)
    row.save(force_insert=True)
    _count(row)
    about = {
        "inbound": str(row.pk),
        "conversation": str(row.conversation_id),
        "channel": "text",
        "from": point.masked if point else f"••• ••• {said.sender[-4:]}",
        "wish": row.wish,
        "outcome": row.outcome,
    }
    kind = "message.replied" if point else "message.received"
    events.record(kind, account=account, consumer=row.consumer, now=now, data=about)
    return True


def whose(points: Sequence[ContactPoint]) -> ContactPoint | None:
    """Say who texts from a number that several may share: the one whom it was last used for; else only a sole one."""
    last = Message.objects.filter(channel="text", contact_point__in=points).order_by("-queued_at")
    key = last.values_list("contact_point_id", flat=True).first()
    if key is not None:
        return next(point for point in points if point.pk == key)
    return points[0] if len({point.consumer_id for point in points}) == 1 else None


def _account(point: ContactPoint | None) -> Account | None:
    """Say which account they write about: the last they were written to about, else their only one."""
    if point is None:
        return None
    key = texts.account_for(point=point)
    # Events lock the account; everybody locks it before its consumer.
    mine = Account.objects.select_for_update(no_key=True, of=("self",)).filter(consumer_id=point.consumer_id)
    found = list(mine.filter(**({"pk": key} if key else {})).order_by("pk")[:2])
    return found[0] if len(found) == 1 else None


def _conversation(row: InboundMessage, *, now: datetime) -> Conversation:
    known = Conversation.objects.select_for_update()
    mine = {"consumer_id": row.consumer.pk} if row.consumer else {"consumer": None, "number": row.sender}
    found = known.filter(**mine).first()
    if found is None:
        # Two numbers of one consumer may come at the same moment.
        Conversation.objects.get_or_create(**mine, defaults={"number": row.sender[:16], "last_at": now})
        found = known.get(**mine)
    return found


def _count(row: InboundMessage) -> None:
    """Put what a person must look at on top of the inbox, and keep what was said last."""
    talk = row.conversation
    waits = row.wish not in SETTLED or not row.outcome or row.outcome.startswith("not_")
    talk.number, talk.last_at, talk.last_text = row.sender[:16], row.received_at, row.text[:120]
    if waits:
        talk.unread += 1
        talk.status = Conversation.Status.OPEN
    talk.save()


# What is done ---------------------------------------------------------------------------------------------------


def _obey(row: InboundMessage, points: Sequence[ContactPoint], *, provider: TextProvider, now: datetime) -> str:
    """Do what was asked at once; say what was done."""
    match row.wish:
        case revocation.STOP | revocation.MEDIUM | revocation.CEASE | revocation.DOUBT:
            return _silence(row, points, provider=provider, now=now)
        case revocation.START:
            return _start(row, points, provider=provider, now=now)
        case revocation.HELP:
            return _answer(row, "text_help", provider=provider, now=now)
        case revocation.PAY if row.account is not None:
            _refresh(row.contact_point, now=now)
            return _answer(row, "text_pay", provider=provider, now=now)
        case revocation.PAY:
            return "not_known"
    return ""


def _silence(row: InboundMessage, points: Sequence[ContactPoint], *, provider: TextProvider, now: datetime) -> str:
    """Stop texts to the number, whosever it is with us; by wider words the medium, or every one (RF-06, RF-07)."""
    if not points:
        return "stopped"  # the row itself keeps the number silent
    new = silence.write_all(points=points, wish=row.wish, words=row.text, source="text", now=now)
    if new and row.wish != revocation.DOUBT:
        _answer(row, "text_stopped", provider=provider, now=now)
    return "stopped" if new else "was_stopped"


def _start(row: InboundMessage, points: Sequence[ContactPoint], *, provider: TextProvider, now: datetime) -> str:
    """Open the number again where the way it came to us still counts; else a person looks (SMS-05, RF-16)."""
    lawful = [
        point
        for point in points
        if addresses.ROUTES.get(point.route) in (addresses.USED, addresses.TEXTED)
        and not (point.bad_at or point.removed_at)
    ]
    if not lawful:
        return "not_allowed"
    opened = [consent.start_texts(contact_point=point, words=row.text, now=now) for point in lawful]
    if not any(opened):
        return "was_open"
    _answer(row, "text_started", provider=provider, now=now)
    return silence.STARTED


def _answer(row: InboundMessage, template: str, *, provider: TextProvider, now: datetime) -> str:
    """Answer by a ready text, unless the carrier does, or too many answers went out today."""
    if carriers.confirms(provider, row.text):
        return "carrier_answered"
    if row.contact_point is None:
        return _help_stranger(row, provider=provider, now=now) if template == "text_help" else "not_known"
    sent = Message.objects.filter(
        channel="text", contact_point=row.contact_point, template=template, queued_at__gt=now - DAY
    )
    if template != "text_stopped" and sent.count() >= MOST_ANSWERS:
        return "not_again"
    row.answer = texts.queue(
        template=template,
        consumer=row.consumer,
        contact_point=row.contact_point,
        account=row.account,
        cause=f"text:{row.pk}",
        language=language_of(row),
        answers=True,
        now=now,
    )
    # What was held back a person answers in another way.
    return "not_sent" if row.answer is not None and row.answer.status == Message.Status.HELD else "answered"


def _help_stranger(row: InboundMessage, *, provider: TextProvider, now: datetime) -> str:
    """Help a number that is nobody's: whoever asks is told who we are, and nothing about any debt (SMS-05, RF-11).

    No row of a consumer is there to hang a message on: the carrier sends what stands in our answer to its webhook.
    """
    if carriers.standing(provider) != "ready":
        return "not_known"
    told = InboundMessage.objects.filter(sender=row.sender, outcome=AT_ONCE, received_at__gt=now - DAY)
    return AT_ONCE if told.count() < MOST_ANSWERS else "not_again"


def at_once(*, provider: TextProvider, said: Reply) -> str:
    """Give the text to answer a webhook with; empty where nothing is to be said there."""
    row = InboundMessage.objects.filter(channel="text", external_id=said.provider_id[:120], outcome=AT_ONCE).first()
    if row is None:
        return ""
    return texts.words_of("text_help_unknown", agency=provider.agency, language=language_of(row), facts={})


SPANISH = re.compile(
    r"\b(alto|para|pare|parar|cancela|cancelar|basta|baja|no mas|ayuda|informacion|comenzar|reanudar|empezar|pagar|pago"
    r"|enlace|no me|no quiero|dej[ae]n?(me)?|numero|persona|quite(me)?|borre|deme|denme|ya no|revoco|retiro)\b"
)


def language_of(row: InboundMessage) -> str:
    """Answer in the language of the words that were understood, else in the consumer's."""
    if SPANISH.search(row.words):
        return "es"
    known = row.consumer.language[:2] if row.consumer else "en"
    return "en" if row.words and known not in ("en", "es") else known


def _refresh(point: ContactPoint, *, now: datetime) -> None:
    """Note that the consumer texted about their account from this number (RF-16: sixty days from now)."""
    evidence = point.evidence | {"last_text_on": now.date().isoformat()}
    ContactPoint.objects.filter(pk=point.pk).update(evidence=evidence)
