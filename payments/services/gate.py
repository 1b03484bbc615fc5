"""Everything that decides whether a checkout may be confirmed now, gathered once: for the review and for the intent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account, Consumer
from accounts.refusals import Refusal, gettext_noop, refuse
from accounts.services import consent, licences
from payments.models import Arrangement, Checkout, Payment
from payments.rules.gates import Authority, ChargeFacts, charge_gates, handover_gates, promise_gates
from payments.rules.notices import check_letters, notice_needed, predebit_window
from payments.services import age_notice, authority, tries, velocity
from payments.services.against_means import debits_paused, failed_attempts, ruled_out
from payments.services.means import Means, card_policy, disclosures, means_of
from payments.services.meanwhile import paid_or_ruled_out
from payments.services.owed import Owed, owed_of
from payments.services.received import Left, plans_left
from payments.services.route import NoRoute, Route, route_for
from settlements.rules import old_debts
from settlements.rules.offers import MOST_DAYS, Allowed, Terms
from settlements.rules.quotes import Offered
from settlements.rules.schedules import Line, check, check_single, from_json, spread
from settlements.rules.wishes import own_lines
from settlements.services import offers

SETTLING = ("settlement", "parts")
SINGLE = ("full", "amount")
SCHEDULED = ("parts", "plan")
CHOICES = (*SETTLING, "plan", *SINGLE)

_SENTENCES = {
    "frequency_unknown": gettext_noop("Please choose how often you would like to pay."),
    "choice_unknown": gettext_noop("Please choose what you would like to pay."),
    "no_settlement": gettext_noop("There is no settlement offer for this account now."),
    "no_plan": gettext_noop("A payment plan cannot be set up here for this account."),
    "first_date_too_late": gettext_noop("The first payment must be on or before %(latest_on)s."),
    "offer_changed": gettext_noop("The offer has changed since you chose. Please choose again."),
    "arrangement_active": gettext_noop("Payments are already planned for this account."),
    "step_up_required": gettext_noop("Please confirm who you are with a code before you plan later payments."),
    "paper_or_email": gettext_noop("Please say whether you agree to electronic documents."),
    "notice_impossible": gettext_noop(
        "A payment on %(due_on)s cannot be announced in time. Choose a day up to %(near_on)s or a later one."
    ),
    "method_missing": gettext_noop("Please choose how to pay."),
    "method_not_routed": gettext_noop("This way to pay cannot be used for this account."),
    "card_disclosures_missing": gettext_noop(
        "Cards cannot be used for this account, because the agency lacks information that must be shown first."
    ),
    "already_paid_since": gettext_noop("A payment was made on this account since you began. Please look again."),
    "text_changed": gettext_noop("The text you agreed to has changed. Please read it again."),
    "day_has_changed": gettext_noop("This was prepared on another day. Please choose again."),
    "sol_notice_required": gettext_noop("Please read and acknowledge the notice about the age of this debt first."),
}


def no(code: str, field: str | None = None, **params: object) -> Refusal:
    """Make one of this floor's own refusals."""
    return refuse(_SENTENCES[code], code, field=field, **params)


@dataclass(frozen=True, slots=True)
class Standing:
    """Hold where an account stands for its consumer today: what is owed, offered and allowed."""

    account: Account
    today: date
    owed: Owed
    offered: Offered
    arrangement: Arrangement | None
    paid_cents: int | None = None
    """What was paid towards the arrangement or is on its way, where it was added up already."""
    at_host: frozenset[UUID] = frozenset()
    """Planned payments that the host took on their day and has not posted."""
    unlicensed: bool = False
    """The agency collects only where it is licensed, and is not where the consumer lives (ST-09)."""

    @property
    def terms(self) -> Terms | None:
        """The settlement that is open today; none while an arrangement runs."""
        return None if self.arrangement else self.offered.settlement

    @property
    def plan(self) -> Terms | None:
        """The limits of a payment plan that is open today; none while an arrangement runs."""
        return None if self.arrangement else self.offered.plan

    @property
    def allowed(self) -> Allowed:
        return self.offered.allowed

    def terms_of(self, choice: str) -> Terms | None:
        """The limits of a choice that has some."""
        return None if self.arrangement else self.offered.terms_of("parts" if choice == "settlement" else choice)

    def allowed_of(self, choice: str) -> Allowed:
        """What may pay a choice: an offer may allow fewer methods than the account."""
        terms = self.terms_of(choice)
        return terms.allowed if terms else self.allowed


