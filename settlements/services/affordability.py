"""Budgets: save them step by step, work out what follows, let staff decide; the arithmetic is in settlements.rules."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import events, statuses
from accounts.calendars import local_date
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.models import Affordability
from settlements.rules import affordability as rules
from settlements.rules import quotes
from settlements.rules.affordability import Budget, Decision
from settlements.rules.budget_forms import Form, check_answers
from settlements.rules.offers import SMALLEST_CENTS, HostSettlement
from settlements.rules.quotes import Answer, Wish
from settlements.services import budget_forms, individual, offers

DRAFT_DAYS = 30
"""A budget that nobody went on with is wiped: it is the consumer's, and only they know if it is still true."""
GOOD_DAYS = 180
"""How long a submitted budget speaks for its consumer (UK-12: six to twelve months)."""
OFFER_DAYS = 60
"""Days to take what staff agreed to."""
DAYS_A_MONTH = 31
BATCH = 500
PAYABLE = statuses.those("payment")
"""What is shared out among: debts that may be paid, whoever asked not to be written to (section 14)."""
SEEN = "_seen"
"""Beside the answers: the sections that were saved, empty ones too. No question can have this code."""
Status, Outcome = Affordability.Status, Affordability.Outcome


@dataclass(frozen=True, slots=True)
class Stand:
    """Say what is owed on an account now, and whether payments are arranged already."""

    owed_cents: int
    arranged: bool = False


def _as_the_host_says(accounts: Sequence[Account]) -> Mapping[UUID, Stand]:
    return {account.pk: Stand(account.balance_cents) for account in accounts}


stands: Callable[[Sequence[Account]], Mapping[UUID, Stand]] = _as_the_host_says
"""Port: the floor of the payments says what is owed after its own payments. Empty, the host's balance stands."""

