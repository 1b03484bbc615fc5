"""Make, withdraw and show settlement offers; the arithmetic is in settlements.rules."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from accounts import clock, events
from accounts.known import known
from accounts.models import Account, Event
from accounts.refusals import Refusal
from accounts.tenancy import ALL_AGENCIES, acting, acting_for
from settlements.models import GlobalOffer, IndividualOffer
from settlements.rules import offers as rules
from settlements.rules import old_debts, quotes
from settlements.rules.offers import Allowed, HostSettlement, Terms
from settlements.rules.quotes import Offered
from settlements.services import rulesets

STANDING = (*IndividualOffer.OPEN, IndividualOffer.Status.ACCEPTED)
"""While one of these is the latest of an account, it decides and nothing is borrowed from the levels below."""
VIEWED_AGAIN_AFTER = timedelta(minutes=30)
"""A reload of the page within this time is the same look at the offer."""
_MOST_DAYS = 32_767  # what the column holds: ninety years
_UNUSABLE = {"amount_cents": 0, "percent_bps": None}
"""Stored for what the host meant and we cannot read: it makes no offer and hides the global default."""


def _as_the_host_says(accounts: Sequence[Account]) -> Mapping[UUID, int]:
    return {account.pk: account.balance_cents for account in accounts}


owed_cents: Callable[[Sequence[Account]], Mapping[UUID, int]] = _as_the_host_says
"""Port: the floor of the payments says what accounts, whose rows are locked, owe after its own payments."""


def set_host_offer(*, account: Account, settlement: HostSettlement | None, now: datetime) -> list[Refusal]:
    """Take over what the host says for one account now, as a whole; None removes its settlement.

    Returns the row errors of an unusable settlement, which then hides the global default and offers nothing.
    """
    return set_host_offers(settlements={account: settlement}, now=now)[account]


@transaction.atomic
def set_host_offers(
    *, settlements: Mapping[Account, HostSettlement | None], now: datetime
) -> dict[Account, list[Refusal]]:
    """Take over what the host says for many accounts; one query finds what stands, only changes are written.

    Only news counts: a host that repeats itself neither displaces what staff or a campaign offered since, nor brings
    back what was declined or has expired. Whoever says something new last is heard, save that an accepted offer stands
    as long as its arrangement. A host that says nothing any more withdraws its own open offer and nobody else's.
    One that would end within the validation period is unusable (RF-31): we make none that does, and lengthen none that
    the host limited.
    """
    known: dict[UUID, list[IndividualOffer]] = {}
    hosts = Q(origin=IndividualOffer.Origin.HOST, said_until=None)
    rows = IndividualOffer.objects.filter(hosts | Q(status__in=IndividualOffer.OPEN), account__in=settlements)
    for offer in rows.order_by("made_at", "pk"):
        known.setdefault(offer.account_id, []).append(offer)
    found: dict[Account, list[Refusal]] = {}
    unsaid: list[IndividualOffer] = []
    gone: list[IndividualOffer] = []
    made: list[IndividualOffer] = []
    told: list[tuple[str, Account, dict]] = []
    for account, said in settlements.items():
        mine = known.get(account.pk, [])
        sent_on = account.validation_sent_on
        found[account] = rules.check_settlement(said, validation_sent_on=sent_on) if said else []
        wanted = _values(said, found[account]) if said else None
        before = [offer for offer in mine if offer.origin == IndividualOffer.Origin.HOST and not offer.said_until]
        if wanted and before and all(getattr(before[-1], name) == value for name, value in wanted.items()):
            continue
        unsaid += before
        for offer in mine if wanted else before:
            if offer.status in IndividualOffer.OPEN:
                gone.append(offer)
                reason = {"reason": "replaced by the host" if wanted else "not said any more"}
                told.append(("offer.withdrawn", account, about(offer, account.currency) | reason))
        if wanted:
            offer = IndividualOffer(account=account, origin=IndividualOffer.Origin.HOST, made_at=now, **wanted)
            made.append(offer)
            told.append(("offer.made", account, about(offer, account.currency)))
    if unsaid:
        IndividualOffer.objects.filter(pk__in=[offer.pk for offer in unsaid]).update(said_until=now)
    if gone:
        withdrawn = IndividualOffer.Status.WITHDRAWN
        IndividualOffer.objects.filter(pk__in=[offer.pk for offer in gone]).update(status=withdrawn, decided_at=now)
    IndividualOffer.objects.bulk_create(made)
    for kind, account, data in told:
        events.record(kind, account=account, now=now, data=data)
    return found


def _values(said: HostSettlement, errors: list[Refusal]) -> dict:
    """Read a settlement as the columns of a row; with both an amount and a percent the amount counts."""
    by_amount = said.amount_cents is not None
    values = {
        "amount_cents": said.amount_cents,
        "percent_bps": None if by_amount else said.percent_bps,
        "max_payments": said.max_payments or 1,
        "max_days": min(said.max_days, _MOST_DAYS) if said.max_days is not None else None,
        "max_on": said.max_date,
        "text": said.text[:500],
    }
    return values | _UNUSABLE | {"max_payments": 1, "max_days": None, "max_on": None} if errors else values


def about(offer: IndividualOffer, currency: str) -> dict:
    """Give an offer as events tell it."""
    return {
        "offer": str(offer.pk),
        "origin": offer.origin,
        "amount_cents": offer.amount_cents,
        "percent_bps": offer.percent_bps,
        "max_payments": offer.max_payments,
        "max_days": offer.max_days,
        "max_on": offer.max_on.isoformat() if offer.max_on else None,
        "expires_on": offer.expires_on.isoformat() if offer.expires_on else None,
        "currency": currency,
    }


@transaction.atomic
def set_default(*, values: Mapping[str, object], by: str, now: datetime) -> GlobalOffer:
    """Replace the agency's default offer by a new version; what is not in `values` stays as it is."""
    before = GlobalOffer.objects.select_for_update().filter(superseded_at=None).first()
    names = ("enabled", "percent_bps", "max_payments", "max_days", "minimum_payment_cents")
    kept = {name: getattr(before, name) for name in names} if before else {}
    version = (GlobalOffer.objects.aggregate(last=Max("version"))["last"] or 0) + 1
    if before:
        GlobalOffer.objects.filter(pk=before.pk).update(superseded_at=now)
    return GlobalOffer.objects.create(**{**kept, **values}, version=version, made_by=by, made_at=now)


