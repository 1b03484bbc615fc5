"""“This is wrong” and “Who is the original creditor?”: what is planned waits from the same transaction on (RF-32).

While either is open that stops collection, the running arrangement rests without an end, nobody is charged for it and
campaigns hold what they would send. Own words are sealed; events carry codes and sums only.
"""

from datetime import date, datetime
from typing import Any

from django.db import transaction

from accounts import events
from accounts.calendars import add_business_days, local_date, strict, validation_ends_on
from accounts.models import Account, Event, Visit
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Arrangement, CreditorRequest, Dispute, Payment
from payments.services import life, status
from payments.services.locks import lock_account
from payments.services.standstill import stands_still
from settlements.services import hardship

WORDS_LIMIT = 4_000
"""Characters of a consumer's own words; a long letter has about three thousand."""
SPANISH_NOTICE = "validation_notice"
"""The type of the letter that a host is asked for in Spanish."""
RESOLUTION_LIMIT = Dispute._meta.get_field("resolution").max_length

_SENTENCES = {
    "dispute_reason_unknown": gettext_noop("Choose what is wrong."),
    "dispute_words_missing": gettext_noop("Tell us in your own words what is wrong."),
    "dispute_words_too_long": gettext_noop("Please write at most %(most)s characters."),
    "dispute_amount_wrong": gettext_noop(
        "Enter how much of the balance is wrong: more than zero, at most %(owed_cents)s."
    ),
    "dispute_not_open": gettext_noop("This was resolved already."),
    "note_missing": gettext_noop("Write what was found."),
    "verification_missing": gettext_noop("Say on which day the verification was sent: until then nothing goes on."),
    "creditor_answered": gettext_noop("This was answered already."),
    "sent_in_the_future": gettext_noop("It cannot have been sent on a day that is not here yet."),
    "sent_too_early": gettext_noop("It cannot have been sent before it was asked for."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def validation_end(account: Account) -> date | None:
    """Give the last day of an account's validation period; None when the notice was not sent yet (RF-30)."""
    return validation_ends_on(account.validation_sent_on) if account.validation_sent_on else None


def in_validation_period(account: Account, *, now: datetime) -> bool:
    """Tell whether the validation period still runs; it does until its notice was sent and its last day is over."""
    ends_on = validation_end(account)
    return ends_on is None or local_date(now, account.consumer.time_zone) <= ends_on


# What the consumer says -----------------------------------------------------------------------------------------


@transaction.atomic
def open_dispute(
    *,
    account: Account,
    visit: Visit | None,
    reason: str,
    text: str,
    amount_cents: int | None,
    now: datetime,
    no_promise: str = "",
) -> Dispute | list[Refusal]:
    """Write down that a debt, or a part of it, is disputed; what is planned is held in the same transaction.

    Disputing again while a dispute is open is the same dispute. Nothing is written when anything is refused.

    :param amount_cents: the part that is wrong; None for all of it.
    :param no_promise: the sentence that stood beside the form (SOL-05), empty where none was shown by us.
    """
    account = lock_account(account.pk)
    known = Dispute.objects.filter(account=account, status=Dispute.Status.OPEN).first()
    if known is not None:
        return known
    text = text.strip()
    if found := _refusals(account, reason, text, amount_cents):
        return found
    row = Dispute.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        visit=visit,
        reason=reason,
        text=text,
        amount_cents=amount_cents,
        no_promise=no_promise,
        in_validation_period=in_validation_period(account, now=now),
        opened_at=now,
    )
    events.record("dispute.opened", account=account, now=now, data=_about(row, account) | _on_its_way(account))
    _rest(account, reason="dispute", now=now)
    return row


def _refusals(account: Account, reason: str, text: str, amount_cents: int | None) -> list[Refusal]:
    found = []
    if reason not in Dispute.Reason.values:
        found.append(_no("dispute_reason_unknown", "reason"))
    elif reason == Dispute.Reason.OTHER and not text:
        found.append(_no("dispute_words_missing", "words"))
    if len(text) > WORDS_LIMIT:
        found.append(_no("dispute_words_too_long", "words", most=WORDS_LIMIT))
    if amount_cents is not None and not 0 < amount_cents <= account.balance_cents:
        found.append(_no("dispute_amount_wrong", "amount", owed_cents=account.balance_cents))
    return found


def _about(row: Dispute, account: Account) -> dict[str, Any]:
    """Give the snapshot of a dispute's events: codes and sums, never the consumer's words."""
    ends_on = validation_end(account)
    before = Dispute.objects.filter(account=account, reason=row.reason).exclude(pk=row.pk)
    return {
        "dispute": str(row.pk),
        "reason": row.reason,
        "amount_cents": row.amount_cents if row.amount_cents is not None else account.balance_cents,
        "all": row.amount_cents is None,
        "words": bool(row.text),
        "in_validation_period": row.in_validation_period,
        "validation_ends_on": ends_on.isoformat() if ends_on else None,
        # RF-33: the host decides whether it is answered by a short notice.
        "duplicative": before.exists(),
    }


def _on_its_way(account: Account) -> dict[str, int]:
    """Say how much was already on its way when the dispute came: it is not held any more."""
    undecided = Payment.objects.filter(account=account, status__in=[Payment.Status.INTENDED, Payment.Status.PENDING])
    return {"on_its_way_cents": sum(undecided.values_list("amount_cents", flat=True))}


@transaction.atomic
def ask_original_creditor(*, account: Account, now: datetime) -> CreditorRequest:
    """Write down that the consumer asks for the original creditor; asking twice is asking once.

    Within the validation period collection stops until the answer has left (RF-32).
    """
    account = lock_account(account.pk)
    known = CreditorRequest.objects.filter(account=account, answered_at=None).first()
    if known is not None:
        return known
    row = CreditorRequest.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        in_validation_period=in_validation_period(account, now=now),
        asked_at=now,
    )
    ends_on = validation_end(account)
    about = {
        "request": str(row.pk),
        "in_validation_period": row.in_validation_period,
        "validation_ends_on": ends_on.isoformat() if ends_on else None,
    }
    events.record("oc_request.opened", account=account, now=now, data=about)
    if row.in_validation_period:
        _rest(account, reason="oc_request", now=now)
    return row


