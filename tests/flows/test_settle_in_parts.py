"""The main job: $1,000.00 settled for $750.00 as six payments of $125.00, in the consumer's own words and dates."""

import datetime as dt
import re

import pytest

from accounts.models import Consent, ContactPoint, Event
from payments.models import Arrangement, Checkout, HostItem, Notice, Payment, Postdate
from settlements.models import IndividualOffer
from settlements.services import offers
from tests.conftest import NOW
from tests.flows.test_pay_once import choose, give_card
from tests.visitor import Visitor, text

DATES = ["2026-12-01", "2027-01-01", "2027-02-01", "2027-03-01", "2027-04-01", "2027-05-01"]


def values(amounts=("125.00",) * 6, dates=DATES) -> dict[str, str]:
    found = {f"date_{number}": day for number, day in enumerate(dates, 1)}
    return found | {f"amount_{number}": amount for number, amount in enumerate(amounts, 1)}


def go_on(visitor: Visitor, page, **changed):
    """Press a button of the adjust page, with what its radios and its list show, or something else."""
    typed = {name: page.context["typed"][name] for name in ("how", "frequency")}
    return visitor.submit(page, having="count", **(typed | {"action": "continue"} | changed))


def by_hand(visitor: Visitor, page):
    """Go over to the page of own dates and amounts."""
    return visitor.follow(go_on(visitor, page, action="own"))


def write(visitor: Visitor, page, action: str = "continue", **changed):
    return visitor.submit(page, having="date_1", action=action, **changed)


def planned(page) -> list[tuple[str, int]]:
    """Read the payments that the page shows: day and cents."""
    return [(line["on"].isoformat(), line["amount_cents"]) for line in page.context["preview"]["lines"]]


def codes_of(page) -> list[str]:
    return re.findall(r'data-code="(\w+)"', page.content.decode())


def agree_to_mail(visitor: Visitor, page):
    """Have the document sent, read the code in it, agree."""
    with visitor.catching_mail():
        page = visitor.follow(visitor.submit(page, having="action", action="send"))
    shown = visitor.mail[-1][1]
    return visitor.submit(page, having="code", code=shown, agree="on", action="agree")


def arranged(visitor: Visitor, shop):
    """Do all of it and return the result page."""
    page = visitor.follow(go_on(visitor, choose(visitor, shop, "settlement_parts")))
    page = visitor.follow(agree_to_mail(visitor, page))
    review = visitor.follow(give_card(visitor, shop, page))
    return visitor.follow(visitor.submit(review, having="agree", agree="on"))


def test_the_global_offer_is_six_payments_of_125_dollars_within_180_days(sure, shop):
    page = sure.get(f"/accounts/{shop.account.pk}/")
    assert page.context["offer"] == {
        "amount_cents": 750_00,
        "saving_cents": 250_00,
        "parts": 6,
        "part_cents": 125_00,
        "last_on": dt.date(2027, 5, 30),
        "text": "",
        "why": page.context["offer"]["why"],
    }
    assert page.context["offer"]["why"].endswith(".")
    page = choose(sure, shop, "settlement_parts")
    assert planned(page) == [(day, 125_00) for day in DATES]
    rows = by_hand(sure, page).context["rows"]
    assert [(row["on"], row["amount"]) for row in rows] == [(day, "125.00") for day in DATES]


def test_the_host_s_own_offer_replaces_all_of_it(sure, shop):
    IndividualOffer.objects.create(
        account=shop.account, origin="host", amount_cents=600_00, max_payments=2, max_days=60, made_at=NOW
    )
    page = choose(sure, shop, "settlement_parts")
    assert planned(page) == [("2026-12-01", 300_00), ("2027-01-01", 300_00)]
    page = by_hand(sure, page)
    assert page.context["limits"] == {
        "first_on": "2026-12-01",
        "last_on": "2027-01-30",
        "max_parts": 2,
        "minimum_cents": 1_00,
    }


