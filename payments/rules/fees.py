"""Whether a fee may be added to a payment: law and state and network and contract, all four; else nothing (FEE-04).

The principle is zero (RF-24, FEE-01): a fee exists only where a row names its legal basis, and whatever is unknown is
a no. Values in, values out; the states are in `STATES`, each with where its row comes from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

SURCHARGE, CONVENIENCE = "surcharge", "convenience"
KINDS = (SURCHARGE, CONVENIENCE)
"""A fee for a debit that came back is none of them: it is never asked for (ACH-10)."""
VISA_CAP_BPS = 300
"""Visa's cap on a surcharge of credit cards; never more than what the card costs (CARD-10)."""


class StateRule(NamedTuple):
    """Say whether a state lets a collector add this kind of fee, at most how much of the payment, and who says so."""

    allowed: bool
    cap_bps: int | None
    source: str


STATES: Mapping[tuple[str, str], StateRule] = {
    **{
        (state, SURCHARGE): StateRule(False, None, "FEE-02: barred for credit cards (network's list, state law)")
        for state in ("CT", "MA", "ME", "PR")
    },
    ("CA", SURCHARGE): StateRule(False, None, "FEE-02: all-in price law of 1 July 2024"),
    ("OK", SURCHARGE): StateRule(False, None, "FEE-02: sources disagree"),
    ("CO", SURCHARGE): StateRule(True, 200, "FEE-02: 2 % or cost"),
    **{(state, SURCHARGE): StateRule(True, None, "FEE-02: at most cost") for state in ("NY", "NJ", "NV", "SD")},
    ("CO", CONVENIENCE): StateRule(False, None, "FEE-03: only if contract or law expressly allows"),
}
"""What is known of the states. A state that is not here is not allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Hold one fee that an agency wrote down with everything that RF-24 asks for.

    `basis_id` names the law or the clause that expressly allows it; `document` what shows it; `approved_by` the
    person who answers for it. `states` and `methods` are where it may be used; `cost_bps` is what the card costs the
    agency. `alternate_channel`: another way to pay without the fee really exists.
    """

    kind: str
    basis_id: str = ""
    document: str = ""
    approved_by: str = ""
    states: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    flat_cents: int = 0
    rate_bps: int = 0
    cost_bps: int = 0
    notice_given: bool = False
    alternate_channel: bool = False
    card_absent_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hold one payment: the method and the card's funding as the server saw it, and both states that must pass."""

    amount_cents: int
    method: str
    funding: str = ""
    residence_state: str = ""
    contract_state: str = ""
    recurring: bool = False


@dataclass(frozen=True, slots=True)
class Fee:
    """Hold the fee in cents, and the code of every reason why there is none."""

    cents: int
    reasons: tuple[str, ...] = ()


def fee(basis: Basis | None, case: Case, *, states: Mapping[tuple[str, str], StateRule] = STATES) -> Fee:
    """Resolve the fee of a payment: zero with every reason, or what all four allow, rounded down to the cent."""
    if basis is None:
        return Fee(0, ("no_basis",))
    reasons = [*_law(basis), *_contract(basis, case), *_state(basis, case, states), *_network(basis, case)]
    if reasons:
        return Fee(0, tuple(dict.fromkeys(reasons)))
    if basis.kind == CONVENIENCE:
        return Fee(basis.flat_cents)
    caps = [rule.cap_bps for rule in _rules(basis, case, states) if rule is not None and rule.cap_bps is not None]
    rate = min(basis.rate_bps, basis.cost_bps, VISA_CAP_BPS, *caps)
    return Fee(case.amount_cents * rate // 10_000)


def _law(basis: Basis) -> Sequence[str]:
    """FEE-01, RF-24: the agreement or a law expressly allows it, shown by a document, and a person approved it."""
    missing = (
        ("no_basis", basis.basis_id),
        ("no_document", basis.document),
        ("not_approved", basis.approved_by),
    )
    return [code for code, said in missing if not said.strip()] + ([] if basis.kind in KINDS else ["unknown_kind"])


def _contract(basis: Basis, case: Case) -> Sequence[str]:
    """Only where the agency's row says: its own states and methods."""
    reasons = [] if case.method in basis.methods else ["method_not_in_contract"]
    if not {case.residence_state, case.contract_state} <= basis.states:
        reasons.append("state_not_in_contract")
    return reasons


def _state(basis: Basis, case: Case, states: Mapping[tuple[str, str], StateRule]) -> Sequence[str]:
    """FEE-02, FEE-03: the state of residence and that of the contract both allow; an unknown one does not."""
    rules = _rules(basis, case, states)
    if None in rules:
        return ["state_unknown"]
    return [] if all(rule.allowed for rule in rules if rule is not None) else ["state_forbids"]


def _rules(basis: Basis, case: Case, states: Mapping[tuple[str, str], StateRule]) -> list[StateRule | None]:
    return [states.get((state, basis.kind)) for state in (case.residence_state, case.contract_state)]


def _network(basis: Basis, case: Case) -> Sequence[str]:
    """CARD-10: credit cards only, after notice. CARD-11: flat, once, with a real other channel, not web-only."""
    if basis.kind == SURCHARGE:
        reasons = [] if case.method == "card" and case.funding == "credit" else ["only_credit_cards"]
        if not basis.notice_given:
            reasons.append("networks_not_told")
        return reasons + (["surcharge_is_a_rate"] if basis.flat_cents else [])
    found = (
        ("not_on_plans", case.recurring),
        ("no_other_channel", not basis.alternate_channel),
        ("web_only_merchant", basis.card_absent_only),
        ("convenience_is_flat", basis.rate_bps != 0),
    )
    return [code for code, wrong in found if wrong]
