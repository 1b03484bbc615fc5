from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.money import InvalidAmount, format_cents, from_cents, pro_rata, share, split_evenly, to_cents


@pytest.mark.parametrize(
    ("amount", "cents"),
    [
        ("1000.00", 1_000_00),
        ("1000.5", 1_000_50),
        ("1000", 1_000_00),
        ("0.07", 7),
        ("-12.30", -12_30),
        (Decimal("750.01"), 750_01),
        (Decimal("8"), 8_00),
        ("9999999999.99", 9_999_999_999_99),
    ],
)
def test_an_amount_is_read_to_the_cent(amount, cents):
    assert to_cents(amount) == cents


@pytest.mark.parametrize(
    "amount",
    [
        "1.005",
        "1.000",
        Decimal("0.001"),
        "1e3",
        "1E+3",
        Decimal("1E+3"),
        "NaN",
        Decimal("NaN"),
        Decimal("sNaN"),
        "Infinity",
        Decimal("-Infinity"),
        "",
        ".",
        ".50",
        "5.",
        "+5",
        "--5",
        " 5",
        "5\n",
        "1,250.00",
        "$5",
        "0x10",
        "1_000",
        "٣",
        "10000000000",
        12.5,
        12,
        True,
        None,
    ],
)
def test_what_is_not_plainly_an_amount_is_refused(amount):
    with pytest.raises(InvalidAmount):
        to_cents(amount)


@given(st.integers(min_value=-9_999_999_999_99, max_value=9_999_999_999_99))
def test_cents_survive_the_way_to_a_form_and_back(cents):
    assert to_cents(from_cents(cents)) == cents
    assert to_cents(str(from_cents(cents))) == cents


def test_a_decimal_always_shows_both_decimals():
    assert str(from_cents(1_250_00)) == "1250.00"
    assert str(from_cents(-5)) == "-0.05"


@pytest.mark.parametrize("language", ["en", "es", "es-us", "es-US", "en-us"])
def test_dollars_read_alike_in_english_and_in_the_spanish_of_the_united_states_lang_03(language):
    assert format_cents(1_250_00, "USD", language) == "$1,250.00"
    assert format_cents(7, "USD", language) == "$0.07"
    assert format_cents(-12_30, "USD", language) == "-$12.30"
    assert format_cents(1_234_567_89, "USD", language) == "$1,234,567.89"


def test_other_currencies_show_their_sign_or_their_code():
    assert format_cents(5_00, "GBP") == "£5.00"
    assert format_cents(5_00, "usd") == "$5.00"
    assert format_cents(5_00, "CAD") == "CAD\N{NO-BREAK SPACE}5.00"


def test_an_unknown_language_is_not_guessed():
    with pytest.raises(ValueError, match="fr"):
        format_cents(5_00, "USD", "fr")


@pytest.mark.parametrize(
    ("balance", "bps", "cents"),
    [
        (1_000_00, 7_500, 750_00),  # SET-1
        (1_000_01, 7_500, 750_01),  # SET-2: 750.0075
        (1, 5_000, 1),  # half a cent goes up
        (1, 4_999, 0),
        (999_999_999_00, 10_000, 999_999_999_00),
        (0, 7_500, 0),
    ],
)
def test_a_share_is_rounded_half_up_once_set_1_set_2(balance, bps, cents):
    assert share(balance, bps) == cents


def test_the_last_payment_carries_the_remainder_set_2():
    assert split_evenly(750_01, 6) == (125_00, 125_00, 125_00, 125_00, 125_00, 125_01)
    assert split_evenly(750_00, 6) == (125_00,) * 6
    assert split_evenly(100_00, 3) == (33_33, 33_33, 33_34)
    assert split_evenly(5, 1) == (5,)


@given(st.integers(0, 10**12), st.integers(1, 520))
def test_an_even_split_is_exact_and_only_the_last_payment_differs(total, parts):
    payments = split_evenly(total, parts)
    assert sum(payments) == total
    assert len(payments) == parts
    assert set(payments[:-1]) <= {total // parts}
    assert 0 <= payments[-1] - total // parts < parts


def test_available_money_is_shared_by_balance_rounded_down_pr_1():
    assert pro_rata(160_00, (4_550_00, 6_700_00, 1_200_00)) == (58_47, 86_10, 15_42)


def test_each_share_is_rounded_down_even_where_half_up_would_use_the_last_cent_pr_2():
    # Sources that round half-up print 25.87 and 10.35; the rule is down, the leftover stays (UK-11).
    assert pro_rata(100_00, (500_00, 1_000_00, 233_00, 200_00)) == (25_86, 51_73, 12_05, 10_34)


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**9), max_size=12))
def test_pro_rata_never_gives_more_than_is_available_or_owed(available, balances):
    shares = pro_rata(available, balances)
    assert sum(shares) <= min(available, sum(balances))
    assert all(given <= owed for given, owed in zip(shares, balances, strict=True))
    assert min(available, sum(balances)) - sum(shares) <= len(balances)
