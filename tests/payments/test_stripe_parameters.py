"""Every request that the Stripe adapter really makes is one that the library's own types allow (libraries 1.4).

The adapter speaks to the sandbox through a recorder: what reaches a method of the library is written down and held
against that method's own TypedDict. An upgrade of the library brings new types, and a new method of the adapter that
nobody plays here fails the test.
"""

import datetime as dt
import functools
import inspect
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import stripe
from pydantic import TypeAdapter, ValidationError

from payments.processors import KeepOrder, Order, Outcome, Processor, RefundOrder
from payments.processors import stripe as adapter_module
from payments.processors import stripe_money as money_module
from payments.processors import stripe_news as news_module
from payments.processors.stripe import Stripe
from tests.payments.conftest import VISA_DEBIT, names
from tests.payments.test_processor_stripe import BANK, allowed

ASKS_EACH_TIME, DECLINES_LATER = "4000002760003184", "4000000000000341"
Call = tuple[str, str, dict[str, Any], dict[str, Any]]


class Recorder:
    """Stand between the adapter and the library: write down each call, then make it."""

    def __init__(self, v1: Any) -> None:
        self.v1, self.calls = v1, []

    def __getattr__(self, service: str) -> "Service":
        return Service(self, service, getattr(self.v1, service))


class Service:
    """One group of requests, such as payment_intents."""

    def __init__(self, recorder: Recorder, name: str, real: Any) -> None:
        self.recorder, self.name, self.real = recorder, name, real

    def __getattr__(self, verb: str) -> Callable:
        method = getattr(self.real, verb)

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = inspect.signature(method).bind(*args, **kwargs).arguments
            self.recorder.calls.append((self.name, verb, given.get("params") or {}, given.get("options") or {}))
            return method(*args, **kwargs)

        return call


