"""Stripe, API 2026-10-28, by the library's own client: one per merchant account, foreign types stop here."""

from datetime import datetime, timedelta
from typing import Any

import stripe

from payments.processors import (
    UNKNOWN,
    BankCheck,
    Card,
    KeepOrder,
    Notification,
    NotReadable,
    Order,
    Outcome,
    Unreachable,
    WrongSignature,
)
from payments.processors.stripe_money import REFUSED, StripeMoney, plain, reason_of
from payments.processors.stripe_news import StripeNews, card_of
from payments.rules.retries import RETRY_DESCRIPTION

STATUSES = {
    "succeeded": "succeeded",
    "processing": "pending",
    "requires_action": "action",
    "canceled": "voided",
}
"""An intent's status -> ours; any other is decided by whether an attempt failed."""

CONFLICT = 409
ASIDE = timedelta(hours=1)
"""So far Stripe's clock and ours may be apart."""
SENT_WITHIN = timedelta(hours=1)
"""After it was intended a payment is sent no more: it expires long before."""
LISTED, MOST_PAGES = 100, 100
EXPAND = ["latest_charge"]
EXPAND_KEPT = ["payment_method"]


class Stripe(StripeMoney, StripeNews):
    """Speak for one merchant account."""

    def __init__(
        self, *, account_ref: str, secret_key: str, webhook_secret: str, api_base: str, timeout: float
    ) -> None:
        self.account_ref = account_ref
        self.webhook_secret = webhook_secret
        self.client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base.rstrip("/")} if api_base else {},
            # Sending again is decided by whoever knows the payment, with its own key.
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout),
        )
        self.v1 = self.client.v1

    def preview(self, confirmation_token: str) -> Card:
        """Read the card behind a browser's token."""
        try:
            token = plain(self.v1.confirmation_tokens.retrieve(confirmation_token))
        except stripe.InvalidRequestError as error:
            raise NotReadable(str(error)) from error
        except stripe.StripeError as error:
            raise Unreachable(str(error)) from error
        shown = token.get("payment_method_preview") or {}
        if shown.get("type") != "card" or token.get("payment_intent") or token.get("setup_intent"):
            raise NotReadable("not an unused card")
        return card_of(shown["card"])

    def charge(self, order: Order) -> Outcome:
        """Create and confirm a PaymentIntent; the idempotency key is the payment's id."""
        try:
            customer = order.customer or (self._customer(order.payment, order.consumer) if order.store else "")
        except stripe.StripeError as error:
            return without_customer(error)
        params = charge_params(order, customer=customer)
        try:
            return outcome_of(plain(self.v1.payment_intents.create(params, {"idempotency_key": order.payment})))
        except stripe.CardError as error:
            return declined(error)
        except REFUSED as error:
            return Outcome(status="not_done", reason=reason_of(error))
        except stripe.StripeError as error:
            return Outcome(status="unknown", reason=reason_of(error))

    def _customer(self, key: str, consumer: str) -> str:
        made = self.v1.customers.create(customer_params(consumer), {"idempotency_key": f"cus:{key}"})
        return made.id

    def keep(self, order: KeepOrder) -> Outcome:
        """Create and confirm a SetupIntent for off-session use; the idempotency key is the checkout's id."""
        try:
            customer = order.customer or self._customer(order.checkout, order.consumer)
        except stripe.StripeError as error:
            return without_customer(error)
        try:
            params = keep_params(order, customer=customer)
            return kept(plain(self.v1.setup_intents.create(params, {"idempotency_key": f"keep:{order.checkout}"})))
        except stripe.CardError as error:
            return declined(error, "setup_intent")
        except REFUSED as error:
            return Outcome(status="not_done", reason=reason_of(error))
        except stripe.StripeError as error:
            return Outcome(status="unknown", reason=reason_of(error))

    def find_kept(self, *, ref: str) -> Outcome:
        """Ask by reference; there is no other way to find a SetupIntent."""
        try:
            return kept(plain(self.v1.setup_intents.retrieve(ref, {"expand": EXPAND_KEPT})))
        except stripe.StripeError as error:
            return Outcome(status="unknown", reason=reason_of(error))

    def forget(self, *, ref: str) -> Outcome:
        """Cancel the SetupIntent."""
        try:
            return kept(plain(self.v1.setup_intents.cancel(ref, {"cancellation_reason": "abandoned"})))
        except stripe.StripeError:
            # Too late, in use or unreachable: what it is now is all that counts.
            return self.find_kept(ref=ref)

    def find(self, *, payment: str, ref: str) -> Outcome:
        """Ask by reference, else by our id in the metadata, which Stripe's search shows some seconds late."""
        try:
            if ref:
                return outcome_of(plain(self.v1.payment_intents.retrieve(ref, {"expand": EXPAND})))
            query = {"query": f"metadata['payment']:'{payment}'", "limit": 1, "expand": ["data.latest_charge"]}
            found = self.v1.payment_intents.search(query).data
        except stripe.StripeError as error:
            return Outcome(status="unknown", reason=reason_of(error))
        return outcome_of(plain(found[0])) if found else UNKNOWN

    def void(self, *, payment: str, ref: str, amount_cents: int, currency: str, since: datetime) -> Outcome:
        """Cancel the intent; without one, take the payment's key with an intent that nobody confirms."""
        try:
            if not ref:
                params = placeholder_params(payment=payment, amount_cents=amount_cents, currency=currency)
                ref = self.v1.payment_intents.create(params, {"idempotency_key": payment}).id
            return self._cancel(ref)
        except stripe.IdempotencyError as error:
            if error.http_status == CONFLICT:
                return self.find(payment=payment, ref=ref)
            # The key holds an answer to our charge, an error for one, and gives it to whoever asks again.
            return self._void_listed(payment, since)
        except stripe.StripeError:
            # Too late, in use or unreachable: what the intent is now is all that counts.
            return self.find(payment=payment, ref=ref)

    def _void_listed(self, payment: str, since: datetime) -> Outcome:
        """Cancel the payment's intent if the list of its time has one: unlike the search, it is never late.

        The key is used up, so that an intent which is not there comes no more; money that moves all the same is an
        incident (`money_moved_after_no`).
        """
        made = {"gte": int((since - ASIDE).timestamp()), "lte": int((since + SENT_WITHIN).timestamp())}
        page: dict[str, Any] = {"created": made, "limit": LISTED, "expand": ["data.latest_charge"]}
        try:
            for _page in range(MOST_PAGES):
                listed = self.v1.payment_intents.list(page)
                for intent in map(plain, listed.data):
                    if (intent.get("metadata") or {}).get("payment") == payment:
                        found = outcome_of(intent)
                        return found if found.status in ("succeeded", "pending", "voided") else self._cancel(found.ref)
                if not listed.has_more:
                    break
                page["starting_after"] = listed.data[-1].id
            else:
                return Outcome(status="unknown", reason=f"more than {MOST_PAGES * LISTED} intents of that time")
        except stripe.StripeError as error:
            return Outcome(status="unknown", reason=reason_of(error))
        # Where the clocks are further apart than we think, the search knows.
        found = self.find(payment=payment, ref="")
        return Outcome(status="voided", reason="an error used up the key") if found is UNKNOWN else found

    def _cancel(self, ref: str) -> Outcome:
        return outcome_of(plain(self.v1.payment_intents.cancel(ref, {"cancellation_reason": "abandoned"})))

    def validate_bank(
        self,
        *,
        key: str,
        consumer: str,
        routing: str,
        number: str,
        account_type: str,
        holder: str,
        ip: str,
        user_agent: str,
        keep: bool,
    ) -> BankCheck:
        """Confirm a SetupIntent with instant verification; anything slower is not valid yet."""
        customer = ""
        try:
            if keep:
                made = self.v1.customers.create(customer_params(consumer), {"idempotency_key": f"cus:{key}"})
                customer = made.id
            params = bank_params(
                routing=routing,
                number=number,
                account_type=account_type,
                holder=holder,
                ip=ip,
                user_agent=user_agent,
                customer=customer,
            )
            setup = plain(self.v1.setup_intents.create(params, {"idempotency_key": f"bank:{key}"}))
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            return BankCheck(valid=False, code=error.code or "bank_account_refused")
        except stripe.StripeError as error:
            raise Unreachable(reason_of(error)) from error
        if setup["status"] != "succeeded":
            return BankCheck(valid=False, code="not_validated_at_once")
        return BankCheck(valid=True, method=setup["payment_method"], customer=customer)

    def read_webhook(self, *, body: bytes, signature: str) -> Notification:
        """Check the signature by the library, five minutes' tolerance (AUTH-11)."""
        if not self.webhook_secret:
            raise WrongSignature("no webhook secret is set")
        try:
            event = plain(stripe.Webhook.construct_event(body, signature, self.webhook_secret))
        except (ValueError, stripe.SignatureVerificationError) as error:
            raise WrongSignature(str(error)) from error
        return Notification(id=event["id"], kind=event["type"], body=event)


