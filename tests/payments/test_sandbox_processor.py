"""What the sandbox processor promises to everything that speaks to it."""

import itertools
import re

import pytest
import stripe

from .sandbox_program import Merchant, Program

names = (f"m{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    running = Program(tmp_path_factory.mktemp("processor"))
    yield running
    running.kill()


@pytest.fixture
def merchant(program) -> Merchant:
    return program.merchant(next(names))


def declined(merchant, number, **more):
    with pytest.raises(stripe.CardError) as caught:
        merchant.v1.payment_intents.create(merchant.payment(number, **more))
    return caught.value


def test_a_card_payment_succeeds_and_the_ledger_names_its_credential_and_key(merchant):
    intent = merchant.v1.payment_intents.create(
        merchant.payment(metadata={"payment": "p-1"}, expand=["latest_charge"]), {"idempotency_key": "key-1"}
    )
    assert (intent.status, intent.amount_received) == ("succeeded", 50_00)
    card = intent.latest_charge.payment_method_details.card
    assert (card.brand, card.funding, card.last4) == ("visa", "credit", "4242")
    assert re.fullmatch(r"\d{15}", card.network_transaction_id)
    assert intent.latest_charge.outcome.type == "authorized"
    (entry,) = merchant.ledger()
    assert (entry["credential"], entry["idempotency_key"], entry["amount"], entry["metadata"]) == (
        "portal",
        "key-1",
        50_00,
        {"payment": "p-1"},
    )


def test_latest_charge_is_an_id_unless_expanded(merchant):
    intent = merchant.v1.payment_intents.create(merchant.payment())
    assert intent.latest_charge.startswith("ch_")


def test_a_token_shows_the_card_before_it_is_charged_and_works_once(merchant):
    token = merchant.token("5105105105105100")
    card = merchant.v1.confirmation_tokens.retrieve(token).payment_method_preview.card
    assert (card.brand, card.funding, card.last4, card.exp_month, card.exp_year) == (
        "mastercard",
        "prepaid",
        "5100",
        12,
        2034,
    )
    merchant.v1.payment_intents.create({**merchant.payment(), "confirmation_token": token})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.create({**merchant.payment(), "confirmation_token": token})
    assert caught.value.param == "confirmation_token"
    assert len(merchant.charged()) == 1


@pytest.mark.parametrize(
    ("number", "brand", "funding"),
    [
        ("4242424242424242", "visa", "credit"),
        ("4000056655665556", "visa", "debit"),
        ("5555555555554444", "mastercard", "credit"),
        ("5200828282828210", "mastercard", "debit"),
        ("378282246310005", "amex", "credit"),
        ("6011111111111117", "discover", "credit"),
        ("5105105105105100", "mastercard", "prepaid"),
    ],
)
def test_each_test_card_has_its_brand_and_funding(merchant, number, brand, funding):
    token = merchant.token(number, cvc="1234" if brand == "amex" else "123")
    card = merchant.v1.confirmation_tokens.retrieve(token).payment_method_preview.card
    assert (card.brand, card.funding, card.last4) == (brand, funding, number[-4:])


@pytest.mark.parametrize(
    ("number", "code", "decline_code", "advice_code", "network_decline_code"),
    [
        ("4000000000000002", "card_declined", "generic_decline", "try_again_later", "05"),
        ("4000000000009995", "card_declined", "insufficient_funds", "try_again_later", "51"),
        ("4000000000009987", "card_declined", "lost_card", "do_not_try_again", "41"),
        ("4000000000009979", "card_declined", "stolen_card", "do_not_try_again", "43"),
        ("4000000000000069", "expired_card", "expired_card", "confirm_card_data", "54"),
        ("4000000000000127", "incorrect_cvc", "incorrect_cvc", "confirm_card_data", "N7"),
        ("4000000000000119", "processing_error", "processing_error", "try_again_later", "96"),
        ("4000056655669996", "card_declined", "insufficient_funds", "try_again_later", "51"),
    ],
)
def test_a_decline_takes_nothing_and_says_why(merchant, number, code, decline_code, advice_code, network_decline_code):
    error = declined(merchant, number).error
    assert (error.type, error.code, error.decline_code) == ("card_error", code, decline_code)
    assert (error.advice_code, error.network_decline_code) == (advice_code, network_decline_code)
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_intent.last_payment_error.code == code
    assert [(one["status"], one["id"]) for one in merchant.ledger()] == [("failed", error.charge)]


def test_a_real_card_number_is_declined_and_not_kept(merchant, program):
    assert declined(merchant, "4111111111111111").error.decline_code == "test_mode_live_card"
    assert b"4111111111111111" not in (program.data / "processor.sqlite3-wal").read_bytes()


def test_a_scripted_card_answers_as_told(merchant, program):
    program.control(
        "POST",
        "cards",
        {
            "number": "4012888888881881",
            "brand": "visa",
            "funding": "prepaid",
            "outcome": "decline",
            "decline_code": "do_not_honor",
            "advice_code": "do_not_try_again",
        },
    )
    error = declined(merchant, "4012888888881881").error
    assert (error.code, error.decline_code, error.advice_code) == (
        "card_declined",
        "do_not_honor",
        "do_not_try_again",
    )


def test_a_saved_card_is_charged_later_by_the_hosts_own_credential(merchant):
    customer = merchant.v1.customers.create({"metadata": {"consumer": "c-1"}})
    intent = merchant.v1.payment_intents.create(
        merchant.payment(customer=customer.id, setup_future_usage="off_session")
    )
    saved = merchant.v1.payment_methods.list({"customer": customer.id, "type": "card"}).data
    assert [one.id for one in saved] == [intent.payment_method]
    later = merchant.host.v1.payment_intents.create(
        {
            "amount": 25_00,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": intent.payment_method,
            "off_session": True,
            "confirm": True,
        },
        {"idempotency_key": "host:1:1"},
    )
    assert later.status == "succeeded"
    assert [(one["credential"], one["amount"]) for one in merchant.charged()] == [
        ("portal", 50_00),
        ("host", 25_00),
    ]


def test_a_card_that_was_not_saved_cannot_be_charged_again(merchant):
    intent = merchant.v1.payment_intents.create(merchant.payment())
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        merchant.v1.payment_intents.create(
            {
                "amount": 25_00,
                "currency": "usd",
                "payment_method": intent.payment_method,
                "off_session": True,
                "confirm": True,
            }
        )
    assert len(merchant.charged()) == 1


def test_a_detached_card_cannot_be_charged(merchant):
    customer = merchant.v1.customers.create({})
    method = merchant.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    merchant.v1.payment_methods.detach(method.id)
    assert merchant.v1.payment_methods.list({"customer": customer.id}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="detached"):
        merchant.v1.payment_intents.create(
            {
                "amount": 25_00,
                "currency": "usd",
                "payment_method": method.id,
                "off_session": True,
                "confirm": True,
            }
        )


def test_0341_saves_and_then_declines_each_charge(merchant):
    customer = merchant.v1.customers.create({})
    setup = merchant.v1.setup_intents.create(
        {
            "customer": customer.id,
            "confirm": True,
            "confirmation_token": merchant.token("4000000000000341"),
            "allowed_payment_method_types": ["card"],
        }
    )
    assert setup.status == "succeeded"
    with pytest.raises(stripe.CardError) as caught:
        merchant.v1.payment_intents.create(
            {
                "amount": 25_00,
                "currency": "usd",
                "customer": customer.id,
                "payment_method": setup.payment_method,
                "off_session": True,
                "confirm": True,
            }
        )
    assert caught.value.error.decline_code == "generic_decline"


# Reading


def test_payments_are_found_by_metadata_and_page_by_page(merchant):
    for number in range(3):
        merchant.v1.payment_intents.create(
            {"amount": 10_00 + number, "currency": "usd", "metadata": {"n": str(number)}}
        )
    found = merchant.v1.payment_intents.search({"query": "metadata['n']:'1' AND status:'requires_payment_method'"})
    assert [one.amount for one in found.data] == [10_01]
    page = merchant.v1.payment_intents.list({"limit": 2})
    assert (page.has_more, [one.amount for one in page.data]) == (True, [10_02, 10_01])
    assert [one.amount for one in page.auto_paging_iter()] == [10_02, 10_01, 10_00]


def test_a_canceled_intent_never_takes_money(merchant):
    intent = merchant.v1.payment_intents.create({"amount": 10_00, "currency": "usd"})
    assert merchant.v1.payment_intents.cancel(intent.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.confirm(intent.id, {"confirmation_token": merchant.token()})
    assert caught.value.code == "payment_intent_unexpected_state"
    assert caught.value.error.payment_intent.status == "canceled"
    assert merchant.ledger() == []


# Refunds and disputes


def test_refunds_never_exceed_what_was_taken(merchant):
    intent = merchant.v1.payment_intents.create(merchant.payment())
    refund = merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 20_00, "metadata": {"r": "1"}})
    assert refund.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 30_01})
    assert caught.value.param == "amount"
    merchant.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"
    assert [one["amount"] for one in merchant.ledger() if one["kind"] == "refund"] == [20_00, 30_00]
    charge = merchant.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (50_00, True)


