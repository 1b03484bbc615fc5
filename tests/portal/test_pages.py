"""Pages that show several floors: the agency's colours, the list of accounts, one account; and how many queries."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Agency, Consumer, Event
from accounts.tenancy import acting_for
from payments.models import Arrangement, Payment, Postdate
from payments.rules import routing
from payments.services import route
from tests.conftest import NOW, make_account
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
from tests.flows.test_pay_once import choose, give_card
from tests.flows.test_settle_in_parts import agree_to_mail, arranged, go_on
from tests.payments.test_later import publish_rules
from tests.visitor import Visitor, text

BUDGET = 12
"""Queries a page may need; opening and closing transactions are not counted, they cost no plan and no row."""


@pytest.fixture(autouse=True)
def _scollect_routes(monkeypatch):
    monkeypatch.setattr(route, "table", lambda account: routing.SCOLLECT)


def queries_of(who: Visitor, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = who.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    sql = [query["sql"] for query in captured.captured_queries]
    return [one for one in sql if not one.startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))]


def test_the_brand_sheet_holds_the_agency_s_colours_and_an_ink_that_can_be_read_on_them(agency, other_agency):
    Agency.objects.filter(pk=agency.pk).update(brand="#ffd200", accent="#b5541c", branding_version=3)
    answer = Visitor(agency).get("/brand.css?v=3")
    assert answer["Content-Type"] == "text/css"
    assert "--brand: #ffd200; --brand-ink: #14181a; --accent: #b5541c;" in answer.content.decode()
    assert "max-age=31536000" in answer["Cache-Control"]
    assert "no-cache" in Visitor(agency).get("/brand.css?v=2")["Cache-Control"]
    assert "--brand-ink: #ffffff" in Visitor(other_agency).get("/brand.css").content.decode()


def test_a_colour_that_is_none_never_reaches_the_sheet(agency):
    Agency.objects.filter(pk=agency.pk).update(brand="red;}*{")
    assert "--brand: #1f4e5f;" in Visitor(agency).get("/brand.css").content.decode()


def test_home_names_the_next_step_of_each_account(visitor, shop):  # noqa: F811
    consumer = shop.account.consumer
    more = {"consumer": consumer, "sol_status": "live"}
    paid = make_account(shop.agency, reference="P", balance_cents=0, status="paid", **more)
    disputed = make_account(shop.agency, reference="D", status="disputed", **more)
    stale = make_account(shop.agency, reference="S", as_of=NOW - dt.timedelta(days=31), **more)
    tiny = make_account(shop.agency, reference="T", payment_options={"can_pay": False}, **more)
    make_account(shop.agency, reference="R", status="recalled", **more)
    page = visitor.get("/home/")
    steps = {line["id"]: line["next_step"] for line in page.context["accounts"]}
    assert steps == {shop.account.pk: "settle", paid.pk: "paid", disputed.pk: "hold", stale.pk: "hold", tiny.pk: "hold"}
    line = next(line for line in page.context["accounts"] if line["id"] == shop.account.pk)
    assert (line["offer_cents"], line["saving_cents"]) == (750_00, 250_00)


@pytest.mark.parametrize(
    ("arrangement", "items", "step", "said"),
    [
        ({}, {}, "postdate", "You need do nothing now."),
        ({"status": "late", "late_since": dt.date(2026, 11, 30)}, {}, "late", "A payment is late."),
        ({"status": "paused"}, {"status": "held", "held_for": "paused"}, "rests", "Nothing is taken in that time."),
        ({}, {"status": "cancel_req"}, "cancelling", "A planned payment is being cancelled."),
        ({}, {"status": "cancel_req", "replacement": {"batch": "1", "lines": []}}, "changing", "Your change is being"),
    ],
)
def test_home_calms_nobody_whose_plan_is_late_or_rests(sure, shop, arrangement, items, step, said):  # noqa: F811
    arranged(sure, shop)
    Arrangement.objects.update(**arrangement)
    Postdate.objects.filter(status="scheduled").update(**items)
    page = sure.get("/home/")
    assert [line["next_step"] for line in page.context["accounts"]] == [step]
    assert said in text(page)
    assert ("You need do nothing now." in text(page)) == (step in ("postdate", "changing"))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Pay it at once, or in parts: for example 12 payments of $62.50 , the first today."),
        ("es", "Páguelo de una vez o en partes: por ejemplo, 12 pagos de $62.50 , el primero hoy."),
    ],
)
def test_an_offer_without_a_last_day_names_none(visitor, shop, language, said):  # noqa: F811
    publish_rules(max_months_settled=0)
    visitor.post("/language/", {"language": language})
    page = visitor.get(f"/accounts/{shop.account.pk}/")
    assert (page.context["offer"]["parts"], page.context["offer"]["last_on"]) == (12, None)
    assert said in text(page)
    assert re.findall(r"\b2[1-9]\d\d\b", text(page)) == []


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"status": "disputed"}, "disputed"),
        ({"balance_cents": 0}, "paid"),
        ({"status": "unmapped"}, "closed"),
        ({"payment_options": {"can_pay": False}}, "closed"),
        ({"as_of": NOW - dt.timedelta(hours=30 * 24 + 1)}, "stale"),
    ],
)
def test_what_cannot_be_paid_says_why_and_leads_nowhere_to_pay(visitor, shop, changes, cause):  # noqa: F811
    Account.objects.update(**changes)
    page = visitor.get(f"/accounts/{shop.account.pk}/")
    assert page.context["account"]["cannot_pay"] == cause
    assert "/pay/" not in page.content.decode()
    answer = visitor.get(f"/accounts/{shop.account.pk}/pay/")
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/{shop.account.pk}/")


def test_times_are_shown_where_the_consumer_lives(visitor, shop):  # noqa: F811
    Consumer.objects.update(time_zone="Pacific/Honolulu")
    Account.objects.update(as_of=dt.datetime(2026, 12, 1, 5, 30, tzinfo=dt.UTC))
    assert "As of November 30, 2026, 7:30 PM" in text(visitor.get(f"/accounts/{shop.account.pk}/")).replace("\xa0", " ")


def test_the_right_to_dispute_is_shown_until_its_last_day(visitor, shop):  # noqa: F811
    path = f"/accounts/{shop.account.pk}/"
    Account.objects.update(validation_sent_on=dt.date(2026, 11, 20))
    page = visitor.get(path)
    assert page.context["account"]["validation_ends_on"] == dt.date(2026, 12, 30)
    assert "You can dispute this" in text(page)
    assert "December 30, 2026" in text(visitor.get("/help/"))
    Account.objects.update(validation_sent_on=dt.date(2026, 9, 1))
    assert "You can dispute this" not in text(visitor.get(path))
    assert "if you dispute in writing by" not in text(visitor.get("/help/"))


def test_the_itemization_adds_up(visitor, shop):  # noqa: F811
    sums = {
        "balance_cents": 1_100_00,
        "interest_cents": 25_00,
        "fees_cents": 0,
        "payments_cents": 100_00,
        "credits_cents": 25_00,
    }
    Account.objects.update(itemization=sums, itemization_on=dt.date(2026, 6, 1), itemization_basis="charge-off")
    page = visitor.get(f"/accounts/{shop.account.pk}/")
    assert page.context["itemization"]["current_cents"] == 1_000_00
    assert "Balance at charge-off, June 1, 2026" in text(page)


def test_the_consumer_s_rights_and_the_collector_s_name_stand_on_every_page_after_login(visitor, shop):  # noqa: F811
    for path in ("/home/", f"/accounts/{shop.account.pk}/", f"/accounts/{shop.account.pk}/pay/", "/help/"):
        page = text(visitor.get(path))
        assert "This communication is from a debt collector." in page
        assert "Acme Recovery LLC" in page
        assert "NYC DCWP licence 0000000" in page


def test_what_is_undecided_is_counted_and_said(visitor, shop):  # noqa: F811
    Payment.objects.create(
        account=shop.account,
        consumer=shop.account.consumer,
        idempotency_key=shop.account.pk,
        request_hash="",
        kind="card",
        executor="portal",
        purpose="amount",
        amount_cents=100_00,
        intended_at=NOW,
    )
    page = text(visitor.get(f"/accounts/{shop.account.pk}/"))
    assert "Please do not pay it again" in page
    assert "$900.00" in page


def test_every_page_keeps_to_its_budget_of_queries(sure, shop):  # noqa: F811
    consumer = shop.account.consumer
    for number in range(4):
        make_account(shop.agency, reference=f"M{number}", consumer=consumer, sol_status="live")
    account = f"/accounts/{shop.account.pk}"
    found = {}
    for path in ("/home/", f"{account}/", f"{account}/pay/", "/help/", "/code/", f"{account}/payments/"):
        found[path] = queries_of(sure, path)
    page = choose(sure, shop, "settlement_parts")
    found["schedule"] = queries_of(sure, page.request["PATH_INFO"])
    page = sure.follow(go_on(sure, page))
    found["documents"] = queries_of(sure, page.request["PATH_INFO"])
    page = sure.follow(agree_to_mail(sure, page))
    found["method"] = queries_of(sure, page.request["PATH_INFO"])
    found["method ach"] = queries_of(sure, page.request["PATH_INFO"] + "?way=ach")
    page = sure.follow(give_card(sure, shop, page))
    found["review"] = queries_of(sure, page.request["PATH_INFO"])
    answer = sure.submit(page, having="agree", agree="on")
    found["result"] = queries_of(sure, answer["Location"])
    found["overview with a plan"] = queries_of(sure, f"{account}/")
    found["post-dates"] = queries_of(sure, f"{account}/post-dates/")
    over = {page: len(sql) for page, sql in found.items() if len(sql) > BUDGET}
    print({page: len(sql) for page, sql in found.items()})
    for name in over:
        print(name)
        print("\n".join("   " + one[:150] for one in found[name]))
    assert over == {}


def test_the_agency_of_the_host_name_is_the_only_one_there_is(sure, shop, other_shop):  # noqa: F811
    arranged(sure, shop)
    payment = Payment.objects.get()
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account)
    stranger.step_up(other_shop.account)
    mine = [
        f"/accounts/{shop.account.pk}/",
        f"/accounts/{shop.account.pk}/pay/",
        f"/accounts/{shop.account.pk}/payments/",
        f"/accounts/{shop.account.pk}/post-dates/",
        f"/accounts/{shop.account.pk}/age-of-debt/",
        f"/pay/{payment.idempotency_key}/schedule/",
        f"/pay/{payment.idempotency_key}/dates/",
        f"/pay/{payment.idempotency_key}/documents/",
        f"/pay/{payment.idempotency_key}/method/",
        f"/pay/{payment.idempotency_key}/review/",
        f"/paid/{payment.pk}/",
        f"/paid/{payment.pk}/receipt.pdf",
        f"/authorizations/{payment.authorization_id}.pdf",
    ]
    assert {path: stranger.get(path).status_code for path in mine} == dict.fromkeys(mine, 404)
    with acting_for(other_shop.agency):
        assert Event.objects.filter(data__contains={"page": "offer"}).count() == 0


def test_no_page_has_a_style_or_a_script_of_its_own(sure, shop):  # noqa: F811
    account = f"/accounts/{shop.account.pk}"
    for path in ("/home/", f"{account}/", f"{account}/pay/", f"{account}/payments/", "/help/"):
        html = sure.get(path).content.decode()
        assert re.findall(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", html) == []
