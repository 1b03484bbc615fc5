"""A visit begins once, ends once, and says how it ended."""

import datetime as dt
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection

from accounts.models import Event, Visit
from accounts.services import visits
from accounts.tenancy import ALL_AGENCIES, acting_for
from tests.conftest import NOW, make_account
from tests.visitor import Visitor

IDLE = dt.timedelta(seconds=15 * 60)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def visit(acting, account) -> Visit:
    return opened(account)


def opened(account, **values) -> Visit:
    return Visit.objects.create(
        **{"consumer_id": account.consumer_id, "account": account, "started_at": NOW, "seen_at": NOW} | values
    )


def browser_of(visit: Visit) -> SimpleNamespace:
    return SimpleNamespace(session={"visit": str(visit.pk)}, agency=visit.agency)


def told() -> list[tuple[str, str]]:
    """Return how visits ended, in order."""
    rows = Event.objects.filter(kind__in=["session.ended", "session.abandoned"]).order_by("account_seq")
    return [(row.kind, row.data["reason"]) for row in rows]


def test_a_visit_is_alive_until_the_idle_limit_and_not_a_second_longer(visit):
    assert visits.current(browser_of(visit), now=NOW + IDLE) == visit
    visit.refresh_from_db()
    assert visits.current(browser_of(visit), now=visit.seen_at + IDLE + SECOND) is None
    assert told() == [("session.ended", "idle")]


def test_every_page_starts_the_idle_time_again(visit):
    for minutes in (14, 28, 42, 56):
        assert visits.current(browser_of(visit), now=NOW + dt.timedelta(minutes=minutes)) == visit
    assert told() == []


def test_auth_08_a_visit_ends_after_eight_hours_however_busy_it_is(visit, other_agency, others_account):
    browser, hours = browser_of(visit), dt.timedelta(hours=8)
    with acting_for(other_agency):
        theirs = opened(others_account, started_at=NOW + SECOND, seen_at=NOW + hours)
    for minutes in range(10, 481, 10):
        assert visits.current(browser, now=NOW + dt.timedelta(minutes=minutes)) == visit
    assert visits.current(browser, now=NOW + hours + SECOND) is None
    visit.refresh_from_db()
    assert (visit.end_reason, visit.ended_at) == ("expired", NOW + hours + SECOND)
    assert told() == [("session.ended", "expired")]
    with acting_for(other_agency):
        assert visits.current(browser_of(theirs), now=NOW + hours + SECOND) == theirs


def test_auth_08_whoever_was_busy_for_eight_hours_is_led_to_the_log_in(agency, account):
    with time_machine.travel(NOW, tick=False) as clock:
        visitor = Visitor(agency).sign_in(account)
        clock.shift(dt.timedelta(minutes=10))
        visitor.step_up(account)
        with acting_for(agency):
            Visit.objects.update(seen_at=NOW + dt.timedelta(hours=8))
        clock.shift(dt.timedelta(hours=7, minutes=49))
        assert visitor.get("/home/").status_code == 200
        clock.shift(dt.timedelta(seconds=61))
        answer = visitor.get("/home/")
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_page_seen_shortly_after_another_starts_the_idle_time_again_too(visit):
    seen = NOW + dt.timedelta(seconds=25)
    assert visits.current(browser_of(visit), now=seen) == visit
    assert visits.current(browser_of(visit), now=seen + IDLE) == visit


@pytest.mark.django_db(transaction=True)
def test_only_that_somebody_is_there_is_written_without_waiting_for_the_disk(agency):
    with acting_for(agency):
        visit = opened(make_account(agency))
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = on")
            assert visits.current(browser_of(visit), now=NOW + SECOND * 2) == visit
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == ("on",)
            cursor.execute("RESET synchronous_commit")
        visit.refresh_from_db()
    assert visit.seen_at == NOW + SECOND * 2


def test_a_look_at_anothers_agency_writes_nothing(visit, other_agency):
    with acting_for(other_agency):
        assert visits.current(browser_of(visit), now=NOW + SECOND * 2) is None
    visit.refresh_from_db()
    assert visit.seen_at == NOW


@pytest.mark.parametrize("stored", ["", "not an id", "00000000-0000-7000-8000-000000000000"])
def test_a_cookie_that_points_at_nothing_is_nobody(acting, stored):
    assert visits.current(SimpleNamespace(session={"visit": stored}), now=NOW) is None


def test_another_agencys_visit_is_nobody_here(visit, other_agency):
    with acting_for(other_agency):
        assert visits.current(browser_of(visit), now=NOW) is None


def test_an_ended_visit_stays_ended(visit):
    visits.end(visit=visit, reason="signed_out", now=NOW)
    assert visits.current(browser_of(visit), now=NOW + SECOND) is None
    visits.end(visit=visit, reason="idle", now=NOW + IDLE)
    visit.refresh_from_db()
    assert (visit.end_reason, visit.ended_at) == ("signed_out", NOW)
    assert told() == [("session.ended", "signed_out")]


