"""SMS-04: a stop by text reaches all texts of the agency to that number, and from 31 January 2027 everything."""

import datetime as dt

import pytest

from accounts.tenancy import acting_for
from campaigns.rules import revocation_scope
from campaigns.services import gate
from campaigns.services.gate import Asked
from tests.campaigns.carrier_program import MOBILE, write_in
from tests.campaigns.conftest import make_mobile
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
BEFORE, FROM = dt.datetime(2027, 1, 30, 13, tzinfo=dt.UTC), dt.datetime(2027, 1, 31, 16, tzinfo=dt.UTC)
OTHER = "+15185550188"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)


def denied(account, point, channel: str, now) -> set[tuple[str, str]]:
    asked = Asked(channel=channel, purpose="notice", consumer=account.consumer, account=account, point=point)
    ((_facts, said),) = gate.judge([asked], now=now)
    return {(one.code, one.rules[0]) for one in said.denials} & {
        ("revoked_all", "SMS-04"),
        ("medium_stopped", "RF-07"),
        ("opted_out", "RF-07"),
    }


@pytest.mark.parametrize(("now", "scope"), [(BEFORE, "tenant"), (FROM, "all")])
def test_sms_04_the_scope_is_that_of_the_day(now, scope):
    assert revocation_scope.at(now) == scope


def test_sms_04_the_day_begins_where_it_begins_first():
    assert revocation_scope.at(dt.datetime(2027, 1, 30, 13, 59, 59, tzinfo=dt.UTC)) == "tenant"
    assert revocation_scope.at(dt.datetime(2027, 1, 30, 14, tzinfo=dt.UTC)) == "all"


def test_sms_04_a_stop_reaches_calls_and_other_numbers_from_its_day_on(account, mobile, texting, others_account):
    second = make_mobile(account.consumer, number=OTHER)
    write_in(texting, "STOP", sender=MOBILE)
    mobile.refresh_from_db()
    stopped, revoked = ("opted_out", "RF-07"), ("revoked_all", "SMS-04")
    assert stopped in denied(account, mobile, "text", BEFORE)
    assert denied(account, second, "text", BEFORE) == denied(account, second, "call", BEFORE) == set()
    for channel in ("text", "call"):
        assert denied(account, second, channel, FROM) == {revoked}
        assert revoked in denied(account, mobile, channel, FROM)
    mail = account.consumer.contact_points.get(kind="email")
    assert denied(account, mail, "email", FROM) == set(), "it is about texts and calls"
    write_in(texting, "START", sender=MOBILE)
    assert denied(account, second, "call", FROM) == set()


def test_sms_04_another_agency_did_not_hear_it(account, mobile, texting, others_account):
    with acting_for(others_account.agency):
        theirs = make_mobile(others_account.consumer, number=MOBILE)
    write_in(texting, "STOP", sender=MOBILE)
    with acting_for(others_account.agency):
        assert denied(others_account, theirs, "text", FROM) == set()
