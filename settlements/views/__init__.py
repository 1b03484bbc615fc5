"""Consumer pages of budgets and hardship pauses, all for level 2; what they share is the language and refusals."""

from collections.abc import Mapping, Sequence

from django.utils.translation import get_language, gettext

from accounts.refusals import Refusal


def language() -> str:
    """Give the page's language as forms as data name it."""
    return (get_language() or "en")[:2]


def spoken(refusal: Refusal) -> str:
    """Say a refusal in the language of the page."""
    return refusal.say(gettext, language())


def problems(refusals: Sequence[Refusal], targets: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """Write refusals for the error summary: the sentence, the stable code, and the id or address of what to mend."""
    where = targets or {}
    return [{"message": spoken(one), "code": one.code, "target": where.get(one.field or "", "")} for one in refusals]
