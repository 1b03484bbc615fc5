"""Keep agencies apart (AUTH-11): the scope, the manager that refuses without one, the fence every tenant table gets.

The agency is named once, at the edge (host name, staff user, API key, task argument), with `acting_for`. Below the
edge nobody passes it around: the manager filters by it, and the database backend (portal/postgresql) repeats it to
PostgreSQL, whose forced row-level security hides every other agency's rows even where the manager is bypassed.
"""

import os
import threading
import time
import uuid
from typing import ClassVar

from django.db import models
from django.db.migrations.operations.base import Operation
from django.db.models.expressions import Expression

from accounts.ids import uuid_of
from accounts.scope import ALL_AGENCIES, NoActingAgency, WrongAgency, acting, acting_for

__all__ = [
    "ALL_AGENCIES",
    "Fence",
    "ManyRows",
    "NoActingAgency",
    "Row",
    "TenantForeignKey",
    "WrongAgency",
    "acting",
    "acting_for",
    "uuid7",
]


_made = threading.local()


def uuid7() -> uuid.UUID:
    """Make a time-ordered id (RFC 9562 version 7), so that new rows stay together in every index.

    Each is greater than the one this thread made before (section 6.2, method 3: twelve more bits of the clock), so
    that two events of one transaction keep the order in which they were told.
    """
    _made.last = moment = max((time.time_ns() << 12) // 1_000_000, getattr(_made, "last", 0) + 1)
    value = (moment >> 12) << 80 | 7 << 76 | (moment & 0xFFF) << 64 | 2 << 62
    return uuid_of(value | int.from_bytes(_random_8()) >> 2)


def _random_8() -> bytes:
    """Give eight random bytes, drawn from the system for 256 ids at once: a call for each was half of an id's cost."""
    drawn, at = getattr(_made, "drawn", (b"", 0))
    if at == len(drawn):
        drawn, at = os.urandom(8 * 256), 0
    _made.drawn = drawn, at + 8
    return drawn[at : at + 8]


# A forked process forgets what its parent drew.
os.register_at_fork(after_in_child=lambda: _made.__dict__.pop("drawn", None))


class IsActing(Expression):
    """Hold for rows of the acting agency; read when SQL is made, so a query without a scope cannot exist."""

    conditional = True
    output_field = models.BooleanField()

    def __init__(self, agency_id: str = "agency_id") -> None:
        super().__init__()
        self.agency_id = models.F(agency_id)

    def get_source_expressions(self) -> list:
        return [self.agency_id]

    def set_source_expressions(self, expressions: list) -> None:
        (self.agency_id,) = expressions

    def as_sql(self, compiler, connection) -> tuple[str, list]:
        if not (agency := acting()):
            raise NoActingAgency("Name the agency first: `with acting_for(agency):`.")
        if agency == ALL_AGENCIES:
            return "TRUE", []
        sql, params = compiler.compile(self.agency_id)
        return f"{sql} = %s", [*params, uuid.UUID(agency)]


class TenantQuerySet(models.QuerySet):
    """Fill in and check the agency of rows made in bulk."""

    def bulk_create(self, objs, *args, **kwargs):
        objs = list(objs)
        for row in objs:
            row.claim_for_acting_agency()
        return super().bulk_create(objs, *args, **kwargs)


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):
    """See only the acting agency's rows; refuse when there is none."""

    use_in_migrations = False
    _made: ClassVar[dict[tuple[type, type], TenantQuerySet]] = {}

    def get_queryset(self) -> TenantQuerySet:
        # Made once and copied: the condition reads the scope when SQL is made, and building it anew for every query
        # was a twentieth of a page.
        key = self.model, self._queryset_class
        if (made := self._made.get(key)) is None:
            made = self._made[key] = self._queryset_class(model=self.model).filter(IsActing())
        fresh = made._chain()
        fresh._db, fresh._hints = self._db, self._hints
        return fresh


class TenantForeignKey(models.ForeignKey):
    """Point inside the agency: the constraint is the composite one that `Fence` makes, (agency_id, x_id)."""

    def __init__(self, to, on_delete=models.PROTECT, **kwargs) -> None:
        kwargs["db_constraint"] = False
        super().__init__(to, on_delete, **kwargs)


