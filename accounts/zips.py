"""What a ZIP code tells of where somebody lives, from tables of runs of codes. No framework here."""

from array import array
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path

from accounts.licensing import STATES

ZIP_STATES = Path(__file__).with_name("zip_states.txt")  # written by tests/accounts/zip_tables.py


def residence(said: str, zip_code: str) -> str:
    """Give the state whose law protects a consumer: as the host says, else the ZIP code's (ST-02 to ST-09, SOL-01).

    A word that names no state of ours stays where the ZIP code tells nothing either.
    """
    state = said.strip().upper()
    return state if state in STATES else state_of_zip(zip_code) or said


@lru_cache(maxsize=65_536)
def state_of_zip(zip_code: str) -> str:
    """Give the state of a ZIP or ZIP+4 code; empty when it is unknown or military.

    A code that is newer than the table lies where both its neighbours do.
    """
    return look_up(ZIP_STATES, zip_code) or ""


def look_up(table: Path, zip_code: str) -> str | None:
    """Find what a table says of a ZIP or ZIP+4 code."""
    digits = zip_code.strip()[:5]
    if len(digits) != 5 or not digits.isascii() or not digits.isdigit():
        return None
    starts, ends, words = _runs(table)
    code = int(digits)
    run = bisect_right(starts, code) - 1
    return words[run] if run >= 0 and code <= ends[run] else None


@lru_cache(maxsize=2)
def _runs(table: Path) -> tuple[array, array, list[str]]:
    """Read runs of ZIP codes of one word: a table of the zipcodes package takes 23 MB and is read row by row."""
    runs = []
    for line in table.read_text().splitlines():
        word, *steps = line.split()
        code = 0
        for step in steps:
            start, _plus, more = step.partition("+")
            runs.append((code + int(start), code + int(start) + int(more or 0), word))
            code = runs[-1][1]
    starts, ends, words = zip(*sorted(runs), strict=True)
    return array("I", starts), array("I", ends), list(words)
