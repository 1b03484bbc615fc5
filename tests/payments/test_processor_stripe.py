"""The Stripe adapter: what it sends is what the library's own types allow, what it hears is one of seven words."""

import collections.abc
import datetime as dt
import decimal
import importlib
import pathlib
import re
import types
import typing

import pytest
import stripe
import stripe._request_options
from pydantic import ConfigDict, TypeAdapter, ValidationError
from stripe._stripe_context import StripeContext

from payments.processors import KeepOrder, NotReadable, Order, Unreachable, WrongSignature, connect
from payments.processors.stripe import (
    Stripe,
    bank_params,
    charge_params,
    customer_params,
    keep_params,
    outcome_of,
    placeholder_params,
)
from tests.payments.conftest import VISA_DEBIT, names

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
ORDER_FIELDS = {
    "payment": "0198a0b0-0000-7000-8000-000000000001",
    "consumer": "0198a0b0-0000-7000-8000-000000000002",
    "amount_cents": 125_00,
    "currency": "usd",
    "kind": "card",
    "description": "Payment 0000000001",
    "confirmation_token": "ctoken_1",
}
ORDER = Order(**ORDER_FIELDS)
NOW = dt.datetime.now(dt.UTC)
DUE = {"confirmation_token": "", "method": "pm_1", "customer": "cus_1", "off_session": True, "use": "installment"}
BANK = {
    "routing": "110000000",
    "number": "000123456789",
    "account_type": "checking",
    "holder": "Jane Doe",
    "ip": "127.0.0.1",
    "user_agent": "test",
}


def allowed(module: str, name: str) -> TypeAdapter:
    """Make a strict check out of the library's own TypedDict of a request: of known words no other one is taken."""
    known = importlib.import_module(f"stripe.params.{module}")
    found = types.ModuleType(known.__name__)
    source = pathlib.Path(known.__file__).read_text()
    source = re.sub(r"(Literal\[(?!'')[^\]]*\])\|str\b", r"\1", source)
    exec(compile(source, known.__file__, "exec"), vars(found))  # noqa: S102 - the library's own source
    options = stripe._request_options
    names_there = {**{key: getattr(typing, key) for key in typing.__all__}, **vars(collections.abc)}
    names_there |= {"Decimal": decimal.Decimal, "StripeContext": StripeContext, **vars(options), **vars(found)}
    for part in (found, options):
        for value in vars(part).values():
            if isinstance(value, type) and hasattr(value, "__total__"):
                value.__pydantic_config__ = STRICT
    adapter = TypeAdapter(getattr(found, name))
    adapter.rebuild(_types_namespace=names_there)
    return adapter


@pytest.fixture(scope="module")
def intent_request():
    return allowed("_payment_intent_create_params", "PaymentIntentCreateParams")


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        Order(**ORDER_FIELDS | {"store": "installment"}),
        Order(**ORDER_FIELDS | {"confirmation_token": "", "method": "pm_1", "customer": "cus_1"}),
        Order(**ORDER_FIELDS | {"kind": "ach", "confirmation_token": "", "method": "pm_1", "ip": "::1"}),
        Order(**ORDER_FIELDS | DUE),
        Order(**ORDER_FIELDS | DUE | {"kind": "ach"}),
        Order(**ORDER_FIELDS | DUE | {"kind": "ach", "retry": True}),
    ],
    ids=["once", "kept", "stored", "bank", "due", "due bank", "bank again"],
)
def test_every_charge_is_a_request_the_library_knows(intent_request, order):
    assert intent_request.validate_python(charge_params(order, customer=order.customer))


def test_the_check_itself_refuses_what_stripe_refuses(intent_request):
    good = charge_params(ORDER, customer="")
    usage = {"payment_method_options": {"card": {"stored_credential_usage": "for fun"}}}
    for bad in ({"payment_method_types": ["card"]}, {"amout": 1}, {"amount": "five"}, usage):
        with pytest.raises(ValidationError):
            intent_request.validate_python(good | bad)


