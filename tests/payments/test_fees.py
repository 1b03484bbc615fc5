"""Fees are zero unless law, state, network and contract all allow (FEE-01 to FEE-05, CARD-10, CARD-11, RF-24)."""

import dataclasses
import itertools

import pytest

from payments.rules.fees import CONVENIENCE, STATES, SURCHARGE, Basis, Case, Fee, StateRule, fee
from payments.services import fees
from tests.payments.conftest import MASTERCARD

BASIS = Basis(
    kind=SURCHARGE,
    basis_id="clause 7.2",
    document="agreement.pdf",
    approved_by="staff:1",
    states=frozenset({"NY", "CO", "MA", "CA", "ME", "TX", ""}),
    methods=frozenset({"card", "ach"}),
    rate_bps=250,
    cost_bps=290,
    notice_given=True,
)
CASE = Case(amount_cents=125_00, method="card", funding="credit", residence_state="NY", contract_state="NY")
SOMEWHERE = {("XX", CONVENIENCE): StateRule(True, None, "test"), ("XX", SURCHARGE): StateRule(True, None, "test")}
FLAT = Basis(
    kind=CONVENIENCE,
    basis_id="clause 7.3",
    document="agreement.pdf",
    approved_by="staff:1",
    states=frozenset({"XX"}),
    methods=frozenset({"card", "ach"}),
    flat_cents=2_50,
    alternate_channel=True,
    card_absent_only=False,
)
ELSEWHERE = dataclasses.replace(CASE, residence_state="XX", contract_state="XX")


def ask(basis=None, **changed):
    """Change the case that passes by one thing."""
    of_case = {field.name for field in dataclasses.fields(Case)}
    case = dataclasses.replace(CASE, **{name: value for name, value in changed.items() if name in of_case})
    mine = {name: value for name, value in changed.items() if name not in of_case}
    return fee(dataclasses.replace(BASIS, **mine), case)


