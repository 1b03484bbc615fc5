"""Form parameters: nested names, known names, types."""

import re
from typing import Any
from urllib.parse import parse_qsl

from .errors import refused

TEXT, INTEGER, BOOLEAN, FREE, LIST = "text", "integer", "boolean", "free", "list"
NAME_PART = re.compile(r"\[([^\]]*)\]")
# Stripe's own limit on one value of metadata is 500 characters and 50 names.
METADATA_LIMIT, METADATA_LENGTH = 50, 500


def texts(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split(), TEXT)


ADDRESS = texts("city country line1 line2 postal_code state")
BILLING = {**texts("email name phone tax_id"), "address": ADDRESS}
BANK = texts("account_holder_type account_number account_type routing_number financial_connections_account")
CARD = {**texts("number cvc token"), "exp_month": INTEGER, "exp_year": INTEGER, "networks": FREE}
METHOD_DATA = {
    **texts("type allow_redisplay"),
    "billing_details": BILLING,
    "card": CARD,
    "us_bank_account": BANK,
    "metadata": FREE,
    "radar_options": FREE,
}
MANDATE_DATA = {
    "customer_acceptance": {
        "type": TEXT,
        "accepted_at": INTEGER,
        "offline": FREE,
        "online": texts("ip_address user_agent"),
    }
}
BANK_OPTIONS = {
    **texts("verification_method setup_future_usage target_date preferred_settlement_speed"),
    "financial_connections": FREE,
    "mandate_options": FREE,
    "networks": FREE,
    "transaction_purpose": TEXT,
}
CARD_OPTIONS = {
    **texts("capture_method cvc_token network request_three_d_secure setup_future_usage"),
    **texts("setup_credential_usage stored_credential_usage"),
    **texts("statement_descriptor_suffix_kana statement_descriptor_suffix_kanji"),
    "mandate_options": FREE,
    "moto": BOOLEAN,
    "require_cvc_recollection": BOOLEAN,
    "three_d_secure": FREE,
}
METHOD_OPTIONS = {"card": CARD_OPTIONS, "us_bank_account": BANK_OPTIONS, "link": FREE}
AUTOMATIC = {"enabled": BOOLEAN, "allow_redirects": TEXT}
TYPES = {"allowed_payment_method_types": LIST, "excluded_payment_method_types": LIST}
PAGE = {"limit": INTEGER, **texts("starting_after ending_before"), "created": FREE}

CONFIRM = {
    **texts("confirmation_token mandate payment_method receipt_email return_url setup_future_usage"),
    **TYPES,
    "amount_to_confirm": INTEGER,
    "error_on_requires_action": BOOLEAN,
    "mandate_data": MANDATE_DATA,
    "off_session": BOOLEAN,
    "payment_method_data": METHOD_DATA,
    "payment_method_options": METHOD_OPTIONS,
    "radar_options": FREE,
    "shipping": FREE,
    "use_stripe_sdk": BOOLEAN,
}
INTENT = {
    **texts("currency customer description payment_method receipt_email setup_future_usage"),
    **texts("statement_descriptor statement_descriptor_suffix payment_method_configuration transfer_group"),
    **TYPES,
    "amount": INTEGER,
    "metadata": FREE,
    "payment_details": FREE,
    "payment_method_data": METHOD_DATA,
    "payment_method_options": METHOD_OPTIONS,
    "shipping": FREE,
}
SETUP_CONFIRM = {
    **texts("confirmation_token payment_method return_url"),
    "allowed_payment_method_types": LIST,
    "mandate_data": MANDATE_DATA,
    "payment_method_data": METHOD_DATA,
    "payment_method_options": METHOD_OPTIONS,
    "use_stripe_sdk": BOOLEAN,
}
SETUP = {
    **texts("customer description payment_method payment_method_configuration"),
    **TYPES,
    "metadata": FREE,
    "payment_method_data": METHOD_DATA,
    "payment_method_options": METHOD_OPTIONS,
}
CUSTOMER = {
    **texts("description email name phone business_name individual_name tax_exempt"),
    "address": ADDRESS,
    "invoice_settings": FREE,
    "metadata": FREE,
    "preferred_locales": LIST,
    "shipping": FREE,
}
NOTHING: dict[str, Any] = {}
METADATA = {"metadata": FREE}
MICRODEPOSITS = {"amounts": LIST, "descriptor_code": TEXT}
SEARCH = {"query": TEXT, "limit": INTEGER, "page": TEXT}


