"""Sums beside rows, each in a query of its own.

A sum over a join makes Django group by every column of the row, and work out anew for each page what these are.
"""

from django.db.models import OuterRef, QuerySet, Subquery, Sum

from payments.models import LedgerEntry


def cents_of(rows: QuerySet, *, by: str) -> Subquery:
    """Add up the amounts of the rows that belong to one row of an outer query; None without any.

    :param by: the field of `rows` that names the outer row.
    """
    mine = rows.filter(**{by: OuterRef("pk")}).order_by()
    return Subquery(mine.values(by).annotate(cents=Sum("amount_cents")).values("cents"))


def refunded_cents() -> Subquery:
    """Add up what of each payment went back and is owed again."""
    return cents_of(LedgerEntry.objects.filter(book="debt", reason="refund"), by="payment")
