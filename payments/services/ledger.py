"""The ledger: two entries for every movement of a payment, so that a payment's entries sum to nothing."""

from datetime import datetime

from payments.models import LedgerEntry, Payment


def book(payment: Payment, *, cents: int, reason: str, now: datetime, against: str = "") -> None:
    """Write both sides of a movement: money in lowers the debt and lies at the processor or the host.

    :param against: the other side; where the payment's money lies already, if it is not said.
    """
    pair = (("debt", -cents), (against or _counter_book(payment), cents))
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            payment=payment, account_id=payment.account_id, book=name, amount_cents=amount, reason=reason, at=now
        )
        for name, amount in pair
    )


def net_cents(payment: Payment) -> int:
    """Give what is booked as received for a payment now."""
    return -sum(payment.entries.filter(book="debt").values_list("amount_cents", flat=True))


def _counter_book(payment: Payment) -> str:
    """Find where the money of a payment lies: at the processor, or with the host."""
    return payment.entries.exclude(book="debt").values_list("book", flat=True).first() or "processor"
