"""RF-04: the consumer says when not to write, the gate keeps those hours free, and the host hears of it."""

import datetime as dt

import pytest

from accounts.models import Event, QuietTime
from accounts.services import quiet
from accounts.tenancy import acting_for
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor(account, others_account) -> Visitor:
    return Visitor(account.agency).sign_in(account, level=2)


def live(account) -> list[tuple[int, str, str]]:
    with acting_for(account.agency):
        rows = QuietTime.objects.filter(ended_at=None).order_by("weekday")
        return [(row.weekday, f"{row.starts:%H:%M}", f"{row.ends:%H:%M}") for row in rows]


def test_hours_are_kept_free_and_given_back(visitor, account, others_account):
    said = {"action": "add", "weekday": "0", "starts": "12:00", "ends": "14:00"}
    for _time in range(2):
        assert visitor.post("/preferences/", said).status_code == 302
    assert live(account) == [(0, "12:00", "14:00")]
    page = visitor.get("/preferences/").content.decode()
    assert "Monday" in page
    assert "12 pm to 2 pm" in " ".join(page.split())
    with acting_for(account.agency):
        row = QuietTime.objects.get()
        told = [event.data["inconvenient_time"] for event in Event.objects.filter(kind="consumer.contact_changed")]
    assert told == [{"weekday": 0, "starts": "12:00", "ends": "14:00", "ended": False, "source": "page"}]
    stranger = Visitor(others_account.agency).sign_in(others_account, level=2)
    stranger.post("/preferences/", {"action": "remove", "time": str(row.pk)})
    assert live(account) == [(0, "12:00", "14:00")]
    visitor.post("/preferences/", {"action": "remove", "time": str(row.pk)})
    assert live(account) == live(others_account) == []


def test_every_day_is_seven_days(visitor, account):
    visitor.post("/preferences/", {"action": "add", "weekday": "all", "starts": "08:00", "ends": "09:00"})
    assert live(account) == [(day, "08:00", "09:00") for day in range(7)]


def test_hours_that_end_before_they_begin_are_refused(visitor, account):
    said = {"action": "add", "weekday": "0", "starts": "14:00", "ends": "12:00"}
    answer = visitor.post("/preferences/", said)
    assert (answer.status_code, live(account)) == (422, [])
    assert 'data-code="ends_too_early"' in answer.content.decode()


def test_there_is_an_end_to_it(account, acting, now, others_account):
    def every_day(hour: int) -> None:
        hours = {"starts": dt.time(hour), "ends": dt.time(21)}
        quiet.add(consumer=account.consumer, weekdays=range(7), source="page", now=now, **hours)

    for hour in range(8, 15):
        every_day(hour)
    with pytest.raises(quiet.TooMany):
        every_day(15)
    assert QuietTime.objects.count() == 49