def test_the_whole_way_leaves_one_charge_an_arrangement_five_postdates_and_their_notices(sure, shop):
    page = arranged(sure, shop)
    assert page.context["state"] == "succeeded"
    assert [item["amount_cents"] for item in page.context["later"]] == [125_00] * 5
    assert [(charge["amount"], charge["credential"]) for charge in shop.charged()] == [(125_00, "portal")]
    arrangement = Arrangement.objects.get()
    assert (arrangement.kind, arrangement.total_cents, arrangement.saving_cents) == ("settlement", 750_00, 250_00)
    planned = Postdate.objects.order_by("due_on")
    assert [day.due_on.isoformat() for day in planned] == DATES[1:]
    assert set(Notice.objects.values_list("channel", "owner")) == {("email", "portal")}
    assert Notice.objects.count() == 5
    consent = Consent.objects.get(kind="esign")
    assert (consent.granted, consent.demonstrated, consent.language) == (True, True, "en")
    for part in ("Paper is your right", "Change your mind", "What you need", "Acme Recovery LLC"):
        assert part in consent.wording


def test_the_consent_is_asked_once(sure, shop):
    page = sure.follow(go_on(sure, choose(sure, shop, "settlement_parts")))
    assert agree_to_mail(sure, page)["Location"].endswith("/method/")
    again = go_on(sure, choose(sure, shop, "settlement_parts"))
    assert again["Location"].endswith("/method/")


def test_no_later_payment_is_planned_before_the_consumer_said_email_or_letters(sure, shop):
    page = choose(sure, shop, "settlement_parts")
    checkout = Checkout.objects.get()
    assert go_on(sure, page)["Location"] == f"/pay/{checkout.pk}/documents/"
    # Going round the page by its address ends at the review, which cannot be confirmed.
    page = sure.get(f"/pay/{checkout.pk}/method/")
    review = sure.follow(give_card(sure, shop, page))
    assert "paper_or_email" in codes_of(review)
    assert sure.post(f"/pay/{checkout.pk}/review/", {"agree": "on"}).status_code == 422
    assert (shop.charged(), Payment.objects.count()) == ([], 0)


def test_letters_instead_of_email_owe_a_letter_before_each_far_payment(sure, shop):
    page = sure.follow(go_on(sure, choose(sure, shop, "settlement_parts")))
    page = sure.follow(sure.post(page.request["PATH_INFO"], {"action": "decline"}))
    review = sure.follow(give_card(sure, shop, page))
    assert text(review).count("a letter comes before it") == 5
    page = sure.follow(sure.submit(review, having="agree", agree="on"))
    assert page.context["state"] == "succeeded"
    letters = Event.objects.filter(kind="letter.required").order_by("account_seq")
    assert [event.data["type"] for event in letters] == ["predebit"] * 5
    assert letters[0].data["send_by"] == "2026-12-18"
    assert Consent.objects.count() == 0


def test_a_payment_too_near_for_a_letter_sends_back_to_the_dates_with_the_reason(sure, shop):
    page = by_hand(sure, choose(sure, shop, "settlement_parts"))
    near = values(dates=["2026-12-01", "2026-12-09", *DATES[2:]])
    page = sure.follow(write(sure, page, **near))
    page = sure.follow(sure.post(page.request["PATH_INFO"], {"action": "decline"}))
    assert page.request["PATH_INFO"].endswith("/dates/")
    assert codes_of(page) == ["letter_too_late"]


def test_a_wrong_code_of_the_document_is_no_consent_and_the_step_up_code_is_none_either(sure, shop):
    page = sure.follow(go_on(sure, choose(sure, shop, "settlement_parts")))
    with sure.catching_mail():
        sure.submit(page, having="action", action="send")
    wrong = f"{(int(sure.mail[-1][1]) + 1) % 10**6:06d}"
    for typed, tick, field in ((wrong, "on", "code"), (sure.mail[0][1], "on", "code"), (sure.mail[-1][1], "", "agree")):
        answer = sure.post(page.request["PATH_INFO"], {"action": "agree", "code": typed, "agree": tick})
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
    assert Consent.objects.count() == 0


def test_without_an_address_only_letters_are_offered(sure, shop):
    page = choose(sure, shop, "settlement_parts")
    ContactPoint.objects.update(opted_out_at=NOW)
    page = sure.follow(go_on(sure, page))
    assert "Send me the document" not in text(page)
    assert sure.post(page.request["PATH_INFO"], {"action": "decline"})["Location"].endswith("/method/")


def test_dates_and_amounts_may_be_changed_within_the_limits(sure, shop):
    page = choose(sure, shop, "settlement_parts")
    own = values(("200", "$150.00", "400"), ["2026-12-01", "2026-12-15", "2027-05-30"])
    checkout = Checkout.objects.get()
    answer = sure.post(f"/pay/{checkout.pk}/dates/", own | {"action": "continue"})
    assert answer.status_code == 302
    checkout.refresh_from_db()
    assert checkout.lines == [["2026-12-01", 200_00], ["2026-12-15", 150_00], ["2027-05-30", 400_00]]
    assert page.status_code == 200


