"""Make the papers a consumer keeps: authorization copies, receipts and the sample of the E-SIGN test.

In English or Spanish, from values only; accounts/paper.py says how they are made.
"""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from accounts import paper
from accounts.calendars import format_date
from accounts.money import format_cents

from .words import WORDS

BODY = Path(__file__).with_name("paper.typ").read_bytes()
TABLE = ("schedule", "number", "date", "amount", "total")
LIMIT_LINES = 600  # Payments of one schedule: weekly for more than eleven years.


@dataclass(frozen=True, kw_only=True)
class Agency:
    """Say who the paper is from; `licences` are ready sentences, one a line."""

    name: str
    legal_name: str
    address: str
    phone: str
    licences: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ScheduleLine:
    on: date
    cents: int


@dataclass(frozen=True, kw_only=True)
class AuthorizationCopy:
    """Hold what the consumer agreed to, word for word, and the evidence (EFT-01, EFT-02, ACH-05, CARD-05).

    `accepted_at` is aware and in the consumer's zone. `how_to_cancel` gets a heading of its own where given.
    `exempt_income_notice` adds New York's list (ST-02), `english` says the same text once more (LANG-04).
    """

    agency: Agency
    consumer_name: str
    account_reference: str
    original_creditor: str
    description: str
    text: str
    schedule: tuple[ScheduleLine, ...]
    method: str
    accepted_at: datetime
    browser_address: str
    text_sha256: str
    language: str
    how_to_cancel: str = ""
    currency: str = "USD"
    exempt_income_notice: bool = False
    english: str = ""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Hold one payment; `cleared` is false while a bank still can return it.

    `paid_at` is aware and in the consumer's zone. A balance is printed only where one is given.
    """

    agency: Agency
    number: str
    consumer_name: str
    account_reference: str
    original_creditor: str
    description: str
    amount_cents: int
    method: str
    paid_at: datetime
    language: str
    cleared: bool = True
    balance_after_cents: int | None = None
    currency: str = "USD"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Hold what was paid after `since` up to `until`; `kind` is `accounting` (ST-03) or `satisfaction` (ST-04)."""

    agency: Agency
    kind: str
    consumer_name: str
    account_reference: str
    original_creditor: str
    description: str
    since: date
    until: date
    payments: tuple[ScheduleLine, ...]
    balance_cents: int
    made_at: datetime
    language: str
    currency: str = "USD"


def authorization_pdf(*, copy: AuthorizationCopy) -> bytes:
    """Make the copy of an authorization that the consumer keeps.

    :raises ValueError: the language is unknown, a time has no zone, or a text or the schedule is too long.
    """
    assert copy.schedule, "an authorization has at least one payment"
    if len(copy.schedule) > LIMIT_LINES:
        raise ValueError(f"A schedule has at most {LIMIT_LINES} payments.")
    words, code = _words(copy.language)
    total = format_cents(sum(line.cents for line in copy.schedule), copy.currency, code)
    several = len(copy.schedule) > 1
    first, last = copy.schedule[0].on, copy.schedule[-1].on
    when = [format_date(first, code)] if not several else [format_date(first, code), format_date(last, code)]
    facts = [
        (words["consumer"], copy.consumer_name),
        *_account_facts(copy, words),
        (words["method"], copy.method),
    ]
    evidence = [
        (words["accepted"], paper.moment(copy.accepted_at, code, exact=True)),
        (words["name"], copy.consumer_name),
        (words["address"], copy.browser_address),
        (words["hash"], copy.text_sha256),
    ]
    return _compile(
        code,
        copy.accepted_at,
        {
            "kind": "authorization",
            "agency": _agency(copy.agency),
            "title": words["plan_title" if several else "single_title"],
            "lead": words["authorization_lead"],
            "figure": total,
            "figure_note": (words["several_note"] if several else words["single_note"]).format(
                *when, count=len(copy.schedule)
            ),
            "facts": _filled(facts),
            "schedule": _table(copy.schedule, copy.currency, code),
            "schedule_words": [words[key] for key in TABLE],
            "total": total,
            "sections": [
                (words["text"], _paragraphs(copy.text), code),
                *([(words["cancel"], _paragraphs(copy.how_to_cancel), code)] if copy.how_to_cancel else []),
                *([(WORDS["en"]["english"], _paragraphs(copy.english), "en")] if copy.english else []),
            ],
            "evidence_title": words["evidence"],
            "evidence": _filled(evidence),
            "notice": [words["exempt_title"], words["exempt_lead"], words["exempt_list"]]
            if copy.exempt_income_notice
            else [],
            "close": [words["keep"], words["collector"]],
        },
    )


