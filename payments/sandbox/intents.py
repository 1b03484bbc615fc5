"""Payment intents: create, confirm, authenticate, cancel, settle."""

import secrets
from typing import Any

from . import cards, charges, debits, methods, outcomes
from .calls import Call
from .errors import ApiError, refused, unexpected
from .parameters import merged_metadata, require
from .store import public

SMALLEST, LARGEST = 50, 99_999_999  # cents
SUPPORTED_TYPES = ("card", "us_bank_account")
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
TEXTS = (
    "description",
    "receipt_email",
    "setup_future_usage",
    "statement_descriptor",
    "statement_descriptor_suffix",
)


def allowed_types(params: dict[str, Any]) -> list[str]:
    """Return the payment method types that an intent accepts.

    :raises ApiError: 400 when more than one of the three ways to say it is used, or a type is unknown.
    """
    ways = ("allowed_payment_method_types", "automatic_payment_methods", "excluded_payment_method_types")
    used = [name for name in ways if params.get(name)]
    if len(used) > 1:
        raise refused(f"You may only specify one of these parameters: {', '.join(used)}.", param=used[1])
    for name in (ways[0], ways[2]):
        for one in params.get(name) or ():
            if one not in (*SUPPORTED_TYPES, "link", "cashapp", "amazon_pay", "klarna", "affirm"):
                raise refused(f"Invalid {name}: {one}", param=name)
    if params.get(ways[0]):
        return params[ways[0]]
    return [one for one in SUPPORTED_TYPES if one not in (params.get(ways[2]) or ())]


def _check_amount(amount: int) -> None:
    if amount < 1:
        raise refused(
            "This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer"
        )
    if amount < SMALLEST:
        raise refused("Amount must be at least $0.50 usd", param="amount", code="amount_too_small")
    if amount > LARGEST:
        raise refused("Amount must be no more than $999,999.99", param="amount", code="amount_too_large")


def create(call: Call) -> dict[str, Any]:
    """Make a payment intent, and confirm it at once when asked.

    :raises ApiError: 402 when the confirmation is declined (the intent stays), 400 when it is refused.
    """
    given = call.params
    require(given, "amount", "currency")
    _check_amount(given["amount"])
    if given["currency"].lower() != "usd":
        raise refused(f"Invalid currency: {given['currency']}.", param="currency")
    if given.get("capture_method") not in (None, "automatic", "automatic_async"):
        raise refused("This sandbox captures automatically only.", param="capture_method")
    if not given.get("confirm"):
        for name in ("off_session", "confirmation_token", "mandate_data", "mandate", "return_url"):
            if given.get(name):
                raise refused(f"You may only specify `{name}` when `confirm` is true.", param=name)
    if given.get("customer"):
        call.get("customer", given["customer"], param="customer")
    reference = given.get("payment_method")
    method = methods.load(call, reference) if reference else None
    if method:
        call.params["payment_method"] = method["id"]
    intent = call.new(
        "pi",
        "payment_intent",
        **type_fields(given),
        amount=given["amount"],
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        canceled_at=None,
        cancellation_reason=None,
        capture_method=given.get("capture_method") or "automatic_async",
        client_secret=None,
        confirmation_method="automatic",
        currency="usd",
        customer=given.get("customer") or None,
        last_payment_error=None,
        latest_charge=None,
        metadata=merged_metadata({}, given.get("metadata")),
        next_action=None,
        payment_method=method["id"] if method else None,
        payment_method_options=given.get("payment_method_options") or {},
        payment_method_types=allowed_types(given),
        processing=None,
        shipping=given.get("shipping") or None,
        status="requires_confirmation" if method else "requires_payment_method",
        **{name: given.get(name) or None for name in TEXTS},
        _={"origin": call.origin(), "redirects": _may_redirect(given)},
    )
    intent["client_secret"] = f"{intent['id']}_secret_{secrets.token_hex(12)}"
    call.save(intent)
    call.emit("payment_intent.created", intent)
    return confirm(call, intent["id"]) if given.get("confirm") else intent


