"""Where the agency is not licensed (ST-09): how to reach it instead of paying, by every way, until it is licensed."""

import datetime as dt

import pytest

from accounts.models import Agency, Consumer, Licence
from accounts.tenancy import acting_for
from campaigns.services import outbox
from payments.models import Arrangement, Checkout, Incident, PayLink, Payment, Postdate
from payments.services import by_hand, by_link
from settlements.models import Quote
from tests.conftest import NOW
from tests.flows.conftest import (  # noqa: F401 - fixtures
    clock,
    open_shop,
    other_shop,
    processor,
    processor_program,
    shop,
    sure,
    visitor,
)
from tests.flows.test_pay_once import to_review
from tests.integrations.api_caller import Caller, codes
from tests.payments.due_cast import due_item, fresh, run, told
from tests.visitor import Visitor, text

TODAY = dt.date(2026, 12, 1)
DAY = dt.timedelta(days=1)


def license_in(agency, state: str, **values) -> Licence:
    Agency.objects.filter(pk=agency.pk).update(licensed_only=True)
    with acting_for(agency):
        return Licence.objects.create(**{"state": state, "line": f"{state} licence 1", "starts_on": TODAY} | values)


def made() -> list[int]:
    return [model.objects.count() for model in (Checkout, Payment, Arrangement, PayLink, Quote)]


def test_st_09_who_lives_where_we_are_not_licensed_sees_how_to_reach_us_and_no_way_to_pay(visitor, shop, other_shop):  # noqa: F811
    license_in(shop.agency, "OH")
    license_in(other_shop.agency, "NY")
    page = visitor.get("/home/")
    assert page.templates[0].name == "portal/contact_us.html"
    for said in ("Please contact us", "518-555-0100"):
        assert said in text(page)
    for unsaid in ("/pay/", "$"):
        assert unsaid not in page.content.decode()
    account = f"/accounts/{shop.account.pk}/"
    page = visitor.get(account)
    assert page.context["account"]["cannot_pay"] == "unlicensed"
    assert "Please contact us" in text(page)
    assert "/pay/" not in page.content.decode()
    for path in ("pay/", "pay/promise/"):
        assert visitor.get(account + path).status_code in (302, 404)
    assert made() == [0, 0, 0, 0, 0]
    with acting_for(other_shop.agency):
        others = Visitor(other_shop.agency).sign_in(other_shop.account)
        assert others.get("/home/").templates[0].name == "portal/home.html"


@pytest.mark.parametrize(
    ("licence", "shown"),
    [
        pytest.param({"state": "NY"}, True, id="ST-09 licensed here"),
        pytest.param({"state": "NY", "ends_on": TODAY}, True, id="ST-09 on the last day"),
        pytest.param({"state": "NY", "starts_on": TODAY - DAY, "ends_on": TODAY - DAY}, False, id="ST-09 since ended"),
        pytest.param({"state": "NY", "starts_on": TODAY + DAY}, False, id="ST-09 not yet"),
    ],
)
def test_st_09_the_line_of_the_consumer_s_state_stands_in_the_foot_after_identification(visitor, shop, licence, shown):  # noqa: F811
    license_in(shop.agency, **licence)
    page = text(visitor.get("/home/"))
    assert ("NY licence 1" in page) is shown
    assert ("See your options" in page) is shown
    assert "NYC DCWP licence 0000000" in page
    assert "NY licence 1" not in text(Visitor(shop.agency).get("/"))


def test_st_09_in_the_consumer_s_own_night_the_day_has_not_come(visitor, shop):  # noqa: F811
    """At 10:00 in New York it is 01:00 of the next day at Kiritimati: the licence of one day has ended there."""
    license_in(shop.agency, "NY", ends_on=TODAY)
    Consumer.objects.update(time_zone="Pacific/Kiritimati")
    assert "Please contact us" in text(visitor.get("/home/"))


def test_st_09_what_was_begun_before_cannot_be_confirmed(visitor, shop):  # noqa: F811
    page = to_review(visitor, shop, amount="50.00")
    license_in(shop.agency, "OH")
    answer = visitor.submit(page, having="agree", agree="on")
    assert answer.status_code == 422
    assert "Payments cannot be taken where you live now." in text(answer)
    assert (Payment.objects.count(), shop.charged()) == (0, [])


def test_st_09_nothing_is_agreed_by_api_and_the_code_is_stable(shop, clock):  # noqa: F811
    license_in(shop.agency, "OH")
    caller = Caller(shop.agency)
    for wish in ({"choice": "parts", "parts": 3}, {"choice": "promise", "amount_cents": 50_00}, {"choice": "full"}):
        answer = caller.post(f"accounts/{shop.account.pk}/quotes", wish)
        assert (answer.status_code, answer.json()["code"]) == (409, "not_licensed")
        assert ("", "not_licensed") in [(path or "", code) for path, code in codes(answer)]
    assert made() == [0, 0, 0, 0, 0]


def test_st_09_no_agent_prepares_a_payment_and_a_check_that_came_is_still_written_down(shop):  # noqa: F811
    license_in(shop.agency, "OH")
    about = {"account": shop.account, "by": "staff:1", "reason": "Talked", "now": NOW}
    refused = by_link.prepare(**about, choice="amount", amount_cents=50_00, parts=None, frequency="once", mail=False)
    assert [one.code for one in refused] == ["not_licensed"]
    assert PayLink.objects.count() == 0
    paper = by_hand.record(
        **about, key=shop.account.pk, kind="check", amount_cents=50_00, received_on=TODAY, paper_number="1"
    )
    assert (paper.amount_cents, paper.status) == (50_00, Payment.Status.SUCCEEDED)


def test_st_09_the_due_run_takes_nothing_there_and_says_why(shop):  # noqa: F811
    item = due_item(shop)
    license_in(shop.agency, "OH")
    assert run().charged == 0
    (said,) = told(shop.account, "postdate.skipped")
    assert said["reasons"] == ["not_licensed"]
    assert (fresh(item).status, fresh(item).held_for) == (Postdate.Status.HELD, "not_licensed")
    assert Incident.objects.get().kind == "not_licensed"
    assert shop.charged() == []


def test_st_09_the_due_run_charges_where_we_are_licensed(shop):  # noqa: F811
    due_item(shop)
    license_in(shop.agency, "NY", starts_on=TODAY)
    assert run().charged == 1
    assert [one["amount"] for one in shop.charged()] == [125_00]


def test_st_09_mails_carry_the_line_of_the_state_where_the_consumer_lives(acting, account, now):
    license_in(acting, "NY", line="New York licence 7")
    license_in(acting, "OH", line="Ohio licence 8")
    message = outbox.queue(
        template="contact_changed",
        consumer=account.consumer,
        contact_point=account.consumer.contact_points.get(),
        account=None,
        cause="test",
        language="en",
        facts={"name": "Jane", "address": "j•••@example.com"},
        now=now,
    )
    for body in (message.text, message.html):
        assert "New York licence 7" in body
        assert "NYC DCWP licence 0000000" in body
        assert "Ohio licence 8" not in body
