"""Simulate a draft: every open account with a balance, what it is offered now beside what the draft would offer.

A run goes page by page over the account ids and keeps its sums after each, so one that was killed goes on where it
was. It compares the portfolio of the moment it was started at with a copy of the draft of that moment, so that going
on, or exporting a year later, gives the same numbers whatever happened since.

`tallies` (JSON) has cells, all of one shape:
    "all": cell
    "clients": {client id: cell}
    "bands": {"<from>-<to>" in cents, of the draft's own bands, "" in a gap: cell}
    "states": {"NY", "" unknown: cell}
A cell is flat, absent names are 0 (`rows` gives them filled in, with labels, for pages):
    accounts, changed                                      accounts compared; of them with any change
    owed_cents, live_cents, draft_cents                    sums of what is owed, of the settlements live and by draft
    settlement_gained, _lost, _changed, _same, _none       each account in exactly one
    settlement_lower_amount, _higher_amount, _more_payments, _fewer_payments, _longer, _shorter (last day),
        _lower_minimum, _higher_minimum                    how, of _changed; an account can be in several
    plan_gained, _lost, _changed, _same, _none             each account in exactly one
    plan_more_payments, _fewer_payments, _longer, _shorter (months), _lower_minimum, _higher_minimum
    methods_more, methods_fewer                            a way to pay is open or banned

`samples` (JSON) is a list of up to 20 accounts for every name in `settlements.rules.comparison.CHANGES`, the first by
id: {"change": name, "account": id, "reference", "client": id, "state", "band", "owed_cents", "live": offer,
"draft": offer}; an offer has the fields of `settlements.rules.portfolio.Headline`, dates as text.
"""

import csv
import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import Account, Client
from accounts.money import format_cents, from_cents
from accounts.tenancy import acting_for
from settlements.models import RuleSet, Simulation
from settlements.rules.bands import HIGHEST_CENTS
from settlements.rules.comparison import CENTS, CHANGES, COUNTS, is_change, marks, names
from settlements.rules.portfolio import Headline
from settlements.services import portfolio
from settlements.services.portfolio import Line, Page, Portfolio

SAMPLES = 20
"""Accounts shown for each kind of change."""
DIMENSIONS = ("clients", "bands", "states")
PARTS = ("tallies", "samples", "accounts")
WAITING = (Simulation.Status.QUEUED, Simulation.Status.RUNNING)

wake: list[Callable[[], None]] = []
"""Port: who wants to know after the commit that there is something to run (settlements.tasks)."""


class NotADraft(ValueError):
    """Simulate a draft, or one that waits for a second person: what is published is in force."""


@transaction.atomic
def start(*, rule_set: RuleSet, by: str, now: datetime) -> Simulation:
    """Queue a run of a draft over the live portfolio of its agency.

    :raises NotADraft: the rule set is published or discarded.
    """
    if rule_set.status not in RuleSet.OPEN:
        raise NotADraft(f"Rule set {rule_set} is {rule_set.status}.")
    last = Account.objects.order_by("-pk").values_list("pk", flat=True).first()
    frozen = {
        "rule_set": portfolio.frozen(rule_set),
        "last": str(last) if last else None,
        # Rows are stamped by the product's clock or the machine's; nothing is stamped later than both.
        "read_at": max(now, timezone.now()).isoformat(),
    }
    simulation = Simulation.objects.create(rule_set=rule_set, made_by=by, made_at=now, frozen=frozen)
    transaction.on_commit(_nudge)
    return simulation


def _nudge() -> None:
    for listener in wake:
        listener()


def stop(*, simulation: Simulation, now: datetime) -> Simulation:
    """End a run after its current page; what it counted stays."""
    return _end(simulation.pk, Simulation.Status.STOPPED, now)


def resume(*, simulation: Simulation, now: datetime) -> Simulation:
    """Go on with a run that was stopped or failed, where it was."""
    with transaction.atomic():
        row = Simulation.objects.select_for_update().get(pk=simulation.pk)
        if row.status in (Simulation.Status.STOPPED, Simulation.Status.FAILED):
            row.status, row.error, row.finished_at = Simulation.Status.QUEUED, "", None
            row.save(update_fields=["status", "error", "finished_at"])
            transaction.on_commit(_nudge)
    return row


@transaction.atomic
def _end(pk: UUID, status: str, now: datetime, error: str = "") -> Simulation:
    row = Simulation.objects.select_for_update().get(pk=pk)
    if row.status in WAITING:
        row.status, row.finished_at, row.error = status, now, error[:300]
        row.save(update_fields=["status", "finished_at", "error"])
    return row


