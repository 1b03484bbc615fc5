from datetime import date

import pytest

from payments.rules.routing import (
    SCOLLECT,
    InvalidRoutingTable,
    NoRoute,
    Route,
    read_table,
    route,
    timing_of,
    write_table,
)


@pytest.mark.parametrize(
    ("method", "timing", "executor"),
    [
        ("card", "immediate", "portal"),
        ("card", "postdated", "host"),
        ("ach", "immediate", "host"),
        ("ach", "postdated", "host"),
    ],
)
def test_the_matrix_of_the_scollect_document_pdc_06(method, timing, executor):
    assert route(SCOLLECT, method, timing) == Route(executor, notifier="portal")


@pytest.mark.parametrize(("method", "timing"), [("mail", "immediate"), ("card", "someday"), ("", "")])
def test_without_a_row_nobody_is_guessed_pdc_06(method, timing):
    with pytest.raises(NoRoute):
        route(SCOLLECT, method, timing)


def test_a_table_survives_being_stored():
    assert read_table(write_table(SCOLLECT)) == SCOLLECT


def test_a_row_needs_exactly_one_known_executor_and_notifier_pdc_06():
    row = {"method": "card", "timing": "immediate", "executor": "portal", "notifier": "portal"}
    assert read_table([row]) == {("card", "immediate"): Route("portal", "portal")}
    for broken in (
        row | {"executor": "both"},
        row | {"notifier": ""},
        {name: word for name, word in row.items() if name != "notifier"},
        row | {"method": "cash"},
    ):
        with pytest.raises(InvalidRoutingTable):
            read_table([broken])
    with pytest.raises(InvalidRoutingTable, match="twice"):
        read_table([row, row | {"executor": "host"}])


def test_today_is_immediate_and_tomorrow_is_postdated():
    today = date(2026, 12, 1)
    assert timing_of(today, today) == "immediate"
    assert timing_of(date(2026, 12, 2), today) == "postdated"
