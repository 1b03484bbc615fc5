"""Several accounts paid in one go: the consumer says how much goes to each, and confirms once.

It is one charge per account under one signature, not one charge that is divided: each account has its own checkout,
payment, ledger, outcome, refund and receipt, each client's merchant statement ties, and a host is told only of its own
account (`Payment.group` joins them for the consumer). The group's id is the key of the page: confirmed twice, it is the
same payments. A new card's token is good for one charge, so the first charge keeps the card for the others; when that
one is refused, the others are not tried.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from accounts.calendars import format_date
from accounts.known import known
from accounts.models import Account, Visit
from accounts.refusals import Refusal, gettext_noop, refuse
from accounts.tenancy import acting_for, uuid7
from payments import crash
from payments.models import Checkout, Payment
from payments.processors import Outcome
from payments.rules import together as words
from payments.rules.authorization import IncompleteAuthorization
from payments.rules.cards import check_card
from payments.rules.gates import promise_gates
from payments.services import age_notice, authority, checkout, gate, locks, methods, pay, settle, velocity
from payments.services.gate import SETTLING, SINGLE, Standing, lines_of
from payments.services.means import Means, card_policy, means_of
from payments.services.sign import Agreement, Refused, sign
from settlements.rules.schedules import Line

log = structlog.get_logger(__name__)

CHOICES = ("settlement", *SINGLE)
"""What is one payment today; a plan is agreed for each account by itself."""
MOST = 12
"""Accounts in one signature: more would be a text that nobody reads."""
LEFT_AFTER = timedelta(seconds=30)
"""A group younger than this is being charged by the request that confirmed it, one account after the other."""
LEFT_LIMIT = 100
UNTRIED = "not tried: the card was refused for the first payment"
_SENTENCES = {
    "choose_several": gettext_noop("Choose an amount for two accounts or more."),
    "too_many_accounts": gettext_noop("At most %(most)s accounts can be paid in one go."),
    "paid_apart": gettext_noop("This account is paid by itself: its creditor has a merchant account of its own."),
    "disputed_or_closed": gettext_noop("This account cannot take payments now. Please contact the agency."),
}
_JOINED = ("account__consumer", "account__client", "account__agency", "visit", "consumer", "method__processor_account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Say what one account gets: `settlement`, `full`, or an `amount`."""

    account: Account
    choice: str
    amount_cents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Show one account of the review."""

    checkout: Checkout
    amount_cents: int
    saving_cents: int
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Hold all that the consumer sees before agreeing; with any refusal nothing can be confirmed."""

    items: tuple[Item, ...]
    total_cents: int
    means: Means | None
    text: str
    text_sha256: str

    @property
    def refusals(self) -> list[Refusal]:
        return [refusal for item in self.items for refusal in item.refusals]


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


@transaction.atomic
def choose(*, visit: Visit, shares: Sequence[Share], now: datetime) -> UUID | dict[UUID | None, list[Refusal]]:
    """Begin a checkout for each account; the group's id, or every refusal by account (None: about all of them)."""
    found: dict[UUID | None, list[Refusal]] = {}
    if len(shares) < 2:
        found[None] = [_no("choose_several")]
    elif len(shares) > MOST:
        found[None] = [_no("too_many_accounts", most=MOST)]
    standings = gate.standings([share.account for share in shares], now=now)
    merchants = {share.account.pk: merchant_of(share.account) for share in shares}
    for at, share in zip(standings, shares, strict=True):
        against = closed(at, visit=visit, now=now)
        if share.choice not in CHOICES:
            against.append(gate.no("choice_unknown", "choice"))
        elif merchants[share.account.pk] != merchants[shares[0].account.pk]:
            against.append(_no("paid_apart"))
        if against:
            found[share.account.pk] = against
    if found:
        return found
    group = uuid7()
    for at, share in zip(standings, shares, strict=True):
        begun = checkout.begin(visit=visit, account=share.account, now=now)
        begun.account = share.account
        lines = [Line(at.today, share.amount_cents)] if share.choice == "amount" else ()
        if against := checkout.choose(checkout=begun, choice=share.choice, lines=lines, now=now):
            found[share.account.pk] = against
            continue
        methods.change(begun, group=group)
    if found:
        # All or none: what was begun for the others goes with the transaction.
        transaction.set_rollback(True)
        return found
    return group


def closed(at: Standing, *, visit: Visit, now: datetime) -> list[Refusal]:
    """Say why nothing can be paid to this account now: disputed (RF-26), its status, its age, its balance."""
    line = Line(at.today, max(at.owed.single_most_cents, 1))
    acknowledged = gate.sol_needed(at) and age_notice.was_read(visit.pk, at.account)
    facts = gate.facts_of(at, (line,), None, "portal", single=True, acknowledged=acknowledged, now=now)
    found = promise_gates(facts)
    if not found and not at.allowed.single_methods:
        found = [_no("disputed_or_closed")]
    return found


def merchant_of(account: Account) -> UUID | None:
    """Name the merchant account that takes an account's money; a card is known to one only."""
    try:
        return methods.active_processor(account).pk
    except methods.NoProcessor:
        return None


