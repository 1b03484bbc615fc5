"""A budget on a phone: section by section, saved at each step, then the sums, then what follows from them."""

import json
from datetime import date
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import confirmed, own_account
from accounts.calendars import local_date
from accounts.models import Account
from accounts.money import from_cents
from accounts.no_promise import shown_in
from accounts.sight import shown
from settlements.forms import read_section, rows_of
from settlements.models import Affordability
from settlements.rules import affordability as rules
from settlements.rules.budget_forms import Form, Section, check_answers, say
from settlements.rules.quotes import Answer
from settlements.services import affordability as services
from settlements.services import budget_forms, budget_papers, hardship
from settlements.views import language, problems, spoken


def _today(request: HttpRequest, account: Account) -> date:
    return local_date(request.now, account.consumer.time_zone)


def _begun(request: HttpRequest, account: Account) -> tuple[Affordability | None, Form, dict[str, Any]]:
    """Give what is being filled in, its form and its answers; before anything is saved, last time's answers."""
    draft = services.draft_of(account, now=request.now)
    if draft is not None:
        return draft, budget_forms.read(draft.form), services.answers_of(draft)
    _row, form = budget_forms.form_for(client_id=account.client_id)
    return None, form, services.remembered(account, form)


def _seen(answers: dict[str, Any]) -> list[str]:
    return answers.get(services.SEEN, {}).get("sections", [])


def _sections(account: Account, form: Form, answers: dict[str, Any]) -> list[dict[str, Any]]:
    """List the sections with their state: done, still to do, or with something missing."""
    seen = _seen(answers)
    return [
        {
            "code": section.code,
            "title": say(section.title, language()),
            "address": reverse("settlements:budget_section", args=[account.pk, section.code]),
            "done": section.code in seen and not check_answers(form, answers, only=section.code),
        }
        for section in form.sections
    ]


