"""A query that was made once says the same as one made anew, for the agency that asks now (accounts/known.py)."""

import datetime as dt
import uuid

import pytest
from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Value
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from accounts.known import CannotBeKnown, known
from accounts.models import Account, ContactPoint, Event
from accounts.tenancy import ALL_AGENCIES, NoActingAgency, acting_for
from portal.postgresql import compiler
from tests.conftest import NOW, make_account

pytestmark = pytest.mark.django_db
NOBODY = uuid.UUID("00000000-0000-7000-8000-000000000000")


@known
def by_reference(reference: str) -> QuerySet[Account]:
    return Account.objects.select_related("consumer", "client").filter(reference=reference)


@known
def of_keys(keys: list) -> QuerySet[Account]:
    return Account.objects.filter(pk__in=keys).order_by("reference")


@pytest.fixture
def two(agency, other_agency) -> list[Account]:
    """Two agencies with an account of one and the same reference each."""
    return [
        make_account(one, reference="C-1", balance_cents=cents) for one, cents in ((agency, 1_00), (other_agency, 2_00))
    ]


def made_anew(query: QuerySet) -> list:
    return list(query)


def test_a_model_comes_with_all_that_is_joined_and_needs_no_query_more(two):
    mine, _others = two
    with acting_for(mine.agency_id):
        by_reference.get("C-1")
        with CaptureQueriesContext(
            connection,
        ) as asked:
            found = by_reference.get("C-1")
            assert (found, found.consumer.pk, found.client.name) == (mine, mine.consumer_id, mine.client.name)
        assert len(asked) == 1
        anew = Account.objects.select_related("consumer", "client").get(reference="C-1")
    assert {name: value for name, value in vars(found).items() if name != "_state"} == {
        name: value for name, value in vars(anew).items() if name != "_state"
    }
    assert found._state.db == anew._state.db
    assert found._state.adding is False


def test_sql_is_made_for_the_first_asking_only(two, monkeypatch):
    mine, _others = two
    with acting_for(mine.agency_id):
        for ask in (by_reference, by_reference.first, by_reference.exists):
            ask("C-1")
        monkeypatch.setattr(compiler.SQLCompiler, "as_sql", lambda *_: pytest.fail("it was made again"))
        assert [row.pk for row in by_reference("C-1")] == [mine.pk]
        assert by_reference.first("C-1") == mine
        assert by_reference("C-2") == []
        assert by_reference.exists("C-2") is False


def test_whoever_acts_now_is_asked_for_and_nobody_else(two):
    mine, others = two
    for _again in range(2):
        for one in (mine, others):
            with acting_for(one.agency_id):
                assert by_reference.get("C-1").balance_cents == one.balance_cents
                assert of_keys([mine.pk, others.pk]) == [one]
        with acting_for(ALL_AGENCIES):
            assert {row.pk for row in by_reference("C-1")} == {mine.pk, others.pk}
        with pytest.raises(NoActingAgency):
            by_reference("C-1")


def test_beneath_it_the_database_hides_what_is_anothers(two):
    mine, others = two

    @known
    def of_anyone(key: uuid.UUID) -> QuerySet[Account]:
        return Account.unscoped.filter(pk=key)

    with acting_for(mine.agency_id):
        assert of_anyone(mine.pk) == [mine]
        assert of_anyone(others.pk) == []


def test_first_and_get_and_exists_say_what_a_query_set_says(two):
    mine, _others = two
    with acting_for(mine.agency_id):
        assert by_reference.first("C-1") == mine
        assert by_reference.first("C-9") is None
        assert by_reference.exists("C-1") is True
        assert by_reference.exists("C-9") is False
        with pytest.raises(Account.DoesNotExist):
            by_reference.get("C-9")
    with acting_for(ALL_AGENCIES), pytest.raises(Account.MultipleObjectsReturned):
        by_reference.get("C-1")


