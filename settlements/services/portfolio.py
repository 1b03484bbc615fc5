"""Read a whole portfolio as it stood at a moment, and what each account is offered live and under a draft.

Values by the ten thousand, never rows of the ORM: an account costs microseconds. The pages are ranges of account ids,
so memory does not grow with the portfolio and a run can begin anywhere.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F, Q, TextField
from django.db.models.functions import Cast, Coalesce

from accounts.calendars import local_date
from accounts.models import Account, AccountPast, Agency, Client
from accounts.tenancy import acting
from settlements.models import GlobalOffer, IndividualOffer, RuleSet
from settlements.rules import bands, old_debts
from settlements.rules.offers import Allowed, HostSettlement
from settlements.rules.portfolio import Headline, headline
from settlements.services import offers, rulesets

PAGE = 20_000
"""Account ids read at once."""
KNOWN = 10_000
"""Different payment options kept; hosts send a handful."""

_ACCEPTED = IndividualOffer.Status.ACCEPTED
_NEVER_ACCEPTED = (
    *IndividualOffer.OPEN,
    IndividualOffer.Status.DECLINED,
    IndividualOffer.Status.WITHDRAWN,
    IndividualOffer.Status.EXPIRED,
)
"""An offer in one of these was open until then; one in another was accepted."""

Unposted = Callable[..., Mapping[str, tuple[int, bool]]]
unposted: Unposted | None = None
"""Port of the floor above: own payments that the host did not show at a moment, by account id as text.

