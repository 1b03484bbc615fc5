"""Shape payments: how many or how much, how often, from when; or every date and amount by hand."""

from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import confirmed
from accounts.money import InvalidAmount, from_cents
from accounts.refusals import Refusal
from accounts.sight import shown
from payments.forms import AdjustForm, read_cents
from payments.models import Checkout
from payments.rules.notices import check_letters, notice_needed
from payments.services import checkout as services
from payments.services import gate
from payments.services.gate import Standing
from payments.sight import MOST_PARTS, breach, possible_parts, problems, say
from payments.views.way import IN_PARTS, asks_for_paper, on_the_way, steps
from settlements.rules import quotes
from settlements.rules.offers import Terms
from settlements.rules.quotes import Answer, Wish
from settlements.rules.schedules import Line, spread


@require_http_methods(["GET", "POST"])
@confirmed
@on_the_way
def schedule(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    """Let the consumer say how many payments or how much each, how often and from when; the payments follow."""
    at = gate.standing(checkout.account, now=request.now)
    terms = at.terms_of(checkout.choice)
    if terms is None or checkout.choice not in IN_PARTS:
        return redirect("payments:choose", checkout.account_id)
    if request.method == "GET" and checkout.frequency == "custom" and "even" not in request.GET:
        return redirect("payments:dates", checkout.pk)
    action = request.POST.get("action", "")
    form = AdjustForm(request.POST if action else None, initial=_as_typed(checkout, terms))
    answer = _answered(at, checkout.choice, form)
    if action == "own":
        # What fits is taken along to be changed by hand; what does not is left behind.
        if answer.lines:
            _keep(request, checkout, answer, form)
        return redirect("payments:dates", checkout.pk)
    if action == "continue" and answer.lines and not form.errors:
        found = _keep(request, checkout, answer, form)
        if not found:
            return _onward(checkout, at, answer.lines)
        form.refuse(found)
    context = {
        "account": shown(checkout.account, level=request.visit.level) | {"balance_cents": at.owed.cents},
        "checkout": checkout,
        "form": form,
        "typed": form.shown,
        "preview": _preview(at, terms, answer, form),
        "limits": _limits(at, terms),
        "breach": breach(terms),
        **steps(checkout, "schedule"),
    }
    if request.htmx:
        return render(request, "payments/_schedule_check.html", context)
    return render(request, "payments/schedule.html", context, status=422 if form.errors else 200)


def _as_typed(checkout: Checkout, terms: Terms) -> dict[str, str]:
    """Read the fields back out of what the checkout holds."""
    lines = gate.lines_of(checkout)
    amounts = [line.amount_cents for line in lines]
    evenly = amounts == list(spread(terms, len(lines)))
    return {
        "how": "number" if evenly or checkout.frequency == "custom" else "amount",
        "count": str(max(len(lines), 1)),
        "amount": f"{from_cents(amounts[0])}",
        "frequency": checkout.frequency if checkout.frequency in AdjustForm.FREQUENCIES else "monthly",
        "first_on": lines[0].due_on.isoformat(),
    }


def _answered(at: Standing, choice: str, form: AdjustForm) -> Answer:
    """Work out the payments; every refusal lands beside its field."""
    if form.is_bound and not form.is_valid():
        return Answer((), 0, 0, at.terms_of(choice))
    answer = quotes.answer(at.offered, form.wish(choice), currency=at.account.currency)
    if answer.refusals and form.is_bound:
        form.refuse(list(answer.refusals))
    return answer


def _keep(request: HttpRequest, checkout: Checkout, answer: Answer, form: AdjustForm) -> list[Refusal]:
    wish = form.wish(checkout.choice)
    return services.choose(
        checkout=checkout,
        choice=checkout.choice,
        lines=answer.lines,
        now=request.now,
        by_amount=wish.amount_cents is not None,
        frequency=wish.frequency,
    )


def _onward(checkout: Checkout, at: Standing, lines: tuple[Line, ...]) -> HttpResponse:
    """Go on to e-mail or letters, or to the way to pay; letters that would come too late lead to the dates."""
    if checkout.paper and check_letters([line.due_on for line in lines], at.today):
        return redirect("payments:dates", checkout.pk)
    return redirect("payments:paperless" if asks_for_paper(checkout, at) else "payments:method", checkout.pk)


def _limits(at: Standing, terms: Terms) -> dict[str, Any]:
    """Say what the first day may be; without any limit the form asks for no last day."""
    ends = [day for day in (terms.latest_first_on, terms.ends_on) if day is not None]
    return {"first_on": at.today.isoformat(), "latest_on": min(ends, default=None)}


def _preview(at: Standing, terms: Terms, answer: Answer, form: AdjustForm) -> dict[str, Any]:
    """Say what the payments come to, and what would be possible at this frequency from this day on."""
    wish = form.wish(terms.kind) if not form.is_bound or form.typed else Wish(terms.kind)
    first_on = max(wish.first_on or at.today, at.today)
    most = possible_parts(at, terms, first_on, wish.frequency)
    possible = {
        "most": most or 1,
        "smallest_cents": min(spread(terms, most)) if most else 0,
        "last_allowed_on": None if terms.open_ended else terms.last_for(first_on),
        "target_cents": terms.amount_cents,
        "bank_days": "ach" in terms.allowed.recurring_methods,
    }
    if not answer.lines:
        return possible | {"known": False}
    return possible | {"known": True} | totals(at, answer.lines, wish.frequency, answer.saving_cents)


def totals(at: Standing, lines: tuple[Line, ...], frequency: str, saving_cents: int) -> dict[str, Any]:
    """Add payments up for the page."""
    amounts = [line.amount_cents for line in lines]
    alike = len({*amounts[:-1]}) == 1
    return {
        "lines": [
            {"number": number, "on": line.due_on, "amount_cents": line.amount_cents, "moved": bool(line.planned_on)}
            for number, line in enumerate(lines, 1)
        ],
        "count": len(lines),
        "part_cents": amounts[0] if alike else 0,
        "final_cents": amounts[-1] if alike and amounts[-1] != amounts[0] else 0,
        "frequency": frequency,
        "total_cents": sum(amounts),
        "saving_cents": saving_cents,
        "first_on": lines[0].due_on,
        "last_on": lines[-1].due_on,
        "starts_later": lines[0].due_on > at.today,
        "notices": sum(notice_needed(at.today, line.due_on) for line in lines),
    }


@require_http_methods(["GET", "POST"])
@confirmed
@on_the_way
def dates(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    """Let the consumer set every date and amount within the limits; every reason against them comes at once."""
    at = gate.standing(checkout.account, now=request.now)
    terms = at.terms_of(checkout.choice)
    if terms is None or checkout.choice not in IN_PARTS:
        return redirect("payments:choose", checkout.account_id)
    action = request.POST.get("action", "")
    found: list[Refusal] = []
    if action:
        rows, lines = _typed(request)
    else:
        lines = list(gate.lines_of(checkout))
        rows = [
            _row(number, line.due_on.isoformat(), f"{from_cents(line.amount_cents)}")
            for number, line in enumerate(lines, 1)
        ]
        found = check_letters([line.due_on for line in lines], at.today) if checkout.paper else []
    if lines and action == "continue":
        by_amount = [line.amount_cents for line in lines] != list(spread(terms, len(lines)))
        found = services.choose(
            checkout=checkout,
            choice=checkout.choice,
            lines=lines,
            now=request.now,
            by_amount=by_amount,
            frequency="custom",
        )
        if not found and checkout.paper:
            found = check_letters([line.due_on for line in lines], at.today)
        if not found:
            return redirect("payments:paperless" if asks_for_paper(checkout, at) else "payments:method", checkout.pk)
    elif lines and action == "recalculate":
        wish = Wish(checkout.choice, lines=tuple(lines), frequency="custom")
        found = list(quotes.answer(at.offered, wish, currency=at.account.currency).refusals)
    shown_problems = _place(found, rows) if lines else _unreadable(rows)
    if action == "add" and len(rows) < MOST_PARTS:
        shown_problems = []
        rows.append(_row(len(rows) + 1, "", ""))
    context = {
        "account": shown(checkout.account, level=request.visit.level) | {"balance_cents": at.owed.cents},
        "checkout": checkout,
        "rows": rows,
        "refusals": shown_problems,
        "totals": _sums(at, terms, lines),
        "limits": {
            "first_on": at.today.isoformat(),
            "last_on": terms.last_for(at.today).isoformat() if not terms.open_ended else "",
            "max_parts": min(terms.most_for("custom"), MOST_PARTS),
            "minimum_cents": terms.minimum_for("monthly"),
        },
        "breach": breach(terms),
        **steps(checkout, "schedule"),
    }
    if request.htmx:
        return render(request, "payments/_dates_check.html", context)
    return render(request, "payments/dates.html", context, status=422 if action and shown_problems else 200)


def _row(number: int, on: str, amount: str) -> dict[str, Any]:
    return {"number": number, "date_errors": [], "amount_errors": [], "on": on, "amount": amount}


def _typed(request: HttpRequest) -> tuple[list[dict[str, Any]], list[Line]]:
    """Read the rows, empty ones left out; without lines when anything cannot be read, the errors in the rows."""
    rows: list[dict[str, Any]] = []
    lines: list[Line] = []
    readable = True
    for typed in range(1, MOST_PARTS + 1):
        if f"amount_{typed}" not in request.POST:
            break
        on, amount = request.POST.get(f"date_{typed}", "")[:20], request.POST[f"amount_{typed}"][:20]
        if not on.strip() and not amount.strip():
            continue
        number = len(rows) + 1
        row = _row(number, on, amount)
        rows.append(row)
        due_on, cents = date.min, 0
        try:
            due_on = date.fromisoformat(on)
        except ValueError:
            row["date_errors"].append(_("Enter a date for payment %(number)s.") % {"number": number})
        try:
            cents = read_cents(amount)
        except InvalidAmount:
            row["amount_errors"].append(
                _("Enter an amount for payment %(number)s, for example 50.00.") % {"number": number}
            )
        readable = readable and not (row["date_errors"] or row["amount_errors"])
        lines.append(Line(due_on, cents))
    return rows, lines if readable else []


def _unreadable(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    found = []
    for row in rows:
        for field, code in (("date", "date_unreadable"), ("amount", "amount_unreadable")):
            target = f"id_{field}_{row['number']}"
            found += [{"message": said, "code": code, "target": target} for said in row[f"{field}_errors"]]
    return found


def _place(found: list[Refusal], rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Put each refusal beside its row too, and give all of them for the summary."""
    targets = {}
    for index, row in enumerate(rows):
        for field, name in (("due_on", "date"), ("amount_cents", "amount")):
            key = f"lines.{index}.{field}"
            targets[key] = f"id_{name}_{row['number']}"
            row[f"{name}_errors"] = [say(one) for one in found if one.field == key]
    return problems(found, targets)


def _sums(at: Standing, terms: Terms, lines: list[Line]) -> dict[str, Any]:
    total = sum(line.amount_cents for line in lines)
    return {
        "known": bool(lines),
        "kind": terms.kind,
        "count": len(lines),
        "sum_cents": total,
        "target_cents": terms.amount_cents,
        "difference_cents": terms.amount_cents - total,
        "saving_cents": terms.saving_cents,
        "last_allowed_on": None if terms.open_ended else terms.last_for(lines[0].due_on if lines else at.today),
        "starts_later": bool(lines) and lines[0].due_on > at.today,
        "notices": sum(notice_needed(at.today, line.due_on) for line in lines),
    }