def test_the_other_requests_are_known_too(intent_request):
    assert intent_request.validate_python(placeholder_params(payment="p", amount_cents=1_00, currency="usd"))
    setup = allowed("_setup_intent_create_params", "SetupIntentCreateParams")
    assert setup.validate_python(bank_params(**BANK, customer=""))
    assert setup.validate_python(bank_params(**BANK, customer="cus_1"))
    kept = keep_params(KeepOrder(checkout="c", consumer="p", confirmation_token="ctoken_1"), customer="cus_1")
    assert setup.validate_python(kept)
    assert (kept["usage"], kept["payment_method_options"]) == (
        "off_session",
        {"card": {"setup_credential_usage": "installment"}},
    )
    assert allowed("_customer_create_params", "CustomerCreateParams").validate_python(customer_params("c"))


def test_a_card_is_kept_only_for_payments_that_follow_and_says_for_what():
    """CARD-03, CARD-04."""
    once = charge_params(ORDER, customer="")
    assert "setup_future_usage" not in once
    assert "customer" not in once
    kept = charge_params(Order(**ORDER_FIELDS | {"store": "installment"}), customer="cus_1")
    assert (kept["setup_future_usage"], kept["customer"]) == ("off_session", "cus_1")
    assert kept["payment_method_options"] == {"card": {"setup_credential_usage": "installment"}}


def test_a_card_charged_without_the_consumer_says_that_nobody_is_there_and_what_was_agreed_card_03_card_04():
    sent = charge_params(Order(**ORDER_FIELDS | DUE), customer="cus_1")
    assert (sent["off_session"], sent["payment_method"], sent["customer"]) == (True, "pm_1", "cus_1")
    assert sent["payment_method_options"] == {"card": {"stored_credential_usage": "installment"}}
    assert not {"setup_future_usage", "confirmation_token", "mandate_data"} & set(sent)


def test_a_debit_sent_again_is_called_so_and_no_first_one_is_ach_09():
    first = charge_params(Order(**ORDER_FIELDS | DUE | {"kind": "ach"}), customer="cus_1")
    again = charge_params(Order(**ORDER_FIELDS | DUE | {"kind": "ach", "retry": True}), customer="cus_1")
    assert "statement_descriptor" not in first
    assert again == first | {"statement_descriptor": "RETRY PYMT"}


def kept(adapter, merchant, number):
    """Keep a card at the processor, with the consumer there, as the first payment of a plan does."""
    card = adapter.charge(order(merchant.token(number), payment="first", store="installment")).card
    return {"method": card.method, "customer": card.customer, "confirmation_token": ""}


def test_a_kept_card_is_charged_without_the_consumer(adapter, merchant):
    card = kept(adapter, merchant, VISA_DEBIT)
    outcome = adapter.charge(Order(**ORDER_FIELDS | DUE | card))
    assert (outcome.status, outcome.amount_cents) == ("succeeded", 125_00)
    assert [one["idempotency_key"] for one in merchant.charged()] == ["first", ORDER.payment]


def test_a_card_whose_bank_asks_each_time_is_declined_without_the_consumer_card_12(adapter, merchant):
    setup = adapter.keep(KeepOrder(checkout="c1", consumer="c", confirmation_token=merchant.token("4000002760003184")))
    merchant.program.control("POST", "challenges", {"intent": setup.ref, "outcome": "complete"})
    card = adapter.find_kept(ref=setup.ref).card
    due = DUE | {"method": card.method, "customer": card.customer}
    outcome = adapter.charge(Order(**ORDER_FIELDS | due))
    assert (outcome.status, outcome.decline_code, outcome.client_secret) == ("declined", "authentication_required", "")
    assert merchant.charged() == []


def test_a_kept_bank_account_is_debited_under_the_mandate_it_was_kept_with(adapter, merchant):
    check = adapter.validate_bank(key="b", consumer="c", keep=True, **BANK)
    due = DUE | {"kind": "ach", "method": check.method, "customer": check.customer}
    assert adapter.charge(Order(**ORDER_FIELDS | due)).status == "pending"
    (entry,) = merchant.ledger()
    assert (entry["idempotency_key"], entry["amount"]) == (ORDER.payment, 125_00)


