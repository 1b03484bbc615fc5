"""Offers for one account by staff and campaigns, and how every individual offer ends.

Callers check permissions: `settlements.exceed_offer` for `exceed`. The account's row is locked first, as everywhere.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from accounts import events, statuses
from accounts.calendars import add_months, local_date, validation_ends_on
from accounts.models import Account
from accounts.money import share
from accounts.refusals import Refusal, refuse
from settlements.models import GlobalOffer, IndividualOffer
from settlements.rules import offers as rules
from settlements.rules import quotes
from settlements.rules.offers import METHODS, HostSettlement
from settlements.rules.quotes import Offered
from settlements.services import offers, rulesets

EXPIRED_AT_ONCE = 1_000
_MOST_DAYS = 32_767  # what the column holds: ninety years
_LENGTHS = {"text": 500, "reason": 300}
_SENTENCES = {
    "account_unknown": "There is no such account.",
    "account_not_open": "Offers are made for open accounts only.",
    "offer_accepted_stands": "The consumer accepted an offer, which stands.",
    "offer_unknown": "There is no such offer.",
    "offer_not_open": "This offer is not open any more.",
    "amount_or_percent": "An offer has an amount or a percent, not both.",
    "offer_above_balance": "An offer is at most the balance of %(balance_cents)s.",
    "method_unknown": "The methods are card and ach.",
    "method_not_allowed": "None of these methods is allowed for this account.",
    "too_old_for_parts": "A debt of this age is settled in one payment: payments in parts are not offered for it.",
    "last_day_in_past": "The last day to pay is today or later.",
    "expires_in_past": "The last day to accept is today or later.",
    "offer_ends_in_validation": "An offer must not end before the validation period does, on %(ends_on)s.",
    "text_too_long": "This text has at most %(most)s characters.",
    "text_unprintable": "This text has characters that cannot be shown.",
    "offer_below_minimum": "The rules allow no settlement below %(least_cents)s.",
    "offer_too_many_payments": "The rules allow at most %(most)s payments.",
    "offer_too_long": "The rules allow payments until %(limit_on)s.",
    "offer_outlives_window": "The rules allow settlements until %(limit_on)s: let the offer expire by then.",
    "reason_needed": "Say why the rules are exceeded.",
}
_FIELDS = {"Amount": "/amount_cents", "Percent": "/percent_bps", "MaxPayments": "/max_payments", "MaxDays": "/max_days"}
_NEVER = ("nothing_owed", "cannot_pay_here")
"""Reasons of the engine that no permission exceeds."""


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


@transaction.atomic
def make(
    *,
    account: Account,
    origin: str,
    by: str,
    now: datetime,
    amount_cents: int | None = None,
    percent_bps: int | None = None,
    max_payments: int = 1,
    max_days: int | None = None,
    max_on: date | None = None,
    methods: Sequence[str] = (),
    text: str = "",
    expires_on: date | None = None,
    exceed: bool = False,
    reason: str = "",
    campaign_id: Any = None,
) -> list[Refusal] | IndividualOffer:
    """Make the open offer of an account, withdrawing the one before; or list everything that is against it.

    It is held to the band that governs the balance (minimum percent, window, months settled and the band's own limits)
    or, where no rules exist, to the default offer. `exceed` lifts these limits, with a reason, and nothing else: not
    the balance, not a ban on methods, not the age of a debt (SOL-04). An offer within the rules ends with the window,
    an offer with a last day to pay on that day, if no earlier `expires_on` is given.

    :param origin: staff or campaign.
    :param max_days: days to finish from the day of acceptance; `max_on` the last day; neither: paid at once.
    :param expires_on: the last day to accept, where the consumer lives.
    """
    assert origin in ("staff", "campaign"), origin
    held = _held(account)
    if held is None:
        return [_no("account_unknown")]
    said = HostSettlement(
        amount_cents=amount_cents,
        percent_bps=percent_bps,
        max_payments=max_payments,
        max_days=max_days,
        max_date=max_on,
        methods=tuple(one for one in METHODS if one in methods),
        text=text.strip(),
    )
    today = local_date(now, held.consumer.time_zone)
    compiled = rulesets.in_force(clients=[held.client_id], now=now)[held.client_id]
    default = None if compiled else GlobalOffer.objects.filter(superseded_at=None).first()
    at = levels_below(held, offers.owed_cents([held])[held.pk], today, compiled, default)
    accepted = held.offers.filter(status=IndividualOffer.Status.ACCEPTED).exists()
    found = plainly_wrong(held, said, methods, reason, expires_on, at, accepted=accepted)
    beyond = [] if found else beyond_rules(said, at, expires_on)
    if beyond and not exceed:
        found += beyond
    if beyond and exceed and not reason.strip():
        found.append(_no("reason_needed", "/reason"))
    if found:
        return found
    ends = [day for day in (expires_on, max_on, None if beyond else window_ends_on(at)) if day]
    if found := pressing(held, today, ends):
        return found
    for offer in _open(held):
        _end(offer, held, IndividualOffer.Status.WITHDRAWN, now, reason=f"replaced by {origin}")
    offer = IndividualOffer.objects.create(
        account=held,
        origin=origin,
        amount_cents=amount_cents,
        percent_bps=percent_bps,
        max_payments=max_payments,
        max_days=min(max_days, _MOST_DAYS) if max_days is not None else None,
        max_on=max_on,
        methods=list(said.methods),
        text=said.text,
        expires_on=min(ends, default=None),
        exceeds=bool(beyond),
        reason=reason.strip(),
        made_by=by,
        campaign_id=campaign_id,
        made_at=now,
    )
    told = {"by": by, "exceeds": offer.exceeds, "campaign": str(campaign_id) if campaign_id else None}
    events.record("offer.made", account=held, now=now, data=offers.about(offer, held.currency) | told)
    return offer


def levels_below(account: Account, owed_cents: int, today: date, compiled: Any, default: GlobalOffer | None) -> Offered:
    """Work out what the levels below would offer: the rules in force, or the default offer where there are none.

    :param owed_cents: the balance less own payments that the host does not show yet, as the consumer is told it.
    """
    return quotes.offered(
        quotes.Facts(
            owed_cents=owed_cents,
            today=today,
            listed_on=account.listed_on or account.assigned_on,
            rules=compiled,
            global_offer=offers.default_of(default),
            allowed=offers.allowed(account),
            too_old_for_parts=offers.too_old_for_parts(account, today),
        )
    )


def _validating_until(account: Account, today: date) -> date | None:
    """Give the last day of the validation period while it runs."""
    ends_on = validation_ends_on(account.validation_sent_on) if account.validation_sent_on else None
    return ends_on if ends_on is not None and today <= ends_on else None


def pressing(account: Account, today: date, ends: Sequence[date]) -> list[Refusal]:
    """Refuse an offer whose window would end it within the validation period, though nobody typed a day (RF-31)."""
    ends_on = _validating_until(account, today)
    if ends_on is None or min(ends, default=ends_on) >= ends_on:
        return []
    return [_no("offer_ends_in_validation", "/expires_on", ends_on=ends_on)]


def plainly_wrong(
    account: Account,
    said: HostSettlement,
    methods: Sequence[str],
    reason: str,
    expires_on: date | None,
    at: Offered,
    *,
    accepted: bool,
) -> list[Refusal]:
    """Say what no permission makes right."""
    today = at.facts.today
    found = [
        refuse(one.template, one.code, field=_FIELDS[one.field], **one.params) for one in rules.check_settlement(said)
    ]
    if not statuses.may(account.status, "payment"):
        found.append(_no("account_not_open"))
    if accepted:
        found.append(_no("offer_accepted_stands"))
    if said.amount_cents is not None and said.percent_bps is not None:
        found.append(_no("amount_or_percent", "/percent_bps"))
    if (said.amount_cents or 0) > (owed := at.facts.owed_cents):
        found.append(_no("offer_above_balance", "/amount_cents", balance_cents=owed, currency=account.currency))
    if set(methods) - set(METHODS):
        found.append(_no("method_unknown", "/methods"))
    elif said.methods and not set(said.methods) & set(at.allowed.single_methods):
        found.append(_no("method_not_allowed", "/methods"))
    if at.facts.too_old_for_parts and (said.max_payments or 1) > 1:
        found.append(_no("too_old_for_parts", "/max_payments"))  # SOL-04: each part could start the clock again
    if said.max_date is not None and said.max_date < today:
        found.append(_no("last_day_in_past", "/max_on"))
    if expires_on is not None and expires_on < today:
        found.append(_no("expires_in_past", "/expires_on"))
    if ends_on := _validating_until(account, today):
        # RF-31: nothing may press a consumer who can still dispute the debt.
        pressing = {"/expires_on": expires_on, "/max_on": said.max_date}
        found += [
            _no("offer_ends_in_validation", name, ends_on=ends_on)
            for name, day in pressing.items()
            if day is not None and day < ends_on
        ]
    for name, written in (("text", said.text), ("reason", reason.strip())):
        if len(written) > _LENGTHS[name]:
            found.append(_no("text_too_long", f"/{name}", most=_LENGTHS[name]))
        if not written.replace("\n", "").replace("\r", "").isprintable():
            found.append(_no("text_unprintable", f"/{name}"))
    return found + [one for one in at.closed.get("settlement", ()) if one.code in _NEVER]


def beyond_rules(said: HostSettlement, at: Offered, expires_on: date | None) -> list[Refusal]:
    """Say which limits of the rules, or of the default offer, a permission would exceed."""
    limits = at.settlement
    if limits is None:
        return list(at.closed["settlement"])
    owed, today = at.facts.owed_cents, at.facts.today
    found = []
    by_percent = said.percent_bps is not None
    amount = share(owed, said.percent_bps) if by_percent else said.amount_cents
    least = share(owed, at.governing["minimum_settlement_bps"]) if at.governing else limits.amount_cents
    if amount < least:
        found.append(_no("offer_below_minimum", "/percent_bps" if by_percent else "/amount_cents", least_cents=least))
    if (said.max_payments or 1) > limits.max_payments:
        found.append(_no("offer_too_many_payments", "/max_payments", most=limits.max_payments))
    last = min(
        (day for day in (said.max_date, said.max_days is not None and today + timedelta(days=said.max_days)) if day),
        default=today,
    )
    if last > limits.last_date:
        field = "/max_on" if last == said.max_date else "/max_days"
        found.append(_no("offer_too_long", field, limit_on=limits.last_date))
    ends_on = window_ends_on(at)
    if ends_on and expires_on and expires_on > ends_on:
        found.append(_no("offer_outlives_window", "/expires_on", limit_on=ends_on))
    return found


def window_ends_on(at: Offered) -> date | None:
    """Give the last day of the band's settlement window."""
    until = at.governing["months_until_settlement"] if at.governing else 0
    return add_months(at.facts.listed_on, until) - timedelta(days=1) if until and at.facts.listed_on else None


# How offers end -----------------------------------------------------------------------------------------------------


@transaction.atomic
def withdraw(*, offer: IndividualOffer, reason: str, by: str, now: datetime) -> list[Refusal]:
    """Take an open offer back, whoever made it; the levels below apply again."""
    row = IndividualOffer.objects.filter(pk=offer.pk).select_related("account").first()
    held = _held(row.account) if row else None
    if held is None:
        return [_no("offer_unknown")]
    found = [_no("text_too_long", "/reason", most=_LENGTHS["reason"])] if len(reason) > _LENGTHS["reason"] else []
    if reason and not reason.isprintable():
        found.append(_no("text_unprintable", "/reason"))
    still = [one for one in _open(held) if one.pk == offer.pk]
    if not still:
        found.append(_no("offer_not_open"))
    if not found:
        _end(still[0], held, IndividualOffer.Status.WITHDRAWN, now, reason=reason, by=by)
    return found


@transaction.atomic
def decline(*, account: Account, by: str, now: datetime) -> IndividualOffer | None:
    """Note that the consumer does not want the open offer; None when there is none. It is not made again by itself."""
    held = _held(account)
    for offer in _open(held) if held else ():
        return _end(offer, held, IndividualOffer.Status.DECLINED, now, by=by)
    return None


@transaction.atomic
def close(*, account: Account, status: str, now: datetime) -> IndividualOffer | None:
    """End the accepted offer with its arrangement: completed, broken, or withdrawn when that was cancelled.

    None when there is none; told twice it happens once. The levels below apply again.
    """
    status = IndividualOffer.Status(status)
    assert status in ENDS, status
    held = _held(account)
    accepted = IndividualOffer.objects.filter(account=held, status=IndividualOffer.Status.ACCEPTED) if held else ()
    ended = None
    for offer in accepted:
        ended = _end(offer, held, status, now)
    return ended


ENDS = (IndividualOffer.Status.COMPLETED, IndividualOffer.Status.BROKEN, IndividualOffer.Status.WITHDRAWN)

EXPIRING = """
SELECT o.id, a.id FROM settlements_individualoffer o
JOIN accounts_account a ON a.id = o.account_id
JOIN accounts_consumer c ON c.id = a.consumer_id
WHERE o.status IN ('made', 'viewed') AND o.expires_on < %(latest)s
  AND o.expires_on < (%(now)s AT TIME ZONE c.time_zone)::date
ORDER BY a.id LIMIT %(limit)s
FOR NO KEY UPDATE OF a, o SKIP LOCKED
"""


def expire(*, now: datetime) -> int:
    """Expire open offers whose last day is over where the consumer lives; return how many.

    Runs in the scope of all agencies (or one); what somebody else holds is left for the next run.
    """
    # The first place on earth is 14 hours ahead; the index finds the few rows before zones are compared.
    values = {"now": now, "latest": (now + timedelta(hours=14)).date(), "limit": EXPIRED_AT_ONCE}
    count = 0
    while True:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(EXPIRING, values)
                found = dict(cursor.fetchall())
            rows = IndividualOffer.objects.filter(pk__in=found)
            accounts = Account.objects.in_bulk(list(found.values()))
            facts = [
                ("offer.expired", accounts[row.account_id], offers.about(row, accounts[row.account_id].currency))
                for row in rows.order_by("account_id")
            ]
            rows.update(status=IndividualOffer.Status.EXPIRED, decided_at=now)
            events.record_all(facts, now=now)
        count += len(found)
        if len(found) < EXPIRED_AT_ONCE:
            return count


def _held(account: Account) -> Account | None:
    """Lock an account and read it as it is now; None for another agency's."""
    row = Account.objects.select_for_update(no_key=True, of=("self",)).select_related("consumer")
    return row.filter(pk=account.pk).first()


def _open(account: Account) -> list[IndividualOffer]:
    return list(IndividualOffer.objects.filter(account=account, status__in=IndividualOffer.OPEN).order_by("made_at"))


def _end(offer: IndividualOffer, account: Account, status: str, now: datetime, **why: str) -> IndividualOffer:
    offer.status, offer.decided_at = status, now
    offer.save(update_fields=["status", "decided_at"])
    said = {name: value for name, value in why.items() if value}
    events.record(f"offer.{status}", account=account, now=now, data=offers.about(offer, account.currency) | said)
    return offer
