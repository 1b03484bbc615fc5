"""What consumers type on budget and hardship pages: a section of a form that is data, a request, and a document."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.money import InvalidAmount, from_cents, to_cents
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.models import Hardship
from settlements.rules.budget_forms import Answers, Question, Section, check_answers, say
from settlements.services.budget_forms import FREQUENCIES
from settlements.services.hardship import WORDS_LIMIT, days_offered, policy

USUAL = "month"
TYPED_LIMIT = 1_200
"""Characters kept of a field that cannot be read, to show it again."""

_SENTENCES = {
    "amount_unreadable": gettext_noop("Enter an amount for “%(question)s”, for example 50.00."),
    "number_unreadable": gettext_noop("Enter a whole number for “%(question)s”."),
}


def read_cents(text: str) -> int:
    """Read what people type for a sum: `$1,250.5` is 125050.

    :raises InvalidAmount: it is not an amount with at most two decimals.
    """
    plain = text.strip().removeprefix("$").strip().replace(" ", "").replace("\N{NO-BREAK SPACE}", "")
    head, point, cents = plain.partition(".")
    groups = head.split(",")
    if len(groups) > 1 and not all(len(group) == 3 for group in groups[1:]):
        raise InvalidAmount("Commas part thousands.")
    return to_cents("".join(groups) + (f".{cents}" if point and cents else ""))


def read_section(
    section: Section, typed: Mapping[str, str], *, language: str
) -> tuple[dict[str, dict[str, Any]], list[Refusal]]:
    """Read a section as it was posted: the answers that can be read, and what cannot, by the question's code."""
    answers: dict[str, dict[str, Any]] = {}
    found: list[Refusal] = []
    for question in section.questions:
        text = typed.get(question.code, "").strip()
        if not text:
            continue
        name = say(question.label, language)
        if question.kind == "amount":
            try:
                cents = read_cents(text[:TYPED_LIMIT])
            except InvalidAmount:
                found.append(
                    refuse(_SENTENCES["amount_unreadable"], "amount_unreadable", field=question.code, question=name)
                )
                continue
            answers[question.code] = {"cents": cents}
            if question.frequencies:
                answers[question.code]["frequency"] = typed.get(f"{question.code}_every", "")
            if note := typed.get(f"{question.code}_note", "").strip():
                answers[question.code]["note"] = note[:TYPED_LIMIT]
        elif question.kind == "number":
            if not (text.isascii() and text.isdigit() and len(text) < 6):
                found.append(
                    refuse(_SENTENCES["number_unreadable"], "number_unreadable", field=question.code, question=name)
                )
                continue
            answers[question.code] = {"number": int(text)}
        else:
            answers[question.code] = {question.kind: text.replace("\r\n", "\n")[:TYPED_LIMIT]}
    return answers, found


def rows_of(
    section: Section,
    answers: Answers,
    *,
    language: str,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, list[str]] | None = None,
    over: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Give a section's questions as the page draws them: what was typed before what is kept.

    :param over: by code, the note of an answer that is above what is usual; those may be explained.
    """
    rows = []
    for question in section.questions:
        answer = answers.get(question.code) or {}
        rows.append(
            {
                "code": question.code,
                "kind": question.kind,
                "label": say(question.label, language),
                "help": say(question.help, language),
                "required": question.required,
                "debt": question.group == "debt",
                "value": typed.get(question.code, "")[:TYPED_LIMIT] if typed else _shown(question, answer),
                "every": _every(question, answer, typed),
                "frequencies": [(code, FREQUENCIES[code]) for code in question.frequencies],
                "options": [(code, say(label, language)) for code, label in question.options],
                "most": question.most,
                "errors": (errors or {}).get(question.code, []),
                "over": (over or {}).get(question.code, ""),
                "note": typed.get(f"{question.code}_note", "") if typed else answer.get("note", ""),
            }
        )
    return rows


def _shown(question: Question, answer: Mapping[str, Any]) -> str:
    if question.kind == "amount":
        return f"{from_cents(answer['cents'])}" if "cents" in answer else ""
    return str(answer.get(question.kind, ""))


def _every(question: Question, answer: Mapping[str, Any], typed: Mapping[str, str] | None) -> str:
    chosen = (typed or {}).get(f"{question.code}_every") or answer.get("frequency")
    if chosen in question.frequencies:
        return chosen
    return USUAL if USUAL in question.frequencies else next(iter(question.frequencies), "")


def refused(form: Any, section: Section, answers: Answers, *, language: str) -> list[Refusal]:
    """List what is wrong with the answers of one section."""
    return check_answers(form, answers, language=language, only=section.code)


class PauseForm(forms.Form):
    """Ask for a pause: why, in one's own words if one likes, and how long. The agreement is never set in advance."""

    cause = forms.ChoiceField(
        label=_("What comes closest?"),
        choices=Hardship.Reason.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what comes closest."), "invalid_choice": _("Choose what comes closest.")},
    )
    words = forms.CharField(
        label=_("In your own words (if you like)"),
        required=False,
        max_length=WORDS_LIMIT,
        help_text=_("Only what helps us to understand. You do not have to write about your health."),
        widget=forms.Textarea({"rows": 4}),
    )
    days = forms.TypedChoiceField(
        label=_("How long should we pause?"),
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose how long the pause should be."),
            "invalid_choice": _("Choose how long the pause should be."),
        },
    )
    consent = forms.BooleanField(
        error_messages={"required": _("Tick the box, so that we may read what you send us.")},
    )

    def __init__(self, *args: Any, wording: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["days"].choices = [(days, _("%(days)s days") % {"days": days}) for days in days_offered(policy())]
        self.fields["consent"].label = wording

    def refuse(self, refusals: list[Refusal], spoken: list[str]) -> None:
        """Put the refusals of the service beside their fields."""
        for refusal, sentence in zip(refusals, spoken, strict=True):
            field = refusal.field if refusal.field in self.fields else None
            self.add_error(field, forms.ValidationError(sentence, refusal.code))
