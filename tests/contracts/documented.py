"""Hold answers against the committed document: every status is named there, every body is of its schema."""

import functools
import re
from pathlib import Path

import jsonschema_rs
import yaml

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
UNWRITTEN = {405}
"""Of every address; the document names the methods there are."""


def read(text: str) -> dict:
    """Read a document of a million signs, by libyaml's parser: Python's own takes five times as long."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


@functools.cache
def document() -> dict:
    return read(DOCUMENT.read_text())


@functools.cache
def _paths() -> list[tuple[re.Pattern, dict]]:
    # Named addresses before those with an id in them.
    paths = sorted(document()["paths"].items(), key=lambda pair: pair[0].count("{"))
    return [(re.compile(re.sub(r"{\w+}", "[0-9a-f-]{36}", path)), item) for path, item in paths]


@functools.cache
def _validator(place: tuple[str, ...]) -> jsonschema_rs.Draft202012Validator:
    schema = document()
    for step in place:
        schema = schema[step]
    return jsonschema_rs.Draft202012Validator({**schema, "components": {"schemas": _needed(schema)}})


def _needed(schema: dict) -> dict:
    """Give the named schemas that a schema leads to: with all of them, each validator takes some 25 milliseconds."""
    needed, left = {}, [schema]
    while left:
        part = left.pop()
        left += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        if isinstance(part, dict) and isinstance(part.get("$ref"), str):
            name = part["$ref"].removeprefix("#/components/schemas/")
            if name not in needed:
                needed[name] = document()["components"]["schemas"][name]
                left.append(needed[name])
    return needed


def _at(error: jsonschema_rs.ValidationError) -> str:
    return "".join(f"/{step}" for step in error.instance_path)


def wrong_examples() -> list[str]:
    """Name the examples of the public API's own schemas that do not fit them."""
    found = []
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            told = [("requestBody",), *(("responses", status) for status in operation["responses"])]
            for place in told:
                part = functools.reduce(lambda at, step: at.get(step, {}), place, operation)
                for kind, content in part.get("content", {}).items():
                    schema = _validator(("paths", path, method, *place, "content", kind, "schema"))
                    for name, example in content.get("examples", {}).items():
                        errors = [
                            f"{_at(error)} {error.message[:200]}" for error in schema.iter_errors(example["value"])
                        ]
                        found += [f"{method} {path} {name}: {error}" for error in errors]
    return found


def differences(method: str, address: str, answer) -> list[str]:
    """Say what of an answer the document does not say; of an address that is none it says nothing."""
    found = next((item for path, item in _paths() if path.fullmatch(address.split("?")[0])), None)
    if found is None or answer.status_code in UNWRITTEN:
        return []
    operation = found.get(method.lower(), {})
    said = operation.get("responses", {}).get(str(answer.status_code))
    at = f"{method} {address}: {answer.status_code}"
    if said is None:
        return [f"{at} is not in the document"]
    if "content" not in said:
        return [f"{at} has a body"] if answer.content else []
    kind = answer.headers["Content-Type"].split(";")[0]
    if kind not in said["content"]:
        return [f"{at}: {kind} is not in the document"]
    if not kind.endswith("json") or kind.endswith("ndjson"):
        return []
    path = next(path for path, item in document()["paths"].items() if item is found)
    place = ("paths", path, method.lower(), "responses", str(answer.status_code), "content", kind, "schema")
    errors = _validator(place).iter_errors(answer.json())
    return [f"{at}: {_at(error)} {error.message[:200]}" for error in errors]
