"""A consumer's way to one payment, page by page: what, how, and the text they will agree to.

Every step answers with all refusals at once and writes nothing when there are any. What was confirmed is frozen:
a changed mind begins a new checkout.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.known import known
from accounts.models import Account, Event, Visit
from accounts.refusals import Refusal
from payments.models import Checkout, Payment
from payments.rules import cards
from payments.rules.authorization import IncompleteAuthorization, breach_text
from payments.rules.notices import letter_send_by, notice_needed
from payments.services import authority, gate, pay_links, velocity
from payments.services.arrange import breach_of
from payments.services.gate import SCHEDULED, SETTLING, Standing, lines_of, no
from payments.services.locks import read_account
from payments.services.means import Means, card_policy, disclosures, means_of
from payments.services.methods import Confirmed, change, take_bank, take_card, take_stored
from settlements.rules import quotes
from settlements.rules.quotes import Answer, Wish
from settlements.rules.schedules import FREQUENCIES, Line, as_json, propose
from settlements.services import offers

__all__ = [
    "Confirmed",
    "Review",
    "Way",
    "again",
    "alternatives",
    "authorization_text",
    "begin",
    "choose",
    "current",
    "propose_lines",
    "quote_lines",
    "review",
    "set_paper",
    "standing_of",
    "take_bank",
    "take_card",
    "take_stored",
    "ways",
]

_JOINED = ("account__consumer", "account__client", "account__agency", "visit", "consumer", "method")


@dataclass(frozen=True, slots=True)
class Way:
    """Say whether a method (`card`, `ach`) can be used for this checkout, and if not why."""

    code: str
    refusal: Refusal | None = None

    @property
    def available(self) -> bool:
        return self.refusal is None


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """Show one payment of the review; `notice` is `email`, `letter` or empty, `send_by` the letter's last day."""

    number: int
    on: date
    amount_cents: int
    notice: str = ""
    send_by: date | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """Hold all that the consumer sees before agreeing; with refusals it cannot be confirmed.

    `breach` says in one paragraph what a failed payment means; it is part of the text and empty where nothing is
    planned ahead. `amount_now_cents` is 0 when even the first payment is later.
    """

    refusals: list[Refusal]
    amount_now_cents: int
    total_cents: int
    saving_cents: int
    lines: tuple[ReviewLine, ...]
    means: Means | None
    text: str
    text_sha256: str
    text_version: str
    settlement_of_cents: int | None
    breach: str = ""

    @property
    def later(self) -> tuple[ReviewLine, ...]:
        """The payments that are not taken now."""
        return self.lines[1:] if self.amount_now_cents else self.lines


def standing_of(*, account: Account, now: datetime) -> Standing:
    """Read what is owed, offered and allowed on an account now."""
    return gate.standing(read_account(account.pk), now=now)


@known
def _with_agency(account_id: UUID) -> QuerySet[Account]:
    return Account.objects.select_related("agency").filter(pk=account_id)


@transaction.atomic
def begin(*, visit: Visit, account: Account, now: datetime) -> Checkout:
    """Begin a checkout; its id is the idempotency key of the payment it may become.

    The host is told once when a card cannot be offered because what must be shown is missing (CARD-02).
    """
    assert account.consumer_id == visit.consumer_id, "a visit pays its own consumer's accounts"
    account = _with_agency.get(account.pk)
    if missing := cards.missing_disclosures(disclosures(account)):
        told = Event.objects.filter(account=account, kind="account.card_disabled", data__missing=list(missing))
        if not told.exists():
            events.record("account.card_disabled", account=account, now=now, data={"missing": list(missing)})
    return Checkout.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        visit=visit,
        payments_seen=Payment.objects.filter(account=account).count(),
        created_at=now,
    )


@known
def _current(visit_id: UUID, account_id: UUID) -> QuerySet[Checkout]:
    mine = Checkout.objects.filter(visit=visit_id, account=account_id, confirmed_at=None)
    return mine.select_related(*_JOINED).order_by("-created_at", "-pk")


def current(*, visit: Visit, account: Account) -> Checkout | None:
    """Find the latest checkout of this visit and account that was not confirmed."""
    return _current.first(visit.pk, account.pk)


