"""A NACHA file of debits: fixed records of 94 characters, in blocks of ten (ACH-17). Values in, text out.

Only debits of consumers: service class 225, one batch of the file per authorization kind (SEC code), description and
day. Amounts are cents, dates local, numbers come unsealed and go nowhere but into the text.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from payments.rules.bank import routing_number_is_valid

RECORD, BLOCK = 94, 10
DEBITS_ONLY = "225"
DEBIT = {"checking": "27", "savings": "37"}
SEC_CODES = ("WEB", "TEL", "PPD")
"""How the authorization was given (ACH-01); CCD would need an agreement of a business (R05). What agents take by
telephone is the host's own, with its recording (ACH-07): no authorization of ours is anything but WEB."""
DESCRIPTIONS = ("PAYMENT", "RETRY PYMT")
"""PURCHASE and PAYROLL mean something else at the banks and are never written (ACH-16, ACH-09); RETURN FEE neither,
since no fee follows a return (ACH-10), nor REVERSAL: what is given back is a refund, a credit of its own (ACH-18)."""
SAME_DAY_LARGEST_CENTS = 1_000_000_00
"""What a bank takes for the day on which the file is made; more is sent for the next one (ACH-15)."""
HASH_DIGITS, LARGEST_CENTS = 10, 10**10 - 1
FILE_IDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-/&'#()*:")


class CannotWrite(ValueError):
    """Take the entry out, or mend it: with it the file would be refused or wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Hold who sends the file and to which bank."""

    bank_routing: str
    bank_name: str
    origin_name: str
    company_name: str
    company_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Hold one debit. `recurring` is one of several under one authorization; `note` becomes an addenda record."""

    routing: str = field(repr=False)
    number: str = field(repr=False)
    account_type: str
    amount_cents: int
    reference: str
    name: str
    sec_code: str
    effective_on: date
    recurring: bool = False
    retry: bool = False
    note: str = ""

    @property
    def description(self) -> str:
        return DESCRIPTIONS[self.retry]


def write(*, origin: Origin, entries: Sequence[Entry], made_at: datetime, file_id: str = "A") -> str:
    """Write the file; the same values always give the same text.

    :param made_at: local to the agency; :param file_id: tells several files of one day apart.
    :raises CannotWrite: an entry or the origin cannot be written; no number is repeated in the message.
    """
    _check(origin, entries, made_at, file_id)
    groups = groupby(sorted(entries, key=_group), key=_group)
    lines, totals = [_file_header(origin, made_at, file_id)], []
    trace = 0
    for batch, (key, members) in enumerate(groups, start=1):
        found = list(members)
        lines.append(_batch_header(origin, key, batch))
        written = 0
        for entry in found:
            trace += 1
            lines += _entry(origin, entry, trace)
            written += 2 if entry.note else 1
        hashed, cents = _hash(found), sum(entry.amount_cents for entry in found)
        lines.append(_batch_control(origin, written, hashed, cents, batch))
        totals.append((written, hashed, cents))
    blocks = -(-(len(lines) + 1) // BLOCK)
    lines.append(_file_control(totals, blocks))
    lines += ["9" * RECORD] * (blocks * BLOCK - len(lines))
    assert all(len(line) == RECORD for line in lines), "every record has 94 characters"
    return "\n".join(lines) + "\n"


def _check(origin: Origin, entries: Sequence[Entry], made_at: datetime, file_id: str) -> None:
    if not entries:
        raise CannotWrite("There is no entry.")
    if not routing_number_is_valid(origin.bank_routing):
        raise CannotWrite("The bank's routing number is not right.")
    if len(file_id) != 1 or file_id not in FILE_IDS:
        raise CannotWrite("A file id is one letter or digit.")
    for place, entry in enumerate(entries, start=1):
        wrong = ""
        if not routing_number_is_valid(entry.routing):
            wrong = "the routing number is not right"
        elif not (entry.number.isascii() and entry.number.isalnum() and 4 <= len(entry.number) <= 17):
            wrong = "the account number is not right"
        elif entry.account_type not in DEBIT:
            wrong = "the account is neither checking nor savings"
        elif not 0 < entry.amount_cents <= LARGEST_CENTS:
            wrong = "the amount does not fit"
        elif entry.amount_cents > SAME_DAY_LARGEST_CENTS and entry.effective_on <= made_at.date():
            wrong = "the amount is too large for the day of the file"
        elif entry.sec_code not in SEC_CODES:
            wrong = "nothing says how it was authorized"
        elif entry.note and entry.sec_code == "TEL":
            wrong = "an entry authorized by telephone has no addenda"
        if wrong:
            raise CannotWrite(f"Entry {place}: {wrong}.")


def _group(entry: Entry) -> tuple[date, str, str]:
    return entry.effective_on, entry.sec_code, entry.description


def _file_header(origin: Origin, made_at: datetime, file_id: str) -> str:
    return (
        f"101 {origin.bank_routing}{_right(origin.company_id, 10)}{made_at:%y%m%d%H%M}{file_id}"
        f"0{RECORD}{BLOCK}1{_left(origin.bank_name, 23)}{_left(origin.origin_name, 23)}{' ' * 8}"
    )


def _batch_header(origin: Origin, key: tuple[date, str, str], batch: int) -> str:
    on, sec_code, description = key
    return (
        f"5{DEBITS_ONLY}{_left(origin.company_name, 16)}{' ' * 20}{_left(origin.company_id, 10)}{sec_code}"
        f"{_left(description, 10)}{on:%y%m%d}{on:%y%m%d}   1{origin.bank_routing[:8]}{batch:07d}"
    )


def _entry(origin: Origin, entry: Entry, trace: int) -> list[str]:
    # WEB entries say whether they are one of several; other kinds leave the field to the sender.
    kind = ("R" if entry.recurring else "S") if entry.sec_code in ("WEB", "TEL") else ""
    line = (
        f"6{DEBIT[entry.account_type]}{entry.routing}{_left(entry.number, 17)}{entry.amount_cents:010d}"
        f"{_left(entry.reference, 15)}{_left(entry.name, 22)}{_left(kind, 2)}{1 if entry.note else 0}"
        f"{origin.bank_routing[:8]}{trace:07d}"
    )
    return [line, f"705{_left(entry.note, 80)}0001{trace:07d}"] if entry.note else [line]


def _batch_control(origin: Origin, written: int, hashed: int, cents: int, batch: int) -> str:
    return (
        f"8{DEBITS_ONLY}{written:06d}{hashed:010d}{cents:012d}{0:012d}{_left(origin.company_id, 10)}"
        f"{' ' * 25}{origin.bank_routing[:8]}{batch:07d}"
    )


def _file_control(totals: Sequence[tuple[int, int, int]], blocks: int) -> str:
    written, hashed, cents = (sum(column) for column in zip(*totals, strict=True))
    return f"9{len(totals):06d}{blocks:06d}{written:08d}{hashed % 10**HASH_DIGITS:010d}{cents:012d}{0:012d}{' ' * 39}"


def _hash(entries: Sequence[Entry]) -> int:
    """Add up the first eight digits of the banks' numbers, without what does not fit in ten digits."""
    return sum(int(entry.routing[:8]) for entry in entries) % 10**HASH_DIGITS


def _plain(text: str) -> str:
    """Write a text in the capitals that every bank reads; Peña becomes PENA."""
    flat = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().upper()
    return "".join(letter if letter in PLAIN else " " for letter in flat)


def _left(text: str, width: int) -> str:
    return _plain(text)[:width].ljust(width)


def _right(text: str, width: int) -> str:
    return _plain(text)[:width].rjust(width)