def without_customer(error: stripe.StripeError) -> Outcome:
    """Say what it means that there is no customer yet: nothing was asked for, unless another request of ours is at it.

    A conflict is that other request under the same key. It goes on with the charge, whatever became of this one.
    """
    return Outcome(status="unknown" if error.http_status == CONFLICT else "not_done", reason=reason_of(error))


def charge_params(order: Order, *, customer: str) -> dict[str, Any]:
    """Build the request of a charge; nothing in it may change between two tries of one payment."""
    params: dict[str, Any] = {
        "amount": order.amount_cents,
        "currency": order.currency,
        "confirm": True,
        "description": order.description,
        "metadata": {"payment": order.payment},
        "expand": EXPAND,
    }
    if customer:
        params["customer"] = customer
    if order.confirmation_token:
        params["confirmation_token"] = order.confirmation_token
    else:
        params["payment_method"] = order.method
    if order.off_session:
        # What needs the consumer is declined at once, never left waiting for them (CARD-12).
        params["off_session"] = True
    if order.kind == "ach":
        params["allowed_payment_method_types"] = ["us_bank_account"]
        if order.retry:
            params["statement_descriptor"] = RETRY_DESCRIPTION
        if order.off_session:
            # The mandate was given when the account was kept; nobody is there to give one.
            return params
        params["mandate_data"] = mandate(order.ip, order.user_agent)
        params["payment_method_options"] = {"us_bank_account": {"verification_method": "instant"}}
        return params
    params["allowed_payment_method_types"] = ["card"]
    if order.off_session:
        params["payment_method_options"] = {"card": {"stored_credential_usage": order.use}}
    elif order.store == "session":
        params["setup_future_usage"] = "on_session"
    elif order.store:
        params["setup_future_usage"] = "off_session"
        params["payment_method_options"] = {"card": {"setup_credential_usage": order.store}}
    return params


