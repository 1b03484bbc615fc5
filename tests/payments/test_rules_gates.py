from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from payments.rules.attempts import FailedAttempt
from payments.rules.cards import CardDisclosures
from payments.rules.gates import (
    Authority,
    ChargeFacts,
    charge_gates,
    handover_gates,
)
from settlements.rules.old_debts import notice_needed

DUE = date(2026, 12, 1)
# 08:00 in New York.
EIGHT = datetime(2026, 12, 1, 13, 0, tzinfo=UTC)

NOW_BY_CARD = ChargeFacts(
    now=EIGHT,
    zone="America/New_York",
    scheduled=False,
    amount_cents=125_00,
    due_on=DUE,
    account_status="open",
    dispute_open=False,
    sol_notice_needed=False,
    sol_acknowledged=False,
    balance_cents=1_000_00,
    balance_as_of=EIGHT - timedelta(minutes=5),
    unposted_cents=0,
    method="card",
    method_live=True,
    method_allowed=True,
    executor="portal",
    undecided_attempt=False,
    authority=Authority(live=True, lines=((DUE, 125_00),), stored_credential=True),
    card_brand="visa",
    card_funding="debit",
    disclosures=CardDisclosures("First Bank", "A-1", "Credit card", date(2020, 5, 1), "(555) 010-0100"),
)
BY_SCHEDULE = replace(NOW_BY_CARD, scheduled=True, created_on=date(2026, 11, 1), notice_sent_on=date(2026, 11, 23))
BY_BANK = replace(NOW_BY_CARD, method="ach", card_brand="", card_funding="", disclosures=None, bank_validated=True)


def codes(facts):
    return [refusal.code for refusal in charge_gates(facts)]


@pytest.mark.parametrize("facts", [NOW_BY_CARD, BY_SCHEDULE, BY_BANK], ids=["card", "schedule", "bank"])
def test_a_charge_with_everything_in_order_passes(facts):
    assert charge_gates(facts) == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"account_status": "blocked"}, "account_not_open"),
        ({"account_status": "unmapped"}, "account_not_open"),  # STS-06
        ({"account_status": "bankruptcy"}, "account_not_open"),  # STS-01
        ({"account_status": "paid"}, "account_not_open"),
        pytest.param({"unlicensed": True}, "not_licensed", id="ST-09 no licence where the consumer lives"),
        ({"dispute_open": True}, "dispute_open"),
        ({"sol_notice_needed": True}, "sol_acknowledgement_needed"),  # SOL-02
        ({"balance_as_of": EIGHT - timedelta(hours=24, seconds=1)}, "balance_not_fresh"),  # STS-07
        (
            {"amount_cents": 0, "authority": Authority(True, ((DUE, 0),), True)},
            "amount_not_positive",
        ),
        ({"balance_cents": 0}, "nothing_owed"),
        ({"balance_cents": 124_99}, "more_than_owed"),
        ({"unposted_cents": 875_01}, "more_than_owed"),
        ({"unposted_cents": 1_000_00}, "nothing_owed"),
        ({"method_live": False}, "method_not_live"),
        ({"method_blocked": True}, "method_blocked"),
        ({"update_pending": True}, "method_update_pending"),  # ACH-13
        ({"method_allowed": False}, "method_not_allowed"),
        ({"card_funding": "credit"}, "visa_credit_not_accepted"),  # CARD-01
        ({"disclosures": None}, "card_disclosures_missing"),  # CARD-02
        ({"authority": None}, "authorization_missing"),  # EFT-01
        ({"authority": replace(NOW_BY_CARD.authority, live=False)}, "authorization_revoked"),  # PDC-07
        ({"authority": Authority(True, ((DUE, 125_01),), True)}, "authorization_not_covering"),
        ({"authority": Authority(True, ((date(2026, 12, 2), 125_00),), True)}, "authorization_not_covering"),
        ({"executor": "host"}, "executor_is_host"),  # PDC-06
        ({"undecided_attempt": True}, "attempt_undecided"),
        ({"failed": (FailedAttempt(EIGHT - timedelta(days=90), 1_00, "A"),)}, "card_never_again"),  # CARD-07
    ],
)
@pytest.mark.parametrize("facts", [NOW_BY_CARD, BY_SCHEDULE], ids=["now", "scheduled"])
def test_each_gate_stops_a_charge_by_itself(facts, changed, code):
    assert codes(replace(facts, **changed)) == [code]


def test_a_balance_or_an_acknowledgement_at_the_limit_passes():
    assert codes(replace(NOW_BY_CARD, balance_as_of=EIGHT - timedelta(hours=24))) == []
    assert codes(replace(NOW_BY_CARD, sol_notice_needed=True, sol_acknowledged=True)) == []
    assert codes(replace(NOW_BY_CARD, unposted_cents=875_00)) == []


def test_a_host_status_of_disputed_is_an_open_dispute():
    assert codes(replace(NOW_BY_CARD, account_status="disputed")) == ["account_not_open", "dispute_open"]


def test_a_consumer_who_asked_for_silence_may_pay_but_is_not_charged_by_schedule():
    assert codes(replace(NOW_BY_CARD, account_status="cease")) == []
    assert codes(replace(BY_SCHEDULE, account_status="cease")) == ["account_not_open"]


