"""Judge what a host answered, event by event: delivered, parked, again, or the whole host is down (docs/hosts.md).

Pure: values in, values out. Two things are never guessed: silence is not delivery, and one bad event among many is
found by asking again in smaller lists before anything is parked.
"""

import email.utils
import json
import random
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from integrations.hosts import BadAnswer, Receiver, Result
from integrations.http import Heard


class Policy(NamedTuple):
    """How a kind of receiver is treated.

    again_after: seconds before the next try of one event, by the tries it has had.
    probe_after: seconds before the next probe of a receiver that is down, by the failures in a row; the last repeats.
    gives_up: after the last of `again_after` the event is parked; else the last one repeats for ever.
    any_2xx: a 2xx is a yes whatever its body, and 410 means that nobody lives there any more.
    suspend_after: a receiver that is down for so long is told nothing until staff say so.
    """

    again_after: tuple[int, ...]
    probe_after: tuple[int, ...]
    gives_up: bool = False
    any_2xx: bool = False
    suspend_after: timedelta | None = None


HOSTS = Policy(again_after=(1, 5, 30, 120, 600, 1_800, 3_600), probe_after=(1, 2, 5, 10, 30, 60))
"""A host is the system of record: it is asked until it answers, and an outage of an hour ends within a minute."""
WEBHOOKS = Policy(
    again_after=(5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 72_000, 86_400),
    probe_after=(5, 30, 120, 600, 1_800, 3_600),
    gives_up=True,
    any_2xx=True,
    suspend_after=timedelta(days=3),
)
"""An endpoint may be forgotten by its owner: an event is tried thirteen times over three days, then it is parked."""
LIST_AGAIN_AFTER = 0.5
"""Seconds before a failed list goes again in smaller ones."""
LONGEST_RETRY_AFTER = 3_600
JITTER = 0.2
FAILURES_TO_OPEN = 5
SMALLER = 8
"""A failed list goes again in lists of this fraction, so that 200 events find the bad one in three steps."""
PERMANENT = (400, 404, 410, 413, 422)


class Fate(Enum):
    """What becomes of one event after one request."""

    DELIVERED = "delivered"
    PARKED = "parked"
    AGAIN = "again"
    SPLIT = "split"


class Verdict(NamedTuple):
    """The fate of one event, why, and the host's answer to it if it gave one."""

    fate: Fate
    reason: str = ""
    result: Result | None = None


class Judgement(NamedTuple):
    """One verdict per event; `host_failed`: count it against the host; `locked_out`: it refuses our key.

    `gone`: the receiver asks never to be told anything again.
    """

    verdicts: list[Verdict]
    host_failed: bool = False
    locked_out: bool = False
    gone: bool = False


def judge(heard: Heard, ids: list[str], adapter: Receiver, policy: Policy = HOSTS) -> Judgement:
    """Judge one request that carried the events `ids`, in order."""
    alone = len(ids) == 1

    def all_of(fate: Fate, reason: str) -> list[Verdict]:
        return [Verdict(fate, reason)] * len(ids)

    match heard.status:
        case status if policy.any_2xx and 200 <= status < 300:
            return Judgement(all_of(Fate.DELIVERED, ""))
        case 410 if policy.any_2xx:
            return Judgement(all_of(Fate.AGAIN, "HTTP 410"), host_failed=True, locked_out=True, gone=True)
        case 200 | 201 | 202 | 204:
            try:
                results = adapter.read_results(json.loads(heard.body))
            except (BadAnswer, ValueError, RecursionError) as error:
                fate = Fate.AGAIN if alone else Fate.SPLIT
                return Judgement(all_of(fate, f"unreadable answer: {error}"[:300]), host_failed=True)
            return Judgement([_of_result(results.get(event_id)) for event_id in ids])
        case 401 | 403:
            return Judgement(all_of(Fate.AGAIN, "the host refuses our key"), host_failed=True, locked_out=True)
        case 409 if alone:
            known = ids[0].encode() in heard.body
            return Judgement(all_of(Fate.DELIVERED if known else Fate.PARKED, "" if known else "HTTP 409"))
        case status if status in (*PERMANENT, 409):
            return Judgement(all_of(Fate.PARKED if alone else Fate.SPLIT, f"HTTP {status}"))
        case 0:
            return Judgement(all_of(Fate.AGAIN if alone else Fate.SPLIT, heard.error or "no answer"), host_failed=True)
        case status:
            return Judgement(all_of(Fate.AGAIN if alone else Fate.SPLIT, f"HTTP {status}"), host_failed=True)


def _of_result(result: Result | None) -> Verdict:
    if result is None:
        return Verdict(Fate.AGAIN, "the host did not name this event")
    return Verdict(Fate.DELIVERED if result.taken else Fate.PARKED, result.reason, result)


def given_up(*, tries: int, policy: Policy) -> bool:
    """Tell whether an event that failed so many times is not tried again by itself."""
    return policy.gives_up and tries > len(policy.again_after)


def again_at(now: datetime, *, tries: int, retry_after: str = "", policy: Policy = HOSTS) -> datetime:
    """Give the time of an event's next try after so many; a host's Retry-After is honoured within its bound."""
    seconds = _jittered(policy.again_after[min(tries, len(policy.again_after)) - 1])
    return now + timedelta(seconds=max(seconds, asked_to_wait(retry_after, now)))


def list_again_at(now: datetime, *, retry_after: str = "") -> datetime:
    """Give the time at which the events of a failed list go again, in smaller ones."""
    return now + timedelta(seconds=max(_jittered(LIST_AGAIN_AFTER), asked_to_wait(retry_after, now)))


def probe_at(now: datetime, *, failures: int, retry_after: str = "", policy: Policy = HOSTS) -> datetime:
    """Give the time of the next probe of a host that failed so many times in a row."""
    steps = policy.probe_after
    seconds = _jittered(steps[min(max(failures - FAILURES_TO_OPEN, 0), len(steps) - 1)])
    return now + timedelta(seconds=max(seconds, asked_to_wait(retry_after, now)))


def asked_to_wait(retry_after: str, now: datetime) -> float:
    """Read Retry-After, seconds or a date, as seconds from now; nonsense is zero, an eternity is an hour."""
    try:
        if retry_after.isascii() and retry_after.isdigit():
            seconds = float(retry_after)
        else:
            seconds = (email.utils.parsedate_to_datetime(retry_after) - now).total_seconds() if retry_after else 0.0
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _jittered(seconds: float) -> float:
    # Not for secrets: spreads hosts' retries apart.
    return seconds * (1 + random.uniform(-JITTER, JITTER))
