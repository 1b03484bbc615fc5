"""Several accounts in one go: one signature that names them all, one charge and one outcome for each."""

import datetime as dt
import re
import threading

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import Account, Client, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Authorization, Checkout, Dispute, LedgerEntry, Method, Payment, ProcessorAccount
from payments.services import together
from payments.services.sign import Refused
from payments.services.together import Share
from tests.conftest import NOW, make_account
from tests.flows.test_pay_once import MASTERCARD_3DS
from tests.payments.conftest import DECLINED_MASTERCARD, MASTERCARD, VISA_CREDIT, VISA_DEBIT
from tests.payments.test_pay_crash import die_at, sweep
from tests.visitor import Visitor, text


def another(shop, reference: str, **values) -> Account:
    """Give the same consumer one more account."""
    return make_account(
        shop.agency, consumer=shop.account.consumer, reference=reference, **{"sol_status": "live"} | values
    )


@pytest.fixture
def second(shop) -> Account:
    return another(shop, "100777", balance_cents=400_00, original_creditor="Lakeside Dental", description="Crown")


@pytest.fixture
def others(other_shop) -> Account:
    """The other agency's consumer has a second account of the same reference too."""
    with acting_for(other_shop.agency):
        return another(other_shop, "100777")


def choose(visitor: Visitor, **amounts):
    """Type an amount beside each account and go on."""
    page = visitor.get("/pay/together/")
    wanted = {f"choice_{key}": "amount" for key in amounts} | {f"amount_{key}": cents for key, cents in amounts.items()}
    return visitor.submit(page, having=f"choice_{next(iter(amounts))}", **wanted)


def both(visitor: Visitor, shop, second: Account, one: str = "125", other: str = "60"):
    return visitor.follow(choose(visitor, **{str(shop.account.pk): one, str(second.pk): other}))


def to_review(visitor: Visitor, shop, second: Account, number: str = VISA_DEBIT, **amounts):
    page = both(visitor, shop, second, **amounts)
    token = shop.merchant.token(number)
    return visitor.follow(visitor.submit(page, having="confirmation_token", confirmation_token=token))


def agree(visitor: Visitor, review):
    return visitor.submit(review, having="agree", agree="on")


def outcomes() -> dict[str, tuple[int, str]]:
    rows = Payment.objects.values_list("account__reference", "amount_cents", "status")
    return {reference: (cents, status) for reference, cents, status in rows}


def test_two_accounts_are_paid_by_one_card_with_one_confirmation(visitor, shop, second, others):
    assert "Pay several accounts in one go" in text(visitor.get("/home/"))
    review = to_review(visitor, shop, second)
    # CARD-02 for each account, and one text that names each with its amount.
    for words in ("Harbor Medical Group", "Lakeside Dental", "100234", "100777", "Emergency room visit", "Crown"):
        assert words in text(review)
    assert "1. $125.00. For: account 100234" in text(review)
    assert "2. $60.00. For: account 100777" in text(review)
    assert "Total: $185.00" in text(review)
    answer = agree(visitor, review)
    group = Payment.objects.values_list("group", flat=True).distinct().get()
    assert (answer.status_code, answer["Location"]) == (302, f"/paid/together/{group}/")
    page = visitor.follow(answer)
    assert (page.context["made"], page.context["failed"], page.context["taken_cents"]) == (2, 0, 185_00)
    assert outcomes() == {"100234": (125_00, "succeeded"), "100777": (60_00, "succeeded")}
    assert [charge["amount"] for charge in shop.charged()] == [125_00, 60_00]
    for payment in Payment.objects.all():
        assert visitor.get(f"/paid/{payment.pk}/receipt.pdf").content[:5] == b"%PDF-"
    assert LedgerEntry.objects.count() == 4


