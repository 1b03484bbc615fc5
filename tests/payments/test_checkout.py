"""The way to a payment: bank accounts, stored cards, what can be used, and what freezes."""

import datetime as dt

import pytest
from django.db import connection

from accounts.models import Agency, Event, Visit
from accounts.tenancy import acting_for
from payments.models import Arrangement, Checkout, Method, Payment
from payments.rules import routing
from payments.services import ask, methods, route, wallet
from payments.services import checkout as checkouts
from settlements.models import IndividualOffer
from tests.conftest import NOW
from tests.payments.conftest import VISA_CREDIT, VISA_DEBIT, today
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_pay import kinds, refused


def begun(shop, choice="amount", lines=None):
    return shop.checkout(choice, lines, card=None)


def test_a_bank_account_is_validated_at_the_processor_and_sealed(shop):
    checkout = shop.checkout(bank="000123456789")
    method = Method.objects.get()
    assert (method.kind, method.last4, method.account_type, method.holder) == ("ach", "6789", "checking", "Jane Doe")
    assert (method.validated_at, method.validation) == (NOW, "instant")
    assert checkout.method == method
    with connection.cursor() as cursor:
        cursor.execute("SELECT routing, number FROM payments_method")
        assert "000123456789" not in str(cursor.fetchall())


@pytest.mark.parametrize(
    ("routing_number", "number", "codes"),
    [
        ("021000022", "000123456789", ["routing_number_check_digit"]),
        ("02100002", "12", ["routing_number_shape", "account_number_shape"]),
        ("110000000", "000666666661", ["bank_not_verified"]),
    ],
)
def test_a_bank_account_that_cannot_be_is_refused_and_not_kept(shop, routing_number, number, codes):
    checkout = begun(shop)
    found = shop.take_bank(checkout, number, routing=routing_number)
    assert [one.code for one in found] == codes
    assert Method.objects.count() == 0


def test_a_bank_account_used_before_is_not_validated_again(shop):
    shop.confirm(shop.checkout(bank="000123456789"))
    shop.program.control("POST", "faults", {"path": "/v1/setup_intents", "mode": "error_503", "times": 5})
    checkout = shop.checkout(bank="000123456789", now=NOW + dt.timedelta(minutes=1))
    assert checkout.method.validation == "known"


def test_a_processor_that_does_not_answer_is_no_validation(shop):
    shop.program.control("POST", "faults", {"path": "/v1/setup_intents", "mode": "drop_before", "times": 5})
    (refusal,) = shop.take_bank(begun(shop))
    assert refusal.code == "processor_unreachable"
    assert Method.objects.count() == 0


def test_another_way_to_pay_wipes_the_bank_account_typed_before(shop):
    checkout = shop.checkout(bank="000123456789")
    assert shop.take_card(checkout, VISA_DEBIT) == []
    method = Method.objects.get()
    assert (method.number, method.wiped_at) == ("", NOW)
    assert (checkout.method, checkout.card["last4"]) == (None, "5556")


def test_an_immediate_bank_debit_is_handed_to_the_host_and_nothing_is_charged_here(shop):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    assert (payment.status, payment.executor, payment.kind) == (Payment.Status.PENDING, "host", "ach")
    assert shop.merchant.ledger() == []
    assert kinds(shop.account) == ["authorization.created", "payment.intended", "payment.pending"]
    told = Event.objects.get(kind="payment.pending").data
    assert (told["executor"], told["amount_cents"], told["last4"]) == ("host", 125_00, "6789")
    assert "000123456789" not in str(told)
    assert payment.authorization.sec_code == "WEB"
    assert payment.entries.count() == 0


def test_parts_from_a_bank_account_are_all_the_hosts_on_banking_days(shop):
    agree_to_email(shop)
    lines = [(today(), 700_00), (dt.date(2026, 12, 5), 50_00)]
    shop.confirm(shop.checkout("parts", lines, bank="000123456789"))
    postdate = Arrangement.objects.get().postdates.get()
    # Saturday the 5th is rolled forward to Monday.
    assert (postdate.due_on, postdate.executor) == (dt.date(2026, 12, 7), "host")
    told = Event.objects.get(kind="postdate.scheduled").data
    assert told["kind"] == "ach"
    assert "token" not in told


