"""Ask a host's endpoint, promise by promise, whether it keeps what every host must keep (the connector kit).

It uses the connection's adapter and the rules by which the drain judges answers, with test events that are stored
nowhere and a clock of its own: an outage of an hour takes a second. What it sends is about one test account. Records
are placed in a transaction that is undone.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from accounts.services.place import place_accounts
from accounts.tenancy import uuid7
from integrations import http
from integrations.hosts import Adapter, Outgoing, Told, adapter
from integrations.models import HostConnection
from integrations.services import judge
from integrations.services.judge import Fate
from integrations.services.receive import decode, read_row, words_of
from integrations.services.relay import HERE, Relay

NO_SUCH_ACCOUNT = "quittance-connection-test"
MOST_TRIES = 60
AN_HOUR = timedelta(hours=1)
PATIENCE = 3.0
"""Seconds for an answer where one is kept back on purpose."""
TEST_KIND = "page.viewed"


class Promise(NamedTuple):
    """Say whether a promise is kept, and what was seen."""

    name: str
    kept: bool
    seen: str


class Broken(AssertionError):
    """What was seen instead."""


class Given(NamedTuple):
    """What became of the events: delivered in this order, some of them known before, parked; and how long it took."""

    delivered: list[str]
    known: list[str]
    parked: list[str]
    took: timedelta
    requests: int


class Courier:
    """Deliver events of one account to one endpoint as the drain does, one list at a time, by a clock of its own."""

    def __init__(
        self, adapter: Adapter, *, now: datetime, inner: http.Networks | None = None, patience: float | None = None
    ) -> None:
        self.adapter, self.now, self.inner = adapter, now, inner
        self.patience = patience or settings.HOST_TIMEOUT

    def deliver(self, messages: dict[str, bytes], *, at_once: int = 1) -> Given:
        """Deliver in order; what must wait moves the clock.

        :raises Broken: after MOST_TRIES nothing more was taken.
        """
        began, delivered, known, parked, requests = self.now, [], [], [], 0
        waiting, size, tries = deque(messages), at_once, 0
        while waiting:
            if tries >= MOST_TRIES:
                raise Broken(f"after {tries} tries the host still had not taken {waiting[0]}")
            ids = list(waiting)[:size]
            request = self.adapter.events_request([messages[one] for one in ids])
            limits = {"timeout": self.patience, "answer_limit": settings.HOST_ANSWER_LIMIT}
            heard = http.ask(request, inner=self.inner, **limits)
            requests += 1
            verdicts = judge.judge(heard, ids, self.adapter).verdicts
            done = 0
            for one, verdict in zip(ids, verdicts, strict=True):
                if verdict.fate not in (Fate.DELIVERED, Fate.PARKED):
                    break
                (delivered if verdict.fate is Fate.DELIVERED else parked).append(one)
                # A host may name an event that it knows by 409 too.
                if verdict.result.known if verdict.result else verdict.fate is Fate.DELIVERED:
                    known.append(one)
                done += 1
            for _one in range(done):
                waiting.popleft()
            tries = 0 if done else tries + 1
            if done < len(ids):
                size = max(1, size // judge.SMALLER)
                self.now = judge.again_at(self.now, tries=tries + 1, retry_after=heard.retry_after)
            else:
                size = at_once
        return Given(delivered, known, parked, self.now - began, requests)


class Check:
    """The promises of one connection, in order."""

    def __init__(self, *, connection: HostConnection, reference: str, now: datetime) -> None:
        self.connection, self.reference, self.now = connection, reference, now
        self.words = words_of(connection)
        self.direct = adapter(connection.style, self.words)
        self.sequence = 0

    def promises(self) -> Iterator[Promise]:
        """Ask one after another; a broken one does not stop the others."""
        kept: list[tuple[str, Callable[[], str]]] = [
            ("A wrong key is refused", self.wrong_key),
            ("An account that does not exist is not found", self.no_such_account),
            ("The test account is told in this style", self.record),
            ("Its record can be taken twice, and an older one is told apart", self.record_twice),
            ("An event is taken and named in the answer", self.one_event),
            ("The same event again is known by its id", self.duplicate),
            ("So is one that is told again after later ones", self.replay),
            ("A list is answered event by event", self.listed),
            ("After an error and a request to wait it is taken at a later try", self.after_errors),
            ("After an answer that was lost it is known by its id", self.lost_answer),
            ("So it is after an answer that came too late", self.late_answer),
            ("A host that hangs up in the middle gets the rest afterwards", self.hung_up),
            ("After an outage of an hour nothing is lost", self.outage),
            ("What the host cannot read is refused, the rest is taken", self.poison),
        ]
        for name, ask in kept:
            try:
                yield Promise(name, True, ask())
            except Broken as broken:
                yield Promise(name, False, str(broken))

    # Requests ---------------------------------------------------------------------------------------------------

    def wrong_key(self) -> str:
        wrong = adapter(self.connection.style, dataclasses.replace(self.words, outbound_key="not-the-key"))
        for request in (wrong.account_request(self.reference), wrong.events_request([self._message()[1]])):
            status = self._ask(request).status
            _expect(status in (401, 403), f"answered HTTP {status} to a wrong key")
        return "401 or 403, for records and events"

    def no_such_account(self) -> str:
        status = self._ask(self.direct.account_request(NO_SUCH_ACCOUNT)).status
        _expect(status == 404, f"answered HTTP {status}")
        return "404"

    def record(self) -> str:
        told = self._told()
        said = told.placement
        _expect(said.reference == self.reference, f"told {said.reference} when {self.reference} was asked for")
        _expect(said.status != "unmapped", f"its status {said.host_status!r} is not in the connection's status map")
        return f"status {said.host_status}, as of {said.as_of:%Y-%m-%d %H:%M:%S} UTC"

    def record_twice(self) -> str:
        records = [self._told().placement for _time in range(2)]
        first = records[0]
        older = msgspec.structs.replace(first, as_of=first.as_of - AN_HOUR, version=first.version and first.version - 1)
        with transaction.atomic():
            seen = [
                place_accounts(connection_id=self.connection.pk, placements=[one], now=self.now)[0].verdict
                for one in (*records, older)
            ]
            transaction.set_rollback(True)
        good = {"placed", "updated", "unchanged"}
        _expect({*seen[:2]} <= good and seen[2] == "stale", f"seen: {', '.join(seen)}")
        return ", ".join(seen)

    # Events -----------------------------------------------------------------------------------------------------

    def one_event(self) -> str:
        given = self._courier().deliver(self._messages(1))
        _expect(len(given.delivered) == 1, "it was refused")
        return f"{given.requests} request"

    def duplicate(self) -> str:
        message = self._messages(1)
        self._courier().deliver(message)
        return self._known(self._courier().deliver(message), message)

    def replay(self) -> str:
        messages = self._messages(3)
        self._courier().deliver(messages)
        first = dict(list(messages.items())[:1])
        return self._known(self._courier().deliver(first), first)

    def listed(self) -> str:
        messages = self._messages(5)
        given = self._courier().deliver(messages, at_once=5)
        _expect(given.delivered == list(messages), "some were refused or left out")
        _expect(given.requests == 1, f"it took {given.requests} requests")
        return "5 of 5 in one request"

    def after_errors(self) -> str:
        return self._through(["refuse", "wait", "pass"], 1)

    def lost_answer(self) -> str:
        return self._known_through("lose")

    def late_answer(self) -> str:
        return self._known_through("late")

    def hung_up(self) -> str:
        return self._through(["pass", "down", "lose", "pass"], 4)

    def outage(self) -> str:
        with Relay(self.words.base_url).running() as relay:
            messages = self._messages(6)
            courier = self._courier(relay)
            began = courier.now
            # As many tries as fit into an hour of the schedule's waits.
            relay.script = ["down"] * 9
            given = courier.deliver(messages, at_once=3)
            _expect(given.delivered == list(messages), "some were lost")
            _expect(courier.now - began >= AN_HOUR, f"the schedule took only {courier.now - began}")
        return f"6 of 6, {given.took.total_seconds() / 60:.0f} minutes by the clock"

    def poison(self) -> str:
        good, bad = self._messages(2), f"{uuid7()}"
        first, second = good
        # Nothing of an event but its id, under the name that this style has for it.
        whole = msgspec.json.decode(good[first])
        nothing = {name: bad for name, value in whole.items() if value == first}
        messages = {first: good[first], bad: msgspec.json.encode(nothing), second: good[second]}
        given = self._courier().deliver(messages, at_once=3)
        _expect(given.parked == [bad], f"parked: {given.parked or 'nothing'}")
        _expect(given.delivered == [first, second], "a good one beside it was not taken")
        return "1 refused, 2 taken"

    # ------------------------------------------------------------------------------------------------------------

    def _through(self, script: list[str], count: int) -> str:
        with Relay(self.words.base_url).running() as relay:
            relay.script = list(script)
            messages = self._messages(count)
            given = self._courier(relay).deliver(messages)
            _expect(given.delivered == list(messages), "some were refused")
        return f"{count} of {count} in {given.requests} requests"

    def _known_through(self, turn: str) -> str:
        """Have the host take an event whose answer does not come, and hear that it knows it."""
        with Relay(self.words.base_url).running() as relay:
            relay.script = [turn, "pass"]
            message = self._messages(1)
            return self._known(self._courier(relay, patience=PATIENCE).deliver(message), message)

    def _known(self, given: Given, messages: dict[str, bytes]) -> str:
        _expect(given.delivered == list(messages), "the second time it was refused")
        _expect(given.known == list(messages), "it was taken a second time, as if it were another")
        return "taken, then known"

    def _courier(self, relay: Relay | None = None, *, patience: float | None = None) -> Courier:
        words = dataclasses.replace(self.words, base_url=relay.url) if relay else self.words
        inner = HERE if relay else None
        return Courier(adapter(self.connection.style, words), now=self.now, inner=inner, patience=patience)

    def _messages(self, count: int) -> dict[str, bytes]:
        return dict(self._message() for _one in range(count))

    def _message(self) -> tuple[str, bytes]:
        self.sequence += 1
        event = Outgoing(
            id=UUID(str(uuid7())),
            sequence=self.sequence,
            account_sequence=None,
            reference=self.reference,
            kind=TEST_KIND,
            occurred_at=self.now,
            committed_at=self.now,
            data={"v": 1, "page": "connection check", "test": True},
        )
        return str(event.id), msgspec.json.encode(self.direct.write(event))

    def _told(self) -> Told:
        heard = self._ask(self.direct.account_request(self.reference))
        _expect(heard.status == 200, f"answered HTTP {heard.status} {heard.error}".strip())
        try:
            row = read_row(self.direct.read, decode(heard.body), self.connection.agency_id)
        except ValueError as error:
            raise Broken(f"not a record: {error}"[:200]) from error
        if row.told is None:
            raise Broken("; ".join(f"{one.pointer}: {one.message}" for one in row.errors[:3]))
        return row.told

    def _ask(self, request) -> http.Heard:
        return http.ask(request, timeout=settings.HOST_TIMEOUT, answer_limit=settings.HOST_ANSWER_LIMIT)


def _expect(holds: object, seen: str) -> None:
    if not holds:
        raise Broken(seen)
