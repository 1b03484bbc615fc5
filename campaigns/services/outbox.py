"""Messages as rows: queued in the transaction of their cause, then moved by the provider's word only."""

import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.calendars import local_date
from accounts.crypto import CannotOpen, seal, unseal
from accounts.known import known
from accounts.models import Account, Agency, Code, Consumer, ContactPoint
from accounts.services import consent, licences
from accounts.services.contacts import blocked
from accounts.tenancy import acting_for, uuid7
from campaigns.models import Message
from campaigns.services import links, notices, templates
from campaigns.services.compose import TEMPLATES, compose, site_url
from payments.models import Authorization
from payments.services import statements
from payments.services.standstill import stands_still
from settlements.services import hardship

ANSWERS = timedelta(hours=1)
"""So long a message may still answer what the consumer just did, at any hour; then it waits for the morning (RF-01)."""

ANSWERED_WITHIN = timedelta(hours=24)
"""So long a provider is asked about a message whose answer was lost; then it is told as failed, never sent again."""

LEGAL_COPIES = ("authorization_copy",)
"""What must reach the consumer in writing; undelivered, it goes by letter (EFT-02, RF-35)."""

NEVER_IN_FORCE = "never_in_force"

SEALED_CODE = "accounts_code.sealed_code"


REQUIRED = frozenset(
    [
        "code",
        "esign_code",
        "receipt",
        "plan_confirmed",
        "ach_handed_over",
        "authorization_copy",
        "predebit",
        "change_notice",
        "accounting",
        "satisfaction",
        "method_updated",
        "refund_failed",
        "contact_changed",
        "text_code",
        "email_stopped",
        "text_stopped",
        "text_started",
        "text_help",
        "text_pay",
    ]
)
"""What the law wants sent or what answers the consumer: a hardship pause holds back everything else."""


def silenced(*, template: str, consumer: Consumer, account_id: UUID | None, now: datetime) -> str:
    """Say what holds a message back: a dispute of its account (RF-32) or a hardship pause; empty when it may leave."""
    if template in REQUIRED:
        return ""
    if account_id is not None and stands_still(account_id):
        return "dispute"
    pause = hardship.active(consumer=consumer, today=local_date(now, consumer.time_zone))
    return "hardship" if pause is not None else ""


def about(message: Message, **more: Any) -> dict[str, Any]:
    """Give the snapshot that every message event carries; the address is masked."""
    return {
        "message": str(message.pk),
        "template": message.template,
        "stream": message.stream,
        "channel": message.channel,
        "to": message.contact_point.masked,
        "language": message.language,
        **more,
    }


def tell(kind: str, message: Message, *, now: datetime, **more: Any) -> None:
    """Write a message event: about the account where there is one, else about the consumer."""
    events.record(kind, account=message.account, consumer=message.consumer_id, now=now, data=about(message, **more))


@known
def _of_cause(cause: str) -> QuerySet[Message]:
    return Message.objects.filter(cause=cause)


def served(cause: str) -> bool:
    """Tell whether a message was written for this cause."""
    return _of_cause.exists(cause)


@known
def _agency(key: UUID) -> QuerySet[Agency]:
    return Agency.objects.filter(pk=key)


