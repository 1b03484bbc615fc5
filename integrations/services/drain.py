"""Drain deliveries: many hosts and endpoints at once, order per account, a failing one in nobody's way (EVT-02).

One drain owns the lanes it has locked (PostgreSQL advisory locks of its own session: they end with it), reads up to a
thousand due deliveries, and keeps a chain per account: the next of a chain goes only when the host has answered the
one before. A request carries the heads of many chains. What the host took is written in one statement; a crash before
that sends again, and the host knows the event by its id. No transaction is open while the network is used.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from accounts import events
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import http
from integrations.services import judge, parcels, receivers, redeliver
from integrations.services.judge import Fate
from integrations.services.parcels import Attempt, Parcel
from integrations.services.receivers import EVENTS_PER_REQUEST, Line
from integrations.services.route import LANES, route
from payments import crash
from payments.services import postdates

log = logging.getLogger(__name__)

LOCK_SPACE = 0x0A17
"""First half of the advisory lock; the lane is the second."""
CLAIMED_AT_ONCE = 1_000
READ_AHEAD = 500
"""With so many of a lane in hand nothing more of it is read: a slow host's backlog stays in the database."""
LOOK_EVERY = timedelta(seconds=1)
"""The drain looks for what no wake told: a crash's leftovers, retries that fall due, other people's changes."""
Listen = Callable[[float], bool]


class LaneLost(RuntimeError):
    """Stop: the session that held the lanes is gone, and another drain may own them."""


