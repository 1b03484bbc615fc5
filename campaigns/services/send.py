"""Hand queued messages to the agency's provider; no transaction is open while the network is used.

Each hand-over is written down first (attempt, our own Message-Id, a lease) and once more before the provider is asked,
so a process that dies in between leaves a row that knows whether it may be out. Then the provider is asked whether it
has it, and only when it says no does it go out again (docs/messages.md).
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from email.utils import formataddr
from functools import cache
from itertools import groupby
from uuid import UUID

from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailMessage
from django.db import DatabaseError, transaction
from django.db.models import Case, QuerySet, When
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts import clock
from accounts.calendars import local_date
from accounts.known import Known, known
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns import channels
from campaigns.models import MailProvider, Message, TextProvider
from campaigns.rules.contact import Judgement, suits_until
from campaigns.services import carriers, gate, links, notices, outbox, send_texts
from campaigns.services.compose import HIDDEN_DIGITS, lint, stop_url
from campaigns.services.texts import HIDDEN_LINK
from payments.documents import sample_pdf
from payments.models import Authorization, Notice, Payment, Postdate, Statement
from payments.services import papers

log = logging.getLogger("quittance.messages")

BATCH = 10
"""Messages claimed at once: a code that comes in behind waits for no more than these."""

LEASE = {"security": timedelta(seconds=15)}
LEASE_OTHERS = timedelta(minutes=2)
"""So long a claimed message belongs to one process. Where that dies before it asks the provider, another takes it."""

ASK_AFTER = LEASE
ASK_AFTER_OTHERS = timedelta(minutes=30)
"""After a hand-over without an answer: first the provider's webhook may tell that it has the message; then it is
asked. By then its list is complete (`mailgun.find`). A code is wanted now: it goes out again at the first no."""

WITH_PROVIDER = "with_provider"
NOT_THERE = "provider_had_it_not"
"""The provider was asked after a lost answer and has not got it: hand it over as if it were new."""

AGAIN_SECONDS = (5, 30, 2 * 60, 10 * 60, 30 * 60, 3600, 2 * 3600, 4 * 3600, 8 * 3600)
AGAIN_SECONDS_SECURITY = (2, 5, 15, 30, 60, 120, 180)
"""Waits between attempts; after the last one the message has failed."""

NO_PROVIDER_SECONDS = 60
NOT_TAKEN = frozenset({401, 402, 403, 404, 408, 425, 429})
"""Tried again. 401 to 404 are for staff to repair; nobody's paper is lost meanwhile."""
BROKE = 500
"""From here on a status says that something broke at the provider: before it took the message, or after."""

CODES_FIRST = (Case(When(stream="security", then=0), default=1), "next_at", "pk")


def drain(*, now: datetime, limit: int = BATCH) -> int:
    """Claim and hand over waiting messages of all agencies, codes first; return how many were touched."""
    present = clock.going_on(now)
    with acting_for(ALL_AGENCIES):
        claimed, hopeless, touched = _claim(now=now, limit=limit)
    for message, reason in hopeless:
        with acting_for(message.agency_id):
            outbox.held(message_id=message.pk, reason=reason, now=now)
    claimed.sort(key=lambda message: (message.stream != "security", message.agency_id.hex, message.channel))
    for (agency_id, channel), messages in groupby(claimed, key=lambda message: (message.agency_id, message.channel)):
        with acting_for(agency_id):
            try:
                _BY_CHANNEL[channel](messages, now=present())
            except LookupError as error:
                # One agency's settings are staff's to repair; its messages keep their lease, the others go on.
                log.error("the %s provider of agency %s cannot be used: %s", channel, agency_id, error)
    return touched


@known
def _domains() -> QuerySet:
    return MailProvider.objects.filter(is_active=True).values_list("agency_id", "domain")


@known
def _carriers() -> QuerySet[TextProvider]:
    return TextProvider.objects.filter(is_active=True)


