from datetime import date

from accounts.refusals import Refusal, refuse

TEMPLATE = "Each payment must be at least %(minimum_cents)s, the last one by %(limit_on)s."
SPANISH = {
    TEMPLATE: "Cada pago debe ser de al menos %(minimum_cents)s, el último a más tardar el %(limit_on)s.",
    "a Visa debit card": "una tarjeta de débito Visa",
    "Use %(alternatives)s.": "Use %(alternatives)s.",
}


def test_a_refusal_keeps_the_numbers_and_says_them_in_english():
    refusal = refuse(
        TEMPLATE, "payment_below_minimum", field="lines.2", minimum_cents=1_250_00, limit_on=date(2023, 6, 30)
    )
    assert refusal.code == "payment_below_minimum"
    assert refusal.field == "lines.2"
    assert refusal.sentence == "Each payment must be at least $1,250.00, the last one by June 30, 2023."
    assert refusal.params == {"minimum_cents": 1_250_00, "limit_on": date(2023, 6, 30)}


def test_a_refusal_is_said_in_spanish_from_the_same_template_lang_01():
    refusal = refuse(TEMPLATE, "x", minimum_cents=50_00, limit_on=date(2023, 6, 30))
    assert (
        refusal.say(SPANISH.__getitem__, "es")
        == "Cada pago debe ser de al menos $50.00, el último a más tardar el 30 de junio de 2023."
    )


def test_choices_are_joined_and_translated_one_by_one():
    choices = ("a Visa debit card", "a Mastercard", "your bank account")
    refusal = refuse("Use %(alternatives)s.", "card_not_accepted", alternatives=choices)
    assert refusal.sentence == "Use a Visa debit card, a Mastercard, or your bank account."
    spanish = refusal.say(lambda text: SPANISH.get(text, text), "es-us")
    assert spanish == "Use una tarjeta de débito Visa, a Mastercard o your bank account."
    assert refuse("Use %(a)s.", "x", a=("one", "two")).sentence == "Use one or two."
    assert refuse("Use %(a)s.", "x", a=("one",)).sentence == "Use one."


def test_a_refusal_without_a_template_translates_its_sentence():
    assert Refusal("x", "No.").say(lambda text: {"No.": "No, gracias."}[text], "es") == "No, gracias."
