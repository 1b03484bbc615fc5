"""Compare three books of one agency and day: the processor's list, our ledger, what the host posted.

A day is a UTC day by the time a charge was made. Each difference becomes an incident, open once, ageing until somebody
closes it with a note; nothing is mended here. The processor is read first, with no transaction open.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from accounts.known import known
from payments.models import HostItem, Incident, Payment, Postdate, ProcessorAccount
from payments.processors import Movement, Unreachable
from payments.services import incidents
from payments.services.methods import adapter_of
from payments.services.mirror import CHARGEBACK, DECLINED, POSTED, REVERSAL

EARLY, LATE = timedelta(minutes=10), timedelta(hours=2)
"""Clocks differ, and an intended charge reaches the processor some time later."""
SETTLING_AFTER = timedelta(minutes=30)
"""Younger payments may be undecided still."""
HOST_POSTS_WITHIN = timedelta(days=3)
"""A host that did not show a payment for so long lost it, or its feed is down."""
MOST_WAITING = 1_000
"""More of them are one matter: the feed is down, and the oldest say so."""
MOVED = (Payment.Status.SUCCEEDED, Payment.Status.REFUNDED, Payment.Status.RETURNED, Payment.Status.CHARGED_BACK)
TAKEN_BACK = (CHARGEBACK, DECLINED, REVERSAL)
URGENT = Incident.Severity.URGENT
KINDS = {
    "processor_only": URGENT,
    "charged_twice": URGENT,
    "ledger_only": URGENT,
    "amounts_differ": URGENT,
    "refunds_differ": URGENT,
    "host_not_posted": Incident.Severity.WARNING,
    "host_amount_differs": URGENT,
    "host_unknown_payment": Incident.Severity.WARNING,
    "host_status_differs": URGENT,
    "processor_not_compared": Incident.Severity.WARNING,
}
"""Every difference there can be, and how soon somebody must look."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold one difference; `key` names the matter, so that it is open once."""

    kind: str
    key: str
    payment: Payment | None = None
    data: dict = field(default_factory=dict)


def run(*, day: date, now: datetime) -> list[Difference]:
    """Compare the acting agency's three books for a day and open an incident for each difference."""
    begin = datetime.combine(day, time(), tzinfo=UTC)
    until = min(begin + timedelta(days=1), now)
    found = _processors(begin, until, now) + _hosts(begin, until)
    for one in found:
        incidents.open(
            kind=one.kind,
            key=one.key,
            severity=KINDS[one.kind],
            now=now,
            account=one.payment.account if one.payment else None,
            payment=one.payment,
            data={"day": day.isoformat()} | one.data,
        )
    return found


def _processors(begin: datetime, until: datetime, now: datetime) -> list[Difference]:
    """Compare each merchant account's list with our payments there."""
    found = []
    for merchant in ProcessorAccount.objects.order_by("pk"):
        mine = Payment.objects.filter(processor_account=merchant, executor="portal")
        if not merchant.is_active and not mine.filter(intended_at__gte=begin, intended_at__lt=until).exists():
            continue
        try:
            moved = list(adapter_of(merchant).movements(since=begin - EARLY, until=min(until + LATE, now + LATE)))
        except Unreachable as error:
            key = f"{merchant.pk}:{begin:%Y-%m-%d}"
            found.append(Difference("processor_not_compared", key, data={"why": str(error)[:200]}))
            continue
        found += _compare(merchant, moved, begin, until, now)
    return found


def _compare(
    merchant: ProcessorAccount, moved: Sequence[Movement], begin: datetime, until: datetime, now: datetime
) -> list[Difference]:
    charges = [one for one in moved if one.kind == "charge" and one.status != "failed"]
    ours = _ours(merchant, charges, begin, until)
    taken: dict[UUID, list[Movement]] = defaultdict(list)
    found = []
    for charge in charges:
        payment = ours.get(charge.payment) or ours.get(charge.intent)
        if payment is not None:
            taken[payment.pk].append(charge)
        elif begin <= charge.at < until and not _of_host(charge):
            found.append(_at_processor("processor_only", charge))
    for payment in {one.pk: one for one in ours.values()}.values():
        found += _payment(payment, taken[payment.pk], begin, until, now)
    return found


@known
def _charged(
    merchant_id: UUID, begin: datetime, until: datetime, named: Sequence[UUID], refs: Sequence[str]
) -> QuerySet[Payment]:
    return (
        Payment.objects.filter(processor_account=merchant_id, executor="portal")
        .filter(Q(intended_at__gte=begin, intended_at__lt=until) | Q(pk__in=named) | Q(processor_ref__in=refs))
        .select_related("account")
        .annotate(
            booked_cents=Sum("entries__amount_cents", filter=Q(entries__book="debt", entries__reason="payment")),
            back_cents=Sum("entries__amount_cents", filter=Q(entries__book="debt", entries__reason="refund")),
        )
    )


def _ours(
    merchant: ProcessorAccount, charges: Iterable[Movement], begin: datetime, until: datetime
) -> dict[str, Payment]:
    """Read the payments of the day, and those that the processor's charges name, by our id and by its reference."""
    named = [pk for one in charges if (pk := _uuid(one.payment))]
    refs = [one.intent for one in charges if one.intent]
    ours: dict[str, Payment] = {}
    for row in _charged(merchant.pk, begin, until, named, refs):
        ours[str(row.pk)] = row
        if row.processor_ref:
            ours[row.processor_ref] = row
    return ours


