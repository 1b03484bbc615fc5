"""From the consumer's signature to the last payment: what the portal executes it takes itself, month by month."""

import datetime as dt

import pytest

from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments import tasks
from payments.models import Arrangement, Method, Notice, Payment, Postdate
from payments.rules.routing import METHODS, TIMINGS, Route, RouteKey
from payments.services import life, route
from tests.flows.test_pay_once import choose
from tests.flows.test_plans import BANK
from tests.flows.test_settle_in_parts import agree_to_mail, arranged, go_on
from tests.payments.due_cast import run
from tests.payments.test_pay import kinds


@pytest.fixture
def ours(monkeypatch):
    """A host that leaves every charge to the portal."""
    table = {RouteKey(method, timing): Route("portal", "portal") for method in METHODS for timing in TIMINGS}
    monkeypatch.setattr(route, "table", lambda account: table)


def announce():
    """Prove every notice on its target day, as the messages will."""
    for notice in Notice.objects.all():
        notice.status = "sent"
        notice.sent_at = dt.datetime.combine(notice.target_on, dt.time(15), dt.UTC)
        notice.save()


def months(first=1, last=5):
    """Give eight in the morning of the first of each month in New York, where clocks go forward in March."""
    return [dt.datetime(2027, month, 1, 13 if month < 4 else 12, tzinfo=dt.UTC) for month in range(first, last + 1)]


def fresh_balance(at):
    Account.objects.update(as_of=at - dt.timedelta(hours=2))


def test_a_settlement_in_six_parts_is_taken_to_the_end(sure, shop, ours):
    arranged(sure, shop)
    items = Postdate.objects.order_by("number")
    assert {(item.executor, item.status) for item in items} == {("portal", "scheduled")}
    announce()
    # Today's part was charged when it was signed; the run of the same day never takes it again.
    assert run(dt.datetime(2026, 12, 1, 20, 0, tzinfo=dt.UTC)).claimed == 0
    assert len(shop.charged()) == 1
    for number, moment in enumerate(months(), start=2):
        fresh_balance(moment)
        assert run(moment - dt.timedelta(minutes=1)).claimed == 0
        assert run(moment).charged == 1
        assert len(shop.charged()) == number
        assert Postdate.objects.get(number=number).status == Postdate.Status.TAKEN
    assert [one["amount"] for one in shop.charged()] == [125_00] * 6
    assert {one["credential"] for one in shop.charged()} == {"portal"}
    plan = Arrangement.objects.get()
    assert plan.status == Arrangement.Status.COMPLETED
    told = kinds(shop.account)
    assert told.count("payment.succeeded") == 6
    assert told.count("settlement.completed") == 1
    assert told.count("postdate.skipped") == 0
    assert "$750.00" in sure.get(f"/plan/{plan.pk}/").content.decode()
    assert run(months(6, 6)[0]).claimed == 0


def test_a_bank_account_is_debited_again_under_what_was_signed(sure, shop, ours):
    page = sure.follow(go_on(sure, choose(sure, shop, "settlement_parts")))
    page = sure.follow(agree_to_mail(sure, page))
    review = sure.follow(sure.post(page.request["PATH_INFO"], BANK))
    page = sure.follow(sure.submit(review, having="agree", agree="on"))
    assert page.context["state"] == "processing"
    method = Method.objects.get()
    assert method.processor_method
    assert method.processor_customer
    announce()
    # New Year's Day is no banking day, and was rolled when it was signed.
    item = Postdate.objects.get(number=2)
    assert item.due_on == dt.date(2027, 1, 4)
    fresh_balance(item.not_before_at)
    assert run(item.not_before_at).charged == 1
    assert [payment.status for payment in Payment.objects.all()] == ["pending", "pending"]
    assert [(one["amount"], one["payment_method"]) for one in charges(shop)] == [(125_00, method.processor_method)] * 2


def charges(shop):
    return [shop.merchant.v1.payment_intents.retrieve(one.processor_ref) for one in Payment.objects.all()]


def test_a_plan_that_its_consumer_cancelled_is_not_charged(sure, shop, ours):
    arranged(sure, shop)
    announce()
    life.cancel(arrangement=Arrangement.objects.get(), by="consumer", reason="cancelled", now=months()[0])
    for moment in months():
        fresh_balance(moment)
        assert run(moment).claimed == 0
    assert len(shop.charged()) == 1


def test_what_the_host_executes_the_run_never_takes(sure, shop):
    arranged(sure, shop)
    announce()
    for moment in months():
        fresh_balance(moment)
        assert run(moment).claimed == 0
    assert len(shop.charged()) == 1
    assert set(Postdate.objects.values_list("executor", "status")) == {("host", "scheduled")}


def test_the_worker_runs_it_for_every_agency_by_the_products_clock(sure, shop, other_shop, ours, clock):
    arranged(sure, shop)
    announce()
    clock.move_to(months()[0])
    fresh_balance(months()[0])
    # A task names nobody: it acts for all.
    assert tasks.run_due() == 1
    assert len(shop.charged()) == 2
    with acting_for(ALL_AGENCIES):
        due = Event.objects.get(kind="postdate.due")
    assert (due.actor, due.agency_id) == ("system:due", shop.agency.pk)
    assert other_shop.charged() == []
