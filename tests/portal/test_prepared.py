"""What a connection asks again and again is planned once, and means what it meant (portal/postgresql/prepared.py)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import Inet, Jsonb
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from accounts.tenancy import ALL_AGENCIES, acting_for
from portal.postgresql import prepared

pytestmark = pytest.mark.django_db(transaction=True)
OFTEN = prepared.PREPARE_AFTER + 2
WHEN = datetime(2026, 12, 1, 5, 0, 1, 250_000, tzinfo=UTC)
KEY = UUID("01a22dcb-7d07-784a-86c7-7703e26ba487")


@pytest.fixture(autouse=True)
def fresh(transactional_db, monkeypatch):
    """Begin with a process that has prepared nothing and a connection that was asked nothing."""
    monkeypatch.setattr(prepared, "KNOWN", set())
    connection.close()
    yield
    connection.close()


def ask(sql, values=None):
    """Ask one thing and give the rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def kept() -> list[str]:
    """List what PostgreSQL itself says that it keeps for this connection."""
    return [text for (text,) in ask("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time")]


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT pg_typeof(%s)::text, %s + 1", [5, 5]),
        ("SELECT pg_typeof(%s)::text, %s - 1", [2**31, 2**31]),
        ("SELECT pg_typeof(%s)::text, %s", [1 - 2**63, 1 - 2**63]),
        ("SELECT pg_typeof(%s)::text, %s, not %s", [True, False, True]),
        ("SELECT pg_typeof(%s)::text, %s + 0.1", [Decimal("12.50"), Decimal("12.50")]),
        ("SELECT pg_typeof(%s)::text, %s + interval '1 day'", [WHEN, WHEN]),
        ("SELECT pg_typeof(%s)::text, %s - 1", [date(2028, 2, 29), date(2028, 2, 29)]),
        ("SELECT pg_typeof(%s)::text, %s", [KEY, KEY]),
        ("SELECT pg_typeof(%s)::text, %s + interval '1 day'", [timedelta(hours=1), timedelta(hours=1)]),
        ("SELECT pg_typeof(%s)::text, md5(%s)", [b"\x00\xff", b"\x00\xff"]),
        ("SELECT pg_typeof(%s)::text, %s", [Inet("2001:db8::1"), Inet("192.0.2.7")]),
        ("SELECT pg_typeof(%s)::text, %s -> 'a'", [Jsonb({"a": ["x"]}), Jsonb({"a": ["x"]})]),
        ("SELECT pg_typeof(%s)::text, %s", [[KEY, KEY], [KEY]]),
        ("SELECT pg_typeof(%s)::text, %s", [["it's", "é"], ["{}"]]),
        ("SELECT pg_typeof(%s)::text, %s", [[1, -2], [3, 2**40]]),
        ("SELECT 5 = ANY(%s::int[]), %s::uuid[], %s::text IS NULL", [[], [], None]),
        ("SELECT coalesce(%s, 5), nullif(%s, 'a')", [None, None]),
        ("SELECT %s, %s, 'cut 40 %%'", ["it's", "é % \\ \n"]),
        ("SELECT %(b)s::int, %(a)s || %(c)s, %(b)s || '%%'", {"a": "x", "b": "7", "c": "z"}),
    ],
)
def test_a_statement_that_is_kept_answers_as_its_text_did(sql, values):
    answers = [ask(sql, values) for _ in range(OFTEN)]
    assert answers == [answers[0]] * OFTEN
    assert len(kept()) == 1


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT concat(%s, 1)", ["a"]),  # no type can be told
        ("SELECT left(s, %s), count(*) FROM (SELECT 'ab' AS s) AS t GROUP BY left(s, %s)", [1, 1]),
    ],
)
def test_what_cannot_be_kept_goes_on_as_it_did_and_ends_no_transaction(sql, values):
    with transaction.atomic():
        answers = [ask(sql, values) for _ in range(OFTEN)]
        assert kept() == []
        assert ask("SELECT 1") == [(1,)]
    assert answers == [answers[0]] * OFTEN