@transaction.atomic
def ask_in_spanish(*, account: Account, now: datetime) -> bool:
    """Ask the host, once, for the validation notice of a debt in Spanish (RF-34); False when it was asked for before.

    The notice is the host's, as the first one was: it is told what to send and by when.
    """
    account = lock_account(account.pk)
    if asked_in_spanish(account) is not None:
        return False
    send_by = add_business_days(local_date(now, account.consumer.time_zone), 1, strict)
    about = {"type": SPANISH_NOTICE, "language": "es", "send_by": send_by.isoformat(), "reason": "consumer_asked"}
    events.record("letter.required", account=account, now=now, data=about)
    return True


def asked_in_spanish(account: Account) -> datetime | None:
    """Say when the notice of a debt was asked for in Spanish."""
    told = Event.objects.filter(account=account, kind="letter.required", data__type=SPANISH_NOTICE)
    return told.values_list("occurred_at", flat=True).first()


# What staff answer ----------------------------------------------------------------------------------------------


@transaction.atomic
def resolve(*, dispute: Dispute, by: str, note: str, verified_on: date | None = None, now: datetime) -> list[Refusal]:
    """Resolve a dispute with what was found; what was held goes on where nothing else holds it.

    :param verified_on: the day the verification was sent; a dispute of the validation period waits for it (RF-32).
    """
    account = lock_account(Dispute.objects.values_list("account_id", flat=True).get(pk=dispute.pk))
    row = Dispute.objects.select_for_update().get(pk=dispute.pk)
    note = note.strip()
    if row.status != Dispute.Status.OPEN:
        return [_no("dispute_not_open")]
    found = [] if note else [_no("note_missing", "note")]
    if verified_on is not None:
        found += _not_sent("verified_on", verified_on, account, asked_at=row.opened_at, now=now)
    elif row.in_validation_period:
        found.append(_no("verification_missing", "verified_on"))
    if found:
        return found
    row.status, row.resolved_at, row.resolved_by = Dispute.Status.RESOLVED, now, by[:80]
    row.resolution = note[:RESOLUTION_LIMIT]
    row.save(update_fields=["status", "resolved_at", "resolved_by", "resolution"])
    about = {"dispute": str(row.pk), "reason": row.reason, "by": by}
    about |= {"verified_on": verified_on.isoformat() if verified_on else None}
    events.record("dispute.resolved", account=account, now=now, data=about)
    _go_on(account, now=now)
    dispute.refresh_from_db()
    return []


@transaction.atomic
def answer_creditor(*, request: CreditorRequest, by: str, sent_on: date, now: datetime) -> list[Refusal]:
    """Write down that the name and address of the original creditor were sent; what waited for it goes on."""
    account = lock_account(CreditorRequest.objects.values_list("account_id", flat=True).get(pk=request.pk))
    row = CreditorRequest.objects.select_for_update().get(pk=request.pk)
    if row.answered_at is not None:
        return [_no("creditor_answered")]
    if found := _not_sent("sent_on", sent_on, account, asked_at=row.asked_at, now=now):
        return found
    row.answered_at, row.answered_by = now, by[:80]
    row.save(update_fields=["answered_at", "answered_by"])
    about = {"request": str(row.pk), "sent_on": sent_on.isoformat(), "by": by}
    events.record("oc_request.answered", account=account, now=now, data=about)
    if row.in_validation_period:
        _go_on(account, now=now)
    request.refresh_from_db()
    return []


def _not_sent(field: str, on: date, account: Account, *, asked_at: datetime, now: datetime) -> list[Refusal]:
    """Say why a proof or an answer cannot have been sent on a day: collection waits until it was (RF-32)."""
    zone = account.consumer.time_zone
    if on > local_date(now, zone):
        return [_no("sent_in_the_future", field)]
    return [_no("sent_too_early", field)] if on < local_date(asked_at, zone) else []


# What waits -----------------------------------------------------------------------------------------------------


def _rest(account: Account, *, reason: str, now: datetime) -> None:
    """Rest what runs without an end; what is broken is held already."""
    life.pause(account=account, until=None, reason=reason, now=now)


def _go_on(account: Account, *, now: datetime) -> None:
    """End the rest, unless another right or a hardship pause still wants it; what else holds it, holds (STS-07)."""
    if stands_still(account.pk):
        return
    today = local_date(now, account.consumer.time_zone)
    if (pause := hardship.active(consumer=account.consumer, today=today)) is not None:
        life.pause(account=account, until=pause.ends_on, reason="hardship", now=now)
    else:
        life.go_on(account=account, now=now)
    # What its status held is free as well, where that is over: until now the dispute kept it.
    status.release(account=account, now=now)


def running(account: Account) -> bool:
    """Tell whether payments are planned on an account, which a dispute would hold."""
    return Arrangement.objects.filter(account=account, status__in=Arrangement.LIVE).exists()
