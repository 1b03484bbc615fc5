"""Staff pages of this floor."""

from integrations.admin import hosts, keys  # noqa: F401 - they register their pages
