"""Every row of the return-code table, by name and id."""

import pytest

from payments.rules import attempts, returns
from payments.rules.returns import TABLE, code_of, is_change, of

# code: auto-retry, plan, method, rate, incident. Compliance section 4.
ROWS = {
    "R01": (True, "keep", "keep", "funds", ""),
    "R02": (False, "pause", "remove", "administrative", ""),
    "R03": (False, "pause", "remove", "administrative", ""),
    "R04": (False, "pause", "remove", "administrative", ""),
    "R05": (False, "cancel", "block", "unauthorized", "unauthorized_return"),
    "R06": (False, "hold", "keep", "", "bank_to_bank_return"),
    "R07": (False, "cancel", "revoke", "unauthorized", "authorization_revoked_at_bank"),
    "R08": (False, "pause", "lock", "", ""),
    "R09": (True, "keep", "keep", "funds", ""),
    "R10": (False, "cancel", "block", "unauthorized", "unauthorized_return"),
    "R11": (False, "pause", "keep", "error", "debit_not_per_terms"),
    "R12": (False, "pause", "update", "", ""),
    "R13": (False, "pause", "update", "", ""),
    "R14": (False, "cancel", "remove", "", "deceased_reported"),
    "R15": (False, "cancel", "remove", "", "deceased_reported"),
    "R16": (False, "pause", "remove", "", "account_frozen"),
    "R17": (False, "pause", "lock", "", "questionable_debit"),
    "R20": (False, "pause", "remove", "", ""),
    "R21": (False, "hold", "keep", "", "entry_rejected"),
    "R22": (False, "hold", "keep", "", "entry_rejected"),
    "R23": (False, "hold", "keep", "", "entry_rejected"),
    "R24": (False, "keep", "keep", "", "duplicate_debit"),
    "R25": (False, "hold", "keep", "", "entry_rejected"),
    "R26": (False, "hold", "keep", "", "entry_rejected"),
    "R27": (False, "hold", "keep", "", "entry_rejected"),
    "R28": (False, "hold", "keep", "", "entry_rejected"),
    "R29": (False, "cancel", "block", "unauthorized", "unauthorized_return"),
    "R31": (False, "hold", "keep", "", "bank_to_bank_return"),
    "R51": (False, "cancel", "block", "unauthorized", "unauthorized_return"),
    "C01": (False, "hold", "update", "", ""),
    "C02": (False, "hold", "update", "", ""),
    "C03": (False, "hold", "update", "", ""),
    "C04": (False, "hold", "update", "", ""),
    "C05": (False, "hold", "update", "", ""),
    "C06": (False, "hold", "update", "", ""),
    "C07": (False, "hold", "update", "", ""),
}


@pytest.mark.parametrize("code", ROWS)
def test_each_code_has_its_row_ach_09_ach_11_ach_12_ach_13(code):
    row = of(code)
    assert (row.retry, row.plan, row.method, row.rate, row.incident) == ROWS[code]
    assert row.meaning


def test_the_table_has_exactly_these_rows():
    assert set(TABLE) == set(ROWS)


@pytest.mark.parametrize("code", [f"R{number}" for number in range(61, 86)])
def test_what_banks_settle_between_them_is_held_for_operations(code):
    assert of(code)[2:5] == (False, "hold", "keep")
    assert of(code).incident == "bank_to_bank_return"


@pytest.mark.parametrize("code", ["R18", "R19", "R30", "R32", "R33", "R50", "X99"])
def test_a_code_without_a_row_is_held_and_looked_at(code):
    assert (of(code).plan, of(code).incident) == ("hold", "return_unknown")


def test_only_r01_and_r09_may_be_sent_again_ach_09():
    assert [code for code in TABLE if of(code).retry] == ["R01", "R09"]


def test_retrying_and_this_table_name_the_same_codes_ach_09():
    assert {code for code in TABLE if of(code).retry} == set(attempts.ACH_RETRY_CODES)


def test_the_unauthorized_set_is_the_one_of_the_network_ach_12():
    assert {code for code in TABLE if of(code).rate == "unauthorized"} == {"R05", "R07", "R10", "R29", "R51"}
    assert {code for code in TABLE if of(code).rate == "administrative"} == {"R02", "R03", "R04"}
    assert {code for code in TABLE if of(code).rate == "error"} == {"R11"}


@pytest.mark.parametrize("code", ["R02", "R03", "R04", "R07", "R08", "R12", "R13", "R16", "R20"])
def test_where_another_way_to_pay_helps_the_consumer_is_asked(code):
    assert of(code).ask


@pytest.mark.parametrize("code", ["R05", "R10", "R29", "R51", "R14", "R15", "R24"])
def test_what_cannot_wait_is_urgent(code):
    assert of(code).severity == "urgent"


@pytest.mark.parametrize(
    ("network", "word", "code"),
    [
        ("R08", "debit_not_authorized", "R08"),
        ("r01", "", "R01"),
        ("", "insufficient_funds", "R01"),
        ("", "account_closed", "R02"),
        ("", "no_account", "R03"),
        ("", "bank_account_invalid_details", "R04"),
        ("", "debit_not_authorized", "R10"),
        ("", "disputed", "R10"),
        ("", "bank_account_restricted", "R16"),
        ("", "R09", "R09"),
        ("", "generic_decline", ""),
        ("", "", ""),
    ],
)
def test_the_banks_own_code_goes_before_the_processors_word(network, word, code):
    assert code_of(network, word) == code


def test_a_notification_of_change_is_no_return_ach_13():
    assert [code for code in TABLE if is_change(code)] == [f"C0{number}" for number in range(1, 8)]
    assert not is_change("R01")
    assert not is_change("C99")


def test_a_host_that_gives_no_code_has_what_is_planned_held():
    assert returns.of("") == returns.Return("", "not said", plan="hold")
