"""Read the agency's events and write the messages they ask for: once each, in order, at the reader's own pace."""

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts import events
from accounts.calendars import format_date, local_date
from accounts.models import Account, Agency, Consumer, ContactPoint, Event, ReaderPosition
from accounts.money import format_cents
from accounts.services import consent, contacts
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.models import Message
from campaigns.services import notices, outbox
from payments.models import Authorization, Notice, Payment, Postdate
from payments.services.means import means_of_method

log = logging.getLogger("quittance.messages")

READER = "campaigns"
LIMIT = 200
"""Events of one agency in one go, then the next agency has its turn."""

COPY_WAITS = timedelta(seconds=3)
"""The copy goes at once, but not ahead of a card that is declined in the same breath (its authorization is revoked)."""


def read(*, now: datetime, limit: int = LIMIT) -> int:
    """Serve every agency's new events; return how many were."""
    with acting_for(ALL_AGENCIES):
        events.assign_sequences()
        reached = dict(ReaderPosition.objects.filter(reader=READER).values_list("agency_id", "sequence"))
    known = Agency.objects.filter(last_sequence__gt=0).values_list("pk", "last_sequence")
    behind = [(key, last) for key, last in known if last > reached.get(key, 0)]
    count = 0
    for agency_id, last in behind:
        with acting_for(agency_id):
            count += _read_agency(last, now=now, limit=limit)
    return count


def _read_agency(last: int, *, now: datetime, limit: int) -> int:
    """Serve one agency's events up to `last`, each in a transaction with the position it moves."""
    position, _made = ReaderPosition.objects.get_or_create(reader=READER)
    waiting = list(
        Event.objects.filter(kind__in=HANDLERS, sequence__gt=position.sequence, sequence__lte=last)
        .select_related("account__consumer", "account__client", "account__agency", "consumer")
        .order_by("sequence")[:limit]
    )
    for event in waiting:
        if not _serve(event, at=position.sequence, now=now):
            return 0  # another worker reads this agency
        position.sequence = event.sequence
    if len(waiting) < limit:
        ReaderPosition.objects.filter(pk=position.pk, sequence=position.sequence).update(sequence=last)
    return len(waiting)


def _serve(event: Event, *, at: int, now: datetime) -> bool:
    """Serve one event if the reader still stands at `at`; an event that cannot be served is told, not retried."""
    try:
        with transaction.atomic():
            if not _step(event, at=at):
                return False
            HANDLERS[event.kind](event, now)
    except DatabaseError:
        raise
    except Exception as error:
        log.exception("event %s (%s) brought no message", event.pk, event.kind)
        with transaction.atomic():
            if not _step(event, at=at):
                return False
            about = {"event": str(event.pk), "kind": event.kind, "error": type(error).__name__, "where": READER}
            events.record("incident.opened", account=event.account, consumer=event.consumer_id, now=now, data=about)
    return True


def _step(event: Event, *, at: int) -> bool:
    mine = ReaderPosition.objects.select_for_update(skip_locked=True).filter(reader=READER, sequence=at).first()
    if mine is None:
        return False
    ReaderPosition.objects.filter(pk=mine.pk).update(sequence=event.sequence)
    return True


# What each event asks for ----------------------------------------------------------------------------------------


def _receipt(event: Event, now: datetime) -> None:
    """A payment was taken, or posted by who executed it: its receipt, with the plan if it began one."""
    if (payment := _payment(event)) is None or payment.status != Payment.Status.SUCCEEDED:
        return
    consumer, language = payment.consumer, payment.consumer.language[:2]
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "amount": _money(payment.amount_cents, payment.currency, language),
            "rows": _payment_rows(payment, language),
        }
        facts |= _plan(payment, language)
    _write(
        "plan_confirmed" if "dates" in facts else "receipt",
        account=payment.account,
        cause=f"receipt:{payment.pk}",
        language=language,
        facts=facts,
        attachments=({"kind": "receipt", "id": str(payment.pk)},),
        answers=_answers(payment, now),
        now=now,
    )


def _handed_over(event: Event, now: datetime) -> None:
    """A bank debit is on its way: say so, and that it is not paid yet."""
    payment = _payment(event)
    if payment is None or payment.kind != "ach" or payment.status != Payment.Status.PENDING:
        return
    consumer, language = payment.consumer, payment.consumer.language[:2]
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "amount": _money(payment.amount_cents, payment.currency, language),
            "rows": _payment_rows(payment, language),
        } | _plan(payment, language)
    _write(
        "ach_handed_over",
        account=payment.account,
        cause=f"pending:{payment.pk}",
        language=language,
        facts=facts,
        attachments=({"kind": "receipt", "id": str(payment.pk)},),
        answers=_answers(payment, now),
        now=now,
    )


