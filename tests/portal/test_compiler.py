"""Our own compilers write what Django's would; one looks for places in the select list only where they can matter."""

import pytest
import time_machine
from django.apps import apps
from django.db import connection
from django.db.backends.postgresql import compiler
from django.db.models import Count, F, Value
from django.db.models.functions import Upper
from django.db.models.sql import InsertQuery

from accounts.models import Account, Client
from accounts.tenancy import ALL_AGENCIES, acting_for
from tests.conftest import NOW

pytestmark = pytest.mark.django_db


def ordered(rows) -> str:
    """Give what stands behind the last ORDER BY."""
    return str(rows.query).rpartition(" ORDER BY ")[2]


def test_the_columns_of_a_wide_join_are_ordered_by_their_names(acting):
    rows = Account.objects.select_related("client", "consumer").order_by("client__name", "-pk")
    assert ordered(rows) == '"accounts_client"."name" ASC, "accounts_account"."id" DESC'


def test_the_place_in_the_list_is_used_where_a_name_would_mean_something_else(acting):
    counted = Client.objects.values("name").annotate(n=Count("accounts")).order_by("-n", "name")
    assert ordered(counted) == "2 DESC, 1 ASC"
    both = Client.objects.values_list("name").union(Client.objects.values_list("number")).order_by("name")
    assert ordered(both) == "1 ASC"


def test_rows_come_in_the_order_that_was_asked_for(acting, agency, account):
    last = Client.objects.create(name="Aspen", number="Z-900")
    names = [*Client.objects.order_by("name").values_list("name", flat=True)]
    assert names == sorted(names)
    assert Client.objects.order_by("-number").first() == last


def test_a_manager_asks_for_the_agency_that_acts_now_and_not_for_the_one_before(
    agency, other_agency, account, others_account
):
    with acting_for(agency):
        assert list(Account.objects.all()) == [account]
    with acting_for(other_agency):
        assert list(Account.objects.all()) == [others_account]
        assert list(others_account.client.accounts.all()) == [others_account]
    with acting_for(ALL_AGENCIES):
        assert Account.objects.count() == 2


@pytest.mark.parametrize("model", apps.get_models(), ids=lambda model: model._meta.label)
@pytest.mark.parametrize("joined", [False, True], ids=["alone", "joined"])
def test_every_model_is_read_as_django_reads_it(model, joined):
    relations = [field.name for field in model._meta.fields if field.many_to_one or field.one_to_one]
    rows = model._base_manager.order_by("pk").filter(pk__isnull=False)
    query = (rows.select_related(*relations) if joined and relations else rows).query
    ours, stock = query.clone().get_compiler("default"), compiler.SQLCompiler(query.clone(), connection, "default")
    assert type(ours) is not type(stock)
    assert ours.as_sql() == stock.as_sql()
    columns = [column for column, _sql, _alias in ours.select]
    assert columns == [column for column, _sql, _alias in stock.select]
    assert ours.get_converters(columns) == stock.get_converters(columns)
    assert ours.klass_info["select_fields"] == stock.klass_info["select_fields"]


@pytest.mark.parametrize("model", apps.get_models(), ids=lambda model: model._meta.label)
@time_machine.travel(NOW, tick=False)
def test_a_row_of_every_model_is_written_as_django_writes_it(model):
    row, fields = model(), model._meta.local_concrete_fields
    for _again in range(2):
        (sql, values), (stock_sql, stock_values) = inserts(model, fields, [row])
        assert sql == stock_sql
        assert [(type(one), str(one)) for one in values] == [(type(one), str(one)) for one in stock_values]


def test_expressions_and_several_rows_are_written_as_django_writes_them(acting, agency):
    fields = [Client._meta.get_field(name) for name in ("name", "number")]
    rows = (
        [Client(name=Upper(Value("aspen")), number="Z-1")],
        [Client(name="A", number="1"), Client(name="B", number="2")],
    )
    for some in rows:
        ours, stock = inserts(Client, fields, some)
        assert ours == stock
    with pytest.raises(ValueError, match="F\\(\\) expressions"):
        inserts(Client, fields, [Client(name=F("number"), number="Z-1")])


def inserts(model, fields, rows) -> list[tuple]:
    """Write one statement by our compiler and by Django's."""
    query = InsertQuery(model)
    query.insert_values(fields, rows)
    made = [query.get_compiler("default"), compiler.SQLInsertCompiler(query, connection, "default")]
    assert type(made[0]) is not type(made[1])
    return [one.as_sql()[0] for one in made]
