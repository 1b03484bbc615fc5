"""What every e-mail provider module offers, and which there are. Providers translate; they save nothing.

A module has `transport(...)` (a Django e-mail connection of one agency's own account), `check(...)` (is this webhook
from this account? It raises `NotGenuine` unless proven, also when no key is configured) and `read(...)` (the webhook
as `News`).
"""

from dataclasses import dataclass
from datetime import datetime
from types import ModuleType

TIMEOUT = (3.05, 10.0)
"""Seconds to connect and to wait for the provider's answer; then the outcome is unknown."""


class NotGenuine(Exception):
    """Refuse the webhook: it is not proven to come from the agency's own provider account."""


@dataclass(frozen=True, slots=True)
class News:
    """Say what became of a message.

    `kind` is accepted, delivered, deferred, opened, clicked, bounced (for good), complained, unsubscribed or unknown.
    `lost` says that this message did not arrive and will not; `bad_address` that none will. `message` is our own id.
    """

    kind: str
    at: datetime
    message: str = ""
    provider_id: str = ""
    reason: str = ""
    lost: bool = False
    bad_address: bool = False
    url: str = ""


def provider(name: str) -> ModuleType:
    """Find a provider module by the name that a MailProvider row holds.

    :raises LookupError: there is no such module.
    """
    from campaigns.channels import mailgun

    known = {"mailgun": mailgun}
    if name not in known:
        raise LookupError(f"No e-mail provider is called {name!r}.")
    return known[name]
