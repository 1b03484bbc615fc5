"""One payment by card at level 1: from the choice to the result, with every way to get it twice tried."""

import datetime as dt
import re

import pytest

from accounts.models import Account, Event
from payments.models import Authorization, Checkout, Payment
from tests.conftest import NOW, make_account
from tests.payments.conftest import DECLINED_MASTERCARD, MASTERCARD, VISA_CREDIT, VISA_DEBIT
from tests.visitor import Forms, Visitor, text


def choose(visitor: Visitor, shop, choice: str = "any", **values):
    """Choose what to pay and land on the next page."""
    page = visitor.get(f"/accounts/{shop.account.pk}/pay/")
    assert page.status_code == 200, page.content.decode()
    return visitor.follow(visitor.submit(page, having="choice", choice=choice, **values))


def give_card(visitor: Visitor, shop, page, number: str = VISA_DEBIT):
    """Post the token that the processor's field made; the number itself never comes here."""
    return visitor.submit(page, having="confirmation_token", confirmation_token=shop.merchant.token(number))


def to_review(visitor: Visitor, shop, number: str = VISA_DEBIT, **values):
    return visitor.follow(give_card(visitor, shop, choose(visitor, shop, **({"amount": "125"} | values)), number))


def test_a_consumer_pays_any_amount_with_a_debit_card(visitor, shop):
    review = to_review(visitor, shop)
    assert "Visa debit ending 5556" in text(review)
    answer = visitor.submit(review, having="agree", agree="on")
    payment = Payment.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/paid/{payment.pk}/")
    page = visitor.follow(answer)
    assert page.context["state"] == "succeeded"
    for words in ("We received your payment", "$125.00", payment.reference, "Visa debit ending 5556"):
        assert words in text(page)
    assert (payment.amount_cents, payment.status, payment.purpose) == (125_00, "succeeded", "amount")
    assert payment.idempotency_key == Checkout.objects.get().pk
    assert [charge["amount"] for charge in shop.charged()] == [125_00]
    account = text(visitor.get(f"/accounts/{shop.account.pk}/"))
    assert f"Received $125.00 on December 1, 2026, reference {payment.reference} ; waiting to be posted." in account
    assert "$875.00" in account


def test_the_settlement_at_once_and_the_full_balance_are_single_payments_too(visitor, shop):
    for choice, cents in (("settlement", 750_00), ("full", 1_000_00)):
        page = choose(visitor, shop, choice)
        assert page.context["today_cents"] == cents
        assert page.request["PATH_INFO"].endswith("/method/")


@pytest.mark.parametrize("name", ["creditor", "original_creditor"])
def test_names_of_creditors_are_masked_until_the_review_must_show_them(visitor, shop, name):
    full = {"creditor": "Harbor Medical", "original_creditor": "Harbor Medical Group"}[name]
    for path in ("/home/", f"/accounts/{shop.account.pk}/", "/help/", f"/accounts/{shop.account.pk}/pay/"):
        assert full not in visitor.get(path).content.decode(), path
    assert "H••• M•••" in visitor.get("/home/").content.decode()
    review = text(to_review(visitor, shop))
    for shown in ("Harbor Medical Group", "100234", "Emergency room visit", "March 14, 2025", "518-555-0100"):
        assert shown in review


def test_the_result_is_the_same_for_a_second_press_the_back_button_and_a_reload(visitor, shop):
    review = to_review(visitor, shop)
    where = [visitor.submit(review, having="agree", agree="on")["Location"] for _ in range(3)]
    assert len(set(where)) == 1
    for path in ("method", "review"):
        back = visitor.get(f"/pay/{Checkout.objects.get().pk}/{path}/")
        assert (back.status_code, back["Location"]) == (302, where[0])
    card_again = visitor.post(f"/pay/{Checkout.objects.get().pk}/method/?way=card", {"confirmation_token": "ctoken_x"})
    assert card_again["Location"] == where[0]
    changed = visitor.get(f"/accounts/{shop.account.pk}/pay/?checkout={Checkout.objects.get().pk}")
    assert changed["Location"] == where[0]
    assert len(shop.charged()) == Payment.objects.count() == 1


