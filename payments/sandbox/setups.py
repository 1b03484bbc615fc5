"""Setup intents: save a card, validate a bank account."""

import secrets
from typing import Any, NoReturn

from . import banks, cards, debits, intents, methods
from .calls import Call
from .errors import ApiError, refused, unexpected
from .parameters import merged_metadata
from .store import public

RIGHT_AMOUNTS, RIGHT_CODE = ["32", "45"], "SM11AA"
LARGEST_TRIES = 10


def create(call: Call) -> dict[str, Any]:
    """Make a setup intent, and confirm it at once when asked.

    :raises ApiError: 402 or 400 when the confirmation fails (the setup intent stays).
    """
    given = call.params
    if given.get("customer"):
        call.get("customer", given["customer"], param="customer")
    reference = given.get("payment_method")
    method = methods.load(call, reference) if reference else None
    if method:
        call.params["payment_method"] = method["id"]
    setup = call.new(
        "seti",
        "setup_intent",
        **intents.type_fields(given),
        cancellation_reason=None,
        client_secret=None,
        customer=given.get("customer") or None,
        description=given.get("description") or None,
        last_setup_error=None,
        latest_attempt=None,
        mandate=None,
        metadata=merged_metadata({}, given.get("metadata")),
        next_action=None,
        payment_method=method["id"] if method else None,
        payment_method_options=given.get("payment_method_options") or {},
        payment_method_types=intents.allowed_types(given),
        single_use_mandate=None,
        status="requires_confirmation" if method else "requires_payment_method",
        usage=given.get("usage") or "off_session",
        _={"origin": call.origin()},
    )
    setup["client_secret"] = f"{setup['id']}_secret_{secrets.token_hex(12)}"
    call.save(setup)
    call.emit("setup_intent.created", setup)
    return confirm(call, setup["id"]) if given.get("confirm") else setup


def update(call: Call, reference: str) -> dict[str, Any]:
    """Change a setup intent."""
    setup = call.get("setup_intent", reference, param="intent")
    given = call.params
    if given.get("customer"):
        setup["customer"] = call.get("customer", given["customer"], param="customer")["id"]
    if given.get("payment_method"):
        setup["payment_method"] = methods.load(call, given["payment_method"])["id"]
        setup["status"] = "requires_confirmation"
    setup["description"] = given.get("description") or setup["description"]
    setup["payment_method_options"] = given.get("payment_method_options") or setup["payment_method_options"]
    setup["metadata"] = merged_metadata(setup["metadata"], given.get("metadata"))
    return call.save(setup)


def confirm(call: Call, reference: str) -> dict[str, Any]:
    """Save the payment method, or say what is missing.

    :raises ApiError: 402 when the card is declined, 400 when the bank account cannot be validated.
    """
    setup = call.get("setup_intent", reference, param="intent")
    if setup["status"] not in intents.OPEN:
        raise unexpected(setup, f"You cannot confirm this SetupIntent because it is {setup['status']}.")
    given, kept = call.params, setup["_"]
    kept["return_url"] = given.get("return_url") or kept.get("return_url")
    kept["sdk"] = given.get("use_stripe_sdk") is True
    setup["payment_method_options"] = given.get("payment_method_options") or setup["payment_method_options"]
    method = methods.chosen(call, setup)
    setup |= {"payment_method": method["id"], "next_action": None, "last_setup_error": None}
    if method["type"] == "us_bank_account" and not given.get("mandate_data") and not method["_"].get("mandate"):
        raise refused(
            "You must collect the customer's agreement: mandate_data is required for us_bank_account.",
            param="mandate_data",
            code="parameter_missing",
        )
    if given.get("mandate_data"):
        setup["mandate"] = methods.make_mandate(call, method, given["mandate_data"], multi_use=True)
    return _confirm_card(call, setup, method) if method["type"] == "card" else _confirm_bank(call, setup, method)


def _confirm_card(call: Call, setup: dict[str, Any], method: dict[str, Any]) -> dict[str, Any]:
    card = cards.script(call.store, method["_"]["number"])
    if card.outcome == "decline":
        error = {
            "advice_code": card.advice_code,
            "code": card.code,
            "decline_code": card.decline_code,
            "message": cards.message_of(card),
            "network_decline_code": card.network_code,
            "type": "card_error",
        }
        _fail(call, setup, method, error, status=402)
    if card.outcome.startswith("challenge"):
        return _wait(call, setup, intents.next_action(call, setup))
    return _finish(call, setup, method)


