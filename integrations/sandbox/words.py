"""Rename the fields of a record by a table of paths: what makes one host's words another's."""


def renamed(part: dict, names: dict[str, str]) -> dict:
    """Move what stands at each path on the left to the path on the right; `/` steps into an object."""
    said: dict = {}
    for there, here in names.items():
        value = part
        for step in there.split("/"):
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            continue
        *way, last = here.split("/")
        place = said
        for step in way:
            place = place.setdefault(step, {})
        place[last] = value
    return said


def turned(names: dict[str, str]) -> dict[str, str]:
    """Read a table the other way round."""
    return {here: there for there, here in names.items()}


def without_bank(value):
    """Leave out every bank block: of what came over the wire nothing is kept that could be a number."""
    if isinstance(value, dict):
        return {name: without_bank(part) for name, part in value.items() if name != "Bank"}
    return [without_bank(part) for part in value] if isinstance(value, list) else value