@pytest.mark.parametrize(
    "values", [[[None]], [[[1]]], [[1, "2"]], [1.5], [WHEN.replace(tzinfo=None)], [-(2**63)], [2**70]]
)
def test_values_whose_literals_carry_more_than_a_type_stay_in_the_text(values):
    for _ in range(OFTEN):
        ask("SELECT %s", values)
    assert kept() == []


def test_a_value_of_another_type_makes_another_statement():
    for value in (5, 2**40, Decimal("5")):
        assert [ask("SELECT pg_typeof(%s)::text", [value]) for _ in range(OFTEN)]
    assert len(kept()) == 3


def test_a_text_is_kept_after_so_many_times_and_no_connection_keeps_more_than_its_share(monkeypatch):
    monkeypatch.setattr(prepared, "MOST_STATEMENTS", 2)
    for number in range(4):
        for time in range(OFTEN):
            assert len(kept()) == min(2, number + (time > prepared.PREPARE_AFTER))
            ask(f"SELECT {number}, %s", [1])
    assert len(kept()) == 2


def test_the_acting_agency_is_obeyed_by_a_plan_that_another_agency_made(account, others_account):
    for _ in range(OFTEN):
        for mine in (account, others_account):
            with acting_for(mine.agency):
                # The database's own fence, with and without Django's filter (AUTH-11).
                assert [one.pk for one in Account.objects.filter(reference=account.reference)] == [mine.pk]
                assert ask("SELECT id FROM accounts_account WHERE reference <> %s", ["x"]) == [(mine.pk,)]
        assert ask("SELECT id FROM accounts_account WHERE reference <> %s", ["x"]) == []
    assert any("reference <> $1" in text for text in kept())


def test_errors_and_savepoints_are_what_they_were(account):
    with acting_for(account.agency), transaction.atomic():
        for _ in range(OFTEN):
            with pytest.raises(IntegrityError), transaction.atomic():
                ask("INSERT INTO accounts_client SELECT * FROM accounts_client WHERE id = %s", [account.client_id])
            with pytest.raises(DataError), transaction.atomic():
                ask("SELECT %s::int", ["not a number"])
            assert Account.objects.filter(pk=account.pk).update(reference=account.reference) == 1
        assert len(kept()) >= 3


def test_a_connection_that_was_lost_prepares_anew():
    for _ in range(OFTEN):
        ask("SELECT %s + 1", [1])
    assert len(kept()) == 1
    connection.close()
    assert kept() == []
    assert [ask("SELECT %s + 1", [1]) for _ in range(OFTEN)] == [[(2,)]] * OFTEN
    assert len(kept()) == 1


def test_what_one_connection_keeps_another_one_keeps_from_its_first_time():
    for _ in range(OFTEN):
        ask("SELECT %s + 2", [1])
    connection.close()
    with transaction.atomic():
        assert ask("SELECT %s + 2", [1]) == [(3,)]
        assert len(kept()) == 1


def test_an_interruption_while_a_statement_is_prepared_costs_nothing_but_that_plan(monkeypatch):
    whole = prepared.Cursor._prepare

    def interrupted(self, *about):
        whole(self, *about)
        raise KeyboardInterrupt

    monkeypatch.setattr(prepared.Cursor, "_prepare", interrupted)
    for _ in range(prepared.PREPARE_AFTER):
        ask("SELECT %s + 3", [1])
    with pytest.raises(KeyboardInterrupt):
        ask("SELECT %s + 3", [1])
    monkeypatch.undo()
    with transaction.atomic():
        assert [ask("SELECT %s + 3", [1]) for _ in range(OFTEN)] == [[(4,)]] * OFTEN
    assert len(kept()) == 2


def test_a_plan_outlives_the_transaction_that_it_was_made_in():
    with transaction.atomic():
        for _ in range(OFTEN):
            ask("SELECT %s + 4", [1])
        transaction.set_rollback(True)
    assert ask("SELECT %s + 4", [1]) == [(5,)]
    assert len(kept()) == 1


