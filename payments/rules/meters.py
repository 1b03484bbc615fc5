"""The rates at which bank debits come back, against the limits of the network (ACH-11, ACH-12)."""

from collections.abc import Mapping
from typing import NamedTuple

from payments.rules import returns

WINDOW_DAYS = 60
LIMITS_BPS = {"unauthorized": 50, "administrative": 3_00, "overall": 15_00, "stricter": 50}
"""Returned per hundred debits sent, as basis points; `stricter` counts R11 with the unauthorized ones."""
ALERTS = (60, 80, 100)
PAUSING = ("unauthorized",)
LEAST_TO_PAUSE = 2
"""One return is no rate: it alone pauses nobody, however few debits there were."""


class Meter(NamedTuple):
    """Hold one rate; `level` is the highest alert it has reached, in percent of its limit: 0, 60, 80 or 100."""

    name: str
    returned: int
    debits: int
    limit_bps: int
    level: int

    @property
    def rate_bps(self) -> int:
        return self.returned * 100_00 // self.debits if self.debits else 0

    @property
    def pauses(self) -> bool:
        """Tell whether no new bank payment may be taken."""
        return self.name in PAUSING and self.level >= 100 and self.returned >= LEAST_TO_PAUSE


def read(debits: int, returned: Mapping[str, int]) -> tuple[Meter, ...]:
    """Work the rates out of how many debits were sent and how many came back, by code."""
    by_rate: dict[str, int] = {}
    for code, number in returned.items():
        rate = returns.of(code).rate
        by_rate[rate] = by_rate.get(rate, 0) + number
    unauthorized = by_rate.get(returns.UNAUTHORIZED, 0)
    counts = {
        "unauthorized": unauthorized,
        "administrative": by_rate.get(returns.ADMINISTRATIVE, 0),
        "overall": sum(returned.values()),
        "stricter": unauthorized + by_rate.get(returns.ERROR, 0),
    }
    return tuple(
        Meter(name, counts[name], debits, limit, _level(counts[name], debits, limit))
        for name, limit in LIMITS_BPS.items()
    )


def _level(returned: int, debits: int, limit_bps: int) -> int:
    """Compare in whole numbers: 3 of 1,000 is 60 % of 0.5 %, exactly."""
    reached = [alert for alert in ALERTS if returned * 100_00 * 100 >= alert * limit_bps * debits]
    return max(reached, default=0) if returned else 0