_SENTENCES = {
    "arrangement_active": gettext_noop("Payments are already planned for this account."),
    "not_payable": gettext_noop("This account cannot be paid here at the moment."),
    "budget_closed": gettext_noop("This budget was submitted already."),
    "already_decided": gettext_noop("This budget was decided already, or a later one replaced it."),
    "nothing_left_over": gettext_noop("Nothing is left over in this budget: a pause can be granted, not a plan."),
    "monthly_too_small": gettext_noop("The monthly amount must be at least %(least_cents)s."),
    "monthly_above_share": gettext_noop("The share of this account is %(share_cents)s a month. Do not ask for more."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


# Filling in -----------------------------------------------------------------------------------------------------


def draft_of(account: Account, *, now: datetime) -> Affordability | None:
    """Find the budget that the consumer is filling in for this account, begun in whatever session."""
    found = Affordability.objects.filter(account=account, consumer_id=account.consumer_id, status=Status.DRAFT)
    return found.filter(saved_at__gt=now - timedelta(days=DRAFT_DAYS)).select_related("form").first()


def current(account: Account, *, today: date) -> Affordability | None:
    """Find the submitted budget that still speaks for the consumer of this account."""
    found = Affordability.objects.filter(
        account=account, consumer_id=account.consumer_id, status__in=Affordability.STANDING, expires_on__gte=today
    )
    return found.select_related("form").order_by("-submitted_at").first()


def answers_of(budget: Affordability | None) -> dict[str, dict[str, Any]]:
    """Open the answers of a budget; nothing that can be read is no answers."""
    return _opened(budget.answers if budget else "")


def worked_out(budget: Affordability) -> dict[str, Any]:
    """Open what was worked out when a budget was submitted."""
    return _opened(budget.worked_out)


def _opened(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def remembered(account: Account, form: Form) -> dict[str, dict[str, Any]]:
    """Give what the consumer answered last time, here or for another account, as far as this form asks it too."""
    last = (
        Affordability.objects.filter(consumer_id=account.consumer_id, submitted_at__isnull=False)
        .order_by("-submitted_at")
        .first()
    )
    answers = answers_of(last)
    asked = {question.code for question in form.questions}
    known = {code: answer for code, answer in answers.items() if code in asked and isinstance(answer, dict)}
    unusable = {refusal.field for refusal in check_answers(form, known)}
    return {code: answer for code, answer in known.items() if code not in unusable}


@transaction.atomic
def save(
    *, account: Account, section: str, answers: Mapping[str, Mapping[str, Any]], language: str, now: datetime
) -> Affordability:
    """Keep one section's answers, replacing what that section said before; the first one begins the budget."""
    Account.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
    budget = draft_of(account, now=now)
    if budget is None:
        Affordability.objects.filter(account=account, consumer_id=account.consumer_id, status=Status.DRAFT).update(
            status=Status.EXPIRED, answers=""
        )
        row = budget_forms.pinned(client_id=account.client_id, now=now)
        before = remembered(account, budget_forms.read(row))
        budget = Affordability(
            account=account, consumer_id=account.consumer_id, form=row, started_at=now, answers=json.dumps(before)
        )
    form = budget_forms.read(budget.form)
    asked = form.section(section)
    codes = {question.code for question in asked.questions} if asked else set()
    kept = {code: answer for code, answer in answers_of(budget).items() if code not in codes}
    kept |= {code: dict(answer) for code, answer in answers.items() if code in codes}
    seen = kept.get(SEEN, {}).get("sections", [])
    kept[SEEN] = {"sections": [*(one for one in seen if one != section), section]}
    budget.answers, budget.saved_at, budget.language = json.dumps(kept), now, language
    budget.save()
    return budget


@transaction.atomic
def discard(*, account: Account) -> None:
    """Throw away what is being filled in, at the consumer's wish."""
    drafts = Affordability.objects.filter(account=account, consumer_id=account.consumer_id, status=Status.DRAFT)
    drafts.update(status=Status.EXPIRED, answers="")


# Submitting -----------------------------------------------------------------------------------------------------


@transaction.atomic
def submit(*, budget: Affordability, now: datetime, no_promise: str = "") -> list[Refusal]:
    """Work out what follows from a complete budget and tell it; with any refusal nothing is written.

    Submitting again changes nothing. An earlier budget of the account is replaced.

    :param no_promise: the sentence that stood beside the form (SOL-05), empty where none was shown by us.
    """
    account = (
        Account.objects.select_for_update(no_key=True, of=("self",))
        .select_related("consumer", "client", "agency")
        .get(pk=budget.account_id)
    )
    row = Affordability.objects.select_for_update(of=("self",)).select_related("form").get(pk=budget.pk)
    if row.status != Status.DRAFT:
        return [] if row.submitted_at and row.status in Affordability.STANDING else [_no("budget_closed")]
    form, answers = budget_forms.read(row.form), answers_of(row)
    if found := check_answers(form, answers, language=row.language):
        return found
    today = local_date(now, account.consumer.time_zone)
    others = list(
        Account.objects.filter(consumer_id=account.consumer_id, status__in=PAYABLE, balance_cents__gt=0)
        .exclude(pk=account.pk)
        .select_related("consumer", "agency")
        .order_by("listed_on", "pk")
    )
    where = stands([account, *others])
    sums = rules.budget(form, answers)
    decision = _decided(account, sums, where, others, today=today, now=now)
    standing = Affordability.objects.filter(account=account, status__in=Affordability.STANDING)
    standing.update(status=Status.REPLACED)
    row.status, row.outcome, row.submitted_at = Status.SUBMITTED, decision.outcome, now
    row.no_promise = no_promise
    row.expires_on = today + timedelta(days=GOOD_DAYS)
    row.income_cents, row.outgoings_cents = sums.income_cents, sums.outgoings_cents
    row.surplus_cents, row.share_cents = sums.surplus_cents, decision.share.cents
    row.owed_cents = where[account.pk].owed_cents
    row.monthly_cents = decision.answer.lines[0].amount_cents if decision.answer else None
    row.worked_out = json.dumps(_facts(sums, decision, [where[one.pk].owed_cents for one in others]))
    row.save()
    budget.refresh_from_db()
    events.record("affordability.submitted", account=account, now=now, data=_told(row, sums, decision, account))
    if decision.outcome == rules.PLAN:
        about = {"decision": "proposed", "automatic": True, "payments": len(decision.answer.lines)}
        events.record("affordability.decided", account=account, now=now, data=_about(row, account) | about)
    return []


def _decided(
    account: Account,
    sums: Budget,
    where: Mapping[UUID, Stand],
    others: Sequence[Account],
    *,
    today: date,
    now: datetime,
) -> Decision:
    here = where[account.pk]
    return rules.decide(
        surplus_cents=sums.surplus_cents,
        offered=offers.offered_to(due={account: (here.owed_cents, today)}, now=now)[account.pk],
        others_cents=[*(where[one.pk].owed_cents for one in others), *(cents for _code, cents in sums.debts)],
        against=_against(account, here),
        currency=account.currency,
    )


def _against(account: Account, here: Stand) -> list[Refusal]:
    """Say what is against any plan, whatever it comes to."""
    found = [_no("arrangement_active")] if here.arranged else []
    return found if statuses.may(account.status, "payment") else [*found, _no("not_payable")]


def payments_of(budget: Affordability, *, account: Account, now: datetime) -> Answer | None:
    """Work out what a budget came to as it would be agreed today, or say why it cannot be; None: it came to no plan.

    Time goes on after a budget was submitted: what is shown is what is set up, to the cent and the day.
    """
    choice = "parts" if budget.status == Status.ACCEPTED else worked_out(budget).get("choice", "")
    if not choice or not budget.monthly_cents:
        return None
    here, today = stands([account])[account.pk], local_date(now, account.consumer.time_zone)
    if found := _against(account, here):
        return Answer((), 0, 0, None, tuple(found))
    offered = offers.offered_to(due={account: (here.owed_cents, today)}, now=now)[account.pk]
    return quotes.answer(offered, Wish(choice, amount_cents=budget.monthly_cents), currency=account.currency)


def _facts(sums: Budget, decision: Decision, others: list[int]) -> dict[str, Any]:
    """Freeze every number with how it came about, so that it reads the same years later."""
    answer = decision.answer
    return {
        "lines": [asdict(line) | {"over": line.over} for line in sums.lines],
        "dependants": sums.dependants,
        "income_cents": sums.income_cents,
        "essential_cents": sums.essential_cents,
        "other_cents": sums.other_cents,
        "surplus_cents": sums.surplus_cents,
        "debts": [list(debt) for debt in sums.debts],
        "others_cents": others,
        "available_cents": decision.share.available_cents,
        "balances_cents": list(decision.share.balances_cents),
        "shares_cents": list(decision.share.shares_cents),
        "choice": decision.choice,
        "plan": [[line.due_on.isoformat(), line.amount_cents] for line in answer.lines] if answer else [],
        "total_cents": answer.total_cents if answer else None,
        "saving_cents": answer.saving_cents if answer else None,
        "terms": offers.facts(answer.terms) if answer and answer.terms else None,
        "refusals": [{"code": one.code, "sentence": one.sentence} for one in decision.refusals],
    }


def _about(row: Affordability, account: Account) -> dict[str, Any]:
    return {
        "budget": str(row.pk),
        "outcome": row.outcome,
        "surplus_cents": row.surplus_cents,
        "share_cents": row.share_cents,
        "monthly_cents": row.monthly_cents,
        "currency": account.currency,
    }


def _told(row: Affordability, sums: Budget, decision: Decision, account: Account) -> dict[str, Any]:
    """Say sums and codes; an answer or a word of the consumer's stays here (UK-13)."""
    return _about(row, account) | {
        "form_version": row.form.version,
        "income_cents": sums.income_cents,
        "essential_cents": sums.essential_cents,
        "other_cents": sums.other_cents,
        "debts_cents": sum(cents for _code, cents in sums.debts),
        "above_usual": [line.code for line in sums.over],
        "against": [refusal.code for refusal in decision.refusals],
    }


# Staff ----------------------------------------------------------------------------------------------------------


def _locked(budget: Affordability) -> Affordability:
    Account.objects.select_for_update(no_key=True).only("pk").get(pk=budget.account_id)
    joined = Affordability.objects.select_related("account__consumer", "form")
    return joined.select_for_update(of=("self",)).get(pk=budget.pk)


@transaction.atomic
def accept(
    *, budget: Affordability, by: str, now: datetime, monthly_cents: int | None = None, reason: str = ""
) -> list[Refusal]:
    """Agree to payments of the share, below the smallest payment of the rules too.

    The account gets an offer of its own, the whole balance in so many payments. One that its consumer could not take,
    as the debt is too old for parts (SOL-04) or the host wants more, is refused; with any refusal nothing is written.
    """
    row = _locked(budget)
    account = row.account
    if row.status != Status.SUBMITTED:
        return [_no("already_decided")]
    if row.outcome == Outcome.HARDSHIP:
        return [_no("nothing_left_over")]
    monthly = monthly_cents if monthly_cents is not None else row.monthly_cents or row.share_cents or 0
    if monthly < SMALLEST_CENTS:
        return [_no("monthly_too_small", "monthly", least_cents=SMALLEST_CENTS)]
    if monthly > (row.share_cents or 0):
        return [_no("monthly_above_share", "monthly", share_cents=row.share_cents)]
    here = stands([account])[account.pk]
    if here.arranged:
        return [_no("arrangement_active")]
    payments = max(-(-here.owed_cents // monthly), 1)
    today = local_date(now, account.consumer.time_zone)
    days = payments * DAYS_A_MONTH + OFFER_DAYS
    said = HostSettlement(amount_cents=here.owed_cents, max_payments=payments, max_days=days, level="staff")
    now_open = offers.offered_to(due={account: (here.owed_cents, today)}, now=now)[account.pk]
    wish = Wish("parts", amount_cents=monthly) if payments > 1 else Wish("settlement")
    tried = quotes.answer(quotes.offered(replace(now_open.facts, individual=said)), wish, currency=account.currency)
    if tried.refusals:
        return list(tried.refusals)
    made = individual.make(
        account=account,
        origin="staff",
        amount_cents=here.owed_cents,
        percent_bps=None,
        max_payments=payments,
        max_days=days,
        max_on=None,
        methods=[],
        text="",
        expires_on=today + timedelta(days=OFFER_DAYS),
        exceed=True,
        reason=reason or "Agreed after a budget",
        by=by,
        campaign_id=None,
        now=now,
    )
    if isinstance(made, list):
        return made
    row.monthly_cents, row.offer_id = monthly, made.pk
    _decide(row, Status.ACCEPTED, by=by, reason=reason, now=now, payments=payments, offer=str(made.pk))
    budget.refresh_from_db()
    return []


@transaction.atomic
def decline(*, budget: Affordability, by: str, reason: str, now: datetime) -> list[Refusal]:
    """Say no to a budget, with the reason that its consumer reads."""
    row = _locked(budget)
    if row.status != Status.SUBMITTED:
        return [_no("already_decided")]
    _decide(row, Status.DECLINED, by=by, reason=reason, now=now)
    budget.refresh_from_db()
    return []


def _decide(row: Affordability, status: str, *, by: str, reason: str, now: datetime, **more: Any) -> None:
    row.status, row.decided_at, row.decided_by, row.reason = status, now, by, reason[:300]
    row.save(update_fields=["status", "decided_at", "decided_by", "reason", "monthly_cents", "offer_id"])
    about = {"decision": status, "automatic": False} | more
    events.record("affordability.decided", account=row.account, now=now, data=_about(row, row.account) | about)


def expire(*, now: datetime, limit: int = BATCH) -> int:
    """Wipe drafts that were left alone and close budgets whose time is over; return how many (all agencies)."""
    left = Affordability.objects.filter(status=Status.DRAFT, saved_at__lte=now - timedelta(days=DRAFT_DAYS))
    wiped = Affordability.objects.filter(pk__in=list(left.values_list("pk", flat=True)[:limit]))
    # A day more than UTC knows: some consumers live behind it.
    over = Affordability.objects.filter(
        status__in=Affordability.STANDING, expires_on__lt=now.date() - timedelta(days=1)
    )
    closed = Affordability.objects.filter(pk__in=list(over.values_list("pk", flat=True)[:limit]))
    return wiped.update(status=Status.EXPIRED, answers="") + closed.update(status=Status.EXPIRED)
