"""Customers, payment methods and confirmation tokens."""

from typing import Any

from . import banks, cards
from .calls import Call
from .errors import refused, unexpected
from .parameters import merged_metadata, require

EMPTY_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
TOKEN_SECONDS = 12 * 3600
CUSTOMER_FIELDS = ("address", "description", "email", "name", "phone", "shipping", "preferred_locales")


def create_customer(call: Call) -> dict[str, Any]:
    """Make a customer."""
    given = call.params
    customer = call.new(
        "cus",
        "customer",
        **{name: given.get(name) or None for name in CUSTOMER_FIELDS},
        balance=0,
        currency=None,
        default_source=None,
        delinquent=False,
        invoice_settings={"custom_fields": None, "default_payment_method": None, "footer": None},
        metadata=merged_metadata({}, given.get("metadata")),
        tax_exempt=given.get("tax_exempt") or "none",
        test_clock=None,
    )
    call.save(customer)
    call.emit("customer.created", customer)
    return customer


def update_customer(call: Call, reference: str) -> dict[str, Any]:
    """Change a customer."""
    customer = call.get("customer", reference, param="customer")
    for name in CUSTOMER_FIELDS:
        if name in call.params:
            customer[name] = call.params[name] or None
    customer["metadata"] = merged_metadata(customer["metadata"], call.params.get("metadata"))
    call.save(customer)
    call.emit("customer.updated", customer)
    return customer


def delete_customer(call: Call, reference: str) -> dict[str, Any]:
    """Delete a customer and detach what it had saved."""
    customer = call.get("customer", reference, param="customer")
    for method in call.store.every(call.account, "payment_method", customer=reference):
        _detach(call, method)
    call.store.rows("DELETE FROM objects WHERE id = ?", reference)
    call.emit("customer.deleted", customer)
    return {"id": reference, "object": "customer", "deleted": True}


