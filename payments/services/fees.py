"""What a payment costs beside its amount: nothing, unless the resolver of `rules.fees` says otherwise (RF-24)."""

from collections.abc import Callable

from accounts.models import Account
from payments.rules.fees import Basis, Case, Fee, fee

basis_of: Callable[[Account], Basis | None] | None = None
"""Port: the fee an agency wrote down with its legal basis, for an account. Empty: there is none, nothing is added."""


def fee_of(
    account: Account, *, amount_cents: int, method: str, funding: str = "", contract_state: str = "", recurring: bool
) -> Fee:
    """Resolve the fee of one payment of an account; the state where the consumer lives must be known."""
    case = Case(
        amount_cents=amount_cents,
        method=method,
        funding=funding,
        residence_state=account.consumer.state,
        contract_state=contract_state or account.consumer.state,
        recurring=recurring,
    )
    return fee(basis_of(account) if basis_of is not None else None, case)
