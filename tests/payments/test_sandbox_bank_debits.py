"""Bank debits at the sandbox processor: validation, agreement, four banking days, returns."""

import itertools

import pytest
import stripe

from .sandbox_program import MANDATE, Listener, Merchant, Program

names = (f"b{number}" for number in itertools.count())
# A Tuesday morning in Chicago; Thursday and the week-end before Thanksgiving are not near.
TUESDAY = "2026-12-01T14:00:00Z"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    running = Program(tmp_path_factory.mktemp("processor"))
    yield running
    running.kill()


@pytest.fixture
def merchant(program) -> Merchant:
    program.control("POST", "clock", {"now": TUESDAY})
    return program.merchant(next(names))


def validated(merchant, number="000123456789", method="instant"):
    customer = merchant.v1.customers.create({})
    return merchant.v1.setup_intents.create(
        {
            "customer": customer.id,
            "payment_method": merchant.bank(number).id,
            "allowed_payment_method_types": ["us_bank_account"],
            "payment_method_options": {"us_bank_account": {"verification_method": method}},
            "mandate_data": MANDATE,
            "confirm": True,
            "usage": "off_session",
        }
    )


def debit(merchant, setup, **more):
    return merchant.v1.payment_intents.create(
        {
            "amount": 75_00,
            "currency": "usd",
            "customer": setup.customer,
            "payment_method": setup.payment_method,
            "allowed_payment_method_types": ["us_bank_account"],
            "off_session": True,
            "confirm": True,
            **more,
        }
    )


def test_instant_validation_saves_the_account_and_its_agreement(merchant):
    setup = validated(merchant)
    assert setup.status == "succeeded"
    mandate = merchant.v1.mandates.retrieve(setup.mandate)
    assert (mandate.status, mandate.type, mandate.payment_method) == (
        "active",
        "multi_use",
        setup.payment_method,
    )
    (saved,) = merchant.v1.payment_methods.list({"customer": setup.customer, "type": "us_bank_account"}).data
    assert (saved.us_bank_account.last4, saved.us_bank_account.account_type) == ("6789", "checking")


def test_an_account_that_cannot_be_validated_is_refused_and_not_saved(merchant):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        validated(merchant, "000666666661")
    assert caught.value.code == "bank_account_verification_failed"
    setup = caught.value.error.setup_intent
    assert setup.status == "requires_payment_method"
    assert merchant.v1.payment_methods.list({"customer": setup.customer}).data == []


def test_microdeposits_are_confirmed_by_sums_or_code(merchant):
    setup = validated(merchant, method="microdeposits")
    assert (setup.status, setup.next_action.type) == ("requires_action", "verify_with_microdeposits")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.setup_intents.verify_microdeposits(setup.id, {"amounts": [10, 11]})
    assert caught.value.code == "payment_method_microdeposit_verification_amounts_mismatch"
    assert merchant.v1.setup_intents.verify_microdeposits(setup.id, {"amounts": [32, 45]}).status == "succeeded"
    other = validated(merchant, method="microdeposits")
    done = merchant.v1.setup_intents.verify_microdeposits(other.id, {"descriptor_code": "SM11AA"})
    assert done.status == "succeeded"


def test_a_debit_needs_the_consumers_agreement_and_a_validated_account(merchant):
    bank = merchant.bank()
    params = {
        "amount": 75_00,
        "currency": "usd",
        "payment_method": bank.id,
        "allowed_payment_method_types": ["us_bank_account"],
        "confirm": True,
    }
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.create(params)
    assert caught.value.param == "mandate_data"
    options = {"us_bank_account": {"verification_method": "instant"}}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.create({**params, "mandate_data": MANDATE, "payment_method_options": options})
    assert caught.value.code == "bank_account_unverified"
    assert merchant.ledger() == []


def test_a_wrong_routing_number_is_refused(merchant):
    numbers = {"routing_number": "110000001", "account_number": "000123456789"}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.bank(us_bank_account=numbers)
    assert caught.value.code == "routing_number_invalid"


def test_a_debit_is_processing_and_is_paid_four_banking_days_later(merchant, program):
    setup = validated(merchant)
    intent = debit(merchant, setup, expand=["latest_charge"])
    assert intent.status == "processing"
    assert intent.latest_charge.payment_method_details.us_bank_account.mandate == setup.mandate
    assert [one["status"] for one in merchant.ledger()] == ["pending"]
    program.control("POST", "clock", {"now": "2026-12-06T23:59:00Z"})
    assert merchant.v1.payment_intents.retrieve(intent.id).status == "processing"
    program.control("POST", "clock", {"now": "2026-12-07T14:00:00Z"})
    paid = merchant.v1.payment_intents.retrieve(intent.id)
    assert (paid.status, paid.amount_received) == ("succeeded", 75_00)
    assert [one["status"] for one in merchant.ledger()] == ["succeeded"]


