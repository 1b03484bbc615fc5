"""A plan that runs: pay what was missed, something extra, all that is left; or add an amount on the linked card."""

import datetime as dt
import re

import pytest

from accounts.models import Account, Event
from payments.models import Arrangement, Authorization, Checkout, Dispute, Payment, Postdate
from payments.rules.routing import METHODS, TIMINGS, Route, RouteKey
from payments.services import life, postdates, route
from tests.conftest import NOW
from tests.flows.test_pay_once import give_card
from tests.payments.conftest import MASTERCARD, VISA_CREDIT
from tests.payments.due_cast import run
from tests.payments.test_life import three_parts
from tests.visitor import Visitor, text

THIRD = dt.date(2026, 12, 3)


@pytest.fixture
def plan(sure, shop, clock) -> Arrangement:
    """$250.00 of $750.00 are paid, two payments of $250.00 are planned at the host; the next page is a later moment."""
    made = three_parts(shop)
    clock.shift(dt.timedelta(minutes=5))
    return made


@pytest.fixture
def ours(monkeypatch):
    """A host that leaves every charge to the portal."""
    table = {RouteKey(method, timing): Route("portal", "portal") for method in METHODS for timing in TIMINGS}
    monkeypatch.setattr(route, "table", lambda account: table)


def at(plan) -> str:
    return f"/plan/{plan.pk}/pay/"


def pay(visitor, shop, page, number=MASTERCARD):
    review = visitor.follow(give_card(visitor, shop, page, number))
    return visitor.follow(visitor.submit(review, having="agree", agree="on"))


def add(visitor, plan, amount="100", on=THIRD):
    """Ask for an added amount, read its text, and agree."""
    page = visitor.post(at(plan), {"what": "added", "amount": amount, "on": on.isoformat()})
    if page.status_code != 200:
        return page
    sha256 = re.search(r'name="authorization_sha256"\s+value="(\w+)"', page.content.decode())[1]
    said = {"what": "added", "amount": amount, "on": on.isoformat(), "go": "1", "authorization_sha256": sha256}
    return visitor.post(at(plan), said | {"agree": "on"})


def test_paying_off_shows_its_effect_first_and_asks_the_host_for_what_it_holds(sure, shop, plan):
    assert "Pay more, pay it off" in text(sure.get(f"/plan/{plan.pk}/"))
    page = sure.get(at(plan))
    assert "The settlement stays as it is: $750.00 in all, which saves you $250.00." in text(page)
    assert "This pays everything that is left. No later payments are taken." in text(page)
    method = sure.follow(sure.post(at(plan), {"what": "off"}))
    assert method.context["today_cents"] == 500_00
    assert pay(sure, shop, method).context["state"] == "succeeded"
    # Held here, asked back there: cancelled only when the host says so (PDC-07).
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancel_req"}
    assert Event.objects.filter(kind="postdate.cancel_requested").count() == 2
    plan.refresh_from_db()
    assert plan.status == "completed"
    for item in Postdate.objects.all():
        postdates.settle_cancel(postdate_id=item.pk, cancelled=True, reason="", now=NOW)
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancelled"}
    kinds = list(Event.objects.values_list("kind", flat=True))
    assert kinds.count("settlement.completed") == 1
    assert [charge["amount"] for charge in shop.charged()] == [250_00, 500_00]


def test_an_extra_amount_shortens_the_plan_from_its_end(sure, shop, plan):
    page = sure.post(at(plan), {"what": "extra", "amount": "300"})
    assert "Payments that remain: 1, $200.00 in all." in text(page)
    assert Checkout.objects.filter(confirmed_at=None).count() == 0
    method = sure.follow(sure.post(at(plan), {"what": "extra", "amount": "300", "go": "1"}))
    pay(sure, shop, method)
    last = Postdate.objects.get(due_on=dt.date(2027, 2, 4))
    assert last.status == "cancel_req"
    assert Postdate.objects.get(due_on=dt.date(2027, 1, 4)).status == "cancel_req"
    plan.refresh_from_db()
    assert plan.status == "performing"


def test_more_than_is_left_is_refused_and_nothing_is_begun(sure, plan):
    begun = Checkout.objects.count()
    for amount, code in (("500.01", "more_than_left"), ("0", "payment_not_positive"), ("x", "amount_unreadable")):
        page = sure.post(at(plan), {"what": "extra", "amount": amount})
        assert (page.status_code, f'data-code="{code}"' in page.content.decode()) == (422, True)
    assert Checkout.objects.count() == begun


