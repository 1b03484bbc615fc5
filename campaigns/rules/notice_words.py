"""Notices that an agency words itself: what each must hold whatever else it says, and which fields it may name.

A block stands on a line of its own, as `{details}`, and is written by us; around it the agency's words. Without all of
its blocks no version is published, and where none is published our own file is sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from campaigns.rules.fields import FIELDS, Field
from campaigns.rules.markup import Block

BLOCK = re.compile(r"\{([a-z_]+)\}")
ALWAYS = ("first_name", "agency", "agency_phone", "agency_hours")
OWN = {
    "day": Field("text", True, "December 4, 2026"),
    "method": Field("text", True, "Visa ending 4242"),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """Say of a notice which blocks it must hold, each with the piece that writes it, why, and its own fields."""

    blocks: Mapping[str, str]
    rule: str
    fields: tuple[str, ...] = ()


NOTICES: Mapping[str, Notice] = {
    "receipt": Notice({"amount": "paid", "details": "details"}, "CARD-06"),
    "plan_confirmed": Notice(
        {"amount": "paid", "details": "details", "dates": "next_dates", "cancel": "cancel_dates"}, "EFT-02"
    ),
    "authorization_copy": Notice(
        {"amount": "agreed", "details": "details", "dates": "dates", "disputed": "disputed"}, "EFT-02"
    ),
    "predebit": Notice(
        {"amount": "due", "details": "details", "cancel": "cancel_payment"}, "PDC-01", ("day", "method")
    ),
    "payment_failed": Notice(
        {"outcome": "outcome", "amount": "not_paid", "details": "details", "choices": "choices"}, "CARD-06", ("day",)
    ),
    "code": Notice({"digits": "digits", "warning": "code_warning"}, "AUTH-07"),
}


def fields_of(kind: str) -> Mapping[str, Field]:
    """Give the fields that a template of a kind may name: a notice's own, else a campaign's."""
    if kind not in NOTICES:
        return FIELDS
    return {name: FIELDS[name] for name in ALWAYS} | {name: OWN[name] for name in NOTICES[kind].fields}


def block_of(kind: str, block: Block) -> str:
    """Give the piece that a block of the body stands for; empty where it is words."""
    found = BLOCK.fullmatch(block.lines[0]) if block.kind == "text" and len(block.lines) == 1 else None
    return NOTICES[kind].blocks.get(found[1], "") if found else ""


def missing(kind: str, blocks: tuple[Block, ...]) -> list[str]:
    """List the blocks that a notice must hold and a body does not, each on a line of its own."""
    there = {block_of(kind, block) for block in blocks}
    return [name for name, piece in NOTICES[kind].blocks.items() if piece not in there]
