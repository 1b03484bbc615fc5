"""Affordability forms as data: what a definition may say, all its mistakes at once, and how an answer is read.

The layout is written down in docs/affordability.md; what is shipped is settlements/standard_budget.json.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.refusals import Refusal, gettext_noop, refuse

LAYOUT = "quittance-budget-form/1"
LANGUAGES = ("en", "es")
KINDS = ("amount", "number", "choice", "text")
GROUPS = ("income", "essential", "other", "debt", "none")
FREQUENCIES = ("week", "fortnight", "four_weeks", "month", "year")
RESERVED = ("review", "result", "start")
"""Words that stand where a section's code stands in an address."""

MOST_SECTIONS = 20
MOST_QUESTIONS = 120
MOST_OPTIONS = 20
MOST_CENTS = 10_000_000_00
"""Of one answer: above it somebody typed cents as dollars."""
MOST_NUMBER = 999
MOST_LETTERS = 1_000
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cap:
    """Flag an answer above what is usual for a household; it is asked about, never refused (UK-08)."""

    cents: int
    per_dependant_cents: int
    note: Words

    def limit(self, dependants: int) -> int:
        """Give the limit per month for so many dependants."""
        return self.cents + self.per_dependant_cents * dependants


@dataclass(frozen=True, slots=True)
class Question:
    """Hold one question. `dependants` marks the number that caps grow with; a debt's amount is a balance, owed once."""

    code: str
    label: Words
    kind: str
    group: str = "none"
    frequencies: tuple[str, ...] = ()
    cap: Cap | None = None
    help: Words = field(default_factory=dict)
    required: bool = False
    dependants: bool = False
    options: tuple[tuple[str, Words], ...] = ()
    most: int = MOST_NUMBER


@dataclass(frozen=True, slots=True)
class Section:
    code: str
    title: Words
    questions: tuple[Question, ...]
    intro: Words = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """Hold a whole form, read from its definition; `notes` are sentences shown before it begins."""

    title: Words
    sections: tuple[Section, ...]
    intro: Words = field(default_factory=dict)
    notes: tuple[Words, ...] = ()

    @property
    def questions(self) -> tuple[Question, ...]:
        return tuple(question for section in self.sections for question in section.questions)

    def section(self, code: str) -> Section | None:
        """Find a section by its code."""
        return next((section for section in self.sections if section.code == code), None)


def say(words: Words, language: str) -> str:
    """Give a text in a language, English where that one is not written."""
    return words.get(language[:2]) or words.get("en", "")


_SENTENCES = {
    "not_an_object": gettext_noop("This must be an object."),
    "layout_unknown": gettext_noop("The layout must be “%(layout)s”."),
    "field_unknown": gettext_noop("There is no field “%(name)s” here."),
    "text_missing": gettext_noop("Write this text in English and in Spanish."),
    "text_too_long": gettext_noop("This text is longer than %(most)s characters."),
    "list_missing": gettext_noop("This must be a list with 1 to %(most)s entries."),
    "code_unusable": gettext_noop("A code has small letters, digits and _, and begins with a letter."),
    "code_reserved": gettext_noop("The code “%(name)s” is taken by a page of ours."),
    "code_twice": gettext_noop("The code “%(name)s” stands here twice."),
    "value_unknown": gettext_noop("“%(value)s” is not one of: %(known)s."),
    "not_yes_or_no": gettext_noop("This must be true or false."),
    "not_a_number": gettext_noop("This must be a whole number from %(least)s to %(most)s."),
    "frequencies_only_for_amounts": gettext_noop("Only amounts of income and outgoings have frequencies."),
    "frequencies_missing": gettext_noop("An amount of income or outgoings needs its frequencies."),
    "group_only_for_amounts": gettext_noop("Only an amount can belong to a group other than “none”."),
    "cap_only_for_outgoings": gettext_noop("Only outgoings can have a cap."),
    "options_only_for_choices": gettext_noop("Only a choice has options."),
    "dependants_only_for_a_number": gettext_noop("Only one question, a number, can count the dependants."),
    "cap_without_dependants": gettext_noop("A cap grows with dependants, but no question counts them."),
    "no_income": gettext_noop("The form asks for no income."),
    "no_outgoings": gettext_noop("The form asks for no outgoings."),
}


