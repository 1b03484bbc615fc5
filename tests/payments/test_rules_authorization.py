import hashlib
import itertools
from dataclasses import replace
from datetime import date

import pytest

from payments.rules.authorization import (
    SLOTS,
    VERSION,
    IncompleteAuthorization,
    Parts,
    compose,
    lint,
    required_slots,
    text_sha256,
)

TODAY = date(2026, 12, 1)
ONE_CARD = Parts(
    kind="single",
    method="card",
    lines=((TODAY, 125_00),),
    signed_on=TODAY,
    consumer_name="Ana Rivera",
    agency_name="Riverside Recovery LLC",
    agency_address="10 Main Street\nAlbany, NY 12207",
    agency_phone="518-555-0100",
    reference="A-1001",
    original_creditor="First Bank",
    description="Credit card account",
    brand="visa",
    funding="debit",
    last4="5556",
)
ONE_ACH = replace(ONE_CARD, method="ach", brand="", funding="", account_type="checking", last4="6789")
THREE = ((TODAY, 125_00), (date(2027, 1, 4), 125_00), (date(2027, 2, 1), 125_01))
MANY_CARD = replace(ONE_CARD, kind="schedule", lines=THREE)
MANY_ACH = replace(ONE_ACH, kind="schedule", lines=THREE)
ALL = {"one card": ONE_CARD, "one ach": ONE_ACH, "card schedule": MANY_CARD, "ach schedule": MANY_ACH}


@pytest.fixture(params=ALL)
def parts(request):
    return ALL[request.param]


def test_the_schedule_from_a_bank_account_reads_like_this_ach_05_eft_05():
    assert compose(MANY_ACH).text == (
        "Authorization for a schedule of payments\n\n"
        "To: Riverside Recovery LLC, 10 Main Street, Albany, NY 12207, 518-555-0100\n\n"
        "For: account A-1001, Credit card account. Original creditor: First Bank.\n\n"
        "From: Ana Rivera\n\n"
        "Paid with: my checking account ending in 6789\n\n"
        "Date of this authorization: December 1, 2026\n\n"
        "I authorize Riverside Recovery LLC, and those who process payments for it, to take the electronic"
        " payments listed here (recurring ACH debits) from my bank account, and nothing else.\n\n"
        "Payments:\n1. December 1, 2026: $125.00\n2. January 4, 2027: $125.00\n3. February 1, 2027:"
        " $125.01\n\n"
        "Number of payments: 3. First payment: December 1, 2026. Last payment: February 1, 2027. Total:"
        " $375.01. No payment is taken before its date.\n\n"
        "Before each payment that is more than five days away, I will be told its date and amount in"
        " writing.\n\n"
        "Amounts and dates change only if I agree. If an amount will differ from this list, I will be told in"
        " writing at least 10 days before.\n\n"
        "I can cancel a payment, or withdraw this authorization for all payments not yet sent to my bank,"
        " at any time: I call 518-555-0100 or write to Riverside Recovery LLC, 10 Main Street, Albany, NY"
        " 12207. I will get a confirmation.\n\n"
        "I can also stop a payment by telling my bank at least three business days before its date. My bank"
        " may ask me to confirm this in writing within 14 days.\n\n"
        "I sign this electronically and receive a copy of it."
    )


def test_one_card_payment_in_spanish_reads_like_this_lang_04():
    assert compose(ONE_CARD, "es").text == (
        "Autorización de un pago\n\n"
        "Para: Riverside Recovery LLC, 10 Main Street, Albany, NY 12207, 518-555-0100\n\n"
        "Por: cuenta A-1001, Credit card account. Acreedor original: First Bank.\n\n"
        "De: Ana Rivera\n\n"
        "Forma de pago: mi tarjeta de débito Visa terminada en 5556\n\n"
        "Fecha de esta autorización: 1 de diciembre de 2026\n\n"
        "Autorizo a Riverside Recovery LLC, y a quienes procesan pagos en su nombre, a hacer un solo cargo"
        " a mi tarjeta.\n\n"
        "Monto: $125.00\n\n"
        "Cuándo: 1 de diciembre de 2026, una sola vez.\n\n"
        "Puedo retirar esta autorización hasta que el pago se envíe a mi banco: llamo al 518-555-0100 o"
        " escribo a Riverside Recovery LLC, 10 Main Street, Albany, NY 12207.\n\n"
        "Firmo esto de forma electrónica y recibo una copia."
    )


