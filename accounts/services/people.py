"""Who stands behind what was done: where two people are needed, one with two names is still one (AUTH-15)."""

from collections.abc import Callable, Collection, Mapping

KEY = "key:"

makers: Callable[[Collection[str]], Mapping[str, str]] | None = None
"""Port: who made each of some API keys, `key:<id>` to `staff:<id>`; a key that nobody known made is left out."""


def is_another(by: str, *hands: str) -> bool:
    """Tell whether `by` is another person than everybody who had a hand in it; empty hands are nobody's.

    A key acts for the person who made it. One that nobody known made may be anybody's: it is never another person, and
    nobody is another person than it.
    """
    keys = {one for one in (by, *hands) if one.startswith(KEY)}
    made_by = makers(keys) if keys and makers else {}

    def person(actor: str) -> str:
        return made_by.get(actor, "") if actor in keys else actor

    mine, theirs = person(by), {person(one) for one in hands if one}
    return bool(mine) and not {"", mine} & theirs
