"""The processor's sandbox called in process, for years of very many consumers: the same answers, the same books."""

import pytest
import stripe

from payments.processors import Order
from payments.processors.stripe import Stripe
from tests.simulation import inside

VISA_DEBIT = "4000056655665556"


@pytest.fixture
def over_http(monkeypatch):
    """The library's own way, which is restored afterwards."""
    monkeypatch.setattr(stripe, "RequestsClient", stripe.RequestsClient)
    return stripe.RequestsClient


@pytest.fixture
def program(tmp_path, over_http):
    running = inside.Program(port=0, data=tmp_path)
    running.ask("accounts", {
        "id": "acct_acme", "publishable_key": "pk_test_acme",
        "secret_keys": {"portal": "sk_test_acme_portal", "host": "sk_test_acme_host"},
    })  # fmt: skip
    yield running
    running.close()


def merchant(program) -> Stripe:
    host, port = program.server.server_address[:2]
    return Stripe(account_ref="acct_acme", secret_key="sk_test_acme_portal", webhook_secret="whsec",
                  api_base=f"http://{host}:{port}", timeout=3.0)  # fmt: skip


def order(program, payment: str) -> Order:
    given = {"account": "acct_acme", "number": VISA_DEBIT, "exp_month": 12, "exp_year": 2031, "cvc": "123"}
    token = program.ask("confirmation_tokens", given)["id"]
    return Order(payment=payment, consumer="c-1", amount_cents=40_00, currency="USD", kind="card", description="File 1",
                 confirmation_token=token, ip="127.0.0.1", user_agent="test")  # fmt: skip


def charges(program) -> list[tuple[int, str]]:
    rows = program.processor.store.every("acct_acme", "charge")
    return [(row["amount"], row["status"]) for row in rows]


def test_a_charge_made_in_process_is_what_the_program_tells_over_http(program, over_http, monkeypatch):
    made = merchant(program).charge(order(program, "p-1"))
    assert (made.status, charges(program)) == ("succeeded", [(40_00, "succeeded")])
    monkeypatch.setattr(stripe, "RequestsClient", over_http)
    found = merchant(program).find(payment="p-1", ref=made.ref)
    assert (found.status, found.ref) == ("succeeded", made.ref)


def test_a_lost_answer_is_unknown_and_the_same_key_charges_once(program):
    program.ask("faults", {"path": "/v1/payment_intents", "method": "POST", "mode": "drop_after_effect", "times": 1})
    asked = order(program, "p-2")
    assert merchant(program).charge(asked).status == "unknown"
    assert merchant(program).charge(asked).status == "succeeded"
    assert charges(program) == [(40_00, "succeeded")]


def test_a_control_command_that_is_refused_says_why(program):
    with pytest.raises(OSError, match="POST /_sandbox/disputes: 4"):
        program.ask("disputes", {"payment_intent": "pi_none"})