def type_fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return what an intent says about the types that it accepts."""
    automatic = given.get("automatic_payment_methods")
    return {
        "allowed_payment_method_types": given.get("allowed_payment_method_types"),
        "excluded_payment_method_types": given.get("excluded_payment_method_types"),
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True, **(automatic or {})}
        if automatic or not given.get("allowed_payment_method_types")
        else None,
    }


def _may_redirect(given: dict[str, Any]) -> bool:
    automatic = given.get("automatic_payment_methods") or {}
    return not given.get("allowed_payment_method_types") and automatic.get("allow_redirects") != "never"


def update(call: Call, reference: str) -> dict[str, Any]:
    """Change an intent that has not been confirmed."""
    intent = call.get("payment_intent", reference, param="intent")
    given = call.params
    if intent["status"] not in OPEN and set(given) - {"metadata", "description"}:
        raise unexpected(intent, f"This PaymentIntent's could not be updated because it is {intent['status']}.")
    if given.get("amount") is not None:
        _check_amount(given["amount"])
        intent["amount"] = given["amount"]
    if given.get("customer"):
        intent["customer"] = call.get("customer", given["customer"], param="customer")["id"]
    if given.get("payment_method"):
        intent["payment_method"] = methods.load(call, given["payment_method"])["id"]
        intent["status"] = "requires_confirmation"
    for name in TEXTS:
        if name in given:
            intent[name] = given[name] or None
    if given.get("payment_method_options"):
        intent["payment_method_options"] = given["payment_method_options"]
    intent["metadata"] = merged_metadata(intent["metadata"], given.get("metadata"))
    return call.save(intent)


def confirm(call: Call, reference: str) -> dict[str, Any]:
    """Try to take the money.

    :raises ApiError: 402 when declined or when authentication is needed but nobody is there.
    """
    intent = call.get("payment_intent", reference, param="intent")
    given = call.params
    if intent["status"] not in OPEN:
        raise unexpected(
            intent, f"You cannot confirm this PaymentIntent because it has already {_done(intent['status'])}."
        )
    if given.get("amount_to_confirm") not in (None, intent["amount"]):
        raise refused("The amount to confirm is not the PaymentIntent's amount.", param="amount_to_confirm")
    off_session = given.get("off_session") is True
    kept = intent["_"]
    kept["origin"] = call.origin()
    kept["return_url"] = given.get("return_url") or kept.get("return_url")
    kept["sdk"] = given.get("use_stripe_sdk") is True
    intent["setup_future_usage"] = given.get("setup_future_usage") or intent["setup_future_usage"]
    intent["receipt_email"] = given.get("receipt_email") or intent["receipt_email"]
    if given.get("payment_method_options"):
        intent["payment_method_options"] = given["payment_method_options"]
    method = methods.chosen(call, intent)
    if kept["redirects"] and not kept["return_url"] and not off_session:
        raise refused(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because "
            "some of these payment methods might redirect your customer off of your page, you must provide a "
            "`return_url`. If you don't want to accept redirect-based payment methods, set "
            "`automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` "
            "to `never` when creating Setup Intents and Payment Intents.",
            param="return_url",
        )
    intent |= {"payment_method": method["id"], "next_action": None, "last_payment_error": None}
    kept["error_on_action"] = given.get("error_on_requires_action") is True
    if method["type"] == "card":
        return _confirm_card(call, intent, method, off_session=off_session)
    return debits.confirm(call, intent, method, mandate=_mandate_of(call, intent, method))


def _done(status: str) -> str:
    return {"canceled": "been canceled", "processing": "been confirmed"}.get(
        status, "succeeded after being previously confirmed"
    )


def _mandate_of(call: Call, intent: dict[str, Any], method: dict[str, Any]) -> str | None:
    given = call.params
    if given.get("mandate"):
        return call.get("mandate", given["mandate"], param="mandate")["id"]
    if given.get("mandate_data"):
        return methods.make_mandate(call, method, given["mandate_data"], multi_use=bool(intent["setup_future_usage"]))
    return method["_"].get("mandate")


def _confirm_card(call: Call, intent: dict[str, Any], method: dict[str, Any], *, off_session: bool) -> dict[str, Any]:
    card = cards.script(call.store, method["_"]["number"])
    asks = card.outcome == "challenge_always" or (
        card.outcome == "challenge" and not (off_session and method["_"].get("set_up"))
    )
    intent["_"]["mandate"] = _mandate_of(call, intent, method)
    if asks and (off_session or intent["_"]["error_on_action"]):
        needed = cards.Card(card.brand, card.funding, "decline", "authentication_required", "authentication_required")
        return outcomes.decline(call, intent, method, needed)
    if asks:
        intent |= {"status": "requires_action", "next_action": next_action(call, intent)}
        call.save(intent)
        call.emit("payment_intent.requires_action", intent)
        return intent
    return _charge_card(call, intent, method, card, authenticated=False)


def next_action(call: Call, intent: dict[str, Any]) -> dict[str, Any]:
    """Say how the consumer proves who they are: by the page's script, or by a page of the processor."""
    url = f"{call.base_url}/challenge?client_secret={intent['client_secret']}"
    if intent["_"].get("sdk") or not intent["_"].get("return_url"):
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "stripe_3ds2_fingerprint", "url": url}}
    return {
        "type": "redirect_to_url",
        "redirect_to_url": {"url": f"{url}&redirect=1", "return_url": intent["_"]["return_url"]},
    }


