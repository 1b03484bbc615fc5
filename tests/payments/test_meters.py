"""The rates of returned debits: alerts, the pause at the limit, and what it stops (ACH-11, ACH-12)."""

import pytest

from payments.rules import meters as rules


def level(name, debits, **returned):
    return next(meter for meter in rules.read(debits, returned) if meter.name == name).level


@pytest.mark.parametrize(("unauthorized", "reached"), [(0, 0), (2, 0), (3, 60), (4, 80), (5, 100), (6, 100)])
def test_the_unauthorized_rate_of_a_thousand_debits_rate(unauthorized, reached):
    assert level("unauthorized", 1_000, R10=unauthorized) == reached


@pytest.mark.parametrize(("returned", "reached"), [(17, 0), (18, 60), (23, 60), (24, 80), (29, 80), (30, 100)])
def test_the_administrative_rate_of_a_thousand_debits_ach_11(returned, reached):
    assert level("administrative", 1_000, R02=returned - 2, R03=1, R04=1) == reached


@pytest.mark.parametrize(("returned", "reached"), [(89, 0), (90, 60), (119, 60), (120, 80), (149, 80), (150, 100)])
def test_the_overall_rate_counts_every_return_ach_11(returned, reached):
    assert level("overall", 1_000, R01=returned - 3, R16=1, R24=1, R99=1) == reached


@pytest.mark.parametrize("code", ["R05", "R07", "R10", "R29", "R51"])
def test_each_unauthorized_code_counts_ach_12(code):
    assert level("unauthorized", 1_000, **{code: 5}) == 100


def test_an_error_in_an_authorized_entry_counts_in_the_stricter_rate_only_ach_12():
    assert level("unauthorized", 1_000, R10=3, R11=2) == 60
    assert level("stricter", 1_000, R10=3, R11=2) == 100


def pausing(debits, **returned):
    return [meter.name for meter in rules.read(debits, returned) if meter.pauses]


def test_only_the_unauthorized_rate_pauses_rate():
    assert pausing(1_000, R10=4) == []
    assert pausing(1_000, R10=6) == ["unauthorized"]
    assert pausing(1_000, R01=200, R02=50, R11=50) == []


def test_one_return_of_a_young_agency_pauses_nothing():
    assert level("unauthorized", 20, R10=1) == 100
    assert pausing(20, R10=1) == []
    assert pausing(20, R10=2) == ["unauthorized"]


def test_without_debits_there_is_no_rate():
    assert [meter.level for meter in rules.read(0, {})] == [0, 0, 0, 0]
