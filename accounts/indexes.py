"""Indexes that are added while the site goes on."""

from django.contrib.postgres.operations import AddIndexConcurrently


class AddIndexInPeace(AddIndexConcurrently):
    """Add an index beside whatever runs, without the time-out for locks, and in place of a half-made one.

    Building it waits for every older transaction, and blocks none. A time-out would leave an index that is not valid,
    over whose name the next attempt would stumble.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout')")
            (before,) = cursor.fetchone()
        schema_editor.execute("SET lock_timeout = 0")
        try:
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.execute("SELECT set_config('lock_timeout', %s, false)", [before])
