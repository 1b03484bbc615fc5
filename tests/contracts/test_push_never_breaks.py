"""Whatever a host pushes, with a right key: an answer of the document, never a 500."""

import functools
import itertools
import time

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from accounts.tenancy import acting_for
from integrations.api.hosts import RECORD
from integrations.models import HostConnection
from integrations.services.receive import make_inbound_key
from portal.wsgi import application

PUSH = "/api/v1/hosts/{connection_id}/accounts"
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
SECONDS = 4.0  # each, after the first cases; a longer hunt is a command: schemathesis run docs/openapi.yaml
FIRST_CASES = 15
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
HUNT = settings(
    max_examples=60,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a failure is told as found: shrinking would not be bounded
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _keep_the_connection():
    """Leave the test's transaction open between requests, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def push(agency):
    """Give a function that sends one generated case with the connection's own key and checks the answer."""
    with acting_for(agency):
        connection = HostConnection.objects.get()
        key = make_inbound_key(connection)
    began, sent = time.monotonic(), itertools.count()

    def push(case) -> int | None:
        if next(sent) >= FIRST_CASES and time.monotonic() - began > SECONDS:
            return None
        case.path_parameters = {"connection_id": str(connection.pk)}
        headers = {"Host": "localhost", "Authorization": f"Bearer {key}"}
        return case.call_and_validate(headers=headers, checks=CHECKS).status_code

    return push


@pytest.fixture
def operation(db):
    return _operation()


@functools.cache
def _operation():
    """Ask the portal for its document: writing it takes longer than many a test here."""
    document = schemathesis.openapi.from_wsgi("/api/v1/schema/", application, headers={"Host": "localhost"})
    return document[PUSH]["POST"]


def test_no_generated_push_breaks_the_portal(operation, push):
    answers = set()

    @HUNT
    @seed(1)
    @given(case=operation.as_strategy())
    def hunt(case):
        answers.add(push(case))

    hunt()
    assert answers <= {200, 400, 413, None}
    assert 200 in answers


def test_no_record_with_one_strange_field_breaks_the_portal(operation, push):
    answers = set()

    @HUNT
    @seed(1)
    @given(field=st.sampled_from(sorted(RECORD)), value=ANYTHING)
    def hunt(field, value):
        answers.add(push(operation.Case(body=RECORD | {field: value}, media_type="application/json")))

    hunt()
    assert answers <= {200, None}


@pytest.mark.parametrize(
    "field",
    ["Address", "Phones", "Emails", "Settlement", "Itemization", "PaymentOptions", "Payments", "PostDates"],
)
def test_no_strange_part_of_a_record_breaks_the_portal(operation, push, field):
    for value in ([{}], [[]], [None], {"": None}, {"Amount": {}, "Number": 7, "Address": []}, [{"Date": "x"}], 10**400):
        assert push(operation.Case(body=RECORD | {field: value}, media_type="application/json")) == 200
