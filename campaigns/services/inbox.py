"""The staff inbox: what consumers wrote and what we answered; answers in approved words only, through the gate."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts import events
from accounts.models import Account, Agency, ContactPoint
from accounts.refusals import Refusal, gettext_noop, refuse
from campaigns.models import Conversation, InboundMessage, Message, MessageTemplate, TemplateVersion
from campaigns.rules import fields, revocation
from campaigns.rules.contact import Judgement
from campaigns.services import gate, letters, links, mails, outbox, silence, texts, writer
from campaigns.services.compose import HEAD_ENDS
from campaigns.services.gate import Asked
from payments.services.owed import owed

LINES = 200
"""Of a conversation, the newest; older ones stand in the list of messages."""
MEDIA = ("text", "email")
WISHES = (revocation.STOP, revocation.MEDIUM, revocation.CEASE)
_S = {
    "number_unknown": gettext_noop("Nobody of this agency is known by this number."),
    "no_mail": gettext_noop("No e-mail came from this consumer that could be answered."),
    "template_unknown": gettext_noop("Choose a published template for text messages, or a published answer by e-mail."),
    "account_needed": gettext_noop("This template speaks of an account, and the conversation is about none."),
    "contact_denied": gettext_noop("Not allowed now: %(codes)s."),
    "too_old_for_suit": gettext_noop("It speaks of a suit, and the debt may be too old for one (RF-25)."),
    "age_notice_no_room": gettext_noop("This text has no room for the notice that the debt is old (SOL-01)."),
    "wish_unknown": gettext_noop("Say what the consumer asked: stop, medium or cease."),
    "words_missing": gettext_noop("Write down what the consumer said."),
    "sent_before": gettext_noop("This reply was sent already."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_S[code], code, field=field, **params)


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one text or e-mail of a conversation, from them or from us."""

    at: datetime
    theirs: bool
    text: str
    status: str
    id: object
    channel: str = "text"


@dataclass(frozen=True, slots=True)
class Way:
    """Say by which medium a conversation may be answered now, or what is against it."""

    channel: str
    point: ContactPoint
    answers: bool
    """Their last words by it are so young that an answer may go at any hour."""
    first: bool
    """Nothing was said about the debt before."""
    judgement: Judgement

    @property
    def closed(self) -> bool:
        """Tell whether no waiting opens it."""
        return not self.judgement.allowed and self.judgement.until is None


def lines(conversation: Conversation) -> list[Line]:
    """Give a conversation, the oldest first; codes are not shown, links are left out."""
    return lines_of([conversation])[conversation.pk]


def lines_of(conversations: Sequence[Conversation]) -> dict[UUID, list[Line]]:
    """Give conversations, read at once."""
    found: dict[UUID, list[Line]] = {one.pk: [] for one in conversations}
    of = {one.consumer_id: one.pk for one in conversations if one.consumer_id is not None}
    theirs = InboundMessage.objects.filter(conversation_id__in=list(found))
    for one in _newest(theirs, of="conversation_id", by="received_at"):
        line = Line(one.received_at, True, one.text, one.wish, one.pk, one.channel)
        found[one.conversation_id].append(line)
    shown = Q(channel="text") | Q(template__in=(mails.REPLY, mails.STOPPED))
    ours = Message.objects.filter(shown, consumer_id__in=list(of)).exclude(stream="security")
    for one in _newest(ours, of="consumer_id", by="queued_at"):
        line = Line(one.sent_at or one.queued_at, False, _said(one), one.status, one.pk, one.channel)
        found[of[one.consumer_id]].append(line)
    in_order = {pk: sorted(said, key=lambda one: (one.at, not one.theirs, str(one.id))) for pk, said in found.items()}
    return {pk: said[-LINES:] for pk, said in in_order.items()}


def _newest(rows: QuerySet, *, of: str, by: str) -> QuerySet:
    """Give the newest LINES of each."""
    place = Window(RowNumber(), partition_by=of, order_by=(f"-{by}", "-id"))
    return rows.annotate(place=place).filter(place__lte=LINES)


def _said(message: Message) -> str:
    """Give what we wrote; of an e-mail without the head that says who writes."""
    head, ends, body = message.text.partition(HEAD_ENDS)
    return f"{message.subject}: {' '.join(body.split())}" if message.channel == "email" and ends else head


def templates_for_replies(channels: Collection[str] = MEDIA) -> list[TemplateVersion]:
    """List the approved words: published templates for texts, and by e-mail those that are made to answer with."""
    words = Q(template__channel="text") | Q(template__channel="email", template__kind=MessageTemplate.Kind.REPLY)
    known = TemplateVersion.objects.select_related("template").filter(words, template__channel__in=channels)
    published = known.filter(status=TemplateVersion.Status.PUBLISHED, template__retired_at=None)
    return list(published.order_by("template__name"))


def _answers_with(version: TemplateVersion | None) -> bool:
    """Tell whether these words may answer a consumer."""
    if version is None or version.status != TemplateVersion.Status.PUBLISHED:
        return False
    return version.template.channel == "text" or version.template.kind == MessageTemplate.Kind.REPLY


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


def point_of(conversation: Conversation, channel: str = "text") -> ContactPoint | None:
    """Give the consumer's number, or address, that they wrote from last."""
    if conversation.consumer_id is None:
        return None
    if channel == "email":
        return last.contact_point if (last := mails.last_of(conversation)) else None
    points = ContactPoint.objects.select_related("consumer").filter(
        consumer_id=conversation.consumer_id, kind=ContactPoint.Kind.PHONE, value_key=conversation.number
    )
    return points.first()