def keep_params(order: KeepOrder, *, customer: str) -> dict[str, Any]:
    """Build the request that stores a card; nothing in it may change between two tries of one checkout."""
    return {
        "confirm": True,
        "usage": "off_session",
        "customer": customer,
        "confirmation_token": order.confirmation_token,
        "allowed_payment_method_types": ["card"],
        "payment_method_options": {"card": {"setup_credential_usage": order.store}},
        "metadata": {"checkout": order.checkout},
        "expand": EXPAND_KEPT,
    }


def placeholder_params(*, payment: str, amount_cents: int, currency: str) -> dict[str, Any]:
    """Build an intent that only uses up the payment's key."""
    return {
        "amount": amount_cents,
        "currency": currency,
        "allowed_payment_method_types": ["card"],
        "metadata": {"payment": payment, "void": "1"},
    }


def customer_params(consumer: str) -> dict[str, Any]:
    """Build a customer that carries our id and nothing about the person."""
    return {"metadata": {"consumer": consumer}}


def bank_params(
    *, routing: str, number: str, account_type: str, holder: str, ip: str, user_agent: str, customer: str
) -> dict[str, Any]:
    """Build the SetupIntent that validates a bank account."""
    params: dict[str, Any] = {
        "confirm": True,
        "allowed_payment_method_types": ["us_bank_account"],
        "payment_method_data": {
            "type": "us_bank_account",
            "billing_details": {"name": holder},
            "us_bank_account": {
                "account_holder_type": "individual",
                "account_number": number,
                "account_type": account_type,
                "routing_number": routing,
            },
        },
        "payment_method_options": {"us_bank_account": {"verification_method": "instant"}},
        "mandate_data": mandate(ip, user_agent),
    }
    return params | ({"customer": customer} if customer else {})


