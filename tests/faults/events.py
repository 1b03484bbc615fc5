"""The events load: facts about many accounts, hosts that hear of them, three of which are bad in their own ways.

One host is down throughout, one slow, one loses its answer after it has applied what it was told. The same kills are
played again without bad hosts, in turns, and what the healthy host waited for is compared.
"""

import contextlib
import datetime as dt
import json
import random
import threading
import time

from portal.local import HOME
from portal.local.stack import Stack, call
from tests.faults import judge_events as books
from tests.faults.consumers import alike, record_of
from tests.faults.load import NO_ANSWER, Progress, insist, wait_until
from tests.faults.money import Clock

HOSTS = {
    "host-healthy": "acme",
    "host-slow": "birch",
    "host-forgets": "acme",
    "host-down": "birch",
}
"""Each host of the load, and its agency."""
HEALTHY, SLOW, FORGETS, DOWN = HOSTS
ACCOUNTS = 200
PER_SECOND = 160.0
SLOW_SECONDS = 0.4
FORGETS_EVERY = 0.8
"""Seconds between two requests that the forgetful host fails."""
FORGETS_HOW = ("drop_after_effect", "half_body", "wrong_body", "drop_after_effect", "status")
"""Three ways to lose the answer after the effect; one in five fails before it, so that others could overtake."""
NO_PUSH_MS = 3_600_000
"""The hosts say nothing by themselves: what they are told is what is looked at."""
PLACED_SECONDS, PRODUCED_SECONDS, DELIVERED_SECONDS = 120.0, 1_800.0, 300.0
PAST_ALL_PATIENCE = dt.timedelta(hours=2)
"""Longer than any next try of an event or probe of a host is put off."""
VICTIMS = ("beat", "deliver", "deliver child", "worker", "redis", "redis emptied", "postgres", "postgres backend")


def furnish(stack: Stack) -> None:
    """Start the hosts of the load and join each to its agency."""
    from portal.local.stack import free_port

    for name in HOSTS:
        port = free_port()
        stack.urls[name] = f"http://127.0.0.1:{port}"
        stack.start(name, ["integrations.sandbox", "--port", str(port), "--data", str(stack.folder / name)])
    for name in HOSTS:
        stack.wait_for(name, "/health")
    asked = {"hosts": {name: {"agency": slug, "url": stack.urls[name]} for name, slug in HOSTS.items()}}
    known = json.loads(stack.run("tests.faults.facts", "join", stdin=json.dumps(asked)).splitlines()[-1])
    like = alike(stack)["acme"]
    for name in HOSTS:
        here = {"portal_url": stack.urls["web"], "portal_host": stack.environment["PORTAL_DOMAIN"]}
        call(stack.urls[name], "/_sandbox/configure", known[name] | here | {"push_delay_ms": NO_PUSH_MS})
    stack.like = like


