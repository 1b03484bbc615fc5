"""Write texts: ready ones in the consumer's language and staff's replies, as rows of the one outbox.

A text shows all of itself on a locked telephone, so none names a debt, a sum or a creditor (RF-11); it says who writes
and how to stop (RF-17, SMS-09). Codes and links stand in the stored row as marks only; they come in on the way out.
What leads to an account whose debt may be too old to sue for says so, or stays here (SOL-01, SOL-02).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from accounts.known import known
from accounts.models import Account, Agency, Consumer, ContactPoint
from accounts.services import consent
from accounts.tenancy import uuid7
from campaigns.models import Message
from campaigns.rules.linter import COLLECTOR, lint
from campaigns.services import gate, letters, links, outbox
from campaigns.services.compose import HIDDEN_DIGITS
from campaigns.services.gate import Asked

NO_ROOM = "age_notice_no_room"
"""Why a text about an old debt stays here: the notice of its age does not fit (SOL-01)."""
HIDDEN_LINK = "•link•"
"""Stands for a personal link in the stored row."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Hold a ready text: its stream, its words, whether it leads to an account (RF-20)."""

    stream: str
    words: str
    collector: bool = False
    """It leads to an account: the collector's sentence stands in it, and the notice of an old debt."""


READY = {
    "text_code": Ready(
        "security",
        gettext_noop(
            "%(digits)s is your code from %(agency)s. It works for 10 minutes. Give it to nobody. Reply STOP to stop."
        ),
    ),
    "text_stopped": Ready("answers", gettext_noop("%(agency)s: You asked us to stop. You will get no more texts.")),
    "text_started": Ready(
        "answers",
        gettext_noop(
            "%(agency)s: You will get texts from us again, as often as there is news. Message and data rates may "
            "apply. Reply HELP for help, STOP to stop."
        ),
    ),
    "text_help": Ready(
        "answers",
        gettext_noop(
            "%(agency)s, %(phone)s, %(hours)s. We write when there is news. Message and data rates may apply. Reply "
            "PAY for your link, STOP to stop."
        ),
    ),
    "text_help_unknown": Ready(
        "answers",
        gettext_noop("%(agency)s, %(phone)s, %(hours)s. Message and data rates may apply. Reply STOP to stop."),
    ),
    "text_pay": Ready("receipts", gettext_noop("%(agency)s: your personal link: %(link)s Reply STOP to stop."), True),
    "text_prepared": Ready(
        "notices",
        gettext_noop("%(agency)s: as we discussed, it waits for you until %(day)s: %(url)s Reply STOP to stop."),
        True,
    ),
}
REPLY = "text_reply"


def shown_name(agency: Agency) -> str:
    """Give the agency's name as strangers may read it: one that tells stays out (RF-11)."""
    return agency.name if not lint(agency.name) else _("us")


def words_of(template: str, *, agency: Agency, language: str, facts: dict[str, Any], barred: bool = False) -> str:
    """Write a ready text with its marks.

    :param barred: it leads to a debt that may be too old to sue for, which it says (SOL-01).
    """
    ready = READY[template]
    with override(language):
        said = {"digits": HIDDEN_DIGITS, "link": HIDDEN_LINK, "phone": agency.phone}
        said["hours"] = agency.hours_in(language)
        text = _(ready.words) % (said | {"agency": shown_name(agency)} | facts)
        if ready.collector:
            text = f"{text} {COLLECTOR[language]}"
            if barred:
                text = f"{text} {_(letters.AGE_NOTICE)}"
    return " ".join(text.split())


@known
def _agency(key: UUID) -> QuerySet[Agency]:
    return Agency.objects.filter(pk=key)


