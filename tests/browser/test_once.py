"""However often a consumer presses, goes back, reloads or opens another window: one charge at the processor."""

import pytest

from tests.browser.consumer import MASTERCARD_DEBIT

pytestmark = pytest.mark.browser

BUTTON = "form:has([name=agree]) button[type=submit]"


@pytest.fixture
def payer(newcomer):
    """Stand before the button that pays $40.00."""
    consumer = newcomer().log_in()
    consumer.choose("any", "40.00")
    consumer.give_card(MASTERCARD_DEBIT)
    consumer.page.check("[name=agree]")
    return consumer


def see_that_it_was_paid_once(consumer) -> None:
    """Ask the processor's own ledger, and the account page, about the payment of this result page."""
    [charge] = consumer.charges(consumer.payment())
    assert (charge["amount"], charge["status"]) == (40_00, "succeeded")
    consumer.go(consumer.account)
    assert "Your balance $960.00" in consumer.text()


def test_a_double_click_pays_once(payer):
    payer.page.locator(BUTTON).dblclick()
    payer.page.wait_for_url("**/paid/**")
    see_that_it_was_paid_once(payer)


def test_a_form_sent_twice_without_our_script_pays_once(payer):
    # What an impatient finger does on a page whose script did not load: two equal requests at the same time.
    both = """async () => {
      const form = document.querySelector("form:has([name=agree])");
      const send = () => fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      return (await Promise.all([send(), send(), send()])).map((answer) => answer.url);
    }"""
    results = set(payer.page.evaluate(both))
    assert len(results) == 1
    payer.page.goto(results.pop())
    assert "/paid/" in payer.path
    see_that_it_was_paid_once(payer)


def test_the_back_button_leads_to_the_payment_that_was_made(payer):
    payer.press(BUTTON)
    first = payer.payment()
    payer.page.go_back()
    if "/review/" in payer.path:
        if not payer.page.locator("[name=agree]").is_checked():
            payer.page.check("[name=agree]")
        payer.press(BUTTON)
    assert payer.payment() == first
    see_that_it_was_paid_once(payer)


def test_a_reload_of_the_result_pays_nothing_more(payer):
    payer.press(BUTTON)
    for _time in range(3):
        payer.page.reload()
    see_that_it_was_paid_once(payer)


def test_two_windows_on_the_same_review_pay_once(payer):
    other = payer.context.new_page()
    other.goto(payer.page.url)
    other.check("[name=agree]")
    payer.press(BUTTON)
    with other.expect_navigation():
        other.locator(BUTTON).click()
    assert other.url == payer.page.url
    see_that_it_was_paid_once(payer)


def test_a_second_payment_begun_in_another_window_is_shown_what_was_paid_since(payer):
    first = payer.page
    payer.page = payer.context.new_page()
    payer.choose("full")
    payer.give_card(MASTERCARD_DEBIT)
    full = payer.page
    payer.page = first
    payer.press(BUTTON)
    payer.page = full
    payer.confirm()
    assert "/review/" in payer.path, "the whole old balance was charged after a part of it was paid"
    assert payer.page.locator("#errors").is_visible()
    payer.page = first
    see_that_it_was_paid_once(payer)
