"""What a visit may see of an account: plain values for the pages, names masked until a code was given (AUTH-02)."""

from typing import Any

from accounts.calendars import validation_ends_on
from accounts.models import Account, Visit


def masked_name(name: str) -> str:
    """`Harbor Medical` -> `H••• M•••`: enough for who knows it, nothing for who does not."""
    return " ".join(f"{word[0]}•••" for word in name.split())


def shown(account: Account, *, level: int) -> dict[str, Any]:
    """Give the pages an account's values; at level 1 the creditors are masked and the description is blank.

    The client must be joined. The review page shows everything at any level: CARD-02 wants it before a charge.
    """
    surely = level >= Visit.Level.CONFIRMED
    sent_on = account.validation_sent_on
    return {
        "id": account.pk,
        "creditor": account.client.name if surely else masked_name(account.client.name),
        "original_creditor": account.original_creditor if surely else masked_name(account.original_creditor),
        "reference": account.reference,
        "description": account.description if surely else "",
        "contract_on": account.contract_on if surely else None,
        "balance_cents": account.balance_cents,
        "as_of": account.as_of,
        "validation_ends_on": validation_ends_on(sent_on) if sent_on else None,
    }
