"""A submitted budget as its consumer takes it elsewhere: a paper, and an open layout for programs.

Neither says who collects or what is owed here: the next company that reads it needs to know neither.
"""

from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts import paper
from accounts.calendars import format_date
from accounts.money import format_cents, from_cents
from settlements.documents import BUDGET
from settlements.models import Affordability
from settlements.rules.affordability import Budget
from settlements.rules.budget_forms import Form, Question, say
from settlements.services import affordability, budget_forms
from settlements.services.budget_forms import FREQUENCIES

EXPORT = "quittance-budget/1"
"""The layout of docs/affordability.md; a change that old readers would misread gets another number."""


def export(*, budget: Affordability) -> dict[str, Any]:
    """Give a submitted budget in the open layout: amounts as decimal texts, a month beside what was said."""
    form, answers, facts = _opened(budget)
    months = {line["code"]: line for line in facts["lines"]}
    return {
        "layout": EXPORT,
        "made_at": budget.submitted_at.isoformat(),
        "good_until": budget.expires_on.isoformat(),
        "currency": budget.account.currency.upper(),
        "form": {"title": dict(form.title), "version": budget.form.version},
        "person": {"name": str(budget.account.consumer)},
        "sections": [
            {
                "code": section.code,
                "title": dict(section.title),
                "answers": [
                    _answer(question, answers[question.code], months.get(question.code))
                    for question in section.questions
                    if question.code in answers
                ],
            }
            for section in form.sections
        ],
        "month": {
            "income": _money(facts["income_cents"]),
            "essential": _money(facts["essential_cents"]),
            "other": _money(facts["other_cents"]),
            "left": _money(facts["surplus_cents"]),
        },
        "rounding": "income down, outgoings up, to the cent, each line by itself",
    }


def _opened(budget: Affordability) -> tuple[Form, dict[str, Any], dict[str, Any]]:
    return budget_forms.read(budget.form), affordability.answers_of(budget), affordability.worked_out(budget)


def _money(cents: int) -> str:
    return str(from_cents(cents))


def _answer(question: Question, answer: dict[str, Any], line: dict[str, Any] | None) -> dict[str, Any]:
    said: dict[str, Any] = {
        "code": question.code,
        "label": dict(question.label),
        "kind": question.kind,
        "group": question.group,
    }
    if question.kind != "amount":
        return said | {"value": answer.get(question.kind)}
    said["amount"] = _money(answer["cents"])
    if line is not None:
        said |= {"frequency": line["frequency"], "monthly": _money(line["monthly_cents"])}
        if line["over"]:
            said |= {"above_usual": _money(line["cap_cents"]), "note": answer.get("note", "")}
    return said


def answered(form: Form, answers: dict[str, Any], sums: Budget, *, language: str) -> list[dict[str, Any]]:
    """List the answers by section, as the review and staff read them: the amount as given, and a month of it."""
    per_month = {line.code: line for line in sums.lines}
    groups = []
    for part in form.sections:
        rows = []
        for question in part.questions:
            answer = answers.get(question.code)
            if not answer:
                continue
            line = per_month.get(question.code)
            row: dict[str, Any] = {"label": say(question.label, language), "note": answer.get("note", "")}
            if question.kind == "amount":
                row["cents"] = line.monthly_cents if line else answer.get("cents")
                row["over"] = bool(line and line.over)
                if line and line.frequency != "month":
                    row |= {"given_cents": line.cents, "every": FREQUENCIES[line.frequency]}
                row["balance"] = question.group == "debt"
            else:
                labels = dict(question.options)
                chosen = answer.get(question.kind, "")
                row["text"] = say(labels[chosen], language) if chosen in labels else str(chosen)
            rows.append(row)
        groups.append({"code": part.code, "title": say(part.title, language), "rows": rows})
    return groups


def pdf(*, budget: Affordability, language: str) -> bytes:
    """Make the budget as a tagged PDF in English or Spanish."""
    form, answers, facts = _opened(budget)
    account = budget.account
    months = {line["code"]: line for line in facts["lines"]}

    def money(cents: int) -> str:
        return format_cents(cents, account.currency, language)

    def row(question: Question) -> tuple[str, str, str]:
        answer, line = answers[question.code], months.get(question.code)
        label = say(question.label, language)
        if line is None:
            words = dict(question.options).get(answer.get(question.kind))
            return label, "", say(words, language) if words else str(answer.get(question.kind, ""))
        as_said = f"{money(line['cents'])} {FREQUENCIES[line['frequency']]}" if line["frequency"] != "month" else ""
        return label, as_said, money(line["monthly_cents"])

    debts = {question.code: question for question in form.questions if question.group == "debt"}
    with override(language):
        at = budget.submitted_at.astimezone(ZoneInfo(account.consumer.time_zone))
        name = str(account.consumer)
        data = {
            "kind": "budget",
            "language": language,
            "page": _("Page"),
            "agency": {"name": name, "lines": []},
            "title": say(form.title, language),
            "lead": _("A month of this household, as its owner stated it on %(day)s.")
            % {"day": format_date(at.date(), language)},
            "figure": money(facts["surplus_cents"]),
            "figure_note": _("left over a month"),
            "facts": [
                (_("Comes in"), money(facts["income_cents"])),
                (_("Essential costs"), money(facts["essential_cents"])),
                (_("Other costs"), money(facts["other_cents"])),
                (_("People who depend on this income"), str(facts["dependants"])),
            ],
            "columns": [_("Item"), _("As stated"), _("A month")],
            "sections": [
                {"title": say(section.title, language), "rows": rows}
                for section in form.sections
                if (rows := [row(one) for one in section.questions if one.code in answers and one.group != "debt"])
            ],
            "nothing": _("Nothing"),
            "debts_title": _("Owed to others, whole balances"),
            "debts": [(say(debts[code].label, language), money(cents)) for code, cents in facts["debts"]],
            "close": [
                _("Made by the person named above with a form on the internet; nobody checked the figures."),
                _("Good until %(day)s, or until something changes.")
                % {"day": format_date(budget.expires_on, language)},
            ],
        }
        return paper.compile_paper(BUDGET, data=data, at=at)
