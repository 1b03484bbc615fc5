"""When a changed debit must be announced: ten days for an amount, seven for a day, seven working days by card."""

from datetime import date

import pytest

from payments.rules import change_notices as rules
from payments.rules.notices import Window

D = date.fromisoformat


@pytest.mark.parametrize(
    ("kind", "method", "due", "told", "target", "latest"),
    [
        # EFT-04, ACH-08: an amount ten calendar days before; planned for twelve, on a working day.
        ("varying", "ach", "2027-03-15", "2027-01-04", "2027-03-03", "2027-03-05"),
        ("varying", "ach", "2027-07-06", "2027-01-04", "2027-06-24", "2027-06-26"),
        # Twelve days before is Saturday, 2027-05-01: the Friday before it.
        ("varying", "ach", "2027-05-13", "2027-01-04", "2027-04-30", "2027-05-03"),
        # Known later than that: at once.
        ("varying", "ach", "2027-03-15", "2027-03-04", "2027-03-04", "2027-03-05"),
        # ACH-08: a day seven calendar days before the new one, told at once.
        ("date_change", "ach", "2027-03-15", "2027-01-04", "2027-01-04", "2027-03-08"),
        # CARD-06: seven working days, Monday 2027-07-05 and Friday 2027-06-18 are none (PDC-04).
        ("date_change", "card", "2027-07-06", "2027-01-04", "2027-01-04", "2027-06-24"),
        ("date_change", "card", "2027-06-22", "2027-01-04", "2027-01-04", "2027-06-10"),
        ("varying", "card", "2027-01-04", "2026-12-01", "2026-12-21", "2026-12-22"),
        ("varying", "card", "2027-03-15", "2027-01-04", "2027-03-03", "2027-03-04"),
    ],
)
def test_the_window_of_each_change(kind, method, due, told, target, latest):
    assert rules.window(kind, D(due), D(told), method) == Window(D(told), D(target), D(latest))


@pytest.mark.parametrize(
    ("kind", "method", "channel", "first"),
    [
        ("date_change", "ach", "email", "2026-12-08"),
        # Seven working days after Tuesday, 2026-12-01.
        ("date_change", "card", "email", "2026-12-10"),
        ("varying", "ach", "email", "2026-12-11"),
        # Five business days on the way, then the days of the rule: a letter leaves on the same day.
        ("date_change", "ach", "letter", "2026-12-15"),
        ("varying", "ach", "letter", "2026-12-18"),
    ],
)
def test_the_first_day_that_can_still_be_announced(kind, method, channel, first):
    told = D("2026-12-01")
    assert rules.first_day(kind, told, method, channel) == D(first)
    assert rules.check_in_time(kind, D(first), told, method, channel) == []
    day_before = date.fromordinal(D(first).toordinal() - 1)
    (found,) = rules.check_in_time(kind, day_before, told, method, channel)
    assert (found.code, found.params["first_on"]) == ("change_notice_impossible", D(first))


def test_a_change_with_six_days_is_refused_ach_08():
    (found,) = rules.check_in_time("date_change", D("2026-12-07"), D("2026-12-01"), "ach", "email")
    assert found.sentence == "The consumer must be told of it 7 days before. Choose a day from December 8, 2026."


@pytest.mark.parametrize(
    ("kind", "sent", "codes"),
    [
        ("", None, []),
        ("varying", None, ["change_notice_not_proven"]),
        ("varying", "2027-03-05", []),
        ("varying", "2027-03-06", ["change_notice_too_late"]),
        ("date_change", "2027-03-08", []),
        ("date_change", "2027-03-09", ["change_notice_too_late"]),
    ],
)
def test_no_proof_of_notice_no_charge(kind, sent, codes):
    sent_on = D(sent) if sent else None
    assert [one.code for one in rules.check_proof(kind, D("2027-03-15"), sent_on, "ach", "email")] == codes
