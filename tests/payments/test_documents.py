"""The papers a consumer keeps: what is on them, who can read them, and that no field can speak to Typst."""

import re
import subprocess
import sys
import zlib
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from payments.documents import (
    Agency,
    AuthorizationCopy,
    Receipt,
    ScheduleLine,
    authorization_pdf,
    receipt_pdf,
    sample_pdf,
)

NEW_YORK = ZoneInfo("America/New_York")
AGENCY = Agency(
    name="Northgate Recovery",
    legal_name="Northgate Recovery Services LLC",
    address="100 Harbor Street, Suite 4\nBuffalo, NY 14202",
    phone="(716) 555-0142",
    licences=("North Carolina permit 112233.",),
)
RECEIPT = Receipt(
    agency=AGENCY,
    number="R-2026-000412",
    consumer_name="Ana María Ruiz",
    account_reference="NG-2048-117",
    original_creditor="Lakeside Community Bank",
    description="Personal loan",
    amount_cents=1_250_00,
    method="Visa debit ending 4242",
    paid_at=datetime(2026, 11, 21, 15, 4, 11, 250_000, tzinfo=NEW_YORK),
    language="en",
    balance_after_cents=625_03,
)
COPY = AuthorizationCopy(
    agency=AGENCY,
    consumer_name="Ana María Ruiz",
    account_reference="NG-2048-117",
    original_creditor="Lakeside Community Bank",
    description="Personal loan",
    text="I authorize the payments above.\n\nI can cancel at any time:\nby phone or by letter.",
    schedule=(
        ScheduleLine(on=date(2026, 12, 1), cents=125_00),
        ScheduleLine(on=date(2027, 1, 1), cents=125_03),
    ),
    method="Visa debit ending 4242",
    accepted_at=datetime(2026, 11, 21, 15, 4, 11, tzinfo=NEW_YORK),
    browser_address="203.0.113.24",
    text_sha256="fc7fd1226f5b900b42fa4e05b22d0109bd7d8c4e853e271f27f06bdab9cee64a",
    language="en",
)


def objects(pdf):
    """Map each object's number to its dictionary and its unpacked stream."""
    found = {}
    for match in re.finditer(rb"(?:^|\n)(\d+) 0 obj\s", pdf):
        end, start = pdf.find(b"endobj", match.end()), pdf.find(b"stream\n", match.end())
        if not match.end() <= start < end:
            found[int(match[1])] = (pdf[match.end() : end], b"")
            continue
        head = pdf[match.end() : start]
        body = pdf[start + 7 :][: int(re.search(rb"/Length (\d+)", head)[1])]
        found[int(match[1])] = (head, zlib.decompress(body) if b"FlateDecode" in head else body)
    return found


# A font, a text in parentheses (they may nest while they balance) or a text in hexadecimal digits.
PLAIN = rb"[^\\()]|\\."
SHOWN = re.compile(
    rb"/(f\d+) [\d.]+ Tf|(\((?:%b|\((?:%b|\((?:%b)*\))*\))*\))|(?<!<)<([0-9A-Fa-f]+)>(?!>)" % (PLAIN, PLAIN, PLAIN),
    re.DOTALL,
)


def read(pdf):
    """Return the text of a paper as a viewer copies it, without any white space."""
    parts = objects(pdf)

    def part(name, head):
        return parts[int(re.search(rb"/" + name + rb" (\d+) 0 R", head)[1])]

    shown = []
    for head, _ in parts.values():
        if b"/Type/Page/" not in head:
            continue
        fonts = {}
        for name, font in re.findall(rb"/(f\d+) (\d+) 0 R", part(b"Resources", head)[0]):
            table = part(b"ToUnicode", parts[int(font)][0])[1]
            pairs = re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>\n", table.partition(b"beginbfchar")[2])
            fonts[name] = {int(a, 16): bytes.fromhex(b.decode()).decode("utf-16-be") for a, b in pairs}
        drawn = re.sub(rb"<<.*?>>BDC", b"", part(b"Contents", head)[1], flags=re.DOTALL)
        font = {}
        for name, text, digits in SHOWN.findall(drawn):
            font = fonts[name] if name else font
            glyphs = _unescape(text[1:-1]) or bytes.fromhex(digits.decode())
            shown += [font.get(int.from_bytes(glyphs[i : i + 2]), "?") for i in range(0, len(glyphs), 2)]
    return squeeze("".join(shown))