def standing(account: Account, *, now: datetime) -> Standing:
    """Read where an account stands; `account` has its consumer, client and agency joined."""
    return standings([account], now=now)[0]


@known
def _running(accounts: Sequence[UUID]) -> QuerySet[Arrangement]:
    return Arrangement.objects.filter(account__in=accounts, status__in=Arrangement.LIVE)


def standings(accounts: Sequence[Account], *, now: datetime) -> list[Standing]:
    """Read where several accounts stand, joined as above; the number of queries does not grow with them."""
    due = owed_of(accounts)
    arranged = [one.pk for one in accounts if due[one.pk].arranged]
    arrangements = {arrangement.account_id: arrangement for arrangement in (_running(arranged) if arranged else ())}
    today = {account.pk: local_date(now, account.consumer.time_zone) for account in accounts}
    paid: dict[UUID, Left] = {}
    for left in plans_left(arrangements.values(), today):
        paid[left.account_id] = left
        due[left.account_id] = replace(due[left.account_id], plan_left_cents=left.cents)
    elsewhere = licences.unlicensed(accounts, today)
    at = {one: (due[one.pk].cents, today[one.pk]) for one in accounts}
    offered = offers.offered_to(due=at, arranged=set(arrangements), now=now)
    return [
        Standing(
            account=account,
            today=today[account.pk],
            owed=due[account.pk],
            offered=offered[account.pk],
            arrangement=arrangements.get(account.pk),
            paid_cents=paid[account.pk].paid_cents if account.pk in paid else None,
            at_host=paid[account.pk].at_host if account.pk in paid else frozenset(),
            unlicensed=account.pk in elsewhere,
        )
        for account in accounts
    ]


def lines_of(checkout: Checkout) -> tuple[Line, ...]:
    """Read a checkout's payments; one for today is paid now."""
    return from_json(checkout.lines)


def starts_later(lines: Sequence[Line], today: date) -> bool:
    """Tell whether nothing is paid now, because even the first payment is on a later day."""
    return bool(lines) and lines[0].due_on > today


def plans_ahead(lines: Sequence[Line], today: date) -> bool:
    """Tell whether any payment is taken on a later day, without the consumer there."""
    return len(lines) > 1 or starts_later(lines, today)


def authorization_kind(lines: Sequence[Line], today: date) -> str:
    """Name the kind of authorization these payments need: single, later or schedule."""
    return authority.kind_of([(line.due_on, line.amount_cents) for line in lines], today)


def check_lines(
    at: Standing, choice: str, lines: Sequence[Line], *, method: str | None, by_amount: bool = False
) -> list[Refusal]:
    """List every reason why these payments cannot be chosen; without a method any allowed one will do."""
    if choice not in CHOICES:
        return [no("choice_unknown", "choice")]
    method = method or next(iter(at.allowed_of(choice).methods(len(lines) or 1)), "card")
    currency = at.account.currency
    found = []
    if choice not in SINGLE:
        if at.arrangement is not None:
            return [no("arrangement_active", "choice")]
        if old := [one for one in at.offered.closed.get(choice, ()) if one.code == "too_old_for_parts"]:
            return old
        terms = at.terms_of(choice)
        if terms is None:
            return [no("no_plan" if choice == "plan" else "no_settlement", "choice")]
        # Amounts that are not the equal ones are the consumer's own; then the last may be what remains.
        own = by_amount or tuple(line.amount_cents for line in lines) != spread(terms, max(len(lines), 1))
        # A bank debit that is made today reaches the bank on its next day; its own date stays today's.
        rolled = own_lines(lines, method, at.today)
        found = check(rolled, terms, at.today, method, consumer_chose_amount=own, currency=currency)
    else:
        total = sum(line.amount_cents for line in lines)
        found = check_single(total, at.owed.single_most_cents, at.allowed, method, currency=currency)
        ahead = starts_later(lines, at.today)
        if at.arrangement is not None and (ahead or (choice == "full" and at.owed.scheduled_cents)):
            found.append(no("arrangement_active", "choice"))
        if ahead and lines[0].due_on > (limit := at.today + timedelta(days=MOST_DAYS)):
            found.append(no("first_date_too_late", "lines.0.due_on", latest_on=limit))
    if lines and lines[0].due_on < at.today:
        found.append(no("day_has_changed", "lines.0.due_on"))
    return found


