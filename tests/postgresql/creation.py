"""Test databases are clones: migrating takes some ten seconds, copying a migrated database half a second.

The model is named by a digest of all that migrations are made of, so that changed migrations never meet an old one.
Django still migrates every clone, which finds nothing to do but to repeat what follows a migration (roles).
"""

import hashlib
import re
from contextlib import closing
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db.backends.postgresql import creation

IMPORTED = re.compile(r"^(?:from|import) ([\w.]+)", re.MULTILINE)


class DatabaseCreation(creation.DatabaseCreation):
    """Clone a database that is migrated once for each state of the migrations."""

    def create_test_db(self, *args, **kwargs):
        from tests.postgresql import flush  # needs the models, which need this backend

        name = super().create_test_db(*args, **kwargs)
        self.roles = flush.roles()
        return name

    def _execute_create_test_db(self, cursor, parameters, keepdb=False):
        if not (keepdb and self._database_exists(cursor, parameters["dbname"])):
            model = self._quote_name(self._model(cursor))
            parameters = parameters | {"suffix": f"TEMPLATE {model}"}
        super()._execute_create_test_db(cursor, parameters, keepdb)

    def _model(self, cursor) -> str:
        """Give the name of a database that is migrated and that nobody is connected to."""
        family = f"model_of_{self._get_test_db_name().rpartition('_gw')[0] or self._get_test_db_name()}"[:40]
        name = f"{family}_{digest()}"
        # Workers begin together: one makes it, the others wait.
        cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [family])
        try:
            if not self._database_exists(cursor, name):
                self._make(cursor, name, family)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [family])
        return name

    def _make(self, cursor, name: str, family: str) -> None:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [family])
        for (old,) in cursor.fetchall():
            cursor.execute(f"DROP DATABASE IF EXISTS {self._quote_name(old)}")
        unfinished = f"{name}_new"
        cursor.execute(f"CREATE DATABASE {self._quote_name(unfinished)}")
        self.connection.close()
        self.connection.settings_dict["NAME"], mine = unfinished, self.connection.settings_dict["NAME"]
        try:
            with closing(self.connection):
                call_command("migrate", verbosity=0, database=self.connection.alias, run_syncdb=True)
        finally:
            self.connection.settings_dict["NAME"] = mine
        cursor.execute(f"ALTER DATABASE {self._quote_name(unfinished)} RENAME TO {self._quote_name(name)}")


def digest() -> str:
    """Digest what migrations are made of: their files, the files of ours that they import, the locked packages."""
    root = Path(settings.BASE_DIR)
    ours = [Path(config.path) for config in apps.get_app_configs() if Path(config.path).parent == root]
    files = {file for folder in ours for file in (folder / "migrations").glob("*.py")}
    for file in list(files):
        for module in IMPORTED.findall(file.read_text()):
            path = root / module.replace(".", "/")
            files |= {found for found in (path.with_suffix(".py"), path / "__init__.py") if found.exists()}
    whole = hashlib.sha256((root / "requirements.lock").read_bytes())
    for file in sorted(files):
        whole.update(file.name.encode() + file.read_bytes())
    return whole.hexdigest()[:16]