Called with `after`, `upto` (ids as text or None, as in `Page`) and `at`; gives cents, and True where a settlement was
paid, so that nothing is owed.
"""


class Line(NamedTuple):
    """Give one account beside itself: what it is offered live, and what under the draft."""

    account: str
    reference: str
    client: str
    state: str
    band: str
    owed_cents: int
    live: Headline
    draft: Headline


@dataclass(frozen=True, slots=True)
class Page:
    """Name a range of account ids, as text: behind `after`, up to and with `upto`; None is no bound."""

    after: str | None
    upto: str | None

    def of(self, field: str) -> Q:
        """Select what is in the range by a field."""
        found = Q()
        if self.after is not None:
            found &= Q(**{f"{field}__gt": self.after})
        if self.upto is not None:
            found &= Q(**{f"{field}__lte": self.upto})
        return found


class _Options(NamedTuple):
    payment_options: dict[str, Any]


def frozen(rule_set: RuleSet) -> dict[str, Any]:
    """Copy a rule set as JSON, so that a later change of the draft changes nothing."""
    names = ("version", "enabled", "is_master", "replace_all", *bands.FORM_FIELDS, "bands")
    client = str(rule_set.client_id) if rule_set.client_id else None
    return {"client": client} | {name: getattr(rule_set, name) for name in names}


class Portfolio:
    """The accounts of the acting agency at a moment, with every client's rules compiled once, live and draft.

    A draft of one client changes nothing of another, so only its accounts are read.

    :param at: which rules and offers were in force, and what day it was where a consumer lives.
    :param read_at: how accounts stood; the clock that stamps their rows.
    :param last: the last account id that there was.
    """

    def __init__(self, *, draft: dict[str, Any], at: datetime, read_at: datetime, last: str | None) -> None:
        self.at, self.read_at, self.last = at, read_at, last
        self.client: str | None = draft["client"]
        self.draft = rulesets.value(RuleSet(**_columns(draft)))
        self.clients: dict[str, tuple[str, str]] = {
            str(pk): (number, name) for pk, number, name in Client.objects.values_list("pk", "number", "name")
        }
        self.pairs = self._compile()
        superseded = Q(superseded_at=None) | Q(superseded_at__gt=at)
        self._default = offers.default_of(GlobalOffer.objects.filter(superseded).order_by("version").first())
        self._parts_states: str = Agency.objects.values_list("old_debt_parts_states", flat=True).get(pk=acting())
        self._today: dict[str, date] = {}
        self._allowed: dict[str, Allowed] = {}
        segments = bands.Compiled(self.draft, None).segments
        self._starts = [segment.from_cents for segment in segments]
        self._bands = [_band_key(bands.band_at(self.draft.bands, start)) for start in self._starts]

    def _compile(self) -> dict[str, tuple[bands.Compiled | None, bands.Compiled | None]]:
        """Compile each client's rules, live and draft; what is equal is the same object."""
        clients = [self.client] if self.client else list(self.clients)
        said = rulesets.values_in_force(clients=[UUID(one) for one in clients], now=self.at)
        said = {str(client) if client else None: value for client, value in said.items()}
        known: dict[Any, bands.Compiled | None] = {}

        def compiled(client: bands.RuleSet | None, agency: bands.RuleSet | None) -> bands.Compiled | None:
            if (client, agency) not in known:
                known[client, agency] = bands.compile_rules(client, agency)
            return known[client, agency]

        pairs = {}
        for client in clients:
            live = compiled(said.get(client), said.get(None))
            levels = (self.draft, said.get(None)) if self.client else (said.get(client), self.draft)
            draft = compiled(*levels)
            if live is not None and draft is not None and live.segments == draft.segments:
                draft = live
            pairs[client] = (live, draft)
        return pairs

    def count(self) -> int:
        """Count the accounts that will be compared, as they stand now."""
        return self._live().count()

    def _live(self):
        found = Account.objects.filter(status=Account.Status.OPEN, balance_cents__gt=0)
        if self.last is not None:
            found = found.filter(pk__lte=self.last)
        return found.filter(client=self.client) if self.client else found

    def page(self, after: str | None) -> Page:
        """Give the page behind an account id; its `upto` is None on the last one."""
        behind = Account.objects.filter(Page(after, self.last).of("pk")).order_by("pk")
        upto = behind.values_list(_text("pk"), flat=True)[PAGE - 1 : PAGE].first()
        return Page(after, upto or None)

    def lines(self, page: Page) -> Iterator[tuple]:
        """Compare the accounts of a page, in the order of their ids: plain tuples of what `Line` names."""
        pairs, starts, keys = self.pairs, self._starts, self._bands
        for account, reference, client, state, owed, *given in self.facts(page):
            rules, drafted = pairs[client]
            live = headline(rules, owed, *given)
            draft = live if drafted is rules else headline(drafted, owed, *given)
            band = keys[bisect_right(starts, owed) - 1] if owed <= bands.HIGHEST_CENTS else ""
            yield account, reference, client, state, band, owed, live, draft

    def facts(self, page: Page) -> Iterator[tuple]:
        """Give account, reference, client, state, and what `headline` takes besides the rules."""
        waiting = unposted(after=page.after, upto=page.upto, at=self.at) if unposted else {}
        individual = self._individual(page)
        days, allowances, default = self._today, self._allowed, self._default
        too_old, parts_states = old_debts.no_parts, self._parts_states
        for account, reference, client, owed, listed_on, options, state, zone, sol_status, sol_on in self.rows(page):
            if account in waiting:
                cents, settled = waiting[account]
                owed = 0 if settled else max(0, owed - cents)
            today = days.get(zone) or self._day(zone)
            offer = None
            if account in individual:
                offer = next((said for said, last in individual[account] if last is None or last >= today), None)
            allowed = allowances.get(options) or self._options(options)
            parts = not too_old(state, sol_status, sol_on, today, parts_states)
            yield account, reference, client, state, owed, listed_on, today, offer, default, allowed, parts

    def rows(self, page: Page) -> list[tuple]:
        """Read the accounts that were open with a balance, as they stood; history where they changed since."""
        found = self._live().filter(page.of("pk")).order_by("pk")
        now = found.values_list(
            _text("pk"),
            "reference",
            _text("client_id"),
            "balance_cents",
            Coalesce("listed_on", "assigned_on"),
            _text("payment_options"),
            "consumer__state",
            "consumer__time_zone",
            "sol_status",
            "sol_on",
        )
        past = AccountPast.objects.filter(page.of("account"), until__gt=self.read_at)
        if self.last is not None:
            past = past.filter(account__lte=self.last)
        before = {
            row[0]: row
            for row in past.order_by("account", "until")
            .distinct("account")
            .values_list(
                _text("account_id"),
                "account__reference",
                _text("client_id"),
                "balance_cents",
                Coalesce("listed_on", "account__assigned_on"),
                _text("payment_options"),
                "account__consumer__state",
                "account__consumer__time_zone",
                "account__sol_status",
                "account__sol_on",
                "status",
            )
        }
        if not before:
            return list(now)
        rows = [row for row in now if row[0] not in before]
        for *row, status in before.values():
            if status == Account.Status.OPEN and row[3] > 0 and self.client in (None, row[2]):
                rows.append(tuple(row))
        return sorted(rows)

    def _individual(self, page: Page) -> dict[str, list[tuple[HostSettlement, date | None]]]:
        """Read the individual offers that stood, each account's latest first; the day is the last to accept."""
        standing = IndividualOffer.objects.filter(
            page.of("account"),
            Q(status__in=offers.STANDING) | Q(decided_at__gt=self.at),
            made_at__lte=self.at,
        ).order_by("account", "-made_at", "-pk")
        rows = standing.annotate(key=_text("account_id")).values_list(
            "key", "pk", *(line.name for line in IndividualOffer._meta.concrete_fields), named=True
        )
        found: dict[str, list[tuple[HostSettlement, date | None]]] = {}
        for row in rows.iterator():
            accepted = row.status not in _NEVER_ACCEPTED and (row.status != _ACCEPTED or row.decided_at <= self.at)
            found.setdefault(row.key, []).append((offers.said_by(row), None if accepted else row.expires_on))
        return found

    def _day(self, zone: str) -> date:
        today = self._today[zone] = local_date(self.at, zone)
        return today

    def _options(self, text: str) -> Allowed:
        if len(self._allowed) >= KNOWN:
            self._allowed.clear()
        allowed = self._allowed[text] = offers.allowed(_Options(json.loads(text)))
        return allowed


def _text(field: str) -> Cast:
    """Read as text: making a UUID or reading JSON costs more than all of the comparison."""
    return Cast(F(field), TextField())


def _columns(draft: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in draft.items() if name != "client"} | {"client_id": draft["client"]}


def _band_key(band: bands.Band | None) -> str:
    return f"{band.owing_from_cents}-{band.owing_to_cents}" if band else ""