def test_two_tabs_with_two_amounts_pay_only_once(visitor, shop):
    one, other = to_review(visitor, shop, amount="125"), to_review(visitor, shop, amount="60")
    paid = visitor.submit(one, having="agree", agree="on")
    refused = visitor.submit(other, having="agree", agree="on")
    assert (paid.status_code, refused.status_code) == (302, 422)
    assert 'data-code="already_paid_since"' in refused.content.decode()
    assert "Pay $60.00 now" not in text(refused)
    assert [charge["amount"] for charge in shop.charged()] == [125_00]


def test_a_text_that_is_not_the_one_shown_is_not_agreed_to(visitor, shop):
    review = to_review(visitor, shop)
    answer = visitor.submit(review, having="agree", agree="on", authorization_sha256="0" * 64)
    assert answer.status_code == 422
    assert 'data-code="text_changed"' in answer.content.decode()
    assert (shop.charged(), Payment.objects.count()) == ([], 0)


def test_without_the_tick_nothing_is_paid_and_the_tick_is_never_set_for_anyone(visitor, shop):
    review = to_review(visitor, shop)
    assert re.search(r'<input[^>]*name="agree"[^>]*checked', review.content.decode()) is None
    answer = visitor.submit(review, having="agree")
    assert answer.status_code == 422
    assert "Tick the box" in text(answer)
    assert (shop.charged(), Authorization.objects.count()) == ([], 0)


def test_a_visa_credit_card_is_refused_before_any_charge_with_the_alternatives_named(visitor, shop):
    answer = give_card(visitor, shop, choose(visitor, shop, amount="125"), VISA_CREDIT)
    assert answer.status_code == 422
    assert 'data-code="visa_credit_not_accepted"' in answer.content.decode()
    for words in ("Nothing was charged", "A Visa debit or prepaid card", "A Mastercard", "Your bank account"):
        assert words in text(answer)
    review = visitor.get(f"/pay/{Checkout.objects.get().pk}/review/")
    assert review["Location"].endswith("/method/")
    assert (shop.charged(), Payment.objects.count()) == ([], 0)


def test_after_a_refused_card_another_one_pays_the_same_checkout(visitor, shop):
    page = choose(visitor, shop, amount="125")
    give_card(visitor, shop, page, VISA_CREDIT)
    review = visitor.follow(give_card(visitor, shop, page, MASTERCARD))
    assert visitor.submit(review, having="agree", agree="on").status_code == 302
    assert Checkout.objects.count() == 1
    assert len(shop.charged()) == 1


def test_a_decline_says_that_nothing_was_taken_and_offers_another_way_with_the_same_choice(visitor, shop):
    review = to_review(visitor, shop, DECLINED_MASTERCARD)
    page = visitor.follow(visitor.submit(review, having="agree", agree="on"))
    assert page.context["state"] == "declined"
    assert "Nothing was charged" in text(page)
    payment = Payment.objects.get()
    assert visitor.get(f"/paid/{payment.pk}/receipt.pdf").status_code == 404
    second = visitor.follow(visitor.post(f"/paid/{payment.pk}/again/"))
    assert second.context["today_cents"] == 125_00
    review = visitor.follow(give_card(visitor, shop, second, MASTERCARD))
    page = visitor.follow(visitor.submit(review, having="agree", agree="on"))
    assert page.context["state"] == "succeeded"
    assert sorted(Payment.objects.values_list("status", flat=True)) == ["declined", "succeeded"]


def test_all_that_is_wrong_with_an_amount_is_said_with_its_code(visitor, shop):
    for typed, code in (
        ("", "amount_unreadable"),
        ("12.345", "amount_unreadable"),
        ("0.50", "amount_too_small"),
        ("1000.01", "more_than_owed"),
    ):
        page = visitor.get(f"/accounts/{shop.account.pk}/pay/")
        answer = visitor.submit(page, having="choice", choice="any", amount=typed)
        assert (typed, answer.status_code) == (typed, 422)
        assert f'data-code="{code}"' in answer.content.decode()
    assert Checkout.objects.exclude(lines=[]).count() == 0


def test_a_written_sum_with_dollar_sign_and_comma_is_understood(visitor, shop):
    Account.objects.update(balance_cents=2_000_00)
    assert choose(visitor, shop, amount=" $1,250.5").context["today_cents"] == 1_250_50


