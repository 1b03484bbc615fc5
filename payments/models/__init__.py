"""The tables of the money floor."""

from payments.models.arrangement import Arrangement, Notice, Postdate
from payments.models.batch import AchOrigin, BatchItem, PaymentBatch
from payments.models.method import Authorization, Method, ProcessorAccount
from payments.models.payment import Checkout, HostItem, LedgerEntry, Payment, ProcessorEvent
from payments.models.refund import Incident, Refund
from payments.models.rights import CreditorRequest, Dispute, PayLink
from payments.models.statement import Statement

__all__ = [
    "AchOrigin",
    "Arrangement",
    "Authorization",
    "BatchItem",
    "Checkout",
    "CreditorRequest",
    "Dispute",
    "HostItem",
    "Incident",
    "LedgerEntry",
    "Method",
    "Notice",
    "PayLink",
    "Payment",
    "PaymentBatch",
    "Postdate",
    "ProcessorAccount",
    "ProcessorEvent",
    "Refund",
    "Statement",
]
