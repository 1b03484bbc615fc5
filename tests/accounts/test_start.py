"""Who are you: three facts, one refusal for every cause, and a lock that is soft."""

import contextlib
import datetime as dt
import re
import threading
from unittest import mock

import pytest
import time_machine
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from accounts.crypto import blind_index, same
from accounts.models import Account, Agency, Event, IdentifyAttempt, Visit
from accounts.services import identify
from accounts.tenancy import ALL_AGENCIES, acting_for
from tests.conftest import NOW, make_account, make_agency
from tests.visitor import Visitor, without_tokens

DEBT_WORDS = ("debt", "owe", "balance", "creditor", "collect", "deuda", "saldo", "acreedor", "cobr")


@pytest.fixture
def visitor(account, others_account) -> Visitor:
    return Visitor(account.agency)


def body(answer, *typed: str) -> str:
    """Give the page without its tokens and without what was typed in."""
    return without_tokens(answer, *(f'value="{text}"' for text in typed))


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("page", ["/", "/help/", "/session-ended/", "/nothing-here/", "/brand.css"])
def test_before_identification_no_page_says_anything_about_a_debt(visitor, page, language):
    html = body(visitor.get(page, headers={"Accept-Language": language})).lower()
    assert [word for word in DEBT_WORDS if word in html] == []


def test_three_right_facts_begin_a_visit_of_level_one(visitor, account):
    answer = visitor.identify(account)
    assert (answer.status_code, answer["Location"]) == (302, "/home/")
    visit = visitor.visit()
    assert (visit.consumer_id, visit.account_id, visit.level) == (account.consumer_id, account.pk, 1)
    with acting_for(account.agency):
        kinds = list(Event.objects.order_by("account_seq").values_list("kind", "actor"))
    actor = f"consumer:{account.consumer_id}"
    assert kinds == [("consumer.identified", actor), ("session.started", actor)]


def test_case_accents_spaces_and_dashes_do_not_keep_anyone_out(visitor, account):
    assert visitor.identify(account, reference=" 100-234 ", last_name="dóe jr.", factor=" 1234").status_code == 302


def test_the_agency_chooses_the_third_fact(db):
    by_zip = make_agency("zippy", factor=Agency.Factor.ZIP)
    account = make_account(by_zip)
    visitor = Visitor(by_zip)
    page = visitor.get("/").content.decode()
    assert "ZIP code" in page
    assert "Social Security number" not in page.split("</form>")[0].split("id_factor")[-1]
    assert visitor.identify(account, factor="1234").status_code == 422
    assert visitor.identify(account, factor="99999").status_code == 422
    assert visitor.identify(account, factor="12207-0012").status_code == 302


def refusals(visitor: Visitor, account: Account, others: Account) -> dict:
    """Send one try for every cause of a refusal."""
    make_account(account.agency, reference="BLOCKED1", status=Account.Status.RECALLED)
    make_account(account.agency, reference="DEAD1", status=Account.Status.DECEASED)
    make_account(others.agency, reference="ELSEWHERE1")
    return {
        "unknown reference": {"reference": "999999"},
        "wrong name": {"last_name": "Roe"},
        "wrong number": {"factor": "9999"},
        "wrong name and number": {"last_name": "Roe", "factor": "9999"},
        "recalled": {"reference": "BLOCKED1"},
        "deceased": {"reference": "DEAD1"},
        "of another agency": {"reference": "ELSEWHERE1"},
    }


def test_every_refusal_costs_the_same_queries_and_the_same_comparisons(visitor, account, others_account):
    tries = refusals(visitor, account, others_account)
    visitor.get("/")
    seen = {}
    for cause, facts in tries.items():
        with (
            mock.patch.object(identify, "same", side_effect=same) as compared,
            CaptureQueriesContext(connection) as queries,
        ):
            answer = visitor.identify(account, **facts)
        typed = ({"reference": "100234", "last_name": "Doe", "factor": "1234"} | facts).values()
        sql = [
            re.split(r" WHERE | VALUES |_x[0-9]|hashtextextended\(", query["sql"])[0]
            for query in queries.captured_queries
        ]
        seen[cause] = (answer.status_code, compared.call_count, sql, body(answer, *typed))
    assert seen["unknown reference"][1] == 2 * identify.CANDIDATES
    first = seen["unknown reference"]
    assert first[0] == 422
    for cause, found in seen.items():
        assert (cause, *found) == (cause, *first)