class Events:
    """One run: so many facts about accounts that are named so that no other run is touched.

    :param bad: with the three bad hosts; without, all four are healthy.
    """

    def __init__(self, stack: Stack, *, facts: int, name: str, seed: str, bad: bool = True) -> None:
        self.stack, self.presses, self.name, self.seed, self.bad = stack, facts, name, seed, bad
        self.progress, self.clock = Progress(), Clock(stack)
        self.book = HOME / f"facts-{name}.jsonl"
        self.books: books.Books | None = None
        self.seconds = 0.0
        self._over = threading.Event()

    def victims(self, names: list[str]) -> list[str]:
        """Choose whom the kills of this load meet: what tells hosts, and the bad hosts; nobody opens a page here.

        The healthy host stays alive, bad hosts or none: what it waits for is what is compared, and not its own deaths.
        """
        return [name for name in names if name in VICTIMS or (name in HOSTS and name != HEALTHY)]

    def prepare(self) -> None:
        """Place the accounts, let the hosts hear of that, then let the bad ones be bad; nobody dies yet."""
        self.book.unlink(missing_ok=True)
        self.accounts = {name: [f"{self.name}{n:05d}" for n in range(k, ACCOUNTS, 4)] for k, name in enumerate(HOSTS)}
        for name, references in self.accounts.items():
            records = [record_of(self.stack.like, reference, mail=False) for reference in references]
            host = self.stack.urls[name]
            call(host, "/_sandbox/faults", {"clear": True})
            call(host, "/_sandbox/accounts", records, timeout=60.0)
            answer = call(host, "/_sandbox/push", {"FileNumbers": references}, timeout=60.0)
            assert all(one["status"] == 200 for one in answer["answers"]), json.dumps(answer)[:500]
        wait_until(
            lambda: not books.waiting(self.stack, self.name, list(HOSTS)),
            sentence="the hosts are not told of their accounts",
            seconds=PLACED_SECONDS,
        )
        if self.bad:
            call(self.stack.urls[DOWN], "/_sandbox/faults", {"mode": "outage", "path": "/events"})
            slow = {"mode": "slow", "path": "/events", "seconds": SLOW_SECONDS}
            call(self.stack.urls[SLOW], "/_sandbox/faults", slow)
            threading.Thread(target=self._forget, name="forgets", daemon=True).start()

    def _forget(self) -> None:
        """Let the forgetful host lose an answer every now and then; it may be dead itself just then."""
        chance = random.Random(f"forgets {self.seed}")
        while not self._over.wait(FORGETS_EVERY):
            fault = {"mode": chance.choice(FORGETS_HOW), "path": "/events", "times": 1}
            fault |= {"status": 503} if fault["mode"] == "status" else {"after_effect": True}
            with contextlib.suppress(*NO_ANSWER):
                # One at a time: what nobody has come to yet must not add up while the circuit is open.
                if not any(one["remaining"] for one in call(self.stack.urls[FORGETS], "/_sandbox/faults")["faults"]):
                    call(self.stack.urls[FORGETS], "/_sandbox/faults", fault)

    def play(self) -> list[str]:
        """Commit the facts, counting what was committed; give what could not be done."""
        asked = {
            "references": [one for references in self.accounts.values() for one in references],
            "count": self.presses,
            "per_second": PER_SECOND,
            "seed": self.seed,
            "output": str(self.book),
        }
        began, counted = time.monotonic(), 0
        teller = self.stack.fork("tests.faults.facts", "tell", stdin=json.dumps(asked))
        while (code := teller.poll()) is None and time.monotonic() < began + PRODUCED_SECONDS:
            time.sleep(0.1)
            found = self._written()
            self.progress.step(found - counted)
            counted = found
        self.seconds = time.monotonic() - began
        self.progress.finish()
        if code != 0:
            return [f"the facts could not all be told ({code}): see the log"]
        return []

    def _written(self) -> int:
        return self.book.read_bytes().count(b"\n") if self.book.exists() else 0

    def close(self) -> None:
        """Wait for the hosts that are there; then let the bad ones be good, and wait for the last event.

        :raises Broken: something is not delivered.
        """
        self._over.set()
        self._delivered([name for name in HOSTS if not (self.bad and name in (DOWN, FORGETS))])
        for name in HOSTS:
            insist(
                lambda url=self.stack.urls[name]: call(url, "/_sandbox/faults", {"clear": True}),
                sentence=f"{name} does not get well",
            )
        self.clock.forward(PAST_ALL_PATIENCE)
        self._delivered(list(HOSTS))

    def _delivered(self, names: list[str]) -> None:
        wait_until(
            lambda: not books.waiting(self.stack, self.name, names),
            sentence=f"not everything is delivered to {', '.join(names)}",
            seconds=DELIVERED_SECONDS,
        )


def judge(load: Events, figures: dict) -> list[str]:
    """Judge a run that came to its end; fill in its figures."""
    open_ = books.waiting(load.stack, load.name, list(HOSTS))
    read = books.read(load.stack, name=load.name, accounts=load.accounts, log=load.book)
    figures |= {
        "count": len(read.committed),
        "facts": len(read.events),
        "bad": load.bad,
        "per_second": round(len(read.committed) / max(load.seconds, 0.001), 1),
        "told_twice": {name: sum(one["Duplicates"] for one in read.told[name]) for name in HOSTS},
        "payments": sum(1 for one in read.events if one["payment"]),
        "healthy_ms": books.latency(read, HEALTHY),
    }
    return [f"open: {open_} deliveries"] * bool(open_) + books.compare(read)