def run(
    simulation_id: UUID, *, clock: Callable[[], datetime] = timezone.now, go_on: Callable[[], bool] = lambda: True
) -> bool:
    """Compare page after page until the end, until it is stopped, or until `go_on` says no; True when it is over.

    Two runs of the same simulation share the pages. A lost database is for whoever calls: the run stays where it is.
    """
    whole: Portfolio | None = None
    while True:
        try:
            with transaction.atomic():
                row = Simulation.objects.select_for_update().get(pk=simulation_id)
                if row.status not in WAITING:
                    return True
                whole = whole or of(row)
                over = _page(row, whole, clock())
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            _end(simulation_id, Simulation.Status.FAILED, clock(), f"{type(error).__name__}: {error}")
            raise
        if over:
            return True
        if not go_on():
            return False


def of(simulation: Simulation) -> Portfolio:
    """Read what a simulation compares: its copy of the draft, its moment."""
    return Portfolio(
        draft=simulation.frozen["rule_set"],
        at=simulation.made_at,
        read_at=datetime.fromisoformat(simulation.frozen["read_at"]),
        last=simulation.frozen["last"],
    )


def _page(row: Simulation, whole: Portfolio, now: datetime) -> bool:
    """Compare one page and keep the sums; the caller has locked the row."""
    if row.status == Simulation.Status.QUEUED:
        row.status = Simulation.Status.RUNNING
        if row.started_at is None:
            row.started_at, row.total = now, whole.count()
    page = whole.page(str(row.last_account) if row.last_account else None)
    tallies = Tallies(row.tallies, row.samples)
    with _no_search_for_cycles():
        row.done += tallies.add(whole.lines(page))
    row.tallies, row.samples = tallies.cells, tallies.samples
    over = page.upto is None
    if over:
        row.status, row.finished_at, row.total = Simulation.Status.DONE, now, row.done
    else:
        row.last_account = UUID(page.upto)
        row.total = max(row.total, row.done)
    row.save()
    return over


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Leave the collector out of a page: a hundred thousand values without a cycle cost it a sixth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Tallies:
    """Sum lines up, by client, band and state, and keep the first accounts of every change."""

    def __init__(self, cells: dict[str, Any] | None = None, samples: list[dict[str, Any]] | None = None) -> None:
        self.cells: dict[str, Any] = {"all": {}} | {name: {} for name in DIMENSIONS} | (cells or {})
        self.samples = samples or []

    def add(self, lines: Iterable[tuple]) -> int:
        """Count lines in, plain tuples of what `Line` names; give how many they were."""
        sums: dict[tuple, list[int]] = {}
        taken = Counter(sample["change"] for sample in self.samples)
        wanted = {name: SAMPLES - taken[name] for name in CHANGES if taken[name] < SAMPLES}
        seen: dict[int, int] = {}
        done = 0
        for line in lines:
            done += 1
            _account, _reference, client, state, band, owed_cents, live, draft = line
            marked = marks(live, draft)
            key = (client, band, state, marked)
            cell = sums.get(key)
            if cell is None:
                cell = sums[key] = [0, 0, 0, 0]
            cell[0] += 1
            cell[1] += owed_cents
            cell[2] += live[0]
            cell[3] += draft[0]
            # After so many accounts with the same changes there is no room for another sample of any of them.
            if seen.get(marked, 0) < SAMPLES:
                seen[marked] = seen.get(marked, 0) + 1
                self._keep(Line(*line), names(marked), wanted)
        for (client, band, state, marked), (count, *cents) in sums.items():
            counted = ("accounts", *names(marked))
            for cell in (
                self.cells["all"],
                self.cells["clients"].setdefault(client, {}),
                self.cells["bands"].setdefault(band, {}),
                self.cells["states"].setdefault(state, {}),
            ):
                for name, value in zip(CENTS, cents, strict=True):
                    cell[name] = cell.get(name, 0) + value
                for name in counted:
                    cell[name] = cell.get(name, 0) + count
        return done

    def _keep(self, line: Line, found: tuple[str, ...], wanted: dict[str, int]) -> None:
        for name in [name for name in found if name in wanted]:
            self.samples.append(_sample(name, line))
            wanted[name] -= 1
            if not wanted[name]:
                del wanted[name]


def _sample(change: str, line: Line) -> dict[str, Any]:
    return {"change": change} | line._asdict() | {"live": _plain(line.live), "draft": _plain(line.draft)}


def _plain(offer: Headline) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in offer._asdict().items()}