def mandate(ip: str, user_agent: str) -> dict[str, Any]:
    """Say how the consumer agreed to be debited."""
    online = {"ip_address": ip or "0.0.0.0", "user_agent": user_agent or "unknown"}
    return {"customer_acceptance": {"type": "online", "online": online}}


def outcome_of(intent: dict[str, Any]) -> Outcome:
    """Read an intent with its latest charge."""
    failed = intent.get("last_payment_error") or {}
    status = STATUSES.get(intent["status"], "declined" if failed else "unknown")
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    details = (charge.get("payment_method_details") or {}).get("card")
    card = None
    if details and status == "succeeded":
        card = card_of(details, method=charge.get("payment_method") or "", customer=intent.get("customer") or "")
    return Outcome(
        status=status,
        ref=intent["id"],
        amount_cents=intent["amount"],
        currency=intent["currency"],
        client_secret=(intent.get("client_secret") or "") if status == "action" else "",
        refunded_cents=charge.get("amount_refunded") or 0,
        card=card,
        **(codes_of(failed, charge) if status == "declined" else {}),
    )


def kept(setup: dict[str, Any]) -> Outcome:
    """Read a SetupIntent with its card; a network gives its transaction id with the first charge only."""
    failed = setup.get("last_setup_error") or {}
    status = STATUSES.get(setup["status"], "declined" if failed else "unknown")
    method, card = setup.get("payment_method"), None
    if status == "succeeded" and isinstance(method, dict):
        card = card_of(method["card"], method=method["id"], customer=setup.get("customer") or "")
    return Outcome(
        status=status if status != "succeeded" or card else "unknown",
        ref=setup["id"],
        client_secret=(setup.get("client_secret") or "") if status == "action" else "",
        card=card,
        **(codes_of(failed, {}) if status == "declined" else {}),
    )


def codes_of(error: dict[str, Any], charge: dict[str, Any]) -> dict[str, str]:
    """Read all four codes of a decline (CARD-09)."""
    outcome = charge.get("outcome") or {}
    return {
        "decline_code": error.get("decline_code") or error.get("code") or "",
        "advice_code": error.get("advice_code") or "",
        "network_decline_code": error.get("network_decline_code") or outcome.get("network_decline_code") or "",
        "network_advice_code": error.get("network_advice_code") or outcome.get("network_advice_code") or "",
        "reason": (error.get("message") or "")[:300],
    }


def declined(error: stripe.CardError, subject: str = "payment_intent") -> Outcome:
    """Read a decline, which is an outcome and not a fault."""
    body = (error.json_body or {}).get("error", {}) if isinstance(error.json_body, dict) else {}
    intent = body.get(subject) or {}
    return Outcome(status="declined", ref=intent.get("id") or "", **codes_of(body, {}))
