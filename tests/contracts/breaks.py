"""Compare two OpenAPI documents and name what a caller of the older one would notice.

A caller breaks when something it may send is refused or something it reads is gone: so requests may only widen and
answers may only gain. References are followed; a schema is read once on each path, so recursion ends.
"""

from collections.abc import Iterator

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def breaking_changes(old: dict, new: dict) -> list[str]:
    """Return one sentence for each change that breaks a caller of the old document, none when nothing does."""
    return list(_operations(old, new))


def _operations(old: dict, new: dict) -> Iterator[str]:
    for path, item in old.get("paths", {}).items():
        for method in METHODS:
            if (before := item.get(method)) is None:
                continue
            at = f"{method.upper()} {path}"
            after = new.get("paths", {}).get(path, {}).get(method)
            if after is None:
                yield f"{at} is gone"
                continue
            yield from _parameters(before, after, old, new, at)
            yield from _request(before, after, old, new, at)
            yield from _answers(before, after, old, new, at)


def _parameters(before: dict, after: dict, old: dict, new: dict, at: str) -> Iterator[str]:
    known = {(given["in"], given["name"]): given for given in before.get("parameters", [])}
    wanted = {(given["in"], given["name"]): given for given in after.get("parameters", [])}
    for key, given in wanted.items():
        if given.get("required") and not known.get(key, {}).get("required"):
            yield f"{at}: parameter {key[1]} became required"
        if key in known:
            what = f"{at}: parameter {key[1]}"
            yield from _request_narrows(known[key].get("schema", {}), given.get("schema", {}), old, new, what, ())


def _request(before: dict, after: dict, old: dict, new: dict, at: str) -> Iterator[str]:
    taken, takes = before.get("requestBody", {}), after.get("requestBody", {})
    if takes.get("required") and not taken.get("required"):
        yield f"{at}: the body became required"
    for kind, content in taken.get("content", {}).items():
        if kind not in takes.get("content", {}):
            yield f"{at}: {kind} is not taken any more"
            continue
        narrower = takes["content"][kind].get("schema", {})
        yield from _request_narrows(content.get("schema", {}), narrower, old, new, f"{at}: the body", ())


def _answers(before: dict, after: dict, old: dict, new: dict, at: str) -> Iterator[str]:
    for status, answer in before.get("responses", {}).items():
        if (later := after.get("responses", {}).get(status)) is None:
            yield f"{at}: answer {status} is gone"
            continue
        for kind, content in answer.get("content", {}).items():
            if kind not in later.get("content", {}):
                yield f"{at}: answer {status} is no {kind} any more"
                continue
            less = later["content"][kind].get("schema", {})
            yield from _answer_widens(content.get("schema", {}), less, old, new, f"{at}: answer {status}", ())


def _request_narrows(before: dict, after: dict, old: dict, new: dict, at: str, seen: tuple) -> Iterator[str]:
    before, after, seen, again = _both(before, after, old, new, seen)
    if again:
        return
    yield from _values(before, after, at, must_keep="before")
    properties = after.get("properties", {})
    for name in set(after.get("required", [])) - set(before.get("required", [])):
        yield f"{at}: {name} became required"
    closed = after.get("additionalProperties") is False
    for name, inner in before.get("properties", {}).items():
        if name in properties:
            yield from _request_narrows(inner, properties[name], old, new, f"{at}/{name}", seen)
        else:
            # An open object still takes it, and silently ignores what the caller meant.
            yield f"{at}: {name} is gone{' and refused' if closed else ''}"
    if "items" in before and "items" in after:
        yield from _request_narrows(before["items"], after["items"], old, new, f"{at}[]", seen)
    yield from _alternatives(before, after, old, new, at, seen, _request_narrows, every="before")


def _answer_widens(before: dict, after: dict, old: dict, new: dict, at: str, seen: tuple) -> Iterator[str]:
    before, after, seen, again = _both(before, after, old, new, seen)
    if again:
        return
    yield from _values(before, after, at, must_keep="after")
    properties = after.get("properties", {})
    for name, inner in before.get("properties", {}).items():
        if name not in properties:
            yield f"{at}: {name} is gone"
            continue
        if name in before.get("required", []) and name not in after.get("required", []):
            yield f"{at}: {name} is not always there any more"
        yield from _answer_widens(inner, properties[name], old, new, f"{at}/{name}", seen)
    if "items" in before and "items" in after:
        yield from _answer_widens(before["items"], after["items"], old, new, f"{at}[]", seen)
    yield from _alternatives(before, after, old, new, at, seen, _answer_widens, every="after")


def _alternatives(before, after, old, new, at, seen, compare, *, every: str) -> Iterator[str]:
    """Each alternative of one side must be covered by some alternative of the other."""
    firsts, seconds = _choices(before), _choices(after)
    if not firsts and not seconds:
        return
    firsts, seconds = firsts or [before], seconds or [after]
    for number, mine in enumerate(firsts if every == "before" else seconds):
        pairs = [(mine, other) if every == "before" else (other, mine) for other in _other(every, firsts, seconds)]
        if not any(not list(compare(one, two, old, new, at, seen)) for one, two in pairs):
            yield f"{at}: alternative {number + 1} has no match any more"


def _other(every: str, firsts: list, seconds: list) -> list:
    return seconds if every == "before" else firsts


def _choices(schema: dict) -> list[dict]:
    return schema.get("oneOf") or schema.get("anyOf") or []


def _values(before: dict, after: dict, at: str, *, must_keep: str) -> Iterator[str]:
    """Say when types or enums lose what this side of the talk relied on.

    :param must_keep: `before`: all that was allowed stays allowed (requests); `after`: nothing new may come (answers).
    """
    for name, read in (("type", _types), ("enum", _enum)):
        was, is_ = read(before), read(after)
        one, two = (was, is_) if must_keep == "before" else (is_, was)
        if two is not None and (one is None or not one <= two):
            yield f"{at}: {name} went from {_words(was)} to {_words(is_)}"
    if before.get("format") != after.get("format") and (after.get("format") or must_keep == "after"):
        yield f"{at}: format went from {before.get('format')} to {after.get('format')}"


def _types(schema: dict) -> set | None:
    """Return the set of types, None for any; an integer is a number."""
    if (said := schema.get("type")) is None:
        return None
    types = {said} if isinstance(said, str) else set(said)
    return types | {"integer"} if "number" in types else types


def _enum(schema: dict) -> set | None:
    return {repr(value) for value in schema["enum"]} if "enum" in schema else None


def _words(values: set | None) -> str:
    return "anything" if values is None else " or ".join(sorted(values)) or "nothing"


def _both(before: dict, after: dict, old: dict, new: dict, seen: tuple) -> tuple[dict, dict, tuple, bool]:
    pair = (before.get("$ref"), after.get("$ref"))
    again = pair != (None, None) and pair in seen
    return _follow(before, old), _follow(after, new), (*seen, pair), again


def _follow(schema: dict, document: dict) -> dict:
    while reference := schema.get("$ref"):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    # One member of allOf is how a reference gets a description beside it.
    if len(schema.get("allOf", [])) == 1:
        return _follow(schema["allOf"][0], document)
    return schema
