"""Money is integer cents; a rate is integer basis points (7500 = 75 %); every division says how it rounds."""

import re
from collections.abc import Sequence
from decimal import Decimal

# Ten digits before the point: the largest band bound (999,999,999.00) with room, far inside a BigInteger.
_AMOUNT = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,2})?")
_SYMBOLS = {"USD": "$", "GBP": "£", "EUR": "€"}
_WHOLE_BPS = 10_000


class InvalidAmount(ValueError):
    """The text is not an amount with at most two decimals: ask for it again."""


def to_cents(amount: Decimal | str) -> int:
    """Read an amount exactly.

    Refuses more than two decimals (zeros too), exponents, NaN, infinity, signs other than one minus,
    spaces and separators; a float or an int is refused because nobody can tell what was meant by it.

    :raises InvalidAmount: the amount is none of that.
    """
    if not isinstance(amount, (Decimal, str)):
        raise InvalidAmount(f"An amount is a decimal or its text, not {type(amount).__name__}.")
    text = str(amount)
    if not _AMOUNT.fullmatch(text):
        raise InvalidAmount("An amount has digits, and at most two of them after a point.")
    whole, _, decimals = text.partition(".")
    return int(whole + decimals.ljust(2, "0"))


def from_cents(cents: int) -> Decimal:
    """Give the amount with its two decimals, for forms and serializers only."""
    return Decimal(cents).scaleb(-2)


def format_cents(cents: int, currency: str = "USD", language: str = "en") -> str:
    """Say an amount as a consumer of the United States reads it: $1,250.00, in es-US as well (LANG-03).

    :raises ValueError: no format is known for the language.
    """
    if language.split("-")[0] not in ("en", "es"):
        raise ValueError(f"No money format for {language!r}.")
    currency = currency.upper()
    sign = "-" if cents < 0 else ""
    symbol = _SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"{sign}{symbol}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def share(balance_cents: int, bps: int) -> int:
    """Take a share of a balance, rounded half-up to the cent, once: 75 % of $1,000.01 is $750.01 (SET-2)."""
    assert min(balance_cents, bps) >= 0, "a share of a debt is never negative"
    return (balance_cents * bps + _WHOLE_BPS // 2) // _WHOLE_BPS


def split_evenly(total_cents: int, parts: int) -> tuple[int, ...]:
    """Split into equal payments: floor to the cent, the last one carries the remainder (SET-2)."""
    assert total_cents >= 0, "only a debt can be split"
    assert parts >= 1, "a debt is paid in at least one payment"
    each = total_cents // parts
    return (each,) * (parts - 1) + (total_cents - each * (parts - 1),)


def pro_rata(available_cents: int, balances_cents: Sequence[int]) -> tuple[int, ...]:
    """Share what is available by balance, each rounded down, never above the balance (UK-11, PR-1).

    The cents that rounding leaves stay with the consumer.
    """
    assert min(available_cents, *balances_cents, 0) == 0, "what is shared and owed is never negative"
    owed = sum(balances_cents)
    if owed == 0:
        return (0,) * len(balances_cents)
    available = min(available_cents, owed)
    return tuple(balance * available // owed for balance in balances_cents)
