"""The product's backend for tests: databases are cloned from a migrated one, and commits do not wait for the disk."""

from portal.postgresql import base
from tests.postgresql.creation import DatabaseCreation


class DatabaseWrapper(base.DatabaseWrapper):
    """Make test databases by `DatabaseCreation`."""

    creation_class = DatabaseCreation

    def get_connection_params(self):
        params = super().get_connection_params()
        params["options"] = f"{params.get('options', '')} -c synchronous_commit=off".strip()
        return params
