"""What a bank's return or notification of change means for the plan and the bank account (compliance section 4).

One row per code, as data. `R` codes send a debit back, `C` codes say what changed (ACH-13). Stripe's own words are
read where no bank's code came with them. Trying again is `rules.retries`; this says only whether it is allowed at all.
"""

import re
from typing import NamedTuple

KEEP, PAUSE, CANCEL, HOLD = "keep", "pause", "cancel", "hold"
"""What happens to what is planned. HOLD holds the items and leaves the arrangement what it is; a person looks."""
REMOVE, LOCK, BLOCK, REVOKE, UPDATE = "remove", "lock", "block", "revoke", "update"
"""What happens to the bank account, or KEEP. LOCK: this entry of it, until the consumer authorizes anew. BLOCK: the
account itself, whoever of the agency's consumers gives it. REVOKE: the authorizations, a new one may be given."""

UNAUTHORIZED, ADMINISTRATIVE, ERROR, FUNDS = "unauthorized", "administrative", "error", "funds"


class Return(NamedTuple):
    """Say what follows from a code; `incident` is what staff must look at, empty where nobody must.

    `ask` says that the consumer is asked for another way to pay or a new authorization.
    """

    code: str
    meaning: str
    retry: bool = False
    plan: str = KEEP
    method: str = KEEP
    rate: str = ""
    ask: bool = False
    incident: str = ""
    severity: str = "warning"


_STOPPED = {"plan": CANCEL, "method": BLOCK, "rate": UNAUTHORIZED, "incident": "unauthorized_return"}
_STOPPED |= {"severity": "urgent"}
_ASKS = {"plan": PAUSE, "ask": True}
_DECEASED = {"plan": CANCEL, "method": REMOVE, "incident": "deceased_reported", "severity": "urgent"}
_FORMAT = {"plan": HOLD, "incident": "entry_rejected"}
_BANKS = {"plan": HOLD, "incident": "bank_to_bank_return", "severity": "notice"}

_ROWS = (
    Return("R01", "insufficient funds", retry=True, rate=FUNDS),
    Return("R02", "account closed", method=REMOVE, rate=ADMINISTRATIVE, **_ASKS),
    Return("R03", "no account", method=REMOVE, rate=ADMINISTRATIVE, **_ASKS),
    Return("R04", "invalid account number", method=REMOVE, rate=ADMINISTRATIVE, **_ASKS),
    Return("R05", "unauthorized debit to a consumer account by a corporate entry", **_STOPPED),
    Return("R06", "returned at the originating bank's request", **_BANKS),
    Return(
        "R07",
        "authorization revoked",
        plan=CANCEL,
        method=REVOKE,
        rate=UNAUTHORIZED,
        ask=True,
        incident="authorization_revoked_at_bank",
    ),
    Return("R08", "payment stopped", method=LOCK, **_ASKS),
    Return("R09", "uncollected funds", retry=True, rate=FUNDS),
    Return("R10", "consumer advises not authorized", **_STOPPED),
    # Our own fault until shown otherwise: amount or date were not what was agreed (ACH-12).
    Return("R11", "not according to the terms", plan=PAUSE, rate=ERROR, incident="debit_not_per_terms"),
    Return("R12", "account sold to another bank", method=UPDATE, **_ASKS),
    Return("R13", "invalid routing number", method=UPDATE, **_ASKS),
    Return("R14", "representative payee deceased", **_DECEASED),
    Return("R15", "account holder deceased", **_DECEASED),
    Return("R16", "account frozen, or OFAC", method=REMOVE, incident="account_frozen", **_ASKS),
    Return("R17", "file record edit criteria, questionable", plan=PAUSE, method=LOCK, incident="questionable_debit"),
    Return("R20", "not a transaction account", method=REMOVE, **_ASKS),
    Return("R21", "invalid company identification", **_FORMAT),
    Return("R22", "invalid individual id number", **_FORMAT),
    Return("R23", "credit entry refused by receiver", **_FORMAT),
    # Money asked for twice: everything stays, and somebody finds out at once how it could happen.
    Return("R24", "duplicate entry", incident="duplicate_debit", severity="urgent"),
    Return("R25", "addenda error", **_FORMAT),
    Return("R26", "mandatory field error", **_FORMAT),
    Return("R27", "trace number error", **_FORMAT),
    Return("R28", "routing number check digit error", **_FORMAT),
    Return("R29", "corporate customer advises not authorized", **_STOPPED),
    Return("R31", "permissible return entry", **_BANKS),
    Return("R51", "item is ineligible", **_STOPPED),
)
_CHANGES = (
    Return("C01", "incorrect account number", plan=HOLD, method=UPDATE),
    Return("C02", "incorrect routing number", plan=HOLD, method=UPDATE),
    Return("C03", "incorrect routing number and account number", plan=HOLD, method=UPDATE),
    Return("C04", "incorrect name of the account holder", plan=HOLD, method=UPDATE),
    Return("C05", "incorrect account type", plan=HOLD, method=UPDATE),
    Return("C06", "incorrect account number and account type", plan=HOLD, method=UPDATE),
    Return("C07", "incorrect routing number, account number and account type", plan=HOLD, method=UPDATE),
)
TABLE = {row.code: row for row in (*_ROWS, *_CHANGES)}
BLOCKING = tuple(row.code for row in TABLE.values() if row.method == BLOCK)
"""After these the bank account is not debited again, whoever gives it."""
_FROM_STRIPE = {
    "insufficient_funds": "R01",
    "account_closed": "R02",
    "bank_account_closed": "R02",
    "no_account": "R03",
    "bank_account_invalid_details": "R04",
    "debit_not_authorized": "R10",
    "bank_account_frozen": "R16",
    "bank_account_restricted": "R16",
    # A debit that failed after it had succeeded comes as a dispute with one of these reasons; the last one names no
    # code, so that what is planned is held and a person looks.
    "incorrect_account_details": "R04",
    "bank_cannot_process": "bank_cannot_process",
    # Otherwise a consumer's bank disputes an ACH debit only as not authorized, and it cannot be contested (ACH-19).
    "disputed": "R10",
}
_RETURN = re.compile("R[0-9]{2}").fullmatch


def is_return(code: str) -> bool:
    """Tell the code of a return from anything else; there are more of them than rows in the table."""
    return bool(_RETURN(code))


def is_change(code: str) -> bool:
    """Tell a notification of change from a return."""
    return code[:1] == "C" and code in TABLE


def code_of(network_code: str, decline_code: str = "") -> str:
    """Give the bank's code, or the one that Stripe's word stands for; empty where nothing was said."""
    if network_code:
        return network_code.upper()
    return decline_code if decline_code in TABLE else _FROM_STRIPE.get(decline_code, "")


def of(code: str) -> Return:
    """Say what follows from a code; R61 and up are between banks, and what nobody knows is held like those."""
    if code in TABLE:
        return TABLE[code]
    if not code:
        # A host that says no more than `declined` has its own queue for it: hold, and ask nobody here.
        return Return("", "not said", plan=HOLD)
    if code[:1] == "R" and code[1:].isdigit() and int(code[1:]) >= 61:
        return Return(code, "between banks", **_BANKS)
    return Return(code, "unknown", plan=HOLD, incident="return_unknown")
