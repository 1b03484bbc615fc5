"""Staff pages of money, by idea."""

from payments.admin import batches, money, refunds, rights, statements

__all__ = ["batches", "money", "refunds", "rights", "statements"]
