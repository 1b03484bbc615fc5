"""Cards and bank accounts at the processor's own field: what is taken, refused, declined, and asked of the bank."""

import pytest

from portal.local.stack import call
from tests.browser.consumer import MASTERCARD, MASTERCARD_DEBIT, MASTERCARD_DECLINED, VISA_CREDIT, VISA_DEBIT
from tests.browser.tour import CHALLENGED

pytestmark = pytest.mark.browser


def test_a_visa_credit_card_is_refused_before_any_charge_with_the_alternatives_named(newcomer):
    consumer = newcomer().log_in()
    consumer.choose("any", "40.00")
    consumer.give_card(VISA_CREDIT)
    text = consumer.text()
    assert "Nothing was charged" in text
    for alternative in ("Visa debit", "Mastercard", "American Express", "Discover", "bank account"):
        assert alternative in text
    # The choice stands: another card, the same amount.
    consumer.press("main a.button >> nth=0")
    consumer.give_card(MASTERCARD)
    consumer.confirm()
    [charge] = consumer.charges(consumer.payment())
    assert (charge["amount"], charge["status"]) == (40_00, "succeeded")


def test_a_declined_card_leaves_no_payment_and_another_try(newcomer):
    consumer = newcomer().log_in()
    consumer.choose("any", "40.00")
    consumer.give_card(MASTERCARD_DECLINED)
    consumer.confirm()
    declined = consumer.payment()
    text = consumer.text()
    assert "did not go through" in text
    assert "Nothing was charged" in text
    assert {row["status"] for row in consumer.charges(declined)} == {"failed"}
    consumer.press("main .button >> nth=0")
    consumer.give_card(MASTERCARD_DEBIT)
    consumer.confirm()
    assert consumer.payment() != declined
    [charge] = consumer.charges(consumer.payment())
    assert charge["status"] == "succeeded"


@pytest.mark.parametrize(("answer", "title"), [("complete", "Thank you"), ("fail", "did not go through")])
def test_the_bank_s_own_question_decides(newcomer, answer, title):
    consumer = newcomer().log_in()
    scripted = {"number": CHALLENGED, "brand": "mastercard", "outcome": "challenge_always"}
    call(consumer.stack.urls["processor"], "/_sandbox/cards", scripted)
    consumer.choose("any", "41.00")
    consumer.give_card(CHALLENGED)
    consumer.confirm()
    payment = consumer.payment()
    consumer.page.frame_locator("dialog iframe").locator(f"#{answer}").click()
    consumer.page.locator("h1", has_text=title).wait_for()
    paid = [row for row in consumer.charges(payment) if row["status"] == "succeeded"]
    assert len(paid) == (1 if answer == "complete" else 0)


def test_the_card_field_says_what_is_wrong_and_lets_nothing_out(newcomer):
    consumer = newcomer().log_in()
    sent: list[str] = []
    consumer.page.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
    consumer.choose("any", "40.00")
    consumer.type_card("4000056655665557", expiry="01 / 20")
    consumer.page.locator("#card-form button[type=submit]").click()
    frame = consumer.page.frame_locator("#card-field iframe")
    for field in ("number", "expiry"):  # each says it when it is left, or when the button is pressed
        frame.locator(f"#{field}[aria-invalid=true]").wait_for()
    assert "Check the card number" in frame.locator("#number-error").inner_text()
    assert "expired" in frame.locator("#expiry-error").inner_text()
    frame.locator("#number").fill("")
    frame.locator("#expiry").fill("")
    frame.locator("#cvc").fill("")
    consumer.give_card(VISA_DEBIT)
    ours = [line for line in sent if ".localhost" in line]
    assert ours
    assert not any("4000" in line or "5556" in line for line in ours)


def test_a_bank_account_is_validated_masked_and_handed_to_the_host(newcomer):
    consumer = newcomer().log_in().step_up()
    consumer.choose("any", "50.00")
    consumer.go(f"{consumer.path}?way=ach")
    consumer.type_bank(routing="123456789", number="12")
    consumer.press("main form button[type=submit]")
    assert consumer.page.locator("[name=routing_number]").get_attribute("aria-invalid") == "true"
    assert consumer.page.input_value("[name=account_number]") == ""
    consumer.type_bank()
    consumer.press("main form button[type=submit]")
    text = consumer.text()
    assert "$50.00" in text
    assert "6789" in text
    assert "000123456789" not in consumer.page.content()
    consumer.confirm()
    assert "$50.00" in consumer.text()
    [told] = consumer.walk.told("acme", "payment.pending", consumer.reference)
    assert told["Payment"]["Status"] == "SUBMIT"
    assert consumer.charges(consumer.payment()) == []


def test_a_keyboard_alone_pays(newcomer):
    """A11Y-15: the processor's frame included."""
    consumer = newcomer().log_in()
    page = consumer.page
    consumer.go(f"{consumer.account}pay/")
    page.locator("[name=choice][value=settlement]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/method/**")
    frame = page.frame_locator("#card-field iframe")
    frame.locator("#number").focus()
    for text in (MASTERCARD_DEBIT, "1231", "123", "12207"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.locator("#card-form button[type=submit]").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/**")
    page.locator("[name=agree]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/paid/**")
    assert "Thank you" in consumer.text()
