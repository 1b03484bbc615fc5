"""Who did it: written as `staff:<id>` in rows, shown by name on pages."""

from collections.abc import Iterable

from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.models import User


def by(request: HttpRequest) -> str:
    """Name who acts, as rows keep it."""
    return f"staff:{request.user.pk}"


def names(actors: Iterable[str]) -> dict[str, str]:
    """Give the name of each actor in one query; whoever is not staff keeps the word before the colon."""
    actors = {actor for actor in actors if actor}
    ids = {actor.partition(":")[2] for actor in actors if actor.startswith("staff:")}
    known = dict(User.objects.filter(pk__in=[one for one in ids if one.isdigit()]).values_list("pk", "username"))
    return {actor: _named(actor, known) for actor in actors}


def _named(actor: str, known: dict[int, str]) -> str:
    kind, _colon, name = actor.partition(":")
    if kind != "staff":
        return {"host": _("the host"), "key": _("an API key"), "consumer": _("the consumer")}.get(kind, kind)
    return known.get(int(name), _("staff")) if name.isdigit() else name