def again(*, checkout: Checkout, now: datetime) -> Checkout:
    """Begin anew with the same choice after a decline; how to pay is asked again.

    What was prepared for the consumer stays what is paid: its link is used up by whichever card takes it.
    """
    fresh = begin(visit=checkout.visit, account=checkout.account, now=now)
    kept = {name: getattr(checkout, name) for name in ("choice", "frequency", "lines", "terms", "paper")}
    link = checkout.link
    if link is not None and pay_links.state(link, now=now) == pay_links.OPEN:
        kept["link"] = link
    change(fresh, **kept)
    return fresh


def propose_lines(
    *,
    account: Account,
    now: datetime,
    parts: int | None = None,
    frequency: str = "monthly",
    choice: str = "parts",
    first_on: date | None = None,
) -> tuple[Line, ...]:
    """Propose equal payments of the settlement or the plan, from today on; empty where there is none."""
    return _proposed(standing_of(account=account, now=now), choice, parts, frequency, first_on)


def _proposed(
    at: Standing, choice: str, parts: int | None = None, frequency: str = "monthly", first_on: date | None = None
) -> tuple[Line, ...]:
    terms = at.terms_of(choice)
    if terms is None:
        return ()
    method = next(iter(terms.allowed.methods(2)), "card")
    return propose(terms, first_on or at.today, frequency, parts, method)


def quote_lines(*, account: Account, wish: Wish, now: datetime) -> Answer:
    """Work out what a wish comes to while the consumer adjusts it, or everything that is against it."""
    at = standing_of(account=account, now=now)
    found = quotes.answer(at.offered, wish, currency=account.currency)
    if found.refusals or wish.choice not in gate.CHOICES:
        return found
    against = gate.check_lines(at, wish.choice, found.lines, method=wish.method or None, by_amount=bool(wish.lines))
    return dataclasses.replace(found, refusals=tuple(against)) if against else found


def choose(
    *,
    checkout: Checkout,
    choice: str,
    lines: Sequence[Line | tuple[date, int]] = (),
    now: datetime,
    by_amount: bool = False,
    frequency: str = "monthly",
) -> list[Refusal]:
    """Choose what to pay: `settlement` at once, in `parts`, a `plan`, in `full`, or another `amount`.

    Without lines `settlement` and `full` are one payment today, `parts` and `plan` are our proposal at the frequency;
    `amount` needs its one line. A first line on a later day is planned and nothing is charged at confirm. Returns all
    refusals at once; the checkout changes only when there are none.

    :param by_amount: the consumer set the amount of each payment, so the last one may be smaller.
    :param frequency: how the lines came about, to say it again; their own gaps decide what is the smallest payment.
    :raises Confirmed: the checkout was confirmed already.
    """
    at = standing_of(account=checkout.account, now=now)
    wanted = [line if isinstance(line, Line) else Line(*line) for line in lines]
    if frequency not in FREQUENCIES:
        return [no("frequency_unknown", "frequency")]
    if not wanted and choice in SCHEDULED:
        wanted = list(_proposed(at, choice, frequency=frequency))
    elif not wanted and choice in ("settlement", "full"):
        whole = at.terms.amount_cents if choice == "settlement" and at.terms else at.owed.single_most_cents
        wanted = [Line(at.today, whole)]
    found = gate.check_lines(at, choice, wanted, method=None, by_amount=by_amount)
    if gate.plans_ahead(wanted, at.today) and checkout.visit.level < checkout.visit.Level.CONFIRMED:
        found.append(no("step_up_required"))
    if found:
        return found
    with transaction.atomic():
        terms = at.terms_of(choice)
        change(
            checkout,
            choice=choice,
            lines=as_json(wanted),
            terms=offers.facts(terms) if terms else {},
            frequency=frequency if len(wanted) > 1 else "once",
        )
        _tell_started(checkout, choice, wanted, now)
    return []


def _tell_started(checkout: Checkout, choice: str, lines: Sequence[Line], now: datetime) -> None:
    """Tell once per visit that the consumer began to pay, so that an abandoned payment can be told too."""
    started = Visit.objects.filter(pk=checkout.visit_id, payment_started_at=None).update(payment_started_at=now)
    if started:
        about = {
            "checkout": str(checkout.pk),
            "choice": choice,
            "amount_cents": lines[0].amount_cents,
            "total_cents": sum(line.amount_cents for line in lines),
            "payments": len(lines),
            "currency": checkout.account.currency,
        }
        events.record("payment.started", account=checkout.account, now=now, data=about)