def decode(form: str) -> dict[str, Any]:
    """Turn ``a[b][0]=c`` into nested dictionaries and lists."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        head, bracket, rest = name.partition("[")
        path = [head, *NAME_PART.findall(bracket + rest)]
        node = tree
        for part in path[:-1]:
            step = node.setdefault(part, {})
            if not isinstance(step, dict):
                raise refused(f"Invalid parameter: {name}", param=name, code="parameter_invalid_object")
            node = step
        node[path[-1] or str(len(node))] = value
    return {name: value if name == "metadata" else listed(value) for name, value in tree.items()}


def listed(value: Any) -> Any:
    """Turn dictionaries whose names are all numbers into lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: listed(one) for name, one in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def check(params: dict[str, Any], known: dict[str, Any], *, at: str = "") -> dict[str, Any]:
    """Return the parameters with their types, after refusing what is not known.

    :raises ApiError: 400 with ``parameter_unknown`` or ``parameter_invalid_...``, naming the parameter.
    """
    checked = {}
    for name, value in params.items():
        full = f"{at}[{name}]" if at else name
        if full == "payment_method_types":
            raise refused(
                "`payment_method_types` is no longer supported. Use `allowed_payment_method_types`, "
                "`excluded_payment_method_types` or `automatic_payment_methods` instead.",
                param=full,
                code="payment_method_types_no_longer_supported",
            )
        if name not in known:
            raise refused(f"Received unknown parameter: {full}", param=full, code="parameter_unknown")
        checked[name] = _typed(value, known[name], full)
    return checked


def _typed(value: Any, kind: Any, full: str) -> Any:
    if value == "" and kind is not TEXT:
        return None
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            raise refused("Invalid object", param=full, code="parameter_invalid_object")
        return check(value, kind, at=full)
    if kind is INTEGER:
        if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,15}", value):
            raise refused(f"Invalid integer: {value}", param=full, code="parameter_invalid_integer")
        return int(value)
    if kind is BOOLEAN:
        if value not in ("true", "false"):
            raise refused(f"Invalid boolean: {value}", param=full, code="parameter_invalid_boolean")
        return value == "true"
    if kind is LIST and not isinstance(value, list):
        raise refused("Invalid array", param=full, code="parameter_invalid_array")
    if kind is TEXT and not isinstance(value, str):
        raise refused("Invalid string", param=full, code="parameter_invalid_string")
    if full == "metadata":
        _check_metadata(value)
    return value


def _check_metadata(value: Any) -> None:
    if not isinstance(value, dict) or any(not isinstance(one, str) for one in value.values()):
        raise refused("Metadata values must be strings", param="metadata", code="parameter_invalid_object")
    if len(value) > METADATA_LIMIT or any(len(one) > METADATA_LENGTH for one in value.values()):
        raise refused("Metadata is too large", param="metadata", code="metadata_too_large")


def require(params: dict[str, Any], *names: str) -> None:
    """Refuse a request without these parameters."""
    for name in names:
        if params.get(name) in (None, ""):
            raise refused(f"Missing required param: {name}.", param=name, code="parameter_missing")


def merged_metadata(old: dict[str, str], new: dict[str, str] | None) -> dict[str, str]:
    """Merge as the API does: an empty value removes a name."""
    return {name: value for name, value in {**old, **(new or {})}.items() if value != ""}
