"""Hear what people mail back: stored once, free words of revocation obeyed, the rest for a person (RF-06, RF-07).

A mail is matched by the message it answers, else by its sender's address. A sender can be forged, so a mail only ever
stops something; what it asks for beyond that a person answers. What it stops is the address, for everyone for whom it
is listed, also where nobody can say who of them wrote.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts import events
from accounts.models import Account, ContactPoint
from accounts.services import consent
from accounts.tenancy import acting
from campaigns.channels import MailReply
from campaigns.models import Conversation, InboundMessage, Message
from campaigns.rules import revocation
from campaigns.rules.masking import masked
from campaigns.rules.revocation import Heard
from campaigns.services import mails, silence

LIMIT_TEXT = 10_000
QUOTED = re.compile(
    r"^(>.*|-{2,}\s*original message.*|on .{5,120} wrote:|el .{5,120} escribi[oó]:|de: .*@.*|from: .*@.*)$",
    re.IGNORECASE | re.MULTILINE,
)
"""Where what they answer to begins: our own words there say how to stop, and are not theirs."""


def own_words(text: str) -> str:
    """Give what was written anew, without what it answers to."""
    found = QUOTED.search(text)
    return (text[: found.start()] if found else text).strip()


@transaction.atomic
def hear(*, said: MailReply, now: datetime) -> bool:
    """Take a mail that came in to the acting agency; False when it had come before."""
    if InboundMessage.objects.filter(channel="email", external_id=said.external_id).exists():
        return False
    text, heard = _understood(said)
    if heard.silences:
        consent.addresses_alone(acting())
    points = list(
        ContactPoint.objects.select_related("consumer")
        .filter(kind=ContactPoint.Kind.EMAIL, value_key=said.sender)
        .order_by("pk")
    )
    live = [one for one in points if one.removed_at is None]
    point, account = _whose(said, live)
    wish = heard.wish if heard.silences else revocation.NOTHING
    row = InboundMessage(
        channel="email",
        consumer=point.consumer if point else None,
        contact_point=point,
        account=account,
        external_id=said.external_id,
        sender=said.sender,
        recipient=said.to,
        text=text,
        wish=wish,
        words=heard.words[:200],
        received_at=now,
    )
    row.conversation = _conversation(row, now=now)
    if points and heard.silences:
        new = silence.write_all(points=live or points, wish=wish, words=text, source="reply", now=now)
        row.outcome = "stopped" if new else "was_stopped"
        if new and point is not None and wish != revocation.DOUBT:
            row.answer = mails.confirm(row=row, now=now)
    row.save(force_insert=True)
    _count(row)
    about = {
        "inbound": str(row.pk),
        "conversation": str(row.conversation_id),
        "channel": "email",
        "from": point.masked if point else f"{said.sender[:1]}•••@{said.sender.rpartition('@')[2]}",
        "wish": row.wish,
        "outcome": row.outcome,
    }
    kind = "message.replied" if point else "message.received"
    events.record(kind, account=account, consumer=row.consumer, now=now, data=about)
    return True


def _understood(said: MailReply) -> tuple[str, Heard]:
    """Give what they wrote and what it asks; a subject of their own speaks where the words below it do not (RF-07)."""
    text = masked(own_words(said.text))[:LIMIT_TEXT]
    heard = revocation.hear(text)
    if heard.silences or not said.subject:
        return text, heard
    subject = masked(said.subject)
    return f"{subject}\n{text}".strip(), revocation.hear(subject)


def _whose(said: MailReply, points: Sequence[ContactPoint]) -> tuple[ContactPoint | None, Account | None]:
    """Say whose mail it is and about which account: by what it answers, if it came from there; else by its address."""
    answered = None
    if said.answers:
        answered = Message.objects.filter(provider_id=said.answers, contact_point__in=points).first()
    if answered is not None:
        point = next(one for one in points if one.pk == answered.contact_point_id)
        key = answered.account_id
    else:
        point, key = (points[0], None) if len(points) == 1 else (None, None)
    if point is None:
        return None, None
    # Events lock the account; everybody locks it before its consumer.
    mine = Account.objects.select_for_update(no_key=True, of=("self",)).filter(consumer_id=point.consumer_id)
    known = list(mine.filter(**({"pk": key} if key else {})).order_by("pk")[:2])
    return point, known[0] if len(known) == 1 else None


def _conversation(row: InboundMessage, *, now: datetime) -> Conversation:
    known = Conversation.objects.select_for_update()
    mine = {"consumer_id": row.consumer.pk} if row.consumer else {"consumer": None, "number": row.sender}
    if (found := known.filter(**mine).first()) is None:
        Conversation.objects.get_or_create(**mine, defaults={"number": row.sender, "last_at": now})
        found = known.get(**mine)
    return found


def _count(row: InboundMessage) -> None:
    """Put it on top of the inbox, unless a machine did all that it asks; a number to text to is not overwritten."""
    talk = row.conversation
    talk.last_at, talk.last_text = row.received_at, row.text[:120]
    if not row.outcome or row.wish in (revocation.DOUBT, revocation.CEASE):
        talk.unread += 1
        talk.status = Conversation.Status.OPEN
    talk.save()