@transaction.atomic
def queue(
    *,
    template: str,
    consumer: Consumer,
    contact_point: ContactPoint,
    account: Account | None,
    cause: str,
    language: str,
    facts: dict[str, Any],
    now: datetime,
    names: tuple[str, ...] = (),
    attachments: tuple[dict[str, str], ...] = (),
    in_reply_to: str = "",
    answers: bool = False,
    waits: timedelta = timedelta(0),
) -> Message | None:
    """Write a message once per cause; None when its cause was served before.

    :param in_reply_to: the Message-Id of the consumer's mail that it answers.
    :param answers: the consumer is waiting for it on a page, so any hour is right.
    :param waits: it may not leave earlier.
    """
    if served(cause):
        return None
    agency = _agency.get(consumer.agency_id)
    key = uuid7()
    code = links.check_code(key)
    proof = {"check_code": code, "verify_url": site_url(agency, "/verify/")}
    mail = compose(
        template=template,
        agency=agency,
        contact_point=contact_point,
        language=language,
        facts=facts | proof,
        names=names,
        licences=licences.printed(consumer, agency, local_date(now, consumer.time_zone)),
        words=templates.own_words(kind=template, client_id=account.client_id if account else None, language=language),
    )
    stream = TEMPLATES[template].stream
    # The confirmation of an opt-out goes to the address that was stopped (RF-08).
    reason = ("" if stream == "answers" else blocked(contact_point, stream=stream)) or silenced(
        template=template, consumer=consumer, account_id=account.pk if account else None, now=now
    )
    message = Message.objects.create(
        id=key,
        check_hash=links.hash_of(code),
        consumer=consumer,
        account=account,
        contact_point=contact_point,
        template=template,
        stream=stream,
        language=language,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        attachments=list(attachments),
        cause=cause,
        in_reply_to=in_reply_to,
        token=hashlib.sha256(consent.stop_token(contact_point).encode()).hexdigest(),
        status=Message.Status.HELD if reason else Message.Status.QUEUED,
        reason=reason,
        next_at=now + waits,
        queued_at=now,
        anytime_until=now + ANSWERS if answers else None,
    )
    if reason:
        tell("message.held", message, now=now, reason=reason)
        undelivered(message, reason=reason, now=now)
    else:
        tell("message.queued", message, now=now)
    return message


def deliver_code(code: Code, text: str) -> None:
    """Send six digits to the contact point they were made for (the port `codes.sender`).

    The stored message never holds them; the code's own row does, sealed, until the provider took the message.
    """
    from campaigns.services import texts

    with acting_for(code.agency_id), transaction.atomic():
        Code.objects.filter(pk=code.pk).update(sealed_code=seal(text, context=SEALED_CODE))
        esign = code.purpose == Code.Purpose.ESIGN
        if code.contact_point.kind == ContactPoint.Kind.PHONE:
            assert not esign, "a code that shows that papers open comes by e-mail (ES-02)"
            texts.queue(
                template="text_code",
                consumer=code.contact_point.consumer,
                contact_point=code.contact_point,
                account=code.visit.account,
                cause=f"code:{code.pk}",
                language=code.visit.language,
                answers=True,
                now=code.created_at,
            )
            return
        queue(
            template="esign_code" if esign else "code",
            consumer=code.contact_point.consumer,
            contact_point=code.contact_point,
            account=code.visit.account,
            cause=f"code:{code.pk}",
            language=code.visit.language,
            facts={},
            attachments=({"kind": "sample", "id": str(code.pk)},) if esign else (),
            answers=True,
            now=code.created_at,
        )


@known
def _live_code(key: UUID | None, now: datetime) -> QuerySet[Code]:
    return Code.objects.filter(pk=key, used_at=None, expires_at__gt=now)


def digits_for(message: Message, *, now: datetime) -> str:
    """Open the six digits of a code message; empty when the code is spent, expired or wiped."""
    code = _live_code.first(code_id(message), now)
    try:
        return unseal(code.sealed_code, context=SEALED_CODE) if code and code.sealed_code else ""
    except CannotOpen:
        return ""


def never_in_force(authorization: Authorization) -> bool:
    """Tell whether the refusal of its own payment revoked what was signed: there is nothing to keep a copy of."""
    return authorization.revoked_at is not None and authorization.revoked_by.startswith("payment ")


def code_id(message: Message) -> UUID | None:
    """Give the code that a message carries, if it carries one."""
    kind, _colon, key = message.cause.partition(":")
    return UUID(key) if kind == "code" else None


def sent(*, message_id: UUID, provider_id: str, at: datetime, now: datetime) -> bool:
    """Record that the provider took a message: the moment of sending (RF-02). False when it was known."""
    with transaction.atomic():
        return taken(locked(message_id), provider_id=provider_id, at=at, now=now)


