"""What each event asks for: a receipt, a copy, a failure with its next step, a change that must be seen."""

from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.calendars import format_date, local_date
from accounts.known import known
from accounts.models import Event
from accounts.services import consent, contacts
from campaigns.services import notices, outbox, texts
from campaigns.services.compose import site_url
from campaigns.services.wording import dates, debt_rows, money, payment_rows, plan, write
from payments.models import Authorization, Method, Payment, Postdate
from payments.services import wallet
from payments.services.means import means_of_method

COPY_WAITS = timedelta(seconds=3)
"""The copy goes at once, but not ahead of a card that is declined in the same breath (its authorization is revoked)."""


WATCHED = timedelta(minutes=1)
"""An answer that came later than this was waited for by nobody: the page said that we would write."""


def _by_helper(payment: Payment) -> bool:
    return payment.authorization is not None and wallet.is_helpers(payment.authorization)


def _key(event: Event, name: str) -> UUID | None:
    """Read the id of what an event tells of."""
    return UUID(key) if (key := event.data.get(name)) else None


@known
def _payment(key: UUID | None) -> QuerySet[Payment]:
    return Payment.objects.select_related("method", "postdate", "arrangement", "authorization").filter(pk=key)


def payment_of(event: Event) -> Payment | None:
    """Read the payment an event tells of; its account comes with the event, as ten tables in one join take PostgreSQL
    longer to plan than to read."""
    payment = _payment.first(_key(event, "payment"))
    if payment is not None and event.account_id == payment.account_id:
        payment.account = event.account
        if event.account.consumer_id == payment.consumer_id:
            payment.consumer = event.account.consumer
    return payment


def _answers(payment: Payment, now: datetime) -> bool:
    return payment.postdate_id is None and now - payment.intended_at < outbox.ANSWERS


def receipt(event: Event, now: datetime) -> None:
    """A payment was taken, or posted by who executed it: its receipt, with the plan if it began one."""
    if (payment := payment_of(event)) is None or payment.status != Payment.Status.SUCCEEDED:
        return
    consumer, language = payment.consumer, payment.consumer.language[:2]
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "amount": money(payment.amount_cents, payment.currency, language),
            "rows": payment_rows(payment, language),
        }
        facts |= plan(payment, language)
    write(
        "plan_confirmed" if "dates" in facts else "receipt",
        account=payment.account,
        cause=f"receipt:{payment.pk}",
        language=language,
        facts=facts,
        attachments=({"kind": "receipt", "id": str(payment.pk)},),
        answers=_answers(payment, now),
        now=now,
    )


def handed_over(event: Event, now: datetime) -> None:
    """A bank debit is on its way: say so, and that it is not paid yet."""
    payment = payment_of(event)
    if payment is None or payment.kind != "ach" or payment.status != Payment.Status.PENDING:
        return
    consumer, language = payment.consumer, payment.consumer.language[:2]
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "amount": money(payment.amount_cents, payment.currency, language),
            "rows": payment_rows(payment, language),
        } | plan(payment, language)
    write(
        "ach_handed_over",
        account=payment.account,
        cause=f"pending:{payment.pk}",
        language=language,
        facts=facts,
        attachments=({"kind": "receipt", "id": str(payment.pk)},),
        answers=_answers(payment, now),
        now=now,
    )


@known
def _authorization(key: UUID | None) -> QuerySet[Authorization]:
    joined = Authorization.objects.select_related("account__agency", "account__client", "consumer", "method")
    return joined.filter(pk=key)