def _unescape(text):
    signs = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

    def plain(found):
        return bytes([int(found[1], 8)]) if found[1].isdigit() else signs.get(found[1], found[1])

    return re.sub(rb"\\([0-7]{1,3}|.)", plain, text, flags=re.DOTALL)


def squeeze(text):
    return re.sub(r"[\s\u200b]", "", text)


def assert_says(pdf, *texts):
    shown = read(pdf)
    missing = [text for text in texts if squeeze(text) not in shown]
    assert not missing, shown


def test_a_receipt_says_who_what_when_and_how_much():
    assert_says(
        receipt_pdf(receipt=RECEIPT),
        "Payment receipt",
        "Northgate Recovery Services LLC 100 Harbor Street, Suite 4 Buffalo, NY 14202 (716) 555-0142",
        "$1,250.00 paid",
        "Receipt number R-2026-000412",
        "Date and time November 21, 2026, 3:04 PM EST",
        "Payment method Visa debit ending 4242",
        "Name Ana María Ruiz",
        "Original creditor Lakeside Community Bank",
        "Balance after this payment $625.03",
        "This communication is from a debt collector.",
        "North Carolina permit 112233.",
    )


def test_a_bank_payment_is_not_called_paid_before_it_cleared():
    shown = read(receipt_pdf(receipt=replace(RECEIPT, cleared=False)))
    assert squeeze("$1,250.00 submitted, not yet cleared") in shown
    assert "$1,250.00paid" not in shown


def test_a_receipt_without_a_balance_says_none():
    assert "Balance" not in read(receipt_pdf(receipt=replace(RECEIPT, balance_after_cents=None)))


def test_an_authorization_copy_holds_the_whole_agreement_and_its_evidence():
    assert_says(
        authorization_pdf(copy=COPY),
        "Your payment plan authorization",
        "$250.03 in 2 payments, from December 1, 2026 to January 1, 2027",
        "1 December 1, 2026 $125.00 2 January 1, 2027 $125.03 Total $250.03",
        COPY.text,
        "Agreed on November 21, 2026, 3:04:11 PM EST (2026-11-21 20:04:11 UTC)",
        "Agreed by Ana María Ruiz",
        "Internet address 203.0.113.24",
        COPY.text_sha256,
    )


def test_a_single_payment_is_not_called_a_plan():
    shown = read(authorization_pdf(copy=replace(COPY, schedule=COPY.schedule[:1])))
    assert squeeze("$125.00 in one payment, on December 1, 2026") in shown
    assert "plan" not in shown


