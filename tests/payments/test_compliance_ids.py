"""Every rule about debits, cards, post-dates, plans, statuses and days by its id: named in the code that fulfils
it, and in a test. What no other test tells is told here.
"""

import dataclasses
import datetime as dt
import re
from functools import cache
from pathlib import Path

import pytest
from django.db import InternalError, transaction

from payments.models import Authorization, Method
from payments.rules import nacha
from payments.rules.authorization import text_sha256
from payments.rules.fees import Basis, Case, fee
from payments.rules.nacha import CannotWrite
from payments.services.authorize import authorize
from tests.conftest import NOW
from tests.payments.test_nacha import ENTRY, MADE_AT, change, written

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "campaigns", "integrations", "payments", "portal", "settlements")
IDS = [
    *(f"EFT-{number:02d}" for number in range(1, 8)),
    *(f"PDC-{number:02d}" for number in range(1, 8)),
    *(f"ACH-{number:02d}" for number in range(1, 20)),
    *(f"CARD-{number:02d}" for number in range(1, 14)),
    *(f"STS-{number:02d}" for number in range(1, 8)),
    *(f"CAL-{number:02d}" for number in range(1, 8)),
    *(f"ST-{number:02d}" for number in range(1, 5)),
    *("ST-09", "SOL-05", "LANG-04", "RF-26", "RF-27", "AUTH-10", "AUTH-11", "AUTH-16", "EVT-02", "EVT-03"),
    *("PCI-01", "PCI-04", "A11Y-09", "A11Y-11", "A11Y-14", "A11Y-16"),
]
THREATS = re.compile(
    r"\b(prosecut\w*|criminal\w*|arrest\w*|jail\w*|prison|warrant|felony|sheriff|"
    r"procesad\w+ penal\w*|delito\w*|c[áa]rcel|prisi[óo]n|arrestad\w*|polic[íi]a)\b",
    re.IGNORECASE,
)


@cache
def text_of(folder: str) -> str:
    """Read the sources of one app, or the tests."""
    return "\n".join(
        path.read_text() for path in sorted((ROOT / folder).rglob("*.py")) if "simulation" not in path.parts
    )


@pytest.mark.parametrize("rule", IDS)
def test_each_rule_is_named_where_it_is_fulfilled_and_where_it_is_tested(rule):
    in_code = [app for app in APPS if rule in text_of(app)]
    told = text_of("tests").replace("_", "-").upper()
    assert in_code, f"{rule} is in no app"
    # The list above says each id in parts, so this file alone proves nothing.
    assert rule in told, f"{rule} is in no test"


def signed(account, kind="ach") -> Authorization:
    method = Method.objects.create(consumer_id=account.consumer_id, kind=kind, last4="6789", created_at=NOW)
    text = "I agree."
    return authorize(
        account=account,
        method=method,
        lines=[(dt.date(2026, 12, 15), 125_00)],
        text=(text, text_sha256(text), "test"),
        language="en",
        ip=None,
        evidence={},
        now=NOW,
    )


def test_what_is_signed_here_is_web_and_never_by_telephone_ach_01_ach_07(acting, account):
    assert (signed(account).sec_code, signed(account, "card").sec_code) == ("WEB", "")


def test_what_was_signed_cannot_be_deleted_by_anybody_eft_07(acting, account):
    row = signed(account)
    with pytest.raises(InternalError), transaction.atomic():
        Authorization.objects.filter(pk=row.pk).delete()
    assert Authorization.objects.filter(pk=row.pk).exists()


def test_a_debit_that_came_back_costs_no_fee_whatever_an_agency_writes_down_ach_10():
    basis = Basis(
        kind="return_fee",
        basis_id="contract 4.2",
        document="contract.pdf",
        approved_by="counsel",
        states=frozenset({"NY"}),
        methods=frozenset({"ach"}),
        flat_cents=25_00,
    )
    got = fee(basis, Case(amount_cents=125_00, method="ach", residence_state="NY", contract_state="NY"))
    assert (got.cents, "unknown_kind" in got.reasons) == (0, True)


def test_more_than_a_million_dollars_is_never_sent_for_the_day_of_the_file_ach_15():
    today, largest = MADE_AT.date(), nacha.SAME_DAY_LARGEST_CENTS
    assert written([change(amount_cents=largest, effective_on=today)])
    assert written([change(amount_cents=largest + 1)]), "the next day takes it"
    with pytest.raises(CannotWrite, match="too large for the day"):
        written([change(amount_cents=largest + 1, effective_on=today)])


@pytest.mark.parametrize("word", ["PURCHASE", "PAYROLL", "REVERSAL", "RETURN FEE"])
def test_no_entry_is_called_what_means_something_else_at_the_banks_ach_10_ach_16_ach_18(word):
    assert word not in nacha.DESCRIPTIONS
    descriptions = {dataclasses.replace(ENTRY, retry=retry).description for retry in (False, True)}
    assert descriptions == {"PAYMENT", "RETRY PYMT"}
    batches = [line for line in written() if line[0] == "5"]
    assert {line[1:4] for line in batches} == {"225"}, "debits only: what is given back is no entry of ours"
    assert not any(word in line for line in batches)


@pytest.mark.parametrize("folder", ["templates", "locale", "campaigns", "payments"])
def test_no_word_of_ours_threatens_with_prosecution_pdc_03(folder):
    kinds = {"templates": ("*.html", "*.txt"), "locale": ("*.po",)}.get(folder, ("*.html", "*.txt", "*.po", "*.py"))
    found = {
        f"{path.relative_to(ROOT)}: {hit[0]}"
        for kind in kinds
        for path in (ROOT / folder).rglob(kind)
        for hit in THREATS.finditer(path.read_text())
        if "(PDC-03)" not in path.read_text().splitlines()[path.read_text()[: hit.start()].count("\n")]
    }
    assert found == set()
