"""The hosts' API is a promise: the committed document is what the code says, and a broken promise is named."""

import copy
import difflib
import inspect
import io
import re
from pathlib import Path

import pytest
from django.core.management import call_command

from integrations.services import check
from tests.contracts.breaks import breaking_changes
from tests.contracts.documented import read, wrong_examples

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
AGAIN = "python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml"
PUSH = "/api/v1/hosts/{connection_id}/accounts"


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> str:
    """Generate the document as a developer would; a warning or an invalid document fails here."""
    place = tmp_path_factory.mktemp("openapi") / "openapi.yaml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(place), stdout=io.StringIO())
    return place.read_text()


def test_openapi_document_is_the_committed_one(generated):
    committed = COMMITTED.read_text()
    if generated == committed:
        return
    broken = breaking_changes(read(committed), read(generated))
    changes = "".join(
        difflib.unified_diff(committed.splitlines(True), generated.splitlines(True), "committed", "generated", n=1)
    )
    told = "BREAKING: " + "; ".join(broken) if broken else "Not breaking"
    pytest.fail(f"{told}.\nIf it is meant: {AGAIN}\n{changes[:3000]}", pytrace=False)


def test_openapi_document_breaks_nobody_who_read_the_committed_one(generated):
    assert breaking_changes(read(COMMITTED.read_text()), read(generated)) == []


def test_openapi_document_is_of_version_3_1_and_names_every_refusal_as_a_problem(generated):
    document = read(generated)
    assert document["openapi"] == "3.1.0"
    answers = document["paths"][PUSH]["post"]["responses"]
    assert sorted(answers) == ["200", "400", "401", "403", "404", "411", "413"]
    assert {kind for status, answer in answers.items() if status != "200" for kind in answer["content"]} == {
        "application/problem+json"
    }


def test_openapi_document_names_every_code_of_a_connections_test(generated):
    said = read(generated)["components"]["schemas"]["TestedShown"]["properties"]["code"]["description"]
    codes = re.findall(r'"([a-z_]+)", (?:_\(|sentence)', inspect.getsource(check))
    assert sorted(codes) == sorted(["ok", "ok", "key_refused", "no_answer", "unexpected", "requirements_missing"])
    assert [code for code in codes if code not in said] == []


def test_openapi_examples_fit_their_schemas():
    assert wrong_examples() == []


def test_openapi_page_for_people_loads_only_our_own_files(client, db):
    page = client.get("/api/v1/docs/", HTTP_HOST="localhost")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert len(loaded) >= 4
    assert [address for address in loaded if not address.startswith("/")] == []
    assert b"<script>" not in page.content


SMALL = {
    "openapi": "3.1.0",
    "paths": {
        "/things": {
            "get": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/c/Thing"}}}}}},
            "post": {
                "parameters": [{"in": "query", "name": "dry", "schema": {"type": "boolean"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/c/Wish"}}}},
                "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/c/Thing"}}}}},
            },
        }
    },
    "c": {
        "Thing": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "state": {"type": "string", "enum": ["open", "closed"]},
                "parts": {"type": "array", "items": {"$ref": "#/c/Thing"}},
                "sum": {"type": "integer"},
            },
            "required": ["id", "state"],
        },
        "Wish": {
            "type": "object",
            "properties": {
                "name": {"type": ["string", "null"]},
                "colour": {"type": "string", "enum": ["red", "blue"]},
                "count": {"type": "number"},
                "how": {"oneOf": [{"type": "string"}, {"type": "object"}]},
            },
            "required": ["name"],
        },
    },
}
THING, WISH = SMALL["c"]["Thing"]["properties"], SMALL["c"]["Wish"]["properties"]


def changed(**at) -> dict:
    """Give the small document with other values at dotted places; None removes."""
    document = copy.deepcopy(SMALL)
    for place, value in at.items():
        *way, last = place.split("__")
        found = document
        for step in way:
            found = found[step.replace("things", "/things")] if isinstance(found, dict) else found[int(step)]
        if value is None:
            del found[last]
        else:
            found[last] = value
    return document


