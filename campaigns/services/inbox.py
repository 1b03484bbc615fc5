"""The staff inbox: what consumers texted and what we answered; replies in approved words only, through the gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts import events
from accounts.models import Account, Agency, ContactPoint
from accounts.refusals import Refusal, gettext_noop, refuse
from campaigns.models import Conversation, Message, MessageTemplate, TemplateVersion
from campaigns.rules import fields, revocation
from campaigns.services import gate, launch, letters, links, outbox, silence, texts
from campaigns.services.gate import Asked

LINES = 200
"""Of a conversation, the newest; older ones stand in the list of messages."""
WISHES = (revocation.STOP, revocation.MEDIUM, revocation.CEASE)
_S = {
    "number_unknown": gettext_noop("Nobody of this agency is known by this number."),
    "template_unknown": gettext_noop("Choose a published template for text messages."),
    "account_needed": gettext_noop("This template speaks of an account, and the conversation is about none."),
    "contact_denied": gettext_noop("Not allowed now: %(codes)s."),
    "age_notice_no_room": gettext_noop("This text has no room for the notice that the debt is old (SOL-01)."),
    "wish_unknown": gettext_noop("Say what the consumer asked: stop, medium or cease."),
    "words_missing": gettext_noop("Write down what the consumer said."),
    "sent_before": gettext_noop("This reply was sent already."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_S[code], code, field=field, **params)


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one text of a conversation, from them or from us."""

    at: datetime
    theirs: bool
    text: str
    status: str
    id: object


def lines(conversation: Conversation) -> list[Line]:
    """Give a conversation, the oldest first; codes are not shown, links are left out."""
    theirs = conversation.inbound.order_by("-received_at", "-id")[:LINES]
    found = [Line(one.received_at, True, one.text, one.wish, one.pk) for one in theirs]
    if conversation.consumer_id is not None:
        ours = Message.objects.filter(consumer_id=conversation.consumer_id, channel="text").exclude(stream="security")
        found += [
            Line(one.sent_at or one.queued_at, False, one.text, one.status, one.pk)
            for one in ours.order_by("-queued_at", "-id")[:LINES]
        ]
    return sorted(found, key=lambda line: (line.at, not line.theirs, str(line.id)))[-LINES:]


def templates_for_replies() -> list[TemplateVersion]:
    """List the approved words: the published versions of templates for texts."""
    return list(
        TemplateVersion.objects.select_related("template")
        .filter(
            status=TemplateVersion.Status.PUBLISHED,
            template__channel=MessageTemplate.Channel.TEXT,
            template__retired_at=None,
        )
        .order_by("template__name")
    )


def seen(*, conversation: Conversation) -> None:
    """Note that a person read it."""
    Conversation.objects.filter(pk=conversation.pk).update(unread=0)


def assign(*, conversation: Conversation, to: str) -> None:
    """Give a conversation to a member of staff (`staff:<id>`), or to nobody."""
    Conversation.objects.filter(pk=conversation.pk).update(assigned_to=to[:80])


def close(*, conversation: Conversation, closed: bool) -> None:
    """Close a conversation, or open it again; a new text that a person must look at opens it too."""
    status = Conversation.Status.CLOSED if closed else Conversation.Status.OPEN
    Conversation.objects.filter(pk=conversation.pk).update(status=status, **({"unread": 0} if closed else {}))


def point_of(conversation: Conversation) -> ContactPoint | None:
    """Give the consumer's number that they wrote from last."""
    if conversation.consumer_id is None:
        return None
    points = ContactPoint.objects.select_related("consumer").filter(
        consumer_id=conversation.consumer_id, kind=ContactPoint.Kind.PHONE, value_key=conversation.number
    )
    return points.first()


def account_of(conversation: Conversation) -> Account | None:
    """Give the account that the conversation is about, as far as that can be known."""
    known = conversation.inbound.exclude(account=None).order_by("-received_at").select_related("account__client")
    return known.first().account if known else None


