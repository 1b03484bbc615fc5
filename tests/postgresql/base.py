"""The product's backend, able to empty append-only tables between transactional tests."""

from django.db.backends.postgresql import operations

from portal.postgresql import base


class DatabaseOperations(operations.DatabaseOperations):
    """Flush with user triggers off: only the tests may truncate facts."""

    def sql_flush(self, style, tables, **kwargs):
        own = super().sql_flush(style, tables, **kwargs)
        names = [self.quote_name(table) for table in tables]
        if not own:
            return own
        return [
            f"GRANT TRUNCATE ON {', '.join(names)} TO CURRENT_USER",
            *[f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in names],
            *own,
            *[f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in names],
        ]


class DatabaseWrapper(base.DatabaseWrapper):
    """Use the flush above."""

    ops_class = DatabaseOperations