def build(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Make a payment method out of typed details; it is not saved.

    :raises ApiError: 402 for impossible card details, 400 for impossible bank details.
    """
    require(given, "type")
    kind = given["type"]
    if kind == "card":
        shown, kept = cards.read_number(call.store, call.account, given.get("card") or {}, now=call.now)
    elif kind == "us_bank_account":
        shown, kept = banks.read_numbers(call.account, given.get("us_bank_account") or {})
        require(given.get("billing_details") or {}, "name")
    else:
        raise refused(f"Invalid payment_method type: {kind}", param="type", code="payment_method_invalid_parameter")
    billing = given.get("billing_details") or {}
    return call.new(
        "pm",
        "payment_method",
        allow_redisplay=given.get("allow_redisplay") or "unspecified",
        billing_details={
            "address": {**EMPTY_ADDRESS, **(billing.get("address") or {})},
            **{name: billing.get(name) or None for name in ("email", "name", "phone", "tax_id")},
        },
        customer=None,
        customer_account=None,
        metadata=merged_metadata({}, given.get("metadata")),
        type=kind,
        **{kind: shown},
        _=kept,
    )


def create_method(call: Call) -> dict[str, Any]:
    """Make a payment method."""
    return call.save(build(call, call.params))


def update_method(call: Call, reference: str) -> dict[str, Any]:
    """Change billing details, expiry or metadata."""
    method = load(call, reference)
    for name, value in (call.params.get("billing_details") or {}).items():
        if name == "address":
            method["billing_details"]["address"].update(value)
        else:
            method["billing_details"][name] = value or None
    if method["type"] == "card":
        method["card"].update(
            {name: value for name, value in (call.params.get("card") or {}).items() if name.startswith("exp_")}
        )
    method["allow_redisplay"] = call.params.get("allow_redisplay") or method["allow_redisplay"]
    method["metadata"] = merged_metadata(method["metadata"], call.params.get("metadata"))
    call.save(method)
    call.emit("payment_method.updated", method)
    return method


def load(call: Call, reference: str, *, param: str = "payment_method") -> dict[str, Any]:
    """Return a payment method; a published test name such as ``pm_card_visa`` makes a new one.

    :raises ApiError: 404 when the account has no such payment method.
    """
    if reference in cards.TOKENS:
        card = {"number": cards.TOKENS[reference], "exp_month": 12, "exp_year": 2034, "cvc": None}
        return call.save(build(call, {"type": "card", "card": card}))
    if reference in banks.TOKENS:
        bank = {"routing_number": "110000000", "account_number": banks.TOKENS[reference]}
        method = build(
            call,
            {"type": "us_bank_account", "us_bank_account": bank, "billing_details": {"name": "Test Holder"}},
        )
        method["_"]["verified"] = True
        return call.save(method)
    return call.get("payment_method", reference, param=param)


def attach(call: Call, reference: str) -> dict[str, Any]:
    """Save a payment method to a customer; a card is checked with its bank first.

    :raises ApiError: 402 when the card is declined, 400 when it is somebody else's already.
    """
    require(call.params, "customer")
    method = load(call, reference)
    customer = call.get("customer", call.params["customer"], param="customer")
    if method["customer"] == customer["id"]:
        return method
    if method["customer"]:
        raise refused(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_in_use",
        )
    refuse_spent(method)
    if method["type"] == "card":
        card = cards.script(call.store, method["_"]["number"])
        if card.outcome == "decline":
            raise cards.card_error(card.code or "card_declined", cards.message_of(card), decline_code=card.decline_code)
    elif not method["_"].get("verified"):
        raise refused(
            "You must verify this bank account, with a SetupIntent or a PaymentIntent, before attaching it.",
            code="bank_account_unverified",
        )
    return save_to(call, method, customer["id"])


def save_to(call: Call, method: dict[str, Any], customer: str) -> dict[str, Any]:
    """Write that a payment method is the customer's."""
    method["customer"] = customer
    call.save(method)
    call.emit("payment_method.attached", method)
    return method


def refuse_spent(method: dict[str, Any]) -> None:
    """Refuse a payment method that was used without being saved, or was detached."""
    if method["_"].get("spent"):
        raise refused(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
            "attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod "
            "multiple times, you must attach it to a Customer first.",
            param="payment_method",
        )


def detach(call: Call, reference: str) -> dict[str, Any]:
    """Take a payment method away from its customer, for good."""
    method = call.get("payment_method", reference, param="payment_method")
    if not method["customer"]:
        raise refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    return _detach(call, method)


def _detach(call: Call, method: dict[str, Any]) -> dict[str, Any]:
    previous = {"customer": method["customer"]}
    method["customer"], method["_"]["spent"] = None, True
    end_mandate(call, method)
    call.save(method)
    call.emit("payment_method.detached", method, previous)
    return method


def make_mandate(call: Call, method: dict[str, Any], given: dict[str, Any], *, multi_use: bool) -> str:
    """Write the consumer's agreement to be debited; return its id."""
    acceptance = given.get("customer_acceptance") or {}
    kind = acceptance.get("type")
    if kind not in ("online", "offline"):
        raise refused(
            "Missing required param: mandate_data[customer_acceptance][type].",
            param="mandate_data[customer_acceptance][type]",
            code="parameter_missing",
        )
    if kind == "online":
        for name in ("ip_address", "user_agent"):
            if not (acceptance.get("online") or {}).get(name):
                param = f"mandate_data[customer_acceptance][online][{name}]"
                raise refused(f"Missing required param: {param}.", param=param, code="parameter_missing")
    mandate = call.new(
        "mandate",
        "mandate",
        customer_acceptance={
            "accepted_at": acceptance.get("accepted_at") or call.now,
            "type": kind,
            kind: acceptance.get(kind) or {},
        },
        payment_method=method["id"],
        payment_method_details={"type": method["type"], method["type"]: {}},
        status="active",
        type="multi_use" if multi_use else "single_use",
        **({"multi_use": {}} if multi_use else {"single_use": {}}),
    )
    call.save(mandate)
    if multi_use:
        method["_"]["mandate"] = mandate["id"]
        call.save(method)
    return mandate["id"]


def end_mandate(call: Call, method: dict[str, Any]) -> None:
    """End the standing agreement of a payment method, if it has one."""
    mandate = call.find("mandate", method["_"].pop("mandate", ""))
    if mandate and mandate["status"] == "active":
        mandate["status"] = "inactive"
        call.save(mandate)
        call.emit("mandate.updated", mandate, {"status": "active"})


def create_token(call: Call) -> dict[str, Any]:
    """Make a confirmation token; only the browser's field and the control call do this."""
    given = call.params
    method = build(call, given.get("payment_method_data") or {})
    preview = {
        name: method[name]
        for name in (
            "allow_redisplay",
            "billing_details",
            "customer",
            "customer_account",
            "type",
            method["type"],
        )
    }
    return call.save(
        call.new(
            "ctoken",
            "confirmation_token",
            expires_at=call.now + TOKEN_SECONDS,
            mandate_data=None,
            payment_intent=None,
            payment_method_options=None,
            payment_method_preview=preview,
            return_url=given.get("return_url") or None,
            setup_future_usage=given.get("setup_future_usage") or None,
            setup_intent=None,
            shipping=None,
            use_stripe_sdk=True,
            _={"method": method},
        )
    )


def use_token(call: Call, reference: str, intent: dict[str, Any]) -> dict[str, Any]:
    """Turn a confirmation token into a payment method, once.

    :raises ApiError: 400 when it was used or has expired, 404 when the account has none.
    """
    token = call.get("confirmation_token", reference, param="confirmation_token")
    if token["_"].get("used"):
        raise refused(
            f"The ConfirmationToken {reference} has already been used. ConfirmationTokens are single use.",
            param="confirmation_token",
        )
    if token["expires_at"] < call.now:
        raise refused(f"The ConfirmationToken {reference} has expired.", param="confirmation_token")
    method = token["_"].pop("method")
    method["created"] = call.now
    token["_"]["used"] = True
    token[intent["object"]] = intent["id"]
    token["payment_method_preview"]["customer"] = intent["customer"]
    call.save(token)
    intent["_"]["return_url"] = intent["_"].get("return_url") or token["return_url"]
    intent["_"]["sdk"] = True
    if intent["object"] == "payment_intent":
        intent["setup_future_usage"] = intent["setup_future_usage"] or token["setup_future_usage"]
    return call.save(method)


def chosen(call: Call, intent: dict[str, Any]) -> dict[str, Any]:
    """Return the payment method that a confirmation names, in whichever of the four ways.

    :raises ApiError: 400 when none is named, more than one is, or it cannot be used.
    """
    given = call.params
    ways = [name for name in ("confirmation_token", "payment_method", "payment_method_data") if given.get(name)]
    if len(ways) > 1:
        raise refused(f"You may only specify one of these parameters: {', '.join(ways)}.", param=ways[1])
    if given.get("confirmation_token"):
        method = use_token(call, given["confirmation_token"], intent)
    elif given.get("payment_method_data"):
        method = call.save(build(call, given["payment_method_data"]))
    elif given.get("payment_method") or intent["payment_method"]:
        method = load(call, given.get("payment_method") or intent["payment_method"])
    else:
        raise unexpected(
            intent,
            f"You cannot confirm this {intent['object'].replace('_', ' ').title().replace(' ', '')} because "
            "it's missing a payment method. You can either update it with a payment method and then confirm it "
            "again, or confirm it again directly with a payment method or ConfirmationToken.",
        )
    refuse_spent(method)
    if method["customer"] and method["customer"] != intent["customer"]:
        raise refused(
            "The provided PaymentMethod belongs to a Customer. You must supply its Customer in the "
            "`customer` parameter.",
            param="payment_method",
        )
    if method["type"] not in intent["payment_method_types"]:
        raise refused(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this {intent['object']}.",
            param="payment_method",
            code="payment_method_type_not_allowed",
        )
    blocked = method["type"] == "us_bank_account" and method["us_bank_account"]["status_details"].get("blocked")
    if blocked:
        raise refused(
            f"The bank account has been blocked after the return {blocked['network_code']}.",
            param="payment_method",
            code="payment_method_bank_account_blocked",
        )
    return method
