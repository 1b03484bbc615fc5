"""Hand queued messages to the agency's provider; no transaction is open while the network is used.

Each hand-over is written down first (attempt, our own Message-Id, a lease), so a process that dies in between leaves a
row that knows it may be out. What happens then is in docs/messages.md: at least once, never blindly again.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import formataddr
from itertools import groupby

import requests
from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailMessage
from django.db import DatabaseError, transaction
from django.db.models import Case, When
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.calendars import local_date
from accounts.services.contacts import blocked
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns import channels
from campaigns.models import MailProvider, Message
from campaigns.services import notices, outbox
from campaigns.services.compose import HIDDEN_DIGITS, lint, stop_url
from payments.documents import sample_pdf
from payments.models import Authorization, Notice, Payment, Postdate
from payments.services import papers

log = logging.getLogger("quittance.messages")

BATCH = 10
"""Messages claimed at once: a code that comes in behind waits for no more than these."""

LEASE = {"security": timedelta(seconds=15)}
LEASE_OTHERS = timedelta(minutes=2)
"""After a hand-over without an answer: longer than the time-out, and time for the provider's webhook to tell us that
it has the message after all. A code is wanted now, and the same code twice does no harm."""

AGAIN_SECONDS = (5, 30, 2 * 60, 10 * 60, 30 * 60, 3600, 2 * 3600, 4 * 3600, 8 * 3600)
AGAIN_SECONDS_SECURITY = (2, 5, 15, 30, 60, 120, 180)
"""Waits between attempts; after the last one the message has failed."""

NO_PROVIDER_SECONDS = 60
NOT_TAKEN = frozenset({401, 402, 403, 404, 408, 425, 429})
"""With every 5xx: tried again. 401 to 404 are for staff to repair; nobody's paper is lost meanwhile."""


def drain(*, now: datetime, limit: int = BATCH) -> int:
    """Claim and hand over waiting messages of all agencies, codes first; return how many were touched."""
    with acting_for(ALL_AGENCIES):
        claimed, hopeless, touched = _claim(now=now, limit=limit)
    for message, reason in hopeless:
        with acting_for(message.agency_id):
            outbox.held(message_id=message.pk, reason=reason, now=now)
    claimed.sort(key=lambda message: (message.stream != "security", message.agency_id.hex))
    for agency_id, messages in groupby(claimed, key=lambda message: message.agency_id):
        with acting_for(agency_id):
            try:
                _hand_over_all(messages, now=now)
            except LookupError as error:
                # One agency's settings are staff's to repair; its messages keep their lease, the others go on.
                log.error("the mail provider of agency %s cannot be used: %s", agency_id, error)
    return touched


@transaction.atomic
def _claim(*, now: datetime, limit: int) -> tuple[list[Message], list[tuple[Message, str]], int]:
    """Lease what may leave now and write the attempt down; postpone what must wait; give up what has no chance."""
    waiting = list(
        Message.objects.select_related("contact_point", "consumer", "account", "agency")
        .select_for_update(skip_locked=True, of=("self",))
        .filter(status=Message.Status.QUEUED, next_at__lte=now)
        .order_by(Case(When(stream="security", then=0), default=1), "next_at")[:limit]
    )
    claimed, hopeless = [], []
    domains = dict(MailProvider.objects.filter(is_active=True).values_list("agency_id", "domain"))
    for message in waiting:
        with acting_for(message.agency_id):
            if reason := _hopeless(message, now=now):
                hopeless.append((message, reason))
                continue
            if not _in_hours(message, now=now):
                continue
            if message.agency_id not in domains:
                message.next_at = now + timedelta(seconds=NO_PROVIDER_SECONDS)
                message.reason = "no_provider"
                message.save(update_fields=["next_at", "reason"])
                continue
            message.attempts += 1
            message.provider_id = f"<{message.pk.hex}@{domains[message.agency_id]}>"
            message.next_at = now + LEASE.get(message.stream, LEASE_OTHERS)
            message.reason = "handing_over"
            message.save(update_fields=["attempts", "provider_id", "next_at", "reason"])
            claimed.append(message)
    return claimed, hopeless, len(waiting)


