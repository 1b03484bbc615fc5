"""Plans, rhythms, first payments on a later day, dates of one's own: from the choice to the page of the plan."""

import datetime as dt

import pytest

from accounts.models import Account
from payments.models import Arrangement, Checkout, Payment, Postdate
from payments.services import mirror
from settlements.models import RuleSet
from tests.conftest import NOW
from tests.flows.test_pay_once import choose, give_card
from tests.flows.test_settle_in_parts import agree_to_mail, by_hand, codes_of, go_on, planned, write
from tests.payments.test_mirror import Line
from tests.visitor import Visitor, text

BANK = {
    "way": "ach",
    "holder": "Jane Doe",
    "routing_number": "110000000",
    "account_number": "000123456789",
    "account_type": "checking",
}
BAND = {
    "owing_from_cents": 0,
    "owing_to_cents": 999_999_999_00,
    "minimum_cents": 50_00,
    "max_months_unsettled": 24,
    "max_months_settled": 12,
    "minimum_settlement_bps": 60_00,
    "latest_first_days": 45,
    "grace_days": 5,
    "failures_to_break": 2,
}


@pytest.fixture
def rules(shop):
    """The agency's own rule set: settle for 60 percent within a year, or pay all of it within two."""
    return RuleSet.objects.create(
        version=1,
        status="published",
        bands=[BAND],
        breach_reinstates="balance",
        breach_cure_days=10,
        made_by="test",
        made_at=NOW - dt.timedelta(days=2),
        published_at=NOW - dt.timedelta(days=1),
        effective_at=NOW - dt.timedelta(days=1),
    )


def adjusted(visitor: Visitor, page, **wish):
    """Show what a wish comes to, without htmx, as a browser without JavaScript would."""
    return go_on(visitor, page, action="show", **wish)


def to_method(visitor: Visitor, page, **wish):
    """Go on from the adjust page to the way to pay, by e-mail."""
    answer = go_on(visitor, page, **wish)
    assert answer.status_code == 302, codes_of(answer)
    page = visitor.follow(answer)
    if page.request["PATH_INFO"].endswith("/documents/"):
        page = visitor.follow(agree_to_mail(visitor, page))
    return page


def sign(visitor: Visitor, review):
    return visitor.follow(visitor.submit(review, having="agree", agree="on"))


def test_every_open_way_is_offered_the_gentlest_first_each_with_its_numbers_and_its_reason(sure, shop, rules):
    page = sure.get(f"/accounts/{shop.account.pk}/pay/")
    options = {option["code"]: option for option in page.context["options"]}
    assert list(options) == ["settlement_parts", "settlement", "plan", "any", "promise", "full"]
    parts = options["settlement_parts"]
    assert (parts["amount_cents"], parts["saving_cents"], parts["parts"], parts["part_cents"]) == (
        600_00,
        400_00,
        12,
        50_00,
    )
    assert parts["last_on"] == dt.date(2027, 12, 1)
    plan = options["plan"]
    assert (plan["amount_cents"], plan["parts"], plan["part_cents"]) == (1_000_00, 20, 50_00)
    assert plan["last_on"] == dt.date(2028, 7, 1)
    assert options["promise"]["last_on"] == dt.date(2026, 12, 31)
    assert "to settle for 60%." in options["settlement"]["why"]
    for option in options.values():
        assert option["why"].endswith("."), option
        assert option["why"] in text(page).replace("&#x27;", "'")


def test_what_is_too_old_to_sue_for_is_never_asked_for_a_plan_or_a_promise(sure, shop, rules):
    # SOL-04: a part payment or a promise may start the clock again.
    Account.objects.update(sol_status="expired")
    sure.post(f"/accounts/{shop.account.pk}/age-of-debt/")
    page = sure.get(f"/accounts/{shop.account.pk}/pay/")
    codes = {option["code"] for option in page.context["options"]}
    assert codes & {"plan", "promise", "settlement_parts"} == set()
    assert {"settlement", "full"} <= codes
    shop.agency.old_debt_parts_states = "NY"
    shop.agency.save()
    page = sure.get(f"/accounts/{shop.account.pk}/pay/")
    assert {"plan", "promise", "settlement_parts"} <= {option["code"] for option in page.context["options"]}


