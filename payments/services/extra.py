"""Pay more, sooner, or what was missed, on an arrangement that runs; and add one amount on the linked card.

Paying now is a checkout like any other: its effect is previewed first (`preview`), and what it leaves no room for falls
away from the end, at the host by asking. An added amount is one more planned item, charged from the linked card or bank
account by who charges the others, within days that need no notice (PDC-01); it shortens the arrangement once it is
taken, and counts for nothing if it fails.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Max

from accounts import events
from accounts.models import Visit
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import Arrangement, Checkout, Postdate
from payments.rules.authorization import IncompleteAuthorization
from payments.rules.gates import handover_gates
from payments.rules.notices import notice_needed
from payments.services import authority, checkout, gate, life
from payments.services.arrange import about_of, breach_of, new_postdate, schedule_postdates
from payments.services.authorize import authorize, usable
from payments.services.change import BY_NOBODY, Signer
from payments.services.locks import lock_account, read_account
from payments.services.means import means_of_method
from payments.services.preview import Facts, Preview, Wish, facts_of, preview
from payments.services.route import Route
from payments.services.sign import Refused
from settlements.rules.schedules import Line

MOST_DAYS = 5
"""An added amount is at most so far away: nothing need be announced, and what is left cannot change much."""
RUNNING = (Arrangement.Status.PERFORMING, Arrangement.Status.LATE)
_SENTENCES = {
    "no_linked_method": gettext_noop("No card or bank account is linked to these payments."),
    "extra_planned": gettext_noop("An added payment is planned already. Wait until it is made, or cancel it first."),
    "extra_day": gettext_noop("Choose a day from %(first_on)s to %(last_on)s."),
    "extra_amount": gettext_noop("The most you can add is %(left_cents)s."),
    "arrangement_not_running": gettext_noop("This arrangement cannot be changed now."),
    "payment_not_positive": gettext_noop("Enter an amount."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Say what can be paid on an arrangement today: what was missed, all that is left, and the previews of both."""

    missing_cents: int
    missing: Preview | None
    left_cents: int
    off: Preview | None


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def ahead(*, arrangement: Arrangement, by: str, now: datetime) -> Ahead:
    """Work out what was missed and what is left, each with its effect; nothing is written.

    What its grace still covers can be made up too: its day is over.
    """
    off = preview(arrangement=arrangement, wish=Wish(kind="pay_off"), by=by, now=now)
    left = 0 if off.refusals else off.pay_now_cents
    after_grace = now + timedelta(days=breach_of(arrangement.terms).grace_days)
    missing = min(life.missing_cents(arrangement, now=after_grace), left)
    wish = Wish(kind="pay_extra", amount_cents=missing)
    seen = preview(arrangement=arrangement, wish=wish, by=by, now=now) if missing else None
    return Ahead(missing_cents=missing, missing=seen, left_cents=left, off=off if left else None)


