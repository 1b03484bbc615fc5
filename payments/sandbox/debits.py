"""Bank debits: sent today, answered four banking days later."""

from typing import Any

from . import banks, cards, charges, outcomes
from .calls import Call
from .errors import refused
from .store import public


def confirm(call: Call, intent: dict[str, Any], method: dict[str, Any], *, mandate: str | None) -> dict[str, Any]:
    """Debit a bank account: it must be agreed to and validated.

    :raises ApiError: 400 when it is not, 402 when the debit is blocked at once.
    """
    if not mandate:
        raise refused(
            "You must collect the customer's agreement: mandate_data is required for us_bank_account.",
            param="mandate_data",
            code="parameter_missing",
        )
    intent["_"]["mandate"] = mandate
    bank = banks.BANKS[method["_"]["number"]]
    if bank.outcome == "block":
        return outcomes.decline(call, intent, method, cards.Card("", "", "decline", "card_declined", "fraudulent"))
    if not method["_"].get("verified"):
        options = (intent["payment_method_options"].get("us_bank_account") or {}).get("verification_method")
        if options == "instant":
            raise refused(
                "This bank account is not verified. Validate it with a SetupIntent first.",
                param="payment_method",
                code="bank_account_unverified",
            )
        intent |= {"status": "requires_action", "next_action": microdeposits(call)}
        call.save(intent)
        call.emit("payment_intent.requires_action", intent)
        return intent
    return submit(call, intent, method)


def microdeposits(call: Call) -> dict[str, Any]:
    """Say that two small sums, or a code, will show on the account."""
    return {
        "type": "verify_with_microdeposits",
        "verify_with_microdeposits": {
            "arrival_date": banks.banking_days_later(call.now, banks.MICRODEPOSIT_DAYS),
            "hosted_verification_url": f"{call.base_url}/microdeposits",
            "microdeposit_type": "descriptor_code",
        },
    }


def submit(call: Call, intent: dict[str, Any], method: dict[str, Any]) -> dict[str, Any]:
    """Send the debit to the bank: the answer comes four banking days later."""
    charge = charges.create(call, intent, method, mandate=intent["_"].get("mandate"), authenticated=False)
    intent |= {
        "latest_charge": charge["id"],
        "next_action": None,
        "processing": {"type": "us_bank_account"},
        "status": "processing",
    }
    outcomes.keep_method(call, intent, method)
    call.save(intent)
    call.emit("charge.pending", charge)
    call.emit("payment_intent.processing", intent)
    if banks.BANKS[method["_"]["number"]].outcome != "stay":
        call.plan(intent, "settle", banks.banking_days_later(call.now, banks.DEBIT_DAYS))
    return intent


def settle(call: Call, intent: dict[str, Any], *, outcome: str | None = None, return_code: str | None = None) -> None:
    """End a bank debit: paid, or returned with an ACH return code.

    Without an outcome the account number decides.
    """
    if intent["status"] != "processing":
        return
    charge = call.get("charge", intent["latest_charge"])
    method = call.get("payment_method", intent["payment_method"])
    bank = banks.BANKS[method["_"]["number"]]
    if outcome == "failed" or return_code or (outcome is None and bank.outcome == "fail"):
        network = return_code or bank.return_code or "R01"
        code = banks.CODES.get(network) or "debit_not_authorized"
        message = banks.MESSAGES[code]
        charges.fail(call, charge, code=code, message=message, outcome=charges.outcome_of(return_code=network))
        charges.block(call, charge, network)
        error = {
            "charge": charge["id"],
            "code": code,
            "message": message,
            "network_decline_code": network,
            "payment_method": public(method),
            "type": "invalid_request_error",
        }
        outcomes.fail(call, intent, charge, call.get("payment_method", method["id"]), error)
        return
    charges.succeed(call, charge)
    intent |= {"amount_received": intent["amount"], "processing": None, "status": "succeeded"}
    call.save(intent)
    call.emit("payment_intent.succeeded", intent)
    if bank.outcome == "dispute" and outcome is None:
        charges.dispute(call, charge, reason="debit_not_authorized", code="R10")
