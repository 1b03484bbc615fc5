"""Write accounts/zip_zones.txt and zip_states.txt from the zipcodes package: `python -m tests.accounts.zip_tables`.

A line has a word, then runs of ZIP codes as steps from the last one, `step+more`.
"""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import accounts
from accounts.licensing import STATES


def zones() -> str:
    """Give a line per time zone; a run has no gap, and no military code a zone."""
    return _written("timezone", lambda before, code: code == before + 1)


def states() -> str:
    """Give a line per state; what no list names between two codes of a state is in it. Military ones are in none."""
    return _written("state", lambda before, code: True, only=STATES)


def _written(column: str, goes_on: Callable[[int, int], bool], only: tuple[str, ...] = ()) -> str:
    import zipcodes

    words: dict[str, str] = {}
    for row in zipcodes.list_all():
        words.setdefault(row["zip_code"], row.get(column) or "")
    codes = [code for code in sorted(words) if words[code]]
    runs: dict[str, list[tuple[int, int]]] = defaultdict(list)
    at = 0
    while at < len(codes):
        first = last = at
        word = words[codes[first]]
        while (
            last + 1 < len(codes) and words[codes[last + 1]] == word and goes_on(int(codes[last]), int(codes[last + 1]))
        ):
            last += 1
        runs[word].append((int(codes[first]), int(codes[last]) - int(codes[first])))
        at = last + 1
    lines = []
    for word in sorted(set(runs) & set(only) if only else runs):
        steps, before = [word], 0
        for start, more in runs[word]:
            steps.append(f"{start - before}" + (f"+{more}" if more else ""))
            before = start + more
        lines.append(" ".join(steps) + "\n")
    return "".join(lines)


if __name__ == "__main__":
    here = Path(accounts.__path__[0])
    (here / "zip_zones.txt").write_text(zones())
    (here / "zip_states.txt").write_text(states())
