"""What states and cities add to the federal rules, as dated data (ST-01): residence in, limits and needs out.

Every row says from when it holds and when it was last read against its source; counsel keeps it (compliance 12).
"""

from dataclasses import dataclass
from datetime import date, timedelta

VERSION = "2026-12"
"""Of this table and of the gate's own rules: stands in every recorded decision (EVT-04)."""

ELECTRONIC = ("email", "text")
ALL = ("email", "text", "call")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many contacts by these channels about one debt in so many days, counted back from the moment."""

    channels: tuple[str, ...]
    most: int
    days: int

    @property
    def period(self) -> timedelta:
        return timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Pack:
    """Say what holds for who lives in these states, or in these ZIP codes (by their first digits).

    A file may leave the state out, or contradict it: what either names holds, the stricter of two packs too (ST-01).
    """

    code: str
    rule: str
    from_on: date
    verified_on: date
    states: tuple[str, ...] = ()
    zips: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    consent: tuple[str, ...] = ()
    """Channels that need the consumer's own consent."""
    consent_per_debt: tuple[str, ...] = ()
    """Channels that need it for this debt, with the consumer's word that the address is not the employer's."""
    until_on: date | None = None


_READ = date(2026, 11, 21)
PACKS = (
    Pack(
        "ny",
        "ST-05",
        date(2015, 8, 30),
        _READ,
        states=("NY",),
        zips=("005", "06390", "10", "11", "12", "13", "14"),
        consent_per_debt=("email",),
    ),
    Pack(
        "nyc",
        "ST-06",
        date(2026, 9, 1),
        _READ,
        zips=("100", "101", "102", "103", "104", "111", "112", "113", "114", "116", "11004", "11005"),
        limits=(Limit(ALL, 3, 7),),
        consent=ELECTRONIC,
    ),
    Pack(
        "dc",
        "ST-07",
        date(2023, 1, 1),
        _READ,
        states=("DC",),
        zips=("200", "202", "203", "204", "205", "569"),
        limits=(Limit(ELECTRONIC, 5, 7), Limit(("call",), 4, 7)),
        consent=ELECTRONIC,
    ),
    Pack(
        "ma",
        "ST-08",
        date(2012, 3, 2),
        _READ,
        states=("MA",),
        zips=("01", "020", "021", "022", "023", "024", "025", "026", "027", "055"),
        limits=(Limit(("call", "text"), 2, 7),),
    ),
)


def in_force(*, state: str, zip_code: str, today: date) -> tuple[Pack, ...]:
    """List the packs that hold for a residence on a day."""
    state, digits = state.upper(), zip_code.strip()[:5]
    return tuple(
        pack
        for pack in PACKS
        if pack.from_on <= today
        and (pack.until_on is None or today <= pack.until_on)
        and (state in pack.states or (digits and digits.startswith(pack.zips)))
    )
