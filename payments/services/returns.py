"""Take a bank's return or notification of change, from whoever tells it; in any order, however often (section 4)."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import events
from accounts.crypto import blind_index
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Method, Payment, Postdate
from payments.processors import BankChange, Outcome
from payments.rules import returns
from payments.rules.bank import check_bank_account, last4, typed_digits
from payments.services import announced, consequences, holds, items, life, reversals, settle
from payments.services.locks import lock_account

_SENTENCES = {
    "return_code_unknown": gettext_noop("Enter the return code as the bank gave it: R and two digits, like R01."),
    "not_debited_by_host": gettext_noop(
        "Only a bank debit that the agency's own system submitted, and whose return nobody explained yet, can be "
        "taken back here."
    ),
}
ORIGIN = "agency"
"""Who tells of a return that neither processor nor host told."""


def can_be_told(payment: Payment) -> bool:
    """Tell whether somebody may say here why a debit came back: the host submitted it and gave no reason so far."""
    standing = payment.status in (Payment.Status.PENDING, Payment.Status.SUCCEEDED)
    by_host = payment.kind == Method.Kind.ACH and payment.executor == "host"
    return by_host and (standing or reversals.untold(payment))


def tell_return(*, payment: Payment, code: str, reason: str, by: str, now: datetime) -> Payment | list[Refusal]:
    """Take back a debit that the host submitted and a bank sent back, as its people or its system say.

    Told twice it counts once. What the portal debits is told by its processor alone.
    """
    code = code.strip().upper()
    if not returns.is_return(code):
        return [refuse(_SENTENCES["return_code_unknown"], "return_code_unknown", field="code")]
    if payment.status == Payment.Status.RETURNED and payment.network_decline_code == code:
        return payment
    if not can_be_told(payment):
        return [refuse(_SENTENCES["not_debited_by_host"], "not_debited_by_host")]
    return apply_return(payment=payment, code=code, now=now, origin=ORIGIN, reason=f"{by}: {reason}")


def apply_return(*, payment: Payment, code: str, now: datetime, origin: str = "processor", reason: str = "") -> Payment:
    """Apply a return code to a debit, submitted or long settled: 60 days are the consumer's right (ACH-14).

    What was counted is counted no more, the debt and a settlement it completed are open again, and the plan and the
    bank account follow the code's row. The same return told again changes nothing.
    """
    assert not returns.is_change(code), "a notification of change sends nothing back"
    outcome = Outcome(status="declined", network_decline_code=code, reason=reason)
    return settle.record_return(payment_id=payment.pk, outcome=outcome, now=now, origin=origin)


def apply_notification_of_change(*, method: Method, code: str, now: datetime) -> Method:
    """Hold what is planned from a bank account until the change its bank told is applied (ACH-13)."""
    assert returns.is_change(code), code
    for number, account_id in enumerate(_accounts(method) or [_latest_account(method)]):
        with transaction.atomic():
            account = lock_account(account_id)
            found = Method.objects.select_for_update().get(pk=method.pk)
            if number == 0:
                consequences.ask_for_update(method=found, code=code, account=account, now=now)
            items.hold_all(_planned(method, account), holds.UPDATE_PENDING, account=account, now=now)
    return Method.objects.get(pk=method.pk)


def apply_update(
    *,
    method: Method,
    by: str,
    now: datetime,
    routing: str = "",
    number: str = "",
    account_type: str = "",
    processor_method: str = "",
    code: str = "",
) -> list[Refusal]:
    """Apply a change: corrected numbers as the bank said them, or the processor's word that it has them already.

    What was held for it goes on, where its day is still to come. The account was validated by the bank's own answer.
    """
    account_ids = _accounts(method) or [_latest_account(method)]
    with transaction.atomic():
        for account_id in sorted(account_ids):
            lock_account(account_id)
        found = Method.objects.select_for_update().get(pk=method.pk)
        values: dict[str, object] = {"update_pending": None}
        if routing or number:
            routing = typed_digits(routing) or found.routing
            number = typed_digits(number) or found.number
            if refusals := check_bank_account(routing, number, account_type or found.account_type):
                return refusals
            fingerprint = blind_index(f"{routing}:{number}", agency_id=found.agency_id, field="bank")
            values |= {"routing": routing, "number": number, "last4": last4(number), "fingerprint": fingerprint}
        values |= {"account_type": account_type} if account_type else {}
        values |= {"processor_method": processor_method} if processor_method else {}
        for name, value in values.items():
            setattr(found, name, value)
        found.save(update_fields=list(values))
        about = {"method": str(found.pk), "kind": found.kind, "last4": found.last4, "pending": False, "by": by}
        about |= {"code": code} if code else {}
        for index, account_id in enumerate(sorted(account_ids)):
            account = lock_account(account_id)
            if index == 0:
                events.record("method.updated", account=account, now=now, data=about)
            _go_on(found, account, now)
    return []


def bank_changed(*, method: Method, change: BankChange, now: datetime) -> Method:
    """Take over a notification of change that the processor applied; what only a host charges waits for its number.

    The processor holds the whole number and the bank gave it, so that nothing is asked of the consumer. A host holds
    the number that we sealed: a new one is asked for, and until then nothing is taken (ACH-13).
    """
    by_host = Postdate.objects.filter(method=method, executor="host", status__in=Postdate.OPEN).exists()
    if by_host and change.number_changed:
        return apply_notification_of_change(method=method, code=change.code, now=now)
    sealed = {"routing": change.routing, "number": method.number} if by_host and method.number else {}
    named = {"holder": change.holder[: Method._meta.get_field("holder").max_length]} if change.holder else {}
    Method.objects.filter(pk=method.pk).update(last4=change.last4, **named)
    apply_update(
        method=method,
        by="bank",
        now=now,
        account_type=change.account_type,
        processor_method=change.method,
        code=change.code,
        **sealed,
    )
    return Method.objects.get(pk=method.pk)


@transaction.atomic
def card_updated(
    *, method: Method, last4: str, exp_month: int | None, exp_year: int | None, now: datetime, **more: str
) -> bool:
    """Take over what the network's account updater says of a stored card; the consumer is told once (CARD-13).

    The authorization covers the same card account, so that nothing is asked again.

    :param more: `brand`, `funding`, `fingerprint`, where the processor says them.
    """
    account_id = _latest_account(method)
    accounts = {one: lock_account(one) for one in sorted({account_id, *_accounts(method)})}
    found = Method.objects.select_for_update().get(pk=method.pk)
    wanted = {"last4": last4, "exp_month": exp_month, "exp_year": exp_year}
    wanted |= {name: value for name, value in more.items() if value}
    changed = {name: value for name, value in wanted.items() if getattr(found, name) != value}
    if not changed:
        return False
    before = found.last4
    for name, value in changed.items():
        setattr(found, name, value)
    found.update_pending = None
    found.save(update_fields=[*changed, "update_pending"])
    about = {"method": str(found.pk), "kind": found.kind, "brand": found.brand, "last4": found.last4, "pending": False}
    expiry = f"{exp_month:02d}/{exp_year}" if exp_month and exp_year else ""
    about |= {"last4_before": before, "expiry": expiry, "by": "network"}
    events.record("method.updated", account=accounts[account_id], now=now, data=about)
    for account in accounts.values():
        _go_on(found, account, now)
    return True


def _go_on(method: Method, account: Account, now: datetime) -> None:
    """Let go of what waited for a card or bank account to be put right."""
    missed = items.release_all(_planned(method, account), holds.UPDATE_PENDING, account=account, now=now)
    announced.tell_missed(missed, account=account, now=now)


def _accounts(method: Method) -> list[UUID]:
    """List the accounts on which something is planned from a card or bank account."""
    open_ = Postdate.objects.filter(method=method, status__in=Postdate.OPEN)
    return sorted(set(open_.values_list("account_id", flat=True)))


def _latest_account(method: Method) -> UUID:
    """Find the account that a card or bank account was last signed for: news of it are told there."""
    return method.authorizations.order_by("-accepted_at").values_list("account_id", flat=True)[0]


def _planned(method: Method, account: Account) -> list[Postdate]:
    joined = Postdate.objects.select_related("method__processor_account", "arrangement")
    mine = joined.filter(method=method, account=account, arrangement__status__in=life.WATCHED)
    return list(mine.order_by("due_on", "number"))