def test_all_refusals_of_a_schedule_come_at_once_and_beside_their_fields(sure, shop):
    page = by_hand(sure, choose(sure, shop, "settlement_parts"))
    bad = values(
        ("125.00", "10.00", "125.00", "125.00", "125.00", "100.00"),
        ["2026-12-01", "2027-01-01", "2026-12-31", "2027-03-01", "2027-04-01", "2027-06-15"],
    )
    answer = write(sure, page, **bad)
    assert answer.status_code == 422
    found = set(codes_of(answer))
    assert found == {"sum_not_exact", "payment_below_minimum", "dates_not_rising", "last_date_too_late"}
    rows = answer.context["rows"]
    assert [(row["number"], len(row["date_errors"]), len(row["amount_errors"])) for row in rows] == [
        (1, 0, 0),
        (2, 0, 1),
        (3, 1, 0),
        (4, 0, 0),
        (5, 0, 0),
        (6, 1, 0),
    ]
    assert [row["amount"] for row in rows] == ["125.00", "10.00", "125.00", "125.00", "125.00", "100.00"]
    assert 'href="#id_amount_2"' in answer.content.decode()
    assert [cents for _day, cents in Checkout.objects.get().lines] == [125_00] * 6


def test_what_cannot_be_read_is_said_for_every_row(sure, shop):
    page = by_hand(sure, choose(sure, shop, "settlement_parts"))
    answer = write(sure, page, amount_2="lots", date_3="tomorrow", amount_5="")
    assert codes_of(answer) == ["amount_unreadable", "date_unreadable", "amount_unreadable"]


def test_a_payment_is_removed_by_emptying_it_and_added_by_a_button(sure, shop):
    page = by_hand(sure, choose(sure, shop, "settlement_parts"))
    page = write(sure, page, action="add", date_6="", amount_6="")
    assert [row["on"] for row in page.context["rows"]] == [*DATES[:5], ""]
    answer = write(sure, page, amount_5="250.00")
    assert answer.status_code == 302
    assert Checkout.objects.get().lines == [[day, 125_00] for day in DATES[:4]] + [[DATES[4], 250_00]]


def test_another_number_of_payments_is_spread_evenly(sure, shop):
    page = choose(sure, shop, "settlement_parts")
    page = go_on(sure, page, count="4", action="show")
    assert planned(page) == [(day, 187_50) for day in DATES[:4]]
    assert len(Checkout.objects.get().lines) == 6


