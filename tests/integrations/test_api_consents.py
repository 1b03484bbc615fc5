"""Consents by key: written down with wording, version, way and time; revoked at once; saved as of any moment."""

import csv
import datetime as dt
import io
import json

import pytest
import time_machine

from accounts.models import Consent, ContactPoint, Event
from accounts.services import consent, ledger
from accounts.tenancy import acting_for
from campaigns.services import gate
from campaigns.services.gate import Asked
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, codes, counts, refusal

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def caller(account, others_account) -> Caller:
    return Caller(account.agency)


@pytest.fixture
def point(account) -> ContactPoint:
    with acting_for(account.agency):
        ContactPoint.objects.update(route="", evidence={})
        return account.consumer.contact_points.get()


GRANT = {
    "kind": "email",
    "granted": True,
    "wording": "May we write to you about this account?",
    "version": "script-7",
    "source": "telephone",
    "said_at": "2026-12-01T14:00:00Z",
}


def at(account) -> str:
    return f"consumers/{account.consumer_id}/consents"


def test_a_grant_keeps_wording_version_way_and_time_and_makes_the_route_valid_rf_13(caller, account, point):
    answer = caller.post(at(account), GRANT | {"contact_point": str(point.pk)})
    assert answer.status_code == 201, answer.content
    said = answer.json()
    assert (said["new"], said["source"], said["version"]) == (True, "host:telephone", "script-7")
    assert (said["wording"], said["at"], said["demonstrated"]) == (GRANT["wording"], "2026-12-01T14:00:00Z", False)
    with acting_for(account.agency):
        point.refresh_from_db()
        assert (point.route, point.evidence["consent_on"]) == ("consumer", "2026-12-01")
        assert Event.objects.get(kind="consent.granted").data["source"] == "host:telephone"
    assert [one["id"] for one in caller.get(at(account)).json()["items"]] == [said["id"]]


def test_what_a_host_wrote_down_is_no_consent_to_a_debt_st_05(caller, account, point):
    caller.post(at(account), GRANT | {"contact_point": str(point.pk)})
    with acting_for(account.agency):
        point.refresh_from_db()
        asked = Asked(channel="email", purpose="notice", consumer=account.consumer, account=account, point=point)
        ((facts, _said),) = gate.judge([asked], now=NOW)
    assert (facts.consented, facts.consented_debt) == (True, False)


def test_a_revocation_holds_at_once_and_again_changes_nothing_rf_07(caller, account, point):
    stop = {"kind": "email", "granted": False, "wording": "Write me no more.", "source": "letter"}
    first = caller.post(at(account), stop | {"contact_point": str(point.pk), "version": "letter-1"}).json()
    assert (first["new"], first["granted"], first["version"]) == (True, False, "letter-1")
    again = caller.post(at(account), stop | {"contact_point": str(point.pk)}).json()
    assert (again["new"], again["id"]) == (False, first["id"])
    with acting_for(account.agency):
        point.refresh_from_db()
        assert point.opted_out_at == NOW
    reopened = caller.post(at(account), GRANT | {"contact_point": str(point.pk), "said_at": "2026-12-01T15:00:00Z"})
    assert (refusal(reopened), codes(reopened)) == ((422, "refused"), [("/granted", "opted_out_stands")])
    assert reopened.json()["errors"][0]["rule"] == "RF-07"


def test_a_medium_is_stopped_where_there_is_no_address_yet_and_documents_go_back_to_paper(caller, account, point):
    assert caller.post(at(account), {"kind": "text", "granted": False, "wording": "Never text me."}).json()["new"]
    with acting_for(account.agency):
        assert consent.medium_stopped(account.consumer_id, "text")
        Consent.objects.create(
            consumer=account.consumer, contact_point=point, kind="esign", granted=True, wording="x",
            version=consent.ESIGN_VERSION, source="page", demonstrated=True, at=NOW - HOUR,
        )  # fmt: skip
        assert consent.esign_live(account.consumer) is not None
    assert caller.post(at(account), {"kind": "esign", "granted": False, "source": "letter"}).json()["new"] is True
    with acting_for(account.agency):
        assert consent.esign_live(account.consumer) is None