ROWS = {
    "FEE-04 all four allow": ({}, Fee(3_12)),
    "RF-24 no legal basis": ({"basis_id": ""}, Fee(0, ("no_basis",))),
    "RF-24 no document": ({"document": " "}, Fee(0, ("no_document",))),
    "RF-24 nobody approved": ({"approved_by": ""}, Fee(0, ("not_approved",))),
    "FEE-02 MA bars": ({"residence_state": "MA", "contract_state": "MA"}, Fee(0, ("state_forbids",))),
    "FEE-02 CA bars": ({"residence_state": "CA", "contract_state": "CA"}, Fee(0, ("state_forbids",))),
    "FEE-02 ME bars": ({"residence_state": "ME", "contract_state": "ME"}, Fee(0, ("state_forbids",))),
    "FEE-02 unknown state": ({"residence_state": "TX", "contract_state": "TX"}, Fee(0, ("state_unknown",))),
    "FEE-02 state missing": ({"residence_state": "", "contract_state": ""}, Fee(0, ("state_unknown",))),
    "FEE-03 residence forbids": ({"residence_state": "MA"}, Fee(0, ("state_forbids",))),
    "FEE-03 contract's state forbids": ({"contract_state": "MA"}, Fee(0, ("state_forbids",))),
    "FEE-02 CO caps at 2 %": ({"residence_state": "CO"}, Fee(2_50)),
    "CARD-10 debit": ({"funding": "debit"}, Fee(0, ("only_credit_cards",))),
    "CARD-10 prepaid": ({"funding": "prepaid"}, Fee(0, ("only_credit_cards",))),
    "CARD-10 funding unknown": ({"funding": ""}, Fee(0, ("only_credit_cards",))),
    "CARD-10 bank account": ({"method": "ach", "funding": ""}, Fee(0, ("only_credit_cards",))),
    "CARD-10 networks not told": ({"notice_given": False}, Fee(0, ("networks_not_told",))),
    "CARD-10 never above cost": ({"cost_bps": 100}, Fee(1_25)),
    "CARD-10 Visa's cap of 3 %": ({"rate_bps": 900, "cost_bps": 900}, Fee(3_75)),
    "CARD-10 cost unknown": ({"cost_bps": 0}, Fee(0)),
    "CARD-10 a rate, not an amount": ({"flat_cents": 1}, Fee(0, ("surcharge_is_a_rate",))),
    "contract: other methods": ({"methods": frozenset({"ach"})}, Fee(0, ("method_not_in_contract",))),
    "contract: other states": ({"states": frozenset({"CO"})}, Fee(0, ("state_not_in_contract",))),
    "an unknown kind": ({"kind": "tip"}, Fee(0, ("unknown_kind", "state_unknown"))),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_surcharge_by_id(row):
    changed, expected = ROWS[row]
    found = ask(**changed)
    if row == "an unknown kind":
        assert found.cents == 0
        assert set(expected.reasons) <= set(found.reasons)
    else:
        assert found == expected


def test_no_row_means_no_fee():
    assert fee(None, CASE) == Fee(0, ("no_basis",))


@pytest.mark.parametrize("gates", list(itertools.product([True, False], repeat=4)))
def test_law_and_state_and_network_and_contract_are_all_needed(gates):
    """FEE-04: the sixteen rows."""
    law, state, network, contract = gates
    found = ask(
        basis_id="clause 7.2" if law else "",
        residence_state="NY" if state else "MA",
        funding="credit" if network else "debit",
        methods=frozenset({"card"}) if contract else frozenset(),
    )
    assert found.cents == (3_12 if all(gates) else 0)
    assert len(found.reasons) == gates.count(False)


FLAT_ROWS = {
    "CARD-11 all hold": ({}, {}, Fee(2_50)),
    "CARD-11 instalment": ({}, {"recurring": True}, Fee(0, ("not_on_plans",))),
    "CARD-11 no other channel": ({"alternate_channel": False}, {}, Fee(0, ("no_other_channel",))),
    "CARD-11 web-only agency": ({"card_absent_only": True}, {}, Fee(0, ("web_only_merchant",))),
    "CARD-11 not flat": ({"rate_bps": 1}, {}, Fee(0, ("convenience_is_flat",))),
    "CARD-11 all methods of the channel": ({}, {"method": "ach", "funding": ""}, Fee(2_50)),
    "FEE-03 CO": ({"states": frozenset({"XX", "CO"})}, {"residence_state": "CO"}, Fee(0, ("state_unknown",))),
}


@pytest.mark.parametrize("row", FLAT_ROWS)
def test_a_convenience_fee_by_id(row):
    basis, case, expected = FLAT_ROWS[row]
    found = fee(dataclasses.replace(FLAT, **basis), dataclasses.replace(ELSEWHERE, **case), states=SOMEWHERE)
    assert found == expected


def test_colorado_forbids_convenience_fees_by_name():
    basis = dataclasses.replace(FLAT, states=frozenset({"CO"}))
    found = fee(basis, dataclasses.replace(CASE, residence_state="CO", contract_state="CO"))
    assert found == Fee(0, ("state_forbids",))


def test_today_no_state_at_all_is_known_to_allow_a_convenience_fee():
    assert [state for (state, kind), rule in STATES.items() if kind == CONVENIENCE and rule.allowed] == []


def test_every_state_row_names_its_source():
    assert {rule.source[:4] for rule in STATES.values()} == {"FEE-"}


def test_an_account_pays_its_amount_and_nothing_more(shop):
    said = fees.fee_of(shop.account, amount_cents=125_00, method="card", funding="credit", recurring=False)
    assert said == Fee(0, ("no_basis",))
    shop.confirm(shop.checkout(card=MASTERCARD))
    assert [one["amount"] for one in shop.charged()] == [125_00]


def test_with_a_basis_the_resolver_still_decides(shop, monkeypatch):
    monkeypatch.setattr(fees, "basis_of", lambda account: BASIS)
    about = {"amount_cents": 125_00, "method": "card", "recurring": False}
    assert fees.fee_of(shop.account, funding="credit", **about) == Fee(3_12)
    assert fees.fee_of(shop.account, funding="debit", **about).cents == 0
    assert fees.fee_of(shop.account, funding="credit", contract_state="MA", **about).cents == 0