def _copy(event: Event, now: datetime) -> None:
    """The consumer gave an authorization: their copy, at once (EFT-02)."""
    joined = Authorization.objects.select_related("account__agency", "account__client", "consumer", "method")
    authorization = joined.filter(pk=event.data.get("authorization")).first()
    if authorization is None or outbox.never_in_force(authorization):
        return
    account, language = authorization.account, authorization.language[:2]
    with override(language):
        lines = [(date.fromisoformat(day), cents) for day, cents in authorization.lines]
        facts = {
            "name": authorization.consumer.first_name or str(authorization.consumer),
            "total": _money(authorization.total_cents, account.currency, language),
            "count": len(lines),
            "rows": [
                (_("Payment method"), means_of_method(authorization.method).label(language)),
                *_debt_rows(account),
            ],
            "dates": _dates(lines, account.currency, language),
            "together": _money(authorization.total_cents, account.currency, language) if len(lines) > 1 else "",
        }
    _write(
        "authorization_copy",
        account=account,
        cause=f"authorization:{authorization.pk}",
        language=language,
        facts=facts,
        attachments=({"kind": "authorization", "id": str(authorization.pk)},),
        answers=now - authorization.accepted_at < outbox.ANSWERS,
        waits=COPY_WAITS,
        now=now,
    )


def _failed(event: Event, now: datetime) -> None:
    """A payment that nobody watched failed, or one came back. What was declined on the page was told there."""
    payment = _payment(event)
    outcome = event.kind.partition(".")[2]
    if payment is None or (outcome == "declined" and payment.postdate_id is None):
        return
    consumer, language = payment.consumer, payment.consumer.language[:2]
    on = payment.postdate.due_on if payment.postdate else local_date(payment.intended_at, consumer.time_zone)
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "amount": _money(payment.amount_cents, payment.currency, language),
            "outcome": outcome,
            "day": format_date(on, language),
            "rows": [
                (_("Payment method"), means_of_method(payment.method).label(language) if payment.method else ""),
                *_debt_rows(payment.account),
            ],
        }
    _write(
        "payment_failed",
        account=payment.account,
        cause=f"{event.pk}:payment_failed",
        language=language,
        facts=facts,
        now=now,
    )


def _no_more_email(event: Event, now: datetime) -> None:
    """An address or the consent is gone: notices still due by e-mail become letters (EML-04, ES-04)."""
    consumer = event.consumer
    if consumer is not None and consent.esign_live(consumer) is None:
        notices.letters_instead(consumer_id=consumer.pk, reason=event.kind, now=now)


def _contact_changed(event: Event, now: datetime) -> None:
    """The consumer changed an address: the others hear of it, so that a change by somebody else is seen (AUTH-09)."""
    _no_more_email(event, now)
    if (consumer := event.consumer) is None or "change" not in event.data:
        return
    language = consumer.language[:2]
    added = event.data["change"] == "email_added"
    facts = {
        "name": consumer.first_name or str(consumer),
        "added": added,
        "address": event.data["new" if added else "old"],
    }
    for point in contacts.emails(consumer):
        if str(point.pk) == event.data["contact_point"] or contacts.blocked(point):
            continue
        outbox.queue(
            template="contact_changed",
            consumer=consumer,
            contact_point=point,
            account=None,
            cause=f"{event.pk}:contact_changed:{point.pk}",
            language=language if language in ("en", "es") else "en",
            facts=facts,
            answers=now - event.occurred_at < outbox.ANSWERS,
            now=now,
        )


HANDLERS: dict[str, Callable[[Event, datetime], None]] = {
    "payment.succeeded": _receipt,
    "payment.posted": _receipt,
    "payment.pending": _handed_over,
    "authorization.created": _copy,
    "payment.declined": _failed,
    "payment.returned": _failed,
    "payment.charged_back": _failed,
    "optout.address": _no_more_email,
    "optout.medium": _no_more_email,
    "esign.withdrawn": _no_more_email,
    "consumer.contact_changed": _contact_changed,
}


# Notices, by the calendar ----------------------------------------------------------------------------------------


