"""Somebody with an API key, in tests: by Django's client or over real HTTP, and what the database holds meanwhile."""

import json
import uuid

from django.apps import apps
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from accounts.tenancy import ALL_AGENCIES, Row, acting_for
from integrations import keys
from integrations.models import ApiKey
from tests.conftest import NOW
from tests.contracts.documented import differences

FLOORS = ("accounts", "settlements", "payments", "integrations", "campaigns")


class Caller:
    """Hold a key and show it; each write has an Idempotency-Key of its own unless the test gives one."""

    def __init__(self, agency, *scopes: str, by: str = "staff:somebody", **values) -> None:
        self.agency = agency
        with acting_for(agency):
            self.key, self.text = keys.make(name="IVR", scopes=scopes or tuple(keys.SCOPES), by=by, now=NOW, **values)
        self.client = Client(raise_request_exception=False)

    def headers(self, **more) -> dict[str, str]:
        said = {"Host": "localhost", "Authorization": f"Bearer {self.text}", "Idempotency-Key": str(uuid.uuid4())}
        return {name: value for name, value in (said | more).items() if value is not None}

    def ask(self, method: str, path: str, body=None, *, kind: str = "application/json", **headers):
        """Send a body as it is when it is bytes, else as JSON."""
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        address = f"/api/v1/{path}"
        answer = self.client.generic(method, address, sent, content_type=kind, headers=self.headers(**more))
        if answer.streaming:
            content = b"".join(answer.streaming_content)
            answer = HttpResponse(content, status=answer.status_code, headers=dict(answer.headers))
        if answer.status_code != 500:  # some tests break the house on purpose
            found = differences(method, address, answer)
            assert found == [], found
        return answer

    def get(self, path: str, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path: str, body=None, **headers):
        return self.ask("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body=None, **headers):
        return self.ask("PUT", path, body, **headers)

    @property
    def row(self) -> ApiKey:
        with acting_for(self.agency):
            return ApiKey.objects.get(pk=self.key.pk)


def codes(answer) -> list[tuple[str, str]]:
    """Give the errors of a problem as (pointer or parameter, code)."""
    errors = answer.json().get("errors", [])
    return [(error.get("pointer", error.get("parameter")), error["code"]) for error in errors]


def refusal(answer) -> tuple[int, str]:
    """Check that an answer is a problem and give its status and code."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.content
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["type"] == f"urn:quittance:problem:{said['code']}"
    assert said["detail"]
    return answer.status_code, said["code"]


def contents() -> dict[str, str]:
    """Give a digest of every tenant table, so that nothing written is nothing changed either."""
    # A key in use notes when; nothing else of it moves.
    row = "to_jsonb(t) - 'last_used_at'"
    return _of_every_table(f"concat(count(*), ' ', md5(string_agg(({row})::text, '' ORDER BY id)))")


def tenant_tables() -> list[type[Row]]:
    return [model for model in apps.get_models() if issubclass(model, Row) and model._meta.app_label in FLOORS]


def counts() -> dict[str, int]:
    """Count the rows of every tenant table there is."""
    return _of_every_table("count(*)")


def _of_every_table(said: str) -> dict:
    """Ask the same of every tenant table, in one statement: walks over the whole API ask hundreds of times."""
    asked = [f"SELECT '{model._meta.label}', {said} FROM {model._meta.db_table} t" for model in tenant_tables()]
    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked))
        return dict(cursor.fetchall())
