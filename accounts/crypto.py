"""Seal identity and bank data at rest, and find a sealed value again by keyed hash (AUTH-10).

AES-256-GCM under versioned keys (settings.FIELD_KEYS, the first seals, all open), bound to table and column, so that
a sealed value copied elsewhere does not open. Look-ups use `blind_index`: HMAC-SHA256 under a key of the agency's own,
so that equal numbers of two agencies do not look equal.
"""

import base64
import hmac
import os
from collections.abc import Callable
from functools import cached_property, lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models


class CannotOpen(ValueError):
    """Restore the key that sealed this value, or treat it as lost."""


def seal(text: str, *, context: str) -> str:
    """Encrypt text for one place (`table.column`); the result is `version:base64`."""
    return sealer(context)(text)


def sealer(context: str) -> Callable[[str], str]:
    """Give `seal` for one place, its key looked up once for many values."""
    version, key = next(iter(settings.FIELD_KEYS.items()))
    encrypt, place = _cipher(key).encrypt, context.encode()

    def seal_one(text: str) -> str:
        nonce = os.urandom(12)
        return f"{version}:{base64.b64encode(nonce + encrypt(nonce, text.encode(), place)).decode()}"

    return seal_one


def unseal(sealed: str, *, context: str) -> str:
    """Decrypt what `seal` made for the same place.

    :raises CannotOpen: the key is gone, or the value was made for another place or changed.
    """
    version, _sep, text = sealed.partition(":")
    try:
        raw = base64.b64decode(text, validate=True)
        return _cipher(settings.FIELD_KEYS[int(version)]).decrypt(raw[:12], raw[12:], context.encode()).decode()
    except (KeyError, ValueError, InvalidTag) as error:
        raise CannotOpen(f"A sealed value of {context} cannot be opened.") from error


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def blind_index(value: str, *, agency_id, field: str) -> str:
    """Hash a normalised value so that this agency, and only this field, can find it again; empty stays empty."""
    return indexer(agency_id)(value, field)


def indexer(agency_id) -> Callable[[str, str], str]:
    """Give `blind_index` of one agency, its key made once: takes the value and the field."""
    begun = _own_hash(settings.INDEX_KEY, agency_id)

    def index(value: str, field: str) -> str:
        if not value:
            return ""
        # A copy goes on with the value; to set it up anew takes longer than to hash.
        found = begun.copy()
        found.update(f"{field}:{value}".encode())
        return found.hexdigest()

    return index


@lru_cache(maxsize=256)
def _own_hash(key: bytes, agency_id) -> hmac.HMAC:
    """Begin a hash under an agency's own key."""
    return hmac.new(hmac.digest(key, f"agency:{agency_id}".encode(), "sha256"), digestmod="sha256")


def same(one: str, other: str) -> bool:
    """Compare two hashes in constant time; empty never equals anything."""
    return hmac.compare_digest(one.encode(), other.encode()) and bool(one)


class SealedField(models.TextField):
    """Keep text sealed in the database and open in Python; never filter by it, use a blind index."""

    @cached_property
    def context(self) -> str:
        """Name the place that values of this field are sealed for."""
        return f"{self.model._meta.db_table}.{self.column}"

    def get_prep_value(self, value):
        return seal(value, context=self.context) if value else ""

    def from_db_value(self, value, expression, connection):
        return unseal(value, context=self.context) if value else ""

    def get_lookup(self, lookup_name):
        return super().get_lookup(lookup_name) if lookup_name in ("isnull",) else None


def mask(value: str, *, keep: int = 4) -> str:
    """Show only the end of a number: `•••• 6789`."""
    return f"•••• {value[-keep:]}" if value else ""