def test_only_a_card_disclosure_that_is_blank_is_named_card_02():
    shown = replace(NOW_BY_CARD.disclosures, original_creditor=" ", contract_on=None)
    refusals = charge_gates(replace(NOW_BY_CARD, disclosures=shown))
    assert [(refusal.code, refusal.params["missing"]) for refusal in refusals] == [
        ("card_disclosures_missing", ("original_creditor", "contract_on"))
    ]


def test_a_bank_account_is_validated_before_its_first_debit_ach_02():
    assert codes(replace(BY_BANK, bank_validated=False)) == ["bank_not_validated"]


def test_while_bank_payments_are_paused_none_is_taken_and_cards_are_ach_11():
    assert codes(replace(BY_BANK, bank_payments_paused=True)) == ["bank_payments_paused"]
    assert codes(replace(NOW_BY_CARD, bank_payments_paused=True)) == []


def test_a_bank_debit_returned_for_good_is_not_sent_again_ach_09():
    returned = FailedAttempt(EIGHT - timedelta(days=5), 125_00, return_code="R03", same_item=True)
    assert codes(replace(BY_BANK, failed=(returned,))) == ["return_not_retryable"]


def test_an_unknown_method_is_never_charged():
    assert codes(replace(NOW_BY_CARD, method="crypto")) == ["method_not_allowed"]


def test_a_schedule_by_card_needs_the_stored_credential_consent_card_03():
    authority = replace(BY_SCHEDULE.authority, stored_credential=False)
    assert codes(replace(BY_SCHEDULE, authority=authority)) == ["stored_credential_missing"]
    assert codes(replace(NOW_BY_CARD, authority=authority)) == []


def test_five_past_midnight_utc_is_too_early_in_new_york_and_eight_local_is_not_pdc_02():
    assert codes(replace(BY_SCHEDULE, now=datetime(2026, 12, 1, 0, 5, tzinfo=UTC))) == ["not_due_yet"]
    assert codes(replace(BY_SCHEDULE, now=EIGHT - timedelta(seconds=1))) == ["too_early_in_the_day"]
    assert codes(replace(BY_SCHEDULE, now=EIGHT)) == []
    in_honolulu = replace(BY_SCHEDULE, zone="Pacific/Honolulu", now=datetime(2026, 12, 1, 17, 59, tzinfo=UTC))
    assert codes(in_honolulu) == ["too_early_in_the_day"]
    assert codes(replace(in_honolulu, now=datetime(2026, 12, 1, 18, 0, tzinfo=UTC))) == []


def test_a_payment_confirmed_now_has_no_hour_but_is_never_before_its_date():
    night = datetime(2026, 12, 1, 7, 0, tzinfo=UTC)
    assert codes(replace(NOW_BY_CARD, now=night)) == []
    assert codes(replace(NOW_BY_CARD, now=datetime(2026, 12, 1, 4, 0, tzinfo=UTC))) == ["not_due_yet"]


def test_a_scheduled_charge_needs_its_notice_proven_pdc_01():
    assert codes(replace(BY_SCHEDULE, notice_sent_on=None)) == ["notice_not_proven"]
    assert codes(replace(BY_SCHEDULE, notice_sent_on=date(2026, 11, 26))) == ["notice_too_late"]
    assert codes(replace(BY_SCHEDULE, notice_sent_on=None, created_on=date(2026, 11, 26))) == []


def test_every_failing_gate_is_a_recorded_reason():
    facts = replace(
        BY_SCHEDULE,
        now=datetime(2026, 12, 1, 0, 5, tzinfo=UTC),
        account_status="recalled",
        dispute_open=True,
        balance_cents=0,
        card_funding="credit",
        authority=None,
        executor="host",
        notice_sent_on=None,
    )
    assert codes(facts) == [
        "account_not_open",
        "dispute_open",
        "nothing_owed",
        "visa_credit_not_accepted",
        "authorization_missing",
        "executor_is_host",
        "not_due_yet",
        "notice_not_proven",
    ]


def test_an_item_for_the_host_passes_the_first_set_only():
    item = replace(BY_SCHEDULE, executor="host", now=EIGHT - timedelta(days=20), notice_sent_on=None)
    item = replace(item, balance_as_of=item.now)
    assert handover_gates(item) == []
    assert [refusal.code for refusal in handover_gates(replace(item, account_status="recalled"))] == [
        "account_not_open"
    ]


@pytest.mark.parametrize(
    ("state", "status", "sol_on", "needed"),
    [
        ("NY", "expired", None, True),
        ("NY", "unknown", None, True),
        ("NY", "", None, True),
        ("NY", "live", None, False),
        ("NY", "live", date(2026, 12, 1), True),
        ("NY", "live", date(2026, 12, 2), False),
        ("OH", "expired", None, False),
    ],
)
def test_where_the_age_of_a_debt_must_be_told_before_payment_sol_02(state, status, sol_on, needed):
    assert notice_needed(state, status, sol_on, today=date(2026, 12, 1)) is needed
