"""A plan on a cracked telephone: the slider, the schedule that follows it, the later first day, and the page after."""

import datetime as dt

import pytest

from tests.browser.consumer import VISA_DEBIT, Consumer, place, today_of
from tests.browser.seen import look

pytestmark = pytest.mark.browser

SPOKEN = {"en": "acme", "es": "birch"}
RULES = """
import datetime as dt
from accounts.models import Agency, Client
from accounts.tenancy import acting_for
from settlements.models import RuleSet
then = dt.datetime.now(tz=dt.UTC) - dt.timedelta(minutes=1)
agency = Agency.objects.get(slug="{slug}")
with acting_for(agency):
    client = Client.objects.get(number="PLANS")
    if not RuleSet.objects.filter(client=client).exists():
        RuleSet.objects.create(
            client=client, version=1, status="published", breach_cure_days=10, made_at=then, published_at=then,
            effective_at=then, bands=[dict(
                owing_from_cents=0, owing_to_cents=99999999900, minimum_cents=5000, max_months_unsettled=24,
                max_months_settled=12, minimum_settlement_bps=6000, latest_first_days=45, grace_days=5,
                failures_to_break=2)],
        )
"""


@pytest.fixture
def planner(stack, open_window):
    """Open the telephone of somebody whose creditor lets everybody pay in parts."""

    def planner(language: str = "en", **window) -> Consumer:
        slug = SPOKEN[language]
        changes = {"ClientNumber": "PLANS", "ClientName": "Plan House", "Language": language}
        record = place(stack, slug, "100234", **changes)
        stack.manage("shell", "-c", RULES.format(slug=slug))
        consumer = Consumer(stack, slug, record, open_window(locale=f"{language}-US", **window))
        consumer.language = language
        return consumer.log_in().step_up()

    return planner


def see(consumer: Consumer, name: str) -> None:
    """Look at the page as everybody does; nothing may be wrong with it."""
    seen = look(consumer.page, name, consumer.language)
    assert (seen.axe, seen.small, seen.sideways, seen.cut) == ([], [], [], [])
    assert seen.lang == consumer.language


def slide(consumer: Consumer, count: int) -> None:
    """Move the slider as the arrow keys do, and wait for the payments that follow."""
    slider = consumer.page.locator("input[type=range]")
    slider.focus()
    with consumer.page.expect_response("**/schedule/"):
        while int(slider.input_value()) != count:
            consumer.page.keyboard.press("ArrowLeft" if int(slider.input_value()) > count else "ArrowRight")


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_plan_is_shaped_with_the_slider_and_begins_on_a_later_day(planner, language):
    """A11Y-06: a number says the same as the slider."""
    consumer = planner(language)
    page = consumer.page
    consumer.go(consumer.account)
    see(consumer, "plan_account")
    consumer.go(f"{consumer.account}pay/")
    see(consumer, "plan_choose")
    consumer.choose("plan")
    see(consumer, "plan_adjust")

    slide(consumer, 10)
    assert page.input_value("#id_count") == "10"
    page.locator("#check", has_text="10 × $100.00").wait_for()
    page.fill("#id_count", "4")
    page.locator("#check", has_text="4 × $250.00").wait_for()
    assert page.locator("input[type=range]").input_value() == "4"
    page.select_option("#id_frequency", "weekly")
    page.locator("#check [data-most='86']").wait_for()
    page.locator("input[type=range][max='86']").wait_for()
    page.check("#id_how_1")
    page.fill("#id_amount", "5.00")
    page.locator("#check [data-code=payment_below_minimum]").wait_for()
    consumer.press("button[value=continue]")
    see(consumer, "plan_adjust_wrong")
    assert page.evaluate("document.activeElement.id") == "errors"

    later = today_of(consumer) + dt.timedelta(days=20)
    page.fill("#id_amount", "250.00")
    page.fill("#id_first_on", later.isoformat())
    page.locator("#check .rows.dated > div").nth(3).wait_for()
    # What was wrong before does not stand beside what is right now.
    assert page.locator("#errors, .wrong, [aria-invalid]").count() == 0
    see(consumer, "plan_adjust_later")
    consumer.press("button[value=continue]")
    consumer.agree_to_mail()
    consumer.give_card(VISA_DEBIT)
    see(consumer, "plan_review_later")
    consumer.confirm()
    assert "/plan/" in consumer.path
    see(consumer, "plan_page")
    rows = page.locator(".ledger .much").all_inner_texts()
    assert rows == ["$250.00"] * 4
    consumer.go(consumer.account)
    see(consumer, "plan_running")
    consumer.go("/home/")
    see(consumer, "plan_home")


def test_every_date_can_be_set_by_hand(planner):
    consumer = planner()
    consumer.choose("settlement_parts")
    slide(consumer, 2)
    consumer.page.locator("#check", has_text="2 × $300.00").wait_for()
    consumer.press("button[value=own]")
    see(consumer, "plan_dates")
    consumer.press("button[value=add]")
    consumer.page.fill("[name=amount_2]", "200.00")
    consumer.page.fill("[name=amount_3]", "99.00")
    consumer.page.fill("[name=date_3]", (today_of(consumer) + dt.timedelta(days=90)).isoformat())
    consumer.page.locator("#check", has_text="$1.00").wait_for()
    consumer.press("button[value=continue]")
    see(consumer, "plan_dates_wrong")
    consumer.page.fill("[name=amount_3]", "100.00")
    consumer.press("button[value=continue]")
    consumer.agree_to_mail()
    assert consumer.path.endswith("/method/")


def test_without_javascript_the_payments_are_shown_by_a_button(planner):
    consumer = planner(java_script_enabled=False)
    consumer.choose("plan")
    page = consumer.page
    assert not page.locator("input[type=range]").is_visible()
    page.fill("#id_count", "5")
    page.select_option("#id_frequency", "biweekly")
    consumer.press("button[value=show]")
    assert "5 × $200.00" in consumer.text()
    assert page.input_value("#id_count") == "5"
    consumer.press("button[value=continue]")
    assert consumer.path.endswith("/documents/")
