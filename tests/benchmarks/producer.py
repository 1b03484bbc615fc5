"""A process that commits events at a steady rate, as web processes do: `python -m tests.benchmarks.producer`.

Reads one JSON order per line (accounts, per_second, seconds, begin: monotonic seconds, first, of) and answers each
with a line of [event id, before the commit, after the commit] in monotonic nanoseconds.
"""

import json
import sys
import time

import django

django.setup()

from django.db import transaction  # noqa: E402 - after the settings
from django.utils import timezone  # noqa: E402

from accounts import events  # noqa: E402
from accounts.models import Account  # noqa: E402
from accounts.tenancy import acting_for  # noqa: E402


def produce(order: dict) -> list[list]:
    """Commit every `of`-th event of the schedule, each about the next account."""
    with acting_for(order["agency"]):
        accounts = list(Account.objects.filter(pk__in=order["accounts"]))
        said = []
        for number in range(order["first"], int(order["per_second"] * order["seconds"]), order["of"]):
            rest = order["begin"] + number / order["per_second"] - time.monotonic()
            if rest > 0:
                time.sleep(rest)
            said.append(commit(accounts[number % len(accounts)]))
    return said


def commit(account: Account) -> list:
    """Commit one event; the moment after the commit is taken before the drain is woken."""
    moments = []
    with transaction.atomic():
        transaction.on_commit(lambda: moments.append(time.monotonic_ns()))
        event = events.record("page.viewed", account=account, now=timezone.now(), data=DATA)
        before = time.monotonic_ns()
    return [str(event.pk), before, moments[0]]


DATA = {"page": "offer", "visit": "01930000-0000-7000-8000-000000000001", "note": "x" * 300}

if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(produce(json.loads(line))), flush=True)
