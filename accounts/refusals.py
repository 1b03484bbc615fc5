"""Refusals are data: all of them at once, each a stable code and a sentence."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import date, datetime

from accounts.calendars import format_date, format_time
from accounts.money import format_cents


def gettext_noop(message: str) -> str:
    """Mark a sentence for the message catalogue without a framework."""
    return message


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Say why something is refused: a stable code, an English sentence, the field to mend, the numbers.

    `params` keeps raw values: names ending in `_cents` are amounts, dates are dates, moments times of day,
    tuples choices; `template` is the sentence before they were filled in, the key of the message catalogue.
    """

    code: str
    sentence: str
    field: str | None = None
    params: Mapping[str, object] = dataclasses.field(default_factory=dict, hash=False)
    template: str = ""
    currency: str = "USD"

    def say(self, translate: Callable[[str], str], language: str) -> str:
        """Give the sentence in another language; `translate` is gettext bound to that language."""
        if not self.template:
            return translate(self.sentence)
        spoken = _spoken(self.params, language, self.currency, translate)
        return translate(self.template) % spoken


def refuse(template: str, code: str, *, field: str | None = None, currency: str = "USD", **params: object) -> Refusal:
    """Make a refusal whose English sentence is the template filled with the params."""
    sentence = template % _spoken(params, "en", currency, lambda text: text)
    return Refusal(code, sentence, field, params, template, currency)


def _spoken(
    params: Mapping[str, object], language: str, currency: str, translate: Callable[[str], str]
) -> dict[str, object]:
    def say(name: str, value: object) -> object:
        if isinstance(value, datetime):
            return format_time(value, language)
        if isinstance(value, date):
            return format_date(value, language)
        if name.endswith("_cents") and isinstance(value, int):
            return format_cents(value, currency, language)
        if isinstance(value, tuple):
            return _choices([translate(str(choice)) for choice in value], language)
        return value

    return {name: say(name, value) for name, value in params.items()}


def _choices(choices: list[str], language: str) -> str:
    """Join choices with "or": English takes a comma before it from three on, Spanish never does."""
    if len(choices) < 2:
        return "".join(choices)
    if language.startswith("es"):
        # "o" becomes "u" before an o sound; no choice of ours begins with one.
        return f"{', '.join(choices[:-1])} o {choices[-1]}"
    return f"{', '.join(choices[:-1])}{',' if len(choices) > 2 else ''} or {choices[-1]}"