def test_each_account_has_its_own_signature_of_the_one_text_and_its_host_reads_of_no_other(visitor, shop, second):
    agree(visitor, to_review(visitor, shop, second))
    signed = Authorization.objects.all()
    assert {(one.account.reference, one.total_cents) for one in signed} == {("100234", 125_00), ("100777", 60_00)}
    assert len({one.text for one in signed}) == len({one.text_sha256 for one in signed}) == 1
    assert Method.objects.count() == 1
    assert not Method.objects.get().stored
    for account, other in ((shop.account, second), (second, shop.account)):
        for event in Event.objects.filter(account=account):
            assert str(other.pk) not in str(event.data), event.kind
            assert other.reference not in str(event.data), event.kind


def test_a_second_press_and_a_reload_pay_nothing_more(visitor, shop, second):
    review = to_review(visitor, shop, second)
    where = [agree(visitor, review)["Location"] for _ in range(3)]
    assert len(set(where)) == 1
    group = Checkout.objects.values_list("group", flat=True).distinct().get()
    for path in ("method", "review"):
        assert visitor.get(f"/pay/together/{group}/{path}/")["Location"] == where[0]
    assert (len(shop.charged()), Payment.objects.count(), Authorization.objects.count()) == (2, 2, 2)


def test_one_of_several_is_never_confirmed_by_itself(visitor, shop, second):
    to_review(visitor, shop, second)
    checkout = Checkout.objects.filter(account=second).get()
    alone = visitor.get(f"/pay/{checkout.pk}/review/")
    assert alone["Location"] == f"/pay/together/{checkout.group}/review/"


def test_when_the_bank_says_no_to_a_new_card_the_rest_is_not_tried_and_nothing_is_charged(visitor, shop, second):
    page = visitor.follow(agree(visitor, to_review(visitor, shop, second, DECLINED_MASTERCARD)))
    assert "The payments did not go through" in text(page)
    assert "Nothing was charged." in text(page)
    assert "Not tried, because the card was refused." in text(page)
    assert outcomes() == {"100234": (125_00, "declined"), "100777": (60_00, "voided")}
    assert shop.charged() == []
    assert Authorization.objects.filter(revoked_at=None).count() == 0
    page = visitor.follow(agree(visitor, to_review(visitor, shop, second, MASTERCARD)))
    assert page.context["taken_cents"] == 185_00


def test_a_visa_credit_card_is_refused_for_all_before_any_charge(visitor, shop, second):
    page = both(visitor, shop, second)
    token = shop.merchant.token(VISA_CREDIT)
    answer = visitor.submit(page, having="confirmation_token", confirmation_token=token)
    assert answer.status_code == 422
    assert 'data-code="visa_credit_not_accepted"' in answer.content.decode()
    assert (shop.charged(), Payment.objects.count()) == ([], 0)


def test_a_card_that_one_client_does_not_take_pays_none_of_them(visitor, shop, second):
    Account.objects.filter(pk=second.pk).update(debt_type="payday loan")
    page = both(visitor, shop, second)
    answer = visitor.submit(page, having="confirmation_token", confirmation_token=shop.merchant.token(VISA_DEBIT))
    assert 'data-code="visa_not_accepted"' in answer.content.decode()
    assert set(Checkout.objects.values_list("confirmation_token", flat=True)) == {""}


def test_rf_26_a_disputed_account_is_never_offered_and_never_paid(visitor, shop, second):
    review = to_review(visitor, shop, second)
    Dispute.objects.create(account=second, consumer=second.consumer, reason="amount", opened_at=NOW)
    answer = agree(visitor, review)
    assert answer.status_code == 422
    assert 'data-code="dispute_open"' in answer.content.decode()
    assert (shop.charged(), Payment.objects.count(), Authorization.objects.count()) == ([], 0, 0)
    page = visitor.get("/pay/together/")
    assert f"amount_{second.pk}" not in page.content.decode()
    assert "No payment is taken until that is settled." in text(page)
    answer = choose(visitor, **{str(shop.account.pk): "125", str(second.pk): "60"})
    assert answer["Location"] == f"/accounts/{shop.account.pk}/pay/?choice=any&amount=125"
    with acting_for(shop.agency):
        shares = [Share(account=one, choice="amount", amount_cents=10_00) for one in (shop.account, second)]
        found = together.choose(visit=visitor.visit(), shares=shares, now=NOW)
    assert [one.code for one in found[second.pk]] == ["dispute_open"]


