"""How often cards may be tried before somebody is asked to wait: whoever tests stolen cards tries many (AUTH-16). Pure.

Three declines within ten minutes of one visit or link, ten different cards within a day of one account. Nothing else
stops: a bank account, the telephone, and after the wait a card again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST_DECLINES, DECLINES_WITHIN = 3, timedelta(minutes=10)
MOST_CARDS, CARDS_WITHIN = 10, timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tried:
    """Say that a card was tried on an account; `card` is the processor's fingerprint."""

    card: str
    at: datetime


def wait_after_declines(now: datetime, declined: Iterable[datetime]) -> datetime | None:
    """Tell from when a card may be tried again in this visit; None: now."""
    recent = sorted(at for at in declined if now - at < DECLINES_WITHIN)
    return recent[-MOST_DECLINES] + DECLINES_WITHIN if len(recent) >= MOST_DECLINES else None


def wait_for_another_card(now: datetime, tried: Sequence[Tried], card: str) -> datetime | None:
    """Tell from when this card may be tried on the account; None: now. One that was tried today is not another one."""
    last: dict[str, datetime] = {}
    for one in tried:
        if one.card and now - one.at < CARDS_WITHIN:
            last[one.card] = max(one.at, last.get(one.card, one.at))
    if card in last or len(last) < MOST_CARDS:
        return None
    return sorted(last.values())[-MOST_CARDS] + CARDS_WITHIN