def test_rows_that_are_read_bit_by_bit_come_from_their_own_cursor(account):
    with acting_for(account.agency):
        for _ in range(OFTEN):
            assert [one.pk for one in Account.objects.filter(pk=account.pk).iterator(chunk_size=1)] == [account.pk]


def test_what_is_logged_and_counted_is_the_statement_itself(django_assert_num_queries):
    for _ in range(OFTEN):
        with django_assert_num_queries(1) as seen:
            ask("SELECT %s || 'x'", ["it's"])
        assert seen.captured_queries[0]["sql"] == "SELECT 'it''s' || 'x'"
    assert len(kept()) == 1


def test_a_new_index_and_a_new_column_reach_a_plan_that_is_kept():
    ask("CREATE TEMPORARY TABLE many AS SELECT n, n %% 7 AS seven FROM generate_series(1, 20000) AS n", [])
    for _ in range(10 * OFTEN):
        assert ask("SELECT seven FROM many WHERE n = %s", [9]) == [(2,)]
    ask("CREATE INDEX ON many (n)")
    ask("ANALYZE many")
    ask("ALTER TABLE many ADD COLUMN more int")
    name = ask("SELECT name FROM pg_prepared_statements WHERE statement LIKE 'PREPARE%%seven FROM many%%'", [])[0][0]
    plan = "\n".join(line for (line,) in ask(f"EXPLAIN EXECUTE {name} (9)"))
    assert "Index" in plan, plan


def agency_of_the_server() -> str:
    """Ask PostgreSQL, by a cursor that tells it nothing, for whom it acts."""
    with connection.connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('portal.agency', true)")
        return cursor.fetchone()[0]


def test_a_change_of_agency_goes_along_with_the_statement_that_needs_it(agency, other_agency, monkeypatch):
    sent = []
    monkeypatch.setattr(
        prepared.Cursor,
        "_send",
        lambda cursor, query, given: (sent.append((cursor.first, query)), send(cursor, query, given)),
    )
    for one in (agency, other_agency, agency):
        with acting_for(one):
            for _again in range(OFTEN):
                assert ask("SELECT current_setting('portal.agency', true), %s + 1", [4]) == [(str(one.pk), 5)]
                assert agency_of_the_server() == str(one.pk)
    assert ask("SELECT current_setting('portal.agency', true)") == [("",)]
    told = [first for first, _query in sent if first]
    assert [str(one.pk) in first for one, first in zip((agency, other_agency, agency), told[:3], strict=True)] == [
        True
    ] * 3
    assert told[3:] == ["SELECT set_config('portal.agency', '', false); "]
    assert not any("set_config" in query for _first, query in sent)


send = prepared.Cursor._send


def test_what_fails_leaves_nobody_believing_that_the_agency_was_changed(agency, other_agency):
    with acting_for(agency):
        ask("SELECT 1")
    with acting_for(other_agency), pytest.raises(DataError):
        ask("SELECT 1 / %s", [0])
    assert agency_of_the_server() == str(agency.pk)  # what goes along is undone with what it went along with
    with acting_for(other_agency):
        assert ask("SELECT current_setting('portal.agency', true)") == [(str(other_agency.pk),)]
    with acting_for(agency), transaction.atomic():
        ask("SELECT 1")
        with acting_for(other_agency), pytest.raises(DataError), transaction.atomic():
            ask("SELECT 1 / %s", [0])
        assert ask("SELECT current_setting('portal.agency', true)") == [(str(agency.pk),)]


def test_a_statement_that_must_stand_alone_is_told_the_agency_before(agency):
    with acting_for(agency):
        ask("VACUUM accounts_code")
        assert ask("SELECT current_setting('portal.agency', true)") == [(str(agency.pk),)]


def test_a_log_shows_the_statement_and_not_what_went_along(agency):
    with CaptureQueriesContext(connection) as said:
        for _again in range(OFTEN):
            for one in (agency.pk, ALL_AGENCIES):
                with acting_for(one):
                    ask("SELECT %s + 1", [4])
    assert {one["sql"] for one in said.captured_queries} == {"SELECT 4 + 1"}