def rows(*, simulation: Simulation, by: str) -> list[tuple[str, dict[str, int]]]:
    """Give a label and the whole cell for every client, band or state (`by` of DIMENSIONS), or for `all`."""
    cells = simulation.tallies.get(by, {})
    if by == "all":
        return [("", _whole(cells))]
    clients = {}
    if by == "clients":
        clients = {
            str(pk): f"{number} {name}" for pk, number, name in Client.objects.values_list("pk", "number", "name")
        }
    order = sorted(cells, key=_band_order) if by == "bands" else sorted(cells, key=lambda key: clients.get(key, key))
    return [(_label(by, key, clients), _whole(cells[key])) for key in order]


def _whole(cell: dict[str, int]) -> dict[str, int]:
    return dict.fromkeys((*COUNTS, *CENTS), 0) | cell


def _band_order(key: str) -> tuple[int, ...]:
    return tuple(int(cents) for cents in key.split("-")) if key else (HIGHEST_CENTS + 1,)


def _label(by: str, key: str, clients: dict[str, str]) -> str:
    if by == "bands":
        return " - ".join(format_cents(int(cents)) for cents in key.split("-")) if key else gettext("no band")
    return clients.get(key, key) or gettext("unknown")


def export(simulation: Simulation, *, part: str = "accounts") -> Iterator[str]:
    """Write CSV line by line: the `tallies`, the `samples`, or all changed `accounts`.

    Accounts are worked out again from the same copy of the draft and the same moment, as far as the run came. Amounts
    have two decimals; what a spreadsheet would take for a formula begins with an apostrophe.
    """
    assert part in PARTS, part
    with acting_for(simulation.agency_id):
        clients = {str(pk): (number, name) for pk, number, name in Client.objects.values_list("pk", "number", "name")}
    if part == "tallies":
        yield from _tallies_csv(simulation)
        return
    yield _csv(["change", *_ACCOUNT, *(f"live_{name}" for name in _OFFER), *(f"draft_{name}" for name in _OFFER)])
    if part == "samples":
        for sample in simulation.samples:
            yield _account_csv([sample["change"]], sample, clients)
        return
    for page in _changed(simulation):
        for changes, line in page:
            about = line._asdict() | {"live": _plain(line.live), "draft": _plain(line.draft)}
            yield _account_csv(changes, about, clients)


_ACCOUNT = ("reference", "client_number", "client", "state", "band", "owed")
_OFFER = Headline._fields


def _tallies_csv(simulation: Simulation) -> Iterator[str]:
    yield _csv(["by", "of", *COUNTS, *(name.removesuffix("_cents") for name in CENTS)])
    for by in ("all", *DIMENSIONS):
        with acting_for(simulation.agency_id):
            found = rows(simulation=simulation, by=by)
        for label, cell in found:
            yield _csv([by, label, *(cell[name] for name in COUNTS), *(from_cents(cell[name]) for name in CENTS)])


def _changed(simulation: Simulation) -> Iterator[list[tuple[tuple[str, ...], Line]]]:
    """Go over the pages that the run has done; nothing is held open while the reader takes its time."""
    if not simulation.done:
        return
    end = None if simulation.status == Simulation.Status.DONE else str(simulation.last_account)
    with acting_for(simulation.agency_id):
        whole = of(simulation)
    after = None
    while after is None or after != end:
        with acting_for(simulation.agency_id):
            page = whole.page(after)
            if end and (page.upto is None or page.upto > end):
                page = Page(after, end)
            lines = ((marks(*line[-2:]), line) for line in whole.lines(page))
            found = [(names(marked)[1:], Line(*line)) for marked, line in lines if is_change(marked)]
        yield found
        if page.upto is None:
            return
        after = page.upto


def _account_csv(changes: Iterable[str], about: dict[str, Any], clients: dict[str, tuple[str, str]]) -> str:
    number, name = clients.get(about["client"], ("", ""))
    cells = [" ".join(changes), about["reference"], number, name, about["state"], about["band"]]
    cells.append(from_cents(about["owed_cents"]))
    for side in ("live", "draft"):
        cells += [_cell(name, value) for name, value in about[side].items()]
    return _csv(cells)


def _cell(name: str, value: Any) -> Any:
    if name.endswith("_cents"):
        return from_cents(value)
    return " ".join(value) if isinstance(value, list | tuple) else value


class _Echo:
    def write(self, line: str) -> str:
        return line


_writer = csv.writer(_Echo())


def _csv(cells: Iterable[Any]) -> str:
    """Write one line; a text that begins like a formula is made text."""
    return _writer.writerow(["'" + cell if isinstance(cell, str) and cell[:1] in _FORMULA else cell for cell in cells])


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