@pytest.mark.parametrize("status", ["recalled", "bankruptcy", "attorney", "unmapped"])
def test_an_account_whose_status_forbids_it_stops_all_of_them_at_confirm(visitor, shop, second, status):
    review = to_review(visitor, shop, second)
    Account.objects.filter(pk=second.pk).update(status=status)
    answer = agree(visitor, review)
    assert answer.status_code in (404, 422)
    assert (shop.charged(), Payment.objects.count()) == ([], 0)


def test_too_much_for_one_account_is_said_beside_it_and_nothing_is_begun(visitor, shop, second):
    answer = choose(visitor, **{str(shop.account.pk): "125", str(second.pk): "400.01"})
    assert answer.status_code == 422
    assert 'data-code="more_than_owed"' in answer.content.decode()
    assert Checkout.objects.count() == 0
    assert Event.objects.filter(kind="payment.started").count() == 0


def test_a_settlement_and_an_amount_go_together_and_the_text_says_which_settles(visitor, shop, second):
    page = visitor.get("/pay/together/")
    wanted = {f"choice_{shop.account.pk}": "settlement", f"choice_{second.pk}": "full"}
    page = visitor.follow(visitor.submit(page, having=f"choice_{second.pk}", **wanted))
    assert page.context["today_cents"] == 1_150_00
    token = shop.merchant.token(VISA_DEBIT)
    review = visitor.follow(visitor.submit(page, having="confirmation_token", confirmation_token=token))
    assert "settlement in full of the balance of $1,000.00" in text(review)
    agree(visitor, review)
    assert outcomes() == {"100234": (750_00, "succeeded"), "100777": (400_00, "succeeded")}
    kinds = set(Event.objects.values_list("account__reference", "kind"))
    assert ("100234", "settlement.completed") in kinds
    assert ("100777", "account.paid_in_full") in kinds


def test_a_bank_account_is_handed_to_the_host_for_each_account(sure, shop, second):
    page = sure.get(f"{both(sure, shop, second).request['PATH_INFO']}?way=ach")
    typed = {
        "holder": "Jane Doe",
        "routing_number": "110000000",
        "account_number": "000123456789",
        "account_type": "checking",
    }
    review = sure.follow(sure.submit(page, having="routing_number", **typed))
    assert "checking account ending 6789" in text(review)
    page = sure.follow(agree(sure, review))
    assert outcomes() == {"100234": (125_00, "pending"), "100777": (60_00, "pending")}
    assert Method.objects.count() == 1
    assert page.context["made"] == 2
    assert shop.charged() == []


def test_a_bank_s_question_holds_the_others_until_it_is_answered(visitor, shop, second):
    card = {"number": MASTERCARD_3DS, "brand": "mastercard", "funding": "debit", "outcome": "challenge_always"}
    shop.program.control("POST", "cards", card)
    page = visitor.follow(agree(visitor, to_review(visitor, shop, second, MASTERCARD_3DS)))
    assert page.context["open"] == 2
    assert "Please do not pay again." in text(page)
    asked = Payment.objects.exclude(processor_ref="").get()
    assert f"/paid/{asked.pk}/" in page.content.decode()
    shop.program.control("POST", "challenges", {"intent": asked.processor_ref, "outcome": "complete"})
    answer = visitor.post(f"/paid/{asked.pk}/")
    assert answer["Location"] == f"/paid/together/{asked.group}/"
    assert outcomes()["100234"] == (125_00, "succeeded")