def _hopeless(message: Message, *, now: datetime) -> str:
    """Look once more at dispatch: say why a message must not leave at all, or nothing."""
    if reason := blocked(message.contact_point, stream=message.stream):
        return reason
    if reason := outbox.silenced(
        template=message.template, consumer=message.consumer, account_id=message.account_id, now=now
    ):
        return reason
    if message.stream == "security":
        return "" if outbox.digits_for(message, now=now) else "code_expired"
    if message.template == "authorization_copy":
        signed = Authorization.objects.get(pk=message.attachments[0]["id"])
        return outbox.NEVER_IN_FORCE if outbox.never_in_force(signed) else ""
    if (notice := notices.of(message)) is None:
        return ""
    if notice.status != Notice.Status.DUE or notice.postdate.status not in Postdate.OPEN:
        return "not_due_any_more"
    return "too_late" if local_date(now, message.consumer.time_zone) > notice.latest_on else ""


def _in_hours(message: Message, *, now: datetime) -> bool:
    """Keep what does not answer the consumer for the morning where the consumer lives (RF-01)."""
    zone = message.consumer.time_zone
    answering = message.anytime_until is not None and now < message.anytime_until
    if answering or notices.in_hours(zone=zone, now=now):
        return True
    message.next_at = notices.next_opening(zone=zone, now=now)
    message.reason = "outside_hours"
    message.save(update_fields=["next_at", "reason"])
    return False


def _hand_over_all(messages: Iterable[Message], *, now: datetime) -> None:
    """Hand an agency's messages over on one kept-alive connection."""
    provider = MailProvider.objects.get(is_active=True)
    transport = channels.provider(provider.backend).transport(
        api_key=provider.api_key, api_url=provider.api_url, domain=provider.domain
    )
    try:
        for message in messages:
            _hand_over(message, provider=provider, transport=transport, now=now)
    finally:
        transport.close()


def _hand_over(message: Message, *, provider: MailProvider, transport, now: datetime) -> None:
    """Give one message to the provider and record its answer."""
    try:
        mail = _mail(message, provider=provider, now=now)
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


def _not_accepted(message: Message, *, error: AnymailAPIError, now: datetime) -> None:
    """Try again, or give up, by what the provider said."""
    status = error.status_code
    reason = f"http_{status}" if status else type(error.__cause__ or error).__name__
    log.warning("message %s was not taken: %s", message.pk, reason)
    if status and status < 500 and status not in NOT_TAKEN:
        outbox.failed(message_id=message.pk, reason=reason, now=now)
        return
    waits = AGAIN_SECONDS_SECURITY if message.stream == "security" else AGAIN_SECONDS
    if message.attempts > len(waits):
        outbox.failed(message_id=message.pk, reason=f"gave_up: {reason}", now=now)
        return
    again_at = now + timedelta(seconds=waits[message.attempts - 1])
    if status is None and not isinstance(error.__cause__, requests.ConnectTimeout):
        # It may have the message: keep the lease, so that its webhook can say so first.
        again_at = max(again_at, message.next_at)
    Message.objects.filter(pk=message.pk, status=Message.Status.QUEUED).update(next_at=again_at, reason=reason)


def _mail(message: Message, *, provider: MailProvider, now: datetime) -> AnymailMessage:
    """Build the e-mail: digits and attachments come in now and are stored nowhere."""
    text, html = message.text, message.html
    if message.template == "code":
        digits = outbox.digits_for(message, now=now)
        if not digits:
            raise ValueError("The code is spent.")
        text, html = text.replace(HIDDEN_DIGITS, digits), html.replace(HIDDEN_DIGITS, digits)
    stop = stop_url(message.agency, message.contact_point)
    tracked = message.stream != "security"
    sender = provider.from_name if not lint(provider.from_name) else ""
    mail = AnymailMessage(
        subject=message.subject,
        body=text,
        from_email=formataddr((sender, provider.from_address)) if sender else provider.from_address,
        to=[message.contact_point.value],
        reply_to=[message.agency.email] if message.agency.email else None,
        headers={
            "Message-Id": message.provider_id,
            "X-Quittance-Message": str(message.pk),
            "List-Unsubscribe": f"<{stop}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
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
                payment = Payment.objects.get(pk=item["id"])
                return f"{_('receipt')}-{payment.reference}.pdf", papers.receipt(payment, language=language)
            case "authorization":
                authorization = Authorization.objects.get(pk=item["id"])
                return f"{_('authorization')}.pdf", papers.authorization_copy(authorization)
    raise ValueError(f"No paper is called {item['kind']!r}.")
