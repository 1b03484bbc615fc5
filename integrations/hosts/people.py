"""How the facts by which people are known and reached are read: SSN, birth date, phones, e-mail addresses."""

import re
from typing import Any

from accounts.keys import digits, email_key
from accounts.placement import Contact
from integrations.hosts.reading import Field, Reader, Wrong, day, text

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+").fullmatch
_address = text(254)
MOST_CONTACTS, MOST_EVIDENCE = 50, 20
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


ROUTE = Field("Route", "route", text(40), default="")  # RF-12: how it was allowed; Evidence stays as it is
PHONE = (
    Field("Type", "label", text(40), default=""),
    Field("Status", "host_status", text(40), default=""),
    Field("Number", "value", phone, required=True),
    ROUTE,
)
EMAIL = (Field("Address", "value", email, required=True), ROUTE)


def phones(reader: Reader, cell: tuple[str, str]) -> list[Contact]:
    """Read the phones of a record; the first of type and status `cell` is the one to text."""
    found: dict[str, Contact] = {}
    for at, said in reader.list_of("Phones", limit=MOST_CONTACTS):
        line = reader.read(PHONE, of=said, at=at)
        if line["value"] is None:
            continue
        # The first phone of the configured type and status is the one to text; none of them: no texting.
        is_cell = (word(line["label"]), word(line["host_status"])) == cell
        textable = is_cell and not any(contact.textable for contact in found.values())
        if textable or line["value"] not in found:
            contact = Contact("phone", value_key=line["value"], textable=textable, **line, **_evidence(said))
            found[line["value"]] = contact
    return list(found.values())


def emails(reader: Reader) -> list[Contact]:
    """Read the e-mail addresses of a record, each once."""
    found: dict[str, Contact] = {}
    for at, said in reader.list_of("Emails", limit=MOST_CONTACTS):
        line = reader.read(EMAIL, of=said, at=at)
        if line["value"] is not None:
            key = email_key(line["value"])
            found.setdefault(key, Contact("email", value_key=key, **line, **_evidence(said)))
    return list(found.values())


def _evidence(contact: dict) -> dict[str, dict]:
    evidence = contact.get("Evidence")
    if not evidence:
        return {"evidence": {}}
    if not isinstance(evidence, dict):
        evidence = {"Note": evidence}
    lines = list(evidence.items())[:MOST_EVIDENCE]
    return {"evidence": {str(key)[:40]: str(value).replace("\x00", "")[:300] for key, value in lines}}


def word(value: str) -> str:
    """Give a word as it is compared: whatever its case and spaces."""
    return " ".join(value.split()).casefold()