@pytest.mark.parametrize("language", ["en", "es", "es-us"])
def test_each_kind_says_every_slot_in_both_languages_ach_05_card_05(parts, language):
    signed = compose(parts, language)
    assert lint(signed.text, parts, language) == ()
    assert set(SLOTS) <= set(required_slots(parts))
    assert "{" not in signed.text
    assert (signed.kind, signed.language, signed.version) == (parts.kind, language[:2], VERSION)
    for day, cents in parts.lines:
        assert f"${cents // 100}.{cents % 100:02d}" in signed.text
        assert str(day.year) in signed.text


def test_both_languages_have_the_same_clauses(parts):
    english, spanish = compose(parts, "en").text, compose(parts, "es").text
    assert english.count("\n\n") == spanish.count("\n\n")
    shared = set(english.split("\n\n")) & set(spanish.split("\n\n"))
    assert shared == set()


def test_a_stored_card_needs_its_own_consent_card_03():
    assert "stored_credential" in required_slots(MANY_CARD)
    assert "the payment processor stores my card" in compose(MANY_CARD).text
    for other in (ONE_CARD, ONE_ACH, MANY_ACH):
        assert "stores my card" not in compose(other).text


@pytest.mark.parametrize(
    ("funding", "covered"),
    [("debit", True), ("prepaid", True), ("unknown", True), ("", True), ("credit", False)],
)
def test_a_debit_card_schedule_has_the_right_to_stop_like_a_bank_account_eft_03_eft_05(funding, covered):
    text = compose(replace(MANY_CARD, funding=funding)).text
    assert ("at least three business days" in text) is covered


@pytest.mark.parametrize(
    ("blank", "missing"),
    [
        ({"consumer_name": " "}, ("name",)),
        ({"last4": ""}, ("account",)),
        ({"account_type": ""}, ("account",)),
        ({"lines": ()}, ("amounts", "timing")),
        ({"agency_phone": ""}, ("payee", "revocation")),
        ({"agency_name": ""}, ("payee", "single_or_recurring", "revocation")),
        ({"original_creditor": ""}, ("debt",)),
    ],
)
def test_a_blank_fact_makes_the_text_incomplete_and_it_is_not_made_ach_05(blank, missing):
    with pytest.raises(IncompleteAuthorization) as refused:
        compose(replace(MANY_ACH, **blank))
    assert refused.value.missing == missing


def test_every_clause_that_is_taken_out_is_missed(parts):
    clauses = compose(parts).text.split("\n\n")[1:]
    slots = set()
    for clause in clauses:
        missing = lint(compose(parts).text.replace(clause, ""), parts)
        assert missing != (), clause
        slots.update(missing)
    assert slots == set(required_slots(parts))


def test_a_text_for_other_amounts_or_dates_does_not_pass():
    other = replace(MANY_ACH, lines=(THREE[0], THREE[1], (THREE[2][0], 125_02)))
    assert lint(compose(MANY_ACH).text, other) == ("amounts", "timing")


def test_the_portal_is_named_as_a_way_to_cancel_where_there_is_one_pdc_07():
    assert "online" not in compose(MANY_CARD).text
    with_url = replace(MANY_CARD, revoke_url="https://riverside.example/plan")
    assert "I can also do this at https://riverside.example/plan." in compose(with_url).text
    assert "También puedo hacerlo en https://riverside.example/plan." in compose(with_url, "es").text


def test_braces_in_a_name_are_only_letters():
    assert "From: {agency} {0}" in compose(replace(ONE_CARD, consumer_name="{agency} {0}")).text


def test_the_hash_is_of_the_exact_words_es_05():
    signed = compose(ONE_CARD)
    assert signed.sha256 == hashlib.sha256(signed.text.encode()).hexdigest()
    assert text_sha256(signed.text.replace("\n", "\r\n")) == signed.sha256
    assert text_sha256("Autorizacio\u0301n") == text_sha256("Autorizaci\u00f3n")


def test_no_two_authorizations_share_a_hash():
    hashes = [compose(one, language).sha256 for one, language in itertools.product(ALL.values(), ("en", "es"))]
    assert len(set(hashes)) == 8


def test_no_number_but_the_last_four_is_in_a_text(parts):
    assert parts.last4 in compose(parts).text
    assert not any(len(run) > 5 and run.isdigit() for run in compose(parts).text.split())


def test_an_unknown_language_is_not_guessed():
    with pytest.raises(ValueError, match="fr"):
        compose(ONE_CARD, "fr")