def routes(
    account: Account, method: str, lines: Sequence[Line], today: date
) -> tuple[tuple[Route | None, Route | None], bool]:
    """Find who executes what is paid now and what is paid later, and whether every payment has its route."""
    found: list[Route | None] = []
    for timing in ("immediate", "postdated"):
        try:
            found.append(route_for(account, method, timing))
        except NoRoute:
            found.append(None)
    now_route = None if starts_later(lines, today) else found[0]
    later_route = found[1] if plans_ahead(lines, today) else None
    complete = (now_route is not None or starts_later(lines, today)) and (
        later_route is not None or not plans_ahead(lines, today)
    )
    return (now_route, later_route), complete


def notice_channel(checkout: Checkout) -> str:
    """Say how later payments are announced: by e-mail with live consent to it, else by letter (PDC-05)."""
    return channel_for(checkout.consumer, paper=checkout.paper)


def channel_for(consumer: Consumer, *, paper: bool = False) -> str:
    """Say how a consumer is told before a debit: `email` with live consent to it, else `letter` (PDC-05)."""
    return "email" if not paper and consent.esign_live(consumer) else "letter"


def needs_notice(lines: Sequence[Line], today: date) -> bool:
    """Tell whether any later payment is so far away that it must be announced (PDC-01)."""
    return any(notice_needed(today, line.due_on) for line in lines)


def check_notices(
    checkout: Checkout, lines: Sequence[Line], today: date, *, channel: str | None = None
) -> list[Refusal]:
    """Refuse dates that cannot be announced in time; ask first whether e-mail may be used (ES-01).

    :param channel: what `notice_channel` said, where the caller has asked already.
    """
    if not needs_notice(lines, today):
        return []
    channel = channel or notice_channel(checkout)
    if channel == "letter" and not checkout.paper:
        return [no("paper_or_email", "paper")]
    return check_channel(channel, lines, today)


def check_channel(channel: str, lines: Sequence[Line], today: date) -> list[Refusal]:
    """Refuse dates that cannot be announced in time by this channel."""
    if channel == "letter":
        return check_letters([line.due_on for line in lines], today)
    near_on = today + timedelta(days=5)
    return [
        no("notice_impossible", f"lines.{index}.due_on", due_on=line.due_on, near_on=near_on)
        for index, line in enumerate(lines)
        if notice_needed(today, line.due_on) and predebit_window(line.due_on).latest < today
    ]


def refusals(checkout: Checkout, at: Standing, *, now: datetime, channel: str | None = None) -> list[Refusal]:
    """List every reason why this checkout may not be confirmed now (rules "Gates"); an empty list lets it."""
    account, lines, means = at.account, lines_of(checkout), means_of(checkout)
    found: list[Refusal] = []
    terms = at.terms_of(checkout.choice)
    if terms is not None and not _same_terms(terms, checkout.terms):
        found.append(no("offer_changed", "choice"))
    found += check_lines(at, checkout.choice, lines, method=means.kind if means else None)
    paid, blocked = paid_or_ruled_out(checkout, means)
    if paid:
        found.append(no("already_paid_since"))
    if plans_ahead(lines, at.today):
        if checkout.visit is None or checkout.visit.level < checkout.visit.Level.CONFIRMED:
            found.append(no("step_up_required"))
        found += check_notices(checkout, lines, at.today, channel=channel)
    if means is None:
        return _once([*found, no("method_missing", "method")])
    if means.kind == "card":
        who = {"visit_id": checkout.visit_id, "link_id": checkout.link_id}
        found += velocity.against(account, **who, card=means.fingerprint, now=now)
    (now_route, later_route), complete = routes(account, means.kind, lines, at.today)
    if not complete:
        return _once([*found, no("method_not_routed", "method")])
    acknowledged = sol_needed(at) and age_notice.was_read(checkout.visit_id, account, link_id=checkout.link_id)
    route = now_route or later_route
    single = checkout.choice in SINGLE
    facts = facts_of(
        at,
        lines,
        means,
        route.executor,
        choice=checkout.choice,
        single=single,
        acknowledged=acknowledged,
        blocked=blocked,
        now=now,
    )
    # What the host executes is handed over now, after the same gates; what is all for later is not charged now.
    handed_over = facts.executor == "host"
    against = charge_gates(facts) if now_route is not None else handover_gates(facts)
    found += [one for one in against if not (handed_over and one.code == "executor_is_host")]
    return _once(found)