class Row(models.Model):
    """Belong to one agency: every tenant table starts here."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agency = models.ForeignKey("accounts.Agency", models.PROTECT, editable=False, related_name="+")

    objects = TenantManager()
    unscoped = models.Manager()  # noqa: DJ012 - ruff takes it for a field

    class Meta:
        abstract = True
        base_manager_name = "unscoped"
        default_manager_name = "objects"

    def save(self, *args, **kwargs) -> None:
        self.claim_for_acting_agency()
        super().save(*args, **kwargs)

    def claim_for_acting_agency(self) -> None:
        """Take the acting agency as this row's, or refuse a row of another one."""
        agency = acting()
        if not agency:
            raise NoActingAgency("Name the agency first: `with acting_for(agency):`.")
        if self.agency_id is None and agency != ALL_AGENCIES:
            self.agency_id = uuid.UUID(agency)
        if agency not in (ALL_AGENCIES, str(self.agency_id)):
            raise WrongAgency(f"{type(self).__name__} of agency {self.agency_id} written while acting for {agency}.")


class ManyRows(Row):
    """A tenant table of very many rows, each of which points to another tenant row and cannot do without it.

    Its agency has no index of its own, since `Fence` makes one that begins with it, and is not checked a second time:
    the composite key to the other row holds only where that row's agency is the same, and is there.
    """

    agency = models.ForeignKey(
        "accounts.Agency", models.PROTECT, editable=False, related_name="+", db_index=False, db_constraint=False
    )

    class Meta(Row.Meta):
        abstract = True


POLICY = """
CREATE UNIQUE INDEX "{table}_same_agency" ON "{table}" (agency_id, id);
ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON "{table}" USING (
    CASE WHEN (SELECT current_setting('portal.agency', true)) = '*' THEN true
    ELSE agency_id = (SELECT nullif(nullif(current_setting('portal.agency', true), '*'), '')::uuid) END);
"""
UNPOLICY = """
DROP POLICY agency ON "{table}";
ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY;
ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY;
DROP INDEX "{table}_same_agency" CASCADE;
"""
COMPOSITE = """
ALTER TABLE "{table}" ADD CONSTRAINT "{name}" FOREIGN KEY (agency_id, "{column}")
    REFERENCES "{target}" (agency_id, id) DEFERRABLE INITIALLY IMMEDIATE;
"""


def composite_name(table: str, column: str) -> str:
    """Name the composite key of a column within PostgreSQL's 63 bytes."""
    return f"{table}_{column}"[:50] + "_same_agency"


class Fence(Operation):
    """Put row-level security and composite keys on the tables of tenant models (PostgreSQL, reversible)."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, *models_: str) -> None:
        self.models = models_

    def deconstruct(self):
        return type(self).__name__, list(self.models), {}

    def state_forwards(self, app_label, state) -> None:
        """Change nothing: fences are the database's own."""

    def _references(self, model) -> list[tuple[str, str]]:
        return [
            (field.column, field.related_model._meta.db_table)
            for field in model._meta.local_fields
            if isinstance(field, TenantForeignKey)
        ]

    def database_forwards(self, app_label, schema_editor, from_state, to_state) -> None:
        found = [to_state.apps.get_model(app_label, name) for name in self.models]
        for model in found:
            schema_editor.execute(POLICY.format(table=model._meta.db_table), params=None)
        for model in found:
            for column, target in self._references(model):
                table = model._meta.db_table
                name = composite_name(table, column)
                sql = COMPOSITE.format(table=table, name=name, column=column, target=target)
                schema_editor.execute(sql, params=None)

    def database_backwards(self, app_label, schema_editor, from_state, to_state) -> None:
        for name in reversed(self.models):
            model = from_state.apps.get_model(app_label, name)
            schema_editor.execute(UNPOLICY.format(table=model._meta.db_table), params=None)

    def describe(self) -> str:
        return f"Fence {', '.join(self.models)}"