def test_a_refusal_writes_an_attempt_and_an_event_without_the_facts(visitor, account):
    visitor.identify(account, factor="9999")
    with acting_for(account.agency):
        attempt, event = IdentifyAttempt.objects.get(), Event.objects.get()
        assert Visit.objects.count() == 0
    assert (attempt.ok, len(attempt.reference_hash)) == (False, 64)
    assert (event.kind, event.account_id, event.consumer_id) == ("consumer.identification_failed", None, None)
    assert event.data == {"v": 1, "ip": "127.0.0.1"}


def test_two_accounts_that_match_are_nobody(visitor, account):
    with acting_for(account.agency):
        Account.objects.create(
            client=account.client,
            consumer=account.consumer,
            reference=account.reference,
            reference_key=account.reference_key,
            status="open",
            balance_cents=5_00,
            as_of=NOW,
            body_hash="",
        )
    assert visitor.identify(account).status_code == 422


def fail(visitor: Visitor, account: Account, times: int, **facts) -> None:
    for _ in range(times):
        assert visitor.identify(account, **({"factor": "9999"} | facts)).status_code == 422


@pytest.mark.parametrize("reference", ["100234", "no-such-reference-1"])
def test_five_failures_lock_a_reference_for_a_quarter_of_an_hour_whether_it_exists_or_not(visitor, account, reference):
    with time_machine.travel(NOW, tick=False) as clock:
        fail(visitor, account, 5, reference=reference)
        locked = visitor.identify(account, reference=reference)
        assert locked.status_code == 429
        assert "15 minutes" in locked.content.decode()
        clock.shift(dt.timedelta(minutes=14, seconds=59))
        assert visitor.identify(account, reference=reference).status_code == 429
        clock.shift(dt.timedelta(seconds=1))
        assert visitor.identify(account, reference=reference).status_code == (302 if reference == "100234" else 422)


def again(account: Account, *, ip: str = "10.0.0.1", factor: str = "1234") -> Account | None:
    """Send the three facts from some address."""
    return identify.identify(
        agency=account.agency, reference="100234", last_name="Doe", factor_value=factor, ip=ip, now=NOW
    )


def failed(account: Account, times: int) -> None:
    """Have failed so often just now, from other addresses."""
    hashed = blind_index("100234", agency_id=account.agency_id, field="attempt")
    for number in range(times):
        IdentifyAttempt.objects.create(reference_hash=hashed, ip=f"10.0.1.{number}", ok=False, at=NOW)


def test_auth_03_a_sixth_failure_does_not_open_the_lock_of_the_fifth(account, others_account):
    with acting_for(account.agency):
        failed(account, 6)
        with pytest.raises(identify.LockedOut) as locked:
            again(account)
        assert locked.value.until == NOW + dt.timedelta(minutes=15)
        assert IdentifyAttempt.objects.count() == 6
    with acting_for(others_account.agency):
        assert again(others_account) == others_account


@pytest.mark.django_db(transaction=True)
def test_auth_03_of_two_tries_at_once_the_second_finds_the_lock_of_the_first(monkeypatch):
    account = make_account(make_agency("acme"))
    both, match, found = threading.Barrier(2), identify._match, []

    def matched(*facts):
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=1.0)  # for the other one, who comes only where nothing keeps it
        return match(*facts)

    def fail_from(ip: str) -> None:
        try:
            with acting_for(account.agency_id):
                found.append(again(account, ip=ip, factor="9999"))
        except identify.LockedOut:
            found.append("locked")
        finally:
            connections.close_all()

    monkeypatch.setattr(identify, "_match", matched)
    with acting_for(account.agency_id):
        failed(account, 4)
        tries = [threading.Thread(target=fail_from, args=(f"10.0.2.{number}",)) for number in (1, 2)]
        for one in tries:
            one.start()
        for one in tries:
            one.join()
        assert sorted(map(str, found)) == ["None", "locked"]
        assert IdentifyAttempt.objects.filter(ok=False).count() == 5


