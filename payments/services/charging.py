"""Ask processors for the money of intended payments: several connections at once, no transaction open, one door.

Threads only speak to processors; everything that is read or written is done by the one thread that started them.
"""

import time
from collections import Counter, deque
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import QuerySet

from accounts.known import known
from accounts.tenancy import acting_for
from payments import crash
from payments.models import Payment, Postdate
from payments.processors import Order, Outcome
from payments.services import pay, settle
from payments.services.methods import adapter_of

log = structlog.get_logger(__name__)

SILENCES = 5
"""So many answers in a row that did not come: a merchant's processor is away, and the rest waits for the next run."""


@dataclass(slots=True)
class Asked:
    """Count answers; `left` says that some payments were not asked for, because of the time or a silent processor."""

    done: int = 0
    left: bool = False


def deadline() -> float:
    """Give the end of a run that begins now; what is not charged by then is continued by the next one."""
    return time.monotonic() + settings.DUE_SECONDS


def is_over(moment: float) -> bool:
    """Tell whether a deadline has come."""
    return time.monotonic() >= moment


def charge(*, fresh: Iterable[str], resumed: Iterable[str], now: datetime, deadline: float) -> Asked:
    """Charge payments that a due run intended, or continues; return when every answer is recorded.

    :param resumed: an earlier run may have sent them: a refused request proves nothing about those.
    """
    new = {UUID(pk) for pk in fresh}
    queues: dict[UUID, deque[UUID]] = {}
    known = Payment.objects.filter(pk__in=[*resumed, *new], status=Payment.Status.INTENDED)
    for pk, merchant in known.order_by("intended_at", "pk").values_list("pk", "processor_account_id"):
        queues.setdefault(merchant, deque()).append(pk)
    asked, silent = Asked(), Counter()
    flying: dict[Future[Outcome], Payment] = {}
    with ThreadPoolExecutor(max_workers=settings.DUE_CONNECTIONS, thread_name_prefix="due") as pool:
        while queues or flying:
            if is_over(deadline):
                asked.left |= bool(queues)
                queues.clear()
            _send(pool, queues, flying, new, silent, now)
            if not flying:
                continue
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                payment = flying.pop(future)
                outcome = _answer(future, payment)
                crash.point("due_after_charge")
                asked.done += 1
                merchant = payment.processor_account_id
                silent[merchant] = silent[merchant] + 1 if outcome.status == "unknown" else 0
                if silent[merchant] >= SILENCES and queues.pop(merchant, None):
                    asked.left = True
                    log.warning("processor_silent", merchant=str(merchant))
                _record(payment, outcome, now)
    return asked


def _send(
    pool: ThreadPoolExecutor,
    queues: dict[UUID, deque[UUID]],
    flying: dict[Future[Outcome], Payment],
    new: set[UUID],
    silent: Counter,
    now: datetime,
) -> None:
    """Fill the free connections, merchant by merchant in turns; each merchant has no more than its share."""
    busy = Counter(payment.processor_account_id for payment in flying.values())
    # One try tells whether a silent processor is back; the others wait for its answer.
    while len(flying) < settings.DUE_CONNECTIONS:
        free = [
            merchant
            for merchant in queues
            if busy[merchant] < (1 if silent[merchant] else settings.DUE_CONNECTIONS_PER_MERCHANT)
        ]
        if not free:
            return
        merchant = min(free, key=lambda one: busy[one])
        pk = queues[merchant].popleft()
        if not queues[merchant]:
            del queues[merchant]
        if (payment := _still(pk, new, now)) is None:
            continue
        order, processor = order_of(payment), adapter_of(payment.processor_account)
        flying[pool.submit(pay.send, order, processor=processor, fresh=pk in new)] = payment
        busy[merchant] += 1


@known
def _to_send(payment_id: UUID) -> QuerySet[Payment]:
    joined = Payment.objects.select_related("method", "authorization", "postdate", "processor_account")
    return joined.filter(pk=payment_id)


def _still(pk: UUID, new: set[UUID], now: datetime) -> Payment | None:
    """Read a payment once more before it is sent: what was withdrawn or stopped meanwhile is not charged (EFT-05)."""
    payment = _to_send.get(pk)
    if payment.status != Payment.Status.INTENDED or payment.next_action_secret or payment.expires_at <= now:
        # Decided meanwhile, or time is up: the sweep ends it at the processor first.
        return None
    stopped = payment.authorization.revoked_at is not None or payment.postdate.status != Postdate.Status.SCHEDULED
    if stopped and pk in new:
        # Never sent by anybody, so ending it here ends it.
        _record(payment, Outcome(status="voided", reason="stopped before it was sent"), now)
    return None if stopped else payment


def order_of(payment: Payment) -> Order:
    """Build the one request of this try, from rows that do not change while it is undecided."""
    method = payment.method
    return Order(
        payment=str(payment.pk),
        consumer=str(payment.consumer_id),
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        kind=payment.kind,
        description=f"Payment {payment.reference}",
        method=method.processor_method,
        customer=method.processor_customer,
        off_session=True,
        use="installment",
        retry=payment.retry_of is not None,
    )


def _answer(future: Future[Outcome], payment: Payment) -> Outcome:
    try:
        return future.result()
    except Exception as error:
        # Nobody can say what became of it: the sweep asks.
        log.exception("due_charge_failed", payment=str(payment.pk))
        return Outcome(status="unknown", reason=type(error).__name__)


def _record(payment: Payment, outcome: Outcome, now: datetime) -> None:
    with acting_for(payment.agency_id):
        try:
            settle.record_outcome(payment_id=payment.pk, outcome=outcome, now=now)
            if outcome.status == "unknown":
                # Out of this run's hands: the sweep may ask, and the next run may send it again under its key.
                Postdate.objects.filter(pk=payment.postdate_id).update(claimed_until=None)
        except Exception:
            # Undecided as it is, the sweep finds it; the others must not wait for it.
            log.exception("due_outcome_failed", payment=str(payment.pk))
