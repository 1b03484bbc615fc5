"""Read single values of a format: amounts, dates, words. Text in, canonical JSON values out."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any


class Wrong(ValueError):
    """Tell the code and the sentence of one value that cannot be read."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def amount(text: str, spec: Mapping[str, Any]) -> str:
    """Read `$1,250.00`, `1250.5-` or `(12.00)` as an amount with two decimals."""
    found = re.sub(r"[$€£\s]", "", text)
    found = found.replace(".", "").replace(",", ".") if spec.get("format") == "," else found.replace(",", "")
    negative = found.startswith("(") and found.endswith(")")
    if found.endswith("-"):
        negative, found = True, found[:-1]
    found = found.strip("()")
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{0,4})?", found):
        raise Wrong("invalid_amount", f"“{text[:40]}” is not an amount.")
    exact = Decimal(found)
    if exact != round(exact, 2):
        raise Wrong("invalid_amount", f"“{text[:40]}” has more than two decimals.")
    return f"{-exact if negative else exact:.2f}"


def cents(text: str, spec: Mapping[str, Any]) -> str:
    """Read `125000` as 1250.00, also with a sign behind."""
    found = f"-{text[:-1]}" if text.endswith("-") else text
    if not re.fullmatch(r"[+-]?[0-9]{1,14}", found):
        raise Wrong("invalid_amount", f"“{text[:40]}” is not a number of cents.")
    return f"{Decimal(found) / 100:.2f}"


def day(text: str, spec: Mapping[str, Any]) -> str:
    """Read a date by `format` (%m/%d/%Y ...) as YYYY-MM-DD."""
    wanted = spec.get("format") or "%Y-%m-%d"
    try:
        return datetime.strptime(text, wanted).date().isoformat()  # noqa: DTZ007 - a day, not a moment
    except ValueError:
        raise Wrong("invalid_date", f"“{text[:40]}” is not a date of the form {wanted}.") from None


def whole(text: str, spec: Mapping[str, Any]) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise Wrong("invalid_number", f"“{text[:40]}” is not a whole number.")
    return int(text)


def percent(text: str, spec: Mapping[str, Any]) -> str:
    found = text.removesuffix("%").strip()
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{0,9})?", found):
        raise Wrong("invalid_percent", f"“{text[:40]}” is not a percent.")
    return f"{Decimal(found):.2f}"


def flag(text: str, spec: Mapping[str, Any]) -> bool:
    said = text.strip().lower()
    if said not in ("true", "false", "yes", "no", "y", "n", "1", "0"):
        raise Wrong("invalid_flag", f"“{text[:40]}” is neither yes nor no.")
    return said in ("true", "yes", "y", "1")


def ssn(text: str, spec: Mapping[str, Any]) -> str | None:
    """Keep a full SSN; the last four alone identify nobody and are left out."""
    digits = re.sub(r"\D", "", text)
    return digits if len(digits) == 9 else None


KINDS: dict[str, Callable[[str, Mapping[str, Any]], Any]] = {
    "text": lambda text, spec: text,
    "upper": lambda text, spec: text.upper(),
    "lower": lambda text, spec: text.lower(),
    "amount": amount,
    "cents": cents,
    "date": day,
    "whole": whole,
    "percent": percent,
    "flag": flag,
    "ssn": ssn,
}
