"""The tables of the ground floor."""

from accounts.models.account import Account, Client
from accounts.models.agency import Agency, User
from accounts.models.consumer import Consent, Consumer, ContactPoint
from accounts.models.event import Event, ReaderPosition
from accounts.models.visit import Code, IdentifyAttempt, Visit

__all__ = [
    "Account",
    "Agency",
    "Client",
    "Code",
    "Consent",
    "Consumer",
    "ContactPoint",
    "Event",
    "IdentifyAttempt",
    "ReaderPosition",
    "User",
    "Visit",
]