def test_level_one_can_neither_plan_nor_use_a_bank_account(visitor, shop):
    page = visitor.get(f"/accounts/{shop.account.pk}/pay/")
    answer = visitor.submit(page, having="choice", choice="settlement_parts")
    assert (answer.status_code, answer["X-Refusal"]) == (403, "step_up_required")
    assert f"/code/?next=/accounts/{shop.account.pk}/pay/%3Fchoice%3Dsettlement_parts" in answer.content.decode()
    page = choose(visitor, shop, amount="125")
    where = page.request["PATH_INFO"]
    assert "opens after a six-digit code" in text(page)
    for way in ("ach", "stored"):
        for refused in (visitor.get(f"{where}?way={way}"), visitor.post(where, {"way": way})):
            assert (refused.status_code, refused["X-Refusal"]) == (403, "step_up_required")


def test_pci_04_the_card_page_and_no_other_may_load_the_processor_s_script(visitor, shop):
    page = choose(visitor, shop, amount="125")
    origin = shop.program.url
    policy = dict(part.split(" ", 1) for part in page["Content-Security-Policy"].split("; "))
    assert policy["frame-src"] == "https://js.stripe.com"
    assert origin in policy["connect-src"]
    assert "https://js.stripe.com" in policy["script-src"]
    assert "unsafe" not in page["Content-Security-Policy"]
    for path in ("/home/", f"/accounts/{shop.account.pk}/pay/"):
        assert "stripe" not in visitor.get(path)["Content-Security-Policy"]


def test_the_papers_of_this_visit_can_be_saved_at_once_and_later_only_with_a_code(visitor, shop):
    page = visitor.follow(visitor.submit(to_review(visitor, shop), having="agree", agree="on"))
    payment = Payment.objects.get()
    papers = [f"/paid/{payment.pk}/receipt.pdf", f"/authorizations/{payment.authorization_id}.pdf"]
    for path in papers:
        assert path in page.content.decode()
        paper = visitor.get(path)
        assert (paper.status_code, paper["Content-Type"], paper.content[:5]) == (200, "application/pdf", b"%PDF-")
        assert paper["Cache-Control"] == "no-store"
    later = Visitor(shop.agency).sign_in(shop.account)
    for path in [*papers, f"/paid/{payment.pk}/"]:
        refused = later.get(path)
        assert (refused.status_code, refused["X-Refusal"]) == (403, "step_up_required")


def test_a_checkout_of_another_visit_starts_over_and_of_another_consumer_does_not_exist(visitor, shop, other_shop):
    page = choose(visitor, shop, amount="125")
    where = page.request["PATH_INFO"]
    again = Visitor(shop.agency).sign_in(shop.account)
    assert again.get(where)["Location"] == f"/accounts/{shop.account.pk}/pay/"
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account)
    assert stranger.get(where).status_code == 404


def test_what_was_prepared_yesterday_is_chosen_again(visitor, shop, clock):
    clock.move_to(dt.datetime(2026, 12, 2, 4, 55, tzinfo=dt.UTC))  # five to midnight in New York
    visitor = Visitor(shop.agency).sign_in(shop.account)
    review = to_review(visitor, shop)
    clock.shift(dt.timedelta(minutes=10))
    answer = visitor.submit(review, having="agree", agree="on")
    assert answer.status_code == 422
    assert 'data-code="day_has_changed"' in answer.content.decode()
    assert shop.charged() == []


def test_that_payment_began_is_told_once_and_that_it_was_made_ends_the_visit_as_such(visitor, shop):
    review = to_review(visitor, shop)
    choose(visitor, shop, "full")
    assert Event.objects.filter(kind="payment.started").count() == 1
    visitor.submit(review, having="agree", agree="on")
    visit = visitor.visit()
    assert (visit.payment_started_at, visit.payment_made_at) == (NOW, NOW)


def test_seeing_the_offer_is_told(visitor, shop):
    visitor.get(f"/accounts/{shop.account.pk}/")
    visitor.get(f"/accounts/{shop.account.pk}/pay/")
    kinds = list(Event.objects.filter(account=shop.account).order_by("account_seq").values_list("kind", flat=True))
    assert kinds[-2:] == ["offer.viewed", "page.viewed"]
    assert Event.objects.get(kind="page.viewed").data["page"] == "offer"


