"""The five fences: an agency's rows are out of every other agency's reach, in the database itself (AUTH-11)."""

import pgtrigger
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, InternalError, ProgrammingError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Count
from pgtrigger.core import INSTALLED

from accounts import events
from accounts.management.commands.migrate import halfway
from accounts.models import Account, Consumer, Event
from accounts.tenancy import (
    ALL_AGENCIES,
    NoActingAgency,
    Row,
    TenantForeignKey,
    WrongAgency,
    acting_for,
    composite_name,
)

TENANT_MODELS = [model for model in apps.get_models() if issubclass(model, Row)]


@pytest.mark.parametrize("ask", ["list", "exists", "count", "first", "update", "delete", "aggregate", "iterator"])
def test_no_query_runs_without_an_acting_agency(account, ask):
    calls = {
        "list": lambda: list(Account.objects.all()),
        "exists": lambda: Account.objects.filter(pk=account.pk).exists(),
        "count": lambda: Account.objects.count(),
        "first": lambda: Account.objects.first(),
        "update": lambda: Account.objects.update(balance_cents=1),
        "delete": lambda: Event.objects.all()._raw_delete("default"),
        "aggregate": lambda: Account.objects.aggregate(Count("id")),
        "iterator": lambda: next(Account.objects.iterator()),
    }
    with pytest.raises(NoActingAgency):
        calls[ask]()


def test_an_agency_sees_its_own_account_and_not_the_other_with_the_same_reference(
    agency, account, other_agency, others_account
):
    assert account.reference == others_account.reference
    with acting_for(agency):
        assert list(Account.objects.values_list("pk", flat=True)) == [account.pk]
    with acting_for(other_agency):
        assert list(Account.objects.values_list("pk", flat=True)) == [others_account.pk]
    with acting_for(ALL_AGENCIES):
        assert Account.objects.count() == 2


def test_with_the_managers_filter_out_of_the_way_the_database_still_returns_no_foreign_row(
    agency, account, others_account
):
    with acting_for(agency):
        assert list(Account.unscoped.values_list("pk", flat=True)) == [account.pk]
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM accounts_account")
            assert cursor.fetchall() == [(account.pk,)]
            cursor.execute("UPDATE accounts_account SET balance_cents = 1 WHERE id = %s", [others_account.pk])
            assert cursor.rowcount == 0


def test_without_a_scope_the_database_shows_no_rows_at_all(account):
    assert Account.unscoped.count() == 0


def test_a_row_of_another_agency_is_refused_before_it_is_sent(agency, other_agency):
    with acting_for(agency), pytest.raises(WrongAgency):
        Consumer.objects.create(agency=other_agency, last_name="Doe")
    with acting_for(agency), pytest.raises(WrongAgency):
        Consumer.objects.bulk_create([Consumer(agency=other_agency, last_name="Doe")])


def test_the_database_refuses_to_write_for_another_agency(agency, other_agency):
    with (
        acting_for(agency),
        pytest.raises(ProgrammingError, match="row-level security"),
        transaction.atomic(),
    ):
        Consumer.unscoped.model._base_manager.bulk_create([Consumer(agency=other_agency, last_name="Doe")])


def test_a_key_cannot_point_into_another_agency(agency, account, others_account):
    with acting_for(ALL_AGENCIES), pytest.raises(IntegrityError, match="same_agency"), transaction.atomic():
        Account.objects.filter(pk=account.pk).update(consumer=others_account.consumer_id)


def test_the_scope_is_right_after_a_rollback_and_in_nested_scopes(agency, account, other_agency, others_account):
    with acting_for(agency):
        with transaction.atomic(), acting_for(other_agency):
            assert Account.unscoped.get().pk == others_account.pk
            transaction.set_rollback(True)
        assert Account.unscoped.get().pk == account.pk


@pytest.mark.parametrize("model", TENANT_MODELS, ids=lambda model: model._meta.label)
def test_every_tenant_table_has_forced_row_level_security_and_composite_keys(db, model):
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = %s", [table])
        assert cursor.fetchone() == (True, True)
        cursor.execute("SELECT count(*) FROM pg_policies WHERE tablename = %s AND policyname = 'agency'", [table])
        assert cursor.fetchone() == (1,)
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f' AND convalidated",
            [table],
        )
        names = {name for (name,) in cursor.fetchall()}
    keys = [field for field in model._meta.local_fields if field.is_relation and issubclass(field.related_model, Row)]
    assert all(isinstance(field, TenantForeignKey) for field in keys)
    assert {composite_name(table, field.column) for field in keys} <= names


def test_every_table_of_ours_is_a_tenant_table_or_named_here():
    """Agency finds the tenant by host name before any scope; User signs in before any scope."""
    ours = {"accounts", "settlements", "payments", "integrations", "campaigns"}
    shared = {
        model._meta.label
        for model in apps.get_models()
        if model._meta.app_label in ours and not issubclass(model, Row) and not model._meta.auto_created
    }
    assert shared == {"accounts.Agency", "accounts.User"}


def test_the_role_of_the_site_is_bound_by_row_level_security(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False, False)


def test_facts_cannot_be_changed_deleted_or_truncated(agency, account, now):
    with acting_for(agency):
        with transaction.atomic():
            event = events.record("page.viewed", account=account, now=now)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for sql in (
            "UPDATE accounts_event SET kind = 'x' WHERE id = %s",
            "DELETE FROM accounts_event WHERE id = %s",
            "TRUNCATE accounts_event CASCADE -- %s",
        ):
            with pytest.raises(InternalError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(sql, [event.pk])


def test_every_trigger_of_a_model_is_in_the_database_as_the_model_says_it(db):
    found = {
        f"{model._meta.label}.{trigger.name}": trigger.get_installation_status(model)
        for model, trigger in pgtrigger.registered()
    }
    assert found
    assert {name: status for name, status in found.items() if status != (INSTALLED, True)} == {}


@pytest.mark.django_db
def test_what_every_placement_writes_has_no_index_of_the_agency_alone():
    # The planner took it to check foreign keys of (agency_id, id): it read every row of the agency for each row.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_indexes WHERE indexdef LIKE '%(agency_id)' AND tablename IN "
            "('accounts_account', 'accounts_accountpast', 'accounts_consumer', 'accounts_contactpoint',"
            " 'accounts_event')"
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%(agency_id)'")
        assert cursor.fetchone()[0] > 0


def test_a_database_that_stopped_amid_an_old_history_is_refused_before_anything_is_done(db):
    assert halfway() == []
    MigrationRecorder(connection).migration_qs.filter(app="campaigns", name="0006_texts").delete()
    with pytest.raises(CommandError, match="amid the old migrations of campaigns, which"):
        call_command("migrate", verbosity=0)


def test_every_constraint_and_index_that_a_model_names_is_in_the_database(db):
    """A migration that drops a column's index takes a partial unique one of that column along, and says nothing."""
    wanted = {
        one.name for model in apps.get_models() for one in (*model._meta.constraints, *model._meta.indexes) if one.name
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'i' UNION SELECT conname FROM pg_constraint")
        there = {name for (name,) in cursor.fetchall()}
    assert wanted - there == set()
    assert "one_undecided_payment_per_account" in wanted