def taken(message: Message, *, provider_id: str, at: datetime, now: datetime) -> bool:
    """Record the same about a message that the caller has locked."""
    if message.status != Message.Status.QUEUED:
        return False
    message.status = Message.Status.SENT
    message.sent_at = at
    message.reason = ""
    message.provider_id = provider_id or message.provider_id
    message.save(update_fields=["status", "sent_at", "provider_id", "reason"])
    _wipe_code(message)
    tell("message.sent", message, now=now, sent_at=at.isoformat(), provider_id=message.provider_id)
    if (notice := notices.of(message)) is not None:
        notices.proven(notice=notice, message=message, now=now)
    elif (row := notices.statement_of(message)) is not None:
        notices.statement_proven(row=row, message=message, now=now)
    return True


def failed(*, message_id: UUID, reason: str, now: datetime) -> bool:
    """Give a message up before any provider took it. False when it was decided otherwise meanwhile."""
    with transaction.atomic():
        message = locked(message_id)
        if message.status != Message.Status.QUEUED:
            return False
        message.status = Message.Status.FAILED
        message.reason = reason[:300]
        message.save(update_fields=["status", "reason"])
        _wipe_code(message)
        tell("message.failed", message, now=now, reason=message.reason)
        undelivered(message, reason=message.reason, now=now)
        return True


def held(*, message_id: UUID, reason: str, now: datetime) -> bool:
    """Keep a queued message back for good. False when it was decided otherwise meanwhile."""
    with transaction.atomic():
        message = locked(message_id)
        if message.status != Message.Status.QUEUED:
            return False
        message.status = Message.Status.HELD
        message.reason = reason
        message.save(update_fields=["status", "reason"])
        _wipe_code(message)
        tell("message.held", message, now=now, reason=reason)
        undelivered(message, reason=reason, now=now)
        return True


def undelivered(message: Message, *, reason: str, now: datetime) -> None:
    """Ask for a letter where the law wants the consumer to have it in writing."""
    if (notice := notices.of(message)) is not None:
        notices.not_delivered(notice=notice, message=message, reason=reason, now=now)
    elif (row := notices.statement_of(message)) is not None:
        statements.as_letter(row=row, reason=reason, now=now)
    elif message.template in LEGAL_COPIES and reason != NEVER_IN_FORCE:
        key = next((item["id"] for item in message.attachments if item["kind"] == "authorization"), "")
        letter(consumer=message.consumer, account=message.account, authorization=key, reason=reason, now=now)


def letter(*, consumer: Consumer, account: Account | None, authorization: str, reason: str, now: datetime) -> None:
    """Tell the host to post the copy of an authorization within one business day (EFT-02, RF-35)."""
    about_it = {
        "type": "authorization_copy",
        "authorization": authorization,
        "send_by": notices.next_business_day(consumer=consumer, now=now).isoformat(),
        "reason": reason,
    }
    events.record("letter.required", account=account, consumer=consumer, now=now, data=about_it)


@known
def _account_of(message_id: UUID) -> QuerySet:
    return Message.objects.values_list("account_id", flat=True).filter(pk=message_id)


@known
def _account_to_lock(key: UUID) -> QuerySet[Account]:
    return Account.objects.select_for_update(no_key=True).only("pk").filter(pk=key)


@known
def _to_lock(message_id: UUID) -> QuerySet[Message]:
    joined = Message.objects.select_related("contact_point", "consumer", "account")
    return joined.select_for_update(of=("self",)).filter(pk=message_id)


def locked(message_id: UUID) -> Message:
    """Read a message under its lock, its account's first: events lock the account (payments lock it first too)."""
    if (account_id := _account_of.get(message_id)) is not None:
        _account_to_lock.get(account_id)
    return _to_lock.get(message_id)


def _wipe_code(message: Message) -> None:
    if (key := code_id(message)) is not None:
        Code.objects.filter(pk=key).update(sealed_code="")
