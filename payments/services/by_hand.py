"""Checks, cash and money orders: what came by mail or over the counter, written down once by staff.

The paper is the agency's: nobody is charged, so it is received at once, counts for promises and arrangements from the
day it came, and is told to the host like any payment. A host that writes such payments down itself shows them in its
list, where they count as well (`received`). A check that comes back is taken back here, with everything it brought.
"""

import hashlib
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts import events
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Payment
from payments.rules.gates import promise_gates
from payments.services import gate, ledger, life, moves, settle
from payments.services.locks import lock_account
from settlements.rules.schedules import Line

EXECUTOR = BOOK = "agency"
OLDEST = timedelta(days=60)
"""A paper that came longer ago is not a slip of the mail room: somebody looks first."""
NUMBERED = (Payment.Kind.CHECK, Payment.Kind.ORDER)
_SENTENCES = {
    "kind_unknown": gettext_noop("Choose a check, cash or a money order."),
    "received_day": gettext_noop("The day it came is from %(first_on)s to %(last_on)s."),
    "number_missing": gettext_noop("Enter the number on the check or money order."),
    "recorded_already": gettext_noop("This check or money order was written down already, as %(reference)s."),
    "attempt_undecided": gettext_noop("Another payment on this account is still being decided."),
    "key_used": gettext_noop("This was sent before and said something else: begin again."),
    "not_by_hand": gettext_noop("Only a check or money order that was received can come back."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


@transaction.atomic
def record(
    *,
    account: Account,
    key: UUID,
    kind: str,
    amount_cents: int,
    received_on: date,
    paper_number: str,
    by: str,
    reason: str,
    now: datetime,
) -> Payment | list[Refusal]:
    """Write down a paper or cash that came; with the same key it is the same payment. Or every reason against it."""
    account = lock_account(account.pk)
    number = "".join(paper_number.split())[:30]
    says = (account.pk, kind, number, amount_cents, received_on, reason[:300])
    if (known := Payment.objects.filter(idempotency_key=key).first()) is not None:
        said = (known.account_id, known.kind, known.paper_number, known.amount_cents, known.received_on, known.reason)
        return known if said == says else [_no("key_used")]
    at = gate.standing(account, now=now)
    # An old debt's notice comes before it is asked for; a paper that came was sent unasked.
    facts = gate.facts_of(at, (Line(at.today, amount_cents),), None, EXECUTOR, single=False, acknowledged=True, now=now)
    # What came is written down even where the agency may not ask for it (ST-09).
    found = [one for one in promise_gates(facts) if one.code != "not_licensed"]
    if kind not in Payment.BY_HAND:
        found.append(_no("kind_unknown", "kind"))
    if not at.today - OLDEST <= received_on <= at.today:
        found.append(_no("received_day", "received_on", first_on=at.today - OLDEST, last_on=at.today))
    if kind in NUMBERED and not number:
        found.append(_no("number_missing", "paper_number"))
    if any(payment.status == Payment.Status.INTENDED for payment in at.owed.waiting):
        found.append(_no("attempt_undecided"))
    same = Payment.objects.filter(account=account, kind=kind, paper_number=number, amount_cents=amount_cents)
    twin = same.exclude(status=Payment.Status.RETURNED).first() if number else None
    if twin is not None:
        found.append(_no("recorded_already", "paper_number", reference=twin.reference))
    if found:
        return found
    payment = Payment.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        idempotency_key=key,
        request_hash=hashlib.sha256(f"{key}:{kind}:{number}:{amount_cents}".encode()).hexdigest(),
        kind=kind,
        executor=EXECUTOR,
        purpose="full" if amount_cents == at.owed.cents else "amount",
        amount_cents=amount_cents,
        currency=account.currency,
        status=Payment.Status.SUCCEEDED,
        received_on=received_on,
        paper_number=number,
        reason=reason[:300],
        intended_at=now,
        decided_at=now,
    )
    ledger.book(payment, cents=amount_cents, against=BOOK, reason="payment", now=now)
    events.record("payment.succeeded", account=account, now=now, data=_told(payment, account, now, by, reason))
    settle.after_money(payment, account, now)
    return payment


@transaction.atomic
def came_back(*, payment: Payment, by: str, reason: str, now: datetime) -> Payment | list[Refusal]:
    """Take back a check or money order that its bank did not honor; told twice it counts once."""
    account = lock_account(payment.account_id)
    row = Payment.objects.select_related("method").select_for_update(of=("self",)).get(pk=payment.pk)
    if row.status == Payment.Status.RETURNED:
        return row
    if row.kind not in NUMBERED or row.status != Payment.Status.SUCCEEDED:
        return [_no("not_by_hand")]
    cents = ledger.net_cents(row)
    ledger.book(row, cents=-cents, against=BOOK, reason="return", now=now)
    row.status, row.decided_at = Payment.Status.RETURNED, now
    row.save(update_fields=["status", "decided_at"])
    told = _told(row, account, now, by, reason) | {"taken_back_cents": cents}
    events.record("payment.returned", account=account, now=now, data=told)
    life.after_money(account=account, now=now)
    return row


def _told(payment: Payment, account: Account, now: datetime, by: str, reason: str) -> dict:
    about = {
        "origin": EXECUTOR,
        "by": by,
        "reason": reason[:300],
        "received_on": payment.received_on.isoformat(),
        "paper_number": payment.paper_number,
    }
    return moves.snapshot(payment, account, now, **about)