def written(*, conversation: Conversation, version: TemplateVersion, now: datetime) -> str:
    """Write a reply for this consumer, its link as a mark."""
    consumer, account = conversation.consumer, account_of(conversation)
    agency = Agency.objects.get(pk=conversation.agency_id)
    language = consumer.language[:2] if consumer.language[:2] in ("en", "es") else "en"
    barred = account is not None and letters.too_old(account, now=now)
    compiled = letters.compile_text(version=version, agency=agency, language=language, first=False, barred=barred)
    if account is not None:
        values = launch.values_of(agency, account, None, language)
    else:
        values = {"first_name": consumer.first_name or str(consumer), "agency": agency.name}
        values |= {"agency_phone": agency.phone, "agency_hours": agency.hours}
    return compiled.write(values | {"link": texts.HIDDEN_LINK})[1]


def _with_link(text: str, account: Account) -> str:
    """Write a text with a link of the length that it will have."""
    return text.replace(texts.HIDDEN_LINK, links.link_url(account.agency, links.token_of(account.pk)))


def reply(
    *, conversation: Conversation, version: TemplateVersion | None, key: str, by: str, now: datetime
) -> Message | list[Refusal]:
    """Answer in approved words; everything against it at once, and then nothing is written.

    :param key: the same for the same reply sent twice: it goes once.
    """
    if version is None or version.status != TemplateVersion.Status.PUBLISHED or version.template.channel != "text":
        return [_no("template_unknown", "template")]
    if (point := point_of(conversation)) is None:
        return [_no("number_unknown")]
    account = account_of(conversation)
    said = version.words.get("en", {}).get("body", "")
    if account is None and set(fields.used(said)) - {"first_name", "agency", "agency_phone", "agency_hours"}:
        return [_no("account_needed", "template")]
    last = conversation.inbound.order_by("-received_at").values_list("received_at", flat=True).first()
    answers = last is not None and now - last < outbox.ANSWERS
    asked = Asked(
        channel="text", purpose="service", consumer=point.consumer, account=account, point=point, answers=answers
    )
    ((_facts, judgement),) = gate.judge([asked], now=now)
    if not judgement.allowed and judgement.until is None:
        codes = ", ".join(f"{one.code} ({', '.join(one.rules)})" for one in judgement.denials)
        return [_no("contact_denied", codes=codes)]
    text = written(conversation=conversation, version=version, now=now)
    if account is not None and letters.too_old(account, now=now) and not letters.has_room(_with_link(text, account)):
        return [_no("age_notice_no_room", "template", rule="SOL-01")]
    language = point.consumer.language[:2]
    with transaction.atomic():
        message = texts.write(
            text=text,
            template=texts.REPLY,
            stream="replies",
            consumer=point.consumer,
            contact_point=point,
            account=account,
            cause=f"reply:{conversation.pk}:{key}"[:120],
            language=language if language in ("en", "es") else "en",
            answers=answers,
            now=now,
        )
        if message is None:
            return [_no("sent_before")]
        Conversation.objects.filter(pk=conversation.pk).update(unread=0, assigned_to=conversation.assigned_to or by)
    return message


def revoke(*, conversation: Conversation, wish: str, words: str, by: str, now: datetime) -> bool | list[Refusal]:
    """Write down by hand what the consumer asked; False when everything was stopped so already (SMS-01)."""
    found = [] if wish in WISHES else [_no("wish_unknown", "wish")]
    if not words.strip():
        found.append(_no("words_missing", "words"))
    points = _points(conversation)
    if not points:
        found.append(_no("number_unknown"))
    if found:
        return found
    with transaction.atomic(), events.context(actor=by):
        new = [silence.write(point=point, wish=wish, words=words, source="staff", now=now) for point in points]
        if any(new) and points[0].kind == ContactPoint.Kind.PHONE:
            texts.queue(
                template="text_stopped",
                consumer=points[0].consumer,
                contact_point=points[0],
                account=None,
                cause=f"revoked:{conversation.pk}:{now.isoformat()}",
                language=points[0].consumer.language[:2],
                answers=True,
                now=now,
            )
    return any(new)


def _points(conversation: Conversation) -> Sequence[ContactPoint]:
    """Give the address that is stopped by hand: their number, or the address they mailed from."""
    if (point := point_of(conversation)) is None:
        mailed = conversation.inbound.exclude(contact_point=None).select_related("contact_point__consumer")
        last = mailed.order_by("-received_at").first()
        point = last.contact_point if last else None
    return [point] if point else []


def unread() -> int:
    """Count the conversations of the acting agency that wait for a person."""
    return Conversation.objects.filter(status=Conversation.Status.OPEN, unread__gt=0).count()