def test_a_settlement_in_twelve_weekly_parts_by_card(sure, shop, rules):
    page = choose(sure, shop, "settlement_parts")
    page = adjusted(sure, page, count="12", frequency="weekly")
    days = [(dt.date(2026, 12, 1) + dt.timedelta(weeks=week)).isoformat() for week in range(12)]
    assert planned(page) == [(day, 50_00) for day in days]
    for words in ("12 × $50.00", "You save $400.00", "Together", "$600.00", "February 16, 2027"):
        assert words in text(page)
    review = sure.follow(give_card(sure, shop, to_method(sure, page, count="12", frequency="weekly")))
    assert "You pay today $50.00" in text(review)
    page = sign(sure, review)
    assert page.context["state"] == "succeeded"
    made = Arrangement.objects.get()
    assert (made.kind, made.frequency, made.total_cents, made.saving_cents) == (
        "settlement",
        "weekly",
        600_00,
        400_00,
    )
    assert [day.isoformat() for day in Postdate.objects.order_by("due_on").values_list("due_on", flat=True)] == days[1:]
    assert f"/plan/{made.pk}/" in page.content.decode()


def test_a_plan_twice_a_month_from_a_bank_account(sure, shop, rules):
    page = choose(sure, shop, "plan")
    page = adjusted(sure, page, count="10", frequency="semimonthly")
    assert planned(page)[:4] == [
        ("2026-12-01", 100_00),
        ("2026-12-15", 100_00),
        ("2027-01-01", 100_00),
        ("2027-01-15", 100_00),
    ]
    page = to_method(sure, page, count="10", frequency="semimonthly")
    review = sure.follow(sure.post(page.request["PATH_INFO"], BANK))
    page = sign(sure, review)
    made = Arrangement.objects.get()
    assert (made.kind, made.total_cents, made.saving_cents) == ("plan", 1_000_00, 0)
    # New Year's Day is no banking day: the debit follows on the next one.
    assert [day.isoformat() for day in Postdate.objects.order_by("due_on").values_list("due_on", flat=True)][:3] == [
        "2026-12-15",
        "2027-01-04",
        "2027-01-15",
    ]
    plan = sure.get(f"/plan/{made.pk}/")
    assert "We take it from checking account ending 6789." in text(plan)
    assert plan.context["plan"]["saving_cents"] == 0


def test_with_a_first_payment_on_a_later_day_nothing_is_charged_today(sure, shop, rules):
    page = choose(sure, shop, "plan")
    wish = {"count": "4", "frequency": "monthly", "first_on": "2026-12-20"}
    page = adjusted(sure, page, **wish)
    assert "Nothing is charged today. The first payment is on December 20, 2026." in text(page)
    page = to_method(sure, page, **wish)
    assert 'data-mode="setup"' in page.content.decode()
    review = sure.follow(give_card(sure, shop, page))
    assert "You pay today $0.00" in text(review)
    assert "Nothing is charged today." in text(review)
    assert "Agree to these payments" in text(review)
    page = sign(sure, review)
    made = Arrangement.objects.get()
    assert page.request["PATH_INFO"] == f"/plan/{made.pk}/"
    assert (shop.charged(), Payment.objects.count()) == ([], 0)
    assert [item["on"].isoformat() for item in page.context["items"]] == [
        "2026-12-20",
        "2027-01-20",
        "2027-02-20",
        "2027-03-20",
    ]
    assert (page.context["plan"]["paid_cents"], page.context["plan"]["next"]["on"]) == (0, dt.date(2026, 12, 20))
    # Pressed again, or gone back to: it is the same plan.
    again = sure.submit(review, having="agree", agree="on")
    assert again["Location"] == f"/plan/{made.pk}/"
    assert sure.get(review.request["PATH_INFO"])["Location"] == f"/plan/{made.pk}/"


