"""A visit: its language, its warning before the time is up (A11Y-08), and its end (AUTH-08)."""

import pytest

pytestmark = pytest.mark.browser

MINUTE = 60_000
AGE = """
from datetime import timedelta
from django.db.models import F
from accounts.models import Visit
from accounts.tenancy import ALL_AGENCIES, acting_for
with acting_for(ALL_AGENCIES):
    Visit.objects.update(seen_at=F("seen_at") - timedelta(hours=1))
"""


@pytest.fixture
def idle(newcomer):
    """Be signed in on a page whose clock the test moves."""
    consumer = newcomer()
    consumer.page.clock.install()
    return consumer.log_in()


def test_the_warning_comes_after_14_minutes_and_a_key_keeps_the_visit(idle):
    page, dialog = idle.page, idle.page.locator("#idle")
    page.clock.fast_forward(13 * MINUTE)
    assert not dialog.is_visible()
    page.clock.fast_forward(MINUTE + 6_000)
    dialog.wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Stay logged in"
    with page.expect_response("**/session/extend/") as answered:
        page.keyboard.press("Enter")
    assert answered.value.ok
    dialog.wait_for(state="hidden")
    page.clock.fast_forward(13 * MINUTE)
    assert not dialog.is_visible()
    assert idle.path == "/home/"


def test_escape_keeps_the_visit_too(idle):
    idle.page.clock.fast_forward(14 * MINUTE + 6_000)
    idle.page.locator("#idle").wait_for()
    with idle.page.expect_response("**/session/extend/") as answered:
        idle.page.keyboard.press("Escape")
    assert answered.value.ok


def test_nobody_there_ends_the_visit_here_and_on_the_server(idle, stack):
    stack.manage("shell", "-c", AGE)  # the server's clock cannot be moved: it saw everybody an hour earlier
    idle.page.clock.fast_forward(14 * MINUTE + 6_000)
    idle.page.locator("#idle").wait_for()
    idle.page.clock.fast_forward(MINUTE)
    idle.page.wait_for_url("**/session-ended/**")
    assert "You are logged out" in idle.text()
    idle.go("/home/")
    assert idle.path != "/home/"


def test_work_in_another_window_keeps_this_one(idle):
    other = idle.context.new_page()
    other.clock.install()
    idle.page.clock.fast_forward(13 * MINUTE)
    other.goto(idle.url("/home/"))
    other.evaluate(f"localStorage.setItem('seen', Date.now() + {13 * MINUTE})")
    idle.page.clock.fast_forward(2 * MINUTE)
    assert not idle.page.locator("#idle").is_visible()


def test_the_language_is_changed_on_every_page_and_remembered(newcomer):
    consumer = newcomer()
    consumer.go("/")
    assert consumer.page.locator("html").get_attribute("lang") == "en"
    consumer.press("button[name=language][value=es]")
    assert consumer.page.locator("html").get_attribute("lang") == "es"
    consumer.log_in()
    assert consumer.page.locator("html").get_attribute("lang") == "es"
    consumer.go(consumer.account)
    before = consumer.path
    consumer.press("button[name=language][value=en]")
    assert (consumer.path, consumer.page.locator("html").get_attribute("lang")) == (before, "en")


def test_logging_out_ends_the_visit_for_the_back_button_too(newcomer):
    consumer = newcomer().log_in()
    consumer.go(consumer.account)
    consumer.press("form[action='/log-out/'] button >> nth=0")
    assert consumer.path == "/session-ended/"
    consumer.page.go_back()
    consumer.page.wait_for_load_state()
    assert "$1,000.00" not in consumer.text()


def test_the_start_page_says_nothing_of_a_debt(newcomer):
    consumer = newcomer()
    consumer.go("/")
    said = consumer.page.locator("body").inner_text().lower()
    for word in ("debt", "collect", "$", "owe", "balance", "payment"):
        assert word not in said
