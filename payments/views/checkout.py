"""The first half of the way to a payment: what to pay, when, and how to be told before each later payment."""

from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.html import strip_tags
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.access import confirmed, identified, own_account, step_up_required
from accounts.models import Account, Code, ContactPoint, Visit
from accounts.money import InvalidAmount, from_cents, split_evenly
from accounts.refusals import Refusal
from accounts.services import codes, consent, visits
from accounts.sight import shown
from payments.forms import SMALLEST_CENTS, ChooseForm, PaperlessForm, read_cents
from payments.models import Checkout
from payments.rules.gates import sol_notice_needed
from payments.rules.notices import check_letters, letter_send_by, notice_needed
from payments.services import checkout as services
from payments.services import gate
from payments.services.gate import Standing
from payments.sight import cannot_pay, language, problems, proposed_parts, say
from payments.views.way import asks_for_paper, on_the_way, steps, to_payment_of
from settlements.rules.schedules import Line

MOST_PARTS = 60
"""Rows on the schedule page: weekly for more than a year; more is a talk with the agency, not a form."""

SERVICE_CHOICE = {"settlement": "settlement", "settlement_parts": "parts", "full": "full", "any": "amount"}
PAGE_CHOICE = {service: page for page, service in SERVICE_CHOICE.items()}
AGE_NOTICE_VERSION = "23 NYCRR 1.3, 2026-11"