def copy(event: Event, now: datetime) -> None:
    """The consumer gave an authorization: their copy, at once (EFT-02)."""
    authorization = _authorization.first(_key(event, "authorization"))
    if authorization is None or outbox.never_in_force(authorization) or wallet.is_helpers(authorization):
        return
    account, language = authorization.account, authorization.language[:2]
    with override(language):
        lines = [(date.fromisoformat(day), cents) for day, cents in authorization.lines]
        facts = {
            "name": authorization.consumer.first_name or str(authorization.consumer),
            "total": money(authorization.total_cents, account.currency, language),
            "count": len(lines),
            "rows": [
                (_("Payment method"), means_of_method(authorization.method).label(language)),
                *debt_rows(account),
            ],
            "dates": dates(lines, account.currency, language),
            "together": money(authorization.total_cents, account.currency, language) if len(lines) > 1 else "",
        }
    write(
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


def prepared(event: Event, now: datetime) -> None:
    """An agent prepared a payment and wants it told: where it waits, with no sum and no secret in the address."""
    wanted = event.data.get("mail") or event.data.get("text")
    if not wanted or event.account is None:
        return
    account, consumer = event.account, event.account.consumer
    language, key = consumer.language[:2], event.data["link"]
    ends_on = local_date(datetime.fromisoformat(event.data["expires_at"]), consumer.time_zone)
    facts = {
        "name": consumer.first_name or str(consumer),
        "url": site_url(account.agency, f"/prepared/{key}/"),
        "day": format_date(ends_on, language),
    }
    if event.data.get("text") and (numbers := texts.for_codes(consumer, now)):
        texts.queue(
            template="text_prepared",
            consumer=consumer,
            contact_point=numbers[0],
            account=account,
            cause=f"link:{key}",
            language=language,
            facts=facts,
            now=now,
        )
        return
    write("payment_prepared", account=account, cause=f"link:{key}", language=language, facts=facts, now=now)


def failed(event: Event, now: datetime) -> None:
    """A payment that nobody watched failed, or one came back. What was declined on the page was told there."""
    payment = payment_of(event)
    outcome = event.kind.partition(".")[2]
    if payment is None:
        return
    if outcome in ("declined", "voided") and payment.postdate_id is None:
        if event.occurred_at - payment.intended_at < WATCHED or _by_helper(payment):
            return
        outcome = "not_made"
    elif outcome == "voided":
        return
    consumer, language = payment.consumer, payment.consumer.language[:2]
    on = payment.postdate.due_on if payment.postdate else local_date(payment.intended_at, consumer.time_zone)
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "amount": money(payment.amount_cents, payment.currency, language),
            "outcome": outcome,
            "day": format_date(on, language),
            "rows": [
                (_("Payment method"), means_of_method(payment.method).label(language) if payment.method else ""),
                *debt_rows(payment.account),
            ],
        }
    write(
        "payment_failed",
        account=payment.account,
        cause=f"{event.pk}:payment_failed",
        language=language,
        facts=facts,
        now=now,
    )


def no_more_email(event: Event, now: datetime) -> None:
    """An address or the consent is gone: notices still due by e-mail become letters (EML-04, ES-04)."""
    consumer = event.consumer
    if consumer is not None and consent.esign_live(consumer) is None:
        notices.letters_instead(consumer_id=consumer.pk, reason=event.kind, now=now)


def contact_changed(event: Event, now: datetime) -> None:
    """The consumer changed an address: the others hear of it, so that a change by somebody else is seen (AUTH-09)."""
    no_more_email(event, now)
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


def method_updated(event: Event, now: datetime) -> None:
    """A card that is kept was replaced by its bank: the consumer sees it, as nobody asked them (CARD-13)."""
    if event.data.get("by") != "network" or event.data.get("pending") or event.account is None:
        return
    method = Method.objects.select_related("consumer").filter(pk=event.data.get("method")).first()
    if method is None or method.removed_at is not None:
        return
    consumer, language = method.consumer, method.consumer.language[:2]
    planned = Postdate.objects.filter(method=method, status__in=Postdate.OPEN).order_by("due_on").first()
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "label": means_of_method(method).label(language),
            "before": event.data.get("last4_before", ""),
            "expiry": event.data.get("expiry", ""),
            "next_day": format_date(planned.due_on, language) if planned else "",
            "rows": debt_rows(event.account),
        }
    write(
        "method_updated",
        account=event.account,
        cause=f"{event.pk}:method_updated",
        language=language,
        facts=facts,
        now=now,
    )


def refund_failed(event: Event, now: datetime) -> None:
    """Money that was given back did not arrive: the consumer hears of it, and that the agency owes it to them."""
    if (payment := payment_of(event)) is None:
        return
    consumer, language = payment.consumer, payment.consumer.language[:2]
    with override(language):
        facts = {
            "name": consumer.first_name or str(consumer),
            "amount": money(event.data["refund_cents"], payment.currency, language),
            "rows": payment_rows(payment, language),
        }
    write(
        "refund_failed",
        account=payment.account,
        cause=f"{event.pk}:refund_failed",
        language=language,
        facts=facts,
        now=now,
    )