@require_http_methods(["GET", "POST"])
@confirmed
def overview(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Say what the budget is for, where the consumer stands in it, and go on; a post throws the draft away."""
    account = own_account(request, account_id)
    if request.method == "POST":
        services.discard(account=account)
        return redirect("settlements:budget", account_id)
    draft, form, answers = _begun(request, account)
    sections = _sections(account, form, answers)
    onward = next((one["address"] for one in sections if not one["done"]), None)
    context = {
        "account": shown(account, level=request.visit.level),
        "title": say(form.title, language()),
        "intro": say(form.intro, language()),
        "notes": [say(note, language()) for note in form.notes],
        "sections": sections,
        "begun": draft,
        "remembers": draft is None and bool(answers),
        "keeps_days": services.DRAFT_DAYS,
        "onward": onward or reverse("settlements:budget_review", args=[account.pk]),
        "submitted": services.current(account, today=_today(request, account)),
    }
    return render(request, "settlements/budget.html", context)


@require_http_methods(["GET", "POST"])
@confirmed
def section(request: HttpRequest, account_id: UUID, section: str) -> HttpResponse:
    """Ask one section; a post saves it and goes on, later, or only adds up (htmx)."""
    account = own_account(request, account_id)
    _draft, form, answers = _begun(request, account)
    if (asked := form.section(section)) is None:
        raise Http404
    if request.method == "GET":
        return _ask(request, account, form, asked, answers)
    typed, unread = read_section(asked, request.POST, language=language())
    others = {code: one for code, one in answers.items() if code not in {q.code for q in asked.questions}}
    together = others | typed
    wrong = unread + [
        one
        for one in check_answers(form, together, language=language(), only=asked.code)
        if one.field not in {other.field for other in unread}
    ]
    usable = {code: one for code, one in together.items() if code not in {refusal.field for refusal in wrong}}
    action = request.POST.get("action", "next")
    if action == "totals":
        return render(request, "settlements/_totals.html", {"totals": _totals(form, usable), "live": True})
    if action == "stop":
        _save(request, account, asked, {code: one for code, one in typed.items() if code in usable})
        return redirect("settlements:budget", account_id)
    if wrong:
        return _ask(request, account, form, asked, usable, wrong=wrong)
    _save(request, account, asked, typed)
    over = _over(form, asked, together)
    unexplained = [code for code in over if not typed[code].get("note")]
    if unexplained and not request.POST.get("asked"):
        return _ask(request, account, form, asked, together, over=over)
    following = form.sections[form.sections.index(asked) + 1 :]
    if following:
        return redirect("settlements:budget_section", account_id, following[0].code)
    return redirect("settlements:budget_review", account_id)


def _save(request: HttpRequest, account: Account, asked: Section, typed: dict[str, Any]) -> None:
    services.save(account=account, section=asked.code, answers=typed, language=language(), now=request.now)


def _over(form: Form, asked: Section, answers: dict[str, Any]) -> dict[str, str]:
    """Give the notes of this section's answers that are above what is usual."""
    notes = {question.code: question.cap for question in asked.questions if question.cap}
    return {
        line.code: say(notes[line.code].note, language())
        for line in rules.budget(form, answers).over
        if line.code in notes
    }


def _ask(
    request: HttpRequest,
    account: Account,
    form: Form,
    asked: Section,
    answers: dict[str, Any],
    *,
    wrong: list | None = None,
    over: dict[str, str] | None = None,
) -> HttpResponse:
    errors: dict[str, list[str]] = {}
    for refusal in wrong or []:
        errors.setdefault(refusal.field or "", []).append(spoken(refusal))
    number = form.sections.index(asked)
    back = form.sections[number - 1].code if number else None
    typed = request.POST if wrong else None
    if over is None:
        over = _over(form, asked, answers) if request.method == "GET" else {}
    context = {
        "account": shown(account, level=request.visit.level),
        "section": {
            "code": asked.code,
            "title": say(asked.title, language()),
            "intro": say(asked.intro, language()),
        },
        "rows": rows_of(asked, answers, language=language(), typed=typed, errors=errors, over=over),
        "refusals": problems(wrong or [], {code: f"id_{code}" for code in errors}),
        "totals": _totals(form, answers),
        "asks_why": bool(over) and request.method == "POST",
        "asked": bool(over),
        "back": reverse("settlements:budget_section", args=[account.pk, back])
        if back
        else reverse("settlements:budget", args=[account.pk]),
        "step": number + 1,
        "steps": len(form.sections) + 1,
    }
    return render(request, "settlements/budget_section.html", context, status=422 if wrong else 200)


def _totals(form: Form, answers: dict[str, Any]) -> dict[str, int]:
    sums = rules.budget(form, answers)
    return {
        "income_cents": sums.income_cents,
        "essential_cents": sums.essential_cents,
        "other_cents": sums.other_cents,
        "left_cents": sums.surplus_cents,
    }


@require_http_methods(["GET", "POST"])
@confirmed
def review(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show all answers with their sums a month; a post submits them."""
    account = own_account(request, account_id)
    draft, form, answers = _begun(request, account)
    if draft is None:
        return redirect("settlements:budget", account_id)
    missing = check_answers(form, answers, language=language())
    if request.method == "POST":
        missing = services.submit(budget=draft, now=request.now, no_promise=shown_in(language()))
        if not missing:
            return redirect("settlements:budget_result", account_id)
    sums = rules.budget(form, {code: one for code, one in answers.items() if code not in {r.field for r in missing}})
    at = {question.code: part.code for part in form.sections for question in part.questions}
    context = {
        "account": shown(account, level=request.visit.level),
        "groups": budget_papers.answered(form, answers, sums, language=language()),
        "totals": _totals(form, {code: one for code, one in answers.items() if code not in {r.field for r in missing}}),
        "missing": [
            {
                "message": spoken(one),
                "code": one.code,
                "address": reverse("settlements:budget_section", args=[account.pk, at[one.field]]) + f"#id_{one.field}",
            }
            for one in missing
            if one.field in at
        ],
        "refusals": problems([one for one in missing if one.field not in at]),
        "account_id": account.pk,
        "last": form.sections[-1].code,
        "step": len(form.sections) + 1,
        "steps": len(form.sections) + 1,
    }
    return render(request, "settlements/budget_review.html", context, status=422 if request.method == "POST" else 200)


@require_safe
@confirmed
def result(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Say what follows from the budget: a plan to look at, a person who decides, or a pause and free advice."""
    account = own_account(request, account_id)
    budget = services.current(account, today=_today(request, account))
    if budget is None:
        return redirect("settlements:budget", account_id)
    facts = services.worked_out(budget)
    found = services.payments_of(budget, account=account, now=request.now)
    context = {
        "account": shown(account, level=request.visit.level),
        "budget": {
            "status": budget.status,
            "outcome": budget.outcome,
            "submitted_at": budget.submitted_at,
            "expires_on": budget.expires_on,
            "monthly_cents": budget.monthly_cents,
            "share_cents": budget.share_cents,
            "surplus_cents": budget.surplus_cents,
            "owed_cents": budget.owed_cents,
            "reason": budget.reason,
        },
        "facts": facts,
        "shared": len(facts.get("balances_cents", [])) > 1,
        "elsewhere_cents": sum(facts.get("balances_cents", [])[1:]),
        "plan": _plan(found) if found and found.lines else None,
        "refusals": problems(list(found.refusals)) if found else [],
        "onward": _onward(account, budget, facts),
        "advice": advice_links(),
        "pause": hardship.active(consumer=account.consumer, today=_today(request, account)),
    }
    return render(request, "settlements/budget_result.html", context)


def _plan(found: Answer) -> dict[str, Any]:
    return {
        "count": len(found.lines),
        "part_cents": found.lines[0].amount_cents,
        "first_on": found.lines[0].due_on,
        "last_on": found.lines[-1].due_on,
        "last_cents": found.lines[-1].amount_cents,
        "total_cents": found.total_cents,
        "saving_cents": found.saving_cents,
    }


def _onward(account: Account, budget: Affordability, facts: dict[str, Any]) -> str:
    """Give the address of the plan checkout with the wish that `payments_of` answered: it sets up the same payments."""
    asked: dict[str, str] = {}
    if budget.status == Affordability.Status.ACCEPTED:
        asked["choice"] = "settlement_parts"
    elif facts.get("choice"):
        asked["choice"] = {"plan": "plan", "parts": "settlement_parts"}[facts["choice"]]
    if budget.monthly_cents:
        asked |= {"amount": f"{from_cents(budget.monthly_cents)}", "frequency": "monthly"}
    return f"{reverse('payments:choose', args=[account.pk])}?{urlencode(asked)}"


def advice_links() -> list[dict[str, Any]]:
    """List free advice in the language of the page."""
    return [
        {
            "name": one.get("name", ""),
            "url": one.get("url", ""),
            "phone": one.get("phone", ""),
            "text": say(one.get("text") or {}, language()),
        }
        for one in hardship.advice()
    ]


def _submitted(request: HttpRequest, account_id: UUID) -> Affordability:
    account = own_account(request, account_id)
    budget = services.current(account, today=_today(request, account))
    if budget is None:
        raise Http404
    budget.account = account
    return budget


def _file(content: bytes | str, kind: str, budget: Affordability) -> HttpResponse:
    response = HttpResponse(content, content_type={"pdf": "application/pdf", "json": "application/json"}[kind])
    response["Content-Disposition"] = f'attachment; filename="budget-{budget.submitted_at:%Y-%m-%d}.{kind}"'
    return response


@require_safe
@confirmed
def as_pdf(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Give the budget as a paper that its consumer can hand to others."""
    budget = _submitted(request, account_id)
    return _file(budget_papers.pdf(budget=budget, language=language()), "pdf", budget)


@require_safe
@confirmed
def as_json(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Give the budget in the open layout of docs/affordability.md."""
    budget = _submitted(request, account_id)
    text = json.dumps(budget_papers.export(budget=budget), ensure_ascii=False, indent=2)
    return _file(text, "json", budget)