def receipt_pdf(*, receipt: Receipt) -> bytes:
    """Make the receipt of one payment.

    :raises ValueError: the language is unknown, a time has no zone, or a text is too long.
    """
    words, code = _words(receipt.language)
    facts = [
        (words["receipt_number"], receipt.number),
        (words["paid_at"], paper.moment(receipt.paid_at, code)),
        (words["method"], receipt.method),
        (words["consumer"], receipt.consumer_name),
        *_account_facts(receipt, words),
    ]
    if receipt.balance_after_cents is not None:
        balance = format_cents(receipt.balance_after_cents, receipt.currency, code)
        facts.append((words["balance_after"], balance))
    return _compile(
        code,
        receipt.paid_at,
        {
            "kind": "receipt",
            "agency": _agency(receipt.agency),
            "title": words["receipt_title"],
            "lead": words["receipt_lead" if receipt.cleared else "processing_lead"],
            "figure": format_cents(receipt.amount_cents, receipt.currency, code),
            "figure_note": words["paid" if receipt.cleared else "processing"],
            "facts": _filled(facts),
            "close": [words["keep"], words["collector"]],
        },
    )


def statement_pdf(*, statement: Statement) -> bytes:
    """Make the accounting of a plan, or the letter that nothing is owed any more.

    :raises ValueError: the language is unknown, a time has no zone, or there are too many payments.
    """
    if len(statement.payments) > LIMIT_LINES:
        raise ValueError(f"A statement has at most {LIMIT_LINES} payments.")
    words, code = _words(statement.language)
    total = format_cents(sum(line.cents for line in statement.payments), statement.currency, code)
    facts = [(words["consumer"], statement.consumer_name), *_account_facts(statement, words)]
    if statement.kind == "accounting":
        facts.append((words["balance_left"], format_cents(statement.balance_cents, statement.currency, code)))
    days = [format_date(statement.since, code), format_date(statement.until, code)]
    return _compile(
        code,
        statement.made_at,
        {
            "kind": statement.kind,
            "agency": _agency(statement.agency),
            "title": words[f"{statement.kind}_title"],
            "lead": words[f"{statement.kind}_lead"].format(*days),
            "figure": total,
            "figure_note": words[f"{statement.kind}_note"],
            "facts": _filled(facts),
            "schedule": _table(statement.payments, statement.currency, code),
            "schedule_words": [words[key] for key in TABLE],
            "total": total,
            "close": [words["keep"], words["collector"]],
        },
    )


def helper_receipt_pdf(
    *,
    payee: str,
    number: str,
    payer: str,
    amount_cents: int,
    currency: str,
    method: str,
    paid_at: datetime,
    text: str,
    language: str,
) -> bytes:
    """Make the receipt of somebody who paid for somebody else: no letterhead, no account, no collector (RF-11).

    :raises ValueError: the language is unknown, a time has no zone, or a text is too long.
    """
    words, code = _words(language)
    facts = [
        (words["receipt_number"], number),
        (words["paid_at"], paper.moment(paid_at, code)),
        (words["method"], method),
        (words["consumer"], payer),
        (words["payee"], payee),
    ]
    return _compile(
        code,
        paid_at,
        {
            "kind": "receipt",
            "agency": {"name": payee, "lines": []},
            "title": words["receipt_title"],
            "lead": words["receipt_lead"],
            "figure": format_cents(amount_cents, currency, code),
            "figure_note": words["paid"],
            "facts": _filled(facts),
            "close": [*(line for block in _paragraphs(text) for line in block), words["keep"]],
        },
    )


def sample_pdf(*, code: str, agency_name: str, language: str) -> bytes:
    """Make the paper that shows whether the consumer can open the format, with a code to type (ES-02).

    It says nothing about a debt: the person has not asked for anything yet.
    """
    words, language_code = _words(language)
    return _compile(
        language_code,
        None,
        {
            "kind": "sample",
            "agency": {"name": agency_name, "lines": []},
            "title": words["sample_title"],
            "lead": words["sample_lead"],
            "figure": code,
            "figure_note": words["sample_note"],
            "facts": [],
            "close": [words["sample_end"]],
        },
    )


def _agency(agency):
    return paper.letterhead(**vars(agency))


def _account_facts(copy, words):
    return [
        (words["reference"], copy.account_reference),
        (words["creditor"], copy.original_creditor),
        (words["description"], copy.description),
    ]


def _table(lines, currency, code):
    return [
        (str(n), format_date(line.on, code), format_cents(line.cents, currency, code))
        for n, line in enumerate(lines, 1)
    ]


def _words(language):
    code = language.split("-")[0].lower()
    if code not in WORDS:
        raise ValueError(f"No document texts for {language!r}.")
    return WORDS[code], code


def _paragraphs(text):
    """Split a text at its empty lines into lists of lines."""
    blocks = text.replace("\r\n", "\n").split("\n\n")
    return [block.strip("\n").split("\n") for block in blocks if block.strip()]


def _filled(rows):
    return [row for row in rows if row[1]]


def _compile(code, at, data, *, file_format="pdf"):
    data = data | {"language": code, "page": WORDS[code]["page"]}
    return paper.compile_paper(BODY, data=data, at=at, file_format=file_format)