@require_http_methods(["GET", "POST"])
@identified
def choose(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Offer the settlement at once or in parts, the full balance, or any amount."""
    account = own_account(request, account_id)
    begun = _begun(request, account)
    if begun is not None and begun.confirmed_at is not None:
        return to_payment_of(begun)
    at = gate.standing(account, now=request.now)
    if cannot_pay(at, now=request.now):
        return redirect("portal:account", account_id)
    if _age_notice_due(request, at):
        return redirect("payments:age_notice", account_id)
    options = _options(at, level=request.visit.level)
    form = ChooseForm(request.POST or None, options=options)
    if request.method == "POST" and form.is_valid():
        answer = _chosen(request, at, form, begun)
        if answer is not None:
            return answer
    elif request.method == "GET" and at.terms is not None:
        visits.seen_page(visit=request.visit, account=account, page="offer", now=request.now)
    chosen = form["choice"].value() or request.GET.get("choice", "") or PAGE_CHOICE.get(begun.choice if begun else "")
    context = {
        "account": shown(account, level=request.visit.level) | {"balance_cents": at.owed.cents},
        "options": options,
        "form": form,
        "chosen": chosen or "",
        "amount": form["amount"].value() or (_amount_of(begun) if begun else ""),
        "begun": begun,
        **steps(begun, "choose"),
    }
    return render(request, "payments/choose.html", context, status=422 if form.errors else 200)


def _begun(request: HttpRequest, account: Account) -> Checkout | None:
    """Find the checkout whose choice is being changed, if the page says so and it is of this visit."""
    named = request.POST.get("checkout") or request.GET.get("checkout") or ""
    try:
        key = UUID(named)
    except ValueError:
        return None
    return Checkout.objects.filter(pk=key, account=account, visit=request.visit).first()


def _amount_of(checkout: Checkout) -> str:
    return f"{from_cents(checkout.lines[0][1])}" if checkout.choice == "amount" and checkout.lines else ""


def _chosen(request: HttpRequest, at: Standing, form: ChooseForm, begun: Checkout | None) -> HttpResponse | None:
    """Write the choice down and lead on; None with the refusals in the form."""
    page_choice = form.cleaned_data["choice"]
    lines: tuple[Line, ...] = ()
    if page_choice == "settlement_parts":
        if request.visit.level < Visit.Level.CONFIRMED:
            return step_up_required(request, onward=f"{request.path}?choice=settlement_parts")
        lines = proposed_parts(at)
    elif page_choice == "any":
        lines = (Line(at.today, form.cleaned_data["amount_cents"]),)
    checkout = begun or services.begin(visit=request.visit, account=at.account, now=request.now)
    checkout.account, checkout.visit, checkout.consumer = at.account, request.visit, at.account.consumer
    found = services.choose(checkout=checkout, choice=SERVICE_CHOICE[page_choice], lines=lines, now=request.now)
    if found:
        form.refuse(found)
        return None
    return redirect("payments:schedule" if len(checkout.lines) > 1 else "payments:method", checkout.pk)


def _options(at: Standing, *, level: int) -> list[dict[str, Any]]:
    """List what can be paid, the gentlest first."""
    found: list[dict[str, Any]] = []
    terms, owed = at.terms, at.owed
    parts = proposed_parts(at)
    if terms is not None and parts:
        found.append(
            {
                "code": "settlement_parts",
                "available": True,
                "amount_cents": terms.amount_cents,
                "saving_cents": terms.saving_cents,
                "parts": len(parts),
                "part_cents": parts[0].amount_cents,
                "last_on": terms.last_date,
                "needs_code": level < Visit.Level.CONFIRMED,
            }
        )
    if terms is not None and terms.saving_cents:
        sums = {"amount_cents": terms.amount_cents, "saving_cents": terms.saving_cents}
        found.insert(0, {"code": "settlement", "available": True, **sums})
    full = {"code": "full", "available": True, "amount_cents": owed.cents}
    if owed.scheduled_cents:
        full |= {"available": False, "reason": say(gate.no("arrangement_active"))}
    low = min(max(at.allowed.minimum_single_cents, SMALLEST_CENTS), owed.single_most_cents)
    found.append(full)
    if low < owed.single_most_cents:
        limits = {"minimum_cents": low, "maximum_cents": owed.single_most_cents}
        found.append({"code": "any", "available": True, **limits})
    return found


def _age_notice_due(request: HttpRequest, at: Standing) -> bool:
    account, state = at.account, at.account.consumer.state
    needed = sol_notice_needed(state, account.sol_status or "unknown", account.sol_on, at.today)
    return needed and not gate.sol_acknowledged(request.visit.pk, account)


@require_http_methods(["GET", "POST"])
@identified
def age_notice(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Say that the debt may be too old to sue for, before any payment page, once in each visit (SOL-02)."""
    account = own_account(request, account_id)
    if request.method == "POST":
        wording = strip_tags(render_to_string("payments/_age_notice.html"))
        services.acknowledge_sol(
            visit=request.visit,
            account=account,
            wording=" ".join(wording.split()),
            version=AGE_NOTICE_VERSION,
            now=request.now,
        )
        return redirect("payments:choose", account_id)
    return render(request, "payments/age_notice.html", {"account": shown(account, level=request.visit.level)})


@require_http_methods(["GET", "POST"])
@confirmed
@on_the_way
def schedule(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    """Let the consumer set dates and amounts within the limits; every reason against them comes at once."""
    at = gate.standing(checkout.account, now=request.now)
    if at.terms is None or checkout.choice != "parts":
        return redirect("payments:choose", checkout.account_id)
    action = request.POST.get("action", "") if request.method == "POST" else ""
    if action == "spread":
        lines = proposed_parts(at, _number(request.POST.get("count")))
        if lines and not services.choose(checkout=checkout, choice="parts", lines=lines, now=request.now):
            return redirect("payments:schedule", checkout.pk)
    if action in ("continue", "recalculate"):
        rows, lines, found = _typed(request, at)
    else:
        lines = list(gate.lines_of(checkout))
        rows = [
            _row(number, line.due_on.isoformat(), f"{from_cents(line.amount_cents)}")
            for number, line in enumerate(lines, 1)
        ]
        found = check_letters([line.due_on for line in lines], at.today) if checkout.paper else []
    by_amount = [line.amount_cents for line in lines] != list(split_evenly(at.terms.amount_cents, max(len(lines), 1)))
    if lines and action == "continue":
        found = services.choose(checkout=checkout, choice="parts", lines=lines, now=request.now, by_amount=by_amount)
        if not found and checkout.paper:
            found = check_letters([line.due_on for line in lines], at.today)
        if not found:
            return redirect("payments:paperless" if asks_for_paper(checkout, at) else "payments:method", checkout.pk)
    elif lines and action == "recalculate":
        found = gate.check_lines(at, "parts", lines, method=None, by_amount=by_amount)
    shown_problems = _place(found, rows) if lines else _unreadable(rows)
    context = {
        "account": shown(checkout.account, level=request.visit.level) | {"balance_cents": at.owed.cents},
        "checkout": checkout,
        "rows": rows,
        "refusals": shown_problems,
        "totals": _totals(at, lines, rows),
        "limits": {
            "first_on": at.today.isoformat(),
            "last_on": at.terms.last_date.isoformat(),
            "max_parts": at.terms.max_payments,
            "minimum_cents": at.terms.minimum_payment_cents,
        },
        "counts": range(2, min(at.terms.max_payments, MOST_PARTS) + 1),
        **steps(checkout, "schedule"),
    }
    if request.htmx:
        return render(request, "payments/_schedule_check.html", context)
    return render(request, "payments/schedule.html", context, status=422 if action and shown_problems else 200)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and 1 < int(text) <= MOST_PARTS else None


def _row(number: int, on: str, amount: str) -> dict[str, Any]:
    texts = {"on": on, "amount": amount}
    return {"number": number, "today": number == 1, "date_errors": [], "amount_errors": []} | texts


def _typed(request: HttpRequest, at: Standing) -> tuple[list[dict[str, Any]], list[Line], list[Refusal]]:
    """Read the rows; without lines when anything cannot be read, with the errors in the rows."""
    rows, lines, readable = [], [], True
    for number in range(1, MOST_PARTS + 1):
        if f"amount_{number}" not in request.POST:
            break
        row = _row(number, request.POST.get(f"date_{number}", "")[:20], request.POST[f"amount_{number}"][:20])
        rows.append(row)
        due_on, cents = at.today, 0
        try:
            due_on = date.fromisoformat(row["on"])
        except ValueError:
            row["date_errors"].append(_("Enter a date for payment %(number)s.") % {"number": number})
        try:
            cents = read_cents(row["amount"])
        except InvalidAmount:
            row["amount_errors"].append(
                _("Enter an amount for payment %(number)s, for example 50.00.") % {"number": number}
            )
        readable = readable and not (row["date_errors"] or row["amount_errors"])
        lines.append(Line(due_on, cents))
    return rows, lines if readable else [], []


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


def _totals(at: Standing, lines: list[Line], rows: list[dict[str, Any]]) -> dict[str, Any]:
    total = sum(line.amount_cents for line in lines)
    return {
        "known": bool(lines),
        "count": len(rows),
        "sum_cents": total,
        "target_cents": at.terms.amount_cents,
        "difference_cents": at.terms.amount_cents - total,
        "last_allowed_on": at.terms.last_date,
        "notices": sum(notice_needed(at.today, line.due_on) for line in lines[1:]),
    }


@require_http_methods(["GET", "POST"])
@confirmed
@on_the_way
def paperless(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    """Ask for consent to electronic documents on a page of its own; a code in a document shows it works (ES-02)."""
    at = gate.standing(checkout.account, now=request.now)
    lines = gate.lines_of(checkout)
    if not gate.needs_notice(lines, at.today):
        return redirect("payments:method", checkout.pk)
    contact = _address(request)
    form = PaperlessForm()
    match request.POST.get("action", "") if request.method == "POST" else "":
        case "decline":
            services.set_paper(checkout=checkout, paper=True)
            late = check_letters([line.due_on for line in lines], at.today)
            return redirect("payments:schedule" if late else "payments:method", checkout.pk)
        case "send" if contact is not None:
            try:
                codes.send(visit=request.visit, contact_point=contact, purpose=Code.Purpose.ESIGN, now=request.now)
            except codes.TooSoon as early:
                form = PaperlessForm({})
                form.errors.clear()
                form.add_error(None, _wait(early.seconds))
            else:
                return redirect("payments:paperless", checkout.pk)
        case "agree":
            form = PaperlessForm(request.POST)
            if form.is_valid() and _agreed(request, checkout, form):
                return redirect("payments:method", checkout.pk)
    needed = [line for line in lines[1:] if notice_needed(at.today, line.due_on)]
    context = {
        "account": shown(checkout.account, level=request.visit.level),
        "checkout": checkout,
        "email": contact.masked if contact else "",
        "sent": _sent(request),
        "form": form,
        "letters": [{"on": line.due_on, "send_by": letter_send_by(line.due_on)} for line in needed],
        "text_version": consent.ESIGN_VERSION,
        **steps(checkout, "documents"),
    }
    return render(request, "payments/paperless.html", context, status=422 if form.errors else 200)


def _address(request: HttpRequest) -> ContactPoint | None:
    known = codes.contacts_for_codes(request.visit.consumer, now=request.now)
    return next((point for point in known if point.opted_out_at is None), None)


def _sent(request: HttpRequest) -> bool:
    live = {"purpose": Code.Purpose.ESIGN, "used_at": None, "expires_at__gt": request.now}
    return Code.objects.filter(visit=request.visit, **live).exists()


def _agreed(request: HttpRequest, checkout: Checkout, form: PaperlessForm) -> bool:
    """Check the code and record the consent with the wording shown; False with the reason in the form."""
    try:
        code = codes.check(
            visit=request.visit, purpose=Code.Purpose.ESIGN, text=form.cleaned_data["code"], now=request.now
        )
    except codes.WrongCode as wrong:
        sentence = ngettext(
            "This is not the code in the document. You have %(count)d more try.",
            "This is not the code in the document. You have %(count)d more tries.",
            wrong.tries_left,
        )
        form.add_error("code", sentence % {"count": wrong.tries_left})
        return False
    except (codes.TooManyTries, codes.CodeExpired):
        form.add_error("code", _("This code no longer works. Send the document again."))
        return False
    wording = strip_tags(render_to_string("payments/_paperless_terms.html", {}, request))
    consent.grant_esign(
        visit=request.visit,
        code=code,
        wording=" ".join(wording.split()),
        version=consent.ESIGN_VERSION,
        language=language(),
        ip=request.ip,
        now=request.now,
    )
    services.set_paper(checkout=checkout, paper=False)
    return True


def _wait(seconds: int) -> str:
    return ngettext(
        "Please wait %(count)d second before you ask for it again.",
        "Please wait %(count)d seconds before you ask for it again.",
        seconds,
    ) % {"count": seconds}