def queue(
    *,
    template: str,
    consumer: Consumer,
    contact_point: ContactPoint,
    account: Account | None,
    cause: str,
    language: str,
    now: datetime,
    facts: dict[str, Any] | None = None,
    answers: bool = False,
) -> Message | None:
    """Write a ready text once per cause; None when its cause was served before."""
    agency = _agency.get(consumer.agency_id)
    language = language if language in ("en", "es") else "en"
    old = READY[template].collector and account is not None and letters.too_old(account, now=now)
    text = words_of(template, agency=agency, language=language, facts=facts or {}, barred=old)
    whole = text.replace(HIDDEN_LINK, links.link_url(agency, links.token_of(agency.pk)))
    return write(
        text=text,
        held="" if not old or letters.has_room(whole) else NO_ROOM,
        template=template,
        stream=READY[template].stream,
        consumer=consumer,
        contact_point=contact_point,
        account=account,
        cause=cause,
        language=language,
        answers=answers,
        now=now,
    )


@transaction.atomic
def write(
    *,
    text: str,
    template: str,
    stream: str,
    consumer: Consumer,
    contact_point: ContactPoint,
    account: Account | None,
    cause: str,
    language: str,
    now: datetime,
    answers: bool = False,
    held: str = "",
) -> Message | None:
    """Put a text into the outbox, once per cause; the gate judges it when it leaves.

    :param text: with marks for what must not be stored.
    :param held: why it must stay here.
    """
    if outbox.served(cause):
        return None
    key = uuid7()
    reason = held or outbox.silenced(
        template=template, consumer=consumer, account_id=account.pk if account else None, now=now
    )
    message = Message.objects.create(
        id=key,
        channel="text",
        consumer=consumer,
        account=account,
        contact_point=contact_point,
        template=template,
        stream=stream,
        language=language,
        subject="",
        text=text,
        html="",
        cause=cause,
        token=hashlib.sha256(consent.stop_token(contact_point).encode()).hexdigest(),
        link_hash=links.hash_of(links.token_of(key)) if HIDDEN_LINK in text else "",
        status=Message.Status.HELD if reason else Message.Status.QUEUED,
        reason=reason,
        next_at=now,
        queued_at=now,
        anytime_until=now + outbox.ANSWERS if answers else None,
    )
    if reason:
        outbox.tell("message.held", message, now=now, reason=reason)
    else:
        outbox.tell("message.queued", message, now=now)
    return message


def as_sent(message: Message, *, now: datetime) -> str:
    """Write a text as it goes out: the code and the link take the place of their marks.

    :raises ValueError: the code is spent.
    """
    text = message.text
    if HIDDEN_DIGITS in text:
        if not (digits := outbox.digits_for(message, now=now)):
            raise ValueError("The code is spent.")
        text = text.replace(HIDDEN_DIGITS, digits)
        # Telephones offer a code on the very site it is for (origin-bound one-time codes).
        text += f"\n@{message.agency.slug}.{settings.PORTAL_DOMAIN.partition(':')[0]} #{digits}"
    return text.replace(HIDDEN_LINK, links.link_url(message.agency, links.token_of(message.pk)))


@known
def _numbers(consumer_id: UUID, now: datetime) -> QuerySet[ContactPoint]:
    return ContactPoint.objects.filter(
        Q(code_usable_from=None) | Q(code_usable_from__lte=now),
        consumer=consumer_id,
        kind=ContactPoint.Kind.PHONE,
        textable=True,
        removed_at=None,
    ).order_by("position", "pk")[:5]


def for_codes(consumer: Consumer, now: datetime) -> list[ContactPoint]:
    """List the numbers that a code may be texted to: the consumer's own, agreed to, not newer than a day (AUTH-09)."""
    found = _numbers(consumer.pk, now)
    asked = [Asked(channel="text", purpose="receipt", consumer=consumer, point=point, answers=True) for point in found]
    return [one.point for one, (_facts, said) in zip(asked, gate.judge(asked, now=now), strict=True) if said.allowed]


def account_for(*, point: ContactPoint) -> UUID | None:
    """Say which account a number was last written to about."""
    last = Message.objects.filter(contact_point=point, account__isnull=False).order_by("-queued_at")
    return last.values_list("account_id", flat=True).first()