def _confirm_bank(call: Call, setup: dict[str, Any], method: dict[str, Any]) -> dict[str, Any]:
    way = (setup["payment_method_options"].get("us_bank_account") or {}).get("verification_method") or "automatic"
    if way not in ("automatic", "instant", "microdeposits", "skip"):
        param = "payment_method_options[us_bank_account][verification_method]"
        raise refused(f"Invalid verification_method: {way}", param=param)
    if way == "microdeposits" and not method["_"].get("verified"):
        return _wait(call, setup, debits.microdeposits(call))
    if banks.BANKS[method["_"]["number"]].outcome == "unverifiable":
        error = {
            "code": "bank_account_verification_failed",
            "message": "The bank account could not be verified. Check the numbers or use another account.",
            "type": "invalid_request_error",
        }
        _fail(call, setup, method, error, status=400)
    return _finish(call, setup, method)


def _wait(call: Call, setup: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    setup |= {"status": "requires_action", "next_action": action}
    call.save(setup)
    call.emit("setup_intent.requires_action", setup)
    return setup


def _fail(call: Call, setup: dict[str, Any], method: dict[str, Any], error: dict[str, Any], *, status: int) -> NoReturn:
    error = {**{name: value for name, value in error.items() if value}, "payment_method": public(method)}
    methods.end_mandate(call, method)
    call.save(method)
    setup |= {
        "last_setup_error": error,
        "mandate": None,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    call.save(setup)
    call.emit("setup_intent.setup_failed", setup)
    raise ApiError(status, {**error, "setup_intent": public(setup)}, keep=True)


def _finish(call: Call, setup: dict[str, Any], method: dict[str, Any]) -> dict[str, Any]:
    method["_"] |= {"set_up": setup["usage"] == "off_session", "verified": True}
    call.save(method)
    if setup["customer"] and not method["customer"]:
        methods.save_to(call, method, setup["customer"])
    setup |= {"next_action": None, "status": "succeeded"}
    call.save(setup)
    call.emit("setup_intent.succeeded", setup)
    return setup


def authenticate(call: Call, setup: dict[str, Any], *, passed: bool) -> dict[str, Any]:
    """Carry on after 3-D Secure."""
    if not intents.waits_for_consumer(setup):
        raise unexpected(setup, "This SetupIntent does not wait for authentication.")
    method = call.get("payment_method", setup["payment_method"])
    if passed:
        return _finish(call, setup, method)
    error = {
        "code": "setup_intent_authentication_failure",
        "message": "The provided PaymentMethod has failed authentication. Try again or provide another payment method.",
        "type": "invalid_request_error",
    }
    _fail(call, setup, method, error, status=400)


def verify_microdeposits(call: Call, kind: str, reference: str) -> dict[str, Any]:
    """Compare the two sums, or the code, that the consumer saw on the account.

    :raises ApiError: 400 when they are wrong; after ten tries the account cannot be verified any more.
    """
    intent = call.get(kind, reference, param="intent")
    if (intent["next_action"] or {}).get("type") != "verify_with_microdeposits":
        raise unexpected(intent, "This intent does not wait for microdeposits.")
    tries = intent["_"]["tries"] = intent["_"].get("tries", 0) + 1
    amounts, code = call.params.get("amounts"), call.params.get("descriptor_code")
    if tries > LARGEST_TRIES or not (
        (amounts and sorted(amounts) == RIGHT_AMOUNTS) or (code or "").upper() == RIGHT_CODE
    ):
        call.save(intent)
        what = "amounts" if amounts else "descriptor_code"
        name = f"verification_{what}_mismatch" if amounts else "verification_descriptor_code_mismatch"
        ending = "verification_attempts_exceeded" if tries >= LARGEST_TRIES else name
        error = {
            "type": "invalid_request_error",
            "code": f"payment_method_microdeposit_{ending}",
            "message": "What you entered does not match what was sent to the bank account.",
            "param": what,
        }
        raise ApiError(400, error, keep=True)
    method = call.get("payment_method", intent["payment_method"])
    method["_"]["verified"] = True
    call.save(method)
    return _finish(call, intent, method) if kind == "setup_intent" else debits.submit(call, intent, method)


def cancel(call: Call, reference: str) -> dict[str, Any]:
    """End a setup intent that saved nothing."""
    setup = call.get("setup_intent", reference, param="intent")
    if setup["status"] not in intents.OPEN:
        raise unexpected(setup, f"You cannot cancel this SetupIntent because it is {setup['status']}.")
    reason = call.params.get("cancellation_reason") or None
    setup |= {"cancellation_reason": reason, "next_action": None, "status": "canceled"}
    call.save(setup)
    call.emit("setup_intent.canceled", setup)
    return setup