def test_rows_come_in_every_form_in_which_a_query_set_gives_them(acting, account):
    def flat(key):
        return Account.objects.filter(pk=key).values_list("reference", flat=True)

    def tuples(key):
        return Account.objects.filter(pk=key).values_list("reference", "as_of")

    def names(key):
        return Account.objects.filter(pk=key).annotate(two=Value(2)).values("two", "consumer__state", "status")

    def added(key):
        points = ContactPoint.objects.filter(consumer=OuterRef("consumer"))
        return Account.objects.filter(pk=key).annotate(reached=Exists(points), plus=F("balance_cents") + 5)

    def some(key):
        return Account.objects.filter(pk=key).only("reference")

    def joined(key):
        one = Account.objects.filter(pk=key)
        return one.values_list("reference").union(one.values_list("status"), all=True)

    def counted(key):
        return Account.objects.filter(pk=key).values("status").annotate(many=Count("pk"))

    for build in (flat, tuples, names, added, some, joined, counted):
        asked = known(build)
        for _again in range(2):
            assert asked(account.pk) == list(build(account.pk)), build
    (row,) = known(added)(account.pk)
    assert (row.reached, row.plus) == (
        ContactPoint.objects.filter(consumer=account.consumer).exists(),
        account.balance_cents + 5,
    )
    assert known(some).get(account.pk).get_deferred_fields() == some(account.pk).get().get_deferred_fields()


def test_sealed_and_structured_columns_are_read_as_ever(acting, account):
    point = ContactPoint.objects.filter(consumer=account.consumer).first()
    asked = known(lambda key: ContactPoint.objects.filter(pk=key))
    for _again in range(2):
        assert vars(asked.get(point.pk)).keys() == vars(point).keys()
        assert asked.get(point.pk).value == point.value


def test_none_nothing_and_truth_have_statements_of_their_own(acting, account):
    @known
    def listed(day: dt.date | None, open_: bool, reference: str) -> QuerySet[Account]:
        rows = Account.objects.filter(listed_on=day)
        if open_:
            rows = rows.filter(status="open")
        return rows.filter(reference=reference) if reference else rows

    day = dt.date(2026, 3, 1)
    Account.objects.filter(pk=account.pk).update(listed_on=None, status="paid")
    assert (listed(None, False, ""), listed(None, True, ""), listed(day, False, "")) == ([account], [], [])
    Account.objects.filter(pk=account.pk).update(listed_on=day, status="open")
    assert (listed(None, False, ""), listed(day, True, ""), listed(day, False, "")) == ([], [account], [account])
    assert (listed(day, True, account.reference), listed(day, True, "C-9")) == ([account], [])


def test_no_and_nought_are_two_values(acting, account):
    @known
    def paid(what) -> QuerySet[Account]:
        return Account.objects.filter(status="paid" if what is False else "open", balance_cents__gte=0)

    assert [paid(what) for what in (False, 0, False, 0)] == [[], [account], [], [account]]


def test_lists_of_any_length_are_asked_for(agency):
    with acting_for(agency):
        keys = [make_account(agency, reference=f"R-{number:02}").pk for number in range(13)]
        for count in (0, 1, 2, 2, 10, 11, 13):
            assert [row.pk for row in of_keys(keys[:count])] == keys[:count]
        assert [row.pk for row in of_keys([keys[0], keys[0]])] == keys[:1]
        assert of_keys([NOBODY]) == []


def test_many_ids_are_one_statement_for_lists_of_every_length(agency, other_agency):
    def built(keys, word, others) -> QuerySet[Account]:
        mine = Account.objects.filter(pk__in=keys, currency=word).exclude(pk__in=others)
        return mine.union(Account.objects.filter(pk__in=others, currency="cad")).order_by("reference")

    asked = known(built)
    with acting_for(agency):
        made = [make_account(agency, reference=f"R-{number:02}") for number in range(30)]
        Account.objects.filter(pk__in=[row.pk for row in made[20:]]).update(currency="cad")
        keys = [row.pk for row in made]
        for mine, others in [(30, 12), (11, 29), (30, 30), (12, 11)]:
            expected = list(built(keys[:mine], "usd", keys[-others:]))
            assert asked(keys[:mine], "usd", keys[-others:]) == expected
            assert expected
        assert len(asked.statements) == 1
        for mine, others in [(30, 3), (3, 30)]:
            assert asked(keys[:mine], "usd", keys[:others]) == list(built(keys[:mine], "usd", keys[:others]))
        assert len(asked.statements) == 3
    with acting_for(other_agency):
        assert asked(keys, "usd", keys[:12]) == []


