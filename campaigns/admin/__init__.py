"""Staff pages of this floor."""

from campaigns.admin import campaigns, contact, messages, templates, texts

__all__ = ["campaigns", "contact", "messages", "templates", "texts"]
