"""How the facts by which people are known and reached are read: SSN, phone, e-mail."""

import re
from typing import Any

from accounts.keys import digits
from integrations.hosts.reading import Wrong, day, text

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+").fullmatch
_address = text(254)
LANGUAGES = {"en": "en", "eng": "en", "english": "en", "es": "es", "spa": "es", "spanish": "es", "español": "es"}


def ssn(value: Any) -> str:
    """Read an SSN of nine digits; a placeholder is blank."""
    found = digits(str(value))
    if len(found) != 9:
        raise Wrong("invalid_ssn", "An SSN has nine digits.")
    # A row of one digit is a host's way to leave it blank, and must never link two people.
    return "" if len(set(found)) == 1 else found


def phone(value: Any) -> str:
    """Read a phone number of ten digits, or + and up to fifteen."""
    said = str(value)
    found, abroad = digits(said), said.lstrip().startswith("+")
    if not abroad and len(found) == 10:
        return f"+1{found}"
    if 8 <= len(found) <= 15 and (abroad or (len(found), found[0]) == (11, "1")):
        return f"+{found}"
    raise Wrong("invalid_phone", "A phone number has ten digits, or a + and up to fifteen.")


def email(value: Any) -> str:
    """Read an e-mail address."""
    found = _address(value)
    if not _EMAIL(found):
        raise Wrong("invalid_email", "An address is name@domain.")
    return found


def birth_date(value: Any) -> str:
    """Read an ISO date of birth."""
    return day(value).isoformat()


def language(value: Any) -> str:
    """Read `en` or `es`, also in words; any other is English."""
    return LANGUAGES.get(str(value).strip().lower(), "en")
