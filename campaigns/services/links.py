"""What a message carries for its reader alone: a personal link, and a code that proves the message is ours."""

import hashlib
import hmac
import itertools
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from accounts.known import known
from accounts.models import Account, Agency
from campaigns.models import Message, Recipient
from campaigns.services.compose import site_url

LIVES = timedelta(days=60)
"""So long a personal link leads further than the front page; it only ever saves typing, one factor is asked anyway."""

_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without signs that are mistaken for one another."""
_SIGN_OF = bytes(ord(_SIGNS[byte % len(_SIGNS)]) for byte in range(256))
_PAIRS = [first + second for first, second in itertools.product("abcdefghijklmnopqrstuvwxyz234567", repeat=2)]
"""Two signs of base32 for each ten bits."""


def new_token() -> str:
    """Make the secret of a personal link: 128 random bits, stored as a hash only (AUTH-06, SMS-10)."""
    return _base32(secrets.token_bytes(16))


def token_of(message_id: UUID) -> str:
    """Make the secret of a text's personal link of its id and our secret: every try to hand it over writes the same."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), b"personal-link:" + message_id.bytes, "sha256")
    return _base32(digest[:16])


def _base32(secret: bytes) -> str:
    """Write 128 bits as `base64.b32encode` does, in small letters and without padding, ten times faster."""
    bits = int.from_bytes(secret) << 2
    return "".join([_PAIRS[bits >> shift & 1023] for shift in range(120, -1, -10)])


def hash_of(secret: str) -> str:
    """Give what we keep of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def link_url(agency: Agency, token: str) -> str:
    """Give the address of a personal link, on the agency's own domain."""
    return site_url(agency, reverse("campaigns:link", args=[token]))


PLACE = "qqtokenqq"
"""Stands for the secret in a pattern."""


def pattern(agency: Agency, name: str) -> str:
    """Give an address of the agency's own site with `PLACE` where its secret stands, to make many of one."""
    return site_url(agency, reverse(name, args=[PLACE]))


def check_code(message_id: UUID) -> str:
    """Give the code that stands in a message: eight signs that nobody can guess, made of its id and our secret."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), b"message-check:" + message_id.bytes, "sha256")
    code = digest[:8].translate(_SIGN_OF).decode()
    return f"{code[:4]}-{code[4:]}"


def plain_code(text: str) -> str:
    """Read a code as people type it."""
    signs = "".join(sign for sign in text.upper() if sign.isalnum()).replace("O", "0")
    return f"{signs[:4]}-{signs[4:8]}" if len(signs) == 8 else ""


@dataclass(frozen=True, slots=True)
class Genuine:
    """Say when and where a message went; nothing about any debt."""

    sent_at: datetime
    to: str
    subject: str


def prove(code: str) -> Genuine | None:
    """Find the message that carries a code, among the acting agency's own."""
    plain = plain_code(code)
    if not plain:
        return None
    found = Message.objects.filter(check_hash=hash_of(plain)).exclude(sent_at=None).select_related("contact_point")
    if (message := found.first()) is None:
        return None
    return Genuine(message.sent_at, message.contact_point.masked, message.subject)


@dataclass(frozen=True, slots=True)
class Personal:
    """Say what a personal link leads to, and in which language its message spoke."""

    account: Account
    language: str
    recipient: Recipient | None = None


@known
def _recipient_of(link_hash: str) -> QuerySet[Recipient]:
    joined = Recipient.objects.select_related("account__consumer", "campaign", "contact_point", "message")
    return joined.filter(link_hash=link_hash)


@known
def _message_of(link_hash: str) -> QuerySet[Message]:
    return Message.objects.select_related("account__consumer", "contact_point").filter(link_hash=link_hash)


def follow(token: str, *, now: datetime) -> Personal | None:
    """Find what a personal link was made for; one too old, or whose address was given up, leads nowhere."""
    if not token:
        return None
    recipient = _recipient_of.first(hash_of(token))
    message = recipient.message if recipient else _message_of.first(hash_of(token))
    if message is None or message.account is None:
        return None
    point, account = message.contact_point, recipient.account if recipient else message.account
    if now - message.queued_at > LIVES or point.bad_at or point.removed_at:
        return None
    # Whoever the address belonged to then must be whose account it is now (RF-11).
    return Personal(account, message.language, recipient) if point.consumer_id == account.consumer_id else None