def against_agreeing(
    at: Standing, lines: Sequence[Line], means: Means | None, executor: str, *, choice: str = "", now: datetime
) -> list[Refusal]:
    """List every reason why these payments cannot be agreed outside a checkout now; without means nobody is charged."""
    read = age_notice.last_read(at.account, now=now) is not None
    facts = facts_of(at, lines, means, executor, choice=choice, single=False, acknowledged=read, now=now)
    found = handover_gates(facts) if means else promise_gates(facts)
    return [no("sol_notice_required") if one.code == "sol_acknowledgement_needed" else one for one in found]


def _same_terms(terms: Terms, shown: dict) -> bool:
    """Tell whether terms are still those that were shown: the sums that are signed, their source, and their breach."""
    facts, signed = offers.facts(terms), ("balance_cents", "amount_cents", "level", "version", "breach")
    return all(facts[name] == shown.get(name) for name in signed)


def facts_of(
    at: Standing,
    lines: Sequence[Line],
    means: Means | None,
    executor: str,
    *,
    choice: str = "",
    single: bool,
    acknowledged: bool,
    blocked: bool | None = None,
    now: datetime,
) -> ChargeFacts:
    """Gather what the gates look at for the first of these payments; without means nothing can be charged.

    :param choice: what they pay, whose offer may allow fewer methods.
    :param single: it is beside what is planned, so what is planned is not there to be paid.
    :param acknowledged: the notice about the age of the debt was read, where one is needed.
    :param blocked: what `ruled_out` said, where the caller has asked already.
    """
    account, consumer, agency = at.account, at.account.consumer, at.account.agency
    method = means.method if means else None
    first = lines[0] if lines else Line(at.today, 0)
    needed = sol_needed(at)
    methods = at.allowed_of(choice).methods(len(lines))
    payable = at.owed.single_most_cents if single else at.owed.cents
    return ChargeFacts(
        now=now,
        zone=consumer.time_zone,
        scheduled=False,
        amount_cents=first.amount_cents,
        due_on=first.due_on,
        account_status=account.status,
        unlicensed=at.unlicensed,
        dispute_open=at.owed.disputed,
        sol_notice_needed=needed,
        sol_acknowledged=needed and acknowledged,
        balance_cents=account.balance_cents,
        balance_as_of=account.as_of,
        balance_max_age=timedelta(hours=agency.balance_fresh_hours),
        unposted_cents=account.balance_cents - payable,
        method=means.kind if means else "",
        method_live=method is None or method.removed_at is None,
        method_blocked=means is not None and ruled_out(means) if blocked is None else blocked,
        update_pending=method is not None and bool(method.update_pending),
        bank_payments_paused=debits_paused(means),
        method_allowed=means is not None and means.kind in methods,
        executor=executor,
        undecided_attempt=any(payment.status == Payment.Status.INTENDED for payment in at.owed.waiting),
        authority=Authority(
            live=True,
            lines=tuple((line.due_on, line.amount_cents) for line in lines),
            stored_credential=plans_ahead(lines, at.today),
        ),
        card_brand=means.brand if means else "",
        card_funding=means.funding if means else "",
        card_policy=card_policy(account),
        ach_allowed="ach" in methods,
        disclosures=disclosures(account),
        bank_validated=method is not None and method.validated_at is not None,
        failed=failed_attempts(means) if means else (),
        currency=account.currency,
    )


def sol_needed(at: Standing) -> bool:
    """Tell whether the notice about the age of the debt must be read before anything is paid (SOL-02)."""
    account = at.account
    return old_debts.notice_needed(account.consumer.state, account.sol_status or "unknown", account.sol_on, at.today)


explain = tries.explain


def _once(found: list[Refusal]) -> list[Refusal]:
    """Drop what two rules said alike: one code and field, one sentence."""
    seen: dict[tuple[str, str | None], Refusal] = {}
    for refusal in found:
        seen.setdefault((refusal.code, refusal.field), refusal)
    return list(seen.values())