class _Findings(list):
    """Collect what is wrong, each with the pointer of where."""

    def no(self, code: str, at: str, **params: object) -> None:
        self.append(refuse(_SENTENCES[code], code, field=at or "/", **params))

    def fields(self, value: object, at: str, known: str) -> dict | None:
        """Take an object whose field names are known; anything else is a finding and reads as None."""
        if not isinstance(value, dict):
            self.no("not_an_object", at)
            return None
        for name in value:
            if name not in known.split():
                self.no("field_unknown", f"{at}/{name}", name=str(name)[:40])
        return value

    def words(self, value: object, at: str, *, most: int = 300, needed: bool = True) -> None:
        if value is None and not needed:
            return
        said = self.fields(value, at, "en es")
        for language in LANGUAGES if said is not None else ():
            text = said.get(language)
            if not isinstance(text, str) or not text.strip():
                self.no("text_missing", f"{at}/{language}")
            elif len(text) > most:
                self.no("text_too_long", f"{at}/{language}", most=most)

    def entries(self, value: object, at: str, most: int) -> Iterator[tuple[str, object]]:
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            self.no("list_missing", at, most=most)
            return
        for index, entry in enumerate(value):
            yield f"{at}/{index}", entry

    def code(self, value: object, at: str, seen: set[str]) -> None:
        if not isinstance(value, str) or not _CODE.fullmatch(value):
            self.no("code_unusable", at)
        elif value in seen:
            self.no("code_twice", at, name=value)
        else:
            seen.add(value)

    def one_of(self, value: object, at: str, known: tuple[str, ...]) -> bool:
        if isinstance(value, str) and value in known:
            return True
        self.no("value_unknown", at, value=str(value)[:40], known=", ".join(known))
        return False

    def number(self, value: object, at: str, most: int, least: int = 0) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.no("not_a_number", at, least=least, most=most)


def check_form(definition: object) -> list[Refusal]:
    """List everything that is wrong with a definition; `field` is the JSON pointer of each place."""
    found = _Findings()
    top = found.fields(definition, "", "layout title intro notes sections")
    if top is None:
        return found
    if top.get("layout") != LAYOUT:
        found.no("layout_unknown", "/layout", layout=LAYOUT)
    found.words(top.get("title"), "/title", most=120)
    found.words(top.get("intro"), "/intro", most=1_000, needed=False)
    if top.get("notes") is not None:
        for at, note in found.entries(top["notes"], "/notes", 20):
            found.words(note, at, most=500)
    sections: set[str] = set()
    codes: set[str] = set()
    asked: list[tuple[str, dict]] = []
    for at, given in found.entries(top.get("sections"), "/sections", MOST_SECTIONS):
        section = found.fields(given, at, "code title intro questions")
        if section is None:
            continue
        found.code(section.get("code"), f"{at}/code", sections)
        if section.get("code") in RESERVED:
            found.no("code_reserved", f"{at}/code", name=section["code"])
        found.words(section.get("title"), f"{at}/title", most=120)
        found.words(section.get("intro"), f"{at}/intro", most=1_000, needed=False)
        for place, entry in found.entries(section.get("questions"), f"{at}/questions", MOST_QUESTIONS):
            if (question := found.fields(entry, place, _QUESTION)) is not None:
                asked.append((place, question))
                _check_question(found, place, question, codes)
    _check_together(found, asked)
    return found


_QUESTION = "code label help kind group frequencies cap required dependants options most"


def _check_question(found: _Findings, at: str, question: dict, codes: set[str]) -> None:
    found.code(question.get("code"), f"{at}/code", codes)
    found.words(question.get("label"), f"{at}/label", most=120)
    found.words(question.get("help"), f"{at}/help", most=500, needed=False)
    kind, group = question.get("kind"), question.get("group", "none")
    if not found.one_of(kind, f"{at}/kind", KINDS) or not found.one_of(group, f"{at}/group", GROUPS):
        return
    for name in ("required", "dependants"):
        if not isinstance(question.get(name, False), bool):
            found.no("not_yes_or_no", f"{at}/{name}")
    if group != "none" and kind != "amount":
        found.no("group_only_for_amounts", f"{at}/group")
    flows = kind == "amount" and group in ("income", "essential", "other")
    if flows and "frequencies" not in question:
        found.no("frequencies_missing", f"{at}/frequencies")
    elif not flows and "frequencies" in question:
        found.no("frequencies_only_for_amounts", f"{at}/frequencies")
    elif flows:
        named: set[str] = set()
        for place, frequency in found.entries(question["frequencies"], f"{at}/frequencies", len(FREQUENCIES)):
            if found.one_of(frequency, place, FREQUENCIES):
                if frequency in named:
                    found.no("code_twice", place, name=frequency)
                named.add(frequency)
    _check_extras(found, at, question, kind, group)


def _check_extras(found: _Findings, at: str, question: dict, kind: str, group: str) -> None:
    if question.get("cap") is not None:
        if group not in ("essential", "other"):
            found.no("cap_only_for_outgoings", f"{at}/cap")
        cap = found.fields(question["cap"], f"{at}/cap", "cents per_dependant_cents note")
        if cap is not None:
            found.number(cap.get("cents"), f"{at}/cap/cents", MOST_CENTS)
            found.number(cap.get("per_dependant_cents", 0), f"{at}/cap/per_dependant_cents", MOST_CENTS)
            found.words(cap.get("note"), f"{at}/cap/note")
    if kind == "choice":
        options: set[str] = set()
        for place, entry in found.entries(question.get("options"), f"{at}/options", MOST_OPTIONS):
            if (option := found.fields(entry, place, "code label")) is not None:
                found.code(option.get("code"), f"{place}/code", options)
                found.words(option.get("label"), f"{place}/label", most=120)
    elif "options" in question:
        found.no("options_only_for_choices", f"{at}/options")
    if "most" in question:
        found.number(question["most"], f"{at}/most", MOST_NUMBER if kind == "number" else MOST_LETTERS, 1)