def test_what_was_missed_is_made_up_now(sure, shop, plan, clock):
    item = Postdate.objects.get(due_on=dt.date(2027, 1, 4))
    Postdate.objects.filter(pk=item.pk).update(status="failed", decided_at=dt.datetime(2027, 1, 4, 15, tzinfo=dt.UTC))
    clock.move_to(dt.datetime(2027, 1, 6, 15, 0, tzinfo=dt.UTC))
    Account.objects.update(as_of=dt.datetime(2027, 1, 6, 14, 0, tzinfo=dt.UTC))
    late = life.review(arrangement=plan, now=dt.datetime(2027, 1, 6, 15, 0, tzinfo=dt.UTC))
    assert late.status == "late"
    visitor = Visitor(shop.agency).sign_in(shop.account, level=2)
    page = visitor.get(at(plan))
    assert page.context["missing"]["amount_cents"] == 250_00
    clock.shift(dt.timedelta(minutes=1))
    method = visitor.follow(visitor.post(at(plan), {"what": "missed"}))
    assert pay(visitor, shop, method).context["state"] == "succeeded"
    plan.refresh_from_db()
    assert plan.status == "performing"
    assert "arrangement.performing" in Event.objects.values_list("kind", flat=True)


def test_an_added_amount_is_signed_and_taken_by_the_next_run_and_shortens_the_plan(sure, shop, ours, clock):
    plan = three_parts(shop)
    clock.shift(dt.timedelta(minutes=5))
    answer = add(sure, plan)
    assert (answer.status_code, answer["Location"]) == (302, f"/plan/{plan.pk}/")
    item = Postdate.objects.get(extra=True)
    assert (item.due_on, item.amount_cents, item.executor, item.status) == (THIRD, 100_00, "portal", "scheduled")
    signed = Authorization.objects.latest("accepted_at")
    assert ["2026-12-03", 100_00] in signed.lines
    assert ["2027-02-04", 250_00] in signed.lines
    assert Event.objects.filter(kind="arrangement.changed", data__change="extra").count() == 1
    # Nothing falls away before it was taken: it may fail.
    assert Postdate.objects.filter(extra=False, status="scheduled").count() == 2
    eight = dt.datetime(2026, 12, 3, 13, 0, tzinfo=dt.UTC)
    Account.objects.update(as_of=eight - dt.timedelta(hours=1))
    assert run(eight - dt.timedelta(minutes=1)).claimed == 0
    assert run(eight).charged == 1
    item.refresh_from_db()
    assert item.status == "taken"
    left = Postdate.objects.filter(extra=False, status="scheduled").order_by("due_on")
    assert [one.amount_cents for one in left] == [250_00, 150_00]
    assert [charge["amount"] for charge in shop.charged()] == [250_00, 100_00]


def test_where_the_host_executes_it_is_told_of_the_added_amount(sure, shop, plan):
    assert add(sure, plan).status_code == 302
    told = Event.objects.filter(kind="postdate.scheduled").latest("account_seq")
    assert (told.data["amount_cents"], told.data["executor"]) == (100_00, "host")


def test_added_twice_it_is_one_and_without_the_tick_it_is_none(sure, plan):
    page = sure.post(at(plan), {"what": "added", "amount": "100", "on": THIRD.isoformat(), "go": "1"})
    assert "Tick the box" in text(page)
    assert Postdate.objects.filter(extra=True).count() == 0
    add(sure, plan)
    again = add(sure, plan)
    assert again.status_code == 422
    assert Postdate.objects.filter(extra=True).count() == 1


@pytest.mark.parametrize(
    ("amount", "on", "code"),
    [
        ("100", dt.date(2026, 12, 7), "extra_day"),
        ("100", dt.date(2026, 11, 30), "extra_day"),
        ("500.01", THIRD, "extra_amount"),
    ],
)
def test_an_added_amount_keeps_to_its_days_and_to_what_is_left(sure, plan, amount, on, code):
    page = add(sure, plan, amount, on)
    assert (page.status_code, f'data-code="{code}"' in page.content.decode()) == (422, True)
    assert Postdate.objects.filter(extra=True).count() == 0


def test_nothing_is_added_to_or_paid_on_a_disputed_account(sure, shop, plan):
    Dispute.objects.create(account=shop.account, consumer=shop.account.consumer, reason="amount", opened_at=NOW)
    page = add(sure, plan)
    assert 'data-code="dispute_open"' in page.content.decode()
    method = sure.follow(sure.post(at(plan), {"what": "off"}))
    review = sure.follow(give_card(sure, shop, method, MASTERCARD))
    answer = sure.submit(review, having="authorization_sha256", agree="on")
    assert 'data-code="dispute_open"' in answer.content.decode()
    assert Payment.objects.count() == 1


def test_a_visa_credit_card_pays_nothing_off_either(sure, shop, plan):
    method = sure.follow(sure.post(at(plan), {"what": "off"}))
    answer = give_card(sure, shop, method, VISA_CREDIT)
    assert 'data-code="visa_credit_not_accepted"' in answer.content.decode()


def test_another_consumer_does_not_find_the_page(plan, other_shop):
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account, level=2)
    assert (stranger.get(at(plan)).status_code, stranger.post(at(plan)).status_code) == (404, 404)