_UNLIMITED = rules.payment_options(rules.PaymentOptions())
"""What is allowed where the host said nothing, as of most accounts."""


def allowed(account: Account) -> Allowed:
    """Join what the host allows for this account; names are those of `settlements.rules.offers.PaymentOptions`."""
    if not account.payment_options:
        return _UNLIMITED
    known = rules.PaymentOptions.__dataclass_fields__
    said = {name: value for name, value in account.payment_options.items() if name in known}
    return rules.payment_options(rules.PaymentOptions(**said))


def terms_for(*, account: Account, owed_cents: int, today: date, now: datetime | None = None) -> Terms | None:
    """Give the settlement this account is offered today on what is owed, or None; `offered_to` gives everything."""
    return offered_to(due={account: (owed_cents, today)}, now=now)[account.pk].settlement


@known
def _standing(accounts: Sequence[UUID]) -> QuerySet[IndividualOffer]:
    return IndividualOffer.objects.filter(account__in=accounts, status__in=STANDING).order_by("made_at", "pk")


@known
def _default() -> QuerySet[GlobalOffer]:
    return GlobalOffer.objects.filter(superseded_at=None)


def offered_to(
    *, due: Mapping[Account, tuple[int, date]], arranged: Collection[UUID] = (), now: datetime | None = None
) -> dict[UUID, Offered]:
    """Work out what is open to several accounts at once, in at most three queries per agency.

    :param due: per account what is owed in cents and the consumer's local date.
    :param arranged: accounts with an arrangement: the default offer is not read for them.
    :param now: which rule sets are in force; by default the present.
    """
    now = now or clock.now()
    if acting() == ALL_AGENCIES:
        # A sweep over all agencies: each account is read by its own agency's rules.
        return _of_agencies(due, now)
    today = {account.pk: day for account, (_owed_cents, day) in due.items()}
    # The latest individual offer decides, accepted ones included; one past its last day is none, swept up or not.
    latest = {
        offer.account_id: offer
        for offer in _standing([account.pk for account in due])
        if offer.status == IndividualOffer.Status.ACCEPTED
        or offer.expires_on is None
        or offer.expires_on >= today[offer.account_id]
    }
    in_force = rulesets.in_force(clients={account.client_id for account in due}, now=now)
    default = None
    free = [account for account in due if account.pk not in latest and account.pk not in arranged]
    if any(not in_force.get(account.client_id) for account in free):
        default = _default.first()
    return {
        account.pk: quotes.offered(
            quotes.Facts(
                owed_cents=owed_cents,
                today=today,
                listed_on=account.listed_on or account.assigned_on,
                individual=said_by(latest[account.pk]) if account.pk in latest else None,
                rules=in_force.get(account.client_id),
                global_offer=default_of(default),
                allowed=allowed(account),
                too_old_for_parts=too_old_for_parts(account, today),
            )
        )
        for account, (owed_cents, today) in due.items()
    }