def test_0259_succeeds_and_is_disputed(merchant, program):
    intent = merchant.v1.payment_intents.create(merchant.payment("4000000000000259"))
    assert intent.status == "succeeded"
    (dispute,) = merchant.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.amount, dispute.reason, dispute.status) == (50_00, "fraudulent", "needs_response")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_disputed"
    program.control("POST", "disputes", {"dispute": dispute.id, "status": "won"})
    assert merchant.v1.disputes.retrieve(dispute.id).status == "won"


# 3-D Secure


def test_three_d_secure_waits_for_the_consumer(merchant, program):
    intent = merchant.v1.payment_intents.create(merchant.payment("4000000000003220"))
    assert (intent.status, intent.next_action.type) == ("requires_action", "use_stripe_sdk")
    assert merchant.ledger() == []
    program.control("POST", "challenges", {"intent": intent.id, "outcome": "complete"})
    assert merchant.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert [one["credential"] for one in merchant.charged()] == ["portal"]


def test_a_failed_three_d_secure_takes_nothing(merchant, program):
    intent = merchant.v1.payment_intents.create(merchant.payment("4000000000003220"))
    program.control("POST", "challenges", {"intent": intent.id, "outcome": "fail"})
    intent = merchant.v1.payment_intents.retrieve(intent.id)
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    assert merchant.ledger() == []


def test_nobody_can_authenticate_off_session(merchant):
    error = declined(merchant, "4000002760003184", off_session=True).error
    assert (error.code, error.decline_code) == ("authentication_required", "authentication_required")
    assert merchant.charged() == []


def test_a_card_authenticated_when_saved_is_charged_off_session(merchant, program):
    customer = merchant.v1.customers.create({})
    intent = merchant.v1.payment_intents.create(
        merchant.payment("4000002500003155", customer=customer.id, setup_future_usage="off_session")
    )
    program.control("POST", "challenges", {"intent": intent.id, "outcome": "complete"})
    method = merchant.v1.payment_intents.retrieve(intent.id).payment_method
    later = merchant.v1.payment_intents.create(
        {
            "amount": 25_00,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": method,
            "off_session": True,
            "confirm": True,
        }
    )
    assert later.status == "succeeded"