def _check_together(found: _Findings, asked: list[tuple[str, dict]]) -> None:
    counting = [(at, one) for at, one in asked if one.get("dependants") is True]
    for number, (at, one) in enumerate(counting):
        if number or one.get("kind") != "number":
            found.no("dependants_only_for_a_number", f"{at}/dependants")
    groups = {one.get("group") for _at, one in asked}
    if "income" not in groups:
        found.no("no_income", "/sections")
    if not groups & {"essential", "other"}:
        found.no("no_outgoings", "/sections")
    for at, one in asked:
        cap = one.get("cap")
        if isinstance(cap, dict) and cap.get("per_dependant_cents") and not counting:
            found.no("cap_without_dependants", f"{at}/cap/per_dependant_cents")


def read_form(definition: Mapping[str, Any]) -> Form:
    """Read a definition that `check_form` has nothing against."""
    return Form(
        title=definition["title"],
        intro=definition.get("intro") or {},
        notes=tuple(definition.get("notes") or ()),
        sections=tuple(
            Section(
                code=section["code"],
                title=section["title"],
                intro=section.get("intro") or {},
                questions=tuple(_question(question) for question in section["questions"]),
            )
            for section in definition["sections"]
        ),
    )


def _question(given: Mapping[str, Any]) -> Question:
    cap = given.get("cap")
    return Question(
        code=given["code"],
        label=given["label"],
        kind=given["kind"],
        group=given.get("group", "none"),
        frequencies=tuple(given.get("frequencies", ())),
        cap=Cap(cap["cents"], cap.get("per_dependant_cents", 0), cap["note"]) if cap else None,
        help=given.get("help") or {},
        required=given.get("required", False),
        dependants=given.get("dependants", False),
        options=tuple((option["code"], option["label"]) for option in given.get("options", ())),
        most=given.get("most", MOST_NUMBER if given["kind"] == "number" else MOST_LETTERS),
    )


# Answers --------------------------------------------------------------------------------------------------------

Answers = Mapping[str, Mapping[str, Any]]
"""By question: `{"cents", "frequency", "note"}` of an amount, `{"number"}`, `{"choice"}` or `{"text"}`."""

_ANSWERS = {
    "answer_missing": gettext_noop("Please answer “%(question)s”. Write 0 if there is nothing."),
    "amount_out_of_range": gettext_noop("“%(question)s” must be from $0.00 to %(most_cents)s."),
    "frequency_not_asked": gettext_noop("Choose how often for “%(question)s”."),
    "number_out_of_range": gettext_noop("“%(question)s” must be a whole number from 0 to %(most)s."),
    "choice_not_asked": gettext_noop("Choose one of the answers to “%(question)s”."),
    "text_out_of_range": gettext_noop("“%(question)s” may have %(most)s characters."),
}


def check_answers(form: Form, answers: Answers, *, language: str = "en", only: str = "") -> list[Refusal]:
    """List everything that is wrong or missing, of the whole form or of one section; `field` is the question's code."""
    found: list[Refusal] = []
    sections = [section for section in form.sections if not only or section.code == only]
    for question in (one for section in sections for one in section.questions):
        name = say(question.label, language)

        def no(code: str, question: Question = question, name: str = name, **params: object) -> None:
            found.append(refuse(_ANSWERS[code], code, field=question.code, question=name, **params))

        answer = answers.get(question.code)
        if answer is None:
            if question.required:
                no("answer_missing")
            continue
        _CHECKS[question.kind](question, answer, no)
    return found


def _whole(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _check_amount(question: Question, answer: Mapping[str, Any], no: Callable[..., None]) -> None:
    if not _whole(answer.get("cents"), MOST_CENTS):
        no("amount_out_of_range", most_cents=MOST_CENTS)
    if question.frequencies and answer.get("frequency") not in question.frequencies:
        no("frequency_not_asked")
    if len(str(answer.get("note") or "")) > MOST_LETTERS:
        no("text_out_of_range", most=MOST_LETTERS)


def _check_number(question: Question, answer: Mapping[str, Any], no: Callable[..., None]) -> None:
    if not _whole(answer.get("number"), question.most):
        no("number_out_of_range", most=question.most)


def _check_choice(question: Question, answer: Mapping[str, Any], no: Callable[..., None]) -> None:
    if answer.get("choice") not in {code for code, _label in question.options}:
        no("choice_not_asked")


def _check_text(question: Question, answer: Mapping[str, Any], no: Callable[..., None]) -> None:
    if not isinstance(answer.get("text"), str) or len(answer["text"]) > question.most:
        no("text_out_of_range", most=question.most)


_CHECKS = {"amount": _check_amount, "number": _check_number, "choice": _check_choice, "text": _check_text}
