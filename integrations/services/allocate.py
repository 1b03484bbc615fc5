"""Say which invoices of a creditor's ledger a payment pays: the oldest due first, decided once per payment.

What is taken back comes from the invoice paid last, what is given back goes to the one taken back last; both count on
what the payment's earlier events left of the allocation, so that the same event says the same at every try.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.bulk import write_rows
from accounts.models import Account, Event
from accounts.tenancy import acting_for
from integrations import hosts
from integrations.models import Allocation, Invoice
from payments.models import Payment

if TYPE_CHECKING:
    from integrations.services.parcels import Parcel

Lines = list[tuple[str, int]]
Move = tuple[bool, int | None]
"""Whether it gives back what was taken back before, and how many cents; None is all of it."""
_COLUMNS = ("on", "due_on", "amount_cents", "open_cents")


def keep(told: Mapping[Account, Sequence[hosts.Invoice]]) -> None:
    """Make the invoices of accounts those that the ledger just told; runs in the transaction that places them."""
    standing = {(row.account_id, row.number): row for row in Invoice.objects.filter(account__in=list(told))}
    made, changed = [], []
    for account, invoices in told.items():
        for one in invoices:
            row = standing.pop((account.pk, one.number), None)
            if row is None:
                made.append(Invoice(account=account, **one._asdict()))
            elif any(getattr(row, name) != getattr(one, name) for name in _COLUMNS):
                for name in _COLUMNS:
                    setattr(row, name, getattr(one, name))
                changed.append(row)
    if standing:
        Invoice.objects.filter(pk__in=[row.pk for row in standing.values()]).delete()
    if made:
        write_rows(Invoice, made)
    if changed:
        Invoice.objects.bulk_update(changed, _COLUMNS)


def of(parcels: Sequence["Parcel"]) -> dict[UUID, Lines]:
    """Give the allocation of each parcel about money, by the parcel's id; what comes back is taken back alike."""
    found = {}
    for parcel in parcels:
        payment, until = UUID(parcel.data["payment"]), parcel.account_seq
        with acting_for(parcel.agency_id):
            lines = once(payment_id=payment, until=until, now=timezone.now())
            moves = _moves(parcel.account_id, until=until)[payment] if _is_move(parcel.kind, parcel.data) else ()
        found[parcel.id] = follow(lines, moves)[0]
    return found


def once(*, payment_id: UUID, until: int, now: datetime) -> Lines:
    """Decide which invoices a payment pays, or read what was decided before.

    :param until: the event that tells it; what came later is not told yet.
    """
    with transaction.atomic():
        payment = Payment.objects.select_related("account").get(pk=payment_id)
        # Two payments of one account must not both count on the same open invoice.
        Account.objects.select_for_update(no_key=True).get(pk=payment.account_id)
        row = Allocation.objects.filter(payment=payment).first()
        if row is None:
            lines = share(payment.amount_cents, _open(payment.account_id, until=until))
            row = Allocation.objects.create(
                payment=payment, account_id=payment.account_id, lines=[list(line) for line in lines], made_at=now
            )
    return [(number, cents) for number, cents in row.lines]


def share(amount_cents: int, invoices: Sequence[tuple[str, int]]) -> Lines:
    """Share an amount over open invoices in their order; what is left over stands on the account."""
    lines: Lines = []
    for number, open_cents in invoices:
        part = min(amount_cents, open_cents)
        if part > 0:
            lines.append((number, part))
            amount_cents -= part
    return lines


def taken_back(lines: Lines, amount_cents: int | None) -> Lines:
    """Say from which invoices a sum is taken back, the last paid first; None is all of it."""
    if amount_cents is None:
        return lines
    return share(amount_cents, list(reversed(lines)))


def follow(lines: Lines, moves: Iterable[Move]) -> tuple[Lines, Lines]:
    """Follow what was taken back and given back of an allocation: say what the last of it moved, and what stands."""
    moved = standing = lines
    for gives, cents in moves:
        if gives:
            missing = _less(lines, standing)
            moved = missing if cents is None else share(cents, missing)
            standing = _less(lines, _less(missing, moved))
        else:
            moved = taken_back(standing, cents)
            standing = _less(standing, moved)
    return moved, standing


def _less(lines: Lines, gone: Lines) -> Lines:
    parts = dict(gone)
    return [(number, cents - parts.get(number, 0)) for number, cents in lines if cents > parts.get(number, 0)]


def _is_move(kind: str, data: Mapping[str, Any]) -> bool:
    """Tell what moves an allocation from what makes it."""
    return kind in hosts.MOVED and (kind != "payment.succeeded" or bool(data.get("reinstated")))


def _moves(account_id: UUID, *, until: int) -> Mapping[UUID, list[Move]]:
    """Read what was taken back and given back of each payment, in its order, up to an event of the account."""
    rows = Event.objects.filter(account_id=account_id, account_seq__lte=until, kind__in=list(hosts.MOVED))
    found: dict[UUID, list[Move]] = defaultdict(list)
    for kind, data in rows.order_by("account_seq").values_list("kind", "data"):
        if _is_move(kind, data):
            gives = kind in ("payment.succeeded", "payment.refund_failed")
            found[UUID(data["payment"])].append((gives, hosts.moved_cents(kind, data)))
    return found


def _open(account_id: UUID, *, until: int) -> list[tuple[str, int]]:
    """Give what is open of each invoice, the oldest due first, less what payments that the ledger lacks take."""
    taken: dict[str, int] = {}
    waiting = Allocation.objects.filter(account_id=account_id, payment__acknowledged_at=None)
    waiting = waiting.filter(payment__status__in=Payment.COUNTED).values_list("payment_id", "lines")
    moves = _moves(account_id, until=until) if waiting else {}
    for payment_id, lines in waiting:
        for number, cents in follow([(number, cents) for number, cents in lines], moves.get(payment_id, ()))[1]:
            taken[number] = taken.get(number, 0) + cents
    rows = (
        Invoice.objects.filter(account_id=account_id).order_by("due_on", "number").values_list("number", "open_cents")
    )
    return [(number, open_cents - taken.get(number, 0)) for number, open_cents in rows]
