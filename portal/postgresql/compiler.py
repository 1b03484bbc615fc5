"""Django's compilers, without two things that cost a page a tenth of its time and change no statement's meaning."""

from django.db.backends.postgresql import compiler
from django.db.backends.postgresql.compiler import (
    SQLAggregateCompiler,
    SQLDeleteCompiler,
    SQLInsertCompiler,
    SQLUpdateCompiler,
)
from django.db.models.expressions import Col

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]


class SQLCompiler(compiler.SQLCompiler):
    """Write columns at once, and order by a column's name where its place in the list is not needed."""

    def compile(self, node):
        """Write `table.column` without asking who else might want to write it."""
        if type(node) is Col and node.alias is not None:
            return f"{self.quote_name_unless_alias(node.alias)}.{self.quote_name_unless_alias(node.target.column)}", []
        return super().compile(node)

    def _order_by_pairs(self):
        """Look for places in the select list only where they can matter.

        Django makes and hashes a place for every column of every joined table, to write `ORDER BY 1` for a name.
        """
        select = self.select
        query = self.query
        plain = select and not (query.combinator or query.distinct or query.group_by is not None or query.extra)
        if not plain or any(alias or type(column) is not Col for column, _sql, alias in select):
            return super()._order_by_pairs()
        self.select = []
        try:
            return list(super()._order_by_pairs())
        finally:
            self.select = select
