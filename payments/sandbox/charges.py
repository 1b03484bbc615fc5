"""Charges, refunds and disputes: where the money moves, or does not."""

import secrets
from typing import Any

from . import banks, cards, methods
from .calls import Call
from .errors import refused
from .parameters import merged_metadata

DAY = 86400
DISPUTE_DAYS = 20


def outcome_of(*, card: cards.Card | None = None, return_code: str | None = None) -> dict[str, Any]:
    """Build a charge's ``outcome``; neither argument means that the network approved."""
    declined = card is not None or return_code is not None
    blocked = card is not None and card.decline_code == "fraudulent"
    reason = card.decline_code if card else banks.CODES.get(return_code or "")
    return {
        "advice_code": card.advice_code if card else None,
        "network_advice_code": "03" if card and card.advice_code == cards.NEVER else None,
        "network_decline_code": card.network_code if card else return_code,
        "network_status": "not_sent_to_network"
        if blocked
        else "declined_by_network"
        if declined
        else "approved_by_network",
        "reason": ("highest_risk_level" if blocked else reason) if declined else None,
        "risk_level": "highest" if blocked else "normal" if card or not declined else "not_assessed",
        "seller_message": "The bank did not accept the payment." if declined else "Payment complete.",
        "type": "blocked" if blocked else "issuer_declined" if declined else "authorized",
    }


def _details(
    method: dict[str, Any], intent: dict[str, Any], mandate: str | None, authenticated: bool
) -> dict[str, Any]:
    kind = method["type"]
    shown = method[kind]
    if kind == "us_bank_account":
        names: tuple[str, ...] = (
            "account_holder_type",
            "account_type",
            "bank_name",
            "fingerprint",
            "last4",
            "routing_number",
        )
        return {
            "type": kind,
            kind: {
                **{name: shown[name] for name in names},
                "mandate": mandate,
                "payment_reference": str(secrets.randbelow(10**15)),
            },
        }
    names = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")
    checked = shown["checks"]["cvc_check"]
    postal = method["billing_details"]["address"]["postal_code"]
    return {
        "type": kind,
        kind: {
            **{name: shown[name] for name in names},
            "amount_authorized": intent["amount"],
            "authorization_code": f"{secrets.randbelow(10**6):06d}",
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": "pass" if postal else None,
                "cvc_check": "pass" if checked else None,
            },
            "installments": None,
            "mandate": mandate,
            "network": shown["brand"],
            "network_token": {"used": False},
            "network_transaction_id": f"{secrets.randbelow(10**15):015d}",
            "regulated_status": shown["regulated_status"],
            "three_d_secure": {"result": "authenticated", "version": "2.2.0"} if authenticated else None,
        },
    }


def create(
    call: Call, intent: dict[str, Any], method: dict[str, Any], *, mandate: str | None, authenticated: bool
) -> dict[str, Any]:
    """Write one attempt to take an intent's money, in status pending."""
    suffix = intent["statement_descriptor_suffix"]
    charge = call.new(
        "py" if method["type"] == "us_bank_account" else "ch",
        "charge",
        amount=intent["amount"],
        amount_captured=0,
        amount_refunded=0,
        application_fee_amount=None,
        balance_transaction=None,
        billing_details=method["billing_details"],
        calculated_statement_descriptor=f"SANDBOX* {suffix}".upper() if suffix else "SANDBOX",
        captured=False,
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        disputed=False,
        failure_code=None,
        failure_message=None,
        fraud_details={},
        metadata=intent["metadata"],
        outcome=None,
        paid=False,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details=_details(method, intent, mandate, authenticated),
        receipt_email=intent["receipt_email"],
        receipt_url=None,
        refunded=False,
        statement_descriptor=intent["statement_descriptor"],
        statement_descriptor_suffix=suffix,
        status="pending",
        # A 3-D Secure step or a settlement is finished by nobody's key: the first request is the origin.
        _=intent["_"]["origin"],
    )
    return call.save(charge)


