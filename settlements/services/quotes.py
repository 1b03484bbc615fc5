"""Quotes: what would be agreed, worked out and frozen before anybody agrees, and what has changed since."""

import hashlib
import json
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings

from accounts.calendars import local_date
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.models import Quote
from settlements.rules import quotes as rules
from settlements.rules.offers import Terms
from settlements.rules.quotes import Offered, Wish
from settlements.rules.schedules import Line, as_json, from_json
from settlements.services import offers

OPEN, ACCEPTED, EXPIRED = "open", "accepted", "expired"
_SENTENCES = {
    "quote_expired": gettext_noop("These figures were good until %(expired_on)s. Please ask for new ones."),
    "owed_changed": gettext_noop("%(was_cents)s was owed then; %(owed_cents)s is owed now."),
    "amount_changed": gettext_noop("The amount was %(was_cents)s then; it is %(amount_cents)s now."),
    "rules_changed": gettext_noop("The offer this was worked out from has been replaced."),
    "offer_changed": gettext_noop("The offer has changed since you chose. Please choose again."),
}


def make(
    *, account: Account, owed_cents: int, today: date, wish: Wish, by: str, now: datetime
) -> Quote | list[Refusal]:
    """Work out a wish and freeze the answer, or list everything that is against it and write nothing.

    :param owed_cents: the balance less what was paid and the host does not show yet.
    :param today: the consumer's local date.
    """
    at = offers.offered_to(due={account: (owed_cents, today)}, now=now)[account.pk]
    found = rules.answer(at, wish, currency=account.currency)
    if found.refusals:
        return list(found.refusals)
    return Quote.objects.create(
        account=account,
        choice=wish.choice,
        method=wish.method,
        frequency=_frequency(wish, found.lines),
        lines=as_json(found.lines),
        total_cents=found.total_cents,
        terms=frozen(at, wish.choice),
        world=world_of(at),
        made_at=now,
        made_by=by,
        expires_at=now + timedelta(hours=settings.QUOTE_HOURS),
    )


def _frequency(wish: Wish, lines: tuple[Line, ...]) -> str:
    if len(lines) == 1:
        return "once"
    return "custom" if wish.lines else wish.frequency


def frozen(at: Offered, choice: str) -> dict:
    """Give the terms of a choice as JSON; a choice without limits of its own says what was owed."""
    terms = at.terms_of(choice)
    if terms is not None:
        return offers.facts(terms)
    owed = at.facts.owed_cents
    whole = {"balance_cents": owed, "amount_cents": owed, "saving_cents": 0, "kind": choice, "level": "account"}
    return whole | {"version": None, "text": "", "trace": [["amount_cents", "account", None, "balance_cents", owed]]}


def world_of(offered: Offered) -> str:
    """Hash what the options follow from: what is owed, the terms by their sources, the methods, what is closed.

    A day that is counted from today stands in it by its rule (180 days), not by its date: the next morning alone
    changes no world, and whether the frozen payments still keep the limits is asked of the rules again.
    """
    said = {
        "owed_cents": offered.facts.owed_cents,
        "single_methods": offered.allowed.single_methods,
        "recurring_methods": offered.allowed.recurring_methods,
        "minimum_single_cents": offered.allowed.minimum_single_cents,
        "promise_days": offered.promise_days,
        "closed": {choice: [one.code for one in why] for choice, why in sorted(offered.closed.items())},
        "settlement": _terms(offered.settlement),
        "plan": _terms(offered.plan),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _terms(terms: Terms | None) -> dict | None:
    """Give terms without the dates that follow from today; the trace names what they are counted from."""
    if terms is None:
        return None
    said = {name: value for name, value in offers.facts(terms).items() if name != "last_on"}
    return said | {
        "methods": terms.methods,
        "conversion": terms.conversion,
        "down_payment_cents": terms.down_payment_cents,
    }


def get(*, quote_id: UUID, now: datetime) -> tuple[Quote, str] | None:
    """Find a quote and say whether it is open, accepted or expired; None when there is none."""
    quote = Quote.objects.select_related("account__consumer", "account__agency").filter(pk=quote_id).first()
    return (quote, state(quote, now=now)) if quote else None


def state(quote: Quote, *, now: datetime) -> str:
    """Say whether a quote is open, accepted or expired."""
    if quote.status == Quote.Status.ACCEPTED:
        return ACCEPTED
    return EXPIRED if now >= quote.expires_at else OPEN


def lines_of(quote: Quote) -> tuple[Line, ...]:
    """Read the frozen payments."""
    return from_json(quote.lines)


def expired(quote: Quote) -> Refusal:
    """Refuse a quote whose time is over."""
    expired_on = local_date(quote.expires_at, quote.account.consumer.time_zone)
    return refuse(_SENTENCES["quote_expired"], "quote_expired", expired_on=expired_on)


def what_changed(*, quote: Quote, offered: Offered) -> list[Refusal]:
    """Say what is different now from when the quote was made, all of it; an empty list lets it be accepted.

    `offered` is what is open now. Beside the world the frozen payments are held against today's limits: a first
    payment of yesterday is refused although nothing else moved.
    """
    currency = quote.account.currency
    wish = Wish(quote.choice, method=quote.method, frequency=quote.frequency, lines=lines_of(quote))
    found = list(rules.answer(offered, wish, currency=currency).refusals)
    if world_of(offered) == quote.world:
        return found
    then, now = quote.terms, frozen(offered, quote.choice)

    def no(code: str, **params: object) -> None:
        found.insert(0, refuse(_SENTENCES[code], code, currency=currency, **params))

    if (then["level"], then["version"]) != (now["level"], now["version"]):
        no("rules_changed")
    if then["amount_cents"] != now["amount_cents"]:
        no("amount_changed", was_cents=then["amount_cents"], amount_cents=now["amount_cents"])
    if then["balance_cents"] != offered.facts.owed_cents:
        no("owed_changed", was_cents=then["balance_cents"], owed_cents=offered.facts.owed_cents)
    if not found:
        no("offer_changed")
    return found