@transaction.atomic
def begin(*, arrangement: Arrangement, visit: Visit, amount_cents: int, now: datetime) -> Checkout | list[Refusal]:
    """Begin to pay an amount of an arrangement today; its reviewed amount and gates are those of any payment."""
    wish = Wish(kind="pay_extra", amount_cents=amount_cents)
    seen = preview(arrangement=arrangement, wish=wish, by=f"consumer:{visit.consumer_id}", now=now)
    if seen.refusals:
        return list(seen.refusals)
    account = read_account(arrangement.account_id)
    made = checkout.begin(visit=visit, account=account, now=now)
    made.account = account
    at = gate.standing(account, now=now)
    found = checkout.choose(checkout=made, choice="amount", lines=[Line(at.today, amount_cents)], now=now)
    if found:
        transaction.set_rollback(True)
    return found or made


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Show what an added amount comes to: the lines that are signed, and their text; refused, it is neither."""

    refusals: tuple[Refusal, ...] = ()
    lines: tuple[tuple[date, int], ...] = ()
    text: str = ""
    text_sha256: str = ""
    text_version: str = ""


def days(facts: Facts) -> tuple[date, date]:
    """Give the first and the last day for an added amount; a host is told a day ahead."""
    route = _route(facts)
    first = facts.today + timedelta(days=1 if route is None or route.executor == "host" else 0)
    return first, facts.today + timedelta(days=MOST_DAYS)


def _route(facts: Facts) -> Route | None:
    method = facts.row.method
    if method is None:
        return None
    tomorrow = Line(facts.today + timedelta(days=1), 1)
    (_now, later), _complete = gate.routes(facts.account, method.kind, (tomorrow,), facts.today)
    return later


def look(*, arrangement: Arrangement, amount_cents: int, on: date, by: str, language: str, now: datetime) -> Added:
    """Work out an added amount on the linked card or bank account, with the text to agree to; nothing is written."""
    account = read_account(arrangement.account_id)
    return _look(facts_of(arrangement.pk, account, by, now), amount_cents, on, language=language, now=now)


def _look(facts: Facts, amount_cents: int, on: date, *, language: str, now: datetime) -> Added:
    row, method = facts.row, facts.row.method
    if row.status not in RUNNING:
        return Added(refusals=(_no("arrangement_not_running"),))
    route = _route(facts)
    if method is None or not usable(method) or route is None:
        return Added(refusals=(_no("no_linked_method"),))
    found = []
    first, last = days(facts)
    if not first <= on <= last or notice_needed(facts.today, on):
        found.append(_no("extra_day", "on", first_on=first, last_on=last))
    if row.postdates.filter(extra=True, status__in=Postdate.OPEN).exists():
        found.append(_no("extra_planned"))
    near = sum(one.amount_cents for one in facts.planned if one.due_on <= on + timedelta(days=1))
    most = max(0, min(row.total_cents - facts.counted_cents - near, facts.at.owed.single_most_cents))
    if amount_cents <= 0:
        found.append(_no("payment_not_positive", "amount_cents"))
    elif amount_cents > most:
        found.append(_no("extra_amount", "amount_cents", left_cents=most))
    line = Line(on, amount_cents)
    means = means_of_method(method)
    charge = gate.facts_of(facts.at, (line,), means, route.executor, single=True, acknowledged=True, now=now)
    found += [one for one in handover_gates(charge) if one.field != "amount_cents"]
    if found:
        return Added(refusals=tuple({one.code: one for one in reversed(found)}.values()))
    lines = tuple(sorted([*((one.due_on, one.amount_cents) for one in facts.planned), (on, amount_cents)]))
    try:
        text, sha256, version = authority.write(
            account=facts.account,
            means=means,
            lines=lines,
            today=facts.today,
            settlement_of_cents=None,
            language=language,
            breach=breach_of(row.terms) if "breach" in row.terms else None,
            settling=row.kind == Arrangement.Kind.SETTLEMENT,
        )
    except IncompleteAuthorization as error:
        return Added(refusals=error.refusals)
    return Added(lines=lines, text=text, text_sha256=sha256, text_version=version)


@transaction.atomic
def add(
    *,
    arrangement: Arrangement,
    amount_cents: int,
    on: date,
    by: str,
    text_sha256: str,
    language: str,
    now: datetime,
    signer: Signer = BY_NOBODY,
) -> Postdate:
    """Plan an added amount as it was shown; sent twice it is one.

    :raises Refused: it is not possible, or what was shown has changed; nothing is written.
    """
    account = lock_account(arrangement.account_id)
    facts = facts_of(arrangement.pk, account, by, now)
    row = facts.row
    same = row.postdates.filter(extra=True, due_on=on, amount_cents=amount_cents, status__in=Postdate.OPEN)
    if (known := same.first()) is not None and row.authorization and row.authorization.text_sha256 == text_sha256:
        return known
    seen = _look(facts, amount_cents, on, language=language, now=now)
    if seen.refusals:
        raise Refused(list(seen.refusals))
    if seen.text_sha256 != text_sha256:
        raise Refused([gate.no("text_changed")])
    route = _route(facts)
    assert row.method is not None, "shown for a linked method"
    assert route is not None, "shown for a route"
    row.authorization = authorize(
        account=account,
        method=row.method,
        lines=seen.lines,
        text=(seen.text, seen.text_sha256, seen.text_version),
        language=language,
        ip=signer.ip,
        evidence={"by": by, "later": list(route), "before": str(row.authorization_id)},
        english="" if language.startswith("en") else _look(facts, amount_cents, on, language="en", now=now).text,
        now=now,
        visit=signer.visit,
        user_agent=signer.user_agent,
    )
    row.save(update_fields=["authorization"])
    every = Postdate.objects.filter(arrangement=row)
    number = (every.aggregate(last=Max("number"))["last"] or 0) + 1
    item = new_postdate(
        row,
        account=account,
        method=row.method,
        route=route,
        number=number,
        of=number,
        due_on=on,
        amount_cents=amount_cents,
        now=now,
    )
    item.extra = True
    item.save()
    told = about_of(row, account, change="extra", amount_cents=amount_cents, on=on.isoformat(), by=by)
    events.record("arrangement.changed", account=account, now=now, data=told)
    schedule_postdates(
        [item],
        account=account,
        arrangement=row,
        signed_on=facts.today,
        channel=gate.channel_for(account.consumer),
        now=now,
    )
    return item