class Play:
    """Play every operation of the adapter, as the services of the product ask for it."""

    def __init__(self, program) -> None:
        self.merchant = program.merchant(next(names))
        self.program = program
        self.adapter = Stripe(
            account_ref=self.merchant.id,
            secret_key=f"sk_test_{self.merchant.name}_portal",
            webhook_secret="whsec",
            api_base=program.url,
            timeout=10,
        )
        self.recorder = self.adapter.v1 = Recorder(self.adapter.v1)
        self.played: dict[str, list[Call]] = {}

    def all(self) -> "Play":
        for name, scene in SCENES.items():
            before = len(self.recorder.calls)
            scene(self)
            self.played[name] = self.recorder.calls[before:]
        return self

    def order(self, number: str = VISA_DEBIT, **values: Any) -> Order:
        given = {
            "payment": str(uuid.uuid4()),
            "consumer": "consumer-1",
            "amount_cents": 125_00,
            "currency": "usd",
            "kind": "card",
            "description": "Payment 0000000001",
        }
        if "method" not in values:
            given["confirmation_token"] = self.merchant.token(number)
        return Order(**given | values)

    def pay(self, number: str = VISA_DEBIT, **values: Any) -> Outcome:
        return self.adapter.charge(self.order(number, **values))

    def keep(self, number: str = VISA_DEBIT, **values: Any) -> Outcome:
        token = self.merchant.token(number)
        order = KeepOrder(checkout=str(uuid.uuid4()), consumer="consumer-1", confirmation_token=token, **values)
        return self.adapter.keep(order)

    def bank(self, *, keep: bool) -> dict[str, Any]:
        check = self.adapter.validate_bank(key=str(uuid.uuid4()), consumer="consumer-1", keep=keep, **BANK)
        assert check.valid
        return {"kind": "ach", "method": check.method, "customer": check.customer, "confirmation_token": ""}

    # The operations ---------------------------------------------------------------------------------------------------

    def preview(self) -> None:
        assert self.adapter.preview(self.merchant.token(VISA_DEBIT)).last4 == "5556"

    def charge(self) -> None:
        """Cards now, kept with the first payment, stored, without the consumer, asked by 3-D Secure; bank debits."""
        assert self.pay().status == "succeeded"
        card = self.pay(store="installment").card
        stored = {"method": card.method, "customer": card.customer, "confirmation_token": ""}
        assert self.pay(**stored).status == "succeeded"
        assert self.pay(**stored, off_session=True, use="installment").status == "succeeded"
        assert self.pay(ASKS_EACH_TIME).status == "action"
        assert self.pay(DECLINES_LATER).status == "declined"
        assert self.pay(**self.bank(keep=False), ip="127.0.0.1", user_agent="test").status == "pending"
        assert self.pay(**self.bank(keep=True), off_session=True, use="installment").status == "pending"
        assert self.pay(**self.bank(keep=True), off_session=True, use="installment", retry=True).status == "pending"

    def find(self) -> None:
        order = self.order()
        found = self.adapter.charge(order)
        for ref in (found.ref, ""):
            assert self.adapter.find(payment=order.payment, ref=ref).status == "succeeded"
        # A dispute comes by webhook; what the charge is now is looked up like any other.
        self.program.control("POST", "disputes", {"payment_intent": found.ref})
        assert self.adapter.find(payment=order.payment, ref=found.ref).status == "succeeded"

    def void(self) -> None:
        order = self.order(ASKS_EACH_TIME)
        asked = self.adapter.charge(order)
        about = {"amount_cents": order.amount_cents, "currency": "usd", "since": dt.datetime.now(dt.UTC)}
        assert self.adapter.void(payment=order.payment, ref=asked.ref, **about).status == "voided"
        assert self.adapter.void(payment=str(uuid.uuid4()), ref="", **about).status == "voided"
        # The key holds an error: only a list of that time tells that nothing was made.
        order = self.order()
        failing = {"path": "/v1/payment_intents", "mode": "error_500_kept", "account": self.merchant.id}
        self.program.control("POST", "faults", failing)
        assert self.adapter.charge(order).status == "unknown"
        assert self.adapter.void(payment=order.payment, ref="", **about).status == "voided"

    def keep_card(self) -> None:
        kept = self.keep(store="installment")
        assert kept.status == "succeeded"
        assert self.keep(customer=kept.card.customer).status == "succeeded"
        assert self.keep(ASKS_EACH_TIME).status == "action"

    def find_kept(self) -> None:
        assert self.adapter.find_kept(ref=self.keep().ref).status == "succeeded"

    def forget(self) -> None:
        assert self.adapter.forget(ref=self.keep(ASKS_EACH_TIME).ref).status == "voided"

    def validate_bank(self) -> None:
        assert self.bank(keep=True)["customer"]
        assert not self.bank(keep=False)["customer"]

    def refund(self) -> None:
        order = self.order()
        paid = self.adapter.charge(order)
        for refund, cents in (("r1", 25_00), ("r2", 100_00)):
            asked = RefundOrder(refund=refund, payment=order.payment, ref=paid.ref, amount_cents=cents)
            made = self.adapter.refund(asked)
            assert (made.status, made.amount_cents) == ("done", cents)
        assert self.adapter.find_refund(refund="r1", ref=paid.ref).status == "done"

    def find_refund(self) -> None:
        assert self.adapter.find_refund(refund="none", ref=self.pay().ref).status == "not_done"

    def movements(self) -> None:
        now = dt.datetime.now(dt.UTC)
        span = {"since": now - dt.timedelta(hours=1), "until": now + dt.timedelta(hours=1)}
        assert {one.kind for one in self.adapter.movements(**span)} == {"charge", "refund"}

    def find_dispute(self) -> None:
        assert self.adapter.find_dispute(ref="du_none").status == "unknown"

    def nothing(self) -> None:
        """What only reads webhooks, played beside: it must not ask Stripe for anything."""
        event = {
            "id": "evt_1",
            "type": "charge.dispute.created",
            "data": {"object": {"object": "dispute", "id": "dp_1"}},
        }
        assert self.adapter.dispute(event) == "dp_1"
        assert self.adapter.about(event) == ("", "")
        assert self.adapter.kept_for(event) == ""
        assert self.adapter.renewed(event) is None
        assert self.adapter.bank_changed(event) is None
        assert self.adapter.mandate_ended(event) == ""
        assert self.adapter.refund_failed(event) is None
        body = b'{"id": "evt_1", "object": "event", "type": "x", "data": {"object": {}}}'
        signed = stripe.WebhookSignature.generate_signature_header(body.decode(), "whsec")
        assert self.adapter.read_webhook(body=body, signature=signed).id == "evt_1"