def test_a_change_is_checked_on_the_way_without_being_kept(sure, shop):
    choose(sure, shop, "settlement_parts")
    path = f"/pay/{Checkout.objects.get().pk}/dates/"
    typed = values(("100.00", *["125.00"] * 5)) | {"action": "recalculate"}
    part = sure.post(path, typed, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.content.decode()
    assert "Still missing" in text(part)
    assert codes_of(part) == ["sum_not_exact"]
    assert Checkout.objects.get().lines[0][1] == 125_00


def test_an_offer_that_the_host_withdrew_meanwhile_cannot_be_confirmed(sure, shop):
    page = sure.follow(go_on(sure, choose(sure, shop, "settlement_parts")))
    page = sure.follow(agree_to_mail(sure, page))
    review = sure.follow(give_card(sure, shop, page))
    offers.set_default(values={"enabled": False}, by="test", now=NOW)
    answer = sure.submit(review, having="agree", agree="on")
    assert answer.status_code == 422
    assert "no_settlement" in codes_of(answer)
    assert (shop.charged(), Arrangement.objects.count()) == ([], 0)


def test_a_declined_first_payment_leaves_no_plan(sure, shop):
    page = sure.follow(go_on(sure, choose(sure, shop, "settlement_parts")))
    page = sure.follow(agree_to_mail(sure, page))
    review = sure.follow(give_card(sure, shop, page, "5200828282829994"))
    page = sure.follow(sure.submit(review, having="agree", agree="on"))
    assert page.context["state"] == "declined"
    assert (Arrangement.objects.count(), Postdate.objects.count()) == (0, 0)
    again = sure.follow(sure.post(f"/paid/{Payment.objects.get().pk}/again/"))
    assert len(again.context["later"]) == 5


def test_a_bank_account_is_checked_masked_and_handed_to_the_host(sure, shop):
    page = choose(sure, shop, amount="50")
    path = page.request["PATH_INFO"]
    typed = {
        "way": "ach",
        "holder": "Jane Doe",
        "routing_number": "110000001",
        "account_number": "12",
        "account_type": "checking",
    }
    refused = sure.post(path, typed)
    assert refused.status_code == 422
    assert set(codes_of(refused)) == {"routing_number_check_digit", "account_number_shape"}
    good = typed | {"routing_number": "110 000 000", "account_number": "000-123456789"}
    review = sure.follow(sure.post(path, good))
    assert "checking account ending 6789" in text(review)
    assert "000123456789" not in review.content.decode()
    page = sure.follow(sure.submit(review, having="agree", agree="on"))
    assert page.context["state"] == "handed_over"
    assert shop.charged() == []
    assert Payment.objects.get().executor == "host"
    overview = text(sure.get(f"/accounts/{shop.account.pk}/"))
    assert "is on its way" in overview
    assert "$950.00" in overview


def test_a_wrong_bank_number_is_not_sent_back_to_the_browser(sure, shop):
    page = choose(sure, shop, amount="50")
    typed = {"way": "ach", "holder": "", "routing_number": "110000000", "account_number": "000123456789"}
    answer = sure.post(page.request["PATH_INFO"], typed)
    assert answer.status_code == 422
    assert "000123456789" not in answer.content.decode()


@pytest.fixture
def shown_by_host(sure, shop):
    """The host shows the first payment posted and the five others pending, and things the tabs must not show."""
    arranged(sure, shop)
    payment = Payment.objects.get()
    rows = [("payment", payment.pk, dt.date(2026, 12, 1), "POSTED")]
    rows += [("postdate", one.pk, one.due_on, "PENDING") for one in Postdate.objects.order_by("due_on")]
    rows += [
        ("payment", None, dt.date(2026, 11, 2), "PROCESSED"),
        ("payment", None, dt.date(2026, 10, 2), "DECLINED"),
        ("payment", None, dt.date(2026, 9, 2), "CHARGEBACK"),
        ("payment", None, dt.date(2026, 8, 2), "ACH REVERSAL"),
        ("payment", None, dt.date(2026, 7, 2), "REFUND"),
        ("postdate", None, dt.date(2027, 9, 2), "CANCELLED"),
    ]
    for number, (kind, portal_id, day, status) in enumerate(rows):
        HostItem.objects.create(
            account=shop.account,
            kind=kind,
            host_id=f"SC-{number}",
            portal_id=portal_id,
            matched=portal_id is not None,
            on=day,
            amount_cents=125_00,
            method="ACH" if status == "ACH REVERSAL" else "CARD",
            last4="4321",
            status=status,
            updated_at=NOW,
        )
    return payment


def test_the_payments_tab_shows_the_five_statuses_and_nothing_else(sure, shop, shown_by_host):
    page = sure.get(f"/accounts/{shop.account.pk}/payments/")
    assert [row["status"] for row in page.context["payments"]] == [
        "POSTED",
        "DECLINED",
        "CHARGEBACK",
        "ACH REVERSAL",
        "REFUND",
    ]
    assert "Visa debit ending 5556" in text(page)
    assert "Bank account ending 4321" in text(page)
    assert shown_by_host.reference in text(page)


def test_the_post_dates_tab_shows_pending_and_nothing_else(sure, shop, shown_by_host):
    page = sure.get(f"/accounts/{shop.account.pk}/post-dates/")
    assert [row["on"].isoformat() for row in page.context["postdates"]] == DATES[1:]
    assert {row["notice"] for row in page.context["postdates"]} == {"email"}
    assert page.context["total_cents"] == 625_00


def test_cancelling_asks_once_more_then_holds_here_and_asks_the_host(sure, shop, shown_by_host):
    first = Postdate.objects.order_by("due_on").first()
    path = f"/post-dates/{first.pk}/cancel/"
    page = sure.get(path)
    assert "part of a settlement" in text(page)
    assert Postdate.objects.get(pk=first.pk).status == "scheduled"
    for _ in range(2):
        answer = sure.post(path)
        assert answer["Location"] == f"/accounts/{shop.account.pk}/post-dates/"
    assert Postdate.objects.get(pk=first.pk).status == "cancel_req"
    assert Event.objects.filter(kind="postdate.cancel_requested").count() == 1
    page = sure.follow(answer)
    assert [row["cancel_requested"] for row in page.context["postdates"]] == [True, False, False, False, False]
    assert "Cancelling" in text(page)


def test_a_planned_payment_that_the_consumer_makes_by_themselves_can_be_cancelled_too(sure, shop, shown_by_host):
    Postdate.objects.update(method=None, executor="consumer")
    first = Postdate.objects.order_by("due_on").first()
    page = sure.get(f"/post-dates/{first.pk}/cancel/")
    assert (page.status_code, "Visa" in text(page)) == (200, False)
    assert "Scheduled payments" in text(page)
    plan = sure.follow(sure.post(f"/post-dates/{first.pk}/cancel/"))
    assert plan.request["PATH_INFO"] == f"/plan/{first.arrangement_id}/"
    assert "This payment is cancelled. Nothing is taken for it." in text(plan)
    assert Postdate.objects.get(pk=first.pk).status == "cancelled"


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [
        ({"status": "taken"}, "postdate_decided", "It is taken or decided already: nothing was cancelled."),
        ({"status": "cancelled"}, "postdate_not_planned", "It is not planned any more"),
        (
            {"status": "cancel_req", "replacement": {"batch": "1", "lines": []}},
            "postdate_changing",
            "It is being changed",
        ),
    ],
)
def test_a_payment_that_cannot_be_cancelled_any_more_says_so_instead_of_the_question(
    sure, shop, shown_by_host, values, code, said
):
    first = Postdate.objects.order_by("due_on").first()
    path = f"/post-dates/{first.pk}/cancel/"
    Postdate.objects.filter(pk=first.pk).update(**values)
    for page in (sure.get(path), sure.post(path)):
        assert page.status_code == 422
        assert f'data-code="{code}"' in page.content.decode()
        assert said in text(page)
        assert "Yes, cancel it" not in text(page)
    assert Postdate.objects.get(pk=first.pk).status == values["status"]
    assert not Event.objects.filter(kind__startswith="postdate.cancel").exists()


