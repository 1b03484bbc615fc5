"""Rounds into tables: min-median-max, the ratio to the limit or peer of the same round, target and verdict."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from portal.local import CHECKOUT, HOME

DOCUMENT = CHECKOUT / "docs" / "benchmarks.md"
KEPT = HOME / "benchmarks.json"
PACKAGES = ("django", "celery", "psycopg2-binary", "pycurl", "redis", "gunicorn", "msgspec", "pgqueuer")
HEAD = """# Benchmarks

Written by `make bench` (tests/benchmarks). Server, database, load and limit share one machine's cores, so only
ratios and verdicts of one run mean something; absolute figures are no promise of capacity. Every figure is
min - **median** - max of the rounds; a ratio is taken inside a round, where both sides ran seconds apart.
A verdict judges the median.
"""


@dataclass
class Line:
    """One row of a table.

    :param values: one per round.
    :param beside: one per round of what it is compared with; the ratio is value / beside.
    :param target: what the ratio, or without `beside` the value, must reach; with `at_most` must not pass.
    """

    what: str
    unit: str
    values: list[float]
    beside: list[float] = field(default_factory=list)
    named: str = ""
    target: float | None = None
    at_most: bool = False

    @property
    def judged(self) -> list[float]:
        if not self.beside:
            return self.values
        return [mine / other for mine, other in zip(self.values, self.beside, strict=True)]

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        reached = statistics.median(self.judged)
        return "met" if (reached <= self.target if self.at_most else reached >= self.target) else "**missed**"


@dataclass
class Section:
    """One benchmark's result."""

    name: str
    title: str
    told: str
    lines: list[Line]
    notes: list[str] = field(default_factory=list)
    at: str = ""
    load: float = 0.0
    seconds: float = 0.0


def spread(values: Sequence[float], unit: str = "") -> str:
    """Say min - median - max."""
    low, middle, high = min(values), statistics.median(values), max(values)
    tail = f" {unit}" if unit else ""
    if len(values) == 1 or low == high:
        return f"**{figure(middle)}**{tail}"
    return f"{figure(low)} - **{figure(middle)}** - {figure(high)}{tail}"


def figure(value: float) -> str:
    """Write three digits that mean something."""
    if abs(value) >= 100 or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(section: Section) -> str:
    """Write a section in Markdown."""
    rows = ["| What | Measured | Beside | Ratio | Target | Verdict |", "|---|---|---|---|---|---|"]
    for line in section.lines:
        ratio = spread(line.judged) if line.beside else ""
        target = ""
        if line.target is not None:
            sign = "at most" if line.at_most else "at least"
            target = f"{sign} {line.target:g}" + (" x" if line.beside else f" {line.unit}")
        cells = [line.what, spread(line.values, line.unit), line.named, ratio, target, line.verdict]
        rows.append("| " + " | ".join(cells) + " |")
    notes = "".join(f"\n{note}\n" for note in section.notes)
    when = f"_{section.at}, {section.seconds:.0f} s, load average before it {section.load:.1f}._"
    return f"## {section.title}\n\n{section.told}\n\n" + "\n".join(rows) + f"\n{notes}\n{when}\n"


def keep(sections: Sequence[Section], *, rounds: int, size: str) -> None:
    """Keep the results by name and write the document from all that are kept."""
    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    known |= {section.name: asdict(section) | {"rounds": rounds, "size": size} for section in sections}
    KEPT.write_text(json.dumps(known, indent=1))
    found = []
    for values in known.values():
        lines = [Line(**line) for line in values.pop("lines")]
        ran, large = values.pop("rounds"), values.pop("size")
        values["told"] += f" {ran} interleaved rounds" + (", SIZE=full." if large == "full" else ".")
        found.append(Section(lines=lines, **values))
    found.sort(key=lambda section: section.title)
    DOCUMENT.write_text("\n".join([HEAD, machine(), *map(table, found)]))


def machine() -> str:
    """Describe where this ran."""
    packages = []
    for name in PACKAGES:
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            packages.append(f"{name} not installed")
    facts = [
        f"- {os.cpu_count()} x {processor()}, {memory()}, {platform.system()} {platform.release().split('-')[0]}",
        f"- Python {platform.python_version()}, PostgreSQL {postgres()}, {', '.join(packages)}",
        f"- commit {commit()}, written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    ]
    return "## Machine and versions\n\n" + "\n".join(facts) + "\n"


def processor() -> str:
    """Name the processor."""
    found = Path("/proc/cpuinfo")
    lines = found.read_text().splitlines() if found.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory() -> str:
    """Say how much memory there is."""
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def postgres() -> str:
    """Ask the server what it is and how it commits."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')"
        )
        number, fsync, commits = cursor.fetchone()
    return f"{number.split()[0]} (fsync {fsync}, synchronous_commit {commits})"


def commit() -> str:
    """Name the commit that was measured; this document itself is no change."""
    name = _git("describe", "--always")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{DOCUMENT.relative_to(CHECKOUT)}")
    return f"{name}-dirty" if changed else name or "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True).stdout.strip()
