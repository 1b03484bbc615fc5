"""What is compared with = is compared in one normal form, however a person or a host writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.keys import digits, email_key, name_key, reference_key, zip_key


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("ab-100 234", "AB100234"),
        ("  AB100234\n", "AB100234"),
        ("A/B.100_234", "AB100234"),
        ("ñ-1", "N1"),
        ("１２３", "123"),  # full-width, as some phones type
        ("x" * 80, "X" * 60),
        ("---", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_reference_is_its_letters_and_digits_in_capitals(written, key):
    assert reference_key(written) == key


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("O'Brien-Núñez Jr.", "OBRIENNUNEZ"),
        ("obrien nunez", "OBRIENNUNEZ"),
        ("O’BRIEN NUÑEZ, III", "OBRIENNUNEZ"),
        ("de la Cruz", "DELACRUZ"),
        ("Sr", "SR"),  # a name, not a suffix, when it stands alone
        ("Doe Jr Sr", "DOE"),
        ("Ivy", "IVY"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_last_name_is_its_letters_without_accents_and_suffixes(written, key):
    assert name_key(written) == key


@pytest.mark.parametrize(
    ("written", "kept"), [("(518) 555-0134", "5185550134"), ("900-99-1234", "900991234"), ("٣", ""), (None, "")]
)
def test_digits_are_the_ten_that_our_databases_know(written, kept):
    assert digits(written) == kept


@pytest.mark.parametrize(("written", "key"), [("12207-1234", "12207"), (" 12207 ", "12207"), ("122", "122"), ("", "")])
def test_a_zip_code_is_its_first_five_digits(written, key):
    assert zip_key(written) == key


def test_an_address_is_the_same_in_capitals_and_with_spaces_around():
    assert email_key(" Jane.Doe@Example.COM ") == "jane.doe@example.com"


@given(st.text(max_size=80))
def test_a_normal_form_is_its_own_normal_form(text):
    for form in (reference_key, name_key, zip_key, email_key):
        assert form(form(text)) == form(text)
