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

from integrations.hosts import Adapter, BadAnswer, Result
from integrations.http import Heard

AGAIN_AFTER = (1, 5, 30, 120, 600, 1_800, 3_600)
"""Seconds before the next try of one event, by the tries it has had; the last one repeats."""
PROBE_AFTER = (1, 2, 5, 10, 30, 60)
"""Seconds before the next probe of a host that is down, by the failures in a row; an hour's outage ends in a minute."""
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
    """One verdict per event; `host_failed`: count it against the host; `locked_out`: it refuses our key."""

    verdicts: list[Verdict]
    host_failed: bool = False
    locked_out: bool = False


def judge(heard: Heard, ids: list[str], adapter: Adapter) -> Judgement:
    """Judge one request that carried the events `ids`, in order."""
    alone = len(ids) == 1

    def all_of(fate: Fate, reason: str) -> list[Verdict]:
        return [Verdict(fate, reason)] * len(ids)

    match heard.status:
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


def again_at(now: datetime, *, tries: int, retry_after: str = "") -> datetime:
    """Give the time of an event's next try after so many; a host's Retry-After is honoured within its bound."""
    seconds = _jittered(AGAIN_AFTER[min(tries, len(AGAIN_AFTER)) - 1])
    return now + timedelta(seconds=max(seconds, asked_to_wait(retry_after, now)))


def list_again_at(now: datetime, *, retry_after: str = "") -> datetime:
    """Give the time at which the events of a failed list go again, in smaller ones."""
    return now + timedelta(seconds=max(_jittered(LIST_AGAIN_AFTER), asked_to_wait(retry_after, now)))


def probe_at(now: datetime, *, failures: int, retry_after: str = "") -> datetime:
    """Give the time of the next probe of a host that failed so many times in a row."""
    seconds = _jittered(PROBE_AFTER[min(max(failures - FAILURES_TO_OPEN, 0), len(PROBE_AFTER) - 1)])
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
