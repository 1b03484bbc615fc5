"""Record what takes money back after it was counted: a bank's return, a dispute, a refund; and what undoes that."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import events
from accounts.models import Account
from payments.models import Method, Payment
from payments.processors import Outcome
from payments.rules import returns
from payments.services import consequences, gate, incidents, ledger, life, moves, tries
from payments.services.owed import owed
from settlements.services import individual

Status = Payment.Status
TWICE = "given_back_twice"
"""The incident of a payment that a bank takes back although it was refunded: only a person can get one of them back."""


def returned(
    payment: Payment, account: Account, outcome: Outcome, now: datetime, origin: str, *, by_bank: bool = True
) -> None:
    """Record that a bank sent a debit back; what was counted is counted no more."""
    moves.keep_codes(payment, outcome)
    was_settled = payment.status == Status.SUCCEEDED
    back = _take_back(payment, "return", now) if was_settled else 0
    if was_settled and back != payment.amount_cents:
        moves.incident(payment, account, TWICE, outcome, now)
    follows = tries.failed(payment, now=now)
    moves.move(payment, account, Status.RETURNED, "payment.returned", now, origin, taken_back_cents=back, **follows)
    life.after_money(account=account, now=now)
    if payment.purpose in gate.SETTLING and payment.authorization and payment.authorization.kind == "single":
        _break(payment, account, now, was_complete=was_settled)
    if by_bank:
        consequences.after_return(payment, account=account, now=now)


def _take_back(payment: Payment, reason: str, now: datetime) -> int:
    """Book back what stands of a payment and give it: what was refunded of it went back before."""
    cents = ledger.net_cents(payment)
    ledger.book(payment, cents=-cents, reason=reason, now=now)
    return cents


def untold(payment: Payment) -> bool:
    """Tell a debit that came back without anybody saying why."""
    said = returns.code_of(payment.network_decline_code, payment.decline_code)
    return payment.kind == Method.Kind.ACH and payment.status == Status.RETURNED and not said


def explained(payment: Payment, account: Account, outcome: Outcome, now: datetime) -> None:
    """Record why a bank sent back what was taken back already without a reason."""
    moves.keep_codes(payment, outcome)
    payment.save()
    consequences.after_late_word(payment, account=account, now=now)


def _break(payment: Payment, account: Account, now: datetime, *, was_complete: bool) -> None:
    """End a settlement paid at once that is none after all: all of the debt is owed again (ACH-14).

    The offer of one that was complete is closed already; what was accepted after it is another one, which stands.
    """
    if not was_complete:
        individual.close(account=account, status="broken", now=now)
        return
    told = {"payment": str(payment.pk), "reference": payment.reference, "currency": payment.currency}
    told |= {"reason": "returned", "reinstates": "balance", "owed_cents": owed(account).cents}
    events.record("settlement.broken", account=account, now=now, data=told)


def _why(reason: str, code: str, origin: str) -> Outcome:
    """Say why a debit came back: its bank's code, else the processor's word.

    A bank's dispute that names no failure means not authorized; a host that says only `reversal` may mean any return.
    """
    word = reason if returns.code_of("", reason) else "disputed" if origin == "processor" else ""
    network_code = code if returns.is_return(code) else ""
    return Outcome(status="declined", decline_code=word, network_decline_code=network_code)


@transaction.atomic
def record_dispute(
    *, payment_id: UUID, said: str, now: datetime, origin: str = "processor", reason: str = "", code: str = ""
) -> Payment:
    """Record a dispute: `opened` takes the money away, `won` brings it back, `lost` makes it final.

    A lost one that was never heard of before takes the money away too; staff look at it once.

    :param reason, code: why a bank debit came back, in the processor's word and the bank's own code.
    """
    payment, account = moves.lock_both(payment_id)
    if said in ("opened", "lost") and payment.status == Status.SUCCEEDED:
        if payment.kind == Method.Kind.ACH:
            returned(payment, account, _why(reason, code, origin), now, origin)
        else:
            back = _take_back(payment, "chargeback", now)
            moves.move(
                payment, account, Status.CHARGED_BACK, "payment.charged_back", now, origin, taken_back_cents=back
            )
            life.after_money(account=account, now=now)
    elif said in ("opened", "lost") and payment.status == Status.REFUNDED and origin == "processor":
        moves.incident(payment, account, TWICE, _why(reason, code, origin), now)
    elif said == "won" and payment.status == Status.CHARGED_BACK:
        # Lost and won before, only the last loss is undone.
        fought = payment.entries.filter(book="debt", reason__in=("chargeback", "reinstated"))
        cents = sum(fought.values_list("amount_cents", flat=True))
        ledger.book(payment, cents=cents, reason="reinstated", now=now)
        told = {"reinstated": True, "reinstated_cents": cents}
        moves.move(payment, account, Status.SUCCEEDED, "payment.succeeded", now, origin, **told)
        life.after_money(account=account, now=now)
    if said == "lost" and payment.status == Status.CHARGED_BACK:
        incidents.open(
            kind="dispute_lost",
            key=str(payment.pk),
            now=now,
            account=account,
            payment=payment,
            data={"reference": payment.reference, "amount_cents": payment.amount_cents},
        )
    return payment


@transaction.atomic
def record_refund(*, payment_id: UUID, refunded_cents: int, now: datetime, origin: str = "processor") -> Payment:
    """Record that so many cents were given back in all; told twice, or out of order, it counts once."""
    payment, account = moves.lock_both(payment_id)
    if payment.status == Status.SUCCEEDED:
        refund(payment, account=account, refunded_cents=refunded_cents, now=now, origin=origin)
    return payment


def refund(payment: Payment, *, account: Account, refunded_cents: int, now: datetime, origin: str) -> None:
    """Book what was given back beyond what is booked; the caller holds the locks."""
    booked = sum(payment.entries.filter(book="debt", reason="refund").values_list("amount_cents", flat=True))
    more = min(refunded_cents, payment.amount_cents) - booked
    if more <= 0:
        return
    ledger.book(payment, cents=-more, reason="refund", now=now)
    whole = booked + more == payment.amount_cents
    status = Status.REFUNDED if whole else Status.SUCCEEDED
    moves.move(payment, account, status, "payment.refunded", now, origin, refunded_cents=more, whole=whole)
    life.after_money(account=account, now=now)


@transaction.atomic
def record_refund_failed(
    *, payment_id: UUID, refunded_cents: int, reason: str, now: datetime, origin: str = "processor"
) -> Payment:
    """Record that less was given back than is booked, because a refund came back; told twice it counts once.

    The money is the agency's again and owed to the consumer: staff find another way, and the host hears of it.

    :param refunded_cents: what was given back of the charge in all, as the processor says now.
    """
    payment, account = moves.lock_both(payment_id)
    booked = sum(payment.entries.filter(book="debt", reason="refund").values_list("amount_cents", flat=True))
    back = booked - refunded_cents
    if back <= 0 or payment.status not in (Status.SUCCEEDED, Status.REFUNDED):
        return payment
    ledger.book(payment, cents=back, reason="refund", now=now)
    more = {"refund_cents": back, "refunded_cents": refunded_cents, "reason": reason[:60]}
    moves.move(payment, account, Status.SUCCEEDED, "payment.refund_failed", now, origin, **more)
    incidents.open(
        kind="refund_failed",
        key=f"{payment.pk}:{booked}",
        severity="urgent",
        now=now,
        account=account,
        payment=payment,
        data=more,
    )
    life.after_money(account=account, now=now)
    return payment
