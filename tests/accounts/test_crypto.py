"""Identity and bank data at rest (AUTH-10): sealed for one place, opened by every live key, found by keyed hash."""

import base64
import os

import pytest
from django.core.exceptions import FieldError
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from accounts.crypto import CannotOpen, blind_index, mask, same, seal, unseal
from accounts.models import Consumer
from accounts.tenancy import acting_for

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
PLACE = "accounts_consumer.ssn"


@given(text=st.text(min_size=1))
def test_what_is_sealed_opens_again_for_the_same_place(text):
    assert unseal(seal(text, context=PLACE), context=PLACE) == text


def test_the_first_key_seals_and_every_key_of_the_ring_opens(settings):
    settings.FIELD_KEYS = {1: OLD}
    before = seal("900991234", context=PLACE)
    settings.FIELD_KEYS = {2: NEW, 1: OLD}
    after = seal("900991234", context=PLACE)
    assert (before[:2], after[:2]) == ("1:", "2:")
    assert unseal(before, context=PLACE) == unseal(after, context=PLACE) == "900991234"


def test_a_value_of_a_key_that_left_the_ring_is_lost_and_says_so_without_its_text(settings):
    settings.FIELD_KEYS = {1: OLD}
    sealed = seal("900991234", context=PLACE)
    settings.FIELD_KEYS = {2: NEW}
    with pytest.raises(CannotOpen, match=r"^A sealed value of accounts_consumer.ssn cannot be opened\.$"):
        unseal(sealed, context=PLACE)


def test_another_key_under_the_same_version_opens_nothing(settings):
    settings.FIELD_KEYS = {1: OLD}
    sealed = seal("900991234", context=PLACE)
    settings.FIELD_KEYS = {1: NEW}
    with pytest.raises(CannotOpen):
        unseal(sealed, context=PLACE)


def test_a_sealed_value_copied_to_another_column_does_not_open():
    with pytest.raises(CannotOpen):
        unseal(seal("900991234", context=PLACE), context="payments_method.number")


def test_every_changed_byte_is_noticed():
    version, _sep, text = seal("900991234", context=PLACE).partition(":")
    raw = base64.b64decode(text)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(CannotOpen):
            unseal(f"{version}:{base64.b64encode(changed).decode()}", context=PLACE)


@pytest.mark.parametrize("rubbish", ["900991234", "", "1:", "1:not base64", "x:AAAA", f"1:{'A' * 8}", "99:AAAA"])
def test_what_was_never_sealed_is_refused(rubbish):
    with pytest.raises(CannotOpen):
        unseal(rubbish, context=PLACE)


def test_the_same_text_sealed_twice_looks_different():
    assert len({seal("900991234", context=PLACE) for _ in range(50)}) == 50


def test_a_blind_index_finds_the_same_value_of_one_agency_and_one_field_only(settings):
    settings.INDEX_KEY = bytes(32)
    own = blind_index("900991234", agency_id="a", field="ssn")
    assert own == blind_index("900991234", agency_id="a", field="ssn")
    assert len(own) == 64
    others = {
        blind_index("900991234", agency_id="b", field="ssn"),
        blind_index("900991234", agency_id="a", field="ssn4"),
        blind_index("900991235", agency_id="a", field="ssn"),
    }
    settings.INDEX_KEY = os.urandom(32)
    others.add(blind_index("900991234", agency_id="a", field="ssn"))
    assert len(others | {own}) == 5


def test_nothing_has_no_index_and_equals_nothing():
    assert blind_index("", agency_id="a", field="ssn") == ""
    assert not same("", "")
    assert not same("ab", "")
    assert not same("ab", "ac")
    assert same("ab", "ab")


def test_the_column_holds_no_readable_text_and_the_row_reads_as_written(account):
    with acting_for(account.agency_id), connection.cursor() as cursor:
        cursor.execute("SELECT ssn FROM accounts_consumer")
        (raw,) = cursor.fetchone()
        assert Consumer.objects.get().ssn == "900991234"
    assert "1234" not in raw
    assert unseal(raw, context=PLACE) == "900991234"


def test_an_empty_value_stays_empty_in_the_column(account):
    with acting_for(account.agency_id), connection.cursor() as cursor:
        Consumer.objects.update(ssn="")
        cursor.execute("SELECT ssn FROM accounts_consumer")
        assert cursor.fetchone() == ("",)


def test_many_rows_at_once_are_sealed_too(account):
    with acting_for(account.agency_id):
        consumer = Consumer.objects.get()
        consumer.dob = "1961-02-03"
        Consumer.objects.bulk_update([consumer], ["dob"])
        assert Consumer.objects.get().dob == "1961-02-03"
        with connection.cursor() as cursor:
            cursor.execute("SELECT dob FROM accounts_consumer")
            assert "1961" not in cursor.fetchone()[0]


@pytest.mark.parametrize("lookup", ["exact", "iexact", "in", "contains", "startswith", "gt", "regex"])
def test_nobody_filters_by_a_sealed_value(acting, lookup):
    value = ["900991234"] if lookup == "in" else "900991234"
    with pytest.raises(FieldError, match="Unsupported lookup"):
        Consumer.objects.filter(**{f"ssn__{lookup}": value})


@pytest.mark.parametrize(
    ("value", "shown"), [("123456789", "•••• 6789"), ("12", "•••• 12"), ("", "")], ids=["long", "short", "empty"]
)
def test_a_mask_shows_only_the_end(value, shown):
    assert mask(value) == shown