def succeed(call: Call, charge: dict[str, Any]) -> None:
    """Write that the money was taken."""
    amount = charge["amount"]
    fee = min(round(amount * 0.008), 500) if charge["id"].startswith("py_") else round(amount * 0.029) + 30
    entry = _entry(call, charge, amount, fee, "charge" if charge["id"].startswith("ch_") else "payment")
    charge |= {
        "amount_captured": amount,
        "balance_transaction": entry,
        "captured": True,
        "outcome": outcome_of(),
        "paid": True,
        "receipt_url": f"{call.base_url}/receipts/{charge['id']}",
        "status": "succeeded",
    }
    call.save(charge)
    call.emit("charge.succeeded", charge)


def fail(call: Call, charge: dict[str, Any], *, code: str, message: str, outcome: dict[str, Any]) -> None:
    """Write that the money was not taken."""
    charge |= {
        "failure_code": code,
        "failure_message": message,
        "outcome": outcome,
        "paid": False,
        "status": "failed",
    }
    call.save(charge)
    call.emit("charge.failed", charge)


def _entry(call: Call, source: dict[str, Any], amount: int, fee: int, kind: str) -> str:
    entry = call.new(
        "txn",
        "balance_transaction",
        amount=amount,
        available_on=banks.banking_days_later(call.now, 2),
        currency=source["currency"],
        description=source.get("description"),
        exchange_rate=None,
        fee=fee,
        fee_details=[],
        net=amount - fee,
        reporting_category=kind,
        source=source["id"],
        status="pending",
        type=kind,
    )
    return call.save(entry)["id"]


