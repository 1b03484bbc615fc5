"""Many rows at once: the database learns soon how large its tables have become."""

from types import SimpleNamespace

import pytest
from django.db import connection, transaction

from accounts.bulk import measure_when_grown

# As wide as an account: few of them are thought to fit on a page, so that each index seems to find as little.
WIDE = ", ".join(f"more_{at} text DEFAULT 'x'" for at in range(40))
TABLES = f"""
CREATE TABLE grown_people (id int PRIMARY KEY, agency int, name text, note text, {WIDE});
CREATE UNIQUE INDEX ON grown_people (agency, id);
CREATE INDEX ON grown_people (agency, name);
CREATE TABLE grown_letters (agency int, person int, FOREIGN KEY (agency, person) REFERENCES grown_people (agency, id));
"""
PEOPLE = "INSERT INTO grown_people SELECT at, 1, 'Doe ' || at, repeat('x', 200) FROM generate_series(%s, %s) AS at"
LETTER = "INSERT INTO grown_letters VALUES (1, %s)"
FETCHED = (
    "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
    " WHERE relname = 'grown_people'"
)
people = SimpleNamespace(_meta=SimpleNamespace(db_table="grown_people"))


@pytest.fixture
def cursor(transactional_db):
    """Two tables whose key was first checked when there was one person."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        cursor.execute(PEOPLE, [1, 1])
        for _letter in range(6):  # from the sixth on the plan is kept
            cursor.execute(LETTER, [1])
        yield cursor
        cursor.execute("DROP TABLE grown_letters, grown_people")


def rows_read_for_one_letter(cursor) -> int:
    with transaction.atomic():
        cursor.execute(FETCHED)
        (before,) = cursor.fetchone()
        cursor.execute(LETTER, [2_000])
        cursor.execute(FETCHED)
        return cursor.fetchone()[0] - before


def measured(cursor) -> float:
    cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'grown_people'")
    return cursor.fetchone()[0]


def test_after_many_rows_a_key_is_checked_by_the_row_it_names_and_not_by_all_of_the_agency(cursor):
    with transaction.atomic():
        cursor.execute(PEOPLE, [2, 3_000])
        measure_when_grown(people)
        assert measured(cursor) == -1  # not before the commit
    assert measured(cursor) == 3_000
    assert rows_read_for_one_letter(cursor) == 1


def test_a_table_that_has_not_grown_fourfold_is_left_alone(cursor):
    cursor.execute("ANALYZE grown_people")
    with transaction.atomic():
        cursor.execute(PEOPLE, [2, 200])
        measure_when_grown(people)
    assert measured(cursor) == 1


def test_whoever_finds_a_table_being_measured_does_not_wait_for_it(cursor):
    other = connection.copy()
    try:
        with other.cursor() as elsewhere:
            elsewhere.execute("BEGIN")
            elsewhere.execute("LOCK TABLE grown_people IN SHARE UPDATE EXCLUSIVE MODE")
            with transaction.atomic():
                cursor.execute(PEOPLE, [2, 3_000])
                measure_when_grown(people)
            elsewhere.execute("ROLLBACK")
    finally:
        other.close()
    assert measured(cursor) == -1
    cursor.execute("SELECT count(*) FROM grown_people")
    assert cursor.fetchone()[0] == 3_000
