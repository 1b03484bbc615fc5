import pytest

from payments.rules.bank import check_bank_account, last4, mask, routing_number_is_valid, typed_digits


@pytest.mark.parametrize("routing", ["021000021", "110000000", "011401533", "322271627"])
def test_a_real_routing_number_passes_its_check_digit_ach_17(routing):
    assert routing_number_is_valid(routing)


@pytest.mark.parametrize(
    "routing", ["021000022", "021000012", "000000000", "", "02100002", "0210000210", "02100002a", "٠٢١٠٠٠٠٢١"]
)
def test_a_mistyped_routing_number_fails_ach_17(routing):
    assert not routing_number_is_valid(routing)


def test_every_single_wrong_digit_is_found_ach_17():
    good = "021000021"
    for place in range(9):
        for digit in "0123456789":
            typed = good[:place] + digit + good[place + 1 :]
            assert routing_number_is_valid(typed) is (typed == good)


def test_a_prefix_that_was_never_given_out_is_refused():
    # The check digit of 130000006 is right; no district is 13.
    assert not routing_number_is_valid("130000006")


def test_a_plausible_account_is_accepted():
    assert check_bank_account("110000000", "000123456789", "checking") == []
    assert check_bank_account("021000021", "1234", "savings") == []


def test_all_that_is_wrong_is_said_at_once_and_no_number_is_repeated():
    refusals = check_bank_account("021000022", "12 34567890123456789", "gold")
    assert [(refusal.code, refusal.field) for refusal in refusals] == [
        ("routing_number_check_digit", "routing"),
        ("account_number_shape", "number"),
        ("account_type_unknown", "account_type"),
    ]
    assert all("021000022" not in repr(refusal) and "1234" not in repr(refusal) for refusal in refusals)
    assert [refusal.code for refusal in check_bank_account("12", "", "checking")] == [
        "routing_number_shape",
        "account_number_shape",
    ]


def test_the_routing_number_typed_twice_is_found():
    refusals = check_bank_account("021000021", "021000021", "checking")
    assert [refusal.code for refusal in refusals] == ["account_number_is_routing_number"]


@pytest.mark.parametrize("number", ["123", "123456789012345678", "12345a", "1234 5678", "-1234", "١٢٣٤"])
def test_an_account_number_has_4_to_17_plain_digits(number):
    assert [refusal.code for refusal in check_bank_account("110000000", number, "checking")] == ["account_number_shape"]


def test_people_may_type_spaces_and_dashes():
    assert typed_digits(" 0210-0002 1 ") == "021000021"
    assert typed_digits("12a") == "12a"


def test_a_number_is_shown_by_its_last_four_only_ach_04():
    assert mask("000123456789") == "•••• 6789"
    assert mask("123456789012345678") == "•••• 5678"
    assert last4("000123456789") == "6789"