def test_a_card_that_cannot_be_stored_leaves_no_plan_and_another_try(sure, shop, rules):
    page = to_method(sure, choose(sure, shop, "plan"), count="4", first_on="2026-12-20")
    review = sure.follow(give_card(sure, shop, page, "5200828282829994"))
    page = sign(sure, review)
    assert page.context["state"] == "declined"
    assert "Nothing was charged, and nothing is planned yet." in text(page)
    assert Arrangement.objects.count() == 0
    second = sure.follow(sure.post(page.request["PATH_INFO"], {"action": "again"}))
    assert next(line["on"].isoformat() for line in second.context["later"]) == "2026-12-20"


def test_dates_and_amounts_of_one_s_own_are_kept_as_written(sure, shop, rules):
    page = by_hand(sure, choose(sure, shop, "plan"))
    typed = {f"{field}_{number}": "" for number in range(1, 21) for field in ("date", "amount")}
    typed |= {"date_1": "2026-12-05", "amount_1": "700", "date_2": "2027-02-14", "amount_2": "300.00"}
    answer = write(sure, page, **typed)
    assert answer.status_code == 302, codes_of(answer)
    checkout = Checkout.objects.get()
    assert checkout.lines == [["2026-12-05", 700_00], ["2027-02-14", 300_00]]
    assert checkout.frequency == "custom"
    back = sure.get(f"/pay/{checkout.pk}/schedule/")
    assert back["Location"] == f"/pay/{checkout.pk}/dates/"
    even = sure.get(f"/pay/{checkout.pk}/schedule/?even=1")
    assert [cents for _on, cents in planned(even)] == [500_00, 500_00]


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        ({"how": "amount", "amount": "20"}, "payment_below_minimum", "amount"),
        ({"how": "amount", "amount": "lots"}, "amount_unreadable", "amount"),
        ({"count": "25"}, "too_many_payments", "count"),
        ({"count": "24"}, "payment_below_minimum", "count"),
        ({"count": "a few"}, "count_unreadable", "count"),
        ({"first_on": "2026-11-30"}, "first_date_in_past", "first_on"),
        ({"first_on": "2027-01-16"}, "first_date_too_late", "first_on"),
        ({"first_on": "soon"}, "date_unreadable", "first_on"),
        ({"frequency": "daily"}, "invalid_choice", "frequency"),
    ],
)
def test_what_is_not_possible_is_refused_by_its_code_beside_its_field_and_kept_nowhere(
    sure, shop, rules, wish, code, field
):
    page = choose(sure, shop, "plan")
    before = Checkout.objects.get().lines
    answer = go_on(sure, page, **wish)
    assert answer.status_code == 422
    assert code in codes_of(answer)
    assert field in answer.context["form"].errors
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert Checkout.objects.get().lines == before


def test_several_things_that_are_wrong_are_said_at_once(sure, shop, rules):
    page = choose(sure, shop, "plan")
    answer = go_on(sure, page, how="amount", amount="20", first_on="2027-01-16")
    assert set(codes_of(answer)) >= {"payment_below_minimum", "first_date_too_late"}