def test_openapi_comparison_finds_nothing_in_the_same_document():
    assert breaking_changes(SMALL, copy.deepcopy(SMALL)) == []


BREAKS = [
    ({"paths__things__get": None}, "GET /things is gone"),
    ({"c__Thing__properties__sum": None}, "GET /things: answer 200: sum is gone"),
    ({"c__Thing__required": ["state"]}, "GET /things: answer 200: id is not always there any more"),
    (
        {"c__Thing__properties__id": {"type": ["string", "null"]}},
        "GET /things: answer 200/id: type went from string to null or string",
    ),
    (
        {"c__Thing__properties__id": {}},
        "GET /things: answer 200/id: type went from string to anything",
    ),
    (
        {"c__Thing__properties__state": {"type": "string", "enum": ["open", "closed", "lost"]}},
        "GET /things: answer 200/state: enum went from 'closed' or 'open' to 'closed' or 'lost' or 'open'",
    ),
    ({"c__Wish__required": ["name", "count"]}, "POST /things: the body: count became required"),
    ({"c__Wish__properties__count": None}, "POST /things: the body: count is gone"),
    (
        {"c__Wish__properties__name": {"type": "string"}},
        "POST /things: the body/name: type went from null or string to string",
    ),
    (
        {"c__Wish__properties__count": {"type": "integer"}},
        "POST /things: the body/count: type went from integer or number to integer",
    ),
    (
        {"c__Wish__properties__colour": {"type": "string", "enum": ["red"]}},
        "POST /things: the body/colour: enum went from 'blue' or 'red' to 'red'",
    ),
    (
        {"c__Wish__properties__how": {"oneOf": [{"type": "string"}]}},
        "POST /things: the body/how: alternative 2 has no match any more",
    ),
    (
        {"c__Wish__properties__name": {"type": ["string", "null"], "format": "uuid"}},
        "POST /things: the body/name: format went from None to uuid",
    ),
    (
        {"paths__things__post__parameters": [{"in": "query", "name": "dry", "required": True}]},
        "POST /things: parameter dry became required",
    ),
    (
        {"paths__things__post__requestBody": {"content": {"text/csv": {}}}},
        "POST /things: application/json is not taken any more",
    ),
    ({"paths__things__post__responses": {"201": {}}}, "POST /things: answer 200 is gone"),
]


@pytest.mark.parametrize(("change", "sentence"), BREAKS, ids=[sentence for _change, sentence in BREAKS])
def test_openapi_comparison_names_what_breaks_a_caller(change, sentence):
    assert sentence in breaking_changes(SMALL, changed(**change))


HARMLESS = [
    {"c__Thing__properties__more": {"type": "string"}},
    {"c__Thing__properties__state": {"type": "string", "enum": ["open"]}},
    {"c__Thing__required": ["id", "state", "sum"]},
    {"c__Wish__properties__more": {"type": "string"}},
    {"c__Wish__required": []},
    {"c__Wish__properties__colour": {"type": "string", "enum": ["red", "blue", "green"]}},
    {"c__Wish__properties__colour": {"type": "string"}},
    {"c__Wish__properties__how": {"oneOf": [{"type": "object"}, {"type": "string"}, {"type": "array"}]}},
    {"paths__things__delete": {"responses": {"204": {}}}},
    {"paths__things__post__parameters": []},
]


@pytest.mark.parametrize("change", HARMLESS, ids=[next(iter(change)) + str(n) for n, change in enumerate(HARMLESS)])
def test_openapi_comparison_lets_the_api_grow(change):
    assert breaking_changes(SMALL, changed(**change)) == []


def test_openapi_comparison_sees_through_nested_lists_and_ends_on_recursion():
    grown = changed(c__Thing__properties__parts={"type": "array", "items": {"type": "string"}})
    assert "GET /things: answer 200/parts[]: type went from object to string" in breaking_changes(SMALL, grown)