def test_a_plan_of_two_years_shows_every_payment():
    lines = tuple(ScheduleLine(on=date(2027 + n // 12, n % 12 + 1, 5), cents=10_00 + n) for n in range(24))
    assert_says(
        authorization_pdf(copy=replace(COPY, schedule=lines)),
        *(f"{n} {line.on:%B} 5, {line.on.year} $10.{n - 1:02d}" for n, line in enumerate(lines, 1)),
        "Total $242.76",
    )


def test_new_york_consumers_get_the_list_of_protected_income():
    first, last = "Supplemental security income (SSI)", "Ninety percent of your wages or salary"
    assert_says(authorization_pdf(copy=replace(COPY, exempt_income_notice=True)), first, last)
    assert squeeze(first) not in read(authorization_pdf(copy=COPY))


def test_the_papers_come_in_spanish():
    assert_says(
        receipt_pdf(receipt=replace(RECEIPT, language="es-US")),
        "Recibo de pago",
        "$1,250.00 pagado",
        "21 de noviembre de 2026, 3:04 p. m. EST",
        "Esta comunicación es de un cobrador de deudas.",
    )
    spanish = replace(COPY, language="es", exempt_income_notice=True)
    assert_says(authorization_pdf(copy=spanish), "en 2 pagos, del 1 de diciembre de 2026 al 1 de enero de 2027")
    assert_says(sample_pdf(code="482913", agency_name="Northgate", language="es"), "Un documento de muestra")


def test_the_sample_shows_its_code_and_says_nothing_about_a_debt():
    shown = read(sample_pdf(code="482913", agency_name="Northgate Recovery", language="en"))
    assert "482913" in shown
    assert "debt" not in shown.lower()


@pytest.mark.parametrize(
    "hostile",
    [
        '#panic("out")',
        '#import "@preview/x:1.0.0": *',
        "$x^2$ ] } ) [ { (",
        '"); #eval("1") //',
        "*b* _i_ `raw` @ref <label> = heading",
        "\\u{41} \\ /* */ -- --- ~ 'q' \"q\"",
        "{0} {count} %s &amp; <b>x</b>",
        "#sys.inputs.data",
    ],
)
def test_a_field_is_printed_sign_by_sign(hostile):
    receipt = replace(RECEIPT, consumer_name=hostile, method=hostile, description=hostile)
    assert read(receipt_pdf(receipt=receipt)).count(squeeze(hostile)) == 3
    agency = replace(AGENCY, name=hostile, address=hostile, licences=(hostile,))
    assert_says(authorization_pdf(copy=replace(COPY, agency=agency, text=hostile)), *[hostile] * 4)
    assert_says(sample_pdf(code="482913", agency_name=hostile, language="en"), hostile)


def test_signs_nobody_can_see_are_left_out():
    hidden = "Ana\u202e\u200f\x00 Ruiz\nLópez"
    assert_says(receipt_pdf(receipt=replace(RECEIPT, consumer_name=hidden)), "Name Ana Ruiz López")


@pytest.mark.parametrize("pdf", [receipt_pdf(receipt=RECEIPT), authorization_pdf(copy=COPY)])
def test_a11y_16_a_paper_is_tagged_and_claims_pdf_ua_and_pdf_a(pdf):
    assert b"/StructTreeRoot" in pdf
    assert b"/MarkInfo<</Marked true" in pdf
    assert b"/Lang(en-US)" in pdf or b"/Lang(en)" in pdf
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert b"<pdfaid:part>2</pdfaid:part>" in pdf
    assert b"<pdfaid:conformance>A</pdfaid:conformance>" in pdf


def test_the_schedule_is_a_table_with_header_cells():
    assert len(re.findall(rb"/S/TH\b", authorization_pdf(copy=COPY))) == 3


def test_a_name_in_another_script_still_gets_a_tagged_paper():
    pdf = authorization_pdf(copy=replace(COPY, consumer_name="李小龍 🙂"))
    assert b"/StructTreeRoot" in pdf
    assert_says(pdf, "$250.03")


def test_the_same_values_give_the_same_bytes():
    assert authorization_pdf(copy=COPY) == authorization_pdf(copy=COPY)


def test_what_cannot_be_printed_rightly_is_refused():
    with pytest.raises(ValueError, match="zone"):
        receipt_pdf(receipt=replace(RECEIPT, paid_at=datetime(2026, 11, 21, 15, 4)))  # noqa: DTZ001
    with pytest.raises(ValueError, match="No document texts for 'fr'"):
        sample_pdf(code="1", agency_name="x", language="fr")
    with pytest.raises(ValueError, match="40000 characters"):
        authorization_pdf(copy=replace(COPY, text="x" * 40_001))
    with pytest.raises(ValueError, match="600 payments"):
        authorization_pdf(copy=replace(COPY, schedule=COPY.schedule * 301))


def test_papers_one_after_the_other_each_say_their_own():
    papers = [receipt_pdf(receipt=replace(RECEIPT, number=f"R-{n}")) for n in range(10)]
    assert len(set(papers)) == 10


def test_the_papers_need_no_django():
    code = "import payments.documents, sys; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
