"""Mappings that are ready to use: the canonical record as CSV, TakeWebPayment's consumer file, Simplicity's export."""

from typing import Any

YES = ["true", "yes", "1", "y"]


def _plain(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"to": name, "from": name, "optional": True, **more} for name in names]


_ADDRESS = [
    {"to": f"Address/{name}", "from": name, "optional": True} for name in ("Street1", "Street2", "City", "State", "Zip")
]

CANONICAL: dict[str, Any] = {
    "shape": "csv",
    "fields": [
        {"to": "FileNumber", "from": "FileNumber", "required": True},
        *_plain("Status", "ClientNumber", "ClientName", "ConsumerID", "FirstName", "LastName", "SSN"),
        *_plain("DOB", "AssignedDate", "ListedDate", "ContractDate", "ItemizationDate", "ValidationSentOn", "SolDate"),
        *_plain("OriginalCreditor", "AccountDescription", "DebtType", "Language", "SolStatus", "AsOf", "ReopenReason"),
        *_plain("CurrentBalance", "AssignedBalance", **{"as": "amount"}),
        *_plain("Version", **{"as": "whole"}),
        *_ADDRESS,
        {"to": "Settlement/Amount", "from": "SettlementAmount", "as": "amount", "optional": True},
        {"to": "Settlement/Percent", "from": "SettlementPercent", "as": "percent", "optional": True},
        {"to": "Settlement/MaxPayments", "from": "SettlementMaxPayments", "as": "whole", "optional": True},
        {"to": "Settlement/MaxDate", "from": "SettlementMaxDate", "as": "date", "optional": True},
    ],
    "phones": [{"from": "CellPhone", "type": "Cell Phone", "status": "Good Number"}],
    "emails": [{"from": "Email"}],
}
"""The canonical record's own names as the header; any column may be missing but FileNumber."""


def _flag(ours: str, theirs: str) -> dict[str, Any]:
    return {"to": f"PaymentOptions/{ours}", "from": theirs, "as": "flag", "optional": True}


TAKEWEBPAYMENT: dict[str, Any] = {
    "shape": "csv",
    "fields": [
        {"to": "FileNumber", "from": "UniqueID", "required": True},
        {"to": "FirstName", "from": "PrimaryFirstName", "required": True},
        {"to": "LastName", "from": "PrimaryLastName", "required": True},
        # Without access nothing may be paid either: the portal's word for that is a blocked account.
        {"to": "Status", "constant": "ACTIVE"},
        {"to": "Status", "from": "Status", "optional": True},
        {"to": "Status", "constant": "FLAGGED", "when": {"AllowConsumerToAccess": ["false"]}},
        {"to": "ClientNumber", "constant": "TWP"},
        {"to": "ClientNumber", "from": "ClientID", "optional": True},
        *_plain("ClientName", "OriginalCreditor"),
        {"to": "Address/Street1", "from": "Address", "optional": True},
        {"to": "Address/City", "from": "City", "optional": True},
        {"to": "Address/State", "from": "State", "optional": True},
        {"to": "Address/Zip", "from": "Zip", "optional": True},
        {"to": "SSN", "from": "SSN", "as": "ssn", "optional": True},
        {"to": "DOB", "from": "DOB", "as": "date", "optional": True},
        {"to": "AssignedBalance", "from": "AssignedBalance", "as": "amount", "optional": True},
        {"to": "AssignedDate", "from": "AssignedDate", "as": "date", "optional": True},
        {"to": "CurrentBalance", "from": "CurrentBalance", "as": "amount", "required": True},
        {"to": "AccountDescription", "from": "Original Account Number", "optional": True},
        _flag("CanPay", "CanMakePayment"),
        _flag("SingleAch", "AcceptCheckingPayment"),
        _flag("SingleCard", "AcceptCreditCardPayment"),
        _flag("RecurringAch", "AcceptRecurringCheckingPayment"),
        _flag("RecurringCard", "AcceptRecurringCreditCard"),
        {"to": "PaymentOptions/MinimumSingle", "from": "MinimumSinglePayment", "as": "amount", "optional": True},
        {"to": "PaymentOptions/MinimumRecurring", "from": "MinimumRecurringPayment", "as": "amount", "optional": True},
        *(
            {
                "to": f"Settlement/{ours}",
                "from": theirs,
                "as": kind,
                "optional": True,
                "when": {"Settlement Offered": YES},
            }
            for ours, theirs, kind in (
                ("Amount", "Settlement Amount", "amount"),
                ("Text", "Settlement Text", "text"),
                ("MaxPayments", "Max Settlement Payments", "whole"),
                ("MaxDate", "Max Settlement Date", "date"),
            )
        ),
    ],
    "phones": [{"from": "Cell phone", "type": "Cell Phone", "status": "Good Number"}],
    "emails": [{"from": "Email"}],
}
"""TakeWebPayment's consumer import: a column that is missing changes nothing here, where there it reset the field."""

SIMPLICITY: dict[str, Any] = {
    "shape": "csv",
    "fields": [
        {"to": "FileNumber", "from": "case_number", "required": True},
        {"to": "FirstName", "from": "debtor_first_name", "required": True},
        {"to": "LastName", "from": "debtor_last_name", "required": True},
        {"to": "Address/Street1", "from": "debtor_address_one", "required": True},
        {"to": "Address/City", "from": "debtor_city", "required": True},
        {"to": "Address/State", "from": "debtor_state", "required": True},
        {"to": "Address/Zip", "from": "debtor_zip", "required": True},
        {"to": "CurrentBalance", "from": "current_balance_due", "as": "amount", "required": True},
        {"to": "OriginalCreditor", "from": "creditor", "required": True},
        {"to": "Status", "constant": "ACTIVE"},
        {"to": "ClientNumber", "constant": "SIMPLICITY"},
        {"to": "ClientNumber", "from": "client_claim_number", "optional": True},
        {"to": "ClientName", "from": "client_name", "optional": True},
        {"to": "SSN", "from": "last_four_ssn", "as": "ssn", "optional": True},
    ],
    "emails": [{"from": "debtor_email"}],
}
"""Simplicity's Exporter; its last four of the SSN identify nobody and are left out."""

READY = {"canonical": CANONICAL, "takewebpayment": TAKEWEBPAYMENT, "simplicity": SIMPLICITY}
