"""Write answers by e-mail as rows of the one outbox: staff's in approved words, and the confirmation of an opt-out.

An answer hangs in the consumer's own thread (In-Reply-To). Its personal link stands in the stored row as a mark, as in
texts, and comes in on the way out.
"""

import hashlib
from datetime import datetime

from django.db import transaction

from accounts.calendars import local_date
from accounts.models import Account, Agency, Consumer, ContactPoint
from accounts.services import consent, licences
from accounts.services.contacts import blocked
from accounts.tenancy import uuid7
from campaigns.models import Conversation, InboundMessage, Message, TemplateVersion
from campaigns.rules import markup
from campaigns.services import hear, letters, links, outbox, writer
from campaigns.services.compose import stop_url
from campaigns.services.texts import HIDDEN_LINK
from payments.services.owed import owed

REPLY = "mail_reply"
STOPPED = "email_stopped"


def last_of(conversation: Conversation) -> InboundMessage | None:
    """Give the mail that came in last from an address that is still the consumer's."""
    mine = conversation.inbound.filter(channel="email", contact_point__consumer=conversation.consumer_id)
    joined = mine.filter(contact_point__removed_at=None).select_related("contact_point__consumer")
    return joined.order_by("-received_at", "-id").first()


def thread_of(row: InboundMessage | None) -> str:
    """Give the Message-Id of a mail that came in; empty where the provider named none, or one too long to keep."""
    return row.external_id if row and row.external_id.startswith("<") and row.external_id.endswith(">") else ""


def leads(version: TemplateVersion) -> bool:
    """Tell whether a template has a button, which leads to an account's page."""
    return any(block.kind == "button" for said in version.words.values() for block in markup.read(said["body"]))


def written(
    *,
    version: TemplateVersion,
    point: ContactPoint,
    account: Account | None,
    check_code: str,
    first: bool,
    now: datetime,
) -> tuple[str, str, str]:
    """Write an answer for one consumer: subject, text and HTML, the link as a mark (RF-20, SOL-01)."""
    consumer, agency = point.consumer, Agency.objects.get(pk=point.agency_id)
    language = language_of(consumer)
    barred = account is not None and letters.too_old(account, now=now)
    printed = licences.printed(consumer, agency, local_date(now, consumer.time_zone))
    compiled = letters.compile_mail(
        version=version, agency=agency, language=language, first=first, barred=barred, licensed=bool(printed)
    )
    if account is not None:
        values = writer.values_of(agency, account, owed(account).cents, None, language)
    else:
        values = plain_values(agency, consumer)
    values |= {letters.LICENCE: "; ".join(printed)}
    return compiled.write(values | {"link": HIDDEN_LINK, "stop_url": stop_url(agency, point), "check_code": check_code})


def plain_values(agency: Agency, consumer: Consumer) -> dict[str, str]:
    """Say what may stand in an answer that is about no account."""
    values = {"first_name": consumer.first_name or str(consumer), "agency": agency.name}
    return values | {"agency_phone": agency.phone, "agency_hours": agency.hours_in(language_of(consumer))}


def language_of(consumer: Consumer) -> str:
    language = consumer.language[:2]
    return language if language in ("en", "es") else "en"


@transaction.atomic
def write(
    *,
    version: TemplateVersion,
    answered: InboundMessage,
    account: Account | None,
    cause: str,
    first: bool,
    answers: bool,
    now: datetime,
) -> Message | None:
    """Put staff's answer to a mail into the outbox, once per cause; the gate judges it when it leaves."""
    if outbox.served(cause):
        return None
    key, point = uuid7(), answered.contact_point
    code = links.check_code(key)
    subject, text, html = written(version=version, point=point, account=account, check_code=code, first=first, now=now)
    reason = blocked(point, stream="notices") or outbox.silenced(
        template=REPLY, consumer=point.consumer, account_id=account.pk if account else None, now=now
    )
    message = Message.objects.create(
        id=key,
        check_hash=links.hash_of(code),
        link_hash=links.hash_of(links.token_of(key)) if HIDDEN_LINK in text else "",
        consumer=point.consumer,
        account=account,
        contact_point=point,
        template=REPLY,
        stream="replies",
        language=language_of(point.consumer),
        subject=subject[:200],
        text=text,
        html=html,
        cause=cause,
        token=hashlib.sha256(consent.stop_token(point).encode()).hexdigest(),
        in_reply_to=thread_of(answered),
        status=Message.Status.HELD if reason else Message.Status.QUEUED,
        reason=reason,
        next_at=now,
        queued_at=now,
        anytime_until=now + outbox.ANSWERS if answers else None,
    )
    outbox.tell(
        "message.held" if reason else "message.queued", message, now=now, **({"reason": reason} if reason else {})
    )
    return message


def confirm(*, row: InboundMessage, now: datetime) -> Message | None:
    """Confirm by e-mail, once, that a mail stopped e-mail, and say nothing else (RF-08).

    As with texts it leaves within five minutes or not at all. What RF-17, RF-20 and RF-23 want in every mail stands
    around it. A click on a page or in a mailbox (RFC 8058) is answered there and gets no mail.
    """
    return confirm_to(
        row.contact_point,
        account=row.account,
        cause=f"mail:{row.pk}",
        language=hear.language_of(row),
        answered=row,
        now=now,
    )


def confirm_to(
    point: ContactPoint,
    *,
    account: Account | None,
    cause: str,
    language: str,
    answered: InboundMessage | None,
    now: datetime,
) -> Message | None:
    """Write the confirmation to the address that was stopped."""
    return outbox.queue(
        template=STOPPED,
        consumer=point.consumer,
        contact_point=point,
        account=account,
        cause=cause,
        language=language if language in ("en", "es") else "en",
        facts={},
        in_reply_to=thread_of(answered),
        answers=True,
        now=now,
    )