def set_paper(*, checkout: Checkout, paper: bool) -> None:
    """Keep whether the consumer wants letters instead of electronic documents.

    :raises Confirmed: the checkout was confirmed already.
    """
    change(checkout, paper=paper)


def ways(*, checkout: Checkout, now: datetime) -> tuple[Way, ...]:
    """Say which methods this checkout can be paid by, with the reason for each that cannot."""
    at, lines = gate.standing(checkout.account, now=now), lines_of(checkout)
    found = []
    for code in ("card", "ach"):
        refusal = None
        _routes, complete = gate.routes(at.account, code, lines, at.today)
        if code not in at.allowed_of(checkout.choice).methods(len(lines)) or not complete:
            refusal = no("method_not_routed", "method")
        elif code == "card" and cards.missing_disclosures(disclosures(at.account)):
            refusal = no("card_disclosures_missing", "method")
        elif code == "card":
            who = {"visit_id": checkout.visit_id, "link_id": checkout.link_id}
            refusal = next(iter(velocity.against(at.account, **who, now=now)), None)
        found.append(Way(code, refusal))
    return tuple(found)


def alternatives(*, account: Account) -> tuple[str, ...]:
    """Name what can be used instead of a card that was refused (CARD-01); phrases of the message catalogue."""
    return cards.alternatives(card_policy(account), ach_allowed="ach" in offers.allowed(account).methods(1))


def authorization_text(checkout: Checkout, language: str, *, now: datetime) -> tuple[str, str, str]:
    """Write what the consumer will agree to: the text, its SHA-256 and its version.

    The date in it is the consumer's own, so a text shown before midnight is not the text of the next day.
    """
    means, lines = means_of(checkout), lines_of(checkout)
    assert means is not None, "choose how to pay first"
    assert lines, "choose what to pay first"
    account = checkout.account
    today = gate.local_date(now, account.consumer.time_zone)
    ahead = gate.plans_ahead(lines, today)
    return authority.write(
        account=account,
        means=means,
        lines=[(line.due_on, line.amount_cents) for line in lines],
        today=today,
        settlement_of_cents=checkout.terms.get("balance_cents") if checkout.choice in SETTLING else None,
        language=language,
        breach=breach_of(checkout.terms) if ahead and checkout.terms else None,
    )


@known
def _whole(checkout_id: UUID) -> QuerySet[Checkout]:
    return Checkout.objects.select_related(*_JOINED).filter(pk=checkout_id)


def review(checkout: Checkout, *, language: str, now: datetime, loaded: bool = False) -> Review:
    """Gather what the review page shows, after all gates; nothing is written.

    :param loaded: the caller has just read the checkout with everything joined.
    """
    if not loaded:
        checkout = _whole.get(checkout.pk)
    at, lines, means = gate.standing(checkout.account, now=now), lines_of(checkout), means_of(checkout)
    channel = gate.notice_channel(checkout) if gate.needs_notice(lines, at.today) else ""
    refusals = gate.refusals(checkout, at, now=now, channel=channel)
    text, sha256, version, breach = ("", "", "", "")
    if checkout.terms and gate.plans_ahead(lines, at.today):
        agency = checkout.account.agency.legal_name
        settling = checkout.choice in SETTLING
        breach = breach_text(breach_of(checkout.terms), settling=settling, agency_name=agency, language=language)
    if means is not None and lines:
        try:
            text, sha256, version = authorization_text(checkout, language, now=now)
        except IncompleteAuthorization as error:
            refusals = [*refusals, *error.refusals]
    settling = checkout.choice in SETTLING
    return Review(
        refusals=refusals,
        amount_now_cents=lines[0].amount_cents if lines and not gate.starts_later(lines, at.today) else 0,
        total_cents=sum(line.amount_cents for line in lines),
        saving_cents=checkout.terms.get("saving_cents", 0) if settling else 0,
        lines=tuple(_review_line(number, line, channel, at.today) for number, line in enumerate(lines, 1)),
        means=means,
        text=text,
        text_sha256=sha256,
        text_version=version,
        settlement_of_cents=checkout.terms.get("balance_cents") if settling else None,
        breach=breach,
    )


def _review_line(number: int, line: Line, channel: str, today: date) -> ReviewLine:
    if not notice_needed(today, line.due_on):
        return ReviewLine(number, line.due_on, line.amount_cents)
    send_by = letter_send_by(line.due_on) if channel == "letter" else None
    return ReviewLine(number, line.due_on, line.amount_cents, channel, send_by)