@transaction.atomic
def _claim(*, now: datetime, limit: int) -> tuple[list[Message], list[tuple[Message, str]], int]:
    """Lease what may leave now and write the attempt down; postpone what must wait; give up what has no chance."""
    waiting = _waiting(now=now, limit=limit)
    if not waiting:
        return [], [], 0
    claimed, hopeless = [], []
    domains = dict(_domains())
    carrying = {row.agency_id: row for row in _carriers()}
    permissions = _permissions([message for message in waiting if not _undecided(message)], now=now)
    for message in waiting:
        with acting_for(message.agency_id):
            if not message.undecided:
                permission = permissions[message.pk]
                if reason := ("" if permission.until else permission.reason) or _hopeless(message, now=now):
                    hopeless.append((message, reason))
                    continue
                if permission.until is not None:
                    # RF-01: what does not answer the consumer waits for hours that suit.
                    _postpone(message, until=permission.until, reason=permission.reason)
                    continue
            if message.agency_id not in (domains if message.channel == "email" else carrying):
                _postpone(message, until=now + timedelta(seconds=NO_PROVIDER_SECONDS), reason="no_provider")
                continue
            if message.channel == "text":
                urgent = int(message.stream == "security" or message.undecided)
                if not carriers.take(carrying[message.agency_id], 1, now=now, urgent=urgent):
                    _postpone(message, until=now + carriers.WINDOW, reason="provider_rate")
                    continue
            else:
                message.provider_id = f"<{message.pk.hex}@{domains[message.agency_id]}>"
            message.next_at = now + LEASE.get(message.stream, LEASE_OTHERS)
            if not message.undecided or message.channel == "text":
                message.attempts += 1
                message.reason = send_texts.HANDING_OVER
            message.save(update_fields=["attempts", "provider_id", "next_at", "reason"])
            claimed.append(message)
    return claimed, hopeless, len(waiting)


@cache
def _due(limit: int) -> Known[[datetime], UUID]:
    """Make the query for so many; a limit stands in the SQL itself."""
    return known(
        lambda now: (
            Message.objects.select_for_update(skip_locked=True)
            .filter(status=Message.Status.QUEUED, next_at__lte=now)
            .exclude(stream="campaigns")  # theirs is services/launch.py
            .order_by(*CODES_FIRST)[:limit]
            .values_list("pk", flat=True)
        )
    )


@known
def _joined(keys: Sequence[UUID]) -> QuerySet[Message]:
    joined = Message.objects.select_related("contact_point", "consumer", "account", "agency")
    return joined.filter(pk__in=keys).order_by(*CODES_FIRST)


def _waiting(*, now: datetime, limit: int) -> list[Message]:
    """Lock what may leave now, codes first; a look that finds nothing, as most do, joins nothing."""
    found = _due(limit)(now)
    return _joined(found) if found else []


def _undecided(message: Message) -> bool:
    """Note on a message whose answer was lost that the provider is asked about it, and nothing is sent."""
    if message.channel == "text":
        message.undecided = send_texts.undecided(message)
    else:
        # A process that died while it still held what it had claimed never asked for it.
        message.undecided = message.reason.partition(":")[0] in (WITH_PROVIDER, send_texts.NO_ANSWER)
    return message.undecided


def _postpone(message: Message, *, until: datetime, reason: str) -> None:
    message.next_at, message.reason = until, reason
    message.save(update_fields=["next_at", "reason"])


def _permissions(waiting: list[Message], *, now: datetime) -> dict[UUID, Judgement]:
    """Ask the gate about every message that wants to leave, agency by agency, and write its decisions down.

    Each message is told until when it may leave: nine others may go before it, and each may take thirteen seconds.
    """
    found = {}
    for agency_id, group in groupby(sorted(waiting, key=lambda one: one.agency_id), key=lambda one: one.agency_id):
        with acting_for(agency_id):
            messages = list(group)
            asked = [gate.of_message(message, required=outbox.REQUIRED, now=now) for message in messages]
            judged = gate.judge(asked, now=now)
            gate.record(asked, judged, by="message", now=now)
        for message, (facts, judgement) in zip(messages, judged, strict=True):
            found[message.pk] = judgement
            message.until = (suits_until(facts) or message.anytime_until) if judgement.allowed else None
    return found


@known
def _authorization(key: UUID) -> QuerySet[Authorization]:
    return Authorization.objects.filter(pk=key)


