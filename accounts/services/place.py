"""Place accounts as their host tells them: set-wise, idempotent, never an older picture over a newer one.

A chunk of placements is one transaction of about fifteen statements whatever its size. Accounts of one connection
are placed by one transaction at a time, and their rows are locked, so `account_seq` stays dense.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from accounts import events, statuses
from accounts.bulk import blank, in_one, read_rows, set_foreign, update_rows, write_rows
from accounts.keys import reference_key
from accounts.known import known
from accounts.models import Account, Agency, Client, Visit
from accounts.placement import Part, Placement
from accounts.services import consent, visits
from accounts.services.link import People, tells_of_people
from accounts.tenancy import acting

CHUNK = 500
"""Accounts in one transaction: long enough to be fast, short enough to let a paying consumer through."""

COLUMNS = tuple(
    name
    for name in Placement.__struct_fields__
    if name not in ("reference", "client_number", "client_name", "person", "contacts", "version", "part", "reopened")
)
ALWAYS = frozenset({"as_of", "body_hash", "line_hash"})
"""What also an update of some fields tells."""
WRITTEN = frozenset({"updated_at", "event_seq"})
"""Columns that every placement writes, beside those it changes."""
QUIET = ("as_of", "body_hash", "line_hash", "balance_cents", "status")
"""Columns whose change is no `account.updated`: a newer look at the same facts, or an event of their own."""

LOOKED_AGAIN = """
UPDATE accounts_account SET as_of = said.as_of FROM unnest(%s::uuid[], %s::timestamptz[]) AS said(id, as_of)
WHERE accounts_account.id = said.id
"""

HELD = "agency_id = %s AND connection_id = %s AND reference = ANY(%s::text[]) ORDER BY id FOR NO KEY UPDATE"

on_status: list[Callable[..., None]] = []
"""Port: called in the transaction that places a new status, with `account`, `before`, `after` and `now`."""

CARD_FACTS = ("original_creditor", "description", "contract_on")
"""CARD-02: without each of these a card is not accepted (the reference is always there)."""


@dataclass(slots=True)
class Outcome:
    """What became of one placement, and its account.

    `placed`, `updated`, `unchanged`, `stale`, `conflict`, `future` (nobody can have seen it yet), `finished` (it ended
    here, RF-27), or of an update of some fields `unknown` (no such account) and `unknown_client`.
    """

    placement: Placement
    verdict: str
    account: Account | None = None
    changed: set[str] = field(default_factory=set)
    before: dict[str, Any] = field(default_factory=dict)

    @property
    def applied(self) -> bool:
        return self.verdict in ("placed", "updated")


def place_accounts(
    *,
    connection_id: UUID,
    placements: Iterable[Placement],
    now: datetime,
    at_once: int = CHUNK,
    then: Callable[[list[Outcome]], None] | None = None,
    refuse_reopening: Callable[[list[Outcome]], list[Outcome]] | None = None,
) -> list[Outcome]:
    """Place accounts of one host connection, in chunks; return an outcome for each placement, in order.

    An account that comes twice is placed twice, in the order given.

    :param at_once: accounts in one transaction.
    :param refuse_reopening: asked which accounts that ended must not be collected again; without it none is refused.
    :param then: called with each chunk's applied outcomes, inside the chunk's transaction.
    """
    placements = list(placements)
    outcomes: list[Outcome | None] = [None] * len(placements)
    for turn in _turns(placements):
        for start in range(0, len(turn), at_once):
            chunk = turn[start : start + at_once]
            with transaction.atomic():
                placing = _Chunk(connection_id, [placements[index] for index in chunk], now)
                made = placing.place(refuse_reopening)
                if then is not None:
                    then([outcome for outcome in made if outcome.applied])
            for index, outcome in zip(chunk, made, strict=True):
                outcomes[index] = outcome
    return outcomes


def _turns(placements: list[Placement]) -> list[list[int]]:
    """Split positions so that no account comes twice in a turn."""
    seen: Counter[str] = Counter()
    turns: list[list[int]] = []
    for index, placement in enumerate(placements):
        turn = seen[placement.reference]
        seen[placement.reference] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(index)
    return turns


def latest(now: datetime) -> datetime:
    """Give the latest moment of which a host may have a picture; one of a later moment is a typing error."""
    return now + timedelta(hours=settings.AS_OF_AHEAD_HOURS)


def verdict(placement: Placement, account: Account | None, *, now: datetime) -> str:
    """Judge a placement against what we have: by version where both have one, else by as-of time."""
    if placement.as_of > latest(now):
        return "future"
    if account is None:
        return "unknown" if placement.part else "placed"
    if placement.version is not None and account.host_version is not None:
        newer = placement.version - account.host_version
    elif account.as_of > latest(now):
        newer = 1  # a typing error from before such were refused must not bar what is told now
    else:
        newer = (placement.as_of > account.as_of) - (placement.as_of < account.as_of)
    if newer < 0:
        return "stale"
    if newer > 0:
        return "updated"
    return "unchanged" if placement.body_hash == account.body_hash else "conflict"


def _names_client(part: Part | None) -> bool:
    return part is not None and "client_number" in part.columns


def _reopens(outcome: Outcome) -> bool:
    """Tell whether a placement would collect a debt again that ended here (RF-27)."""
    part, account = outcome.placement.part, outcome.account
    names = part is None or "status" in part.columns
    return bool(account and outcome.applied and names and statuses.reopens(account.status, outcome.placement.status))


@known
def _agency(agency_id: UUID) -> QuerySet[Agency]:
    return Agency.objects.filter(pk=agency_id)


@known
def _of_numbers(connection_id: UUID, numbers: Sequence[str]) -> QuerySet[Client]:
    return Client.objects.filter(connection_id=connection_id, number__in=numbers)


@known
def _visiting(consumers: Sequence[UUID]) -> QuerySet:
    return Visit.objects.filter(consumer_id__in=consumers, ended_at__isnull=True).values_list("consumer_id", flat=True)


@known
def _event_seq(account_id: UUID) -> QuerySet:
    return Account.objects.filter(pk=account_id).values_list("event_seq", flat=True)


class _Chunk:
    """Place up to CHUNK accounts, no reference twice, inside the caller's transaction."""

    def __init__(self, connection_id: UUID, placements: list[Placement], now: datetime) -> None:
        self.connection_id, self.placements, self.now = connection_id, placements, now
        self.agency = _agency.get(UUID(acting()))
        self.facts: list[tuple[str, Account, dict[str, Any]]] = []
        self.statuses: list[tuple[Account, str]] = []

    def place(self, refuse_reopening: Callable[[list[Outcome]], list[Outcome]] | None) -> list[Outcome]:
        with connection.cursor() as cursor:
            # Two pushes of one connection at once would both insert the same new account.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(self.connection_id)])
        if any(map(tells_of_people, self.placements)):
            consent.addresses_together(self.agency.pk)
        references = in_one(placement.reference for placement in self.placements)
        held = read_rows(Account, HELD, self.agency.pk, self.connection_id, references)
        standing = {account.reference: account for account in held}
        outcomes = [
            Outcome(placement, verdict(placement, account, now=self.now), account)
            for placement in self.placements
            for account in [standing.get(placement.reference)]
        ]
        self._refuse_unknown_clients(outcomes)
        if refuse_reopening and (asked := [outcome for outcome in outcomes if _reopens(outcome)]):
            for outcome in refuse_reopening(asked):
                outcome.verdict = "finished"
        if applied := [outcome for outcome in outcomes if outcome.applied]:
            self._apply(applied)
        self._confirm(outcomes)
        return outcomes

    def _confirm(self, outcomes: list[Outcome]) -> None:
        """Take over a newer AsOf of what is unchanged: the host looked again, so the picture is fresh (STS-07)."""
        last = latest(self.now)
        fresh = {
            outcome.account.pk: outcome.placement.as_of
            for outcome in outcomes
            if outcome.verdict == "unchanged"
            and (outcome.placement.as_of > outcome.account.as_of or outcome.account.as_of > last)
        }
        if not fresh:
            return
        with connection.cursor() as cursor:
            cursor.execute(LOOKED_AGAIN, [in_one(fresh), in_one(fresh.values())])

    def _refuse_unknown_clients(self, outcomes: list[Outcome]) -> None:
        """Let no update of some fields make a client: a typing error would hide the creditor's name."""
        moving = [outcome for outcome in outcomes if outcome.applied and _names_client(outcome.placement.part)]
        if not moving:
            return
        numbers = {outcome.placement.client_number for outcome in moving}
        there = {client.number for client in _of_numbers(self.connection_id, list(numbers))}
        for outcome in moving:
            if outcome.placement.client_number not in there:
                outcome.verdict = "unknown_client"

    def _apply(self, applied: list[Outcome]) -> None:
        clients = self._clients(applied)
        made = {id(outcome) for outcome in applied if outcome.account is None}
        for outcome in applied:
            outcome.account = outcome.account or self._new_account(outcome.placement)
        people = People(
            agency=self.agency,
            connection_id=self.connection_id,
            chunk=[(outcome.placement, outcome.account, id(outcome) in made) for outcome in applied],
            now=self.now,
        )
        for outcome in applied:
            self._write(outcome, clients.get(outcome.placement.client_number), people, is_new=id(outcome) in made)
        people.save()
        # The events take their places first, so that one statement writes the accounts with what they count.
        told = events.prepare(self.facts, now=self.now)
        write_rows(Account, [outcome.account for outcome in applied if id(outcome) in made])
        standing = [outcome for outcome in applied if id(outcome) not in made]
        changed = WRITTEN.union(*(outcome.before for outcome in standing)) - {"id"}
        update_rows(Account, sorted((one.account for one in standing), key=lambda account: account.id.int), changed)
        events.write_prepared(told)
        self._tell_statuses()
        for consumer_id in set(_visiting(list(people.moved))) if people.moved else ():
            visits.end_all_of(consumer_id=consumer_id, reason="relinked", now=self.now)

    def _tell_statuses(self) -> None:
        """Let the floors above act on new statuses before anybody else can read them (STS-07)."""
        for account, before in sorted(self.statuses, key=lambda pair: pair[0].pk):
            for hook in on_status:
                hook(account=account, before=before, after=account.status, now=self.now)
            # They write events of their own, and more may follow in this transaction.
            account.event_seq = _event_seq.get(account.pk)

    def _new_account(self, placement: Placement) -> Account:
        return blank(
            Account,
            agency_id=self.agency.pk,
            connection_id=self.connection_id,
            reference=placement.reference,
            reference_key=reference_key(placement.reference),
            currency=self.agency.currency,
        )

    def _clients(self, applied: list[Outcome]) -> dict[str, Client]:
        names: dict[str, str] = {}
        for placement in (outcome.placement for outcome in applied):
            if placement.part is None:
                names[placement.client_number] = placement.client_name
            elif _names_client(placement.part):
                # An update that names only the number moves the account; it does not rename the client.
                names.setdefault(placement.client_number, placement.client_name)
        clients = {client.number: client for client in _of_numbers(self.connection_id, list(names))}
        missing = [
            Client(connection_id=self.connection_id, number=number, name=name)
            for number, name in names.items()
            if number not in clients
        ]
        clients |= {client.number: client for client in Client.objects.bulk_create(missing)}
        for number, client in clients.items():
            if names[number] and client.name != names[number]:
                client.name = names[number]
                client.save(update_fields=["name"])
        return clients

    def _write(self, outcome: Outcome, client: Client | None, people: People, *, is_new: bool) -> None:
        """Fill the account row and note the events that its changes are."""
        placement, account = outcome.placement, outcome.account
        before: dict[str, Any] = {} if is_new else {"consumer_id": account.consumer_id}
        about_them = people.link(placement, account, is_new=is_new)
        if not is_new and account.consumer_id == before["consumer_id"]:
            del before["consumer_id"]
        part = placement.part
        names = COLUMNS if part is None else ALWAYS | part.columns.intersection(COLUMNS)
        wanted = {name: getattr(placement, name) for name in names}
        if part is None or placement.version is not None:
            wanted["host_version"] = placement.version
        if part is None or _names_client(part):
            wanted["client_id"] = client.pk
        if part is not None and "payment_options" in wanted:
            merged = account.payment_options | placement.payment_options
            wanted["payment_options"] = {name: value for name, value in merged.items() if value is not None}
        stands = account.__dict__
        for name, value in wanted.items():
            if is_new or stands[name] != value:
                before[name] = stands.get(name)
        stands.update(wanted)
        if "client_id" in wanted:
            set_foreign(account, "client", client)
        stands["updated_at"] = self.now
        outcome.before = before
        outcome.changed = (set(before) - {"host_version"}) | about_them
        self._note(outcome, before, is_new=is_new)

    def _note(self, outcome: Outcome, before: dict[str, Any], *, is_new: bool) -> None:
        account = outcome.account
        about = {"reference": account.reference, "as_of": account.as_of.isoformat()}
        if is_new:
            said = {"client": account.client.name, "balance_cents": account.balance_cents, "status": account.status}
            said |= {"currency": account.currency, "host_status": account.host_status}
            self.facts.append(("account.placed", account, about | said))
        else:
            self._note_changes(outcome, before, about)
        missing = [name for name in CARD_FACTS if not getattr(account, name)]
        missed = [name for name in CARD_FACTS if not before.get(name, getattr(account, name))]
        if missing and (is_new or missing != missed):
            self.facts.append(("account.card_disabled", account, about | {"missing": missing}))

    def _note_changes(self, outcome: Outcome, before: dict[str, Any], about: dict[str, Any]) -> None:
        account = outcome.account
        if "balance_cents" in before:
            sums = {"before_cents": before["balance_cents"], "after_cents": account.balance_cents}
            self.facts.append(("balance.changed", account, about | sums | {"currency": account.currency}))
        if "status" in before:
            self.statuses.append((account, before["status"]))
            words = {"before": before["status"], "after": account.status, "host_status": account.host_status}
            if why := outcome.placement.reopened:
                words["reopened"] = why
            self.facts.append(("account.status_changed", account, about | words))
            if account.status == Account.Status.RECALLED:
                self.facts.append(("account.recalled", account, about))
        if names := sorted(outcome.changed.difference(QUIET)):
            self.facts.append(("account.updated", account, about | {"changed": names}))