def test_merchant_accounts_that_differ_are_paid_apart(visitor, shop, second):
    with acting_for(shop.agency):
        client = Client.objects.create(connection_id=second.connection_id, number="C2", name="Lakeside")
        Account.objects.filter(pk=second.pk).update(client=client)
        mine = ProcessorAccount.objects.get()
        ProcessorAccount.objects.create(
            name="Own", client=client, account_ref="acct_own", publishable_key="pk", secret_key=mine.secret_key
        )
    answer = choose(visitor, **{str(shop.account.pk): "125", str(second.pk): "60"})
    assert 'data-code="paid_apart"' in answer.content.decode()
    assert Checkout.objects.count() == 0


def test_nobody_else_sees_or_confirms_the_group(visitor, shop, second, other_shop, others):
    review = to_review(visitor, shop, second)
    group = Checkout.objects.values_list("group", flat=True).distinct().get()
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account)
    for path in (f"/pay/together/{group}/method/", f"/pay/together/{group}/review/", f"/paid/together/{group}/"):
        assert stranger.get(path).status_code == stranger.post(path).status_code == 404
    again = Visitor(shop.agency).sign_in(shop.account)
    assert again.get(f"/pay/together/{group}/review/").status_code == 404
    agree(visitor, review)
    refused = again.get(f"/paid/together/{group}/")
    assert (refused.status_code, refused["X-Refusal"]) == (403, "step_up_required")


def confirm(shop, group, visit):
    checkouts = together.load(group=group, visit=visit)
    seen = together.review(checkouts=checkouts, language="en", now=NOW)
    return together.confirm(
        group=group, visit=visit, text_sha256=seen.text_sha256, ip=None, user_agent="test", language="en", now=NOW
    )


def begun(shop, second, number: str = VISA_DEBIT):
    visit = shop.visit(level=1)
    shares = [Share(account=shop.account, choice="amount", amount_cents=125_00)]
    shares.append(Share(account=second, choice="amount", amount_cents=60_00))
    group = together.choose(visit=visit, shares=shares, now=NOW)
    checkouts = together.load(group=group, visit=visit)
    assert together.take_card(checkouts=checkouts, confirmation_token=shop.merchant.token(number), now=NOW) == []
    return group, visit


@pytest.mark.django_db(transaction=True)
def test_two_confirmations_at_the_same_moment_are_the_same_payments(open_shop):
    second = another(open_shop, "100777", balance_cents=400_00)
    group, visit = begun(open_shop, second)
    together_now, errors = threading.Barrier(2), []

    def press():
        try:
            with acting_for(open_shop.agency):
                together_now.wait()
                confirm(open_shop, group, visit)
        except Refused as error:
            errors.append([one.code for one in error.refusals])
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # One that looked in the moment between may read that the other is paying; it never pays again.
    assert all(set(codes) <= {"attempt_undecided", "already_paid_since", "text_changed"} for codes in errors)
    assert sorted(charge["amount"] for charge in open_shop.charged()) == [60_00, 125_00]
    assert outcomes() == {"100234": (125_00, "succeeded"), "100777": (60_00, "succeeded")}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["after_intent_commit", "after_charge", "after_outcome_commit"])
def test_a_process_that_dies_leaves_one_outcome_for_each_account(open_shop, point):
    second = another(open_shop, "100777", balance_cents=400_00)
    group, visit = begun(open_shop, second)
    die_at(point, lambda: confirm(open_shop, group, visit))
    with acting_for(open_shop.agency):
        together.resume(group=group, now=NOW)
    assert outcomes() == {"100234": (125_00, "succeeded"), "100777": (60_00, "succeeded")}
    assert sorted(charge["amount"] for charge in open_shop.charged()) == [60_00, 125_00]


