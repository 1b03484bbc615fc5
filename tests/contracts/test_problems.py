"""Every refusal of the API is problem+json with a stable code, whoever refuses."""

import gzip
import json

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.views import APIView

from accounts.tenancy import acting_for
from integrations.models import HostConnection
from integrations.services.receive import make_inbound_key
from portal.problems import Problem, handler
from portal.views import broken, not_found

NOBODY = "00000000-0000-7000-8000-000000000000"


def codes(answer) -> tuple[int, str]:
    """Check the form of a refusal and return its status and code."""
    assert answer["Content-Type"] == "application/problem+json"
    body = json.loads(answer.content)
    assert body["type"] == f"urn:quittance:problem:{body['code']}"
    assert body["status"] == answer.status_code
    assert body["title"]
    assert body["detail"]
    return answer.status_code, body["code"]


@pytest.fixture
def push(agency):
    """Give a function that pushes a body with the connection's own key, or with what the test says instead."""
    with acting_for(agency):
        connection = HostConnection.objects.get()
        key = make_inbound_key(connection)

    def push(body: bytes = b"{}", *, to: str = str(connection.pk), method: str = "post", **headers):
        client = Client(HTTP_HOST="localhost", raise_request_exception=False)
        headers = {"HTTP_AUTHORIZATION": f"Bearer {key}", "content_type": "application/json"} | headers
        return client.generic(method.upper(), f"/api/v1/hosts/{to}/accounts", body, **headers)

    return push


def test_a_wrong_key_is_401_and_says_how_to_show_one(push):
    answer = push(HTTP_AUTHORIZATION="Bearer wrong")
    assert codes(answer) == (401, "invalid_credentials")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_push_is_answered_in_json_whatever_else_is_asked_for(push):
    answer = push(b"[]", HTTP_ACCEPT="text/html")
    assert (answer.status_code, answer.headers["Content-Type"], answer.json()["received"]) == (
        200,
        "application/json",
        0,
    )


def test_no_key_at_all_is_the_same(push):
    assert codes(push(HTTP_AUTHORIZATION="")) == (401, "invalid_credentials")


def test_another_agencys_connection_does_not_take_our_key(push, other_agency):
    with acting_for(other_agency):
        theirs = HostConnection.objects.get()
        make_inbound_key(theirs)
    assert codes(push(to=str(theirs.pk))) == (401, "invalid_credentials")


def test_an_unknown_connection_is_404(push):
    assert codes(push(to=NOBODY)) == (404, "not_found")


def test_an_address_that_is_no_route_is_404_in_the_same_form(push):
    assert codes(push(to="no-uuid")) == (404, "not_found")
    assert codes(Client(HTTP_HOST="localhost").get("/api/v1/nothing")) == (404, "not_found")


def test_an_address_outside_of_the_allow_list_is_403(push, agency):
    with acting_for(agency):
        HostConnection.objects.update(ip_allow=["203.0.113.0/24"])
    assert codes(push()) == (403, "address_not_allowed")


@pytest.mark.parametrize("body", [b"", b"{", b"7", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_not_accounts_is_400(push, body):
    assert codes(push(body)) == (400, "malformed_json")


def test_what_says_gzip_and_is_not_is_400(push):
    assert codes(push(b"{}", HTTP_CONTENT_ENCODING="gzip")) == (400, "malformed_json")
    assert codes(push(gzip.compress(b"{}")[:-4], HTTP_CONTENT_ENCODING="gzip")) == (400, "malformed_json")
    assert codes(push(b"{}", HTTP_CONTENT_ENCODING="br")) == (400, "malformed_json")


def test_too_much_is_413_packed_unpacked_and_by_number(push, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE, settings.PUSH_LIMIT = 1_000, 2
    assert codes(push(b" " * 1_001)) == (413, "too_large")
    assert codes(push(gzip.compress(b" " * 100_000), HTTP_CONTENT_ENCODING="gzip")) == (413, "too_large")
    assert codes(push(b"[{},{},{}]")) == (413, "too_large")


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_another_method_is_405(push, method):
    answer = push(method=method)
    assert codes(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == "POST, OPTIONS"


def test_a_bug_is_a_500_that_tells_nothing(push, monkeypatch):
    def bug(*_args, **_kwargs):
        raise RuntimeError("inside of the house")

    monkeypatch.setattr("integrations.services.receive.receive", bug)
    answer = push()
    assert codes(answer) == (500, "internal_error")
    assert b"inside" not in answer.content


class Line(serializers.Serializer):
    cents = serializers.IntegerField()


class Form(serializers.Serializer):
    name = serializers.CharField(max_length=3)
    lines = Line(many=True)


REFUSALS = {
    "problem": lambda: Problem(409, "already_paid", "It was paid.", errors=[{"pointer": "/x", "code": "y"}]),
    "http404": lambda: Http404("secret"),
    "denied": lambda: PermissionDenied("secret"),
    "throttled": lambda: exceptions.Throttled(wait=12.3),
    "unsupported": lambda: exceptions.UnsupportedMediaType("text/csv"),
}


class Refusing(APIView):
    """Refuse in the way its address names."""

    authentication_classes: list = []
    permission_classes: list = []

    def get(self, request, how: str):
        raise REFUSALS[how]()

    def post(self, request, how: str):
        Form(data=request.data).is_valid(raise_exception=True)


urlpatterns = [path("api/v1/refuse/<str:how>", Refusing.as_view())]
handler404, handler500 = not_found, broken


@pytest.mark.urls("tests.contracts.test_problems")
@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("problem", 409, "already_paid"),
        ("http404", 404, "not_found"),
        ("denied", 403, "forbidden"),
        ("throttled", 429, "throttled"),
        ("unsupported", 415, "unsupported_media_type"),
    ],
)
def test_every_kind_of_refusal_has_its_code(client, db, how, status, code):
    answer = client.get(f"/api/v1/refuse/{how}", HTTP_HOST="localhost")
    assert codes(answer) == (status, code)
    assert b"secret" not in answer.content
    assert answer.get("Retry-After") == ("13" if how == "throttled" else None)


@pytest.mark.urls("tests.contracts.test_problems")
def test_wrong_fields_are_named_by_json_pointer_all_at_once(client, db):
    sent = {"name": "long name", "lines": [{"cents": 1}, {"cents": "x"}, {}]}
    answer = client.post("/api/v1/refuse/x", sent, content_type="application/json", HTTP_HOST="localhost")
    assert codes(answer) == (422, "invalid")
    assert {(error["pointer"], error["code"]) for error in answer.json()["errors"]} == {
        ("/name", "max_length"),
        ("/lines/1/cents", "invalid"),
        ("/lines/2/cents", "required"),
    }


def test_a_bug_is_not_dressed_as_a_refusal():
    assert handler(RuntimeError("bug"), {}) is None