def _hopeless(message: Message, *, now: datetime) -> str:
    """Look once more at what the message carries: say why it must not leave at all, or nothing."""
    if message.stream == "security":
        return "" if outbox.digits_for(message, now=now) else "code_expired"
    if message.template in ("text_stopped", "email_stopped"):
        return "too_late" if now - message.queued_at > send_texts.CONFIRM_WITHIN else ""
    if message.template == "authorization_copy":
        signed = _authorization.get(UUID(message.attachments[0]["id"]))
        return outbox.NEVER_IN_FORCE if outbox.never_in_force(signed) else ""
    if (notice := notices.of(message)) is None:
        return ""
    if notice.status != Notice.Status.DUE or notice.postdate.status not in Postdate.OPEN:
        return "not_due_any_more"
    return "too_late" if local_date(now, message.consumer.time_zone) > notice.latest_on else ""


@known
def _provider() -> QuerySet[MailProvider]:
    return MailProvider.objects.filter(is_active=True)


def _hand_over_all(messages: Iterable[Message], *, now: datetime) -> None:
    """Hand an agency's messages over on one kept-alive connection."""
    provider, present = _provider.get(), clock.going_on(now)
    account = {"api_key": provider.api_key, "api_url": provider.api_url, "domain": provider.domain}
    channel = channels.provider(provider.backend)
    transport = channel.transport(**account)
    try:
        for message in messages:
            # The last of a batch may leave two minutes after the first, and its time to be asked about begins then.
            at = present()
            if message.undecided:
                _settle(message, channel=channel, account=account, now=at)
            elif not send_texts.waits(message, now=at):
                _hand_over(message, provider=provider, transport=transport, now=at)
    finally:
        transport.close()


def _hand_over(message: Message, *, provider: MailProvider, transport, now: datetime) -> None:
    """Give one message to the provider and record its answer."""
    try:
        mail = _mail(message, provider=provider, now=now)
        if not _begun(message, now=now):
            log.warning("message %s was claimed by another process meanwhile", message.pk)
            return
        transport.open()
        transport.send_messages([mail])
    except AnymailAPIError as error:
        _not_accepted(message, error=error, now=now)
    except DatabaseError:
        raise
    except Exception as error:
        # Not a matter of the network: the same message would fail again.
        log.exception("message %s cannot be built", message.pk)
        outbox.failed(message_id=message.pk, reason=f"unsendable: {type(error).__name__}", now=now)
    else:
        provider_id = getattr(mail.anymail_status, "message_id", "") or message.provider_id
        outbox.sent(message_id=message.pk, provider_id=str(provider_id), at=now, now=now)


def _begun(message: Message, *, now: datetime) -> bool:
    """Write down that the provider is asked from now on; False when this claim is no longer ours."""
    mine = Message.objects.filter(
        pk=message.pk, status=Message.Status.QUEUED, attempts=message.attempts, reason=send_texts.HANDING_OVER
    )
    message.next_at = now + ASK_AFTER.get(message.stream, ASK_AFTER_OTHERS)
    return mine.update(reason=WITH_PROVIDER, next_at=message.next_at) == 1


def _settle(message: Message, *, channel, account: dict[str, str], now: datetime) -> None:
    """Ask the provider about a message whose answer was lost: it has it, it has it not, or it does not say."""
    waiting = Message.objects.filter(pk=message.pk, status=Message.Status.QUEUED)
    try:
        taken = channel.find(**account, message_id=message.provider_id, since=message.queued_at)
    except channels.DoesNotSay as no:
        log.warning("the provider does not say whether it has %s: %s", message.pk, no)
        if now - message.queued_at > outbox.ANSWERED_WITHIN:
            outbox.failed(message_id=message.pk, reason="no_answer", now=now)
        else:
            waiting.update(reason=f"{send_texts.NO_ANSWER}: {no}"[:300])
        return
    if (at := taken.get(str(message.pk))) is not None:
        outbox.sent(message_id=message.pk, provider_id=message.provider_id, at=min(at, now), now=now)
    elif _again_at(message, now=now) is None:
        outbox.failed(message_id=message.pk, reason=f"gave_up: {message.reason.partition(': ')[2]}", now=now)
    else:
        waiting.update(reason=NOT_THERE, next_at=now)


