"""The default matrix of section 14: every status and every column, by its id."""

import pytest

from accounts import statuses
from accounts.models import Account
from accounts.services.identify import MAY_IDENTIFY
from accounts.statuses import COLUMNS, TABLE, may, of, those

# campaign, reminder, login, balance, new payment, scheduled charge, receipt
MATRIX = {
    ("open", ""): ("yes", "yes", "yes", "yes", "yes", "yes", "yes"),
    ("validation", ""): ("yes", "yes", "yes", "marked", "yes", "yes", "yes"),
    ("disputed", ""): ("no", "no", "yes", "marked", "direct", "hold", "yes"),
    ("cease", ""): ("no", "no", "yes", "yes", "yes", "hold", "yes"),
    ("attorney", ""): ("no", "no", "neutral", "no", "human", "hold", "yes"),
    ("bankruptcy", "STS-01 STS-02"): ("no", "no", "neutral", "no", "no", "cancel", "no"),
    ("deceased", "STS-03"): ("no", "no", "estate", "no", "human", "cancel", "no"),
    ("breathing", "UK"): ("no", "no", "yes", "marked", "direct", "hold", "yes"),
    ("recalled", "STS-06"): ("no", "no", "referral", "no", "no", "cancel", "yes"),
    ("closed", "STS-06"): ("no", "no", "referral", "no", "no", "cancel", "yes"),
    ("paid", ""): ("no", "no", "yes", "zero", "no", "cancel", "yes"),
    ("blocked", "STS-04 STS-05 STS-06"): ("no", "no", "neutral", "no", "human", "hold", "yes"),
    ("unmapped", "STS-06"): ("no", "no", "yes", "yes", "no", "hold", "yes"),
}
CELLS = [
    pytest.param(status, column, value, id=f"{status}-{column}{'-' + ids if ids else ''}")
    for (status, ids), row in MATRIX.items()
    for column, value in zip(COLUMNS, row, strict=True)
]


@pytest.mark.parametrize(("status", "column", "value"), CELLS)
def test_each_cell_of_the_matrix(status, column, value):
    assert getattr(of(status), column) == value
    assert may(status, column) == (value == "yes")


def test_every_status_an_account_can_have_has_its_row():
    assert {status for status, _ids in MATRIX} == set(TABLE)
    assert set(Account.Status.values) == set(TABLE) - {"validation", "breathing"}


def test_a_word_that_nobody_knows_lets_nothing_happen_sts_06():
    assert of("SOMETHING NEW") == of("unmapped")
    assert not may("SOMETHING NEW", "payment")


def test_whoever_may_log_in_is_whoever_the_table_lets_in():
    known = set(Account.Status.values)
    assert set(MAY_IDENTIFY) & known == set(those("login")) & known


def test_nothing_is_charged_by_schedule_but_on_an_open_account_sts_07():
    assert set(those("charge")) == {"open", "validation"}
    assert set(those("charge", statuses.CANCEL)) == {"bankruptcy", "deceased", "recalled", "closed", "paid"}
    assert set(those("charge", statuses.HOLD)) == {
        "disputed", "cease", "attorney", "breathing", "blocked", "unmapped"
    }  # fmt: skip
