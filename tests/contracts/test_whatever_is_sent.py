"""Whatever is sent to any operation of the API: no bug, no answer the document does not know, nobody else's row.

schemathesis makes the requests from the document, fitting and not, half of them about things that are there. Two in
each operation at every run; 50 with `make fuzz`, as many as you like with `make fuzz EXAMPLES=500`, and of some
addresses only with `make fuzz ONLY='templates|consents'`.
"""

import json
import logging
import os
import re
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core.signals import got_request_exception
from django.db import models, transaction
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core import NOT_SET

from accounts.models import Account, Client, Consumer
from accounts.tenancy import acting_for
from integrations.models import HostConnection
from tests.contracts.documented import DOCUMENT
from tests.integrations.api_caller import Caller, tenant_tables
from tests.integrations.test_api_isolation import furnish

FEW = 2
COUNT = int(os.environ.get("EXAMPLES") or "50")
ONLY = re.compile(os.environ.get("ONLY") or "")
PARTS = 6
"""Tests that share the operations among them, so that two workers have the same to do."""
INSIDE = {"connection": "connection_id", "client": "client_id", "method": "method_id", "post_date": "postdate_id"}
INSIDE |= {"payment": "postdate_id", "account": "account_id", "copy_of": "form_id"}
"""Ids in bodies and what they are ids of."""


def operations() -> list:
    """Give every operation of a key of the agency; pushes and files of hosts have keys and tests of their own."""
    schema = schemathesis.openapi.from_path(str(DOCUMENT))
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    found = [one.ok() for one in schema.get_all_operations()]
    of_keys = [one for one in found if "/hosts/" not in one.path or one.path.endswith("/redeliveries")]
    return [one for one in of_keys if ONLY.search(one.path)]


class World:
    """Two agencies with one of everything; one of them asks."""

    def __init__(self, account, others_account) -> None:
        self.mine, self.theirs = furnish(account), furnish(others_account)
        self.caller = Caller(account.agency)
        self.foreign = foreign(account.agency, others_account.agency)
        self.asked, self.seen, self.wrong, self.broke = 0, Counter(), [], ""

    def note(self, **_about) -> None:
        """Keep where the house broke."""
        self.broke = "".join(traceback.format_exc().splitlines(keepends=True)[-12:])

    def ask(self, operation, case) -> None:
        self.asked += 1
        whose = [self.mine, self.mine, self.theirs, None][self.asked % 4]
        path, query = self._address(operation, case, whose)
        body, kind = self._body(case, whose), case.media_type or "application/json"
        headers = {} if self.asked % 5 else {"Idempotency_Key": None}
        try:
            with another_world():
                answer = self.caller.ask(case.method.upper(), path + query, body, kind=kind, **headers)
        except Exception as error:
            self.wrong.append(f"{operation.label} {query} {body!s:.300}: {error!r:.400}")
            return
        self.seen[answer.status_code] += 1
        text = answer.content.decode("utf-8", "replace")
        if answer.status_code >= 500:
            self.wrong.append(f"{operation.label} {path}{query} {body!s:.300}: {answer.status_code}\n{self.broke}")
        if leaked := set(self.foreign.findall(text)) - set(self.foreign.findall(f"{path}{query}{body!s}")):
            self.wrong.append(f"{operation.label} {path}{query}: shows {leaked}")
        if whose is self.theirs and case.path_parameters and answer.status_code < 400:
            self.wrong.append(f"{operation.label} {path}{query}: {answer.status_code} for another agency's thing")

    def _address(self, operation, case, whose) -> tuple[str, str]:
        path = operation.path.removeprefix("/api/v1/")
        for name, value in (case.path_parameters or {}).items():
            path = path.replace(f"{{{name}}}", quote(str(whose[name] if whose else value), safe=""))
        given = {} if case.query in (None, NOT_SET) else dict(case.query)
        pairs = [(key, value) for key, value in given.items() if value is not None]
        return path, "?" + urlencode(pairs, doseq=True, errors="replace") if pairs else ""

    def _body(self, case, whose):
        body = case.body
        if body is NOT_SET:
            return None
        if isinstance(body, dict) and whose and self.asked % 2:
            body = body | {key: str(whose[INSIDE[key]]) for key in body.keys() & INSIDE.keys()}
        if isinstance(body, bytes):
            return body
        try:
            return json.dumps(body).encode()
        except (TypeError, ValueError):
            return str(body).encode("utf-8", "replace")


@contextmanager
def another_world() -> Iterator[None]:
    """Undo whatever is done inside: what one request has ended, the next finds running."""
    world = transaction.atomic()
    world._from_testcase = True  # writes that commit in several steps go on as if none were around them
    with world:
        yield
        transaction.set_rollback(True)


def foreign(agency, other) -> re.Pattern:
    """Find every id and every name of the other agency that this one has not."""
    mine, theirs = told_of(agency), told_of(other)
    assert "birch" in " ".join(theirs - mine).lower()
    return re.compile("|".join(re.escape(text) for text in sorted(theirs - mine, key=len, reverse=True)))


def told_of(agency) -> set[str]:
    """Give the ids, references and names of an agency's rows."""
    found = set()
    with acting_for(agency):
        for model in tenant_tables():
            texts = [field.name for field in model._meta.fields if type(field) in (models.CharField, models.TextField)]
            for pk, *values in model.objects.values_list("pk", *texts):
                found |= {str(pk), *(value for value in values if value and len(value) >= 6)}
    return found


def run(world: World, count: int, part: slice = slice(None)) -> None:
    got_request_exception.connect(world.note)
    logging.disable(logging.CRITICAL)
    try:
        for operation in operations()[part]:
            _ask(world, operation, count)
    finally:
        logging.disable(logging.NOTSET)
        got_request_exception.disconnect(world.note)


def _ask(world: World, operation, count: int) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case) -> None:
        world.ask(operation, case)

    ask()


def judge(world: World, count: int, part: slice = slice(None)) -> None:
    assert not world.wrong, "\n".join(world.wrong[:40])
    assert world.asked >= len(operations()[part]) * min(count, 2)
    assert world.seen[200] + world.seen[201] >= world.asked // 20, f"too little is taken: {world.seen}"


@pytest.fixture
def world(account, others_account, monkeypatch) -> World:
    monkeypatch.setattr(django_settings, "API_RATE", 10**9)
    monkeypatch.setattr(django_settings, "HOST_TIMEOUT", 0.5)
    apart(others_account)
    return World(account, others_account)


def apart(account) -> None:
    """Give the other agency's people and things names that nobody else has."""
    with acting_for(account.agency):
        Account.objects.update(reference="BIRCH-7731", reference_key="BIRCH-7731", description="Birch bark canoe")
        Consumer.objects.update(first_name="Birchilda", last_name="Birchwood", last_name_key="BIRCHWOOD")
        Client.objects.update(number="BIRCH-C1", name="Birchbank Hospital")
        HostConnection.objects.update(name="Birch host")


@pytest.mark.django_db
def test_a_few_of_whatever_can_be_sent_break_nothing_and_show_nothing(world):
    run(world, FEW)
    judge(world, FEW)


@pytest.mark.fuzz
@pytest.mark.django_db
@pytest.mark.parametrize("number", range(PARTS))
def test_many_of_whatever_can_be_sent_break_nothing_and_show_nothing(world, number):
    part = slice(number, None, PARTS)
    run(world, COUNT, part)
    judge(world, COUNT, part)