@pytest.mark.django_db(transaction=True)
def test_what_fails_in_the_middle_is_told_plainly_and_the_rest_stands(open_shop, clock):
    second = another(open_shop, "100777", balance_cents=400_00)
    visitor = Visitor(open_shop.agency).sign_in(open_shop.account)
    review = to_review(visitor, open_shop, second, MASTERCARD)
    die_at("after_outcome_commit", lambda: agree(visitor, review))
    empty = {"brand": "mastercard", "funding": "credit", "outcome": "decline", "decline_code": "insufficient_funds"}
    open_shop.program.control("POST", "cards", {"number": MASTERCARD} | empty)
    try:
        page = visitor.follow(agree(visitor, review))
    finally:
        good = {"brand": "mastercard", "funding": "credit", "outcome": "approve"}
        open_shop.program.control("POST", "cards", {"number": MASTERCARD} | good)
    assert outcomes() == {"100234": (125_00, "succeeded"), "100777": (60_00, "declined")}
    assert [charge["amount"] for charge in open_shop.charged()] == [125_00]
    assert "1 of 2 payments was made" in text(page)
    assert "Declined. Nothing was charged for it." in text(page)
    assert "not enough money available" in text(page)


def sweep_all(now):
    """What the money worker does every few seconds."""
    sweep(now)
    with acting_for(ALL_AGENCIES):
        return together.sweep(now=now)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["after_charge", "after_outcome_commit"])
def test_left_alone_after_a_crash_the_rest_is_charged_once_while_what_was_signed_is_fresh(open_shop, point):
    second = another(open_shop, "100777", balance_cents=400_00)
    group, visit = begun(open_shop, second)
    die_at(point, lambda: confirm(open_shop, group, visit))
    soon = NOW + dt.timedelta(minutes=1)
    assert sweep_all(NOW + dt.timedelta(seconds=20)) == 0, "the request may be at work still"
    assert sweep_all(soon) == 1
    assert sweep_all(soon + dt.timedelta(seconds=5)) == 0
    assert outcomes() == {"100234": (125_00, "succeeded"), "100777": (60_00, "succeeded")}
    assert sorted(charge["amount"] for charge in open_shop.charged()) == [60_00, 125_00]
    told = Event.objects.filter(kind="payment.succeeded").values_list("account__reference", flat=True)
    assert sorted(told) == ["100234", "100777"]


@pytest.mark.django_db(transaction=True)
def test_left_alone_after_the_bank_said_no_the_rest_is_never_tried(open_shop):
    second = another(open_shop, "100777", balance_cents=400_00)
    group, visit = begun(open_shop, second, DECLINED_MASTERCARD)
    die_at("after_outcome_commit", lambda: confirm(open_shop, group, visit))
    sweep_all(NOW + dt.timedelta(minutes=1))
    assert outcomes() == {"100234": (125_00, "declined"), "100777": (60_00, "voided")}
    assert open_shop.charged() == []


@pytest.mark.django_db(transaction=True)
def test_left_alone_before_anything_was_charged_nothing_is_charged_without_the_consumer(open_shop):
    second = another(open_shop, "100777", balance_cents=400_00)
    group, visit = begun(open_shop, second)
    die_at("after_intent_commit", lambda: confirm(open_shop, group, visit))
    assert sweep_all(NOW + dt.timedelta(minutes=1)) == 0
    sweep_all(NOW + dt.timedelta(minutes=16))
    assert {status for _cents, status in outcomes().values()} == {"voided"}
    assert open_shop.charged() == []


@pytest.mark.django_db(transaction=True)
def test_left_alone_after_a_crash_what_was_not_charged_is_released(open_shop):
    second = another(open_shop, "100777", balance_cents=400_00)
    group, visit = begun(open_shop, second)
    die_at("after_charge", lambda: confirm(open_shop, group, visit))
    sweep(NOW + dt.timedelta(minutes=16))
    assert outcomes() == {"100234": (125_00, "succeeded"), "100777": (60_00, "voided")}
    assert [charge["amount"] for charge in open_shop.charged()] == [125_00]


def test_the_pages_are_spanish_too(visitor, shop, second):
    visitor.cookies[settings.LANGUAGE_COOKIE_NAME] = "es"
    review = to_review(visitor, shop, second)
    assert "Autorización de varios pagos hechos a la vez" in text(review)
    page = visitor.follow(agree(visitor, review))
    assert "Gracias. Tenemos sus pagos." in text(page)
    assert not re.search(r"\b(Together|Received|Nothing)\b", text(page))