def test_the_lock_doubles_with_every_five_failures_up_to_a_day(visitor, account):
    locked_for = []
    with time_machine.travel(NOW, tick=False) as clock:
        for _ in range(8):
            fail(visitor, account, 5)
            with acting_for(account.agency), pytest.raises(identify.LockedOut) as locked:
                identify.identify(
                    agency=account.agency,
                    reference="100234",
                    last_name="Doe",
                    factor_value="1234",
                    ip="10.0.0.1",
                    now=NOW + (dt.datetime.now(dt.UTC) - NOW),
                )
            wait = locked.value.until - dt.datetime.now(dt.UTC)
            locked_for.append(wait)
            clock.shift(wait)
    minutes = [round(wait.total_seconds() / 60) for wait in locked_for]
    assert minutes == [15, 30, 60, 120, 240, 480, 960, 1440]


def test_a_right_answer_ends_the_count(visitor, account):
    fail(visitor, account, 4)
    assert visitor.identify(account).status_code == 302
    fail(Visitor(account.agency), account, 4)
    assert Visitor(account.agency).identify(account).status_code == 302


def test_the_lock_of_one_agency_does_not_reach_the_other(visitor, account, others_account):
    fail(visitor, account, 5)
    assert visitor.identify(account).status_code == 429
    assert Visitor(others_account.agency).identify(others_account).status_code == 302


def test_one_address_may_not_try_more_than_ten_references_an_hour(visitor, account):
    for number in range(10):
        fail(visitor, account, 1, reference=f"R{number}")
    assert visitor.identify(account).status_code == 429


def test_auth_03_the_addresses_of_one_ipv6_line_count_as_one(account):
    agency = account.agency
    for number in range(10):
        fail(Visitor(agency, REMOTE_ADDR=f"2001:db8:1:2::{number + 1:x}"), account, 1, reference=f"R{number}")
    assert Visitor(agency, REMOTE_ADDR="2001:db8:1:2:ffff::1").identify(account, reference="R10").status_code == 429
    assert Visitor(agency, REMOTE_ADDR="2001:db8:1:3::1").identify(account).status_code == 302
    with acting_for(agency):
        assert set(IdentifyAttempt.objects.values_list("ok", "ip")) == {
            (False, "2001:db8:1:2::"),
            (True, "2001:db8:1:3::"),
        }
        told = Event.objects.filter(kind="consumer.identification_failed").first()
    assert told.data["ip"].startswith("2001:db8:1:2::")
    assert told.data["ip"] != "2001:db8:1:2::"


def test_auth_03_tries_from_many_lines_slow_every_line_down_and_shut_nobody_out(account, others_account, monkeypatch):
    monkeypatch.setattr(identify, "FAILURES_PER_AGENCY_HOUR", 6)
    agency = account.agency
    with time_machine.travel(NOW, tick=False) as clock:
        slow = Visitor(agency, REMOTE_ADDR="198.51.100.1")
        for number in range(2):
            fail(slow, account, 1, reference=f"S{number}")
        for number in range(4):
            fail(Visitor(agency, REMOTE_ADDR=f"203.0.113.{number}"), account, 1, reference=f"R{number}")
        assert slow.identify(account).status_code == 429
        hasty = Visitor(agency, REMOTE_ADDR="198.51.100.2")
        fail(hasty, account, 4)
        assert hasty.identify(account).status_code == 302
        theirs = Visitor(others_account.agency, REMOTE_ADDR="198.51.100.1")
        for number in range(3):
            fail(theirs, others_account, 1, reference=f"S{number}")
        clock.shift(dt.timedelta(hours=1))
        assert slow.identify(account).status_code == 302


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_auth_03_tries_are_counted_by_line(address, line):
    assert identify.line_of(address) == line


def test_one_address_may_not_fail_more_than_twenty_times_an_hour(visitor, account):
    with time_machine.travel(NOW, tick=False) as clock:
        for number in range(5):
            fail(visitor, account, 4, reference=f"R{number}")
        assert visitor.identify(account).status_code == 429
        clock.shift(dt.timedelta(hours=1, seconds=1))
        assert visitor.identify(account).status_code == 302


def test_nothing_is_begun_without_the_form_of_our_own_page(account):
    stranger = Visitor(account.agency, enforce_csrf_checks=True)
    assert stranger.identify(account).status_code == 403
    with acting_for(ALL_AGENCIES):
        assert IdentifyAttempt.objects.count() == 0


def test_all_that_is_missing_is_said_at_once(visitor, account):
    page = visitor.post("/", {"reference": "", "last_name": "", "factor": "12"})
    assert page.status_code == 422
    assert {field: len(errors) for field, errors in page.context["form"].errors.items()} == {
        "reference": 1,
        "last_name": 1,
        "factor": 1,
    }
