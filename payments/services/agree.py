"""Quote, then accept: what was worked out is agreed as it is, or refused with what has changed in between.

For the API, staff and promises on the page. Nothing is charged here: with a method its executor takes each payment on
its date, without one the consumer pays by themselves and is reminded.
"""

from datetime import datetime

from django.db import transaction

from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Arrangement, Authorization, Method
from payments.rules.authorization import IncompleteAuthorization, text_sha256
from payments.services import authority, gate, locks, velocity
from payments.services.arrange import BY_THEMSELVES, Agreed, arrange, breach_of
from payments.services.authorize import authorize, usable
from payments.services.gate import SETTLING, Standing
from payments.services.locks import read_account
from payments.services.means import Means, means_of_method
from payments.services.methods import kept_for
from payments.services.route import Route
from payments.services.sign import Refused
from settlements.models import Quote
from settlements.rules.quotes import Wish
from settlements.rules.schedules import Line
from settlements.services import quotes

__all__ = ["Refused", "accept", "closed", "quote"]

_SENTENCES = {
    "quote_changed": gettext_noop("Something has changed since this was worked out. Please look at the new figures."),
    "method_unknown": gettext_noop("Please choose one of your saved ways to pay."),
}


def quote(*, account: Account, wish: Wish, by: str, now: datetime) -> Quote | list[Refusal]:
    """Work out a wish on what is owed now and freeze it, or list everything that is against it.

    :param by: who asks: `staff:<id>`, `consumer:<id>`, `host:<id>`, `key:<id>`.
    """
    account = read_account(account.pk)
    at = gate.standing(account, now=now)
    if found := closed(at, now=now):
        return found
    return quotes.make(account=account, owed_cents=at.owed.cents, today=at.today, wish=wish, by=by, now=now)


def closed(at: Standing, *, now: datetime) -> list[Refusal]:
    """Say why nothing can be agreed on this account now, whatever the sums are."""
    found = [] if at.arrangement is None else [gate.no("arrangement_active")]
    line = Line(at.today, max(at.owed.cents, 1))
    return found + gate.against_agreeing(at, (line,), None, "consumer", now=now)


@transaction.atomic
def accept(
    *,
    quote: Quote,
    by: str,
    now: datetime,
    method: Method | None = None,
    text: str | None = None,
    ip: str | None = None,
    language: str = "en",
) -> Arrangement:
    """Agree to a quote as it was worked out; accepted again it is the same arrangement.

    :param method: who is charged on each date; None plans payments that the consumer makes by themselves.
    :param text: the authorization that was shown, where one was; it must be today's wording.
    :raises Refused: the quote is too old, the world changed (each change is named), a plan runs already, or the
        account, the method or its dates do not allow it; nothing is written.
    """
    account = locks.lock_account(Quote.objects.values_list("account_id", flat=True).get(pk=quote.pk))
    found = Quote.objects.select_for_update(of=("self",)).get(pk=quote.pk)
    if found.status == Quote.Status.ACCEPTED:
        return Arrangement.objects.get(pk=found.result_id)
    found.account = account
    at, lines = gate.standing(account, now=now), quotes.lines_of(found)
    means, route = None, BY_THEMSELVES
    against = _against(found, at, now=now)
    if method is not None:
        mine = Method.objects.select_related("processor_account").filter(pk=method.pk)
        method = mine.filter(consumer_id=account.consumer_id).first()
        ours = method is not None and usable(method) and kept_for(account, method)
        means = means_of_method(method) if ours else None
        if means is None:
            raise Refused([*against, refuse(_SENTENCES["method_unknown"], "method_unknown", field="method")])
        route = _route(account, means, lines, at)
        if route is None:
            raise Refused([*against, gate.no("method_not_routed", "method")])
    against += gate.against_agreeing(at, lines, means, route.executor, choice=found.choice, now=now)
    if means is not None and means.kind == Method.Kind.CARD:
        against += velocity.against(account, visit_id=None, link_id=None, card=means.fingerprint, now=now)
    channel = gate.channel_for(account.consumer)
    if means is not None:
        against += gate.check_channel(channel, lines, at.today)
    if against:
        raise Refused(_once(against))
    authorization = None
    if means is not None:
        authorization = _authorize(found, at, means, route, by=by, text=text, ip=ip, language=language, now=now)
    agreed = Agreed(
        kind=_kind(found.choice),
        lines=lines,
        terms=found.terms,
        frequency=found.frequency,
        key=found.pk,
        by=by,
        signed_on=at.today,
        method=method,
        authorization=authorization,
        route=route,
        channel=channel,
        quote=found,
        about={"quote": str(found.pk)},
    )
    arrangement = arrange(agreed=agreed, account=account, now=now)
    found.status, found.accepted_at, found.result_id = Quote.Status.ACCEPTED, now, arrangement.pk
    found.save(update_fields=["status", "accepted_at", "result_id"])
    return arrangement


def _against(quote: Quote, at: Standing, *, now: datetime) -> list[Refusal]:
    if quotes.state(quote, now=now) == quotes.EXPIRED:
        return [quotes.expired(quote)]
    if at.arrangement is not None:
        return [gate.no("arrangement_active")]
    changed = quotes.what_changed(quote=quote, offered=at.offered)
    return [refuse(_SENTENCES["quote_changed"], "quote_changed"), *changed] if changed else []


def _route(account: Account, means: Means, lines: tuple[Line, ...], at: Standing) -> Route | None:
    """Find who takes every payment, the one for today included: nobody is at the page to be charged now."""
    (_now, later), _complete = gate.routes(account, means.kind, (*lines, lines[-1]), at.today)
    return later


def _kind(choice: str) -> str:
    if choice in SETTLING:
        return Arrangement.Kind.SETTLEMENT
    return Arrangement.Kind.PROMISE if choice == "promise" else Arrangement.Kind.PLAN


def _authorize(
    quote: Quote,
    at: Standing,
    means: Means,
    route: Route,
    *,
    by: str,
    text: str | None,
    ip: str | None,
    language: str,
    now: datetime,
) -> Authorization:
    """Write down what was agreed to, in today's wording (EFT-01)."""
    account, lines = at.account, [(line.due_on, line.amount_cents) for line in quotes.lines_of(quote)]

    def write(code: str) -> tuple[str, str, str]:
        return authority.write(
            account=account,
            means=means,
            lines=lines,
            today=at.today,
            settlement_of_cents=quote.terms.get("balance_cents") if quote.choice in SETTLING else None,
            language=code,
            breach=breach_of(quote.terms),
        )

    try:
        written, sha256, version = write(language)
    except IncompleteAuthorization as error:
        raise Refused(error.refusals) from None
    if text is not None and text_sha256(text) != sha256:
        raise Refused([gate.no("text_changed")])
    return authorize(
        account=account,
        method=means.method,
        lines=lines,
        text=(written, sha256, version),
        language=language,
        ip=ip,
        evidence={"by": by, "quote": str(quote.pk), "later": list(route)},
        english="" if language.startswith("en") else write("en")[0],
        now=now,
    )


def _once(found: list[Refusal]) -> list[Refusal]:
    return list({(one.code, one.field): one for one in reversed(found)}.values())[::-1]