@pytest.mark.parametrize(
    ("number", "code", "return_code"),
    [
        ("000222222227", "insufficient_funds", "R01"),
        ("000111111113", "account_closed", "R02"),
        ("000111111116", "no_account", "R03"),
        ("000333333335", "debit_not_authorized", "R10"),
        ("000080808080", "debit_not_authorized", "R08"),
        ("000161616161", "bank_account_restricted", "R16"),
    ],
)
def test_a_returned_debit_says_why(merchant, program, number, code, return_code):
    setup = validated(merchant, number)
    intent = debit(merchant, setup)
    assert intent.status == "processing"
    program.control("POST", "clock", {"advance_seconds": 7 * 86400})
    intent = merchant.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert intent.status == "requires_payment_method"
    assert (intent.last_payment_error.code, intent.last_payment_error.network_decline_code) == (
        code,
        return_code,
    )
    charge = intent.latest_charge
    assert (charge.status, charge.failure_code, charge.outcome.network_decline_code) == (
        "failed",
        code,
        return_code,
    )
    method = merchant.v1.payment_methods.retrieve(setup.payment_method)
    if return_code == "R01":
        assert not method.us_bank_account.status_details.to_dict()
    else:
        assert method.us_bank_account.status_details.blocked.network_code == return_code
        assert merchant.v1.mandates.retrieve(setup.mandate).status == "inactive"
        with pytest.raises(stripe.InvalidRequestError) as caught:
            debit(merchant, setup)
        assert caught.value.code == "payment_method_bank_account_blocked"


def test_a_test_can_end_a_debit_at_once_and_choose_the_return(merchant, program):
    setup = validated(merchant)
    first, second = debit(merchant, setup), debit(merchant, setup)
    program.control("POST", "settle", {"payment_intent": first.id})
    program.control("POST", "settle", {"payment_intent": second.id, "return_code": "R07"})
    assert merchant.v1.payment_intents.retrieve(first.id).status == "succeeded"
    failed = merchant.v1.payment_intents.retrieve(second.id)
    assert failed.last_payment_error.network_decline_code == "R07"
    program.control("POST", "clock", {"advance_seconds": 7 * 86400})
    assert [one["status"] for one in merchant.ledger()] == ["succeeded", "failed"]


def test_a_paid_debit_can_be_disputed_by_the_bank(merchant, program):
    intent = debit(merchant, validated(merchant, "000555555559"))
    program.control("POST", "clock", {"advance_seconds": 7 * 86400})
    (dispute,) = merchant.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.amount, dispute.reason, dispute.status) == (75_00, "debit_not_authorized", "lost")
    assert merchant.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_refund_of_a_debit_arrives_three_banking_days_later(merchant, program):
    intent = debit(merchant, validated(merchant))
    program.control("POST", "settle", {"payment_intent": intent.id})
    refund = merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 30_00})
    assert refund.status == "pending"
    program.control("POST", "clock", {"advance_seconds": 7 * 86400})
    assert merchant.v1.refunds.retrieve(refund.id).status == "succeeded"


def test_a_card_refund_may_fail_a_day_later(merchant, program):
    intent = merchant.v1.payment_intents.create(merchant.payment("4000000000005126"))
    refund = merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 30_00})
    assert refund.status == "succeeded"
    program.control("POST", "clock", {"advance_seconds": 2 * 86400})
    assert merchant.v1.refunds.retrieve(refund.id).status == "failed"
    assert merchant.v1.charges.retrieve(intent.latest_charge).amount_refunded == 0


def test_processing_and_its_end_are_told_by_webhook_at_the_moment_they_happened(program):
    program.control("POST", "clock", {"now": TUESDAY})
    listener = Listener()
    merchant = program.merchant(next(names), webhook_url=listener.url, webhook_secret="whsec_test")
    intent = debit(merchant, validated(merchant, "000222222227"))
    assert listener.wait_for("payment_intent.processing")["data"]["object"]["id"] == intent.id
    program.control("POST", "clock", {"advance_seconds": 30 * 86400})
    failed = listener.wait_for("payment_intent.payment_failed")
    assert failed["data"]["object"]["last_payment_error"]["code"] == "insufficient_funds"
    assert failed["created"] == 1796634000  # 2026-12-07 09:00 UTC, the fourth banking day
    listener.server.shutdown()


@pytest.mark.parametrize(
    ("charged", "settled"),
    [
        # 2026-07-03 is an ordinary banking day: Independence Day on a Saturday is not moved.
        ("2026-06-30T14:00:00Z", "2026-07-06T09:00:00Z"),
        ("2026-11-23T14:00:00Z", "2026-11-30T09:00:00Z"),
        ("2027-12-29T14:00:00Z", "2028-01-04T09:00:00Z"),
    ],
)
def test_holidays_and_week_ends_do_not_count(merchant, program, charged, settled):
    program.control("POST", "clock", {"now": charged})
    intent = debit(merchant, validated(merchant))
    program.control("POST", "clock", {"now": settled.replace("09:00:00", "08:59:00")})
    assert merchant.v1.payment_intents.retrieve(intent.id).status == "processing"
    program.control("POST", "clock", {"now": settled})
    assert merchant.v1.payment_intents.retrieve(intent.id).status == "succeeded"
