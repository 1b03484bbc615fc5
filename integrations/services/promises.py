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
from integrations.hosts import Adapter, BadRecord, Outgoing, Told, adapter
from integrations.models import HostConnection
from integrations.services import judge
from integrations.services.judge import Fate
from integrations.services.receive import decode, words_of
from integrations.services.relay import HERE, Relay

NO_SUCH_ACCOUNT = "quittance-connection-test"
MOST_TRIES = 60
AN_HOUR = timedelta(hours=1)
TEST_KIND = "page.viewed"


class Promise(NamedTuple):
    """Say whether a promise is kept, and what was seen."""

    name: str
    kept: bool
    seen: str


class Broken(AssertionError):
    """What was seen instead."""


class Given(NamedTuple):
    """What became of the events: delivered in this order, parked, and how long it took by the courier's clock."""

    delivered: list[str]
    parked: list[str]
    took: timedelta
    requests: int


class Courier:
    """Deliver events of one account to one endpoint as the drain does, one list at a time, by a clock of its own."""

    def __init__(self, adapter: Adapter, *, now: datetime, inner: http.Networks | None = None) -> None:
        self.adapter, self.now, self.inner = adapter, now, inner

    def deliver(self, messages: dict[str, bytes], *, at_once: int = 1) -> Given:
        """Deliver in order; what must wait moves the clock.

        :raises Broken: after MOST_TRIES nothing more was taken.
        """
        began, delivered, parked, requests = self.now, [], [], 0
        waiting, size, tries = deque(messages), at_once, 0
        while waiting:
            if tries >= MOST_TRIES:
                raise Broken(f"after {tries} tries the host still had not taken {waiting[0]}")
            ids = list(waiting)[:size]
            request = self.adapter.events_request([messages[one] for one in ids])
            limits = {"timeout": settings.HOST_TIMEOUT, "answer_limit": settings.HOST_ANSWER_LIMIT}
            heard = http.ask(request, inner=self.inner, **limits)
            requests += 1
            verdicts = judge.judge(heard, ids, self.adapter).verdicts
            done = 0
            for one, verdict in zip(ids, verdicts, strict=True):
                if verdict.fate not in (Fate.DELIVERED, Fate.PARKED):
                    break
                (delivered if verdict.fate is Fate.DELIVERED else parked).append(one)
                done += 1
            for _one in range(done):
                waiting.popleft()
            tries = 0 if done else tries + 1
            if done < len(ids):
                size = max(1, size // judge.SMALLER)
                self.now = judge.again_at(self.now, tries=tries + 1, retry_after=heard.retry_after)
            else:
                size = at_once
        return Given(delivered, parked, self.now - began, requests)


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
            ("The same record again changes nothing, an older one is ignored", self.stale_push),
            ("An event is taken and named in the answer", self.one_event),
            ("The same event again is harmless", self.duplicate),
            ("Events of one account are taken in their order", self.in_order),
            ("After an error and a request to wait it is taken at a later try", self.after_errors),
            ("After an answer that was lost it is known by its id", self.lost_answer),
            ("A host that hangs up in the middle gets the rest afterwards", self.hung_up),
            ("After an outage of an hour nothing is lost and the order is kept", self.outage),
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

    def stale_push(self) -> str:
        said = self._told().placement
        older = msgspec.structs.replace(said, as_of=said.as_of - AN_HOUR, version=said.version and said.version - 1)
        with transaction.atomic():
            seen = [
                place_accounts(connection_id=self.connection.pk, placements=[one], now=self.now)[0].verdict
                for one in (said, said, older)
            ]
            transaction.set_rollback(True)
        _expect(seen[1:] == ["unchanged", "stale"], f"seen: {', '.join(seen)}")
        return "unchanged, stale"

    # Events -----------------------------------------------------------------------------------------------------

    def one_event(self) -> str:
        given = self._courier().deliver(self._messages(1))
        _expect(len(given.delivered) == 1, "it was refused")
        return f"{given.requests} request"

    def duplicate(self) -> str:
        message = self._messages(1)
        for _time in range(2):
            _expect(self._courier().deliver(message).delivered == list(message), "the second time it was refused")
        return "taken, then known"

    def in_order(self) -> str:
        messages = self._messages(5)
        given = self._courier().deliver(messages, at_once=5)
        _expect(given.delivered == list(messages), "some were refused or left out")
        return "5 of 5"

    def after_errors(self) -> str:
        return self._through(["refuse", "wait", "pass"], 1)

    def lost_answer(self) -> str:
        return self._through(["lose", "pass"], 1)

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
        messages = {first: good[first], bad: b'{"EventID": "' + bad.encode() + b'"}', second: good[second]}
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

    def _courier(self, relay: Relay | None = None) -> Courier:
        words = dataclasses.replace(self.words, base_url=relay.url) if relay else self.words
        return Courier(adapter(self.connection.style, words), now=self.now, inner=HERE if relay else None)

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
            return self.direct.read(decode(heard.body))
        except BadRecord as error:
            raise Broken("; ".join(f"{one.pointer}: {one.message}" for one in error.errors[:3])) from error
        except ValueError as error:
            raise Broken(f"not a record: {error}"[:200]) from error

    def _ask(self, request) -> http.Heard:
        return http.ask(request, timeout=settings.HOST_TIMEOUT, answer_limit=settings.HOST_ANSWER_LIMIT)


def _expect(holds: object, seen: str) -> None:
    if not holds:
        raise Broken(seen)