def _of_host(charge: Movement) -> bool:
    """Tell whether the host took this charge with a token of ours: its own post-date or payment is named in it."""
    pk = _uuid(charge.payment)
    if pk is None:
        return False
    # Before the host shows what it took there is only the post-date.
    return (
        Payment.objects.filter(pk=pk, executor="host").exists()
        or Postdate.objects.filter(pk=pk, executor="host").exists()
    )


def _payment(
    payment: Payment, charges: Sequence[Movement], begin: datetime, until: datetime, now: datetime
) -> list[Difference]:
    """Compare one payment with its charges at the processor."""
    paid = [one for one in charges if one.status == "succeeded"]
    about = _about(payment, charges)
    if len(paid) > 1:
        return [Difference("charged_twice", str(payment.pk), payment, about)]
    moved = payment.status in MOVED and payment.booked_cents is not None
    if payment.status in (Payment.Status.DECLINED, Payment.Status.VOIDED) and paid:
        return [Difference("processor_only", str(payment.pk), payment, about)]
    if moved and not charges and begin <= payment.intended_at < until:
        return [Difference("ledger_only", str(payment.pk), payment, about)]
    if not (moved and paid):
        return []
    (charge,), found = paid, []
    if (charge.amount_cents, charge.currency) != (-payment.booked_cents, payment.currency):
        found.append(Difference("amounts_differ", str(payment.pk), payment, about))
    if charge.refunded_cents != (payment.back_cents or 0) and now - charge.at >= SETTLING_AFTER:
        found.append(Difference("refunds_differ", str(payment.pk), payment, about))
    return found


def _about(payment: Payment, charges: Sequence[Movement]) -> dict:
    return {
        "reference": payment.reference,
        "status": payment.status,
        "amount_cents": payment.amount_cents,
        "booked_cents": -(payment.booked_cents or 0),
        "refunded_cents": payment.back_cents or 0,
        "processor_cents": sum(one.amount_cents for one in charges if one.status == "succeeded"),
        "processor_refunded_cents": sum(one.refunded_cents for one in charges),
        "charges": [one.ref for one in charges],
    }


def _at_processor(kind: str, charge: Movement) -> Difference:
    about = {"charge": charge.ref, "intent": charge.intent, "processor_cents": charge.amount_cents}
    return Difference(kind, charge.ref, data=about | {"currency": charge.currency, "named": charge.payment[:80]})


@known
def _not_shown(decided_before: datetime) -> QuerySet[Payment]:
    waiting = Payment.objects.filter(
        status__in=(Payment.Status.SUCCEEDED, Payment.Status.PENDING),
        acknowledged_at=None,
        decided_at__lt=decided_before,
    )
    # A debit takes banking days: one that the host shows as on its way is not lost.
    shows = HostItem.objects.filter(kind=HostItem.Kind.PAYMENT, account=OuterRef("account"), portal_id=OuterRef("pk"))
    waiting = waiting.exclude(Exists(shows), status=Payment.Status.PENDING)
    return waiting.select_related("account").order_by("decided_at")[:MOST_WAITING]


@known
def _shown(begin: datetime, until: datetime) -> QuerySet[HostItem]:
    ours = HostItem.objects.filter(kind=HostItem.Kind.PAYMENT, portal_id__isnull=False)
    return ours.filter(updated_at__gte=begin, updated_at__lt=until)


@known
def _named(ids: Sequence[UUID]) -> QuerySet[Payment]:
    rows = Payment.objects.filter(Q(pk__in=ids) | Q(postdate_id__in=ids)).select_related("account")
    return rows.order_by("intended_at")


def _hosts(begin: datetime, until: datetime) -> list[Difference]:
    """Compare what we took, and what the host shows of it, with each other."""
    found = [
        Difference("host_not_posted", str(one.pk), one, {"amount_cents": one.amount_cents, "reference": one.reference})
        for one in _not_shown(until - HOST_POSTS_WITHIN)
    ]
    items = _shown(begin, until)
    ours: dict[UUID, Payment] = {}
    for row in _named([one.portal_id for one in items]):
        ours[row.pk] = row
        if row.postdate_id:
            ours[row.postdate_id] = row
    for item in items:
        found += _host_item(item, ours.get(item.portal_id))
    return found


def _host_item(item: HostItem, payment: Payment | None) -> list[Difference]:
    about = {"host_id": item.host_id, "host_cents": item.amount_cents, "host_status": item.status}
    if payment is None:
        if item.matched or item.status != POSTED:
            return []
        return [Difference("host_unknown_payment", f"{item.account_id}:{item.host_id}", data=about)]
    about |= {"amount_cents": payment.amount_cents, "reference": payment.reference, "status": payment.status}
    if item.status == POSTED and item.amount_cents != payment.amount_cents:
        return [Difference("host_amount_differs", str(payment.pk), payment, about)]
    stands = payment.status in (Payment.Status.SUCCEEDED, Payment.Status.PENDING)
    if (item.status in TAKEN_BACK and stands) or (item.status == POSTED and payment.status == Payment.Status.DECLINED):
        return [Difference("host_status_differs", str(payment.pk), payment, about)]
    return []


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