def test_a_bank_debit_of_our_own_is_pending_until_the_bank_answers(shop, monkeypatch):
    ours = routing.SCOLLECT | {routing.RouteKey("ach", "immediate"): routing.Route("portal", "portal")}
    monkeypatch.setattr(route, "table", lambda account: ours)
    payment = shop.confirm(shop.checkout(bank="000222222227"))
    assert (payment.status, payment.executor) == (Payment.Status.PENDING, "portal")
    assert payment.processor_ref.startswith("pi_")
    assert kinds(shop.account)[-1] == "payment.pending"
    shop.program.control("POST", "settle", {"payment_intent": payment.processor_ref})
    found = ask.look(payment_id=payment.pk, now=NOW)
    assert (found.status, found.network_decline_code) == (Payment.Status.RETURNED, "R01")
    assert kinds(shop.account)[-1] == "payment.returned"


def test_a_stored_card_can_be_used_again_by_a_confirmed_visit_only(shop):
    shop.confirm(shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 4), 50_00)]))
    later = NOW + dt.timedelta(minutes=1)
    stored = Method.objects.get()
    weak = shop.checkout(lines=[(today(), 25_00)], level=1, card=None, now=later)
    (refusal,) = checkouts.take_stored(checkout=weak, method_id=stored.pk, now=later)
    assert refusal.code == "step_up_required"
    checkout = shop.checkout(lines=[(today(), 25_00)], card=None, now=later)
    assert checkouts.take_stored(checkout=checkout, method_id=stored.pk, now=later) == []
    payment = shop.confirm(checkout, now=later)
    assert (payment.status, payment.method) == (Payment.Status.SUCCEEDED, stored)
    assert len(shop.charged()) == 2


def test_a_kept_bank_account_can_be_used_again_until_it_is_removed(shop):
    checkout = shop.checkout(bank="000123456789")
    Method.objects.update(stored=True)
    (kept,) = methods.usable_for(shop.account)
    shop.confirm(checkout)
    later = NOW + dt.timedelta(minutes=1)
    weak = shop.checkout(lines=[(today(), 25_00)], level=1, card=None, now=later)
    (refusal,) = checkouts.take_stored(checkout=weak, method_id=kept.pk, now=later)
    assert refusal.code == "step_up_required"
    again = shop.checkout(lines=[(today(), 25_00)], card=None, now=later)
    assert checkouts.take_stored(checkout=again, method_id=kept.pk, now=later) == []
    payment = shop.confirm(again, now=later)
    assert (payment.kind, payment.method, payment.executor) == ("ach", kept, "host")
    # The host shows both payments: the number stays, because the consumer keeps it.
    assert methods.wipe_acknowledged(method_id=kept.pk, now=later) is False
    assert Method.objects.get().number == "000123456789"
    wallet.remove(method=kept, by="consumer:1", now=later)
    (refusal,) = checkouts.take_stored(checkout=begun(shop), method_id=kept.pk, now=later)
    assert refusal.code == "method_unknown"


def test_another_consumers_stored_card_is_unknown(shop, other_shop):
    checkout = begun(shop)
    with acting_for(other_shop.agency):
        theirs = other_shop.confirm(
            other_shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 4), 50_00)])
        ).method_id
    (refusal,) = checkouts.take_stored(checkout=checkout, method_id=theirs, now=NOW)
    assert refusal.code == "method_unknown"


def test_what_was_confirmed_is_frozen(shop):
    checkout = shop.checkout()
    shop.confirm(checkout)
    with pytest.raises(methods.Confirmed):
        checkouts.set_paper(checkout=checkout, paper=True)
    with pytest.raises(methods.Confirmed):
        checkouts.choose(checkout=checkout, choice="amount", lines=[(today(), 50_00)], now=NOW)
    assert Checkout.objects.get(pk=checkout.pk).lines == [["2026-12-01", 125_00]]


