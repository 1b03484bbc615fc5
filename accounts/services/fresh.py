"""Ask the host for the latest figures when a consumer arrives."""

from collections.abc import Callable
from datetime import datetime

from accounts.models import Account

ask_host: Callable[[Account, datetime], bool] | None = None
"""Port: fetch and place one account within settings.HOST_FRESH_TIMEOUT; True if the picture is fresh.

It never raises and never waits longer. Empty: what we have is shown, with its "as of".
"""


def refresh(account: Account, *, now: datetime) -> bool:
    """Try to get the host's own figures; whatever happens, the consumer goes on."""
    return ask_host(account, now) if ask_host is not None else False
