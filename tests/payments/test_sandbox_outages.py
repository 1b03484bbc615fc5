"""Outages of the sandbox processor: whatever breaks, an effect and its idempotency key stay together."""

import itertools

import pytest
import stripe

from .sandbox_program import Listener, Merchant, Program

names = (f"o{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    running = Program(tmp_path_factory.mktemp("processor"))
    yield running
    running.kill()


@pytest.fixture
def merchant(program) -> Merchant:
    program.control("DELETE", "faults")
    return program.merchant(next(names))


def plan(program, mode, **more):
    program.control("POST", "faults", {"path": "/v1/payment_intents", "mode": mode, **more})


@pytest.mark.parametrize("mode", ["drop_after_effect", "error_500_after_effect", "timeout"])
def test_an_effect_without_an_answer_is_found_again_by_its_key(merchant, program, mode):
    params = merchant.payment(metadata={"payment": "p-1"})
    plan(program, mode, seconds=0.3)
    with pytest.raises((stripe.APIConnectionError, stripe.APIError)):
        merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})
    assert [one["idempotency_key"] for one in merchant.charged()] == ["k"]
    again = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})
    assert again.status == "succeeded"
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    found = merchant.v1.payment_intents.search({"query": "metadata['payment']:'p-1'"}).data
    assert [one.id for one in found] == [again.id]
    assert len(merchant.charged()) == 1


@pytest.mark.parametrize("mode", ["drop_before", "error_500", "error_503", "rate_limit", "hang_before"])
def test_an_outage_before_the_effect_leaves_nothing(merchant, program, mode):
    params = merchant.payment()
    plan(program, mode, seconds=0.3)
    with pytest.raises((stripe.APIConnectionError, stripe.APIError, stripe.RateLimitError)):
        merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})
    assert merchant.ledger() == []
    assert merchant.v1.payment_intents.create(params, {"idempotency_key": "k"}).status == "succeeded"


def test_an_error_can_be_what_a_key_answers_until_it_is_forgotten_after_a_day(merchant, program):
    plan(program, "error_500_kept")
    params, key = merchant.payment(), {"idempotency_key": "k"}
    for _time in range(2):
        with pytest.raises(stripe.APIError):
            merchant.v1.payment_intents.create(params, key)
    with pytest.raises(stripe.IdempotencyError):
        merchant.v1.payment_intents.create(params | {"amount": 1}, key)
    assert merchant.ledger() == []
    program.control("POST", "clock", {"advance_seconds": 25 * 3600})
    assert merchant.v1.payment_intents.create(merchant.payment(), key).status == "succeeded"


def test_the_librarys_own_retry_does_not_take_money_twice(merchant, program):
    plan(program, "drop_after_effect", times=2)
    intent = merchant.client("portal", retries=3).v1.payment_intents.create(merchant.payment())
    assert intent.status == "succeeded"
    assert len(merchant.charged()) == 1


def test_a_fault_can_wait_for_the_second_request_of_one_account(merchant, program):
    other = program.merchant(next(names))
    plan(program, "error_500", skip=1, account=merchant.id)
    assert other.v1.payment_intents.create(other.payment()).status == "succeeded"
    assert merchant.v1.payment_intents.create(merchant.payment()).status == "succeeded"
    with pytest.raises(stripe.APIError):
        merchant.v1.payment_intents.create(merchant.payment())


@pytest.mark.parametrize(("mode", "taken"), [("crash_before_commit", 0), ("crash_after_effect", 1)])
def test_a_kill_keeps_the_effect_and_its_key_or_neither(merchant, program, mode, taken):
    params = merchant.payment()
    plan(program, mode)
    with pytest.raises(stripe.APIConnectionError):
        merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})
    program.process.wait(timeout=10)
    program.start()
    assert len(merchant.charged()) == taken
    again = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})
    assert again.status == "succeeded"
    assert ("Idempotent-Replayed" in again.last_response.headers) is bool(taken)
    assert len(merchant.charged()) == 1


def test_webhooks_that_were_not_delivered_before_a_kill_arrive_after_it(program):
    listener = Listener()
    merchant = program.merchant(next(names), webhook_url=listener.url, webhook_secret="whsec_test")
    program.control("POST", "webhooks", {"account": merchant.id, "paused": True})
    merchant.v1.payment_intents.create(merchant.payment())
    program.kill()
    program.start()
    program.control("POST", "webhooks", {"account": merchant.id, "paused": False})
    listener.wait_for("payment_intent.succeeded")
    listener.server.shutdown()
