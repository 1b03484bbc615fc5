"""Nobody is led in a circle: what can be paid is paid by its button, and what cannot says why on the same page."""

import datetime as dt
from dataclasses import asdict

import pytest

from accounts.models import Account
from payments.models import Arrangement, Dispute, Postdate
from payments.services import life
from settlements.rules.offers import Breach
from tests.conftest import NOW
from tests.flows.test_plans import choose_promise
from tests.flows.test_settle_in_parts import arranged
from tests.payments.test_life import three_parts
from tests.visitor import Visitor, text

SIXTH = dt.datetime(2027, 1, 6, 15, 0, tzinfo=dt.UTC)
REASONS = {
    "stale": "We cannot confirm the balance right now",
    "disputed": "You disputed this account.",
    "closed": "Payments for this account cannot be made online. Please call us.",
}


@pytest.fixture
def promised(sure, shop) -> Arrangement:
    """$150.00 promised for December 18."""
    page = sure.follow(choose_promise(sure, shop))
    page = sure.follow(sure.submit(page, having="first_on", amount="150", first_on="2026-12-18"))
    sure.post(page.request["PATH_INFO"])
    return Arrangement.objects.get(kind="promise")


@pytest.fixture
def plan(sure, shop) -> Arrangement:
    """$250.00 of a settlement of $750.00 are paid, $250.00 each are planned for January 4 and February 4."""
    return three_parts(shop)


def stop(shop, cause: str, now: dt.datetime) -> None:
    """Let nothing be paid on the account, for this reason."""
    if cause == "disputed":
        Dispute.objects.create(account=shop.account, consumer=shop.account.consumer, reason="amount", opened_at=now)
    changes = {"stale": {"as_of": now - dt.timedelta(days=40)}, "closed": {"status": "unmapped"}}
    Account.objects.filter(pk=shop.account.pk).update(**changes.get(cause, {}))


def miss(shop, plan: Arrangement, clock, *, grace_days: int = 0) -> Visitor:
    """Let the charge of January 4 fail for good, and come back on January 6."""
    terms = plan.terms | {"breach": plan.terms["breach"] | {"grace_days": grace_days}}
    Arrangement.objects.filter(pk=plan.pk).update(terms=terms)
    failed = dt.datetime(2027, 1, 4, 15, tzinfo=dt.UTC)
    Postdate.objects.filter(due_on=dt.date(2027, 1, 4)).update(status="failed", decided_at=failed)
    clock.move_to(SIXTH)
    Account.objects.filter(pk=shop.account.pk).update(as_of=SIXTH - dt.timedelta(hours=1))
    life.review(arrangement=plan, now=SIXTH)
    return Visitor(shop.agency).sign_in(shop.account, level=2)


@pytest.mark.parametrize("cause", REASONS)
def test_a_promise_that_cannot_be_paid_says_why_and_has_no_button(sure, shop, promised, cause):
    overview, where = f"/accounts/{shop.account.pk}/", f"/plan/{promised.pk}/"
    assert f"{overview}pay/?choice=any&amp;amount=150.00" in sure.get(overview).content.decode()
    assert f"{overview}pay/?choice=any&amp;amount=150.00" in sure.get(where).content.decode()
    stop(shop, cause, NOW)
    for path in (overview, where):
        page = sure.get(path)
        assert REASONS[cause] in text(page), path
        assert "/pay/" not in page.content.decode(), path
    assert REASONS[cause] in text(sure.follow(sure.get(f"{overview}pay/")))


@pytest.mark.parametrize("grace_days", [0, 5])
def test_the_button_of_a_late_plan_pays_what_is_late_whether_or_not_its_grace_is_over(
    sure, shop, plan, clock, grace_days
):
    visitor = miss(shop, plan, clock, grace_days=grace_days)
    assert Arrangement.objects.get().status == ("performing" if grace_days else "late")
    for path in (f"/accounts/{shop.account.pk}/", f"/plan/{plan.pk}/"):
        page = visitor.get(path)
        assert "This payment is late. Pay it now, or call us to find another day." in text(page), path
        assert f'href="/plan/{plan.pk}/pay/">Pay now</a>' in page.content.decode(), path
    page = visitor.get(f"/plan/{plan.pk}/pay/")
    assert page.context["missing"]["amount_cents"] == 250_00
    method = visitor.follow(visitor.submit(page, having="what", what="missed"))
    assert method.context["today_cents"] == 250_00
    home = visitor.get("/home/")
    assert [line["next_step"] for line in home.context["accounts"]] == ["late"]