def account_of(conversation: Conversation) -> Account | None:
    """Give the account that the conversation is about, as far as that can be known."""
    return accounts_of([conversation]).get(conversation.pk)


def accounts_of(conversations: Sequence[Conversation]) -> dict[UUID, Account]:
    """Give the accounts that conversations are about, of those of which one is known, read at once."""
    known = InboundMessage.objects.filter(conversation_id__in=[one.pk for one in conversations]).exclude(account=None)
    latest = known.order_by("conversation_id", "-received_at").distinct("conversation_id")
    return {one.conversation_id: one.account for one in latest.select_related("account__client")}


def ways(*, conversation: Conversation, now: datetime) -> list[Way]:
    """Say by which media the consumer can be answered, and what the gate has against each now (RF-07)."""
    account, found = account_of(conversation), []
    for channel in MEDIA:
        if (point := point_of(conversation, channel)) is None:
            continue
        came = conversation.inbound.filter(channel=channel).order_by("-received_at")
        last = came.values_list("received_at", flat=True).first()
        answers = last is not None and now - last < outbox.ANSWERS
        asked = Asked(
            channel=channel, purpose="service", consumer=point.consumer, account=account, point=point, answers=answers
        )
        ((facts, judgement),) = gate.judge([asked], now=now)
        found.append(Way(channel, point, answers, facts.first_contact, judgement))
    return found


def written(*, conversation: Conversation, version: TemplateVersion, now: datetime) -> str:
    """Write a reply for this consumer, its link as a mark."""
    consumer, account = conversation.consumer, account_of(conversation)
    if version.template.channel == "email":
        point = point_of(conversation, "email")
        assert point is not None, "an e-mail is answered where one came from"
        subject, text, _html = mails.written(
            version=version, point=point, account=account, check_code="", first=False, now=now
        )
        return f"{subject}: {' '.join(text.partition(HEAD_ENDS)[2].split())}"
    agency = Agency.objects.get(pk=conversation.agency_id)
    language = mails.language_of(consumer)
    barred = account is not None and letters.too_old(account, now=now)
    compiled = letters.compile_text(version=version, agency=agency, language=language, first=False, barred=barred)
    if account is not None:
        values = writer.values_of(agency, account, owed(account).cents, None, language)
    else:
        values = mails.plain_values(agency, consumer)
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
    if version is None or not _answers_with(version):
        return [_no("template_unknown", "template")]
    channel = version.template.channel
    way = next((one for one in ways(conversation=conversation, now=now) if one.channel == channel), None)
    if way is None:
        return [_no("number_unknown" if channel == "text" else "no_mail")]
    account = account_of(conversation)
    if found := _against(way, version, account, now=now):
        return found
    cause = f"reply:{conversation.pk}:{key}"[:120]
    if channel == "email":
        write = partial(mails.write, version=version, answered=mails.last_of(conversation), first=way.first)
    else:
        text = written(conversation=conversation, version=version, now=now)
        if (
            account is not None
            and letters.too_old(account, now=now)
            and not letters.has_room(_with_link(text, account))
        ):
            return [_no("age_notice_no_room", "template", rule="SOL-01")]
        write = partial(texts.write, text=text, template=texts.REPLY, stream="replies", consumer=way.point.consumer)
        write = partial(write, contact_point=way.point, language=mails.language_of(way.point.consumer))
    with transaction.atomic():
        message = write(account=account, cause=cause, answers=way.answers, now=now)
        if message is None:
            return [_no("sent_before")]
        Conversation.objects.filter(pk=conversation.pk).update(unread=0, assigned_to=conversation.assigned_to or by)
    return message


def _against(way: Way, version: TemplateVersion, account: Account | None, *, now: datetime) -> list[Refusal]:
    """List what is against these words by this medium."""
    said = " ".join(part for part in version.words.get("en", {}).values())
    named = set(fields.used(said)) - {"first_name", "agency", "agency_phone", "agency_hours"}
    if account is None and (named or (way.channel == "email" and mails.leads(version))):
        return [_no("account_needed", "template")]
    if way.closed:
        codes = ", ".join(f"{one.code} ({', '.join(one.rules)})" for one in way.judgement.denials)
        return [_no("contact_denied", codes=codes)]
    if account is not None and version.template.litigation and letters.too_old(account, now=now):
        return [_no("too_old_for_suit", "template", rule="RF-25")]
    return []


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
        new = silence.write_all(points=points, wish=wish, words=words, source="staff", now=now)
        if new and points[0].kind == ContactPoint.Kind.PHONE:
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
        elif new:
            mails.confirm_to(
                points[0],
                account=None,
                cause=f"revoked:{conversation.pk}:{now.isoformat()}",
                language=points[0].consumer.language[:2],
                answered=mails.last_of(conversation),
                now=now,
            )
    return new


def _points(conversation: Conversation) -> Sequence[ContactPoint]:
    """Give what is stopped by hand: the number or address that they wrote from last, theirs and whoever shares it."""
    last = conversation.inbound.order_by("-received_at", "-id").first()
    if last is None:
        return []
    kind = ContactPoint.Kind.EMAIL if last.channel == "email" else ContactPoint.Kind.PHONE
    points = ContactPoint.objects.select_related("consumer").filter(kind=kind, value_key=last.sender)
    mine = Q(consumer=conversation.consumer_id)
    found = points.filter(mine | Q(removed_at=None)).order_by("pk")
    return sorted(found, key=lambda point: point.consumer_id != conversation.consumer_id)


def unread() -> int:
    """Count the conversations of the acting agency that wait for a person."""
    return Conversation.objects.filter(status=Conversation.Status.OPEN, unread__gt=0).count()
