"""Requests to the sandbox processor: idempotency, parameters, keys, separate accounts."""

import itertools
import threading

import pytest
import stripe

from .sandbox_program import Merchant, Program

names = (f"r{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    running = Program(tmp_path_factory.mktemp("processor"))
    yield running
    running.kill()


@pytest.fixture
def merchant(program) -> Merchant:
    return program.merchant(next(names))


# Idempotency


def test_the_same_key_takes_money_once_and_gets_the_same_bytes(merchant):
    params = merchant.payment(metadata={"payment": "p-9"})
    first = merchant.v1.payment_intents.create(params, {"idempotency_key": "once"})
    again = merchant.v1.payment_intents.create(params, {"idempotency_key": "once"})
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.body == first.last_response.body
    assert len(merchant.ledger()) == 1


def test_a_decline_is_replayed_too(merchant):
    params = merchant.payment("4000000000000002")
    bodies = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            merchant.v1.payment_intents.create(params, {"idempotency_key": "no"})
        bodies.append(caught.value.http_body)
    assert bodies[0] == bodies[1]
    assert len(merchant.ledger()) == 1


def test_a_key_with_other_parameters_is_a_conflict(merchant):
    params = merchant.payment()
    merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        merchant.v1.payment_intents.create({**params, "amount": 51_00}, {"idempotency_key": "k"})
    assert [one["amount"] for one in merchant.ledger()] == [50_00]


def test_a_refused_request_leaves_its_key_unused(merchant):
    params = merchant.payment()
    with pytest.raises(stripe.InvalidRequestError):
        merchant.v1.payment_intents.create({**params, "amount": 10}, {"idempotency_key": "k"})
    assert merchant.v1.payment_intents.create(params, {"idempotency_key": "k"}).status == "succeeded"


def test_a_key_still_running_is_answered_409(merchant, program):
    params = merchant.payment()
    program.control(
        "POST",
        "faults",
        {"path": "/v1/payment_intents", "mode": "slow", "seconds": 1.0, "account": merchant.id},
    )
    results = []
    slow = threading.Thread(
        target=lambda: results.append(merchant.v1.payment_intents.create(params, {"idempotency_key": "k"}).status)
    )
    slow.start()
    while program.control("GET", "faults")["faults"]:
        pass
    with pytest.raises(stripe.APIError) as caught:
        merchant.client("portal").v1.payment_intents.create(params, {"idempotency_key": "k"})
    slow.join()
    assert caught.value.http_status == 409
    assert caught.value.error.code == "idempotency_key_in_use"
    assert results == ["succeeded"]
    assert len(merchant.ledger()) == 1


def test_twenty_requests_with_one_key_take_money_once(merchant):
    params = merchant.payment()

    def pay():
        merchant.client("portal", retries=5).v1.payment_intents.create(params, {"idempotency_key": "k"})

    threads = [threading.Thread(target=pay) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(merchant.ledger()) == 1


# Parameters and separation


@pytest.mark.parametrize(
    ("extra", "code", "param"),
    [
        ({"amout": 1}, "parameter_unknown", "amout"),
        (
            {"payment_method_types": ["card"]},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": "five"}, "parameter_invalid_integer", "amount"),
        ({"automatic_payment_methods": {"enabled": True}}, None, "automatic_payment_methods"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        (
            {"payment_method_options": {"card": {"colour": "red"}}},
            "parameter_unknown",
            "payment_method_options[card][colour]",
        ),
    ],
)
def test_what_the_api_does_not_know_is_refused_without_a_trace(merchant, extra, code, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.create({**merchant.payment(), **extra})
    assert (caught.value.code, caught.value.param) == (code, param)
    assert merchant.ledger() == []
    assert merchant.v1.payment_intents.list().data == []


def test_confirming_on_session_needs_a_return_url_unless_redirects_are_off(merchant):
    params = merchant.payment()
    del params["allowed_payment_method_types"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.create(params)
    assert caught.value.param == "return_url"
    params["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "never"}
    assert merchant.v1.payment_intents.create(params).status == "succeeded"


def test_one_account_never_sees_anothers_objects(merchant, program):
    other = program.merchant(next(names))
    customer = merchant.v1.customers.create({})
    intent = merchant.v1.payment_intents.create(merchant.payment(metadata={"payment": "mine"}))
    with pytest.raises(stripe.InvalidRequestError) as caught:
        other.v1.customers.retrieve(customer.id)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError):
        other.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError):
        other.v1.payment_intents.create({**other.payment(), "confirmation_token": merchant.token()})
    assert other.v1.payment_intents.list().data == []
    assert other.v1.payment_intents.search({"query": "metadata['payment']:'mine'"}).data == []
    assert other.ledger() == []


def test_a_wrong_or_publishable_key_is_refused(program, merchant):
    for key in ("sk_test_nobody", f"pk_test_{merchant.name}"):
        client = stripe.StripeClient(key, base_addresses={"api": program.url}, max_network_retries=0)
        with pytest.raises(stripe.AuthenticationError):
            client.v1.payment_intents.list()