def test_nothing_about_the_person_or_the_debt_is_sent():
    sent = str(charge_params(ORDER, customer="cus_1")) + str(customer_params("c"))
    for word in ("Jane", "Doe", "Harbor", "Emergency", "100234"):
        assert word not in sent


@pytest.mark.parametrize(
    ("status", "error", "ours"),
    [
        ("succeeded", None, "succeeded"),
        ("processing", None, "pending"),
        ("requires_action", None, "action"),
        ("canceled", None, "voided"),
        ("requires_payment_method", {"code": "card_declined", "decline_code": "generic_decline"}, "declined"),
        ("requires_payment_method", None, "unknown"),
        ("requires_confirmation", None, "unknown"),
        ("requires_capture", None, "unknown"),
        ("a_status_of_next_year", None, "unknown"),
    ],
)
def test_only_an_explicit_yes_or_no_is_an_answer(status, error, ours):
    intent = {"id": "pi_1", "status": status, "amount": 125_00, "currency": "usd", "last_payment_error": error}
    assert outcome_of(intent).status == ours


def test_all_four_codes_of_a_decline_are_read(adapter, merchant):
    outcome = adapter.charge(order(merchant.token("4000000000009987")))
    assert (outcome.status, outcome.decline_code, outcome.advice_code) == (
        "declined",
        "lost_card",
        "do_not_try_again",
    )
    assert (outcome.network_decline_code, outcome.reason) == ("41", "Your card was declined.")
    found = adapter.find(payment=ORDER.payment, ref=outcome.ref)
    assert (found.status, found.decline_code, found.network_advice_code) == ("declined", "lost_card", "03")


@pytest.fixture
def merchant(processor):
    return processor.merchant(next(names))


@pytest.fixture
def adapter(merchant, processor) -> Stripe:
    return connect(
        processor="stripe",
        account_ref=merchant.id,
        secret_key=f"sk_test_{merchant.name}_portal",
        webhook_secret="whsec_x",
        api_base=processor.url,
        timeout=2.0,
    )


def order(token, **more) -> Order:
    return Order(**ORDER_FIELDS | {"confirmation_token": token} | more)


def fault(processor, merchant, mode, **more):
    processor.control(
        "POST",
        "faults",
        {"path": "/v1/payment_intents", "mode": mode, "account": merchant.id, **more},
    )


@pytest.mark.parametrize(
    "mode", ["drop_before", "drop_after_effect", "error_500", "error_503", "error_500_after_effect"]
)
def test_silence_and_server_errors_are_unknown(adapter, merchant, processor, mode):
    fault(processor, merchant, mode)
    assert adapter.charge(order(merchant.token(VISA_DEBIT))).status == "unknown"


def test_a_time_out_is_unknown_and_found_later(adapter, merchant, processor):
    fault(processor, merchant, "timeout", seconds=3)
    assert adapter.charge(order(merchant.token(VISA_DEBIT))).status == "unknown"
    assert adapter.find(payment=ORDER.payment, ref="").status == "succeeded"
    assert len(merchant.charged()) == 1


def test_a_rate_limit_and_a_wrong_key_moved_nothing(adapter, merchant, processor):
    fault(processor, merchant, "rate_limit")
    assert adapter.charge(order(merchant.token(VISA_DEBIT))).status == "not_done"
    wrong = Stripe(account_ref="", secret_key="sk_test_nobody", webhook_secret="", api_base=processor.url, timeout=2.0)
    assert wrong.charge(ORDER).status == "not_done"
    assert merchant.ledger() == []


@pytest.mark.parametrize(("status", "means"), [(409, "unknown"), (429, "not_done"), (500, "not_done")])
def test_only_a_conflict_over_the_customer_leaves_open_what_becomes_of_the_charge(
    adapter, merchant, monkeypatch, status, means
):
    """Another request under the same key makes the customer just now: it goes on to the charge (seen with two tabs)."""

    def busy(_key, _consumer):
        raise stripe.APIError("no", http_status=status)

    monkeypatch.setattr(adapter, "_customer", busy)
    assert adapter.charge(order(merchant.token(VISA_DEBIT), store="session")).status == means
    keep = KeepOrder(checkout="c", consumer="p", confirmation_token="t", customer="", store="installment")
    assert adapter.keep(keep).status == means