def _not_accepted(message: Message, *, error: AnymailAPIError, now: datetime) -> None:
    """Try again, or give up, by what the provider said."""
    status = error.status_code
    reason = f"http_{status}" if status else type(error.__cause__ or error).__name__
    lost = not 400 <= status < BROKE if status else not channels.never_connected(error.__cause__)
    log.warning("message %s was not taken: %s", message.pk, reason)
    if lost:
        # No answer, none that can be read, or it broke on the way: its webhook can say so first, then it is asked.
        known = f"{send_texts.NO_ANSWER}: {reason}"
        Message.objects.filter(pk=message.pk, status=Message.Status.QUEUED).update(reason=known)
        return
    if status and status not in NOT_TAKEN:
        outbox.failed(message_id=message.pk, reason=reason, now=now)
        return
    if (again_at := _again_at(message, now=now)) is None:
        outbox.failed(message_id=message.pk, reason=f"gave_up: {reason}", now=now)
        return
    Message.objects.filter(pk=message.pk, status=Message.Status.QUEUED).update(next_at=again_at, reason=reason)


def _again_at(message: Message, *, now: datetime) -> datetime | None:
    """Say when a message is tried again; None after the last time."""
    waits = AGAIN_SECONDS_SECURITY if message.stream == "security" else AGAIN_SECONDS
    return now + timedelta(seconds=waits[message.attempts - 1]) if message.attempts <= len(waits) else None


def _text_all(messages: Iterable[Message], *, now: datetime) -> None:
    """Hand an agency's texts over."""
    provider = _carriers.get()
    send_texts.hand_over_all(messages, provider=provider, now=now, again=_again_at)


_BY_CHANNEL = {"email": _hand_over_all, "text": _text_all}


def _mail(message: Message, *, provider: MailProvider, now: datetime) -> AnymailMessage:
    """Build the e-mail: digits and attachments come in now and are stored nowhere."""
    text, html = message.text, message.html
    if message.template == "code":
        digits = outbox.digits_for(message, now=now)
        if not digits:
            raise ValueError("The code is spent.")
        text, html = text.replace(HIDDEN_DIGITS, digits), html.replace(HIDDEN_DIGITS, digits)
    if message.link_hash:
        link = links.link_url(message.agency, links.token_of(message.pk))
        text, html = text.replace(HIDDEN_LINK, link), html.replace(HIDDEN_LINK, link)
    thread = {"In-Reply-To": message.in_reply_to, "References": message.in_reply_to} if message.in_reply_to else {}
    stop = stop_url(message.agency, message.contact_point)
    tracked = message.stream not in ("security", "answers")
    sender = provider.from_name if not lint(provider.from_name) else ""
    mail = AnymailMessage(
        subject=message.subject,
        body=text,
        from_email=formataddr((sender, provider.from_address)) if sender else provider.from_address,
        to=[message.contact_point.value],
        reply_to=[answers_to] if (answers_to := provider.replies_to or message.agency.email) else None,
        headers={
            "Message-Id": message.provider_id,
            "X-Quittance-Message": str(message.pk),
            "List-Unsubscribe": f"<{stop}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            **thread,
        },
        tags=[message.stream, message.template],
        metadata={"agency": str(message.agency_id), "message": str(message.pk)},
        track_opens=tracked,
        track_clicks=tracked,
    )
    mail.attach_alternative(html, "text/html")
    for item in message.attachments:
        name, content = _paper(item, message=message, now=now)
        mail.attach(name, content, "application/pdf")
    return mail


@known
def _payment(key: UUID) -> QuerySet[Payment]:
    return Payment.objects.filter(pk=key)


def _paper(item: dict[str, str], *, message: Message, now: datetime) -> tuple[str, bytes]:
    """Make one attachment; its name tells a stranger nothing."""
    language = message.language
    with override(language):
        match item["kind"]:
            case "sample":
                digits = outbox.digits_for(message, now=now)
                if not digits:
                    raise ValueError("The code is spent.")
                pdf = sample_pdf(code=digits, agency_name=message.agency.name, language=language)
                return f"{_('document')}.pdf", pdf
            case "receipt":
                payment = _payment.get(UUID(item["id"]))
                return f"{_('receipt')}-{payment.reference}.pdf", papers.receipt(payment, language=language)
            case "authorization":
                authorization = _authorization.get(UUID(item["id"]))
                return f"{_('authorization')}.pdf", papers.authorization_copy(authorization)
            case "statement":
                row = Statement.objects.get(pk=item["id"])
                return f"{_('statement')}-{row.until.isoformat()}.pdf", papers.statement(row, language=language)
    raise ValueError(f"No paper is called {item['kind']!r}.")
