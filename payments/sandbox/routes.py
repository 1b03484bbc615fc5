"""The API's addresses: which function answers which, with which parameters."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import charges, intents, methods, parameters, queries, setups
from .calls import Call
from .errors import missing
from .parameters import BOOLEAN, FREE, INTEGER, TEXT, texts
from .store import public


@dataclass(frozen=True)
class Route:
    """Bind a method and path to a function of a call and the path's id."""

    method: str
    path: re.Pattern[str]
    known: dict[str, Any]
    answer: Callable[..., dict[str, Any]]
    in_browser: bool = False


def _route(method: str, path: str, known: dict[str, Any], answer: Callable[..., Any], **more: Any) -> Route:
    return Route(method, re.compile(path.replace("{id}", r"([\w-]+)")), known, answer, **more)


def _read(kind: str, param: str) -> Callable[..., dict[str, Any]]:
    return lambda call, reference: call.get(kind, reference, param=param)


def _list(kind: str) -> Callable[..., dict[str, Any]]:
    return lambda call: queries.listing(call, kind)


def _search(kind: str) -> Callable[..., dict[str, Any]]:
    return lambda call: queries.search(call, kind)


def _customer_methods(call: Call, reference: str) -> dict[str, Any]:
    call.get("customer", reference, param="customer")
    call.params["customer"] = reference
    return {**queries.listing(call, "payment_method"), "url": f"/v1/customers/{reference}/payment_methods"}


def _customer_method(call: Call, customer: str, reference: str) -> dict[str, Any]:
    method = call.get("payment_method", reference, param="payment_method")
    if method["customer"] != customer:
        raise missing("payment_method", reference, param="payment_method")
    return method


def _read_method(call: Call, reference: str) -> dict[str, Any]:
    return methods.load(call, reference)


def _close(call: Call, reference: str) -> dict[str, Any]:
    return charges.close_dispute(call, reference)


def _update_charge(call: Call, reference: str) -> dict[str, Any]:
    charge = call.get("charge", reference, param="charge")
    charge["metadata"] = parameters.merged_metadata(charge["metadata"], call.params.get("metadata"))
    return call.save(charge)


P, PAGE, MORE = "/v1/", parameters.PAGE, {**parameters.PAGE, "customer": TEXT}
BY_CHARGE = {**PAGE, "charge": TEXT, "payment_intent": TEXT}
CREATE_INTENT = {
    **parameters.INTENT,
    **parameters.CONFIRM,
    "automatic_payment_methods": parameters.AUTOMATIC,
    "capture_method": TEXT,
    "confirm": BOOLEAN,
    "confirmation_method": TEXT,
}
CREATE_SETUP = {
    **parameters.SETUP,
    **parameters.SETUP_CONFIRM,
    "automatic_payment_methods": parameters.AUTOMATIC,
    "confirm": BOOLEAN,
    "usage": TEXT,
}
TOKEN = {
    "payment_method_data": parameters.METHOD_DATA,
    **texts("return_url setup_future_usage"),
    "shipping": FREE,
}
REFUND = {**texts("charge payment_intent reason"), "amount": INTEGER, "metadata": FREE}
DISPUTE = {"evidence": FREE, "submit": BOOLEAN, "metadata": FREE}
METHOD_CHANGE = {
    "billing_details": parameters.BILLING,
    "card": {"exp_month": INTEGER, "exp_year": INTEGER},
    "metadata": FREE,
    "allow_redisplay": TEXT,
}

