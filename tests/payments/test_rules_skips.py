"""What a gate that stopped a due item means for it: it waits, or somebody must act."""

from datetime import UTC, date, datetime, timedelta

import pytest

from payments.rules.skips import Skipped, after_skip

NOW = datetime(2026, 12, 15, 13, 0, tzinfo=UTC)
NEW_YORK = "America/New_York"
TODAY = date(2026, 12, 15)


def skip(*codes, now=NOW, due_on=TODAY, since=NOW):
    return after_skip(codes, now=now, zone=NEW_YORK, due_on=due_on, since=since)


@pytest.mark.parametrize(
    ("code", "wait"),
    [
        ("balance_not_fresh", timedelta(hours=1)),
        ("attempt_undecided", timedelta(minutes=15)),
        ("too_many_tries_day", timedelta(days=1)),
        ("retry_too_soon", timedelta(days=1)),
        ("bank_payments_paused", timedelta(days=1)),
        ("method_update_pending", timedelta(days=1)),
    ],
)
def test_what_mends_itself_waits(code, wait):
    assert skip(code) == Skipped(NOW + wait)


def test_of_several_waits_the_longest_counts():
    assert skip("balance_not_fresh", "attempt_undecided") == Skipped(NOW + timedelta(hours=1))


def test_a_wait_into_the_night_ends_at_eight_pdc_02():
    evening = datetime(2026, 12, 16, 4, 30, tzinfo=UTC)
    assert skip("balance_not_fresh", now=evening) == Skipped(datetime(2026, 12, 16, 13, 0, tzinfo=UTC))


def test_what_comes_too_early_waits_for_eight_of_its_day_utc_1():
    early = datetime(2026, 12, 15, 0, 5, tzinfo=UTC)
    assert skip("not_due_yet", now=early, since=early) == Skipped(NOW)
    assert skip("too_early_in_the_day", now=NOW - timedelta(minutes=1)) == Skipped(NOW)
    monday = datetime(2026, 12, 28, 13, 0, tzinfo=UTC)
    assert skip("not_a_banking_day", due_on=date(2026, 12, 28)) == Skipped(monday)


@pytest.mark.parametrize("code", ["balance_not_fresh", "bank_payments_paused", "method_update_pending"])
def test_patience_ends_after_three_days(code):
    incident = "balance_not_fresh" if code == "balance_not_fresh" else ""
    assert skip(code, since=NOW - timedelta(days=3)) == Skipped(None, code, incident)
    assert skip(code, since=NOW - timedelta(days=3) + timedelta(seconds=1)).at is not None


def test_an_undecided_attempt_is_always_waited_for():
    assert skip("attempt_undecided", since=NOW - timedelta(days=30)).at == NOW + timedelta(minutes=15)


@pytest.mark.parametrize("code", ["account_not_open", "dispute_open", "authorization_revoked", "nobody_knows_this"])
def test_everything_else_is_held(code):
    assert skip(code) == Skipped(None, code)
    assert skip("balance_not_fresh", code) == Skipped(None, code)


@pytest.mark.parametrize(
    ("code", "incident"),
    [
        ("notice_not_proven", "charge_without_notice"),
        ("notice_too_late", "charge_without_notice"),
        ("notice_too_early", "charge_without_notice"),
        ("authorization_missing", "charge_without_authorization"),
        ("authorization_not_covering", "charge_without_authorization"),
        ("stored_credential_missing", "charge_without_authorization"),
        ("card_disclosures_missing", "card_disclosures_missing"),
        ("more_than_owed", "more_planned_than_owed"),
        ("bank_not_validated", "bank_not_validated"),
    ],
)
def test_what_should_never_have_come_so_far_is_for_staff_and_names_the_hold(code, incident):
    assert skip("account_not_open", code) == Skipped(None, code, incident)


def test_a_skip_has_a_reason():
    with pytest.raises(AssertionError):
        skip()
