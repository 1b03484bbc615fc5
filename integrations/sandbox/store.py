"""Keep everything a sandbox host knows in one SQLite file, so that kill -9 loses nothing it has answered."""

import json
import secrets
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path

# A commit survives the death of the process. Only a power cut may lose it, and fsync would spoil the latencies.
PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF", "PRAGMA busy_timeout=5000")

COMMON_TABLES = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT, mode TEXT NOT NULL, path TEXT NOT NULL, detail TEXT NOT NULL,
    remaining INTEGER, hits INTEGER NOT NULL DEFAULT 0);
"""


class Store:
    """One connection writes, behind one lock; each thread reads on its own, so no page delays an event."""

    def __init__(self, directory: Path, tables: str):
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "host.sqlite3"
        self.lock = threading.RLock()
        self.writer: int | None = None
        self.readers = threading.local()
        self.db = self.connect()
        self.db.executescript(COMMON_TABLES + tables)
        if self.setting("salt") is None:
            self.set(salt=secrets.token_hex(16))

    def connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        for pragma in PRAGMAS:
            db.execute(pragma)
        return db

    def reader(self) -> sqlite3.Connection:
        """Answer the connection on which this thread sees its own unfinished writes too."""
        if self.writer == threading.get_ident():
            return self.db
        if not hasattr(self.readers, "db"):
            self.readers.db = self.connect()
        return self.readers.db

    @contextmanager
    def write(self):
        """Hold the lock and one transaction; nested calls join the outer one, an exception undoes all."""
        with self.lock:
            if self.db.in_transaction:
                yield self.db
                return
            self.db.execute("BEGIN IMMEDIATE")
            self.writer = threading.get_ident()
            try:
                yield self.db
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            else:
                self.db.execute("COMMIT")
            finally:
                self.writer = None

    @contextmanager
    def savepoint(self):
        """Undo only the inner part of a transaction when it raises."""
        self.db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK TO part")
            self.db.execute("RELEASE part")
            raise
        self.db.execute("RELEASE part")

    def rows(self, sql: str, *values) -> list[sqlite3.Row]:
        return self.reader().execute(sql, values).fetchall()

    def row(self, sql: str, *values) -> sqlite3.Row | None:
        return self.reader().execute(sql, values).fetchone()

    def scalar(self, sql: str, *values):
        found = self.row(sql, *values)
        return None if found is None else found[0]

    def setting(self, name: str, default=None):
        value = self.scalar("SELECT value FROM settings WHERE name = ?", name)
        return default if value is None else json.loads(value)

    def set(self, **values):
        with self.write() as db:
            for name, value in values.items():
                db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))