class Drain:
    """Route and deliver until there is nothing to do, or until `run`'s time is over."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.wire = http.Wire()
        self.lines: dict[UUID, Line] = {}
        self.chains: dict[tuple, deque[Parcel]] = {}
        self.loaded: dict[int, set[UUID]] = defaultdict(set)
        self.lanes: set[int] = set()
        self.wanted: set[int] = set()
        self.more: dict[int, int] = {}
        """Lanes of which not everything was read, and how few in hand ask for the rest."""
        self.done: list[Attempt] = []
        self.granted: list[tuple[Parcel, bool, str]] = []
        self.session: object = None
        self.look_at = clock()
        self.delivered = 0

    def run(
        self, *, listen: Listen | None = None, linger: float = 0.0, longest: float = 0.0, outage: float = 0.0
    ) -> int:
        """Drain; with `listen` wait for wakes, and stop after `linger` seconds of quiet or `longest` seconds in all.

        Without `listen` it stops when nothing is due. Returns how many deliveries hosts took.

        :param listen: waits up to so many seconds for a wake; true when one came. It may say that it is `deaf`.
        :param outage: while it is deaf go on for so many seconds in all: nobody could start the next drain.
        """
        started = since = quiet_since = self.clock()
        woken = True
        try:
            with acting_for(ALL_AGENCIES):
                while True:
                    worked = self._turn(woken)
                    now = self.clock()
                    if getattr(listen, "deaf", False) and (now - started).total_seconds() < outage:
                        # Afterwards it stays as long as ever: a worker needs a while to find its broker again.
                        since = quiet_since = now
                    if worked or self.wire:
                        quiet_since = now
                    elif listen is None or (now - quiet_since).total_seconds() >= linger:
                        return self.delivered
                    over = longest and (now - since).total_seconds() >= longest
                    if (over or getattr(listen, "stopped", False)) and not self.wire:
                        return self.delivered
                    woken = self._pause(listen, worked)
        finally:
            self._let_go()

    def _pause(self, listen: Listen | None, worked: bool) -> bool:
        if self.wire:
            for batch, heard in self.wire.wait(0.01 if listen else 0.05):
                self._hear(batch, heard)
            return bool(listen and listen(0.0))
        if worked or listen is None:
            return False
        # Until the next look, so that one begins every second, however long the last one took.
        return listen(max(0.0, (self.look_at - self.clock()).total_seconds()))

    def _turn(self, woken: bool) -> bool:
        """Route, claim, send, write down; true when there was something to do."""
        now = self.clock()
        worked = False
        if woken or now >= self.look_at:
            routed = route(now=now)
            self.wanted |= {delivery.lane for delivery in routed.deliveries}
            if now >= self.look_at:
                self._look(now)
            worked = routed.events > 0
            if routed.more:
                self.look_at = now
        # The next of each chain first; then what hosts said must be written before anything is claimed again.
        self._send(now)
        worked |= self._write_down(now)
        self._want_more()
        worked |= self._claim(now)
        self._send(now)
        worked |= self._write_down(now)
        self._release(now)
        return worked

    def _look(self, now: datetime) -> None:
        """Learn of changed connections and of lanes with something due."""
        self.look_at = now + LOOK_EVERY
        for pk, found in receivers.look_up(self.clock).items():
            if known := self.lines.get(pk):
                known.row, known.adapter, known.most = found.row, found.adapter, found.most
            else:
                self.lines[pk] = found
        self.wanted |= redeliver.advance(now=now)
        self.wanted |= parcels.due_lanes(range(LANES), blocked=self._blocked(now), now=now)

    def _blocked(self, now: datetime) -> list[UUID]:
        return [pk for pk, line in self.lines.items() if line.blocked(now)]

    # Claim and send ---------------------------------------------------------------------------------------------

    def _want_more(self) -> None:
        """Read on in lanes that run dry, many at once: to read one takes nearly as long as to read all."""
        dry = {lane for lane, few in self.more.items() if len(self.loaded[lane]) <= few}
        if 2 * len(dry) >= len(self.more):
            self.wanted |= dry

    def _claim(self, now: datetime) -> bool:
        if not self.wanted:
            return False
        if missing := self.wanted - self.lanes:
            self._lock(missing)
        mine = {lane for lane in self.wanted & self.lanes if len(self.loaded[lane]) < READ_AHEAD}
        self.wanted = set()
        if not mine:
            return False
        known = [delivery_id for lane in mine for delivery_id in self.loaded[lane]]
        limit = max(CLAIMED_AT_ONCE // len(mine), EVENTS_PER_REQUEST // 4)
        found = parcels.claim(mine, known=known, blocked=self._blocked(now), now=now, limit=limit)
        came = Counter(parcel.lane for parcel in found)
        for lane in mine:
            self.more.pop(lane, None)
            if came[lane] >= limit:
                self.more[lane] = limit // 2
        if unknown := {parcel.receiver_id for parcel in found} - set(self.lines):
            self.lines |= receivers.look_up(self.clock, unknown)
        for parcel in found:
            self.loaded[parcel.lane].add(parcel.id)
            if parcel.chain not in self.chains:
                self.chains[parcel.chain] = deque()
                self.lines[parcel.receiver_id].heads[parcel.chain] = None
            self.chains[parcel.chain].append(parcel)
        if found:
            crash.point("after_claim")
        return bool(found)

    def _lock(self, lanes: set[int]) -> None:
        if not self.lanes:
            self.session = None
        sql = "SELECT lane FROM unnest(%s::int[]) AS lane WHERE pg_try_advisory_lock(%s, lane)"
        with connection.cursor() as cursor:
            cursor.execute(sql, [sorted(lanes), LOCK_SPACE])
            got = {lane for (lane,) in cursor.fetchall()}
        self._same_session()
        self.lanes |= got

    def _same_session(self) -> None:
        """Refuse to go on with a session that is not the one that holds the locks.

        :raises LaneLost: Django reconnected.
        """
        if self.session is None:
            self.session = connection.connection
        if self.session is not connection.connection:
            raise LaneLost("The database session that held the lanes has ended.")

    def _send(self, now: datetime) -> None:
        for line in self.lines.values():
            while line.heads and line.room > 0 and not line.blocked(now):
                batch = self._batch(line)
                line.flying += 1
                try:
                    request = line.adapter.events_request(parcels.write(batch, line.adapter))
                except Exception as error:
                    # What one receiver cannot be told is no other one's matter: it counts as no answer.
                    log.exception("events_not_written", extra={"receiver": str(line.row.pk)})
                    self._hear((line, batch), http.Heard(0, b"", "", f"not written: {type(error).__name__}", 0.0))
                    continue
                self.wire.send((line, batch), request, timeout=settings.HOST_TIMEOUT, answer_limit=line.answer_limit)

    def _batch(self, line: Line) -> list[Parcel]:
        """Take the first of many chains; what failed before goes in smaller company, so a bad event ends up alone.

        A probe takes what failed least, so that one bad event cannot keep the circuit open for all others.
        """
        heads = list(line.heads)
        most = line.most
        if line.row.unreachable_since is not None:
            heads, most = sorted(heads, key=lambda chain: self.chains[chain][0].attempts), 1
        batch: list[Parcel] = []
        for chain in heads:
            parcel = self.chains[chain][0]
            fits = max(1, line.most // judge.SMALLER ** min(parcel.attempts, 9))
            if len(batch) >= min(most, fits):
                continue
            most = min(most, fits)
            batch.append(parcel)
            del line.heads[chain]
            if len(batch) >= most:
                break
        return batch

    # Hear and write down ----------------------------------------------------------------------------------------

    def _hear(self, key: tuple[Line, list[Parcel]], heard: http.Heard) -> None:
        crash.point("after_host_answer")
        line, batch = key
        line.flying -= 1
        now = self.clock()
        heard, judged = self._judged(line, batch, heard)
        if not judged.host_failed:
            if receivers.succeeded(line, now=now):
                self.look_at = now
        elif receivers.failed(line, heard, judged, now=now):
            for chain in list(line.heads):
                self._drop(chain)
            line.heads.clear()
        answer = heard.error or (
            "" if heard.status == 200 else heard.body[: parcels.ANSWER_KEPT].decode("utf-8", "replace")
        )
        clean = parcels.without_numbers if any(parcel.method_id for parcel in batch) else str
        for parcel, verdict in zip(batch, judged.verdicts, strict=True):
            fate, reason = self._fate(line, parcel, verdict)
            status = fate.value if fate in (Fate.DELIVERED, Fate.PARKED) else "waiting"
            next_at = self._next_at(line, parcel, fate, heard, now)
            said, reason = clean(parcels.storable(answer or reason)), clean(parcels.storable(reason))
            self.done.append(Attempt(parcel, status, next_at, reason, heard.status, heard.duration_ms, said))
            if verdict.result is not None and verdict.result.taken and verdict.result.granted is not None:
                self.granted.append((parcel, verdict.result.granted, reason))
            self._advance(line, parcel, delivered=fate is Fate.DELIVERED)

    def _judged(self, line: Line, batch: list[Parcel], heard: http.Heard) -> tuple[http.Heard, judge.Judgement]:
        """Judge an answer; one that cannot be judged is none, and stops nobody else."""
        ids = [parcel.message_id for parcel in batch]
        try:
            return heard, judge.judge(heard, ids, line.adapter, line.policy)
        except Exception as error:
            log.exception("answer_not_judged", extra={"receiver": str(line.row.pk)})
            heard = heard._replace(status=0, error=f"not understood: {type(error).__name__}")
            return heard, judge.judge(heard, ids, line.adapter, line.policy)

    def _fate(self, line: Line, parcel: Parcel, verdict: judge.Verdict) -> tuple[Fate, str]:
        """Give up on an event that had all its tries, but not while the receiver as a whole is down."""
        tries = parcel.attempts + 1
        alone = verdict.fate is Fate.AGAIN and line.row.unreachable_since is None
        if alone and judge.given_up(tries=tries, policy=line.policy):
            return Fate.PARKED, f"given up after {tries} tries: {verdict.reason}"
        return verdict.fate, verdict.reason

    def _next_at(self, line: Line, parcel: Parcel, fate: Fate, heard: http.Heard, now: datetime) -> datetime:
        match fate:
            case Fate.SPLIT if heard.status in (*judge.PERMANENT, 409):
                return now
            case Fate.SPLIT:
                return judge.list_again_at(now, retry_after=heard.retry_after)
            case Fate.AGAIN if line.row.unreachable_since is not None:
                return line.row.probe_at or now
            case Fate.AGAIN:
                tries = parcel.attempts + 1
                return judge.again_at(now, tries=tries, retry_after=heard.retry_after, policy=line.policy)
        return now

    def _advance(self, line: Line, parcel: Parcel, *, delivered: bool) -> None:
        """Let the next of a chain go, or drop the chain until its first one is due again."""
        chain = self.chains[parcel.chain]
        if delivered:
            chain.popleft()
            self.loaded[parcel.lane].discard(parcel.id)
            if chain:
                line.heads[parcel.chain] = None
                return
        self._drop(parcel.chain)
        if not delivered:
            # A split list is due at once; what is due later, the next look finds.
            self.wanted.add(parcel.lane)

    def _drop(self, chain: tuple) -> None:
        for parcel in self.chains.pop(chain):
            self.loaded[parcel.lane].discard(parcel.id)

    def _write_down(self, now: datetime) -> bool:
        if not self.done:
            return False
        self._same_session()
        done, self.done = self.done, []
        granted, self.granted = self.granted, []
        with transaction.atomic():
            if not granted:
                parcels.commit_lazily()
            unsettled = {parcel.id for parcel, *answer in granted if not self._grant(parcel, *answer, now)}
            done = [
                attempt._replace(status="waiting", next_at=judge.again_at(now, tries=attempt.parcel.attempts + 1))
                if attempt.parcel.id in unsettled
                else attempt
                for attempt in done
            ]
            parcels.settle(done, now=now)
        taken = [attempt.parcel for attempt in done if attempt.status == "delivered"]
        self.delivered += len(taken)
        numbers = [parcel for parcel in taken if parcel.method_id and self.lines[parcel.receiver_id].adapter.executes]
        if methods := {parcel.method_id: parcel for parcel in numbers}:
            parcels.wipe(methods, now=now)
        return True

    def _grant(self, parcel: Parcel, granted: bool, reason: str, now: datetime) -> bool:
        """Take the host's answer to a cancel or hold request; false when that failed and the event must go again."""
        settles = {
            "postdate.cancel_requested": lambda said: postdates.settle_cancel(cancelled=granted, **said),
            "postdate.hold_requested": lambda said: postdates.settle_hold(
                held=granted, asked=parcel.account_seq, **said
            ),
        }
        # Asked to let go, a host that does says that it holds no more: that refuses nothing.
        if parcel.kind not in settles or parcel.data.get("hold") is False:
            return True
        try:
            said = {"postdate_id": UUID(parcel.data["postdate"]), "reason": reason, "now": now}
            actor = events.context(actor=f"host:{parcel.receiver_id}")
            with acting_for(parcel.agency_id), actor, transaction.atomic():
                settles[parcel.kind](said)
        except Exception:
            log.exception("host_answer_not_settled", extra={"delivery": str(parcel.id)})
            return False
        return True

    # Let go -----------------------------------------------------------------------------------------------------

    def _release(self, now: datetime) -> None:
        """Unlock lanes with nothing in hand, and look once more: a wake may have met our lock."""
        over = {lane for lane in self.lanes if not self.loaded[lane]}
        if not over:
            return
        with connection.cursor() as cursor:
            sql = "SELECT pg_advisory_unlock(%s, lane) FROM unnest(%s::int[]) AS lane"
            cursor.execute(sql, [LOCK_SPACE, sorted(over)])
        self.lanes -= over
        for lane in over:
            self.more.pop(lane, None)
        self.wanted |= parcels.due_lanes(over, blocked=self._blocked(now), now=now)

    def _let_go(self) -> None:
        """Leave the session without our locks, whatever happened, if it is still ours."""
        self.wire.close()
        if self.lanes and connection.connection is self.session and not connection.needs_rollback:
            with connection.cursor() as cursor:
                sql = "SELECT pg_advisory_unlock(%s, lane) FROM unnest(%s::int[]) AS lane"
                cursor.execute(sql, [LOCK_SPACE, sorted(self.lanes)])
        self.lanes.clear()
