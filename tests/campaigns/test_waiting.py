"""The message worker looks once, in one statement, whether there is anything to do: most looks find nothing."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Consumer
from accounts.tenancy import acting_for
from campaigns.models import Message
from campaigns.services import waiting
from campaigns.services.waiting import Waiting
from payments.models import Notice, Postdate
from tests.campaigns.conftest import make_payment, make_plan, run

pytestmark = pytest.mark.django_db
PLAN = [["2026-12-01", 125_00], ["2027-01-15", 125_00]]
DAY = dt.timedelta(days=1)
NOTHING = Waiting(messages=False, news=False, events=False, notices=False)


def test_an_empty_house_has_nothing_to_do_and_is_asked_once(acting, account, provider, now, django_assert_num_queries):
    run(now)
    with django_assert_num_queries(1):
        assert waiting.look(now=now) == NOTHING


def test_each_kind_of_work_is_seen_until_it_is_done(pay, provider, mails, now):
    pay()
    assert waiting.look(now=now) == NOTHING._replace(events=True)
    run(now)
    later = Message.objects.order_by("-next_at").first()
    assert waiting.look(now=now).messages is False
    Message.objects.filter(pk=later.pk).update(status="queued", next_at=now)
    assert waiting.look(now=now).messages is True
    assert waiting.look(now=now - dt.timedelta(seconds=1)).messages is False


def test_a_notice_is_work_in_the_hours_of_its_day_where_the_consumer_lives_or_once_it_is_too_late(
    acting, account, agreed, provider, now
):
    make_plan(make_payment(account, now=now, lines=PLAN, told=False), now=now)
    Consumer.objects.update(time_zone="Pacific/Honolulu")
    notice = Notice.objects.get()

    def work(day: dt.date, hour: int, minute: int = 0) -> bool:
        there = dt.datetime.combine(day, dt.time(hour, minute), ZoneInfo("Pacific/Honolulu"))
        return waiting.look(now=there.astimezone(dt.UTC)).notices

    first, last = notice.target_on, notice.latest_on
    moments = [(first - DAY, 20, 59), (first, 7, 59), (first, 8), (first, 20, 59), (first, 21), (last, 8)]
    assert [work(*one) for one in moments] == [False, False, True, True, False, True]
    Postdate.objects.update(status="held")  # nothing is announced meanwhile, but a letter may be owed
    assert [work(*one) for one in ((first, 8), (last, 20, 59), (last + DAY, 0))] == [False, False, True]
    Postdate.objects.update(status="scheduled")
    Notice.objects.update(proof={"message": "m-1"})
    assert [work(*one) for one in ((first, 8), (last + DAY, 0))] == [False, False]


def test_other_agencies_work_is_seen_too(acting, others_account, others_provider, now):
    with acting_for(others_account.agency):
        make_payment(others_account, now=now)
    assert waiting.look(now=now) == NOTHING._replace(events=True)