def test_a_payment_that_was_begun_and_not_made_is_told_as_abandoned_once(visit):
    Visit.objects.update(payment_started_at=NOW)
    for _ in range(2):
        visits.end_idle(now=NOW + IDLE + SECOND)
    assert told() == [("session.abandoned", "idle")]
    assert Event.objects.get(kind="session.abandoned").data["payment_started"] is True


def test_a_payment_that_was_made_is_not_abandoned(visit):
    Visit.objects.update(payment_started_at=NOW, payment_made_at=NOW + SECOND)
    visits.end_idle(now=NOW + IDLE + SECOND)
    assert told() == [("session.ended", "idle")]


def test_the_beat_ends_idle_visits_of_every_agency_and_leaves_the_others(account, others_account):
    with acting_for(account.agency_id):
        idle, live = opened(account), opened(account, seen_at=NOW + IDLE)
    with acting_for(others_account.agency_id):
        theirs = opened(others_account)
    with acting_for(ALL_AGENCIES):
        assert visits.end_idle(now=NOW + IDLE + SECOND) == 2
        ended = set(Visit.objects.filter(end_reason="idle").values_list("pk", flat=True))
        assert ended == {idle.pk, theirs.pk}
        assert Visit.objects.get(pk=live.pk).ended_at is None
        assert {event.agency_id for event in Event.objects.filter(kind="session.ended")} == {
            account.agency_id,
            others_account.agency_id,
        }


def test_the_beat_takes_a_bounded_number_the_longest_idle_first(acting, account):
    rows = [opened(account, seen_at=NOW - dt.timedelta(minutes=minutes)) for minutes in (1, 3, 2)]
    assert visits.end_idle(now=NOW + IDLE, limit=2) == 2
    assert visits.end_idle(now=NOW + IDLE, limit=2) == 1
    assert [Visit.objects.get(pk=row.pk).end_reason for row in rows] == ["idle"] * 3


def test_newly_linked_accounts_end_every_open_visit_of_the_consumer(visit, account, other_agency, others_account):
    second = opened(account)
    with acting_for(other_agency):
        theirs = opened(others_account)
    visits.end_all_of(consumer_id=account.consumer_id, reason="relinked", now=NOW)
    assert {row.end_reason for row in Visit.objects.all()} == {"relinked"}
    assert visits.current(browser_of(second), now=NOW) is None
    with acting_for(other_agency):
        assert Visit.objects.get(pk=theirs.pk).ended_at is None


def test_signing_in_again_in_the_same_browser_replaces_the_visit_and_the_session(agency, account):
    with time_machine.travel(NOW, tick=False):
        visitor = Visitor(agency).sign_in(account)
        first, cookie = visitor.visit(), visitor.cookies["session"].value
        visitor.sign_in(account)
        second = visitor.visit()
    assert visitor.cookies["session"].value != cookie
    assert first.pk != second.pk
    with acting_for(agency):
        first.refresh_from_db()
        assert (first.end_reason, second.ended_at) == ("replaced", None)
        assert told() == [("session.ended", "replaced")]


def test_a_right_code_raises_the_level_under_a_new_session_id(agency, account):
    visitor = Visitor(agency).sign_in(account)
    cookie = visitor.cookies["session"].value
    assert visitor.visit().level == Visit.Level.IDENTIFIED
    visitor.step_up(account)
    assert visitor.visit().level == Visit.Level.CONFIRMED
    assert visitor.cookies["session"].value != cookie
    with acting_for(agency):
        assert Event.objects.filter(kind__in=["consumer.stepped_up", "consumer.logged_in"]).count() == 2


def test_a_visit_says_where_it_came_from(agency, account):
    visitor = Visitor(agency, REMOTE_ADDR="198.51.100.7", HTTP_USER_AGENT="x" * 400).sign_in(account)
    visit = visitor.visit()
    assert (visit.ip, visit.user_agent, visit.language, visit.level) == ("198.51.100.7", "x" * 300, "en", 1)


def test_a_chosen_language_is_told_once_per_change(visit):
    for language in ("es", "es", "en"):
        visits.speak(visit=visit, language=language, now=NOW)
    rows = Event.objects.filter(kind="language.set").order_by("account_seq")
    assert [row.data["language"] for row in rows] == ["es", "en"]


def test_a_page_that_was_seen_is_told_with_its_name(visit, account):
    visits.seen_page(visit=visit, account=account, page="offer", now=NOW)
    row = Event.objects.get(kind="page.viewed")
    assert row.data == {"v": 1, "page": "offer", "visit": str(visit.pk)}
