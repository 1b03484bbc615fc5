"""The settlement of the SCollect document, on a telephone: what the engine computes is what the page shows."""

import datetime as dt
import time

import pytest

from accounts.money import format_cents
from settlements.rules.offers import GlobalOffer, HostSettlement, terms
from settlements.rules.schedules import propose
from tests.browser.consumer import VISA_DEBIT, today_of

pytestmark = pytest.mark.browser

GLOBAL = GlobalOffer(percent_bps=75_00, max_payments=6, max_days=180)


def dollars(cents: int) -> str:
    return format_cents(cents, "USD", "en")


def rows(page) -> list[tuple[dt.date, str]]:
    """Read the schedule's rows: date and amount of each payment."""
    read = "inputs => inputs.map(input => input.value)"
    dates = page.locator("input[name^=date_]").evaluate_all(read)
    amounts = page.locator("input[name^=amount_]").evaluate_all(read)
    return [(dt.date.fromisoformat(on), amount) for on, amount in zip(dates, amounts, strict=True)]


def test_a_debt_of_1000_is_settled_for_750_in_six_payments_of_125(consumer_of):
    consumer = consumer_of("acme", "100234").log_in()
    today = today_of(consumer)
    offer = terms(1_000_00, today, global_offer=GLOBAL)
    plan = propose(offer, today)
    assert (offer.amount_cents, len(plan), {line.amount_cents for line in plan}) == (750_00, 6, {125_00})

    consumer.go(consumer.account)
    text = consumer.text()
    assert "$1,000.00" in text
    assert "$750.00" in text
    assert "6 payments of $125.00" in text
    assert "You save $250.00" in text

    consumer.step_up()
    consumer.choose("settlement_parts")
    consumer.press("button[value=own]")
    shown = rows(consumer.page)
    assert shown == [(line.due_on, "125.00") for line in plan]
    assert shown[0][0] == today
    assert all(today <= on <= today + dt.timedelta(days=180) for on, _amount in shown)

    consumer.press("button[value=continue]")
    consumer.agree_to_mail()
    began = time.time()
    consumer.give_card(VISA_DEBIT)
    text = consumer.text()
    assert "You pay today $125.00 from Visa debit ending 5556" in text
    assert "Together $750.00" in text
    consumer.confirm()
    text = consumer.text()
    assert "Received $125.00" in text
    assert text.count("$125.00") == 6
    [charge] = consumer.charges(consumer.payment())
    assert (charge["amount"], charge["status"], charge["credential"]) == (125_00, "succeeded", "portal")

    consumer.reload_until(f"{consumer.account}payments/", ".ledger > li", 1)
    assert "$125.00" in consumer.text()
    assert consumer.page.locator(".ledger .state").all_inner_texts() == ["Posted"]
    consumer.reload_until(f"{consumer.account}post-dates/", ".ledger > li", 5)
    assert consumer.page.locator(".ledger .much").all_inner_texts() == ["$125.00"] * 5
    assert "Together $625.00" in consumer.text()
    host = consumer.walk.account("acme", "100234")
    assert [(row["Amount"], row["Status"]) for row in host["PostDates"]] == [("125.00", "PENDING")] * 5
    mail = consumer.walk.mail(consumer.address, tag="receipts", after=began - 1)
    assert "$" not in mail["subject"]


def test_the_host_s_own_settlement_replaces_the_global_one_as_a_whole(consumer_of):
    consumer = consumer_of("acme", "100235").log_in().step_up()
    today = today_of(consumer)
    said = HostSettlement(percent_bps=60_00, max_payments=3, max_days=90)
    offer = terms(2_400_00, today, said, GLOBAL)
    plan = propose(offer, today)
    assert (offer.amount_cents, offer.max_payments) == (1_440_00, 3)
    assert offer.last_date == today + dt.timedelta(days=90)

    consumer.go(consumer.account)
    text = consumer.text()
    assert "$2,400.00" in text
    assert "$1,440.00" in text
    assert f"{len(plan)} payments of {dollars(plan[0].amount_cents)}" in text
    assert "Settle for 60 percent in up to three payments." in text

    consumer.choose("settlement_parts")
    consumer.press("button[value=own]")
    assert rows(consumer.page) == [(line.due_on, f"{line.amount_cents / 100:.2f}") for line in plan]
    assert consumer.page.locator("input[name=date_2]").get_attribute("max") == offer.last_date.isoformat()
    text = consumer.text()
    assert "Up to 3 payments" in text
    assert "Together exactly $1,440.00" in text


def test_everything_that_is_wrong_with_a_schedule_is_said_at_once_beside_its_field(newcomer):
    consumer = newcomer().log_in().step_up()
    consumer.choose("settlement_parts")
    consumer.press("button[value=own]")
    late = (today_of(consumer) + dt.timedelta(days=181)).isoformat()
    consumer.page.fill("[name=amount_2]", "100.00")
    consumer.page.fill("[name=date_6]", late)
    # The page checks by itself while one types.
    consumer.page.locator("#check", has_text="$25.00").wait_for()
    consumer.press("button[value=continue]")
    summary = consumer.page.locator("#errors").inner_text()
    assert "$725.00" in summary
    assert "$750.00" in summary
    assert "Payment 6 must be on or before" in summary
    assert consumer.page.locator("[name=date_6]").get_attribute("aria-invalid") == "true"
    assert consumer.page.evaluate("document.activeElement.id") == "errors"
    consumer.page.locator("#errors a", has_text="Payment 6").click()
    assert consumer.page.evaluate("document.activeElement.id") == "id_date_6"


def test_without_consent_to_electronic_documents_letters_are_promised(newcomer):
    consumer = newcomer().log_in().step_up()
    consumer.choose("settlement_parts")
    consumer.press("button[value=own]")
    soon = today_of(consumer) + dt.timedelta(days=60)
    for number in range(2, 7):
        consumer.page.fill(f"[name=date_{number}]", (soon + dt.timedelta(days=number)).isoformat())
    consumer.press("button[value=continue]")
    consumer.press("button[value=decline]")
    consumer.give_card(VISA_DEBIT)
    assert "letter" in consumer.text().lower()
    consumer.confirm()
    letters = consumer.walk.told("acme", "letter.required", consumer.reference, count=5)
    assert {row["Data"]["type"] for row in letters} == {"predebit"}


def test_the_tabs_show_what_the_host_shows_and_nothing_else(consumer_of):
    consumer = consumer_of("acme", "100244").log_in().step_up()
    consumer.go(f"{consumer.account}payments/")
    states = consumer.page.locator(".ledger .state").all_inner_texts()
    assert states == ["Refund", "ACH reversal", "Chargeback", "Declined", "Posted"]
    assert "$75.00" not in consumer.text()  # PROCESSED: on its way, not yet a payment
    consumer.go(f"{consumer.account}post-dates/")
    assert consumer.page.locator(".ledger .state").all_inner_texts() == ["Pending", "Pending"]
