"""What was paid towards arrangements: by us, by the host, early, in part or by another method; set-wise."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from accounts.calendars import local_date
from accounts.known import known
from payments.models import Arrangement, HostItem, Payment, Postdate
from payments.rules.changes import NEAR_DAYS
from payments.services.sums import refunded_cents

POSTED = "POSTED"
"""The host's word for a payment that stands (see services.mirror)."""
UNDER_WAY = "PROCESSED"
"""Its word for one that it took and has not posted; a word that nobody knows counts for nothing."""
COUNTED = (Payment.Status.SUCCEEDED, Payment.Status.PENDING)


@dataclass(slots=True)
class Received:
    """Add up what came for one arrangement; `counted_cents` has what is on its way too.

    `undecided` says that a charge is being decided now, `last_on` is the local day of the latest payment that stands.
    `at_host` are ids of ours that a host has under way and has not posted: a bank debit takes it days.
    """

    counted_cents: int = 0
    cleared_cents: int = 0
    undecided: bool = False
    last_on: date | None = None
    at_host: frozenset[UUID] = frozenset()

    def under_way_cents(self, planned: Iterable[Postdate]) -> int:
        """Add up what the host took on its day and posts days later: whoever let it be taken is not late for it."""
        return sum(one.amount_cents for one in planned if one.status in Postdate.OPEN and one.pk in self.at_host)

    def add(self, cents: int, on: date, *, cleared: bool) -> None:
        self.counted_cents += cents
        if cleared:
            self.cleared_cents += cents
            self.last_on = max(self.last_on or on, on)


@known
def _payments(accounts: Sequence[UUID]) -> QuerySet[Payment]:
    rows = Payment.objects.filter(account__in=accounts, status__in=(*COUNTED, Payment.Status.INTENDED))
    return rows.annotate(back_cents=refunded_cents()).select_related("consumer")


def received(arrangements: Iterable[Arrangement]) -> dict[UUID, Received]:
    """Add up what was paid towards each arrangement since it was accepted, in three queries for all of them.

    Every payment of the account counts for the arrangement that was the latest when it was made, and so does every
    posted payment in the host's list that is not one of ours. `account__consumer` is read for the local dates.
    """
    wanted = {one.pk: one for one in arrangements}
    accounts = list({one.account_id for one in wanted.values()})
    spans = _spans(accounts)
    found = {pk: Received() for pk in wanted}
    posted_on = _host_items(accounts, spans, wanted, found)
    for payment in _payments(accounts):
        key = payment.arrangement_id or _at(spans[payment.account_id], payment.intended_at)
        if key not in found:
            continue
        if payment.status == Payment.Status.INTENDED:
            found[key].undecided = True
            continue
        on = posted_on.get(payment.pk) or posted_on.get(payment.postdate_id)
        on = (
            on
            or payment.received_on
            or local_date(payment.decided_at or payment.intended_at, payment.consumer.time_zone)
        )
        cleared = payment.status == Payment.Status.SUCCEEDED
        found[key].add(payment.amount_cents - (payment.back_cents or 0), on, cleared=cleared)
    return found


@known
def _arranged(accounts: Sequence[UUID]) -> QuerySet[Arrangement]:
    rows = Arrangement.objects.filter(account__in=accounts).order_by("-accepted_at", "-pk")
    return rows.select_related("consumer").only("account", "accepted_at", "consumer__time_zone")


def _spans(accounts: Sequence[UUID]) -> dict[UUID, list[Arrangement]]:
    """List each account's arrangements, the latest first: a payment belongs to the first accepted before it."""
    spans: dict[UUID, list[Arrangement]] = defaultdict(list)
    for row in _arranged(accounts):
        spans[row.account_id].append(row)
    return spans


def _at(spans: list[Arrangement], moment) -> UUID | None:
    return next((one.pk for one in spans if one.accepted_at <= moment), None)


@known
def _shown(accounts: Sequence[UUID]) -> QuerySet:
    items = HostItem.objects.filter(account__in=accounts, kind=HostItem.Kind.PAYMENT, status__in=(POSTED, UNDER_WAY))
    # Plain columns: a sweep reads the items of every arrangement that runs.
    return items.values_list("account_id", "portal_id", "matched", "status", "on", "amount_cents", "updated_at")


def _host_items(
    accounts: Sequence[UUID], spans: dict[UUID, list[Arrangement]], wanted: dict, found: dict[UUID, Received]
) -> dict[UUID, date]:
    """Count the host's own posted payments; give the host's dates of ours by their id."""
    on_of: dict[UUID, date] = {}
    for account_id, portal_id, matched, status, on, cents, updated_at in _shown(accounts):
        if status == UNDER_WAY:
            for one in spans[account_id] if matched else ():
                if one.pk in found:
                    found[one.pk].at_host |= {portal_id}
            continue
        if matched:
            on_of[portal_id] = on
            continue
        for one in spans[account_id]:
            accepted_on = local_date(one.accepted_at, one.consumer.time_zone)
            # One of the very day counts if the host wrote it down afterwards.
            if on > accepted_on or (on == accepted_on and updated_at >= one.accepted_at):
                if one.pk in found:
                    found[one.pk].add(cents, on, cleared=True)
                break
    return on_of


class Left(NamedTuple):
    """Say what can still be paid on one account's arrangement without meeting a charge that is on its way.

    `paid_cents` counts what is on its way, `at_host` are the payments that the host has under way.
    """

    account_id: UUID
    cents: int
    paid_cents: int
    at_host: frozenset[UUID]


@known
def _planned(arrangements: Sequence[UUID]) -> QuerySet[Postdate]:
    charged = Postdate.objects.filter(arrangement__in=arrangements, method__isnull=False)
    return charged.filter(status__in=Postdate.OPEN).only("account_id", "due_on", "amount_cents", "status")


def plans_left(arrangements: Iterable[Arrangement], today: Mapping[UUID, date]) -> list[Left]:
    """Work out what is left of the arrangements that somebody charges; none of the others is listed.

    :param today: the local date per account; what is due until tomorrow is on its way and stays.
    """
    wanted = list(arrangements)
    if not wanted:
        return []
    open_: dict[UUID, list[Postdate]] = defaultdict(list)
    for one in _planned([row.pk for row in wanted]):
        open_[one.account_id].append(one)
    near = {
        account_id: sum(one.amount_cents for one in rows if one.due_on <= today[account_id] + timedelta(days=NEAR_DAYS))
        for account_id, rows in open_.items()
    }
    charged = [one for one in wanted if one.account_id in near]
    got = received(charged) if charged else {}
    return [
        Left(
            one.account_id,
            max(0, one.total_cents - got[one.pk].counted_cents - near[one.account_id]),
            got[one.pk].counted_cents + got[one.pk].under_way_cents(open_[one.account_id]),
            got[one.pk].at_host,
        )
        for one in charged
    ]
