"""The tables of the money floor."""

from payments.models.arrangement import Arrangement, Notice, Postdate
from payments.models.method import Authorization, Method, ProcessorAccount
from payments.models.payment import Checkout, HostItem, LedgerEntry, Payment, ProcessorEvent

__all__ = [
    "Arrangement",
    "Authorization",
    "Checkout",
    "HostItem",
    "LedgerEntry",
    "Method",
    "Notice",
    "Payment",
    "Postdate",
    "ProcessorAccount",
    "ProcessorEvent",
]