def test_in_new_york_an_old_debt_is_explained_before_any_payment_page_once_a_visit(visitor, shop):
    Account.objects.update(sol_status="expired")
    pay = f"/accounts/{shop.account.pk}/pay/"
    notice = visitor.follow(visitor.get(pay))
    assert "statute of limitations" in text(notice)
    assert visitor.post(f"/accounts/{shop.account.pk}/age-of-debt/")["Location"] == pay
    assert visitor.get(pay).status_code == 200
    told = Event.objects.filter(kind="sol_notice.acknowledged").first()
    assert "may have expired" in told.data["wording"]
    assert Visitor(shop.agency).sign_in(shop.account).get(pay).status_code == 302


def read_on(visitor: Visitor, notice):
    """Say that the notice about the age of the debt was read."""
    action, fields = next(form for form in Forms.of(notice) if form[0].endswith("/age-of-debt/"))
    return visitor.post(action, fields)


@pytest.mark.parametrize("where", ["pay/?choice=any&amount=40.00", "/pay/together/"])
def test_whoever_has_read_the_notice_about_an_old_debt_goes_on_where_they_were_and_never_elsewhere(
    visitor, shop, where
):
    account = f"/accounts/{shop.account.pk}/"
    make_account(shop.agency, reference="2", consumer=shop.account.consumer, sol_status="live")
    Account.objects.filter(pk=shop.account.pk).update(sol_status="expired")
    if where == "/pay/together/":
        link = re.search(r'href="([^"]+age-of-debt[^"]+)"', visitor.get(where).content.decode())[1]
        notice = visitor.get(link)
    else:
        where = account + where
        notice = visitor.follow(visitor.get(where))
    assert read_on(visitor, notice)["Location"] == where
    sent_away = visitor.post(f"{account}age-of-debt/", {"next": "https://elsewhere.example/"})
    assert sent_away["Location"] == f"{account}pay/"


MASTERCARD_3DS = "5200000000003225"


def asked_by_the_bank(visitor: Visitor, shop):
    """Confirm a card whose bank wants to ask the holder first."""
    with_question = {"number": MASTERCARD_3DS, "brand": "mastercard", "funding": "debit", "outcome": "challenge_always"}
    shop.program.control("POST", "cards", with_question)
    review = to_review(visitor, shop, MASTERCARD_3DS)
    return visitor.follow(visitor.submit(review, having="agree", agree="on"))


def answer_the_bank(shop, outcome: str) -> None:
    intent = Payment.objects.get().processor_ref
    shop.program.control("POST", "challenges", {"intent": intent, "outcome": outcome})


def test_a_bank_s_own_question_is_asked_before_anything_is_said_to_be_paid(visitor, shop):
    page = asked_by_the_bank(visitor, shop)
    assert page.context["state"] == "action_required"
    assert "Nothing is charged yet" in text(page)
    assert shop.program.url in page["Content-Security-Policy"]
    secret = re.search(r'data-next-action-client-secret="([^"]+)"', page.content.decode())[1]
    assert secret == Payment.objects.get().next_action_secret
    unanswered = visitor.follow(visitor.post(page.request["PATH_INFO"]))
    assert unanswered.context["state"] == "action_required"
    answer_the_bank(shop, "complete")
    page = visitor.follow(visitor.post(page.request["PATH_INFO"]))
    assert page.context["state"] == "succeeded"
    assert len(shop.charged()) == 1


def test_a_bank_s_question_answered_with_no_is_a_decline(visitor, shop):
    page = asked_by_the_bank(visitor, shop)
    answer_the_bank(shop, "fail")
    page = visitor.follow(visitor.post(page.request["PATH_INFO"]))
    assert page.context["state"] == "declined"
    assert shop.charged() == []


def test_while_nobody_knows_the_outcome_the_page_asks_not_to_pay_again(visitor, shop):
    review = to_review(visitor, shop)
    shop.program.control("POST", "faults", {"path": "/v1/payment_intents", "mode": "error_500", "times": 9})
    page = visitor.follow(visitor.submit(review, having="agree", agree="on"))
    assert page.context["state"] == "undecided"
    assert "Please do not pay again" in text(page)
    shop.program.control("DELETE", "faults")
    review = to_review(visitor, shop, amount="60")
    assert 'data-code="attempt_undecided"' in review.content.decode()
    assert "Pay $60.00 now" not in text(review)
