"""Clients: what the agency says about them; the rest is the host's."""

from accounts.models import Client


def change(*, client: Client, allow_visa_credit: bool | None) -> Client:
    """Say whether Visa credit cards are accepted for a client's accounts; None: as the agency has it (CARD-01)."""
    client.allow_visa_credit = allow_visa_credit
    client.save(update_fields=["allow_visa_credit"])
    return client