def announce(*, now: datetime, limit: int = LIMIT) -> int:
    """Write the e-mail notices whose day has come where the consumer lives; return how many were decided (PDC-01)."""
    with acting_for(ALL_AGENCIES):
        found = list(
            Notice.objects.filter(
                owner="portal",
                channel="email",
                status=Notice.Status.DUE,
                postdate__status__in=(Postdate.Status.SCHEDULED, Postdate.Status.HELD),
                proof__message__isnull=True,
                # A day more than UTC knows: some consumers live ahead of it.
                target_on__lte=now.date() + timedelta(days=1),
            )
            .order_by("latest_on", "pk")
            .values_list("agency_id", "pk", "postdate__account_id")[:limit]
        )
    count = 0
    for agency_id, key, account_id in found:
        with acting_for(agency_id), transaction.atomic():
            Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
            count += _announce(key, now=now)
    return count


def _announce(key: UUID, *, now: datetime) -> bool:
    joined = Notice.objects.select_related("postdate__account__consumer", "postdate__method")
    notice = (
        joined.select_related("postdate__account__client", "postdate__account__agency")
        .select_for_update(of=("self",), skip_locked=True)
        .filter(pk=key, status=Notice.Status.DUE, channel="email", proof__message__isnull=True)
        .first()
    )
    if notice is None:
        return False
    postdate = notice.postdate
    consumer = postdate.account.consumer
    today = local_date(now, consumer.time_zone)
    if today > notice.latest_on:
        notices.as_letter(notice=notice, reason="window_closed", now=now)
        return True
    if postdate.status != Postdate.Status.SCHEDULED or today < notice.target_on:
        return False
    if not notices.in_hours(zone=consumer.time_zone, now=now):
        return False
    if (agreed := consent.esign_live(consumer)) is None:
        notices.as_letter(notice=notice, reason="no_consent", now=now)
        return True
    language = consumer.language[:2]
    account = postdate.account
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "amount": _money(postdate.amount_cents, account.currency, language),
            "day": format_date(postdate.due_on, language),
            "method": means_of_method(postdate.method).label(language),
            "rows": [
                (_("Payment"), _("%(number)s of %(of)s") % {"number": postdate.number, "of": postdate.of}),
                (_("Paid to"), account.agency.legal_name),
                *_debt_rows(account),
            ],
        }
    message = _write(
        "predebit",
        account=account,
        cause=f"notice:{notice.pk}",
        language=language,
        facts=facts,
        to=agreed.contact_point,
        now=now,
    )
    if message is not None and message.status == Message.Status.QUEUED:
        notice.proof = notice.proof | {"message": str(message.pk), "queued_at": now.isoformat()}
        notice.save(update_fields=["proof"])
    return True


# What messages are made of ---------------------------------------------------------------------------------------


def _write(
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


def _payment(event: Event) -> Payment | None:
    joined = Payment.objects.select_related(
        "account__agency", "account__client", "account__consumer", "consumer", "method", "postdate", "arrangement"
    )
    return joined.filter(pk=event.data.get("payment")).first()


def _answers(payment: Payment, now: datetime) -> bool:
    return payment.postdate_id is None and now - payment.intended_at < outbox.ANSWERS


def _money(cents: int, currency: str, language: str) -> str:
    return format_cents(cents, currency, language)


def _dates(lines: list[tuple[date, int]], currency: str, language: str, first: int = 1) -> list[tuple[int, str, str]]:
    return [
        (number, format_date(on, language), _money(cents, currency, language))
        for number, (on, cents) in enumerate(lines, first)
    ]


def _plan(payment: Payment, language: str) -> dict:
    """Give what comes after the first payment of an arrangement; nothing for any other payment."""
    if payment.arrangement_id is None or payment.postdate_id is not None:
        return {}
    later = list(payment.arrangement.postdates.order_by("number"))
    if not later:
        return {}
    owned = Notice.objects.filter(postdate__arrangement_id=payment.arrangement_id).values_list("channel", flat=True)
    return {
        "dates": _dates([(item.due_on, item.amount_cents) for item in later], payment.currency, language, first=2),
        "together": "",
        "notice": owned.first() or "",
    }


def _payment_rows(payment: Payment, language: str) -> list[tuple[str, str]]:
    day = local_date(payment.decided_at or payment.intended_at, payment.consumer.time_zone)
    return [
        (_("Receipt number"), payment.reference),
        (_("Date"), format_date(day, language)),
        (_("Payment method"), means_of_method(payment.method).label(language) if payment.method else ""),
        (_("Paid to"), payment.account.agency.legal_name),
        *_debt_rows(payment.account),
    ]


def _debt_rows(account: Account) -> list[tuple[str, str]]:
    return [
        (_("Reference"), account.reference),
        (_("Original creditor"), account.original_creditor or account.client.name),
        (_("Description"), account.description),
    ]
