"""The agency's own row and its staff, as its administrator keeps them; roles belong to the site (a port)."""

from collections.abc import Callable, Collection, Mapping
from zoneinfo import available_timezones

from django.db import transaction

from accounts import branding
from accounts.models import Agency, User
from accounts.refusals import Refusal

FACE = {"brand": branding.TEXT_CONTRAST, "accent": branding.SHAPE_CONTRAST}

invite: Callable[..., User | list[Refusal]] | None = None
"""Port: make a member of staff with `agency`, `username`, `password` and `role`. Empty: nobody can be invited."""
give_role: Callable[..., list[Refusal]] | None = None
"""Port: give `user` one `role` in place of those they have. Empty: roles stay."""
roles: Callable[[], Collection[str]] = tuple
"""Port: the names of the roles."""


@transaction.atomic
def change_agency(*, agency: Agency, values: Mapping[str, object]) -> list[Refusal]:
    """Change what consumers see of an agency; colours that they could not read are refused (A11Y-12)."""
    found = []
    for name, needed in FACE.items():
        try:
            branding.check(str(values[name]), needed=needed)
        except branding.Unreadable as error:
            found.append(Refusal("colour_unreadable", str(error), name))
    if values["time_zone"] not in available_timezones():
        found.append(Refusal("time_zone_unknown", "There is no such time zone.", "time_zone"))
    if found:
        return found
    changed = [name for name, value in values.items() if getattr(agency, name) != value]
    for name in changed:
        setattr(agency, name, values[name])
    agency.save(update_fields=changed)
    if {"brand", "accent"} & set(changed):
        agency.renew_face()
    return []


def set_active(*, user: User, is_active: bool) -> None:
    """Let a member of staff in, or keep them out; their sessions end with it."""
    user.is_active = is_active
    user.save(update_fields=["is_active"])