@known
def _of_group(group: UUID, visit_id: UUID | None, consumer_id: UUID | None) -> QuerySet[Checkout]:
    mine = Checkout.objects.filter(group=group).select_related(*_JOINED)
    mine = mine.filter(visit=visit_id) if visit_id is not None else mine.filter(consumer_id=consumer_id)
    return mine.order_by("account_id")


def load(*, group: UUID, visit: Visit | None = None, consumer_id: UUID | None = None) -> list[Checkout]:
    """Read the checkouts of a group, of this visit or of this consumer, in the order they are charged."""
    return _of_group(group, visit.pk if visit is not None else None, consumer_id)


def ways(*, checkouts: Sequence[Checkout], now: datetime) -> tuple[checkout.Way, ...]:
    """Say which methods all of these accounts can be paid by; one that any of them refuses is refused."""
    each = [checkout.ways(checkout=one, now=now) for one in checkouts]
    return tuple(next((way for way in column if not way.available), column[0]) for column in zip(*each, strict=True))


def take_card(*, checkouts: Sequence[Checkout], confirmation_token: str, now: datetime) -> list[Refusal]:
    """Take the token of a new card, read at the processor, if every account takes this card (CARD-01)."""
    first, *others = checkouts
    if found := methods.take_card(checkout=first, confirmation_token=confirmation_token, now=now):
        return found
    card = first.card
    found = []
    for one in others:
        ach = checkout.ways(checkout=one, now=now)[1].available
        found += check_card(card["brand"], card["funding"], card_policy(one.account), ach_allowed=ach)
        found += methods.not_for_these_lines(one, one.account, "card", now)
    return _taken(checkouts, found, now, confirmation_token=confirmation_token, card=card, method=None)


def take_bank(
    *, checkouts: Sequence[Checkout], routing: str, number: str, account_type: str, holder: str, now: datetime
) -> list[Refusal]:
    """Take one bank account for all of them, validated and sealed once (ACH-02)."""
    first, *others = checkouts
    found = [one for other in others for one in methods.not_for_these_lines(other, other.account, "ach", now)]
    found = found or methods.take_bank(
        checkout=first, routing=routing, number=number, account_type=account_type, holder=holder, now=now
    )
    return _taken(checkouts, found, now, confirmation_token="", card={}, method=first.method)


def take_stored(*, checkouts: Sequence[Checkout], method_id: UUID, now: datetime) -> list[Refusal]:
    """Take a card or bank account that was kept before for all of them; needs a confirmed visit (AUTH-02)."""
    found = [one for each in checkouts for one in methods.take_stored(checkout=each, method_id=method_id, now=now)]
    return _taken(checkouts, found, now, confirmation_token="", card={}, method=checkouts[0].method)


def _taken(checkouts: Sequence[Checkout], found: list[Refusal], now: datetime, **values: object) -> list[Refusal]:
    """Write the means beside every checkout, or beside none."""
    with transaction.atomic():
        for one in checkouts:
            if found:
                methods.drop_unused(one, now)
                values = {"confirmation_token": "", "card": {}, "method": None}
            methods.change(one, **values)
    return list({(one.code, one.field): one for one in found}.values())


def review(*, checkouts: Sequence[Checkout], language: str, now: datetime) -> Review:
    """Gather what the review page shows, after all gates of every account; nothing is written."""
    means = means_of(checkouts[0])
    items = [
        Item(
            checkout=one,
            amount_cents=lines_of(one)[0].amount_cents,
            saving_cents=one.terms.get("saving_cents", 0) if one.choice in SETTLING else 0,
            refusals=tuple(gate.refusals(one, at, now=now)),
        )
        for one, at in zip(checkouts, gate.standings([one.account for one in checkouts], now=now), strict=True)
    ]
    try:
        text, sha256, _version = _text(checkouts, means, language, now) if means else ("", "", "")
    except IncompleteAuthorization as error:
        text, sha256 = "", ""
        items[0] = replace(items[0], refusals=(*items[0].refusals, *error.refusals))
    total = sum(item.amount_cents for item in items)
    return Review(items=tuple(items), total_cents=total, means=means, text=text, text_sha256=sha256)


def _text(checkouts: Sequence[Checkout], means: Means, language: str, now: datetime) -> tuple[str, str, str]:
    today = gate.local_date(now, checkouts[0].account.consumer.time_zone)
    several = [
        authority.parts_of(
            account=one.account,
            means=means,
            lines=[(line.due_on, line.amount_cents) for line in lines_of(one)],
            today=today,
        )
        for one in checkouts
    ]
    return words.compose(
        several,
        settles=[one.terms.get("balance_cents") if one.choice in SETTLING else None for one in checkouts],
        day=format_date(today, "es" if language.startswith("es") else "en"),
        session=bool(checkouts[0].confirmation_token),
        language=language,
    )


