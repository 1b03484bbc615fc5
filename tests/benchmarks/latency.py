"""How long after the commit a host has an event: record -> commit -> wake -> Celery's drain -> HTTP -> sink."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator

from portal.local import CHECKOUT, log_file
from tests.benchmarks import posts
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import DELIVER, Stage, percentile

PRODUCERS = 4
RATES = {50: 8.0, 500: 4.0}
"""Events a second, and for how many seconds."""
POLL_MS = 1_000
"""How often the product's drain looks without being woken (integrations/services/drain.py, LOOK_EVERY)."""


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Measure the product and a bare POST loop at the same rates, in turns; then once more without Redis."""
    from integrations import wake

    accounts = stage.place(2_000)
    stage.settle()
    longer = 5 if full else 1
    found: dict[str, list[float]] = {}

    def add(name: str, values_ms: list[float], **more: float) -> None:
        shares = {"p50": percentile(values_ms, 0.5), "p99": percentile(values_ms, 0.99), "max": max(values_ms)}
        for label, value in (shares | more).items():
            found.setdefault(f"{name} {label}", []).append(value)

    with producers(stage, accounts) as order:
        for _round in range(rounds):
            stage.settle()
            with stage.worker(DELIVER):
                order(50, 1.0)
                stage.received()
                for rate, seconds in RATES.items():
                    latencies, reached = measure(stage, order, rate, seconds * longer)
                    before = [latency[1] for latency in latencies]
                    add(f"{rate}", [latency[0] for latency in latencies], reached=reached)
                    found.setdefault(f"{rate} before", []).append(percentile(before, 0.99))
                    add(f"bare {rate}", bare(stage, rate, seconds / 2))
                if stage.redis.ours:
                    order(50, 0.5)
                    stage.redis.kill()
                    latencies, _reached = measure(stage, order, 50, 6.0, patience=5.0)
                    add("no redis", [latency[0] for latency in latencies])
            if stage.redis.ours:
                stage.redis.start()
                # Whoever failed to wake the drain leaves Redis alone for a while.
                time.sleep(wake.REST_SECONDS)
    return Section("latency", "1. Commit to host", TOLD, lines(found, redis=stage.redis.ours), notes(found))


TOLD = (
    f"{PRODUCERS} processes commit events about 2,000 accounts in turns; each event wakes the one deliver worker as in"
    " production. The clock runs from the return of COMMIT to the sink's reading of the whole request. Beside it a"
    " bare kept-alive POST loop sends one event of the same size at the same rate."
)


def lines(found: dict[str, list[float]], *, redis: bool) -> list[Line]:
    """Make the table."""
    made = []
    for rate, limit in ((50, 10.0), (500, 25.0)):
        named = f"bare POST p99 {' / '.join(f'{value:.2f}' for value in found[f'bare {rate} p99'])} ms"
        made += [
            Line(f"{rate}/s, p50", "ms", found[f"{rate} p50"]),
            Line(f"{rate}/s, p99", "ms", found[f"{rate} p99"], named=named, target=limit, at_most=True),
            Line(f"{rate}/s, slowest", "ms", found[f"{rate} max"]),
            Line(f"{rate}/s, p99 from before the COMMIT", "ms", found[f"{rate} before"]),
            Line(f"{rate}/s, reached", "events/s", found[f"{rate} reached"]),
            Line(f"bare POST loop at {rate}/s, p50", "ms", found[f"bare {rate} p50"]),
        ]
    if redis:
        made += [
            Line("Redis killed, 50/s, p50", "ms", found["no redis p50"]),
            Line("Redis killed, 50/s, p99", "ms", found["no redis p99"], target=POLL_MS + 10, at_most=True),
        ]
    return made


def notes(found: dict[str, list[float]]) -> list[str]:
    """Say what the figures do not."""
    if "no redis p99" in found:
        return [
            "Without Redis the drain that runs looks every second, and goes on for up to half an hour: without a broker"
            " nobody could start the next one."
        ]
    return ["Redis killed: not run here (no Valkey of its own beside REDIS_URL)."]


@contextlib.contextmanager
def producers(stage: Stage, accounts: list) -> Iterator:
    """Start the producers; give the function that has them commit, and tells what they committed."""
    with log_file("benchmarks-producer").open("ab") as log:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.benchmarks.producer"],
                cwd=CHECKOUT,
                env=stage.stack.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            for _ in range(PRODUCERS)
        ]
    for one in running:
        assert one.stdout.readline() == "ready\n"
    keys = [str(account.pk) for account in accounts]

    def order(rate: float, seconds: float) -> list[list]:
        common = {"agency": str(stage.agency.pk), "accounts": keys, "per_second": rate, "seconds": seconds}
        begin = time.monotonic() + 0.3
        for number, one in enumerate(running):
            one.stdin.write(json.dumps(common | {"begin": begin, "first": number, "of": PRODUCERS}) + "\n")
            one.stdin.flush()
        return [line for one in running for line in json.loads(one.stdout.readline())]

    try:
        yield order
    finally:
        for one in running:
            one.stdin.close()
            one.wait()


def measure(stage: Stage, order, rate: float, seconds: float, patience: float = 2.0):
    """Commit at a rate; give (after, before) latencies in ms of every event and the rate that was reached."""
    committed = order(rate, seconds)
    stamps: dict[str, int] = {}
    missing = {event for event, *_moments in committed}
    deadline = time.monotonic() + 10 + patience
    while missing and time.monotonic() < deadline:
        time.sleep(0.2)
        stamps |= stage.received()
        missing -= stamps.keys()
    assert not missing, f"{len(missing)} of {len(committed)} events did not reach the host"
    latencies = [((stamps[event] - after) / 1e6, (stamps[event] - before) / 1e6) for event, before, after in committed]
    moments = [after for _event, _before, after in committed]
    return latencies, len(committed) / max((max(moments) - min(moments)) / 1e9, 1e-9)


def bare(stage: Stage, rate: float, seconds: float) -> list[float]:
    """Send events of the same size at the same rate without anything around; give send -> received in ms."""
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(int(rate * seconds))]
    body = '[{"EventID":"%s","Data":{"page":"offer","note":"%s"}}]'
    asks = [
        posts.Ask(f"{stage.sink_url}/events", ("Content-Type: application/json",), (body % (one, "x" * 600)).encode())
        for one in ids
    ]
    posts.one_by_one(asks[:20])
    stage.received()
    starts = posts.paced(asks, per_second=rate)
    stamps = stage.received()
    return [(stamps[one] - start) / 1e6 for one, start in zip(ids, starts, strict=True)]
