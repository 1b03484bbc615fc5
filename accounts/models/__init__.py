"""The tables of the ground floor."""

from accounts.models.account import Account, AccountPast, Client
from accounts.models.agency import Agency, User
from accounts.models.consumer import Consent, Consumer, ContactPoint, QuietTime, Suppression
from accounts.models.event import Event, ReaderPosition
from accounts.models.licence import Licence
from accounts.models.visit import Code, IdentifyAttempt, SessionLink, Visit

__all__ = [
    "Account",
    "AccountPast",
    "Agency",
    "Client",
    "Code",
    "Consent",
    "Consumer",
    "ContactPoint",
    "Event",
    "IdentifyAttempt",
    "Licence",
    "QuietTime",
    "ReaderPosition",
    "SessionLink",
    "Suppression",
    "User",
    "Visit",
]
