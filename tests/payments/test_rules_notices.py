from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.calendars import business_days_between, fed, is_business_day, strict
from payments.rules.notices import (
    Window,
    check_letters,
    check_notice,
    letter_send_by,
    letter_window,
    notice_needed,
    predebit_window,
)

days = st.dates(date(2026, 1, 1), date(2028, 12, 31))


def on(text):
    return date.fromisoformat(text)


def codes(refusals):
    return [refusal.code for refusal in refusals]


def every_day():
    return (date(2026, 1, 1) + timedelta(days=n) for n in range(3 * 365 + 1))


@pytest.mark.parametrize(
    ("due", "earliest", "target", "latest"),
    [
        ("2027-07-06", "2027-06-26", "2027-06-28", "2027-06-30"),  # PD-1
        ("2026-12-01", "2026-11-21", "2026-11-23", "2026-11-25"),  # PD-3
        ("2027-01-04", "2026-12-25", "2026-12-28", "2026-12-29"),  # PD-4
    ],
)
def test_the_notice_window_pdc_01(due, earliest, target, latest):
    assert predebit_window(on(due)) == Window(on(earliest), on(target), on(latest))


def test_the_notice_of_winter_against_messerli_was_too_late_pd_2():
    refusals = check_notice(on("2010-06-01"), on("2010-07-06"), sent_on=on("2010-07-01"))
    assert codes(refusals) == ["notice_too_late"]
    assert refusals[0].params["latest_on"] == on("2010-06-30")


def test_five_calendar_days_need_no_notice_and_six_do_pd_5():
    created = on("2026-12-01")
    assert not notice_needed(created, created)
    assert not notice_needed(created, on("2026-12-06"))
    assert notice_needed(created, on("2026-12-07"))


def test_ten_calendar_days_before_any_banking_day_is_inside_the_law_pd_6():
    for due_on in every_day():
        if is_business_day(due_on, fed):
            sent_on = due_on - timedelta(days=10)
            assert 3 <= business_days_between(sent_on, due_on, strict) <= 10
            assert sent_on in predebit_window(due_on)


def test_on_every_day_the_window_is_in_order_and_inside_the_law_pdc_01():
    for due_on in every_day():
        window = predebit_window(due_on)
        assert window.earliest <= window.target <= window.latest
        assert is_business_day(window.target, strict)
        assert is_business_day(window.latest, strict)
        for sent_on in (window.earliest, window.target, window.latest):
            assert 3 <= business_days_between(sent_on, due_on, strict) <= 10
        # A weekend debit has the same three full business days before it.
        assert business_days_between(window.latest, due_on - timedelta(days=1), strict) >= 2


@given(created=days, ahead=st.integers(6, 60))
def test_whoever_agrees_today_can_still_be_told_in_time_by_e_mail(created, ahead):
    assert created <= predebit_window(created + timedelta(days=ahead)).latest


def test_a_letter_leaves_eight_business_days_before_pdc_05():
    assert letter_send_by(on("2026-12-15")) == on("2026-12-03")
    assert letter_send_by(on("2026-12-01")) == on("2026-11-18")
    assert letter_window(on("2026-12-15")) == Window(on("2026-12-01"), on("2026-12-01"), on("2026-12-03"))


def test_a_debit_without_proof_of_notice_is_refused_pdc_01():
    created, due = on("2026-12-01"), on("2027-01-04")
    assert codes(check_notice(created, due, None)) == ["notice_not_proven"]
    assert codes(check_notice(created, due, on("2026-12-24"))) == ["notice_too_early"]
    assert check_notice(created, due, on("2026-12-25")) == []
    assert check_notice(created, due, on("2026-12-29")) == []
    assert codes(check_notice(created, due, on("2026-12-30"))) == ["notice_too_late"]
    assert check_notice(on("2026-12-30"), due, None) == []


def test_a_letter_is_judged_by_its_own_window_pdc_05():
    created, due = on("2026-11-01"), on("2026-12-15")
    assert check_notice(created, due, on("2026-12-02"), "letter") == []
    assert codes(check_notice(created, due, on("2026-12-02"), "email")) == ["notice_too_early"]
    assert codes(check_notice(created, due, on("2026-12-04"), "letter")) == ["notice_too_late"]


def test_without_consent_a_date_is_near_or_far_enough_for_a_letter_pdc_05():
    created = on("2026-12-01")
    dates = [on("2026-12-01"), on("2026-12-06"), on("2026-12-07"), on("2026-12-10"), on("2026-12-11")]
    refusals = check_letters(dates, created)
    assert [(refusal.code, refusal.field) for refusal in refusals] == [
        ("letter_too_late", "lines.2.due_on"),
        ("letter_too_late", "lines.3.due_on"),
    ]
    assert refusals[0].params == {
        "due_on": on("2026-12-07"),
        "near_on": on("2026-12-06"),
        "far_on": on("2026-12-11"),
    }


@given(created=days)
def test_the_far_day_that_a_refusal_names_is_accepted(created):
    refused = check_letters([created + timedelta(days=6)], created)
    for refusal in refused:
        assert check_letters([refusal.params["far_on"], refusal.params["near_on"]], created) == []
