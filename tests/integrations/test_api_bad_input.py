"""Whatever is sent wrong has its exact status, code and place, and leaves every table as it was."""

import http.client
import json
import uuid
from urllib.parse import urlsplit

import pytest
import time_machine

from accounts.models import Client
from accounts.tenancy import acting_for
from integrations import keys
from settlements.models import IndividualOffer, Quote, RuleSet
from tests.conftest import NOW, make_account, make_agency
from tests.integrations.api_bad_input import TABLE, Row, filled
from tests.integrations.api_caller import Caller, codes, contents, refusal

LONG_AGO = NOW.replace(year=2025)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


class Cast:
    """Two agencies with one of everything, and keys of every kind."""

    def __init__(self) -> None:
        self.account = make_account(make_agency("acme"), sol_status="live")
        others = make_account(make_agency("birch"), sol_status="live")
        agency = self.account.agency
        self.callers = {
            "all": Caller(agency),
            "reader": Caller(agency, "accounts:read", "quotes:read", "offers:read", "rules:read"),
            "writer": Caller(agency, "offers:write"),
            "expired": Caller(agency, expires_at=LONG_AGO),
            "far": Caller(agency, ip_allow=["203.0.113.0/24"]),
            "revoked": Caller(agency),
            "odd": Caller(agency),
        }
        with acting_for(agency):
            keys.revoke(key=self.callers["revoked"].key, by="staff:1", now=NOW)
            odd = self.callers["odd"].key
            odd.scopes = ["everything", "quotes", "*"]
            odd.save()
            made_at = {"made_at": NOW}
            self.things = {
                "account": self.account,
                "published": RuleSet.objects.create(
                    client=None, version=1, status="published", published_at=NOW, effective_at=NOW, withdrawn_at=NOW
                ),
                "draft": RuleSet.objects.create(client=None, version=2),
                "open": self.quoted(expires_at=NOW.replace(year=2027)),
                "expired": self.quoted(expires_at=NOW),
                "changed": self.quoted(expires_at=NOW.replace(year=2027), world="another"),
            }
        with acting_for(others.agency):
            self.things |= {
                "their_account": others,
                "their_client": Client.objects.get(),
                "their_draft": RuleSet.objects.create(client=None, version=1),
                "their_offer": IndividualOffer.objects.create(
                    account=others, origin="staff", percent_bps=80_00, **made_at
                ),
                "their_quote": self.quoted(others, expires_at=NOW.replace(year=2027)),
            }
        self.things = {name: str(row.pk) for name, row in self.things.items()}
        used = self.callers["all"].post(
            f"accounts/{self.account.pk}/quotes", {"choice": "amount", "amount_cents": 1}, Idempotency_Key="used"
        )
        assert used.status_code == 201, used.content

    def quoted(self, account=None, **values) -> Quote:
        said = {
            "account": account or self.account,
            "choice": "full",
            "frequency": "once",
            "lines": [["2026-12-01", 1_000_00]],
            "total_cents": 1_000_00,
            "terms": {
                "balance_cents": 1_000_00,
                "amount_cents": 1_000_00,
                "saving_cents": 0,
                "level": "account",
                "version": None,
                "kind": "full",
                "text": "",
                "trace": [],
            },
            "world": "0" * 64,
            "made_at": NOW,
            "made_by": "key:1",
        }
        return Quote.objects.create(**said | values)


def judge(row: Row, answer) -> list[str]:
    """Say how an answer differs from its row."""
    if answer.status_code < 400:
        return [f"{row.name} was taken: {answer.content[:300]!r}"]
    if (said := refusal(answer)) != (row.status, row.code):
        return [f"{row.name}: {said} instead of {(row.status, row.code)}: {answer.content[:300]!r}"]
    missing = set(row.errors) - set(codes(answer))
    return [f"{row.name}: {sorted(missing)} is not in {codes(answer)}"] if missing else []


def test_the_table_has_its_rows_and_each_has_a_name_of_its_own():
    assert len(TABLE) >= 60
    assert len({row.name for row in TABLE}) == len(TABLE)


@pytest.mark.django_db
def test_no_row_of_the_table_writes_or_changes_anything():
    cast = Cast()
    before, wrong = contents(), []
    for row in TABLE:
        body = row.body if isinstance(row.body, bytes | None) else filled(row.body, cast.things)
        answer = cast.callers[row.who].ask(
            row.method,
            filled(row.path, cast.things),
            body,
            kind=row.kind,
            **{name.replace("-", "_"): value for name, value in row.headers.items()},
        )
        wrong += judge(row, answer)
        if (after := contents()) != before:
            wrong.append(f"{row.name} wrote {[name for name in after if after[name] != before[name]]}")
            before = after
    assert wrong == []


class Heard:
    """An answer over the wire, in the words of Django's."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status_code, self.headers, self.content = response.status, response.headers, response.read()

    def json(self) -> dict:
        return json.loads(self.content)


@pytest.mark.django_db(transaction=True)
def test_over_real_http_the_whole_table_is_the_same(live_server):
    cast = Cast()
    before, wrong = contents(), []
    for row in TABLE:
        body = row.body if isinstance(row.body, bytes | None) else json.dumps(filled(row.body, cast.things)).encode()
        caller = cast.callers[row.who]
        said = {
            "Authorization": f"Bearer {caller.text}",
            "Content-Type": row.kind,
            "Idempotency-Key": str(uuid.uuid4()),
        }
        line = http.client.HTTPConnection(urlsplit(live_server.url).netloc, timeout=30)
        headers = {name: value for name, value in (said | row.headers).items() if value is not None}
        line.request(row.method, f"/api/v1/{filled(row.path, cast.things)}", body, headers)
        wrong += judge(row, Heard(line.getresponse()))
        line.close()
    assert wrong == []
    assert contents() == before
