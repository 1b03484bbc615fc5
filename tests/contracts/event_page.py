"""Read docs/events.md: which kinds of events there are, and what the data of each may hold."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "events.md"
NAME = re.compile(r"`([a-z0-9_]+)`")
SNAPSHOT = re.compile(r"\*([a-z -]+)\*")


def snapshots() -> dict[str, set[str]]:
    """Give the names of each snapshot that several kinds share."""
    found = {}
    for line in PAGE.read_text().splitlines():
        if heading := re.match(r"\*\*(.+)\*\*: (.+)", line):
            found[heading[1]] = set(NAME.findall(heading[2]))
    return found


def open_ended() -> set[str]:
    """Name the kinds whose data holds more than a page can list."""
    return set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| .*… \|$", PAGE.read_text(), re.M))


def kinds() -> dict[str, set[str]]:
    """Give what the data of each kind may hold."""
    shared, found = snapshots(), {}
    for line in PAGE.read_text().splitlines():
        if row := re.match(r"\| `([a-z_]+\.[a-z_]+)` \| (.*) \| (.*) \|$", line):
            named = set(NAME.findall(row[3]))
            found[row[1]] = named.union({"v"}, *(shared[name] for name in SNAPSHOT.findall(row[3])))
    return found