def test_many_ids_that_are_not_looked_for_in_a_list_are_asked_for_as_ever(agency):
    asked = known(lambda keys: Account.objects.filter(pk=keys[0], client__in=keys) | Account.objects.filter(pk=keys[3]))
    with acting_for(agency):
        keys = [make_account(agency, reference=f"R-{number:02}").pk for number in range(13)]
        for first in (0, 1, 1):
            assert [row.pk for row in asked(keys[first:])] == [keys[first + 3]]


@pytest.mark.parametrize(
    ("first", "then"), [(["", "C-1"], ["C-2", "C-3"]), (["C-2", "C-3"], ["", "C-1"]), ([""], ["C-1"])]
)
def test_a_list_with_nothing_in_it_is_no_other_lists_statement(agency, first, then):
    with acting_for(agency):
        for number in (1, 2, 3):
            make_account(agency, reference=f"C-{number}")
        asked = known(lambda words: Account.objects.filter(reference__in=words).values_list("reference", flat=True))
        for words in (first, then, first):
            assert sorted(asked(words)) == sorted(set(words) - {""})


def test_what_can_find_nothing_is_not_asked(acting, account, django_assert_num_queries):
    nothing = known(lambda reference: Account.objects.filter(reference=reference, pk__in=[]))
    with django_assert_num_queries(0):
        assert (nothing("C-1"), nothing.first("C-1"), nothing.exists("C-1")) == ([], None, False)


def test_moments_and_numbers_are_values_too(acting, account):
    asked = known(lambda at, cents: Account.objects.filter(as_of__lte=at, balance_cents__gte=cents))
    assert asked(account.as_of, account.balance_cents) == [account]
    assert asked(account.as_of - dt.timedelta(microseconds=1), account.balance_cents) == []
    assert asked(account.as_of, account.balance_cents + 1) == []


@pytest.mark.django_db(transaction=True)
def test_a_lock_needs_a_transaction_as_ever(agency, account):
    asked = known(lambda key: Account.objects.select_for_update(no_key=True).filter(pk=key))
    with acting_for(agency):
        for _again in range(2):
            with pytest.raises(TransactionManagementError):
                asked.get(account.pk)
            with transaction.atomic(), CaptureQueriesContext(connection) as said:
                assert asked.get(account.pk) == account
            assert "FOR NO KEY UPDATE" in said[0]["sql"]


@pytest.mark.parametrize(
    ("build", "values", "why"),
    [
        (lambda word: Account.objects.filter(reference__startswith=word), ["C"], "neither fixed nor"),
        (lambda at: Event.objects.filter(occurred_at__gt=at - dt.timedelta(1)), [NOW], "neither fixed nor"),
        (lambda data: Event.objects.filter(data__visit=data), ["a"], "neither fixed nor"),
        (lambda many: Account.objects.all()[:many], [3], "depends on its values"),
        (
            lambda word: Account.objects.filter(status="open" if word == "yes" else "paid"),
            ["no"],
            "looks at its values",
        ),
        (lambda at: Event.objects.filter(occurred_at=at, occurred_at__date="2026-12-01"), [NOW], "neither fixed nor"),
        (lambda key: Account.objects.filter(pk=key).prefetch_related("visits"), [NOBODY], "not known"),
        (lambda row: Account.objects.filter(consumer=row), [object()], "no value of a known query"),
        (lambda rate: Account.objects.filter(balance_cents=rate), [0.5], "no value of a known query"),
    ],
    ids=["part", "earlier", "inside JSON", "limit", "choice", "local day", "prefetched", "row", "fraction"],
)
def test_what_does_more_with_its_values_is_refused(acting, account, build, values, why):
    with pytest.raises(CannotBeKnown, match=why):
        known(build)(*values)
