"""What is owed now: the host's balance less what the portal took and the host does not show yet."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.known import known
from accounts.models import Account
from payments.models import Arrangement, Dispute, PayLink, Payment, Postdate
from payments.services.sums import refunded_cents

# What the consumer pays by themselves is in nobody's way: paying is how it is kept.
LOOK = """
SELECT account.id,
    coalesce((SELECT sum(amount_cents) FROM payments_postdate WHERE account_id = account.id
        AND method_id IS NOT NULL AND status = ANY(%(open)s)), 0)::bigint,
    EXISTS (SELECT FROM payments_arrangement WHERE account_id = account.id AND status = ANY(%(live)s)),
    EXISTS (SELECT FROM payments_dispute WHERE account_id = account.id AND status = %(disputed)s),
    EXISTS (SELECT FROM payments_paylink WHERE account_id = account.id AND kind = %(agent)s AND revoked_at IS NULL),
    account.balance_cents, account.as_of,
    ARRAY(SELECT id FROM payments_payment WHERE account_id = account.id AND status = ANY(%(counted)s)
        AND acknowledged_at IS NULL)
FROM accounts_account account WHERE account.id = ANY(%(accounts)s::uuid[])
"""
"""One moment's picture; a plain statement, since every page asks it and the ORM doubled its time."""
GIVEN = {
    "open": [status.value for status in Postdate.OPEN],
    "live": [status.value for status in Arrangement.LIVE],
    "counted": [status.value for status in Payment.COUNTED],
    "disputed": Dispute.Status.OPEN.value,
    "agent": PayLink.Kind.AGENT.value,
}


@dataclass(frozen=True, slots=True)
class Owed:
    """Hold what is owed, the payments that the host has not shown yet, and how old the host's picture is.

    `scheduled_cents` is what post-dates will still take; it is part of what is owed, not less of it. `arranged` tells
    that an arrangement runs, `plan_left_cents` what is left of one that somebody charges; `disputed` that a dispute is
    open.
    """

    cents: int
    waiting: tuple[Payment, ...]
    as_of: datetime
    waiting_cents: int
    scheduled_cents: int = 0
    arranged: bool = False
    plan_left_cents: int | None = None
    disputed: bool = False
    prepared: bool = False

    @property
    def single_most_cents(self) -> int:
        """Give the most a single payment may be, so that no more than is owed is ever taken.

        While an arrangement is charged by somebody, what is paid extra shortens it from its end: so all that is left
        of it can be paid, but for what is on its way today or tomorrow (`plan_left_cents`).
        """
        if self.plan_left_cents is not None:
            return max(0, min(self.cents, self.plan_left_cents))
        return max(0, self.cents - self.scheduled_cents)


def owed(account: Account) -> Owed:
    """Count own payments that the host does not show yet; a settlement paid at once leaves nothing."""
    return owed_of([account])[account.pk]


def owed_of(accounts: Sequence[Account]) -> dict[UUID, Owed]:
    """Count for several accounts at once, in two queries, in one where nothing waits to be posted.

    A host may post while we read, and a balance from before with a payment list from after would count a payment never.
    So one statement says both the balance and which payments it lacks; the given accounts show that balance then.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOOK, GIVEN | {"accounts": [one.pk for one in accounts]})
        seen = {pk: found for pk, *found in cursor.fetchall()}
    waiting = _read([pk for *_rest, unposted in seen.values() for pk in unposted])
    found = {}
    for one in accounts:
        *flags, one.balance_cents, one.as_of, _unposted = seen[one.pk]
        found[one.pk] = _owed(one, waiting.get(one.pk, ()), *flags)
    return found


@known
def _counted(keys: Sequence[UUID]) -> QuerySet[Payment]:
    rows = Payment.objects.filter(pk__in=keys, status__in=Payment.COUNTED).annotate(back_cents=refunded_cents())
    return rows.order_by("intended_at", "pk")


def _read(keys: Sequence[UUID]) -> Mapping[UUID, list[Payment]]:
    """Read payments by account; what has failed since it was seen is owed again."""
    waiting: dict[UUID, list[Payment]] = defaultdict(list)
    if keys:
        for payment in _counted(keys):
            waiting[payment.account_id].append(payment)
    return waiting


@known
def _unposted(accounts: Sequence[UUID]) -> QuerySet[Payment]:
    rows = Payment.objects.filter(account__in=accounts, status__in=Payment.COUNTED, acknowledged_at=None)
    return rows.annotate(back_cents=refunded_cents()).order_by("intended_at", "pk")


def owed_cents(accounts: Sequence[Account]) -> dict[UUID, int]:
    """Give what accounts owe whose rows the caller holds: no host posts meanwhile, so that one query says it."""
    waiting: dict[UUID, list[Payment]] = defaultdict(list)
    for payment in _unposted([one.pk for one in accounts]):
        waiting[payment.account_id].append(payment)
    return {one.pk: _left(one, waiting.get(one.pk, ())) for one in accounts}


def _waiting_cents(waiting: Sequence[Payment]) -> int:
    return sum(payment.amount_cents - (payment.back_cents or 0) for payment in waiting)


def _left(account: Account, waiting: Sequence[Payment]) -> int:
    """Give what is owed after own payments; a settlement paid at once leaves nothing."""
    settled = any(payment.purpose == "settlement" and payment.status != Payment.Status.INTENDED for payment in waiting)
    return 0 if settled else max(0, account.balance_cents - _waiting_cents(waiting))


def _owed(
    account: Account, waiting: Sequence[Payment], scheduled_cents: int, arranged: bool, disputed: bool, prepared: bool
) -> Owed:
    return Owed(
        cents=_left(account, waiting),
        waiting=tuple(waiting),
        as_of=account.as_of,
        waiting_cents=_waiting_cents(waiting),
        scheduled_cents=scheduled_cents,
        arranged=arranged,
        disputed=disputed,
        prepared=prepared,
    )
