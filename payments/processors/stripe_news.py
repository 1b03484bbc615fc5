"""What Stripe's webhooks are about, read into our words: a payment, a kept card, a dispute, news of a card or bank."""

from typing import Any

import stripe

from payments.processors import BankChange, Card, Disputed, RefundFailure

DISPUTES = {
    "warning_needs_response": "asked",
    "warning_under_review": "asked",
    "warning_closed": "asked",
    "prevented": "asked",
    "needs_response": "opened",
    "under_review": "opened",
    "won": "won",
    "lost": "lost",
}
"""A dispute's status -> ours; a bank that only asks has taken no money."""
CHANGED = {
    ("name",): "C04",
    ("last4",): "C01",
    ("routing_number",): "C02",
    ("last4", "routing_number"): "C03",
    ("account_type",): "C05",
    ("account_type", "last4"): "C06",
    ("account_type", "last4", "routing_number"): "C07",
}
"""What of a bank account changed -> the notification of change that its bank sent (ACH-13)."""


class StripeNews:
    """Read webhooks; of a dispute alone Stripe is asked what it is now."""

    v1: Any

    def about(self, body: dict[str, Any]) -> tuple[str, str]:
        """Read an intent's own metadata; a charge and a dispute name their intent."""
        subject = body["data"]["object"]
        payment = (subject.get("metadata") or {}).get("payment", "")
        if subject["object"] == "payment_intent":
            return payment, subject["id"]
        intent = subject.get("payment_intent")
        return payment, intent["id"] if isinstance(intent, dict) else intent or ""

    def kept_for(self, body: dict[str, Any]) -> str:
        """Read a SetupIntent's own metadata."""
        subject = body["data"]["object"]
        named = subject.get("metadata") or {}
        return named.get("checkout", "") if subject["object"] == "setup_intent" else ""

    def renewed(self, body: dict[str, Any]) -> Card | None:
        """Read the card of an account updater's event."""
        subject = body["data"]["object"]
        if body["type"] != "payment_method.automatically_updated" or subject.get("type") != "card":
            return None
        return card_of(subject["card"], method=subject["id"], customer=subject.get("customer") or "")

    def dispute(self, body: dict[str, Any]) -> str:
        """Read the id of a dispute out of any event about it."""
        subject = body["data"]["object"]
        return subject["id"] if subject["object"] == "dispute" else ""

    def find_dispute(self, *, ref: str) -> Disputed:
        """Ask for the dispute as it is now: its events may come late, turned round, or not at all."""
        try:
            found = self.v1.disputes.retrieve(ref)
        except stripe.StripeError:
            return Disputed(status="unknown")
        return Disputed(
            status=DISPUTES.get(found.status, "unknown"),
            reason=found.reason or "",
            code=getattr(found, "network_reason_code", None) or "",
        )

    def bank_changed(self, body: dict[str, Any]) -> BankChange | None:
        """Read the bank account of an event that Stripe sends once it applied a notification of change itself."""
        subject = body["data"]["object"]
        if body["type"] != "payment_method.automatically_updated" or subject.get("type") != "us_bank_account":
            return None
        bank = subject["us_bank_account"]
        said = body["data"].get("previous_attributes") or {}
        before = said.get("us_bank_account") or {}
        named = tuple(sorted(name for name in ("account_type", "last4", "routing_number") if name in before))
        renamed = "name" in (said.get("billing_details") or {})
        if renamed and not named:
            named = ("name",)
        return BankChange(
            method=subject["id"],
            code=CHANGED.get(named, "C03"),
            last4=bank["last4"],
            routing=bank.get("routing_number") or "",
            account_type=bank.get("account_type") or "",
            number_changed="last4" in before or "fingerprint" in before,
            holder=((subject.get("billing_details") or {}).get("name") or "") if renamed else "",
        )

    def mandate_ended(self, body: dict[str, Any]) -> str:
        """Read the method whose standing agreement the bank or the consumer ended there."""
        subject = body["data"]["object"]
        if body["type"] != "mandate.updated" or subject["status"] != "inactive":
            return ""
        method = subject["payment_method"]
        return method["id"] if isinstance(method, dict) else method

    def refund_failed(self, body: dict[str, Any]) -> RefundFailure | None:
        """Read a refund that came back after it was made."""
        subject = body["data"]["object"]
        if subject["object"] != "refund" or subject["status"] != "failed":
            return None
        return RefundFailure(
            ref=subject["id"],
            refund=(subject.get("metadata") or {}).get("refund", ""),
            amount_cents=subject["amount"],
            reason=subject.get("failure_reason") or "",
        )


def card_of(shown: dict[str, Any], **more: str) -> Card:
    """Read a card as Stripe shows it."""
    return Card(
        brand=shown.get("brand") or "unknown",
        funding=shown.get("funding") or "unknown",
        last4=shown.get("last4") or "",
        exp_month=shown.get("exp_month"),
        exp_year=shown.get("exp_year"),
        fingerprint=shown.get("fingerprint") or "",
        network_transaction_id=shown.get("network_transaction_id") or "",
        **more,
    )
