"""Test bank accounts, ACH return codes and the banking calendar."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from .errors import refused

DEBIT_DAYS, REFUND_DAYS, MICRODEPOSIT_DAYS = 4, 3, 2
MORNING_HOUR = 9  # UTC: before any bank of the country opens


@dataclass(frozen=True)
class Bank:
    """Say what an account number does: its outcome and the code and return code of a failure."""

    outcome: str = "succeed"
    code: str | None = None
    return_code: str | None = None
    note: str = "Succeeds after four banking days"


# docs.stripe.com/payments/ach-direct-debit/accept-a-payment#test; those marked "ours" are this program's own.
BANKS = {
    "000123456789": Bank(),
    "000222222227": Bank("fail", "insufficient_funds", "R01", "Returned: insufficient funds"),
    "000111111113": Bank("fail", "account_closed", "R02", "Returned: account closed"),
    "000111111116": Bank("fail", "no_account", "R03", "Returned: no such account"),
    "000333333335": Bank("fail", "debit_not_authorized", "R10", "Returned: debit not authorized"),
    "000161616161": Bank("fail", "bank_account_restricted", "R16", "Returned: account frozen (ours)"),
    "000080808080": Bank("fail", "debit_not_authorized", "R08", "Returned: payment stopped (ours)"),
    "000555555559": Bank("dispute", "debit_not_authorized", "R10", "Succeeds, then is disputed"),
    "000000004954": Bank("block", "card_declined", None, "Blocked at once as risky"),
    "000000000009": Bank("stay", None, None, "Stays in processing"),
    "000666666661": Bank("unverifiable", "bank_account_verification_failed", None, "Cannot be validated"),
}
TOKENS = {
    "pm_usBankAccount_success": "000123456789",
    "pm_usBankAccount_insufficientFunds": "000222222227",
    "pm_usBankAccount_accountClosed": "000111111113",
    "pm_usBankAccount_noAccount": "000111111116",
    "pm_usBankAccount_debitNotAuthorized": "000333333335",
    "pm_usBankAccount_dispute": "000555555559",
    "pm_usBankAccount_processing": "000000000009",
}
CODES = {bank.return_code: bank.code for bank in BANKS.values() if bank.return_code}
# After these the bank account must not be debited again until the consumer gives another one.
BLOCKING = {
    "R02": "bank_account_closed",
    "R03": "bank_account_invalid_details",
    "R04": "bank_account_invalid_details",
    "R07": "debit_not_authorized",
    "R08": "debit_not_authorized",
    "R10": "debit_not_authorized",
    "R16": "bank_account_frozen",
    "R20": "bank_account_restricted",
}
MESSAGES = {
    "insufficient_funds": "The customer's account has insufficient funds to cover this payment.",
    "account_closed": "The customer's bank account has been closed.",
    "no_account": "The customer's bank account could not be located.",
    "debit_not_authorized": "The customer has notified their bank that this payment was unauthorized.",
    "bank_account_restricted": "The customer's bank account has been frozen or does not allow debits.",
}


def read_numbers(account: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check typed bank numbers; return the public ``us_bank_account`` object and what the processor keeps.

    :raises ApiError: 400 for a routing or account number that cannot be.
    """
    routing, number = given.get("routing_number") or "", given.get("account_number") or ""
    at = "us_bank_account"
    if len(routing) != 9 or not routing.isdigit() or not _passes_aba(routing):
        raise refused(
            "Invalid routing number. It must be 9 digits.",
            param=f"{at}[routing_number]",
            code="routing_number_invalid",
        )
    if not 4 <= len(number) <= 17 or not number.isdigit():
        raise refused("Invalid account number.", param=f"{at}[account_number]", code="account_number_invalid")
    shown = {
        "account_holder_type": given.get("account_holder_type") or "individual",
        "account_type": given.get("account_type") or "checking",
        "bank_name": "TEST BANK" if routing == "110000000" else f"BANK {routing}",
        "financial_connections_account": None,
        "fingerprint": hashlib.sha256(f"{account}:{routing}:{number}".encode()).hexdigest()[:16],
        "last4": number[-4:],
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": routing,
        "status_details": {},
    }
    return shown, {"number": number if number in BANKS else "000123456789", "verified": False}


def _passes_aba(routing: str) -> bool:
    return sum(int(digit) * weight for digit, weight in zip(routing, (3, 7, 1) * 3, strict=True)) % 10 == 0


def is_banking_day(day: date) -> bool:
    """Say whether the Federal Reserve is open (a holiday on a Saturday does not move to Friday)."""
    if day.weekday() >= 5:
        return False
    fixed = {(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)}
    yesterday = day - timedelta(days=1)
    if (day.month, day.day) in fixed or (yesterday.weekday() == 6 and (yesterday.month, yesterday.day) in fixed):
        return False
    nth = (day.day - 1) // 7 + 1
    mondays = {(1, 3), (2, 3), (9, 1), (10, 2)}
    if day.weekday() == 0 and ((day.month, nth) in mondays or (day.month == 5 and day.day > 24)):
        return False
    return not (day.month == 11 and day.weekday() == 3 and nth == 4)


def banking_days_later(now: int, days: int) -> int:
    """Return the epoch second of the morning that many banking days after a moment."""
    day = datetime.fromtimestamp(now, UTC).date()
    while days:
        day += timedelta(days=1)
        days -= is_banking_day(day)
    return int(datetime(day.year, day.month, day.day, MORNING_HOUR, tzinfo=UTC).timestamp())
