"""What messages about an account are made of: ready texts in the consumer's language, and one way to queue them."""

from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import events
from accounts.calendars import format_date, local_date
from accounts.known import known
from accounts.models import Account, Consumer, ContactPoint
from accounts.money import format_cents
from accounts.services import contacts
from campaigns.models import Message
from campaigns.services import outbox
from payments.models import Notice, Payment, Postdate
from payments.services.means import means_of_method


def write(
    template: str,
    *,
    account: Account,
    cause: str,
    language: str,
    facts: dict,
    now: datetime,
    attachments: tuple[dict[str, str], ...] = (),
    answers: bool = False,
    waits: timedelta = timedelta(0),
    to: ContactPoint | None = None,
) -> Message | None:
    """Queue a message about an account; without any address say that it was held, and post what the law wants."""
    consumer: Consumer = account.consumer
    if (point := to or contacts.address_for(consumer)) is None:
        about = {"message": None, "template": template, "channel": "email", "to": "", "reason": "no_address"}
        events.record("message.held", account=account, now=now, data=about)
        if template == "authorization_copy":
            key = attachments[0]["id"]
            outbox.letter(consumer=consumer, account=account, authorization=key, reason="no_address", now=now)
        return None
    return outbox.queue(
        template=template,
        consumer=consumer,
        contact_point=point,
        account=account,
        cause=cause,
        language=language if language in ("en", "es") else "en",
        facts=facts,
        names=(account.original_creditor, account.client.name, account.reference),
        attachments=attachments,
        answers=answers,
        waits=waits,
        now=now,
    )


def money(cents: int, currency: str, language: str) -> str:
    return format_cents(cents, currency, language)


def dates(lines: list[tuple[date, int]], currency: str, language: str, first: int = 1) -> list[tuple[int, str, str]]:
    return [
        (number, format_date(on, language), money(cents, currency, language))
        for number, (on, cents) in enumerate(lines, first)
    ]


@known
def _later(arrangement_id: UUID) -> QuerySet[Postdate]:
    return Postdate.objects.filter(arrangement=arrangement_id).order_by("number")


@known
def _channels(arrangement_id: UUID) -> QuerySet:
    return Notice.objects.filter(postdate__arrangement_id=arrangement_id).values_list("channel", flat=True)


def plan(payment: Payment, language: str) -> dict:
    """Give what comes after the first payment of an arrangement; nothing for any other payment."""
    if payment.arrangement_id is None or payment.postdate_id is not None:
        return {}
    if not (later := _later(payment.arrangement_id)):
        return {}
    return {
        "dates": dates([(item.due_on, item.amount_cents) for item in later], payment.currency, language, first=2),
        "together": "",
        "notice": _channels.first(payment.arrangement_id) or "",
    }


def payment_rows(payment: Payment, language: str) -> list[tuple[str, str]]:
    day = local_date(payment.decided_at or payment.intended_at, payment.consumer.time_zone)
    return [
        (_("Receipt number"), payment.reference),
        (_("Date"), format_date(day, language)),
        (_("Payment method"), means_of_method(payment.method).label(language) if payment.method else ""),
        (_("Paid to"), payment.account.agency.legal_name),
        *debt_rows(payment.account),
    ]


def debt_rows(account: Account) -> list[tuple[str, str]]:
    return [
        (_("Reference"), account.reference),
        (_("Original creditor"), account.original_creditor or account.client.name),
        (_("Description"), account.description),
    ]