def too_old_for_parts(account: Account, today: date) -> bool:
    """Tell whether nothing in parts is offered because of the debt's age (SOL-01, SOL-04)."""
    if account.sol_status == "live" and account.sol_on is None:
        return False  # most are: nothing more is read for them
    allowed_states = account.agency.old_debt_parts_states
    return old_debts.no_parts(account.consumer.state, account.sol_status, account.sol_on, today, allowed_states)


def _of_agencies(due: Mapping[Account, tuple[int, date]], now: datetime) -> dict[UUID, Offered]:
    found: dict[UUID, Offered] = {}
    for agency_id in {account.agency_id for account in due}:
        with acting_for(agency_id):
            theirs = {account: at for account, at in due.items() if account.agency_id == agency_id}
            found |= offered_to(due=theirs, now=now)
    return found


def said_by(offer: IndividualOffer) -> HostSettlement:
    """Read an individual offer as the rules take it."""
    return HostSettlement(
        amount_cents=offer.amount_cents,
        percent_bps=offer.percent_bps,
        max_payments=offer.max_payments,
        max_days=offer.max_days,
        max_date=offer.max_on,
        methods=tuple(offer.methods),
        text=offer.text,
        level=offer.origin,
        version=str(offer.pk),
    )


def default_of(default: GlobalOffer | None) -> rules.GlobalOffer | None:
    """Read the agency's default offer as the rules take it; one that is not enabled is none."""
    if default is None or not default.enabled:
        return None
    return rules.GlobalOffer(
        percent_bps=default.percent_bps,
        max_payments=default.max_payments,
        max_days=default.max_days,
        minimum_payment_cents=default.minimum_payment_cents,
        version=default.version,
    )


def facts(terms: Terms) -> dict:
    """Give terms as JSON, to freeze with what a consumer accepts and to tell in events."""
    return {
        "balance_cents": terms.balance_cents,
        "amount_cents": terms.amount_cents,
        "saving_cents": terms.saving_cents,
        "max_payments": terms.max_payments,
        "last_on": terms.last_date.isoformat(),
        "minimum_payment_cents": terms.minimum_payment_cents,
        "level": terms.level,
        "version": terms.version,
        "text": terms.text,
        "kind": terms.kind,
        "monthly_minimum_cents": terms.monthly_minimum_cents,
        "max_months": terms.max_months,
        "breach": dataclasses.asdict(terms.breach),
        "trace": [[_plain(value) for value in origin] for origin in terms.trace],
    }


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


@transaction.atomic
def view(*, account: Account, terms: Terms, now: datetime) -> None:
    """Note that the consumer saw the offer, and tell it; a reload is not another look."""
    if terms.level in IndividualOffer.Origin.values:
        made = IndividualOffer.objects.filter(pk=terms.version, status=IndividualOffer.Status.MADE)
        made.update(status=IndividualOffer.Status.VIEWED, viewed_at=now)
    recent = Event.objects.filter(account=account, kind="offer.viewed", occurred_at__gt=now - VIEWED_AGAIN_AFTER)
    if not recent.exists():
        events.record("offer.viewed", account=account, now=now, data=_told(facts(terms), account))


@transaction.atomic
def accept(*, account: Account, terms: dict, now: datetime, about: dict) -> None:
    """Note that the consumer accepted the frozen terms; the offer they came from stands, accepted."""
    if terms.get("level") in IndividualOffer.Origin.values:
        IndividualOffer.objects.filter(pk=terms["version"], status__in=IndividualOffer.OPEN).update(
            status=IndividualOffer.Status.ACCEPTED, decided_at=now
        )
    events.record("offer.accepted", account=account, now=now, data=_told(terms, account) | about)


def _told(terms: dict, account: Account) -> dict:
    return {name: value for name, value in terms.items() if name not in ("trace", "text")} | {
        "currency": account.currency
    }