def _charge_card(
    call: Call, intent: dict[str, Any], method: dict[str, Any], card: cards.Card, *, authenticated: bool
) -> dict[str, Any]:
    if card.decline_code:
        return outcomes.decline(call, intent, method, card)
    charge = charges.create(call, intent, method, mandate=intent["_"].get("mandate"), authenticated=authenticated)
    charges.succeed(call, charge)
    outcomes.finish(call, intent, charge, method)
    if card.outcome == "dispute":
        charges.dispute(call, charge, reason="fraudulent", code="10.4")
    return intent


def waits_for_consumer(intent: dict[str, Any]) -> bool:
    """Say whether 3-D Secure is what an intent waits for."""
    action = (intent["next_action"] or {}).get("type")
    return intent["status"] == "requires_action" and action in ("use_stripe_sdk", "redirect_to_url")


def authenticate(call: Call, intent: dict[str, Any], *, passed: bool) -> dict[str, Any]:
    """Carry on after 3-D Secure."""
    if not waits_for_consumer(intent):
        raise unexpected(intent, "This PaymentIntent does not wait for authentication.")
    method = call.get("payment_method", intent["payment_method"])
    if passed:
        return _charge_card(call, intent, method, cards.script(call.store, method["_"]["number"]), authenticated=True)
    code = "payment_intent_authentication_failure"
    message = "The provided PaymentMethod has failed authentication. Try again or provide another payment method."
    error = {
        "code": code,
        "message": message,
        "type": "invalid_request_error",
        "payment_method": public(method),
    }
    outcomes.fail(call, intent, None, method, error)
    raise ApiError(400, {**error, "payment_intent": public(intent)}, keep=True)


def cancel(call: Call, reference: str) -> dict[str, Any]:
    """Make sure that an intent never takes money."""
    intent = call.get("payment_intent", reference, param="intent")
    if intent["status"] not in OPEN:
        raise unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be canceled: requires_payment_method, "
            "requires_capture, requires_confirmation, requires_action.",
        )
    reason = call.params.get("cancellation_reason") or None
    if reason not in (None, *REASONS):
        raise refused(f"Invalid cancellation_reason: {reason}", param="cancellation_reason")
    intent |= {
        "canceled_at": call.now,
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    call.save(intent)
    call.emit("payment_intent.canceled", intent)
    return intent