REFUSED = [
    ("only the consumer agrees to documents", {"kind": "esign"}, ("/kind", "demonstrated_only")),
    ("no address", {"contact_point": None}, ("/contact_point", "contact_point_needed")),
    ("no wording", {"wording": None}, ("/wording", "wording_needed")),
    ("no version", {"version": None}, ("/version", "version_needed")),
    ("not yet", {"said_at": "2026-12-01T15:00:01Z"}, ("/said_at", "in_the_future")),
    ("another medium's address", {"kind": "text"}, ("/contact_point", "contact_point_unknown")),
]


@pytest.mark.parametrize(("more", "error"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_grant_that_proves_nothing_is_refused_and_not_written(caller, account, point, more, error):
    before = counts()
    said = GRANT | {"contact_point": str(point.pk)} | more
    answer = caller.post(at(account), {name: value for name, value in said.items() if value is not None})
    assert error in codes(answer)
    assert counts()["accounts.Consent"] == before["accounts.Consent"]


def test_the_ledger_grows_forward_only_and_anothers_address_is_not_there(caller, account, point, others_account):
    caller.post(at(account), GRANT | {"contact_point": str(point.pk)})
    earlier = GRANT | {"contact_point": str(point.pk), "said_at": "2026-12-01T13:00:00Z"}
    assert codes(caller.post(at(account), earlier)) == [("/said_at", "before_the_last_line")]
    with acting_for(others_account.agency):
        theirs = str(ContactPoint.objects.first().pk)
    assert codes(caller.post(at(account), GRANT | {"contact_point": theirs})) == [
        ("/contact_point", "contact_point_unknown")
    ]
    assert refusal(Caller(others_account.agency).post(at(account), GRANT)) == (404, "not_found")


def test_an_address_that_nobody_confirmed_is_not_made_good_by_a_host_auth_09(caller, account, point):
    with acting_for(account.agency):
        ContactPoint.objects.update(source=ContactPoint.TYPED, route="")
    answer = caller.post(at(account), GRANT | {"contact_point": str(point.pk)})
    assert codes(answer) == [("/contact_point", "unconfirmed")]


def rows(caller, query: str) -> list[dict]:
    answer = caller.get(f"consents/export?{query}")
    assert answer.status_code == 200, answer.content
    return [json.loads(line) for line in answer.content.splitlines()]


def test_the_ledger_is_saved_as_of_a_moment_and_says_what_held_then(caller, account, point, others_account):
    with acting_for(others_account.agency):
        consent.opt_out(
            contact_point=ContactPoint.objects.first(), scope="medium", source="page", now=NOW - HOUR, words="BIRCH"
        )
    caller.post(at(account), GRANT | {"contact_point": str(point.pk)})
    stop = {"kind": "email", "granted": False, "wording": "=Stop(1)", "source": "email"}
    caller.post(at(account), stop)
    assert rows(caller, "as_of=2026-12-01T13:59:59Z") == []
    (then,) = rows(caller, "as_of=2026-12-01T14:59:59Z")
    assert (then["granted"], then["holds"], then["version"]) == (True, True, "script-7")
    assert tuple(then) == ledger.EXPORTED
    assert [(one["granted"], one["holds"]) for one in rows(caller, "")] == [(True, False), (False, True)]
    assert rows(caller, "kind=text") == rows(caller, f"consumer={others_account.consumer_id}") == []
    table = caller.get("consents/export?format=csv")
    assert table["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(table.content.decode())))
    assert [line["wording"] for line in lines] == [GRANT["wording"], "'=Stop(1)"]
    assert lines[0]["address"] == point.masked
    assert refusal(caller.get("consents/export?as_of=yesterday")) == (400, "invalid_parameter")


def test_a_ledger_longer_than_a_chunk_is_saved_whole(caller, account, point, monkeypatch):
    monkeypatch.setattr(ledger, "CHUNK", 3)
    with acting_for(account.agency):
        for number in range(10):
            Consent.objects.create(
                consumer=account.consumer, kind="text", granted=number % 2 == 0, wording=str(number), version="1",
                source="page", at=NOW - HOUR,
            )  # fmt: skip
    found = rows(caller, "")
    assert [one["wording"] for one in found] == [str(number) for number in range(10)]
    assert [one["holds"] for one in found] == [False] * 9 + [True]
