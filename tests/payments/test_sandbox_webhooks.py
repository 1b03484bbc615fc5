"""Webhooks of the sandbox processor: signed, in order, tried again, or disordered when asked."""

import itertools
import json

import pytest
import stripe

from .sandbox_program import MANDATE, Listener, Program

names = (f"w{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    running = Program(tmp_path_factory.mktemp("processor"))
    yield running
    running.kill()


@pytest.fixture
def listener():
    running = Listener()
    yield running
    running.server.shutdown()


# Webhooks


def test_webhooks_are_signed_in_order_and_tried_again(program, listener):
    merchant = program.merchant(
        next(names), webhook_url=listener.url, webhook_host="portal.localhost", webhook_secret="whsec_test"
    )
    listener.answers = [500, 503]
    intent = merchant.v1.payment_intents.create(merchant.payment(), {"idempotency_key": "hook"})
    merchant.v1.refunds.create({"payment_intent": intent.id})
    listener.wait_for("charge.refunded")
    listener.wait_for("payment_intent.created", count=2)
    for headers, body in listener.received:
        event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], "whsec_test")
        assert headers["Host"] == "portal.localhost"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body + b" ", headers["Stripe-Signature"], "whsec_test")
    assert event.api_version == "2026-10-28.endive"
    succeeded = listener.wait_for("payment_intent.succeeded")
    assert succeeded["data"]["object"]["id"] == intent.id
    assert succeeded["request"]["idempotency_key"] == "hook"
    assert {"charge.succeeded", "refund.created"} <= set(listener.types())


def test_an_account_is_sent_the_kinds_that_it_asked_for_and_all_when_it_named_none(program, listener):
    wanted = ["payment_intent.succeeded", "charge.refunded"]
    merchant = program.merchant(next(names), webhook_url=listener.url, webhook_secret="s", webhook_events=wanted)
    intent = merchant.v1.payment_intents.create(merchant.payment())
    merchant.v1.refunds.create({"payment_intent": intent.id})
    listener.wait_for("charge.refunded")
    assert listener.types() == wanted
    program.control("POST", "accounts", {"id": merchant.id, "webhook_events": []})
    merchant.v1.payment_intents.create(merchant.payment())
    listener.wait_for("payment_intent.succeeded", count=2)
    assert listener.types()[2:] == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_webhooks_can_be_held_turned_round_doubled_and_repeated(program, listener):
    merchant = program.merchant(next(names), webhook_url=listener.url, webhook_secret="whsec_test")
    program.control("POST", "webhooks", {"account": merchant.id, "paused": True, "reversed": True, "copies": 2})
    merchant.v1.payment_intents.create(merchant.payment())
    assert listener.received == []
    program.control("POST", "webhooks", {"account": merchant.id, "paused": False})
    listener.wait_for("payment_intent.created", count=2)
    assert listener.types() == [
        "payment_intent.succeeded",
        "payment_intent.succeeded",
        "charge.succeeded",
        "charge.succeeded",
        "payment_intent.created",
        "payment_intent.created",
    ]
    event = json.loads(listener.received[0][1])["id"]
    program.control("POST", "webhooks", {"resend": event})
    listener.wait_for("payment_intent.succeeded", count=4)


def test_a_decline_a_dispute_and_a_saved_card_are_told(program, listener):
    merchant = program.merchant(next(names), webhook_url=listener.url, webhook_secret="whsec_test")
    with pytest.raises(stripe.CardError):
        merchant.v1.payment_intents.create(merchant.payment("4000000000000002"))
    failed = listener.wait_for("payment_intent.payment_failed")
    assert failed["data"]["object"]["last_payment_error"]["decline_code"] == "generic_decline"
    merchant.v1.payment_intents.create(merchant.payment("4000000000000259"))
    assert listener.wait_for("charge.dispute.created")["data"]["object"]["amount"] == 50_00
    customer = merchant.v1.customers.create({})
    merchant.v1.setup_intents.create(
        {
            "customer": customer.id,
            "confirm": True,
            "confirmation_token": merchant.token(),
            "allowed_payment_method_types": ["card"],
            "mandate_data": MANDATE,
        }
    )
    assert listener.wait_for("setup_intent.succeeded")["data"]["object"]["customer"] == customer.id