def test_the_same_key_with_another_request_is_never_a_second_charge(adapter, merchant):
    token = merchant.token(VISA_DEBIT)
    assert adapter.charge(order(token)).status == "succeeded"
    assert adapter.charge(order(token)).status == "succeeded"
    assert adapter.charge(order(token, amount_cents=126_00)).status == "unknown"
    assert [one["amount"] for one in merchant.charged()] == [125_00]


def test_a_card_kept_for_later_comes_back_with_all_that_the_host_needs(adapter, merchant):
    card = adapter.charge(order(merchant.token(VISA_DEBIT), store="installment")).card
    assert (card.brand, card.funding, card.last4, card.exp_month, card.exp_year) == ("visa", "debit", "5556", 12, 2034)
    assert card.method.startswith("pm_")
    assert card.customer.startswith("cus_")
    assert card.network_transaction_id.isdigit()


def test_a_void_before_the_charge_uses_up_its_key(adapter, merchant):
    void = {"payment": ORDER.payment, "ref": "", "amount_cents": 125_00, "currency": "usd", "since": NOW}
    assert adapter.void(**void).status == "voided"
    assert adapter.void(**void).status == "voided"
    assert adapter.charge(order(merchant.token(VISA_DEBIT))).status == "unknown"
    assert merchant.ledger() == []


def test_a_void_after_the_charge_says_that_it_was_taken(adapter, merchant):
    adapter.charge(order(merchant.token(VISA_DEBIT)))
    void = {"payment": ORDER.payment, "ref": "", "amount_cents": 125_00, "currency": "usd", "since": NOW}
    assert adapter.void(**void).status == "succeeded"


def test_a_used_or_unknown_token_cannot_be_read(adapter, merchant):
    token = merchant.token(VISA_DEBIT)
    assert (adapter.preview(token).brand, adapter.preview(token).funding) == ("visa", "debit")
    adapter.charge(order(token))
    for spent in (token, "ctoken_nobody"):
        with pytest.raises(NotReadable):
            adapter.preview(spent)


def test_a_processor_that_is_away_is_unreachable():
    away = Stripe(account_ref="", secret_key="sk_test_x", webhook_secret="", api_base="http://127.0.0.1:9", timeout=1.0)
    with pytest.raises(Unreachable):
        away.preview("ctoken_1")
    assert away.find(payment=ORDER.payment, ref="").status == "unknown"


def test_a_signature_fails_closed(adapter):
    body = b'{"id": "evt_1", "object": "event", "type": "x", "data": {"object": {}}}'
    good = stripe.WebhookSignature.generate_signature_header(body.decode(), "whsec_x")
    assert adapter.read_webhook(body=body, signature=good).id == "evt_1"
    old = stripe.WebhookSignature.generate_signature_header(body.decode(), "whsec_x", timestamp=1)
    other = stripe.WebhookSignature.generate_signature_header(body.decode(), "whsec_y")
    for wrong in ("", "t=1,v1=00", old, other):
        with pytest.raises(WrongSignature):
            adapter.read_webhook(body=body, signature=wrong)
    with pytest.raises(WrongSignature):
        adapter.read_webhook(body=body + b" ", signature=good)
    silent = Stripe(account_ref="", secret_key="sk_test_x", webhook_secret="", api_base="", timeout=1.0)
    empty = stripe.WebhookSignature.generate_signature_header(body.decode(), "")
    with pytest.raises(WrongSignature):
        silent.read_webhook(body=body, signature=empty)


def test_each_merchant_account_has_its_own_client():
    same = {"processor": "stripe", "account_ref": "a", "webhook_secret": "", "api_base": "", "timeout": 1.0}
    one, again = connect(**same, secret_key="sk_test_1"), connect(**same, secret_key="sk_test_1")
    other = connect(**same, secret_key="sk_test_2")
    assert one is again
    assert one.client is not other.client
    assert stripe.api_key is None
