"""The sentence beside forms about a debt that are no promise to pay it (SOL-05). No framework here."""

from accounts.refusals import gettext_noop

SENTENCE = gettext_noop("Filling in this form is not a promise to pay and does not admit that you owe this debt.")
VERSION = "no promise 2026-11"


def shown_in(language: str) -> str:
    """Name what was shown, to be kept with what was filled in: the version of the sentence and its language."""
    return f"{VERSION} {language[:2]}"
