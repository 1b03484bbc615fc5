"""How an intent ends: declined, failed, succeeded, and what becomes of its payment method."""

from typing import Any

from . import cards, charges, methods
from .calls import Call
from .errors import ApiError
from .store import public


def decline(call: Call, intent: dict[str, Any], method: dict[str, Any], card: cards.Card) -> dict[str, Any]:
    """Write a declined attempt.

    :raises ApiError: always: 402 with the declined intent in it.
    """
    code, message = card.code or "card_declined", cards.message_of(card)
    charge = charges.create(call, intent, method, mandate=None, authenticated=False)
    charges.fail(call, charge, code=code, message=message, outcome=charges.outcome_of(card=card))
    param = {"incorrect_cvc": "cvc", "expired_card": "exp_month"}.get(code)
    error = {
        "advice_code": card.advice_code,
        "charge": charge["id"],
        "code": code,
        "decline_code": card.decline_code,
        "doc_url": f"https://docs.stripe.com/error-codes#{code.replace('_', '-')}",
        "message": message,
        "network_advice_code": charge["outcome"]["network_advice_code"],
        "network_decline_code": card.network_code,
        "param": param,
        "payment_method": public(method),
        "type": "card_error",
    }
    fail(call, intent, charge, method, {name: value for name, value in error.items() if value is not None})
    raise ApiError(402, {**error, "payment_intent": public(intent)}, keep=True)


def fail(
    call: Call,
    intent: dict[str, Any],
    charge: dict[str, Any] | None,
    method: dict[str, Any],
    error: dict[str, Any],
) -> None:
    """Write that the attempt failed and the intent waits for another payment method."""
    if not method["customer"]:
        method["_"]["spent"] = True
        call.save(method)
    intent |= {
        "last_payment_error": error,
        "latest_charge": charge["id"] if charge else intent["latest_charge"],
        "next_action": None,
        "payment_method": None,
        "processing": None,
        "status": "requires_payment_method",
    }
    call.save(intent)
    call.emit("payment_intent.payment_failed", intent)


def finish(call: Call, intent: dict[str, Any], charge: dict[str, Any], method: dict[str, Any]) -> None:
    """Write that the intent succeeded; save the payment method when that was asked for."""
    intent |= {
        "amount_received": intent["amount"],
        "latest_charge": charge["id"],
        "next_action": None,
        "processing": None,
        "status": "succeeded",
    }
    keep_method(call, intent, method)
    call.save(intent)
    call.emit("payment_intent.succeeded", intent)


def keep_method(call: Call, intent: dict[str, Any], method: dict[str, Any]) -> None:
    """Attach a used payment method to its customer, or mark it as spent."""
    if intent["setup_future_usage"] == "off_session":
        method["_"]["set_up"] = True
    if method["customer"]:
        call.save(method)
    elif intent["setup_future_usage"] and intent["customer"]:
        methods.save_to(call, method, intent["customer"])
    elif not intent["setup_future_usage"]:
        method["_"]["spent"] = True
        call.save(method)
