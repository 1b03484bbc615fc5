"""The judge: reads the processor's own ledger, the hosts' own lists and the mailbox, and holds our books against them.

It knows the rules by itself (dates, hours, notices, retries, who must not be charged) and asks none of the product's
rule modules, so that one mistake cannot hide another.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from portal.local.stack import AGENCIES

from . import books
from .books import Books
from .fate import DECLINES

GRADES = {code: grade for grade, code, *_rest in DECLINES if code}
MOST_TRIES = {"A": 1, "B": 1, "C": 3, "D": 2}
RESTED = timedelta(hours=72)
AGAIN = ("R01", "R09")
OPEN = ("open", "validation")
"""Statuses under which a planned charge may be made (section 14)."""
NOTICE_FROM_DAYS = 5
LETTER_WEEKDAYS = 8
TAKEN = ("POSTED",)
EXPECTED = {
    # What the simulation itself brings about, and staff are told of.
    "unauthorized_return", "authorization_revoked_at_bank", "debit_not_per_terms", "deceased_reported",
    "account_frozen", "questionable_debit", "entry_rejected", "duplicate_debit", "bank_to_bank_return",
    "return_rate_60", "return_rate_80", "return_rate_100", "held_past_its_day", "debit_after_status",
    "more_planned_than_owed", "changed_at_host", "processor_refuses", "dispute_lost", "reopening_refused",
    "kept_by_host", "given_back_twice", "hold_refused",
}  # fmt: skip


class Judge(Books):
    """Read all books once; `findings` are broken rules, `lines` the totals."""

    # Judging ----------------------------------------------------------------------------------------------------------

    def findings(self) -> list[str]:
        """List every broken rule, each as a sentence."""
        return [*self.year.broken, *self._invariants(), *self._each_charge(), *self._tries(), *self._books(),
                *self._left_behind(), *self._incidents()]  # fmt: skip

    def _invariants(self) -> Iterator[str]:
        from accounts.tenancy import ALL_AGENCIES, acting_for
        from portal.invariants import findings

        with acting_for(ALL_AGENCIES):
            for name, row in findings():
                yield f"invariant {name}: {row}"
        for row in self.rows(books.UNDECIDED):
            yield f"{row['what']} {row['id']} is undecided at the end"

    def _each_charge(self) -> Iterator[str]:
        """Judge each charge by itself: known to us, on its day, in its hours, announced, by somebody who may."""
        once: dict[str, list[str]] = defaultdict(list)
        seen: Counter[str] = Counter()
        for charge in self.charges:
            who = (
                f"{charge['by']}'s {charge['kind']} charge {charge['id']} of {charge['cents']} at {charge['at']:%F %T}"
            )
            item = self.items.get(charge["for"])
            if charge["by"] == "portal":
                payment = self.payments.get(charge["for"])
                if payment is None:
                    yield f"{who} has no payment"
                    continue
                seen[payment["id"]] += 1
                yield from self._tells(charge, payment, who)
                item = self.items.get(payment["postdate"] or "")
                if payment["kind"] != charge["kind"] or payment["executor"] != "portal":
                    yield f"{who} is booked as {payment['executor']}'s {payment['kind']}"
            elif item is None:
                yield f"{who} is for no post-date of ours"
                continue
            self._count(charge, item)
            if item is None:
                continue
            if charge["status"] != "failed":
                once[item["id"]].append(charge["id"])
            yield from (f"{who}: {why}" for why in self._planned(charge, item))
        for payment in self.payments.values():
            if payment["executor"] == "portal" and payment["status"] != "voided" and seen[payment["id"]] != 1:
                yield f"payment {payment['id']} ({payment['status']}) has {seen[payment['id']]} charges there"
        for item, charges in once.items():
            if len(charges) > 1:
                yield f"post-date {item} was charged {len(charges)} times: {', '.join(charges)}"

    def _tells(self, charge: dict, payment: dict, who: str) -> Iterator[str]:
        """Hold one charge against the payment that it was made for."""
        wanted = {
            "succeeded": ("succeeded", "refunded", "charged_back", "returned"),
            "failed": ("declined", "returned"),
            "pending": ("pending",),
        }[charge["status"]]
        if payment["status"] not in wanted:
            yield f"{who} {charge['status']}, our payment is {payment['status']}"
        if payment["cents"] != charge["cents"]:
            yield f"{who}, our payment says {payment['cents']}"
        if charge["key"] != payment["id"]:
            yield f"{who} was made under the key {charge['key']}"

    def _planned(self, charge: dict, item: dict) -> Iterator[str]:
        """Judge a planned charge: day, hour, notice, and whether anything forbade it."""
        local = charge["at"].astimezone(ZoneInfo(item["zone"]))
        if charge["cents"] != item["cents"]:
            yield f"not the {item['cents']} that were planned"
        if local.date() < item["due_on"]:
            yield f"before its date {item['due_on']}"
        if not 8 <= local.hour < 21:
            yield f"at {local:%H:%M} in {item['zone']}"
        if (item["executor"] == "portal") != (charge["by"] == "portal"):
            yield f"not by its executor {item['executor']}"
        if why := self._unannounced(charge, item):
            yield why
        if item["revoked_at"] and item["revoked_at"] < charge["at"]:
            yield f"after its authorization was revoked at {item['revoked_at']:%F %T}"
        before = [stopped for at, stopped in self.stops[item["id"]] if at < charge["at"] - timedelta(seconds=1)]
        if before and before[-1]:
            yield "while it was held or cancelled"
        status = "open"
        for at, after in self.statuses[item["account"]]:
            status = after if at < charge["at"] else status
        if status not in OPEN:
            yield f"on an account that was {status}"

    def _unannounced(self, charge: dict, item: dict) -> str:
        """Say that a charge lacks its notice: by e-mail in the mailbox, or a letter that the host knew of in time."""
        if (item["due_on"] - item["agreed_on"]).days <= NOTICE_FROM_DAYS:
            return ""
        zone = ZoneInfo(item["zone"])
        if any(announced(at.astimezone(zone), item["due_on"]) for at in self.notices[item["id"]]):
            return ""
        told = self.letters.get(item["id"])
        if charge["by"] == "host" and told and weekdays(told.date(), item["due_on"]) >= LETTER_WEEKDAYS:
            return ""
        # The portal charges only after a letter of which the host has said that it left, and when.
        posted = self.year.fate.posted.get(item["id"])
        if charge["by"] == "portal" and posted and weekdays(posted, item["due_on"]) >= LETTER_WEEKDAYS:
            return ""
        return f"without its notice ({[f'{at:%F}' for at in self.notices[item['id']]]} for {item['due_on']})"

    def _tries(self) -> Iterator[str]:
        """Judge how often and when the portal tried one item, and what it tried after a bank or network said never."""
        by_item: dict[str, list[dict]] = defaultdict(list)
        never: dict[tuple, datetime] = {}
        for charge in self.charges:
            payment = self.payments.get(charge["for"]) if charge["by"] == "portal" else None
            if payment is None:
                continue
            means = (payment["agency"], charge["kind"], payment["fingerprint"])
            if (since := never.get(means)) is not None and charge["at"] > since and payment["postdate"]:
                yield f"charge {charge['id']} at {charge['at']:%F} from what was ruled out at {since:%F}"
            if charge["status"] == "failed" and GRADES.get(charge["code"]) == "A":
                never.setdefault(means, charge["at"])
            if payment["postdate"]:
                by_item[payment["postdate"]].append(charge | {"payment": payment})
        for item, tries in by_item.items():
            for number, (last, then) in enumerate(pairwise(tries), start=1):
                if why := self._may_not(last, then, number, tries):
                    yield f"try {number + 1} of {item} at {then['at']:%F %H:%M}: {why}"

    def _may_not(self, last: dict, then: dict, number: int, tries: list[dict]) -> str:
        if last["kind"] == "ach":
            code = last["payment"]["network"] or last["payment"]["code"]
            if code not in (*AGAIN, "insufficient_funds"):
                return f"after {code}"
            if number > 2 or then["at"] - tries[0]["at"] > timedelta(days=180):
                return "too often or too late"
            known = last["payment"]["decided_at"]
            return "" if weekdays(known.date(), then["at"].date()) >= 3 else f"too soon after {known:%F}"
        grade = GRADES.get(last["code"], "")
        if last["status"] != "failed" or last["code"] == "authentication_required":
            return f"after {last['status']} {last['code']}"
        if number >= MOST_TRIES.get(grade, 1):
            return f"class {grade} {last['code']} allows {MOST_TRIES.get(grade, 1)} tries"
        # The processor tells whole seconds.
        return (
            ""
            if then["at"] - last["at"] >= RESTED - timedelta(seconds=1)
            else f"{then['at'] - last['at']} after the last one"
        )

    def _books(self) -> Iterator[str]:
        """Tie the processor's ledger, our ledger and the hosts' lists to the cent, account by account."""
        ours = {row["account"]: row["cents"] for row in self.rows(books.LEDGER)}
        for account in self.accounts.values():
            theirs = self.hosts[account["agency"]][account["reference"]]
            person = self.year.fate.people[account["agency"], account["reference"]]
            posted = sum(item["cents"] for item in theirs["items"] if item["status"] in TAKEN)
            name = f"{account['agency']} {account['reference']}"
            started = person.balance_cents + self.year.fate.edits.get(person.key, 0)
            if theirs["cents"] != started - posted:
                yield f"{name}: the host's balance is {theirs['cents']}, not {started} - {posted}"
            if account["cents"] != max(0, theirs["cents"]):
                yield f"{name}: we say {account['cents']}, the host {theirs['cents']}"
            if ours.get(account["id"], 0) != posted:
                yield f"{name}: our ledger has {ours.get(account['id'], 0)}, the host posted {posted}"
        for slug in AGENCIES:
            for by, book in (("portal", "processor"), ("host", "host")):
                charged = sum(one["cents"] for one in self.charges
                              if (one["agency"], one["by"], one["status"]) == (slug, by, "succeeded"))  # fmt: skip
                booked = self.rows(books.BOOKED.format(slug=slug, book=book))[0]["cents"]
                if charged != booked:
                    yield f"{slug}: the processor took {charged} for the {by}, our ledger has {booked}"
        for row in self.rows(books.TOO_MUCH):
            yield f"arrangement {row['id']} of {row['total_cents']} took {row['cents']}"

    def _left_behind(self) -> Iterator[str]:
        """Find what was due and neither tried nor stopped for a reason that somebody can read."""
        patience = self.end.date() - timedelta(days=5)
        # A host has a bank debit under way for four banking days, which may be a week.
        under_way = {
            one["portal_id"]
            for slug in AGENCIES
            for account in self.hosts[slug].values()
            for one in account["items"]
            if one["status"] == "PROCESSED" and date.fromisoformat(one["date"]) >= patience - timedelta(days=3)
        }
        for item in self.items.values():
            waits = (item["run_at"] is not None and item["run_at"] > self.end) or item["id"] in under_way
            if item["status"] == "scheduled" and item["due_on"] < patience and not waits and item["method"]:
                yield f"post-date {item['id']} of {item['executor']} was due on {item['due_on']} and nobody took it"
            if item["status"] == "held" and not item["held_for"]:
                yield f"post-date {item['id']} is held for no reason"

    def _incidents(self) -> Iterator[str]:
        for row in self.rows(books.INCIDENTS):
            if row["kind"] not in EXPECTED:
                yield f"{row['n']} incidents {row['kind']}, such as {row['data']}"

    # Totals -----------------------------------------------------------------------------------------------------------

    def _count(self, charge: dict, item: dict | None) -> None:
        what = "planned" if item else "at once"
        name = f"{charge['kind']} {what}, by the {charge['by']}: {charge['status']}"
        self.totals[name][0] += 1
        self.totals[name][1] += charge["cents"]

    @cached_property
    def report(self) -> dict[str, Any]:
        """Give all figures, once everything was judged."""
        for slug in AGENCIES:
            for account in self.hosts[slug].values():
                for item in account["items"]:
                    if item["method"] == "ACH" and item["executor"] == "HOST" and item["part"] == "payment":
                        name = f"ach by the host of {slug}: {item['status']}"
                        self.totals[name][0] += 1
                        self.totals[name][1] += item["cents"]
        counted = {row["status"]: row["n"] for row in self.rows(books.ARRANGEMENTS)}
        return {
            "totals": {name: tuple(pair) for name, pair in sorted(self.totals.items())},
            "visits": dict(sorted(self.year.visits.items())),
            "fate": dict(sorted(self.year.fate.said.items())),
            "arrangements": counted,
            "held": {row["held_for"]: row["n"] for row in self.rows(books.HELD)},
            "skipped": {row["reason"]: row["n"] for row in self.rows(books.SKIPPED)},
            "incidents": {row["kind"]: row["n"] for row in self.rows(books.INCIDENTS)},
            "charges": len(self.charges),
            "events": self.rows("SELECT count(*) AS n FROM accounts_event")[0]["n"],
            "messages": self.world.rows("mail", "SELECT count(*) FROM messages")[0][0],
        }

    def lines(self) -> Iterator[str]:
        """Print the report."""
        for title, rows in self.report.items():
            if isinstance(rows, dict):
                yield f"{title}:"
                for name, value in rows.items():
                    number, cents = value if isinstance(value, tuple) else (value, None)
                    yield f"  {number:7} {name}" + (f"  ${cents / 100:,.2f}" if cents is not None else "")
            else:
                yield f"{title}: {rows}"


def weekdays(after: date, until: date) -> int:
    """Count the weekdays behind a day, up to and with another."""
    return sum((after + timedelta(days=n)).weekday() < 5 for n in range(1, (until - after).days + 1))


def announced(sent: datetime, due_on: date) -> bool:
    """Tell whether a written notice left between ten days and three weekdays before a debit, at a decent hour."""
    if not (due_on - timedelta(days=10) <= sent.date() <= due_on and 8 <= sent.hour < 21):
        return False
    day = due_on
    while day.weekday() >= 5:
        day -= timedelta(days=1)
    return weekdays(sent.date(), day) >= 3