SCENES: dict[str, Callable[[Play], None]] = {
    "preview": Play.preview,
    "charge": Play.charge,
    "find": Play.find,
    "void": Play.void,
    "keep": Play.keep_card,
    "find_kept": Play.find_kept,
    "forget": Play.forget,
    "validate_bank": Play.validate_bank,
    "refund": Play.refund,
    "find_refund": Play.find_refund,
    "movements": Play.movements,
    "find_dispute": Play.find_dispute,
}
READS_ONLY = {
    "read_webhook",
    "about",
    "kept_for",
    "renewed",
    "dispute",
    "bank_changed",
    "mandate_ended",
    "refund_failed",
}


@pytest.fixture(scope="module")
def play(processor_program) -> Play:
    return Play(processor_program).all()


@functools.cache
def type_of(service: str, verb: str) -> TypeAdapter:
    """Find the TypedDict that the library declares for the parameters of one of its methods."""
    method = getattr(getattr(stripe.StripeClient("sk_test_none").v1, service), verb)
    said = str(inspect.signature(method).parameters["params"].annotation)
    name = re.search(r"\w+Params", said)[0]
    return allowed("_" + re.sub(r"(?<=.)(?=[A-Z])", "_", name).lower(), name)


def wrong(call: Call) -> str:
    """Say what the library's own type finds wrong with a call; nothing when it is allowed."""
    service, verb, params, options = call
    try:
        type_of(service, verb).validate_python(params)
    except ValidationError as error:
        return f"{service}.{verb}: {[(one['loc'], one['type']) for one in error.errors()]}"
    return "" if set(options) <= {"idempotency_key"} else f"{service}.{verb}: options {options}"


@pytest.mark.parametrize("name", sorted(SCENES))
def test_everything_that_an_operation_sends_is_allowed_by_the_library_s_own_type(play, name):
    assert play.played[name], "the operation asked Stripe for nothing"
    assert [found for call in play.played[name] if (found := wrong(call))] == []


def test_what_stripe_no_longer_takes_or_never_did_is_found_by_the_same_check(play):
    service, verb, good, options = next(call for call in play.played["charge"] if call[1] == "create")
    assert wrong((service, verb, good, options)) == ""
    for bad in (
        {"payment_method_types": ["card"]},
        {"amout": 125_00},
        {"amount": "a lot"},
        {"payment_method_options": {"card": {"stored_credential_usage": "for fun"}}},
    ):
        assert wrong((service, verb, good | bad, options)), bad
    assert "options" in wrong((service, verb, good, {"stripe_account": "acct_other"}))


def test_every_method_of_the_adapter_is_played_or_only_reads(play):
    public = {name for name, value in inspect.getmembers(Stripe, inspect.isfunction) if not name.startswith("_")}
    asked = {name for name in vars(Processor) if not name.startswith("_")}
    assert public == set(SCENES) | READS_ONLY
    assert asked <= public
    before = len(play.recorder.calls)
    play.nothing()
    assert len(play.recorder.calls) == before


def test_every_request_in_the_adapter_s_source_was_really_made(play):
    source = "".join(map(inspect.getsource, (adapter_module, money_module, news_module)))
    written = set(re.findall(r"self\.v1\.(\w+)\.(\w+)\(", source)) | {("charges", "list"), ("refunds", "list")}
    assert {name for name, _verb in written} == set(re.findall(r"self\.v1\.(\w+)", source))
    assert {(service, verb) for calls in play.played.values() for service, verb, _params, _options in calls} == written


def test_whatever_moves_or_makes_something_has_a_key_of_ours(play):
    made = [call for calls in play.played.values() for call in calls if call[1] == "create"]
    assert made
    assert [call[0] for call in made if not call[3].get("idempotency_key")] == []