def confirm(
    *, group: UUID, visit: Visit, text_sha256: str, ip: str | None, user_agent: str, language: str, now: datetime
) -> list[Payment]:
    """Make the payments that were agreed to, each with its own outcome; confirmed again they are the same ones.

    :raises Refused: a gate of one account failed, or the text changed; no payment of the group is intended then.
    """
    agreement = Agreement(text_sha256=text_sha256, ip=ip, user_agent=user_agent, language=language)
    try:
        fresh = intend(group=group, visit=visit, agreement=agreement, now=now)
    except Refused as refused:
        account = load(group=group, visit=visit)[0].account
        velocity.tell(refused.refusals, account=account, visit_id=visit.pk, link_id=None, now=now)
        raise
    crash.point("after_intent_commit")
    return go_on(group=group, fresh=fresh, now=now)


@transaction.atomic(durable=True)
def intend(*, group: UUID, visit: Visit, agreement: Agreement, now: datetime) -> bool:
    """Write one signature and the payments it is for, all or none; tell whether they are new.

    :raises Refused: with every failing gate of every account; nothing is written.
    """
    ids = Checkout.objects.filter(group=group, visit=visit).values_list("account_id", flat=True)
    # In the order of ids, like everybody who locks several accounts.
    accounts = {pk: locks.lock_account(pk) for pk in sorted(ids)}
    if Payment.objects.filter(group=group).exists():
        return False
    checkouts = load(group=group, visit=visit)
    for one in checkouts:
        one.account = accounts[one.account_id]
    seen = review(checkouts=checkouts, language=agreement.language, now=now)
    if seen.means is None or seen.refusals:
        raise Refused(_by_account(seen) or [gate.no("method_missing", "method")])
    try:
        written = _text(checkouts, seen.means, agreement.language, now)
        foreign = not agreement.language.startswith("en")
        english = _text(checkouts, seen.means, "en", now)[0] if foreign else ""
    except IncompleteAuthorization as error:
        raise Refused(error.refusals) from None
    method = None
    for one in checkouts:
        account = accounts[one.account_id]
        signed = sign(
            checkout=one,
            account=account,
            agreement=agreement,
            now=now,
            written=written,
            english=english,
            method=method,
        )
        method = signed.method
        pay.write_intent(signed, account=account, now=now)
    crash.point("before_intent_commit")
    return True


def _by_account(seen: Review) -> list[Refusal]:
    """Name the account in each refusal's field."""
    return [replace(one, field=str(item.checkout.account_id)) for item in seen.items for one in item.refusals]


def resume(*, group: UUID, now: datetime) -> list[Payment]:
    """Go on with a confirmed group, asked for again; another request may be charging it this very moment."""
    for _look in range(pay.RESUME_LOOKS):
        found = payments_of(group)
        if all(payment.status != Payment.Status.INTENDED for payment in found):
            return found
        time.sleep(pay.RESUME_PAUSE)
    return go_on(group=group, fresh=False, now=now)


def sweep(*, now: datetime, limit: int = LEFT_LIMIT) -> int:
    """Go on with groups that were left in the middle (all agencies): some are decided, others never tried.

    The consumer signed for all of them moments ago, so what one crash left is charged under its own key while its
    intent lives, and has the answer that a page would have had. A group of which nothing is decided yet is looked at
    first (`ask.sweep`); where the intent is too old it is released, and the consumer is told.
    """
    left = Payment.objects.filter(
        group__isnull=False,
        status=Payment.Status.INTENDED,
        executor="portal",
        processor_ref="",
        intended_at__lte=now - LEFT_AFTER,
        expires_at__gt=now,
    )
    went_on = 0
    for agency_id, group in sorted(set(left.values_list("agency_id", "group")[:limit])):
        with acting_for(agency_id):
            try:
                if any(one.status != Payment.Status.INTENDED for one in payments_of(group)):
                    go_on(group=group, fresh=False, now=now)
                    went_on += 1
            except Exception:
                log.exception("group_sweep_failed", group=str(group))
    return went_on


@known
def _payments(group: UUID) -> QuerySet[Payment]:
    joined = Payment.objects.select_related("method__processor_account", "authorization", "processor_account")
    return joined.filter(group=group).order_by("account_id")


def payments_of(group: UUID) -> list[Payment]:
    """List the payments of a group in the order they are charged."""
    return _payments(group)


@known
def _token(key: UUID) -> QuerySet:
    return Checkout.objects.filter(pk=key).values_list("confirmation_token", flat=True)


def go_on(*, group: UUID, fresh: bool, now: datetime) -> list[Payment]:
    """Charge what is still to be charged, one after the other, and record what came of each."""
    first, *others = payments_of(group)
    token = _token.get(first.idempotency_key)
    first = pay.finish(first, fresh=fresh, now=now)
    if token and first.status == Payment.Status.INTENDED:
        # The others are charged by the card that the first one keeps: they wait until it is decided.
        return [first, *others]
    if token and first.status in (Payment.Status.DECLINED, Payment.Status.VOIDED):
        untried = Outcome(status="not_done", reason=UNTRIED)
        for payment in others:
            settle.record_outcome(payment_id=payment.pk, outcome=untried, now=now)
        return payments_of(group)
    return [first, *(pay.finish(payment, fresh=fresh, now=now) for payment in payments_of(group)[1:])]
