"""PostgreSQL, told which agency acts: `portal.agency` is true on the connection before every statement.

`acting_for` only sets a context variable. Here it is compared with what this connection was last told; a rollback,
a rolled back savepoint, a close or a new connection makes that unknown. Unset means no rows (see docs/tenancy.md).
COPY and raw psycopg2 cursors pass no wrapper: call `connection.sync_agency()` before them.
"""

import select
import time

from django.db.backends.postgresql import base, operations
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, new_array_type, new_type, register_type

from accounts import scope
from accounts.ids import read_uuid
from portal.postgresql import prepared

# psycopg2's own reader was a tenth of the time of a file: eight ids come back with each account.
_UUID = new_type((2950,), "UUID", read_uuid)
register_type(_UUID)
register_type(new_array_type((2951,), "UUID[]", _UUID))

FACTORIES = {"connection_factory": prepared.Connection, "cursor_factory": prepared.Cursor}
ACT_FOR = "SELECT set_config('portal.agency', %s, false)"
ASKED_EVERY = 30.0
"""So many seconds a connection that says nothing of itself is believed to be alive without being asked."""


class DatabaseOperations(operations.DatabaseOperations):
    """Compile with our own compilers."""

    compiler_module = "portal.postgresql.compiler"

    def last_executed_query(self, cursor, sql, params):
        """Tell the statement itself where only its values were sent."""
        whole = super().last_executed_query(cursor, sql, params)
        if whole is not None and isinstance(cursor, prepared.Cursor):
            whole = whole.removeprefix(cursor.ahead)
        if whole is None or not whole.startswith(prepared.RUN):
            return whole
        return cursor.mogrify(sql, params).decode(errors="replace")


class DatabaseWrapper(base.DatabaseWrapper):
    """Repeat the acting agency to PostgreSQL, once per change."""

    ops_class = DatabaseOperations

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.agency_applied: str | None = None
        self.asked_at = 0.0
        self.execute_wrappers.append(self._with_agency)

    def get_new_connection(self, conn_params):
        self.agency_applied = None
        self.asked_at = time.monotonic()
        given = conn_params if "connection_factory" in conn_params else conn_params | FACTORIES
        return super().get_new_connection(given)

    def is_usable(self) -> bool:
        """Tell whether the server is still there, as each request and task begins; a round trip only now and then.

        A server that ended, or ended this session, has closed the socket or said so: there is something to read.
        """
        mine = self.connection
        believed = time.monotonic() - self.asked_at < ASKED_EVERY and not self.errors_occurred
        if believed and not mine.closed and mine.info.transaction_status == TRANSACTION_STATUS_IDLE:
            socket = select.poll()
            socket.register(mine.fileno(), select.POLLIN)
            if not socket.poll(0):
                return True
        usable = super().is_usable()
        self.asked_at = time.monotonic()
        return usable

    def sync_agency(self) -> None:
        """Tell the connection the acting agency unless it knows."""
        if (wanted := scope.acting()) != self.agency_applied:
            with self.wrap_database_errors, self.connection.cursor() as cursor:
                cursor.execute(ACT_FOR, [wanted])
            self.agency_applied = wanted

    def _with_agency(self, execute, sql, params, many, context):
        # An aborted transaction must still reach ROLLBACK TO.
        if isinstance(sql, str) and sql.startswith(("SAVEPOINT", "ROLLBACK", "RELEASE")):
            return execute(sql, params, many, context)
        if (wanted := scope.acting()) == self.agency_applied:
            return execute(sql, params, many, context)
        cursor = context["cursor"].cursor
        if many or not (isinstance(cursor, prepared.Cursor) and cursor.can_follow(sql)):
            self.sync_agency()
            return execute(sql, params, many, context)
        # In one go with the statement: a page changes from nobody to its agency, a worker from agency to agency.
        cursor.first = cursor.mogrify(ACT_FOR, [wanted]).decode() + "; "
        self.agency_applied = None  # until we know that it was done
        found = execute(sql, params, many, context)
        self.agency_applied = wanted
        return found

    def _rollback(self):
        self.agency_applied = None
        return super()._rollback()

    def _savepoint_rollback(self, sid) -> None:
        super()._savepoint_rollback(sid)
        self.agency_applied = None

    def _close(self):
        self.agency_applied = None
        return super()._close()