def test_nobody_is_asked_to_sign_a_text_that_lacks_something(shop):
    checkout = shop.checkout()
    Agency.objects.filter(pk=shop.agency.pk).update(address="")
    seen = checkouts.review(checkout, language="en", now=NOW)
    assert ([one.code for one in seen.refusals], seen.text) == (["authorization_incomplete"], "")
    assert refused(shop.confirm, checkout) == ["authorization_incomplete"]


def test_the_review_shows_all_that_is_agreed_to(shop):
    seen = checkouts.review(shop.checkout("parts", paper=True), language="en", now=NOW)
    assert seen.refusals == []
    assert (seen.amount_now_cents, seen.total_cents, seen.saving_cents) == (125_00, 750_00, 250_00)
    assert seen.settlement_of_cents == 1_000_00
    assert [line.notice for line in seen.lines] == [""] + ["letter"] * 5
    assert seen.means.label() == "Visa debit ending 5556"
    assert seen.means.label("es") == "Visa de débito terminada en 5556"
    assert "Payments:\n1. December 1, 2026: $125.00\n2. January 1, 2027: $125.00" in seen.text


def test_a_checkout_prepared_yesterday_is_chosen_again_today(shop):
    tomorrow = NOW + dt.timedelta(days=1)
    assert "day_has_changed" in refused(shop.confirm, shop.checkout(), now=tomorrow)


def test_the_first_choice_of_a_visit_is_told_as_a_payment_started(shop):
    checkout = begun(shop)
    checkouts.choose(checkout=checkout, choice="full", now=NOW)
    (told,) = Event.objects.filter(kind="payment.started")
    assert (told.data["choice"], told.data["amount_cents"]) == ("amount", 125_00)
    assert Visit.objects.get().payment_started_at == NOW


def test_a_made_payment_is_not_an_abandoned_one(shop):
    checkout = shop.checkout()
    shop.confirm(checkout)
    assert Visit.objects.get(pk=checkout.visit_id).payment_made_at == NOW


def test_the_hosts_ban_on_a_method_is_obeyed(shop):
    type(shop.account).objects.filter(pk=shop.account.pk).update(payment_options={"single_card": False})
    shop.account.refresh_from_db()
    checkout = begun(shop)
    card, bank = checkouts.ways(checkout=checkout, now=NOW)
    assert (card.available, bank.available) == (False, True)
    assert [one.code for one in shop.take_card(checkout, VISA_DEBIT)] == ["method_not_allowed"]


def offer(account, **values):
    values = {"origin": "staff", "amount_cents": 600_00, "max_payments": 3, "max_days": 120, "made_at": NOW} | values
    return IndividualOffer.objects.create(account=account, **values)


@pytest.mark.parametrize("method", ["card", "ach"])
@pytest.mark.parametrize("choice", ["settlement", "parts"])
def test_an_offer_for_one_method_is_taken_by_that_method_and_shows_no_other(shop, choice, method):
    offer(shop.account, methods=[method])
    agree_to_email(shop)
    checkout = shop.checkout(choice, card=None)
    assert sum(line[1] for line in checkout.lines) == 600_00
    assert [way.code for way in checkouts.ways(checkout=checkout, now=NOW) if way.available] == [method]
    other = shop.take_bank(checkout) if method == "card" else shop.take_card(checkout, VISA_DEBIT)
    assert "method_not_allowed" in [one.code for one in other]
    assert (shop.take_card(checkout, VISA_DEBIT) if method == "card" else shop.take_bank(checkout)) == []
    assert checkouts.review(checkout, language="en", now=NOW).refusals == []


def test_a_credit_card_is_not_refused_with_a_bank_account_that_the_offer_does_not_take_card_01(shop):
    offer(shop.account, methods=["card"])
    (refusal,) = shop.take_card(shop.checkout("settlement", card=None), VISA_CREDIT)
    assert refusal.code == "visa_credit_not_accepted"
    assert "your bank account" not in refusal.params["alternatives"]