def test_a_change_is_answered_by_a_part_of_the_page_that_knows_what_is_possible(sure, shop, rules):
    choose(sure, shop, "settlement_parts")
    path = f"/pay/{Checkout.objects.get().pk}/schedule/"
    wish = {"how": "number", "count": "48", "frequency": "weekly", "first_on": "2026-12-01", "action": "show"}
    part = sure.post(path, wish, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.content.decode()
    # $50 a month is $11.54 a week: $600 are at most 51 payments.
    assert 'data-most="51"' in part.content.decode()
    assert "48 × $12.50" in text(part)
    assert "Show 36 more payments" in text(part)
    assert Checkout.objects.get().frequency == "monthly"
    wrong = sure.post(path, wish | {"count": "60"}, headers={"HX-Request": "true"})
    assert "too_many_payments" in codes_of(wrong)


def test_what_happens_when_a_payment_fails_is_said_before_anything_is_accepted(sure, shop, rules):
    page = choose(sure, shop, "settlement_parts")
    said = [
        "What you have paid always counts, to the cent.",
        "A payment may come up to 5 days late. Only then is it missed.",
        "From then on you have 10 days to pay it in any way you like",
        "The agreement also ends when 2 payments in a row fail.",
        "the saving of $400.00 is lost: you owe the balance of $1,000.00 again, less all that you have paid.",
    ]
    for words in said:
        assert words in text(page)
    review = sure.follow(give_card(sure, shop, to_method(sure, page)))
    for words in said:
        assert words in text(review)
    assert "From then on I have 10 days to pay what is due" in text(review)


def test_a_running_plan_stands_on_the_account_page_and_its_page_lists_every_date(sure, shop, rules):
    page = to_method(sure, choose(sure, shop, "settlement_parts"), count="3")
    sign(sure, sure.follow(give_card(sure, shop, page)))
    made = Arrangement.objects.get()
    overview = sure.get(f"/accounts/{shop.account.pk}/")
    assert "$200.00 paid of $600.00. $400.00 to go." in text(overview)
    assert "Saving kept: $400.00" in text(overview)
    page = sure.get(f"/plan/{made.pk}/")
    assert [(item["state"], item["amount_cents"]) for item in page.context["items"]] == [
        ("paid", 200_00),
        ("planned", 200_00),
        ("planned", 200_00),
    ]
    assert "the saving of $400.00 is lost" in text(page)


def test_a_bank_debit_that_the_host_has_under_way_is_on_its_way_and_not_late(sure, shop, rules, clock):
    page = to_method(sure, choose(sure, shop, "plan"), count="10", frequency="semimonthly")
    sign(sure, sure.follow(sure.post(page.request["PATH_INFO"], BANK)))
    made, item = Arrangement.objects.get(), Postdate.objects.get(number=2)
    assert (item.executor, item.due_on) == ("host", dt.date(2026, 12, 15))
    sent = dt.datetime(2026, 12, 15, 15, 0, tzinfo=dt.UTC)
    line = Line("SC-2", item.pk, 100_00, "PROCESSED", method="ACH", on=item.due_on, updated_at=sent)
    mirror.mirror(account=shop.account, payments=[line], postdates=[], now=sent)
    clock.move_to(sent + dt.timedelta(days=4))
    sure.sign_in(shop.account, level=2)
    page = sure.get(f"/plan/{made.pk}/")
    second = page.context["items"][1]
    assert (second["state"], second["can_cancel"]) == ("on_its_way", False)
    assert (page.context["plan"]["late"], page.context["plan"]["paid_cents"]) == (False, 200_00)
    assert sure.get("/home/").context["accounts"][0]["next_on"] == dt.date(2027, 1, 4)
    overview = sure.get(f"/accounts/{shop.account.pk}/")
    assert overview.context["plan"]["late"] is False
    assert overview.context["plan"]["next"]["on"] == dt.date(2027, 1, 4)


def test_a_plan_is_seen_only_with_a_code_and_never_by_a_stranger(sure, shop, other_shop, rules):
    page = to_method(sure, choose(sure, shop, "settlement_parts"), count="3")
    sign(sure, sure.follow(give_card(sure, shop, page)))
    where = f"/plan/{Arrangement.objects.get().pk}/"
    unsure = Visitor(shop.agency).sign_in(shop.account)
    assert unsure.get(where).status_code == 403
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account, level=2)
    assert stranger.get(where).status_code == 404
    for path in ("schedule", "dates", "card"):
        assert stranger.get(f"/pay/{Checkout.objects.get().pk}/{path}/").status_code == 404


