"""What Stripe gives back and what it lists of an account: refunds, and every movement of a time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import stripe

from payments.processors import Movement, RefundOrder, RefundOutcome, Unreachable

REFUSED = (stripe.InvalidRequestError, stripe.AuthenticationError, stripe.PermissionError, stripe.RateLimitError)
"""Errors about the request itself: Stripe says that it carried nothing out.

An IdempotencyError is none of them: the key was used, so another request of ours was carried out or is being.
"""
REFUNDS = {"succeeded": "done", "pending": "done", "requires_action": "done", "failed": "failed", "canceled": "failed"}
"""A refund's status -> ours; a bank's refund is on its way for days and ours to book at once."""
PAGE = 100


class StripeMoney:
    """Give money back and list what moved; the part of the adapter that needs no consumer."""

    v1: Any

    def refund(self, order: RefundOrder) -> RefundOutcome:
        """Create a refund; the idempotency key is the refund's id."""
        try:
            made = self.v1.refunds.create(refund_params(order), {"idempotency_key": f"refund:{order.refund}"})
            return refund_of(plain(made))
        except REFUSED as error:
            return RefundOutcome(status="not_done", reason=reason_of(error))
        except stripe.StripeError as error:
            return RefundOutcome(status="unknown", reason=reason_of(error))

    def find_refund(self, *, refund: str, ref: str) -> RefundOutcome:
        """Look for our id among the refunds of the intent, which Stripe lists at once (its search is late)."""
        try:
            listed = self.v1.refunds.list({"payment_intent": ref, "limit": PAGE, "expand": ["data.charge"]})
            found = [one for one in map(plain, listed.data) if (one.get("metadata") or {}).get("refund") == refund]
        except stripe.StripeError as error:
            return RefundOutcome(status="unknown", reason=reason_of(error))
        return refund_of(found[0]) if found else RefundOutcome(status="not_done", reason="not found")

    def movements(self, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """List charges and refunds by the time they were made, page by page."""
        made = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        try:
            for service, read in ((self.v1.charges, charge_moved), (self.v1.refunds, refund_moved)):
                page: dict[str, Any] = {"created": made, "limit": PAGE}
                while True:
                    listed = service.list(page)
                    yield from map(read, map(plain, listed.data))
                    if not listed.has_more:
                        break
                    page["starting_after"] = listed.data[-1].id
        except stripe.StripeError as error:
            raise Unreachable(reason_of(error)) from error


def refund_params(order: RefundOrder) -> dict[str, Any]:
    """Build the request of a refund; nothing in it may change between two tries."""
    return {
        "payment_intent": order.ref,
        "amount": order.amount_cents,
        "reason": "requested_by_customer",
        "metadata": {"refund": order.refund, "payment": order.payment},
        "expand": ["charge"],
    }


def refund_of(refund: dict[str, Any]) -> RefundOutcome:
    """Read a refund with its charge, which knows what was given back in all."""
    charge = refund.get("charge")
    charge = charge if isinstance(charge, dict) else {}
    return RefundOutcome(
        status=REFUNDS.get(refund["status"], "unknown"),
        ref=refund["id"],
        amount_cents=refund["amount"],
        refunded_cents=charge.get("amount_refunded") or 0,
        reason=refund.get("failure_reason") or "",
    )


def charge_moved(charge: dict[str, Any]) -> Movement:
    """Read a charge of a list; one that a host made with a token of ours names what it was for as `portal_id`."""
    named = charge.get("metadata") or {}
    return Movement(
        kind="charge",
        ref=charge["id"],
        intent=charge.get("payment_intent") or "",
        payment=named.get("payment") or named.get("portal_id", ""),
        amount_cents=charge["amount"],
        refunded_cents=charge.get("amount_refunded") or 0,
        currency=charge["currency"],
        status=charge["status"],
        disputed=bool(charge.get("disputed")),
        at=datetime.fromtimestamp(charge["created"], UTC),
    )


def refund_moved(refund: dict[str, Any]) -> Movement:
    """Read a refund of a list."""
    named = refund.get("metadata") or {}
    return Movement(
        kind="refund",
        ref=refund["id"],
        intent=refund.get("payment_intent") or "",
        payment=named.get("payment", ""),
        refund=named.get("refund", ""),
        amount_cents=refund["amount"],
        currency=refund["currency"],
        status=refund["status"],
        at=datetime.fromtimestamp(refund["created"], UTC),
    )


def plain(found: Any) -> dict[str, Any]:
    """Turn a Stripe object into plain data, at the border."""
    return found.to_dict(for_json=True)


def reason_of(error: stripe.StripeError) -> str:
    """Say what kind of error it was, without the message that could repeat what was sent."""
    return f"{type(error).__name__} {error.http_status or ''} {error.code or ''}".strip()
