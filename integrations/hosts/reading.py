"""What the adapters' mapping tables are made of: a reader of one record, and a way to read each kind of value."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from accounts.money import InvalidAmount, to_cents
from integrations.hosts import BadRecord, FieldError
from payments.rules.returns import is_return

MOST_ERRORS = 50
"""Of one record: a few kilobytes, unpacked, can have millions."""
MORE_ERRORS = FieldError("", "too_many_errors", f"There are more: only the first {MOST_ERRORS} of a record are told.")
LARGEST_BPS = 10**9
LARGEST_COUNT = 2**31 - 1
_WHOLE = re.compile(r"-?[0-9]{1,18}").fullmatch


class Wrong(ValueError):
    """Tell the code and the sentence of one field error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Field(NamedTuple):
    """One line of a mapping table: where the host says it, what we call it, how it is read."""

    path: str
    name: str
    kind: Callable[[Any], Any]
    required: bool = False
    default: Any = None


ABSENT = object()
"""What a record does not name, told from what it names as nothing."""


def _at(part: Any, path: str) -> Any:
    for step in path.split("/"):
        if not isinstance(part, dict):
            return ABSENT
        if (part := part.get(step, ABSENT)) is ABSENT:
            return ABSENT
    return part


@dataclass(slots=True)
class Reader:
    """Read one record by tables; every error is kept, so that the host hears all of them at once, up to MOST_ERRORS.

    A partial one may leave anything out: `named` holds what it does name.
    """

    record: dict
    errors: list[FieldError] = field(default_factory=list)
    partial: bool = False
    named: set[str] = field(default_factory=set)

    def read(self, table: Iterable[Field], *, of: Any = None, at: str = "") -> dict[str, Any]:
        """Read the fields of a table from the record, or from a part `of` it that stands `at` a pointer."""
        part = self.record if of is None else of
        found: dict[str, Any] = {}
        get = part.get if isinstance(part, dict) else {}.get
        named, partial = self.named.add, self.partial
        for path, name, kind, required, default in table:
            value = get(path, ABSENT) if "/" not in path else _at(part, path)
            found[name] = default
            if value is ABSENT:
                if required and not partial:
                    self.wrong(f"{at}/{path}", "required", f"{path} is required.")
                continue
            if partial:
                named(name)
            if value is None or value == "":
                if required:
                    self.wrong(f"{at}/{path}", "required", f"{path} is required.")
                continue
            try:
                found[name] = kind(value)
            except Wrong as error:
                self.wrong(f"{at}/{path}", error.code, error.message)
        return found

    def list_of(self, name: str, *, limit: int) -> list[tuple[str, dict]]:
        """Give the objects of a list with their pointers; absent is empty."""
        items = self.record.get(name)
        if not items:
            return []
        if not isinstance(items, list) or len(items) > limit:
            self.wrong(f"/{name}", "invalid_list", f"{name} is a list of at most {limit}.")
            return []
        found = [(f"/{name}/{index}", item) for index, item in enumerate(items) if isinstance(item, dict)]
        if len(found) != len(items):
            self.wrong(f"/{name}", "invalid_list", f"{name} is a list of objects.")
        return found

    def wrong(self, pointer: str, code: str, message: str) -> None:
        """Note an error.

        :raises BadRecord: it is one too many; the rest of the record is not read.
        """
        if len(self.errors) == MOST_ERRORS:
            raise BadRecord([*self.errors, MORE_ERRORS])
        self.errors.append(FieldError(pointer, code, message))


def text(most: int) -> Callable[[Any], str]:
    """Read text of at most so many characters; a bare number counts as its text."""

    def read(value: Any) -> str:
        if type(value) is not str:
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise Wrong("invalid_text", "This is a text.")
            value = str(value)
        value = value.strip()
        if len(value) > most or "\x00" in value:
            raise Wrong("too_long", f"At most {most} characters, none of them NUL.")
        return value

    read.__doc__ = f"Read text of at most {most} characters."
    return read


def upper(most: int) -> Callable[[Any], str]:
    """Read text of at most so many characters, whatever its case."""
    plain = text(most)

    def read(value: Any) -> str:
        return plain(value).upper()

    read.__doc__ = f"Read text of at most {most} characters, whatever its case."
    return read


def signed_cents(value: Any) -> int:
    """Read an amount with at most two decimals, as text or number."""
    try:
        return to_cents(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    except InvalidAmount as error:
        raise Wrong("invalid_amount", str(error)) from error


def cents(value: Any) -> int:
    """Read an amount that is not negative."""
    if (found := signed_cents(value)) < 0:
        raise Wrong("invalid_amount", "This amount is not negative.")
    return found


def bps(value: Any) -> int:
    """Read a percent with at most two decimals; it is kept as basis points."""
    try:
        exact = Decimal(str(value)) * 100
        if not isinstance(value, bool) and abs(exact) <= LARGEST_BPS and exact == int(exact):
            return int(exact)
    except (ArithmeticError, ValueError):
        pass
    raise Wrong("invalid_percent", "A percent has at most two decimals.")


def whole(value: Any) -> int:
    """Read a whole number."""
    if isinstance(value, bool) or not _WHOLE(str(value)):
        raise Wrong("invalid_number", "This is a whole number.")
    return int(value)


def count(value: Any) -> int:
    """Read how many there are."""
    if not 0 <= (found := whole(value)) <= LARGEST_COUNT:
        raise Wrong("invalid_number", f"This is a number from 0 to {LARGEST_COUNT}.")
    return found


def flag(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise Wrong("invalid_flag", "This is true or false.")
    return value


def day(value: Any) -> date:
    """Read an ISO date."""
    try:
        if len(value) != 10:
            raise ValueError
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise Wrong("invalid_date", "A date is YYYY-MM-DD.") from None


def instant(value: Any) -> datetime:
    """Read an ISO date and time with its zone; none is so near an end of the calendar that a zone leads out of it."""
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is not None and MINYEAR < found.year < MAXYEAR:
            return found.astimezone(UTC)
    except (TypeError, ValueError):
        pass
    raise Wrong("invalid_time", "A time is YYYY-MM-DDTHH:MM:SSZ.")


def return_code(value: Any) -> str:
    """Read the code with which a bank sent a debit back."""
    code = str(value).strip().upper()
    if not is_return(code):
        raise Wrong("invalid_return_code", "A bank's return code is R and two digits, like R01.")
    return code


def uuid_or_none(value: Any) -> UUID | None:
    """Read an id of ours, echoed; anything else is the host's own affair."""
    try:
        return UUID(value)
    except (AttributeError, TypeError, ValueError):
        return None


def choice(words: dict[str, str]) -> Callable[[Any], str]:
    """Read one of some words, whatever its case, spaces and hyphens."""

    def read(value: Any) -> str:
        try:
            return words[re.sub(r"[\s_-]+", " ", str(value).strip().lower())]
        except KeyError:
            raise Wrong("invalid_choice", f"One of: {', '.join(words)}.") from None

    read.__doc__ = f"Read one of: {', '.join(words)}."
    return read
