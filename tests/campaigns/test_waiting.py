"""The message worker looks once, in one statement, whether there is anything to do: most looks find nothing."""

import datetime as dt

import pytest

from accounts.tenancy import acting_for
from campaigns.models import Message
from campaigns.services import waiting
from campaigns.services.waiting import Waiting
from payments.models import Notice
from tests.campaigns.conftest import make_payment, make_plan, run

pytestmark = pytest.mark.django_db
PLAN = [["2026-12-01", 125_00], ["2027-01-15", 125_00]]
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


def test_a_notice_is_work_from_the_day_before_it_is_due_and_not_once_it_is_written(
    acting, account, agreed, provider, now
):
    make_plan(make_payment(account, now=now, lines=PLAN, told=False), now=now)
    notice = Notice.objects.get()
    early = dt.datetime.combine(notice.target_on - dt.timedelta(days=2), dt.time(23), dt.UTC)
    assert waiting.look(now=early).notices is False
    assert waiting.look(now=early + dt.timedelta(hours=1)).notices is True
    Notice.objects.update(proof={"message": "m-1"})
    assert waiting.look(now=early + dt.timedelta(hours=1)).notices is False


def test_other_agencies_work_is_seen_too(acting, others_account, others_provider, now):
    with acting_for(others_account.agency):
        make_payment(others_account, now=now)
    assert waiting.look(now=now) == NOTHING._replace(events=True)
