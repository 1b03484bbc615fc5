"""Why this offer: what an account was offered at a moment, worked out again from what was stored, number by number.

Everything comes from rows that never change: the versions of rule sets and of the default offer, the account as the
database kept it until each change, individual offers and payments with their times. So it gives the same years later.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, Sum

from accounts.calendars import local_date
from accounts.models import Account, Client, Event
from accounts.refusals import Refusal
from payments.models import Arrangement, Payment
from settlements.models import GlobalOffer, IndividualOffer
from settlements.rules import quotes
from settlements.rules import why as rules
from settlements.rules.bands import compile_rules
from settlements.rules.quotes import CHOICES, Offered
from settlements.services import offers, rulesets


class NotYet(LookupError):
    """Ask for a later moment: the account was not placed yet."""


class Then(NamedTuple):
    """Give what offers read of the account, as it stood."""

    client_id: UUID
    status: str
    balance_cents: int
    listed_on: date | None
    payment_options: dict[str, Any]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold what stood at the moment; versions are None where a level had none. Amounts are cents."""

    at: datetime
    today: date
    client: str
    status: str
    balance_cents: int
    as_of: datetime
    unposted_cents: int
    owed_cents: int
    listed_on: date | None
    individual: IndividualOffer | None
    client_version: int | str | None
    agency_version: int | str | None
    default_version: int | None
    arrangement: Arrangement | None


class Closed(NamedTuple):
    """Say why a choice was not open."""

    choice: str
    reasons: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """Hold the answer: the facts, what the engine makes of them, each number with its origin, each closed choice."""

    facts: Facts
    offered: Offered
    numbers: tuple[rules.Number, ...]
    closed: tuple[Closed, ...]

    @property
    def sentences(self) -> tuple[tuple[str, Refusal], ...]:
        """Give the sentence that the consumer read for each choice, open or closed."""
        return tuple((choice, rules.sentence(self.offered, choice)) for choice in CHOICES)


def explain(*, account: Account, at: datetime) -> Why:
    """Work out again what an account was offered at a moment, in a handful of queries.

    :raises NotYet: the account was placed later.
    """
    if account.created_at > at:
        raise NotYet(account.reference)
    then = _then(account, at)
    today = local_date(at, account.consumer.time_zone)
    unposted_cents, settled = _unposted(account, at)
    owed_cents = 0 if settled else max(0, then.balance_cents - unposted_cents)
    individual = _individual(account, at, today)
    values = rulesets.values_in_force(clients=[then.client_id], now=at)
    compiled = compile_rules(values.get(then.client_id), values.get(None))
    default = _default(at)
    offered = quotes.offered(
        quotes.Facts(
            owed_cents=owed_cents,
            today=today,
            listed_on=then.listed_on or account.assigned_on,
            individual=offers.said_by(individual) if individual else None,
            rules=compiled,
            global_offer=offers.default_of(default),
            allowed=offers.allowed(then),
            too_old_for_parts=offers.too_old_for_parts(account, today),
        )
    )
    client, agency = values.get(then.client_id), values.get(None)
    facts = Facts(
        at=at,
        today=today,
        client=str(Client.objects.get(pk=then.client_id)),
        status=then.status,
        balance_cents=then.balance_cents,
        as_of=then.as_of,
        unposted_cents=unposted_cents,
        owed_cents=owed_cents,
        listed_on=then.listed_on or account.assigned_on,
        individual=individual,
        client_version=client.version if client else None,
        agency_version=agency.version if agency else None,
        default_version=default.version if default else None,
        arrangement=_arrangement(account, at),
    )
    closed = tuple(Closed(choice, offered.closed[choice]) for choice in CHOICES if choice in offered.closed)
    return Why(facts, offered, tuple(rules.lines(offered)), closed)


# What stood then ----------------------------------------------------------------------------------------------------


def _then(account: Account, at: datetime) -> Then:
    """Read the account as it stood: the row that the first change after the moment left behind, or today's."""
    row = account.past.filter(until__gt=at).order_by("until").first() or account
    return Then(*(getattr(row, name) for name in Then._fields))


def _unposted(account: Account, at: datetime) -> tuple[int, bool]:
    """Sum up own payments that the host did not show then; True where one of them settled the account."""
    waiting = Payment.objects.filter(
        Q(acknowledged_at=None) | Q(acknowledged_at__gt=at), account=account, intended_at__lte=at
    ).annotate(
        back_cents=Sum(
            "entries__amount_cents",
            filter=Q(entries__book="debt", entries__reason="refund", entries__at__lte=at),
        )
    )
    statuses = _statuses(account, at)
    cents, settled = 0, False
    for payment in waiting:
        status = statuses.get(str(payment.pk), Payment.Status.INTENDED)
        if status in Payment.COUNTED:
            cents += payment.amount_cents - (payment.back_cents or 0)
            settled = settled or (payment.purpose == "settlement" and status != Payment.Status.INTENDED)
    return cents, settled


def _statuses(account: Account, at: datetime) -> dict[str, str]:
    """Read what each payment was at the moment; events kept it, the payment itself has only its last status."""
    told = Event.objects.filter(account=account, kind__startswith="payment.", occurred_at__lte=at)
    rows = told.order_by("account_seq").values_list("data__payment", "data__status")
    return {payment: status for payment, status in rows if payment and status}


def _individual(account: Account, at: datetime, today: date) -> IndividualOffer | None:
    """Find the individual offer that decided then: the latest that stood and was not past its last day."""
    standing = IndividualOffer.objects.filter(
        Q(status__in=offers.STANDING) | Q(decided_at__gt=at), account=account, made_at__lte=at
    ).order_by("-made_at", "-pk")
    for offer in standing:
        if offer.expires_on is None or offer.expires_on >= today or _accepted(offer, at):
            return offer
    return None


def _accepted(offer: IndividualOffer, at: datetime) -> bool:
    told = Event.objects.filter(account=offer.account_id, kind="offer.accepted", occurred_at__lte=at)
    return told.filter(data__version=str(offer.pk)).exists()


def _default(at: datetime) -> GlobalOffer | None:
    stood = GlobalOffer.objects.filter(Q(superseded_at=None) | Q(superseded_at__gt=at), made_at__lte=at)
    return stood.order_by("-version").first()


def _arrangement(account: Account, at: datetime) -> Arrangement | None:
    ran = Arrangement.objects.filter(Q(ended_at=None) | Q(ended_at__gt=at), account=account, accepted_at__lte=at)
    return ran.order_by("-accepted_at").first()