def test_a_promise_names_a_day_and_a_sum_and_needs_no_method(sure, shop):
    answer = choose_promise(sure, shop)
    page = sure.follow(answer)
    assert page.context["last_on"] == dt.date(2026, 12, 31)
    page = sure.follow(sure.submit(page, having="first_on", amount="150", first_on="2026-12-18"))
    for words in ("You will pay on December 18, 2026", "$150.00", "Nothing is charged today."):
        assert words in text(page)
    assert Arrangement.objects.count() == 0
    where = page.request["PATH_INFO"]
    answer = sure.post(where)
    assert answer["Location"] == f"/accounts/{shop.account.pk}/"
    made = Arrangement.objects.get()
    assert (made.kind, made.total_cents, made.method_id, made.authorization_id) == ("promise", 150_00, None, None)
    overview = sure.follow(answer)
    assert "You said you would pay $150.00 by December 18, 2026 ." in text(overview)
    assert f"/accounts/{shop.account.pk}/pay/" in overview.content.decode()
    # Agreed to twice it is the same promise.
    assert sure.post(where)["Location"] == f"/accounts/{shop.account.pk}/"
    assert Arrangement.objects.count() == 1
    assert (shop.charged(), Payment.objects.count()) == ([], 0)


def choose_promise(visitor: Visitor, shop):
    page = visitor.get(f"/accounts/{shop.account.pk}/pay/")
    return visitor.submit(page, having="choice", choice="promise")


def test_a_promise_is_paid_from_the_account_page(sure, shop):
    page = sure.follow(choose_promise(sure, shop))
    page = sure.follow(sure.submit(page, having="first_on", amount="150", first_on="2026-12-18"))
    sure.post(page.request["PATH_INFO"])
    page = choose(sure, shop, amount="150")
    page = sign(sure, sure.follow(give_card(sure, shop, page)))
    assert page.context["state"] == "succeeded"
    assert [charge["amount"] for charge in shop.charged()] == [150_00]


@pytest.mark.parametrize(
    ("typed", "code", "field"),
    [
        ({"first_on": "2027-01-01"}, "promise_too_late", "first_on"),
        ({"first_on": "2026-11-30"}, "first_date_in_past", "first_on"),
        ({"first_on": ""}, "date_unreadable", "first_on"),
        ({"amount": "1000.01"}, "more_than_owed", "amount"),
        ({"amount": "0"}, "payment_not_positive", "amount"),
        ({"amount": "soon"}, "amount_unreadable", "amount"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused_beside_its_field(sure, shop, typed, code, field):
    page = sure.follow(choose_promise(sure, shop))
    answer = sure.submit(page, having="first_on", **({"amount": "150", "first_on": "2026-12-18"} | typed))
    assert answer.status_code == 422
    assert code in codes_of(answer)
    assert field in answer.context["form"].errors
    assert Arrangement.objects.count() == 0


def test_a_plan_can_be_agreed_to_without_letting_anybody_take_money(sure, shop, rules):
    # EFT-06: the offer is the same for who pays by hand.
    page = to_method(sure, choose(sure, shop, "settlement_parts"), count="3")
    where = page.request["PATH_INFO"].replace("/method/", "/by-hand/")
    page = sure.follow(sure.post(where))
    for words in ("You will pay these by yourself", "$600.00", "You save $400.00", "Nothing is charged today."):
        assert words in text(page)
    page = sure.follow(sure.post(page.request["PATH_INFO"]))
    made = Arrangement.objects.get()
    assert page.request["PATH_INFO"] == f"/plan/{made.pk}/"
    assert (made.kind, made.method_id, made.total_cents) == ("settlement", None, 600_00)
    assert "We take nothing by ourselves" in text(page)
    overview = sure.get(f"/accounts/{shop.account.pk}/")
    assert overview.context["account"]["can_pay"]


def test_somebody_else_s_quote_does_not_exist(sure, shop, other_shop):
    page = sure.follow(choose_promise(sure, shop))
    page = sure.follow(sure.submit(page, having="first_on", amount="150", first_on="2026-12-18"))
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account, level=2)
    for answer in (stranger.get(page.request["PATH_INFO"]), stranger.post(page.request["PATH_INFO"])):
        assert answer.status_code == 404
    assert stranger.get(f"/accounts/{shop.account.pk}/promise/").status_code == 404
    assert Arrangement.objects.count() == 0