def create_refund(call: Call) -> dict[str, Any]:
    """Give money back, never more than was taken.

    :raises ApiError: 400 when nothing is left, the sum is too large, or the charge is disputed or unpaid.
    """
    given = call.params
    if bool(given.get("charge")) == bool(given.get("payment_intent")):
        raise refused("One of the following params should be provided for this request: payment_intent or charge.")
    if given.get("payment_intent"):
        intent = call.get("payment_intent", given["payment_intent"], param="payment_intent")
        reference = intent["latest_charge"]
    else:
        reference = given["charge"]
    charge = call.get("charge", reference, param="charge") if reference else None
    if charge is None or charge["status"] != "succeeded":
        raise refused(
            "This PaymentIntent does not have a successful charge to refund.",
            param="payment_intent",
            code="payment_intent_unexpected_state",
        )
    if charge["disputed"]:
        raise refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = given.get("amount") or left
    if amount < 1:
        raise refused("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if amount > left:
        raise refused(
            f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge (${left / 100:.2f})",
            param="amount",
        )
    return _give_back(call, charge, amount)


def _give_back(call: Call, charge: dict[str, Any], amount: int) -> dict[str, Any]:
    kind = charge["payment_method_details"]["type"]
    by_bank = kind == "us_bank_account"
    detail = {} if by_bank else {"reference_status": "pending", "reference_type": "acquirer_reference_number"}
    refund = call.new(
        "re",
        "refund",
        amount=amount,
        balance_transaction=None,
        charge=charge["id"],
        currency=charge["currency"],
        destination_details={"type": kind, kind: detail if by_bank else {**detail, "type": "refund"}},
        metadata=merged_metadata({}, call.params.get("metadata")),
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        reason=call.params.get("reason") or None,
        receipt_number=None,
        status="pending" if by_bank else "succeeded",
        _=call.origin(),
    )
    del refund["livemode"]
    refund["balance_transaction"] = _entry(call, refund, -amount, 0, "refund")
    call.save(refund)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    call.save(charge)
    call.emit("refund.created", refund)
    call.emit("charge.refunded", charge, {"amount_refunded": charge["amount_refunded"] - amount})
    method = call.find("payment_method", charge["payment_method"])
    number = method["_"]["number"] if method else ""
    if by_bank:
        call.plan(refund, "refund", banks.banking_days_later(call.now, banks.REFUND_DAYS))
    elif cards.script(call.store, number).outcome == "refund_fails":
        call.plan(refund, "refund_failure", call.now + DAY)
    return refund


def finish_refund(call: Call, refund: dict[str, Any], *, failed: bool) -> None:
    """End a refund: the bank took it, or sent it back."""
    previous = {"status": refund["status"]}
    refund["status"] = "failed" if failed else "succeeded"
    if failed:
        refund["failure_reason"] = "expired_or_canceled_card"
        charge = call.get("charge", refund["charge"])
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        call.save(charge)
    call.save(refund)
    call.emit("refund.updated", refund, previous)
    call.emit("charge.refund.updated", refund, previous)
    if failed:
        call.emit("refund.failed", refund, previous)


def update_refund(call: Call, reference: str) -> dict[str, Any]:
    refund = call.get("refund", reference, param="refund")
    refund["metadata"] = merged_metadata(refund["metadata"], call.params.get("metadata"))
    return call.save(refund)


def dispute(
    call: Call,
    charge: dict[str, Any],
    *,
    reason: str,
    code: str | None,
    amount: int | None = None,
    inquiry: bool = False,
) -> dict[str, Any]:
    """Open a dispute of a paid charge; the processor takes the money back at once, unless a bank only asks."""
    kind = charge["payment_method_details"]["type"]
    brand = charge["payment_method_details"][kind].get("brand")
    due_by = {
        "due_by": call.now + DISPUTE_DAYS * DAY,
        "has_evidence": False,
        "past_due": False,
        "submission_count": 0,
    }
    opened = call.new(
        "du",
        "dispute",
        amount=amount or charge["amount"] - charge["amount_refunded"],
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence={},
        evidence_details={**due_by, "enhanced_eligibility": {}},
        is_charge_refundable=False,
        metadata={},
        network_reason_code=code,
        payment_intent=charge["payment_intent"],
        payment_method_details={
            "type": kind,
            kind: {"brand": brand, "case_type": "chargeback", "network_reason_code": code} if brand else {},
        },
        reason=reason,
        # A bank debit's dispute is final: there is nothing to answer.
        status="lost" if kind == "us_bank_account" else "warning_needs_response" if inquiry else "needs_response",
        _=charge["_"],
    )
    call.save(opened)
    if inquiry:
        call.emit("charge.dispute.created", opened)
        return opened
    charge["disputed"] = True
    call.save(charge)
    call.emit("charge.dispute.created", opened)
    call.emit("charge.dispute.funds_withdrawn", opened)
    if kind == "us_bank_account":
        block(call, charge, code)
        call.emit("charge.dispute.closed", opened)
    return opened


def block(call: Call, charge: dict[str, Any], return_code: str | None) -> None:
    """Stop further debits of a bank account whose bank said so."""
    method = call.find("payment_method", charge["payment_method"])
    if method and return_code in banks.BLOCKING:
        method["us_bank_account"]["status_details"] = {
            "blocked": {"network_code": return_code, "reason": banks.BLOCKING[return_code]}
        }
        methods.end_mandate(call, method)
        call.save(method)


def update_dispute(call: Call, reference: str) -> dict[str, Any]:
    """Give evidence; ``submit`` sends it."""
    opened = call.get("dispute", reference, param="dispute")
    opened["evidence"].update(call.params.get("evidence") or {})
    opened["evidence_details"]["has_evidence"] = bool(opened["evidence"])
    opened["metadata"] = merged_metadata(opened["metadata"], call.params.get("metadata"))
    if call.params.get("evidence") and call.params.get("submit") is not False:
        opened["evidence_details"]["submission_count"] += 1
        opened["status"] = "under_review"
    call.save(opened)
    call.emit("charge.dispute.updated", opened)
    return opened


def close_dispute(call: Call, reference: str, status: str = "lost") -> dict[str, Any]:
    """End a dispute as lost or won; won brings the money back."""
    opened = call.get("dispute", reference, param="dispute")
    if opened["status"] in ("won", "lost"):
        raise refused("This dispute is already closed.")
    previous = {"status": opened["status"]}
    opened["status"] = status
    call.save(opened)
    if status == "won":
        call.emit("charge.dispute.funds_reinstated", opened)
    call.emit("charge.dispute.closed", opened, previous)
    return opened