ROUTES = [
    _route("POST", P + "customers", parameters.CUSTOMER, methods.create_customer),
    _route("GET", P + "customers", {**PAGE, "email": TEXT}, _list("customer")),
    _route("GET", P + "customers/search", parameters.SEARCH, _search("customer")),
    _route("GET", P + "customers/{id}", {}, _read("customer", "customer")),
    _route("POST", P + "customers/{id}", parameters.CUSTOMER, methods.update_customer),
    _route("DELETE", P + "customers/{id}", {}, methods.delete_customer),
    _route("GET", P + "customers/{id}/payment_methods", {**PAGE, "type": TEXT}, _customer_methods),
    _route("GET", P + "customers/{id}/payment_methods/{id}", {}, _customer_method),
    _route("POST", P + "payment_methods", parameters.METHOD_DATA, methods.create_method),
    _route("GET", P + "payment_methods", {**MORE, "type": TEXT}, _list("payment_method")),
    _route("GET", P + "payment_methods/{id}", {}, _read_method),
    _route("POST", P + "payment_methods/{id}", METHOD_CHANGE, methods.update_method),
    _route("POST", P + "payment_methods/{id}/attach", {"customer": TEXT}, methods.attach),
    _route("POST", P + "payment_methods/{id}/detach", {}, methods.detach),
    _route("POST", P + "confirmation_tokens", TOKEN, methods.create_token, in_browser=True),
    _route("GET", P + "confirmation_tokens/{id}", {}, _read("confirmation_token", "confirmation_token")),
    _route("POST", P + "setup_intents", CREATE_SETUP, setups.create),
    _route("GET", P + "setup_intents", {**MORE, "payment_method": TEXT}, _list("setup_intent")),
    _route(
        "GET",
        P + "setup_intents/{id}",
        {"client_secret": TEXT},
        _read("setup_intent", "intent"),
        in_browser=True,
    ),
    _route("POST", P + "setup_intents/{id}", parameters.SETUP, setups.update),
    _route("POST", P + "setup_intents/{id}/confirm", parameters.SETUP_CONFIRM, setups.confirm),
    _route("POST", P + "setup_intents/{id}/cancel", {"cancellation_reason": TEXT}, setups.cancel),
    _route(
        "POST",
        P + "setup_intents/{id}/verify_microdeposits",
        parameters.MICRODEPOSITS,
        lambda call, reference: setups.verify_microdeposits(call, "setup_intent", reference),
    ),
    _route("POST", P + "payment_intents", CREATE_INTENT, intents.create),
    _route("GET", P + "payment_intents", MORE, _list("payment_intent")),
    _route("GET", P + "payment_intents/search", parameters.SEARCH, _search("payment_intent")),
    _route(
        "GET",
        P + "payment_intents/{id}",
        {"client_secret": TEXT},
        _read("payment_intent", "intent"),
        in_browser=True,
    ),
    _route("POST", P + "payment_intents/{id}", parameters.INTENT, intents.update),
    _route("POST", P + "payment_intents/{id}/confirm", parameters.CONFIRM, intents.confirm),
    _route("POST", P + "payment_intents/{id}/cancel", {"cancellation_reason": TEXT}, intents.cancel),
    _route(
        "POST",
        P + "payment_intents/{id}/verify_microdeposits",
        parameters.MICRODEPOSITS,
        lambda call, reference: setups.verify_microdeposits(call, "payment_intent", reference),
    ),
    _route("GET", P + "charges", {**MORE, "payment_intent": TEXT}, _list("charge")),
    _route("GET", P + "charges/search", parameters.SEARCH, _search("charge")),
    _route("GET", P + "charges/{id}", {}, _read("charge", "charge")),
    _route("POST", P + "charges/{id}", parameters.METADATA, _update_charge),
    _route("POST", P + "refunds", REFUND, charges.create_refund),
    _route("GET", P + "refunds", BY_CHARGE, _list("refund")),
    _route("GET", P + "refunds/{id}", {}, _read("refund", "refund")),
    _route("POST", P + "refunds/{id}", parameters.METADATA, charges.update_refund),
    _route("GET", P + "disputes", BY_CHARGE, _list("dispute")),
    _route("GET", P + "disputes/{id}", {}, _read("dispute", "dispute")),
    _route("POST", P + "disputes/{id}", DISPUTE, charges.update_dispute),
    _route("POST", P + "disputes/{id}/close", {}, _close),
    _route("GET", P + "mandates/{id}", {}, _read("mandate", "mandate")),
    _route("GET", P + "balance_transactions", PAGE, _list("balance_transaction")),
    _route("GET", P + "balance_transactions/{id}", {}, _read("balance_transaction", "id")),
    _route("GET", P + "events", {**PAGE, "type": TEXT, "types": parameters.LIST}, _list("event")),
    _route("GET", P + "events/{id}", {}, _read("event", "id")),
]


def find(method: str, path: str) -> tuple[Route, list[str]] | None:
    """Return the route of a request and the ids in its path."""
    for route in ROUTES:
        if route.method == method and (match := route.path.fullmatch(path)):
            return route, list(match.groups())
    return None


def carry_out(route: Route, call: Call, ids: list[str]) -> dict[str, Any]:
    """Check the parameters, do the work, expand the answer.

    :raises ApiError: what the caller did wrong, or a decline.
    """
    wanted = call.params.pop("expand", [])
    call.params = parameters.check(call.params, route.known)
    body = public(route.answer(call, *ids))
    return queries.expand(call, body, wanted if isinstance(wanted, list) else [])
