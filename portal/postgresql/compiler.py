"""Django's compilers, without what cost a page a fifth of its time and changes no statement's meaning."""

from functools import cache

from django.db import connection
from django.db.backends.postgresql import compiler
from django.db.backends.postgresql.compiler import SQLAggregateCompiler, SQLDeleteCompiler, SQLUpdateCompiler
from django.db.models import Field
from django.db.models.expressions import Col

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]


class SQLCompiler(compiler.SQLCompiler):
    """Write columns at once, and order by a column's name where its place in the list is not needed."""

    def compile(self, node):
        """Write `table.column` without asking who else might want to write it."""
        if type(node) is Col and node.alias is not None:
            return f"{self.quote_name_unless_alias(node.alias)}.{quoted(node.target.column)}", []
        return super().compile(node)

    def get_default_columns(self, select_mask, start_alias=None, opts=None, from_parent=None):
        """List all columns of a model that inherits from no other table at once."""
        opts = opts or self.query.get_meta()
        if select_mask or from_parent or opts is None or opts.parents:
            return super().get_default_columns(select_mask, start_alias, opts, from_parent)
        alias = start_alias or self.query.get_initial_alias()
        return [field.get_col(alias) for field in opts.concrete_fields]

    def get_converters(self, expressions):
        """Ask a model's field once how its values are read."""
        found = {}
        for place, expression in enumerate(expressions):
            if type(expression) is not Col:
                return super().get_converters(expressions)
            if ways := readers(expression.target, expression.output_field):
                found[place] = ways, expression
        return found

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


class SQLInsertCompiler(compiler.SQLInsertCompiler):
    """Write the insert of one row once for all rows of its model."""

    def as_sql(self):
        """Give the same statement as Django for plain values of a row that comes back as it is."""
        query = self.query
        fields, rows = tuple(query.fields), query.objs
        if len(rows) != 1 or not fields or query.on_conflict or self.returning_fields:
            return super().as_sql()
        values = [self.prepare_value(field, self.pre_save_val(field, rows[0])) for field in fields]
        if (
            any(hasattr(value, "as_sql") for value in values)
            or (sql := insert_of(query.get_meta().db_table, fields)) is None
        ):
            return super().as_sql()
        return [(sql, tuple(values))]


@cache
def insert_of(table: str, fields: tuple[Field, ...]) -> str | None:
    """Write the insert of one row; None where a field has its own way to stand in a statement."""
    if any(hasattr(field, "get_placeholder") for field in fields):
        return None
    quote = connection.ops.quote_name
    columns, places = ", ".join(quote(field.column) for field in fields), ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quote(table)} ({columns}) VALUES ({places})"  # noqa: S608 - names of our models


@cache
def quoted(name: str) -> str:
    """Quote a column's name as Django does, once for all compilers.

    :raises ValueError: a dollar sign, as everywhere in Django.
    """
    if "$" in name:
        raise ValueError("Dollar signs are not permitted in column aliases on PostgreSQL.")
    return connection.ops.quote_name(name)


@cache
def readers(field: Field, read_as: Field) -> list:
    """List what turns a value of the database into one of this field; the fields of models never change."""
    column = Col(field.model._meta.db_table, field, read_as)
    return [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
