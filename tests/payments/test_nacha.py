"""NACHA files: the golden file of ACH-17, and what is never written."""

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from payments.rules.nacha import CannotWrite, Entry, Origin, write

ORIGIN = Origin(
    bank_routing="021000021",
    bank_name="First Bank",
    origin_name="Acme Recovery LLC",
    company_name="Acme Recovery",
    company_id="1234567890",
)
MADE_AT = dt.datetime(2026, 12, 1, 10, 0, tzinfo=dt.UTC)
ON = dt.date(2026, 12, 2)
ENTRY = Entry(
    routing="110000000",
    number="000123456789",
    account_type="checking",
    amount_cents=125_00,
    reference="100234",
    name="Jane Doe",
    sec_code="WEB",
    effective_on=ON,
)
GOLDEN = Path(__file__).with_name("golden_nacha.txt")


def change(**values):
    return dataclasses.replace(ENTRY, **values)


ENTRIES = [
    ENTRY,
    change(amount_cents=50_01, account_type="savings", name="José Peña", recurring=True, number="4567"),
    change(amount_cents=75_00, retry=True, routing="011401533"),
    change(amount_cents=10_00, sec_code="PPD", note="Account 100234-000000000001"),
    change(amount_cents=20_00, effective_on=dt.date(2026, 12, 3), sec_code="TEL"),
]


def written(entries=ENTRIES, **more):
    return write(origin=ORIGIN, entries=entries, made_at=MADE_AT, **more).splitlines()


def test_the_file_is_the_golden_file_to_the_letter():
    assert write(origin=ORIGIN, entries=ENTRIES, made_at=MADE_AT) == GOLDEN.read_text()


def test_the_same_entries_in_another_order_of_groups_are_the_same_groups():
    headers = [line[50:69] for line in written(ENTRIES[::-1]) if line[0] == "5"]
    assert headers == [line[50:69] for line in written() if line[0] == "5"]


def test_every_record_has_94_characters_and_blocks_are_full():
    lines = written()
    assert {len(line) for line in lines} == {94}
    assert len(lines) % 10 == 0
    assert "".join(line[0] for line in lines).rstrip("9") == "1" + "5678" + "5668" + "568" + "568"
    assert all(set(line) == {"9"} for line in lines[-(len(lines) - 16) + 1 :])


@pytest.mark.parametrize("count", range(1, 15))
def test_blocks_are_full_for_any_number_of_entries(count):
    lines = written([ENTRY] * count)
    assert len(lines) % 10 == 0
    control = next(line for line in lines if line[0] == "9" and set(line) != {"9"})
    assert int(control[7:13]) == len(lines) // 10
    assert int(control[13:21]) == count
    assert int(control[31:43]) == count * 125_00


def test_the_entry_hash_keeps_ten_digits():
    entries = [change(routing="322271627")] * 400
    control = next(line for line in written(entries) if line[0] == "9")
    assert control[21:31] == f"{32227162 * 400 % 10**10:010d}" == "2890864800"


def test_the_files_hash_is_cut_too_not_only_each_batchs():
    entries = [change(routing="322271627", sec_code=code) for code in ("WEB", "PPD") for _ in range(200)]
    control = next(line for line in written(entries) if line[0] == "9")
    assert control[21:31] == "2890864800"


def test_controls_repeat_what_their_batch_holds():
    lines = written()
    controls = [line for line in lines if line[0] == "8"]
    assert [int(line[4:10]) for line in controls] == [2, 2, 1, 1]
    assert [int(line[20:32]) for line in controls] == [10_00, 175_01, 75_00, 20_00]


def test_a_retry_says_so_and_every_other_debit_is_a_payment():
    said = [line[53:63].strip() for line in written() if line[0] == "5"]
    assert said == ["PAYMENT", "PAYMENT", "RETRY PYMT", "PAYMENT"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"routing": "021000022"},
        {"routing": ""},
        {"number": "123"},
        {"number": "1" * 18},
        {"number": ""},
        {"account_type": "credit"},
        {"amount_cents": 0},
        {"amount_cents": 10**10},
        {"sec_code": "CCD"},
        {"sec_code": ""},
        {"sec_code": "TEL", "note": "x"},
    ],
)
def test_what_a_bank_would_refuse_is_not_written_and_no_number_is_repeated(wrong):
    bad = change(**wrong)
    with pytest.raises(CannotWrite, match="Entry 2") as refused:
        written([ENTRY, bad])
    assert not bad.number or bad.number not in str(refused.value)


def test_an_empty_file_is_not_written():
    with pytest.raises(CannotWrite):
        written([])


def test_a_wrong_number_of_the_own_bank_is_found():
    with pytest.raises(CannotWrite):
        write(origin=dataclasses.replace(ORIGIN, bank_routing="021000022"), entries=[ENTRY], made_at=MADE_AT)


def test_numbers_are_not_in_what_a_log_would_show():
    assert "000123456789" not in repr(ENTRY)
    assert "110000000" not in repr(ENTRY)