def test_what_the_host_does_not_show_yet_can_be_cancelled_from_the_plan(sure, shop):
    arranged(sure, shop)
    assert sure.get(f"/accounts/{shop.account.pk}/post-dates/").context["postdates"] == []
    overview = sure.get(f"/accounts/{shop.account.pk}/")
    where = f"/plan/{Arrangement.objects.get().pk}/"
    assert where in overview.content.decode()
    page = sure.get(where)
    assert [item["on"].isoformat() for item in page.context["items"]] == DATES
    assert [item["state"] for item in page.context["items"]] == ["paid", *["planned"] * 5]
    first = Postdate.objects.order_by("due_on").first()
    assert f"/post-dates/{first.pk}/cancel/" in page.content.decode()
    sure.post(f"/post-dates/{first.pk}/cancel/")
    assert [item["state"] for item in sure.get(where).context["items"]][:3] == ["paid", "cancelling", "planned"]


def test_the_plan_says_how_far_it_is_and_what_comes_next(sure, shop):
    arranged(sure, shop)
    page = sure.get(f"/plan/{Arrangement.objects.get().pk}/")
    plan = page.context["plan"]
    assert (plan["paid_cents"], plan["rest_cents"], plan["saving_cents"]) == (125_00, 625_00, 250_00)
    assert plan["next"]["on"] == dt.date(2027, 1, 1)
    assert "$125.00 paid of $750.00. $625.00 to go." in text(page)
    assert "You need do nothing" in text(page)


def test_another_consumer_s_post_date_cannot_even_be_seen(sure, shop, shown_by_host, other_shop):
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account)
    stranger.step_up(other_shop.account)
    assert stranger.post(f"/post-dates/{Postdate.objects.first().pk}/cancel/").status_code == 404
    assert Postdate.objects.filter(status="cancel_req").count() == 0


def test_while_a_plan_runs_no_second_one_is_offered(sure, shop, shown_by_host):
    page = sure.get(f"/accounts/{shop.account.pk}/")
    assert page.context["offer"] is None
    assert page.context["plan"]["next"]["on"] == dt.date(2027, 1, 1)
    # What a settlement leaves over is forgiven at its end, so nothing asks for it meanwhile.
    assert page.context["account"]["cannot_pay"] == "arranged"
    assert sure.get(f"/accounts/{shop.account.pk}/pay/")["Location"] == f"/accounts/{shop.account.pk}/"
    home = sure.get("/home/")
    assert home.context["accounts"][0]["next_step"] == "postdate"
