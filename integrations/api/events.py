"""The agency's event stream: every fact once, in a sequence without gaps, read from any position; it may wait."""

import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Account, Agency, Event
from integrations import webhooks
from integrations.api.base import Endpoint, answer, one
from integrations.api.bodies import Form
from integrations.api.document import example, operation
from integrations.api.terms import Shown
from integrations.hosts import Outgoing
from integrations.wake import FeedEar

SCANNED = 10_000
"""Numbers of the sequence that one question looks at: rare kinds in millions of events take several questions."""
LATEST = 2**63 - 1
GONE_EVERY = 1.0
"""Seconds after which a waiting request looks whether its caller has hung up."""
_lock = threading.Lock()
_waiting = 0


class EventShown(Shown):
    id = serializers.UUIDField(help_text="The same wherever this event is told.")
    sequence = serializers.IntegerField(help_text="Its place in the agency's sequence; there are no gaps.")
    kind = serializers.CharField(help_text="`noun.past_verb`; new ones are added.")
    occurred_at = serializers.DateTimeField()
    account = serializers.UUIDField(allow_null=True)
    reference = serializers.CharField(allow_null=True, help_text="The host's own number of the account.")
    account_sequence = serializers.IntegerField(
        allow_null=True, help_text="Its place in the account's; no gaps either."
    )
    consumer = serializers.UUIDField(allow_null=True)
    actor = serializers.CharField(help_text="consumer:, staff:, key:, host: and an id, or system.")
    request_id = serializers.CharField()
    data = serializers.DictField(help_text="A snapshot: amounts in cents; `v` is its version.")


class Feed(Shown):
    items = EventShown(many=True)
    position = serializers.IntegerField(help_text="Ask again with `after` of this.")
    newest = serializers.IntegerField(help_text="The newest event there is; `position` below it: ask again at once.")


class FeedQuery(Form):
    """Ask for events after a position."""

    after = serializers.IntegerField(
        required=False, min_value=0, max_value=LATEST, help_text="Left out: from the first."
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=settings.API_PAGE_MOST)
    kinds = serializers.CharField(
        required=False, max_length=1_000, help_text="With commas: payment.succeeded,dispute.*; left out: all."
    )
    account = serializers.UUIDField(required=False)
    wait = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=settings.FEED_WAIT,
        help_text="Seconds to wait for one where there is none. Few may wait at once; the next is answered at once.",
    )

    def validate_kinds(self, text: str) -> list[str]:
        kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
        if unknown := webhooks.unknown(kinds):
            raise serializers.ValidationError(f"There is no event {unknown[0][:60]}.", "kind_unknown")
        return kinds


EVENT = {
    "id": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a21",
    "sequence": 4711,
    "kind": "payment.succeeded",
    "occurred_at": "2026-12-01T15:00:00Z",
    "account": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a01",
    "reference": "100234",
    "account_sequence": 12,
    "consumer": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a05",
    "actor": "consumer:0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a05",
    "request_id": "6d0f4f9e-1df5-4a4e-9a51-1f1f2f3f4f5f",
    "data": {"v": 1, "payment": "0193825e-6ac0-7c1f-8a3e-5b1f0c9d2a22", "amount_cents": 12500, "currency": "usd"},
}


class Events(Endpoint):
    """The stream."""

    @operation(
        "list_events",
        "Read the event stream",
        scope="events:read",
        said=(
            "Every fact about every account, in the order of the agency's sequence. Keep `position` and ask with "
            "`after`; nothing appears below a position later. The same events go to webhook endpoints."
        ),
        answers=Feed,
        query=[FeedQuery],
        found=False,
        problems={404: "`not_found`: no such account."},
        examples=[example("One event", {"items": [EVENT], "position": 4711, "newest": 4711}, status=200)],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = self.asked(FeedQuery)
        if "account" in asked:
            one(Account, asked["account"])
        after, limit = asked.get("after", 0), asked.get("limit", settings.API_PAGE)
        sieve = asked.get("kinds", []), asked.get("account")
        found = read(after, limit, *sieve, agency_id=self.key.agency_id)
        if found["items"] or not asked.get("wait"):
            return answer(found)
        with place() as free:
            if not free:
                return answer(found, headers={"Retry-After": "1"})
            return answer(self._wait(found, limit, sieve, time.monotonic() + asked["wait"]))

    def _wait(self, found: dict, limit: int, sieve: tuple, over: float) -> dict:
        """Wait until something comes, the time is over or the caller has hung up."""
        with FeedEar(self.key.agency_id) as ear:
            while not found["items"]:
                # Asked once more after the ear is open: what came in between has woken nobody.
                found = read(found["position"], limit, *sieve, agency_id=self.key.agency_id)
                left = over - time.monotonic()
                if found["items"] or left <= 0 or hung_up(self.request._request):
                    break
                if found["position"] >= found["newest"]:
                    ear(min(left, GONE_EVERY))
        return found


def read(after: int, limit: int, kinds: Sequence[str], account: UUID | None, *, agency_id: UUID) -> dict[str, Any]:
    """Read a piece of the stream and the position behind it."""
    newest = Agency.objects.values_list("last_sequence", flat=True).get(pk=agency_id)
    upto = newest if account else min(newest, after + SCANNED)
    rows = Event.objects.filter(sequence__gt=after, sequence__lte=upto).order_by("sequence")
    if account:
        rows = rows.filter(account_id=account)
    if kinds:
        exact = [kind for kind in kinds if not kind.endswith(".*")]
        nouns = [Q(kind__startswith=kind[:-1]) for kind in kinds if kind.endswith(".*")]
        wanted = Q(kind__in=exact)
        for noun in nouns:
            wanted |= noun
        rows = rows.filter(wanted)
    found = list(rows.values_list(*COLUMNS)[:limit])
    position = found[-1][1] if len(found) == limit else max(after, upto)
    return {"items": [shown(row) for row in found], "position": position, "newest": newest}


COLUMNS = (
    "pk", "sequence", "account_seq", "account__reference", "kind", "occurred_at", "data", "account_id", "consumer_id",
    "actor", "request_id",
)  # fmt: skip


def shown(row: tuple) -> dict[str, Any]:
    """Show an event as webhooks do."""
    pk, sequence, account_seq, reference, kind, at, data, *who = row
    return webhooks.shown(Outgoing(pk, sequence, account_seq, reference, kind, at, at, data, None, *who))


@contextmanager
def place() -> Iterator[bool]:
    """Take one of this process's places for waiting requests, if one is free: every other thread serves."""
    global _waiting
    with _lock:
        free = _waiting < settings.FEED_WAITERS
        _waiting += free
    try:
        yield free
    finally:
        with _lock:
            _waiting -= free


def hung_up(request: HttpRequest) -> bool:
    """Tell whether the caller is gone, where the server shows its socket (gunicorn does)."""
    line = request.META.get("gunicorn.socket")
    if not isinstance(line, socket.socket):
        return False
    try:
        readable, _write, _wrong = select.select([line], [], [], 0)
        return bool(readable) and line.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True