@pytest.mark.parametrize("cause", ["stale", "closed"])
def test_a_late_plan_that_cannot_be_paid_online_says_so_everywhere_and_whom_to_call(sure, shop, plan, clock, cause):
    visitor = miss(shop, plan, clock)
    stop(shop, cause, SIXTH)
    for path in (f"/accounts/{shop.account.pk}/", f"/plan/{plan.pk}/"):
        page = visitor.get(path)
        assert "This payment is late and cannot be paid online at the moment." in text(page), path
        assert REASONS[cause] in text(page), path
        assert "/pay/" not in page.content.decode(), path
        assert "Pay it now" not in text(page), path
    page = visitor.get(f"/plan/{plan.pk}/pay/")
    assert (REASONS[cause] in text(page), 'name="what"' in page.content.decode()) == (True, False)
    home = visitor.get("/home/")
    assert [line["next_step"] for line in home.context["accounts"]] == ["hold"]
    assert "late" not in text(home)


@pytest.mark.parametrize("grace_days", [0, 5])
def test_a_late_plan_with_nothing_planned_any_more_is_late_at_home_too(sure, shop, plan, clock, grace_days):
    Postdate.objects.filter(due_on=dt.date(2027, 2, 4)).update(status="failed", decided_at=SIXTH)
    terms = plan.terms | {"breach": asdict(Breach(cure_days=10))}
    Arrangement.objects.filter(pk=plan.pk).update(terms=terms)
    visitor = miss(shop, Arrangement.objects.get(), clock, grace_days=grace_days)
    assert Arrangement.objects.get().status == ("performing" if grace_days else "late")
    home = visitor.get("/home/")
    assert [line["next_step"] for line in home.context["accounts"]] == ["late"]
    assert "A payment is late." in text(home)


def test_what_rests_is_neither_late_nor_asked_for(sure, shop, plan, clock):
    Arrangement.objects.update(status="paused")
    Postdate.objects.update(status="held", held_for="paused")
    clock.move_to(SIXTH)
    visitor = Visitor(shop.agency).sign_in(shop.account, level=2)
    for path in (f"/accounts/{shop.account.pk}/", f"/plan/{plan.pk}/"):
        page = visitor.get(path)
        assert "Payments pause. Nothing is taken in that time." in text(page), path
        assert "Pay now" not in text(page), path
    Arrangement.objects.update(status="review")
    page = visitor.get(f"/accounts/{shop.account.pk}/")
    assert "Somebody at the agency looks at your plan now." in text(page)
    assert "You need do nothing" not in text(page)


def test_what_is_paid_already_and_on_its_way_is_not_promised_for_no_day(sure, shop, promised):
    Arrangement.objects.filter(pk=promised.pk).update(due=[["2026-12-18", 0]])
    page = text(sure.get(f"/accounts/{shop.account.pk}/"))
    assert "You said you would pay" not in page
    assert "paid of $150.00." in page


def test_less_than_the_smallest_payment_can_be_paid_beside_what_is_planned(sure, shop):
    arranged(sure, shop)
    Arrangement.objects.update(kind="plan", total_cents=150_00)
    Account.objects.filter(pk=shop.account.pk).update(payment_options={"minimum_single_cents": 50_00})
    page = sure.get(f"/accounts/{shop.account.pk}/pay/")
    assert [one["code"] for one in page.context["options"] if one["available"]] == ["any"]


@pytest.mark.parametrize(
    ("values", "said"),
    [({}, "You get a copy of what you signed"), ({"authorization": None, "method": None}, "Your plan is changed.")],
)
def test_a_copy_of_what_was_signed_is_announced_only_where_something_was_signed(sure, shop, plan, values, said):
    Arrangement.objects.filter(pk=plan.pk).update(**values)
    page = text(sure.get(f"/plan/{plan.pk}/?done=move"))
    assert said in page
    assert ("signed by message" in page) == (not values)
