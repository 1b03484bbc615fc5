"""Staff pages of this floor."""

from integrations.admin import (  # noqa: F401 - they register their pages
    files,
    formats,
    hosts,
    keys,
    ledgers,
    webhooks,
)
