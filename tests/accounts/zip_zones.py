"""Write accounts/zip_zones.txt anew from the zipcodes package: `python -m tests.accounts.zip_zones`."""

from collections import defaultdict
from pathlib import Path

import accounts


def written() -> str:
    """Give a line per zone: its name, then runs of ZIP codes as steps from the last one, `step+more`."""
    import zipcodes

    zones: dict[str, str] = {}
    for row in zipcodes.list_all():
        zones.setdefault(row["zip_code"], row.get("timezone") or "")
    codes = [code for code in sorted(zones) if zones[code]]
    runs: dict[str, list[tuple[int, int]]] = defaultdict(list)
    at = 0
    while at < len(codes):
        first = last = at
        zone = zones[codes[first]]
        while last + 1 < len(codes) and zones[codes[last + 1]] == zone and int(codes[last + 1]) == int(codes[last]) + 1:
            last += 1
        runs[zone].append((int(codes[first]), last - first))
        at = last + 1
    lines = []
    for zone in sorted(runs):
        words, before = [zone], 0
        for start, more in runs[zone]:
            words.append(f"{start - before}" + (f"+{more}" if more else ""))
            before = start + more
        lines.append(" ".join(words) + "\n")
    return "".join(lines)


if __name__ == "__main__":
    Path(accounts.__path__[0], "zip_zones.txt").write_text(written())
